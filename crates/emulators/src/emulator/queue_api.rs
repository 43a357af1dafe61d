//! SQS over HTTP (AWS JSON).

use std::{collections::HashSet, sync::Arc};

use bytes::Bytes;
use futures::future::join_all;
use http::{HeaderMap, Response};
use rustack_sqs_core::{handler::RustackSqsHandler, provider::RustackSqs};
use rustack_sqs_http::{
    body::SqsResponseBody,
    dispatch::SqsHandler,
    response::{error_to_response, json_response},
    router::resolve_operation,
};
use rustack_sqs_model::{
    error::SqsError,
    input::{DeleteMessageBatchInput, ReceiveMessageInput, SendMessageBatchInput},
    operations::SqsOperation,
    output::{DeleteMessageBatchOutput, ReceiveMessageOutput, SendMessageBatchOutput},
};
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

/// Messages of a receive that does not say how many it takes.
const DEFAULT_MESSAGES: i32 = 1;

/// The most messages of a receive, and the most entries of a batch.
const MAX_MESSAGES: i32 = 10;

/// Answers requests to SQS.
///
/// In place of rustack's own service, which computes the signature's hash of every body though it
/// checks no signature. And where rustack hands the entries of a batch to the queue one after the
/// other, each when the one before is done, here they go together: the queue wakes once a batch.
#[derive(Debug)]
pub(super) struct QueueApi {
    sqs: Arc<RustackSqs>,
    others: RustackSqsHandler,
}

type Answer = Result<Response<SqsResponseBody>, SqsError>;

impl QueueApi {
    pub(super) fn new(sqs: Arc<RustackSqs>) -> Self {
        Self {
            others: RustackSqsHandler::new(Arc::clone(&sqs)),
            sqs,
        }
    }

    pub(super) async fn answer(
        &self,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Response<SqsResponseBody> {
        let answered = match resolve_operation(headers) {
            Ok(operation) => self.perform(operation, body).await,
            Err(error) => Err(error),
        };
        answered.unwrap_or_else(|error| error_to_response(&error, &request_id()))
    }

    async fn perform(&self, operation: SqsOperation, body: Bytes) -> Answer {
        match operation {
            SqsOperation::SendMessageBatch => {
                if let Some(input) = read(&body) {
                    return write(&self.send_batch(input).await?);
                }
            }
            SqsOperation::ReceiveMessage => {
                if let Some(input) = read(&body) {
                    return write(&self.receive(input).await?);
                }
            }
            SqsOperation::DeleteMessageBatch => {
                if let Some(input) = read(&body) {
                    return write(&self.delete_batch(input).await?);
                }
            }
            _ => {}
        }
        self.others.handle_operation(operation, body).await
    }

    async fn send_batch(
        &self,
        input: SendMessageBatchInput,
    ) -> Result<SendMessageBatchOutput, SqsError> {
        if !is_sound(input.entries.iter().map(|entry| &*entry.id)) {
            // Which says what is wrong with it.
            return self.sqs.send_message_batch(input).await;
        }
        let sends = input.entries.into_iter().map(|entry| {
            self.sqs.send_message_batch(SendMessageBatchInput {
                queue_url: input.queue_url.clone(),
                entries: vec![entry],
            })
        });
        let mut output = SendMessageBatchOutput::default();
        for sent in join_all(sends).await {
            let sent = sent?;
            output.successful.extend(sent.successful);
            output.failed.extend(sent.failed);
        }
        Ok(output)
    }

    async fn delete_batch(
        &self,
        input: DeleteMessageBatchInput,
    ) -> Result<DeleteMessageBatchOutput, SqsError> {
        if !is_sound(input.entries.iter().map(|entry| &*entry.id)) {
            return self.sqs.delete_message_batch(input).await;
        }
        let deletions = input.entries.into_iter().map(|entry| {
            self.sqs.delete_message_batch(DeleteMessageBatchInput {
                queue_url: input.queue_url.clone(),
                entries: vec![entry],
            })
        });
        let mut output = DeleteMessageBatchOutput::default();
        for deleted in join_all(deletions).await {
            let deleted = deleted?;
            output.successful.extend(deleted.successful);
            output.failed.extend(deleted.failed);
        }
        Ok(output)
    }

    /// A receive that waits is woken by the first message of a batch, and would return with that one
    /// alone: the others of the batch, which are there by now, go with it.
    async fn receive(&self, input: ReceiveMessageInput) -> Result<ReceiveMessageOutput, SqsError> {
        let most = input.max_number_of_messages.unwrap_or(DEFAULT_MESSAGES);
        let mut more = ReceiveMessageInput {
            wait_time_seconds: Some(0),
            ..input.clone()
        };
        let mut received = self.sqs.receive_message(input).await?;
        let missing = most.min(MAX_MESSAGES) - i32::try_from(received.messages.len()).unwrap_or(0);
        if missing > 0 && !received.messages.is_empty() {
            more.max_number_of_messages = Some(missing);
            let others = self.sqs.receive_message(more).await?;
            received.messages.extend(others.messages);
        }
        Ok(received)
    }
}

/// Whether a batch has as many entries as it may, each with an id of its own.
fn is_sound<'a>(ids: impl ExactSizeIterator<Item = &'a str>) -> bool {
    let entries = ids.len();
    let distinct = ids.collect::<HashSet<_>>().len();
    distinct == entries && (1..=MAX_MESSAGES).contains(&i32::try_from(entries).unwrap_or(i32::MAX))
}

/// Nothing where it cannot be read, which rustack then says.
fn read<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    serde_json::from_slice(body).ok()
}

fn write<T: Serialize>(output: &T) -> Answer {
    let json =
        serde_json::to_vec(output).map_err(|error| SqsError::internal_error(error.to_string()))?;
    Ok(json_response(json, &request_id()))
}

fn request_id() -> String {
    Uuid::new_v4().to_string()
}
