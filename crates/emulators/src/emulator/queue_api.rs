//! SQS over HTTP.

use std::{mem, sync::Arc, time::Duration};

use bytes::Bytes;
use compact_str::CompactString;
use http::{HeaderValue, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::Full;
use md5::{Digest, Md5};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;

use super::{
    message::{Message, has_only_allowed_characters, random_id, size},
    queue::{Queue, Receive},
    queue_error::{QueueError, QueueErrorCode},
    queue_settings::MAX_BYTES,
    queue_wire::{
        AttributesAnswer, Batch, BatchAnswer, BatchEntry, CreateQueue, DeleteEntry, Done,
        FailedEntry, GetQueueAttributes, ListQueues, OfQueue, QueueUrl, QueueUrls, ReceiveAnswer,
        ReceiveMessage, SendEntry, Sent, VisibilityEntry, seconds,
    },
    queues::Queues,
};

/// The most messages of a receive, and the most entries of a batch.
pub(super) const MAX_MESSAGES: usize = 10;

/// The longest id of an entry of a batch.
const MAX_ENTRY_ID: usize = 80;

/// In seconds: the longest delay of a message, wait of a receive, and visibility timeout.
const MAX_DELAY: u64 = 900;
const MAX_WAIT: u64 = 20;
const MAX_VISIBILITY: u64 = 43_200;

/// The interface, as `x-amz-target` names it before the operation.
const INTERFACE: &[u8] = b"AmazonSQS.";

/// Answers requests to SQS.
#[derive(Debug)]
pub(super) struct QueueApi {
    queues: Arc<Queues>,
}

/// The body of an answer.
type Answer = Result<Vec<u8>, QueueError>;

/// A message to send, and its own delay.
type Outgoing = (Arc<Message>, Option<Duration>);

impl QueueApi {
    pub(super) fn new(queues: Arc<Queues>) -> Self {
        Self { queues }
    }

    pub(super) async fn answer(&self, target: &HeaderValue, body: &[u8]) -> Response<Full<Bytes>> {
        let operation = target.as_bytes().strip_prefix(INTERFACE);
        let answered = self.perform(operation.unwrap_or_default(), body).await;
        let (status, body, refused) = match answered {
            Ok(body) => (StatusCode::OK, body, None),
            Err(QueueError { code, message }) => {
                let body = json!({"__type": code.shape(), "message": message}).to_string();
                (code.status(), body.into_bytes(), Some(code))
            }
        };
        let mut response = Response::new(Full::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        let kind = HeaderValue::from_static("application/x-amz-json-1.0");
        headers.insert(CONTENT_TYPE, kind);
        if let Ok(id) = HeaderValue::try_from(random_id().to_string()) {
            headers.insert("x-amzn-requestid", id);
        }
        if let Some(code) = refused
            && let Ok(query) = HeaderValue::try_from(format!("{};Sender", code.query()))
        {
            headers.insert("x-amzn-query-error", query);
        }
        response
    }

    async fn perform(&self, operation: &[u8], body: &[u8]) -> Answer {
        let queues = &self.queues;
        match operation {
            b"SendMessageBatch" => self.send_batch(read(body)?),
            b"ReceiveMessage" => self.receive(read(body)?).await,
            b"DeleteMessageBatch" => self.delete_batch(read(body)?),
            b"ChangeMessageVisibilityBatch" => self.hide_batch(read(body)?),
            b"SendMessage" => send(&*self.queue(body)?, read(body)?),
            b"DeleteMessage" => {
                let DeleteEntry { receipt_handle, .. } = read(body)?;
                self.queue(body)?.delete(&receipt_handle).map(nothing)
            }
            b"ChangeMessageVisibility" => {
                let entry: VisibilityEntry = read(body)?;
                hide(&*self.queue(body)?, &entry).map(nothing)
            }
            b"GetQueueAttributes" => {
                let GetQueueAttributes { attribute_names } = read(body)?;
                let attributes = Queues::attributes(&*self.queue(body)?, &attribute_names)?;
                write(&AttributesAnswer { attributes })
            }
            b"SetQueueAttributes" => {
                let CreateQueue { attributes, .. } = read(body)?;
                let queue = self.queue(body)?;
                queues.configure(&queue, &attributes).map(nothing)
            }
            b"PurgeQueue" => self.queue(body)?.purge().map(nothing),
            b"DeleteQueue" => {
                queues.remove(&*self.queue(body)?);
                Ok(nothing(()))
            }
            b"CreateQueue" => {
                let CreateQueue {
                    queue_name,
                    attributes,
                } = read(body)?;
                let queue_url = &queues.create(&queue_name, &attributes)?.url;
                write(&QueueUrl { queue_url })
            }
            b"GetQueueUrl" => {
                let CreateQueue { queue_name, .. } = read(body)?;
                let queue = queues.named(&queue_name);
                let queue_url = &queue.ok_or_else(QueueError::no_queue)?.url;
                write(&QueueUrl { queue_url })
            }
            b"ListQueues" => {
                let ListQueues { queue_name_prefix } = read(body)?;
                let queue_urls = queues.urls(&queue_name_prefix);
                write(&QueueUrls { queue_urls })
            }
            _ => Err(unknown(operation)),
        }
    }

    fn queue(&self, body: &[u8]) -> Result<Arc<Queue>, QueueError> {
        let OfQueue { queue_url } = read(body)?;
        self.queues.with_url(&queue_url)
    }

    fn send_batch(&self, batch: Batch<SendEntry>) -> Answer {
        check_batch(&batch.entries)?;
        let queue = self.queues.with_url(&batch.queue_url)?;
        let most = queue.maximum_message_size();
        let sizes = batch.entries.iter();
        let sizes = sizes.map(|entry| size(&entry.message_body, &entry.message_attributes));
        let size: usize = sizes.sum();
        if size > MAX_BYTES {
            return Err(QueueError::new(
                QueueErrorCode::BatchRequestTooLong,
                format!(
                    "Batch requests cannot be longer than {MAX_BYTES} bytes. You have sent {size} \
                     bytes."
                ),
            ));
        }
        let mut messages = Vec::with_capacity(batch.entries.len());
        let outcomes = batch.entries.into_iter().map(|mut entry| {
            let id = mem::take(&mut entry.id);
            let outcome = outgoing(entry, most).map(|message| {
                let sent = sent(id.clone(), &message.0);
                messages.push(message);
                sent
            });
            (id, outcome)
        });
        let answer = batch_answer(outcomes);
        queue.send(messages);
        write(&answer)
    }

    async fn receive(&self, request: ReceiveMessage) -> Answer {
        let queue = self.queues.with_url(&request.queue_url)?;
        let most = request.max_number_of_messages.unwrap_or(1);
        let most = usize::try_from(most).ok();
        let Some(most) = most.filter(|most| (1..=MAX_MESSAGES).contains(most)) else {
            return Err(QueueError::invalid(format!(
                "Value {} for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 \
                 and {MAX_MESSAGES}, if provided.",
                request.max_number_of_messages.unwrap_or_default()
            )));
        };
        let receive = Receive {
            most,
            wait: seconds("WaitTimeSeconds", request.wait_time_seconds, MAX_WAIT)?,
            hide_for: seconds(
                "VisibilityTimeout",
                request.visibility_timeout,
                MAX_VISIBILITY,
            )?,
        };
        let received = self.queues.receive(&queue, receive).await;
        let answer = ReceiveAnswer {
            received: &received,
            request: &request,
        };
        write_to(Vec::with_capacity(answer.likely_size()), &answer)
    }

    fn delete_batch(&self, batch: Batch<DeleteEntry>) -> Answer {
        check_batch(&batch.entries)?;
        let queue = self.queues.with_url(&batch.queue_url)?;
        let outcomes = batch.entries.into_iter().map(|entry| {
            let deleted = queue.delete(&entry.receipt_handle);
            (entry.id, deleted)
        });
        write(&done(outcomes))
    }

    fn hide_batch(&self, batch: Batch<VisibilityEntry>) -> Answer {
        check_batch(&batch.entries)?;
        let queue = self.queues.with_url(&batch.queue_url)?;
        let outcomes = batch.entries.into_iter().map(|entry| {
            let hidden = hide(&queue, &entry);
            (entry.id, hidden)
        });
        write(&done(outcomes))
    }
}

fn send(queue: &Queue, entry: SendEntry) -> Answer {
    let message = outgoing(entry, queue.maximum_message_size())?;
    let sent = sent(CompactString::default(), &message.0);
    queue.send([message]);
    write(&sent)
}

/// What SQS refuses a batch for as a whole, but for its size.
fn check_batch(entries: &[impl BatchEntry]) -> Result<(), QueueError> {
    if entries.is_empty() {
        return Err(QueueError::new(
            QueueErrorCode::EmptyBatchRequest,
            "There should be at least one entry in the request.",
        ));
    }
    if entries.len() > MAX_MESSAGES {
        return Err(QueueError::new(
            QueueErrorCode::TooManyEntriesInBatchRequest,
            format!(
                "Maximum number of entries per request are {MAX_MESSAGES}. You have sent {}.",
                entries.len()
            ),
        ));
    }
    for (place, entry) in entries.iter().enumerate() {
        let id = entry.id();
        if !is_entry_id(id) {
            return Err(QueueError::new(
                QueueErrorCode::InvalidBatchEntryId,
                "A batch entry id can only contain alphanumeric characters, hyphens and \
                 underscores. It can be at most 80 letters long.",
            ));
        }
        if entries[..place].iter().any(|other| other.id() == id) {
            return Err(QueueError::new(
                QueueErrorCode::BatchEntryIdsNotDistinct,
                format!("Id {id} repeated."),
            ));
        }
    }
    Ok(())
}

/// Whether an entry of a batch, of SQS or of SNS, may be called so.
pub(super) fn is_entry_id(id: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    !id.is_empty() && id.len() <= MAX_ENTRY_ID && id.bytes().all(letter)
}

/// The message of an entry, if it can be sent.
fn outgoing(entry: SendEntry, most_bytes: usize) -> Result<Outgoing, QueueError> {
    if entry.message_body.is_empty() {
        return Err(QueueError::missing("MessageBody"));
    }
    for (parameter, value) in [
        ("MessageGroupId", entry.message_group_id),
        ("MessageDeduplicationId", entry.message_deduplication_id),
    ] {
        if let Some(value) = value {
            return Err(QueueError::invalid(format!(
                "Value {value} for parameter {parameter} is invalid. Reason: The request include \
                 parameter that is not valid for this queue type."
            )));
        }
    }
    let delay = seconds("DelaySeconds", entry.delay_seconds, MAX_DELAY)?;
    let message = Message::new(entry.message_body, entry.message_attributes);
    message.check_attributes().map_err(QueueError::invalid)?;
    let mut texts = message.attributes.values();
    let texts = texts.all(|attribute| {
        let text = attribute.string_value.as_deref();
        text.is_none_or(has_only_allowed_characters)
    });
    if !(texts && has_only_allowed_characters(&message.body)) {
        return Err(QueueError::new(
            QueueErrorCode::InvalidMessageContents,
            "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to \
             #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF",
        ));
    }
    if message.size() > most_bytes {
        return Err(QueueError::invalid(format!(
            "One or more parameters are invalid. Reason: Message must be shorter than {most_bytes} \
             bytes."
        )));
    }
    Ok((Arc::new(message), delay))
}

fn sent(id: CompactString, message: &Message) -> Sent {
    Sent {
        id,
        message_id: message.id,
        md5_of_body: hex::encode(Md5::digest(&message.body)),
    }
}

fn hide(queue: &Queue, entry: &VisibilityEntry) -> Result<(), QueueError> {
    let parameter = "VisibilityTimeout";
    let time = seconds(parameter, entry.visibility_timeout, MAX_VISIBILITY)?;
    let time = time.ok_or_else(|| QueueError::missing(parameter))?;
    queue.hide(&entry.receipt_handle, time)
}

fn done(
    outcomes: impl Iterator<Item = (CompactString, Result<(), QueueError>)>,
) -> BatchAnswer<Done> {
    batch_answer(outcomes.map(|(id, outcome)| {
        let done = Done { id: id.clone() };
        (id, outcome.map(|()| done))
    }))
}

fn batch_answer<S>(
    outcomes: impl Iterator<Item = (CompactString, Result<S, QueueError>)>,
) -> BatchAnswer<S> {
    let (mut successful, mut failed) = (Vec::with_capacity(MAX_MESSAGES), Vec::new());
    for (id, outcome) in outcomes {
        match outcome {
            Ok(success) => successful.push(success),
            Err(error) => failed.push(FailedEntry::new(id, error)),
        }
    }
    BatchAnswer { successful, failed }
}

/// The body of an answer that says nothing.
fn nothing((): ()) -> Vec<u8> {
    Vec::new()
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, QueueError> {
    let malformed =
        |message: String| QueueError::new(QueueErrorCode::SerializationException, message);
    // Checked once as a whole, and not each of its texts.
    let text = str::from_utf8(body).map_err(|error| malformed(error.to_string()))?;
    serde_json::from_str(text).map_err(|error| malformed(error.to_string()))
}

fn write(answer: &impl Serialize) -> Answer {
    write_to(Vec::with_capacity(1024), answer)
}

fn write_to(mut body: Vec<u8>, answer: &impl Serialize) -> Answer {
    serde_json::to_writer(&mut body, answer).map_err(|error| {
        QueueError::new(QueueErrorCode::SerializationException, error.to_string())
    })?;
    Ok(body)
}

fn unknown(operation: &[u8]) -> QueueError {
    /// What SQS has and the emulator has not.
    const OTHERS: [&[u8]; 9] = [
        b"AddPermission",
        b"CancelMessageMoveTask",
        b"ListDeadLetterSourceQueues",
        b"ListMessageMoveTasks",
        b"ListQueueTags",
        b"RemovePermission",
        b"StartMessageMoveTask",
        b"TagQueue",
        b"UntagQueue",
    ];
    let name = String::from_utf8_lossy(operation);
    if OTHERS.contains(&operation) {
        let text = format!("The emulator has no {name}.");
        return QueueError::new(QueueErrorCode::UnsupportedOperation, text);
    }
    QueueError::new(
        QueueErrorCode::UnknownOperationException,
        format!("The action {name} is not valid for this endpoint."),
    )
}
