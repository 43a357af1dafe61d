use std::path::Path;

use anyhow::{Context, Result};
use reqwest::{
    RequestBuilder,
    multipart::{Form, Part},
};
use serde_json::Value;
use tokio::fs::File;
use uuid::Uuid;

/// A client of importer-api.
pub(crate) struct Importer {
    http: reqwest::Client,
    url: String,
    token: Option<String>,
    key: Option<String>,
}

impl Importer {
    /// The importer at that URL, with a token where it asks for one.
    pub(crate) fn new(url: &str, token: Option<&str>) -> Self {
        Self {
            http: crate::http::client(),
            url: url.to_owned(),
            token: token.map(str::to_owned),
            key: None,
        }
    }

    /// The same; each upload has that idempotency key.
    pub(crate) fn with_key(self, key: &str) -> Self {
        Self {
            key: Some(key.to_owned()),
            ..self
        }
    }

    /// A request of that route.
    pub(crate) fn get(&self, route: &str) -> RequestBuilder {
        self.with_token(self.http.get(format!("{}{route}", self.url)))
    }

    /// Uploads a file and gives the id of its import.
    pub(crate) async fn upload(&self, path: &Path) -> Result<Uuid> {
        let context = || format!("cannot upload `{}`", path.display());
        let file = File::open(path).await.with_context(context)?;
        let size = file.metadata().await.with_context(context)?.len();
        let part = Part::stream_with_length(file, size).file_name("input.csv");
        let request = self.http.post(format!("{}/v1/upload", self.url));
        let mut request = request.multipart(Form::new().part("file", part));
        if let Some(key) = &self.key {
            request = request.header("Idempotency-Key", key);
        }
        let answer = self.with_token(request).send().await;
        let body: Value = answer.with_context(context)?.json().await?;
        let import_id = body["import_id"].as_str().and_then(|id| id.parse().ok());
        import_id.with_context(|| format!("importer-api refused the file: {body}"))
    }

    /// Has an import told again what it lacks; an error unless that was done to its end.
    pub(crate) async fn reconcile(&self, import_id: Uuid) -> Result<()> {
        let url = format!("{}/v1/imports/{import_id}/reconcile", self.url);
        let answer = self.with_token(self.http.post(url)).send().await?;
        answer.error_for_status()?;
        Ok(())
    }

    fn with_token(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }
}

/// Uploads a file to an importer that is open, and gives the id of its import.
pub(crate) async fn upload(importer: &str, path: &Path) -> Result<Uuid> {
    Importer::new(importer, None).upload(path).await
}
