use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::aws::{Attributes, Message, receive_count, text_attribute};
use crate::runtime::TraceContext;
use contract::{RowId, names};

/// A received message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Identity of the message in its queue; a redrive gives it a new one.
    pub id: String,
    /// The body.
    pub body: String,
    /// The attributes `import_id` and `row`, where they name a row.
    pub row: Option<RowId>,
    /// The attribute `columns`: what its records have of the optional columns.
    pub columns: Option<String>,
    /// How often the message was received, this time included.
    pub receive_count: u32,
    /// How often it was put off.
    pub put_off: u32,
    /// The trace that what is sent for it belongs to.
    pub trace: Option<TraceContext>,
}

/// What settles a delivery: deletes it, sets how long it stays hidden, or
/// puts it off.
#[derive(Clone, Debug)]
pub(super) struct Receipt {
    pub(super) handle: String,
    pub(super) receive_count: u32,
    /// What the receive asked for, for a copy of the message.
    pub(super) attributes: Attributes,
}

impl Receipt {
    /// Whether the message was put off until later than `now`.
    pub(super) fn is_early(&self, now: SystemTime) -> bool {
        not_before(&self.attributes).is_some_and(|time| time > now)
    }
}

/// A message as a receive returns it.
pub(super) type Received = (Delivery, Receipt);

/// Takes a message apart.
pub(super) fn take_apart(message: Message) -> Received {
    let receive_count = receive_count(&message).unwrap_or(1);
    let attributes = message.message_attributes.unwrap_or_default();
    let row = RowId::from_attributes(
        text_attribute(&attributes, names::IMPORT_ID),
        text_attribute(&attributes, names::ROW),
    );
    let put_off = text_attribute(&attributes, names::PUT_OFF).and_then(|times| times.parse().ok());
    let delivery = Delivery {
        id: message.message_id.unwrap_or_default(),
        body: message.body.unwrap_or_default(),
        row,
        columns: text_attribute(&attributes, names::COLUMNS).map(str::to_owned),
        receive_count,
        put_off: put_off.unwrap_or(0),
        trace: TraceContext::read(|name| text_attribute(&attributes, name)),
    };
    let receipt = Receipt {
        handle: message.receipt_handle.unwrap_or_default(),
        receive_count,
        attributes,
    };
    (delivery, receipt)
}

/// Before when a message is not to be handled, if it was put off.
pub(super) fn not_before(attributes: &Attributes) -> Option<SystemTime> {
    let seconds = text_attribute(attributes, names::NOT_BEFORE)?
        .parse()
        .ok()?;
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}
