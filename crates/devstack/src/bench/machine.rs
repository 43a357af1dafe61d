//! The machine of a run, and what ran on it.

use std::{fs, path::Path, process::Command, thread};

use anyhow::Result;
use nix::sys::statfs::{FsType, TMPFS_MAGIC, statfs};
use procfs::{CpuInfo, Current, LoadAverage, Meminfo};
use serde::{Deserialize, Serialize};

/// `RAMFS_MAGIC` of Linux.
const RAMFS_MAGIC: FsType = FsType(0x8584_58f6);

/// The machine of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Machine {
    /// Model of the CPU.
    pub(super) cpu: String,
    /// Cores that this process may use.
    pub(super) cores: usize,
    /// Memory.
    pub(super) memory_bytes: u64,
    /// Release of the Linux kernel.
    pub(super) kernel: String,
    /// Load average of 1, 5 and 15 minutes before the stack was started.
    pub(super) load_before: [f32; 3],
    /// The same after the last e-mail.
    pub(super) load_after: [f32; 3],
}

impl Machine {
    /// The machine as it is now; the load after is that before until it is known.
    pub(super) fn now() -> Result<Self> {
        let cpus = CpuInfo::current()?;
        let load = load()?;
        Ok(Self {
            cpu: cpus.model_name(0).unwrap_or("unknown").to_owned(),
            cores: thread::available_parallelism()?.get(),
            memory_bytes: Meminfo::current()?.mem_total,
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")?
                .trim()
                .to_owned(),
            load_before: load,
            load_after: load,
        })
    }
}

/// Load average of 1, 5 and 15 minutes.
pub(super) fn load() -> Result<[f32; 3]> {
    let load = LoadAverage::current()?;
    Ok([load.one, load.five, load.fifteen])
}

/// Whether files there outlive the machine's power.
pub(super) fn is_on_disk(directory: &Path) -> Result<bool> {
    let kind = statfs(directory)?.filesystem_type();
    Ok(kind != TMPFS_MAGIC && kind != RAMFS_MAGIC)
}

/// The commit of the working directory, marked where files differ from it; `None` outside a
/// repository or without git.
pub(super) fn revision() -> Option<String> {
    let git = Command::new("git")
        .args(["describe", "--always", "--dirty"])
        .output()
        .ok()?;
    let revision = String::from_utf8(git.stdout).ok()?;
    (git.status.success()).then(|| revision.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_is_named() {
        let machine = Machine::now().unwrap();

        assert!(machine.cores >= 1);
        assert!(machine.memory_bytes > 64 << 20, "{machine:?}");
        assert!(!machine.kernel.is_empty() && !machine.cpu.is_empty());
    }

    #[test]
    fn memory_is_no_disk() {
        // Every Linux has a tmpfs there, or nothing.
        let shared_memory = Path::new("/dev/shm");
        if shared_memory.is_dir() {
            assert!(!is_on_disk(shared_memory).unwrap());
        }
        assert!(is_on_disk(Path::new("/nowhere/at/all")).is_err());
        assert!(is_on_disk(Path::new("/proc")).unwrap());
    }
}
