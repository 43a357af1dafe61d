//! Receive → handle → settle, and batch sends with an outcome for each entry.
//!
//! AWS is named in this module alone.

mod age;
mod aws;
mod consumer;
mod consumer_metrics;
mod dead_letters;
mod delivery;
mod entry;
mod inspect;
mod isolate;
mod notified;
mod put_off;
mod queue;
mod refusal;
mod send;
mod settle;
mod spans;
mod topic;
mod verdict;
mod watch;

pub use aws::{
    Aws, AwsMetrics, AwsSettings, BucketEncryption, BucketUrl, NoBucketUrl, NoQueueUrl, NoTopicArn,
    QueueUrl, SDK_LOG_DIRECTIVES, TopicArn, queue_url, topic_arn,
};
pub use consumer::{Consumer, ConsumerOptions};
pub use consumer_metrics::ConsumerMetrics;
pub use dead_letters::{DeadLetters, Looked, Redriven};
pub use delivery::Delivery;
pub use entry::{BatchEntry, BatchSender, CallError, EntryOutcome, Outgoing};
pub use inspect::QueueDepth;
pub use notified::{NotifiedDebt, notified_debts, verdicts_of_messages};
pub use queue::Queue;
pub use send::{Delivered, send_all, split};
pub use topic::Topic;
pub use verdict::{BatchHandler, Verdict};
pub use watch::{QueueGauges, QueueWatch};
