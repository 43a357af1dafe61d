//! What a publish hands to the topics.

use std::sync::Arc;

use super::message::Message;

/// A message to publish.
#[derive(Debug)]
pub(super) struct Publication {
    pub(super) message: Arc<Message>,
    pub(super) subject: Option<String>,
}
