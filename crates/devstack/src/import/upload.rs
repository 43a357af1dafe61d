use std::{io, path::Path};

use reqwest::{
    RequestBuilder,
    multipart::{Form, Part},
};
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

/// A client of importer-api.
pub(crate) struct Uploader {
    http: reqwest::Client,
    url: String,
    token: Option<String>,
}

impl Uploader {
    /// Of the importer at that URL, with a token where it asks for one.
    pub(crate) fn new(url: &str, token: Option<&str>) -> Self {
        Self {
            http: reqwest::Client::new(),
            url: url.to_owned(),
            token: token.map(str::to_owned),
        }
    }

    /// A request of that route.
    pub(crate) fn get(&self, route: &str) -> RequestBuilder {
        self.with_token(self.http.get(format!("{}{route}", self.url)))
    }

    /// Uploads a file and gives the id of its import.
    pub(crate) async fn upload(&self, path: &Path) -> Result<Uuid, UploadError> {
        let file = File::open(path).await?;
        let size = file.metadata().await?.len();
        let part = Part::stream_with_length(file, size).file_name("input.csv");
        let request = self.http.post(format!("{}/v1/upload", self.url));
        let form = Form::new().part("file", part);
        let answer = self.with_token(request).multipart(form).send().await?;
        let body: Value = answer.json().await?;
        body["import_id"]
            .as_str()
            .and_then(|id| id.parse().ok())
            .ok_or(UploadError::Refused(body))
    }

    fn with_token(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }
}

/// Uploads a file to an importer that is open, and gives the id of its import.
pub(crate) async fn upload(importer: &str, path: &Path) -> Result<Uuid, UploadError> {
    Uploader::new(importer, None).upload(path).await
}
