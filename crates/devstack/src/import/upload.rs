use std::{io, path::Path};

use reqwest::multipart::{Form, Part};
use serde_json::Value;
use tokio::fs::File;
use uuid::Uuid;

/// The file was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// The file cannot be read.
    #[error("cannot read the file to upload: {0}")]
    File(#[from] io::Error),
    /// importer-api was not reached.
    #[error("cannot upload: {0}")]
    Http(#[from] reqwest::Error),
    /// importer-api refused it.
    #[error("importer-api refused the file: {0}")]
    Refused(Value),
}

/// Uploads a file and gives the id of its import.
pub(crate) async fn upload(importer: &str, path: &Path) -> Result<Uuid, UploadError> {
    let file = File::open(path).await?;
    let size = file.metadata().await?.len();
    let part = Part::stream_with_length(file, size).file_name("input.csv");
    let answer = reqwest::Client::new()
        .post(format!("{importer}/v1/upload"))
        .multipart(Form::new().part("file", part))
        .send()
        .await?;
    let body: Value = answer.json().await?;
    body["import_id"]
        .as_str()
        .and_then(|id| id.parse().ok())
        .ok_or(UploadError::Refused(body))
}
