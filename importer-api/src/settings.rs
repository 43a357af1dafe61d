mod spool;

use std::time::Duration;

use common::ledger::LedgerSettings;
use common::messaging::{QueueUrl, queue_url};
use common::rules::BillingRules;
use common::runtime::{Environment, SettingError};
use common::service::BaseSettings;
use contract::MAX_RECORDS;

use crate::http::{AllowedHosts, ApiTokens, UploadSettings};
use crate::import::{BatchSize, SendingLimits};
use crate::webhooks::WebhookSettings;

pub use spool::SpoolSettings;

/// Settings of importer-api; the variables are in `docs/SETTINGS.md`.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Listener, log level, AWS.
    pub base: BaseSettings,
    /// The ledger.
    pub ledger: LedgerSettings,
    /// The queue `data-process`.
    pub queue_url: QueueUrl,
    /// Where the uploads are kept.
    pub spool: SpoolSettings,
    /// How much is taken of how many clients.
    pub uploads: UploadSettings,
    /// Who may use the API.
    pub tokens: ApiTokens,
    /// By which names it is reached.
    pub hosts: AllowedHosts,
    /// How long the file of a finished import is kept.
    pub retention: Duration,
    /// How much is sent at a time.
    pub sending: SendingLimits,
    /// By which files are looked at before they are billed: those of
    /// billing-worker.
    pub rules: BillingRules,
    /// Who is told of imports and undeliverable e-mails, if anybody.
    pub webhooks: Option<WebhookSettings>,
}

impl Settings {
    /// Reads the environment.
    ///
    /// # Errors
    /// The first variable that is missing or wrong.
    pub fn read(env: &Environment) -> Result<Self, SettingError> {
        let max_bytes = env.number("MAX_UPLOAD_BYTES", 1 << 30, 1, 1 << 40)?;
        Ok(Self {
            base: BaseSettings::read(env, "PORT", 8000)?,
            ledger: LedgerSettings::read(env)?,
            queue_url: queue_url(env)?,
            spool: SpoolSettings::read(env, max_bytes)?,
            uploads: UploadSettings {
                max_bytes,
                max_rows: env.number("MAX_ROWS", 5_000_000, 1, 1 << 40)?,
                max_concurrent: env.number("MAX_CONCURRENT_UPLOADS", 16, 1, 1024)?,
                idle_timeout: env.seconds("UPLOAD_IDLE_TIMEOUT", 30.0, 0.1, 3_600.0)?,
            },
            tokens: api_tokens(env)?,
            hosts: allowed_hosts(env)?,
            retention: Duration::from_hours(env.number(
                "SPOOL_RETENTION_HOURS",
                168,
                0,
                1_000_000,
            )?),
            sending: SendingLimits {
                open_imports: env.number("MAX_OPEN_IMPORTS", 16, 1, 1024)?,
                batches: env.number("MAX_CSV_PROCESS_CONCURRENT_TASKS", 250, 1, 10_000)?,
                batch_size: BatchSize {
                    messages: env.number("MAX_SQS_SEND_MESSAGE_BATCH_SIZE", 10, 1, 10)?,
                    rows_per_message: env.number("ROWS_PER_MESSAGE", 1, 1, MAX_RECORDS)?,
                },
            },
            rules: BillingRules::read(env)?,
            webhooks: WebhookSettings::read(env)?,
        })
    }
}

fn allowed_hosts(env: &Environment) -> Result<AllowedHosts, SettingError> {
    const NAME: &str = "ALLOWED_HOSTS";
    let Some(list) = env.get(NAME) else {
        return Ok(AllowedHosts::default());
    };
    AllowedHosts::parse(list).map_err(|error| SettingError::Wrong {
        name: NAME,
        held: list.to_owned(),
        takes: format!("{}; {error}", AllowedHosts::TAKES),
    })
}

/// `API_TOKENS`. What is wrong with it is told without telling a token.
fn api_tokens(env: &Environment) -> Result<ApiTokens, SettingError> {
    const NAME: &str = "API_TOKENS";
    let Some(list) = env.get(NAME) else {
        return Ok(ApiTokens::default());
    };
    ApiTokens::parse(list).map_err(|error| SettingError::Wrong {
        name: NAME,
        held: "(hidden)".to_owned(),
        takes: format!("{}; {error}", ApiTokens::TAKES),
    })
}
