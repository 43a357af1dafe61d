//! Figures in a file.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use serde::{Serialize, de::DeserializeOwned};

/// Reads what was written before.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let context = || format!("cannot read `{}`", path.display());
    let json = fs::read(path).with_context(context)?;
    serde_json::from_slice(&json).with_context(context)
}

/// Writes it, in a directory that is created if need be.
pub(super) fn write<T: Serialize>(path: &Path, figures: &T) -> Result<()> {
    let context = || format!("cannot write `{}`", path.display());
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).with_context(context)?;
    }
    let mut json = serde_json::to_vec_pretty(figures)?;
    json.push(b'\n');
    fs::write(path, json).with_context(context)
}
