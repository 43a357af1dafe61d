use anyhow::Result;
use emulators::emulator::{Emulator, PipelineResources};

/// Messages that are in the queues.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Backlog {
    /// In the work queues.
    pub(crate) left: u64,
    /// Dead letters.
    pub(crate) dead: u64,
}

impl Backlog {
    /// As it is now.
    pub(crate) async fn of(emulator: &Emulator, queues: &PipelineResources) -> Result<Self> {
        let sum = async |[one, other]: [&String; 2]| -> Result<u64> {
            let (one, other) = (emulator.queue_depth(one), emulator.queue_depth(other));
            Ok(one.await?.total() + other.await?.total())
        };
        Ok(Self {
            left: sum([&queues.data_process_url, &queues.process_email_url]).await?,
            dead: sum([&queues.data_process_dlq_url, &queues.process_email_dlq_url]).await?,
        })
    }
}
