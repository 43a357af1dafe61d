use std::time::Duration;

use common::ledger::LedgerSettings;
use common::messaging::{QueueUrl, TopicArn, queue_url, topic_arn};
use common::rules::BillingRules;
use common::runtime::{Environment, SettingError};
use common::service::BaseSettings;

/// Settings of billing-worker; the variables are in `docs/SETTINGS.md`.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Listener, log level, AWS.
    pub base: BaseSettings,
    /// The ledger.
    pub ledger: LedgerSettings,
    /// The queue `data-process`.
    pub queue_url: QueueUrl,
    /// The topic `data-process-topic`.
    pub topic_arn: TopicArn,
    /// The issuer, and what it asks of a row.
    pub rules: BillingRules,
    /// Most messages of a receive.
    pub max_messages: usize,
    /// Longest wait of a receive.
    pub long_poll: Duration,
    /// Most notifications of a publish.
    pub publish_batch: usize,
    /// Longest wait of a notification for others to fill its batch.
    pub flush_interval: Duration,
}

impl Settings {
    /// Reads the environment.
    ///
    /// # Errors
    /// The first variable that is missing or wrong.
    pub fn read(env: &Environment) -> Result<Self, SettingError> {
        Ok(Self {
            base: BaseSettings::read(env, "METRICS_PORT", 8001)?,
            ledger: LedgerSettings::read(env)?,
            queue_url: queue_url(env)?,
            topic_arn: topic_arn(env)?,
            rules: BillingRules::read(env)?,
            max_messages: env.number("SQS_MAX_MESSAGES", 10, 1, 10)?,
            long_poll: Duration::from_secs(env.number("SQS_WAIT_TIME_SECONDS", 20, 0, 20)?),
            publish_batch: env.number("MAX_SNS_SEND_MESSAGE_BATCH_SIZE", 10, 1, 10)?,
            flush_interval: env.seconds("NOTIFICATION_FLUSH_INTERVAL", 0.02, 0.0, 10.0)?,
        })
    }
}
