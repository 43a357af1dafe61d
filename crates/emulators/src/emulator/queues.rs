//! The queues by their names.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use super::{
    ACCOUNT_ID, QueueErrorCode,
    queue::{Queue, Receive, Received, queue_arn},
    queue_error::QueueError,
    queue_settings::{QueueAttributes, QueueSettings, unknown_attribute},
};

/// The longest name.
const MAX_NAME: usize = 80;

type ByName = BTreeMap<String, Arc<Queue>>;

/// All queues of an emulator.
#[derive(Debug)]
pub(super) struct Queues {
    /// What comes before account and name in the URL of a queue.
    base_url: String,
    by_name: RwLock<ByName>,
}

impl Queues {
    pub(super) fn new(base_url: String) -> Self {
        Self {
            base_url,
            by_name: RwLock::default(),
        }
    }

    /// Creates a queue, or finds the one of that name, which must have these attributes.
    pub(super) fn create(
        &self,
        name: &str,
        attributes: &QueueAttributes,
    ) -> Result<Arc<Queue>, QueueError> {
        if name.strip_suffix(".fifo").is_some() {
            let text = "The emulator has no FIFO queues.";
            return Err(QueueError::new(QueueErrorCode::UnsupportedOperation, text));
        }
        let letter = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(letter) {
            return Err(QueueError::invalid(
                "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
            ));
        }
        if let Some(queue) = self.named(name) {
            return has_attributes(&queue, attributes).map(|()| queue);
        }
        let mut settings = QueueSettings::default();
        self.set_all(&mut settings, attributes)?;
        let queue = Arc::new(Queue::new(name, &self.base_url, settings));
        // Another request may have made it meanwhile.
        let mut by_name = self.write();
        Ok(Arc::clone(by_name.entry(name.to_owned()).or_insert(queue)))
    }

    /// Sets some attributes of a queue; all or none.
    pub(super) fn configure(
        &self,
        queue: &Queue,
        attributes: &QueueAttributes,
    ) -> Result<(), QueueError> {
        let mut settings = queue.settings();
        self.set_all(&mut settings, attributes)?;
        queue.set_settings(settings);
        Ok(())
    }

    fn set_all(
        &self,
        settings: &mut QueueSettings,
        attributes: &QueueAttributes,
    ) -> Result<(), QueueError> {
        for (name, value) in attributes {
            settings.set(name, value)?;
        }
        match &settings.redrive {
            Some(policy) if self.with_arn(&policy.target_arn).is_none() => {
                Err(QueueError::invalid(format!(
                    "Value for parameter RedrivePolicy is invalid. Reason: Dead letter target does \
                     not exist: {}.",
                    policy.target_arn
                )))
            }
            _ => Ok(()),
        }
    }

    /// Those of a queue's attributes that are asked for.
    pub(super) fn attributes(
        queue: &Queue,
        names: &[String],
    ) -> Result<QueueAttributes, QueueError> {
        let mut attributes = queue.settings().attributes()?;
        let (depth, (created, modified)) = (queue.depth(), queue.timestamps());
        attributes.extend(
            [
                ("ApproximateNumberOfMessages", depth.visible.to_string()),
                (
                    "ApproximateNumberOfMessagesNotVisible",
                    depth.in_flight.to_string(),
                ),
                (
                    "ApproximateNumberOfMessagesDelayed",
                    depth.delayed.to_string(),
                ),
                ("CreatedTimestamp", created.to_string()),
                ("LastModifiedTimestamp", modified.to_string()),
                ("QueueArn", queue.arn.to_string()),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        if names.iter().any(|name| name == "All") {
            return Ok(attributes);
        }
        let known = |name: &String| attributes.contains_key(name) || name == "RedrivePolicy";
        if let Some(name) = names.iter().find(|name| !known(name)) {
            return Err(unknown_attribute(name));
        }
        attributes.retain(|name, _| names.contains(name));
        Ok(attributes)
    }

    /// Receives from a queue, with the dead letters where its redrive policy says.
    pub(super) async fn receive(&self, queue: &Queue, receive: Receive) -> Vec<Received> {
        let redrive = queue.settings().redrive;
        // Without its dead-letter queue a queue keeps its messages.
        let dead_letters = redrive.and_then(|policy| {
            let target = self.with_arn(&policy.target_arn)?;
            Some((target, policy.max_receive_count))
        });
        queue.receive(receive, dead_letters).await
    }

    /// The queue of a URL, whatever host it names: clients reach the emulator by several.
    pub(super) fn with_url(&self, url: &str) -> Result<Arc<Queue>, QueueError> {
        let mut parts = url.rsplit('/');
        let (name, account) = (parts.next(), parts.next());
        let name = name.filter(|_| account == Some(ACCOUNT_ID));
        let queue = name.and_then(|name| self.named(name));
        queue.ok_or_else(QueueError::no_queue)
    }

    /// The queue of an ARN.
    pub(super) fn with_arn(&self, arn: &str) -> Option<Arc<Queue>> {
        let (_, name) = arn.rsplit_once(':')?;
        self.named(name).filter(|_| arn == queue_arn(name))
    }

    /// The queue of a name.
    pub(super) fn named(&self, name: &str) -> Option<Arc<Queue>> {
        self.read().get(name).map(Arc::clone)
    }

    /// The URLs of all whose names begin so, in their order.
    pub(super) fn urls(&self, prefix: &str) -> Vec<String> {
        let by_name = self.read();
        let queues = by_name
            .values()
            .filter(|queue| queue.name.starts_with(prefix));
        queues.map(|queue| queue.url.clone()).collect()
    }

    pub(super) fn remove(&self, queue: &Queue) {
        self.write().remove(&queue.name);
    }

    fn read(&self) -> RwLockReadGuard<'_, ByName> {
        self.by_name.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, ByName> {
        self.by_name.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn has_attributes(queue: &Queue, attributes: &QueueAttributes) -> Result<(), QueueError> {
    let settings = queue.settings();
    for (name, value) in attributes {
        let mut changed = settings.clone();
        changed.set(name, value)?;
        if changed != settings {
            return Err(QueueError::new(
                QueueErrorCode::QueueNameExists,
                format!(
                    "A queue already exists with the same name and a different value for \
                     attribute {name}"
                ),
            ));
        }
    }
    Ok(())
}
