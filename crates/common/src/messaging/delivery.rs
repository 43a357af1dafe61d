use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};

use crate::contract::{RowId, names};

/// A received message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Identity of the message in its queue; a redrive gives it a new one.
    pub id: String,
    /// The body.
    pub body: String,
    /// The attributes `import_id` and `row`, where they name a row.
    pub row: Option<RowId>,
    /// How often the message was received, this time included.
    pub receive_count: u32,
}

/// What settles a delivery: deletes it, or sets how long it stays hidden.
#[derive(Clone, Debug)]
pub(super) struct Receipt {
    pub(super) handle: String,
    pub(super) receive_count: u32,
}

/// Takes a message of the SDK apart.
pub(super) fn take_apart(message: Message) -> (Delivery, Receipt) {
    let receive_count = message
        .attributes()
        .and_then(|a| a.get(&MessageSystemAttributeName::ApproximateReceiveCount))
        .and_then(|count| count.parse().ok())
        .unwrap_or(1);
    let attribute = |name: &str| message.message_attributes()?.get(name)?.string_value();
    let row = RowId::from_attributes(attribute(names::IMPORT_ID), attribute(names::ROW));
    let delivery = Delivery {
        id: message.message_id.unwrap_or_default(),
        body: message.body.unwrap_or_default(),
        row,
        receive_count,
    };
    let receipt = Receipt {
        handle: message.receipt_handle.unwrap_or_default(),
        receive_count,
    };
    (delivery, receipt)
}
