mod mail;

use std::time::Duration;

use common::ledger::LedgerSettings;
use common::messaging::{QueueUrl, queue_url};
use common::runtime::{Environment, SettingError};
use common::service::BaseSettings;

pub use mail::{MailSettings, MailTransport};

/// Settings of send-mail-worker; the variables are in `docs/SETTINGS.md`.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Listener, log level, AWS.
    pub base: BaseSettings,
    /// The ledger.
    pub ledger: LedgerSettings,
    /// The queue `process-email`.
    pub queue_url: QueueUrl,
    /// Most messages of a receive.
    pub max_messages: usize,
    /// Longest wait of a receive.
    pub long_poll: Duration,
    /// How e-mails leave.
    pub mail: MailSettings,
}

impl Settings {
    /// Reads the environment.
    ///
    /// # Errors
    /// The first variable that is missing or wrong.
    pub fn read(env: &Environment) -> Result<Self, SettingError> {
        Ok(Self {
            base: BaseSettings::read(env, "METRICS_PORT", 8002)?,
            ledger: LedgerSettings::read(env)?,
            queue_url: queue_url(env)?,
            max_messages: env.number("SQS_MAX_MESSAGES", 10, 1, 10)?,
            long_poll: Duration::from_secs(env.number("SQS_WAIT_TIME_SECONDS", 20, 0, 20)?),
            mail: MailSettings::read(env)?,
        })
    }
}
