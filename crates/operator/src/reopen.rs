//! Takes the undeliverable e-mails of an import up again.

use std::io::Write;
use std::time::Duration;

use clap::Args;
use common::runtime::Environment;
use contract::Reason;
use reqwest::{Client, RequestBuilder};
use serde::Deserialize;
use uuid::Uuid;

use crate::error::CommandError;

/// Where importer-api is, unless `IMPORTER_URL` says.
const IMPORTER: &str = "http://127.0.0.1:8000";
/// Longest wait for a connection. The answer itself may take long: the whole
/// file is read.
const CONNECT: Duration = Duration::from_secs(5);

/// Send the undeliverable e-mails of an import again.
///
/// Asks importer-api, which has the file: `IMPORTER_URL` is the replica that
/// took the upload, and `API_TOKEN` one of its tokens where it asks for one.
/// Takes back the recorded ends of the e-mails and sends their rows again.
/// E-mails that were sent are not sent again, so it may be repeated.
#[derive(Debug, Args)]
pub(crate) struct Reopen {
    /// The import, as the upload answered
    #[arg(long)]
    import: Uuid,
    /// Only e-mails with this reason code, as the rejections have it
    #[arg(long, value_parser = code)]
    code: Option<String>,
}

#[derive(Deserialize)]
struct Reopened {
    reopened: u64,
}

/// What importer-api says where it does not do it.
#[derive(Deserialize)]
struct Problem {
    title: String,
    detail: String,
}

impl Reopen {
    /// # Errors
    /// When importer-api cannot be asked, or refuses.
    pub(crate) async fn run(
        self,
        environment: &Environment,
        out: &mut impl Write,
    ) -> Result<(), CommandError> {
        let importer = environment.url("IMPORTER_URL")?;
        let importer = importer.as_deref().unwrap_or(IMPORTER);
        let request = self.request(importer, environment.get("API_TOKEN"));
        let answer = request.map_err(|error| unreached(importer, &error))?.send();
        let answer = answer.await.map_err(|error| unreached(importer, &error))?;
        let status = answer.status();
        if !status.is_success() {
            let problem = answer.json().await.ok();
            let said = problem.map_or(status.to_string(), |Problem { title, detail }| {
                format!("{title}: {detail}")
            });
            return Err(CommandError::NotDone(format!("{importer} says: {said}")));
        }
        let answer = answer.json().await;
        let Reopened { reopened } = answer.map_err(|error| unreached(importer, &error))?;
        writeln!(out, "{reopened} e-mails are sent again")?;
        Ok(())
    }

    fn request(&self, importer: &str, token: Option<&str>) -> reqwest::Result<RequestBuilder> {
        let client = Client::builder().connect_timeout(CONNECT).build()?;
        let route = format!(
            "{}/v1/imports/{}/reopen",
            importer.trim_end_matches('/'),
            self.import
        );
        let which = self.code.as_ref().map(|code| format!("?code={code}"));
        let request = client.post(route + &which.unwrap_or_default());
        Ok(match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        })
    }
}

fn unreached(importer: &str, error: &reqwest::Error) -> CommandError {
    let cause =
        std::error::Error::source(error).map_or(String::new(), |cause| format!(": {cause}"));
    CommandError::NotDone(format!(
        "importer-api at {importer} cannot be asked: {error}{cause}; check IMPORTER_URL, which takes http"
    ))
}

/// A reason code.
fn code(text: &str) -> Result<String, String> {
    if Reason::is_code(text) {
        Ok(text.to_owned())
    } else {
        Err("a code is of a-z, 0-9 and _, such as mailbox_refused".to_owned())
    }
}
