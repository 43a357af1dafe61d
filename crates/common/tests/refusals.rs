//! What SQS answers for entries of a batch, and what becomes of them.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::routing::post;
use axum::{Json, Router};
use common::messaging::{Aws, AwsSettings, Delivered, Outgoing, Queue, send_all};
use common::runtime::Environment;
use common::service::Readiness;
use serde_json::{Value, json};
use testkit::poll_until;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const LONG: Duration = Duration::from_secs(20);

/// A queue that answers each entry of its first batches with that code and
/// message, as AWS does with the sender's fault, and takes what comes later.
async fn refusing(
    batches: usize,
    code: &'static str,
    message: &'static str,
) -> (Queue, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let answer = async move |headers: HeaderMap, body: Bytes| -> Json<Value> {
        if headers["x-amz-target"] != "AmazonSQS.SendMessageBatch" {
            return Json(json!({"Attributes": {}}));
        }
        let batch: Value = serde_json::from_slice(&body).unwrap();
        let refuses = counted.fetch_add(1, Ordering::SeqCst) < batches;
        let answers = batch["Entries"].as_array().unwrap().iter().map(|entry| {
            let id = &entry["Id"];
            if refuses {
                json!({"Id": id, "Code": code, "Message": message, "SenderFault": true})
            } else {
                json!({"Id": id, "MessageId": "m", "MD5OfMessageBody": "0"})
            }
        });
        let answers: Vec<_> = answers.collect();
        let list = if refuses { "Failed" } else { "Successful" };
        Json(json!({ list: answers }))
    };
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let routes = Router::new().route("/", post(answer));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    let environment: Environment = [("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "k")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into_iter()
        .collect();
    let aws = Aws::new(&AwsSettings::read(&environment).unwrap()).await;
    let url = format!("http://{address}/000000000000/q").parse().unwrap();
    (aws.queue(&url).unwrap(), calls)
}

async fn sent(queue: &Queue, messages: usize) -> Vec<Delivered> {
    let message = |number| Outgoing {
        body: format!("message {number}"),
        row: None,
        columns: None,
        event_type: None,
        trace: None,
    };
    let messages: Vec<_> = (0..messages).map(message).collect();
    send_all(queue, &messages, &CancellationToken::new())
        .await
        .unwrap()
}

/// Codes of <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html>
/// and of what is common to all services, as SQS puts them into an entry.
#[tokio::test]
async fn what_is_ours_to_bear_is_waited_for_and_no_message_is_refused() {
    for (code, message) in [
        ("RequestThrottled", "Rate exceeded"),
        ("ThrottlingException", "Rate exceeded"),
        (
            "KMS.ThrottlingException",
            "You have exceeded the rate at which you may call KMS.",
        ),
        (
            "KMS.AccessDeniedException",
            "The ciphertext refers to a key that is not accessible.",
        ),
        ("KMS.DisabledException", "The key is disabled."),
        ("com.amazonaws.sqs#KmsThrottled", ""),
        ("AccessDenied", "Access to the resource is denied."),
        (
            "AWS.SimpleQueueService.NonExistentQueue",
            "The specified queue does not exist.",
        ),
        (
            "com.amazonaws.sqs#QueueDoesNotExist",
            "The specified queue does not exist.",
        ),
        (
            "InvalidParameterValue",
            "The request include parameter that is not valid for this queue type",
        ),
        (
            "MissingParameter",
            "The request must contain the parameter MessageGroupId.",
        ),
        ("SomethingNew", "of which nobody knows yet"),
    ] {
        for messages in [10, 1] {
            let (queue, calls) = refusing(2, code, message).await;
            let delivered = sent(&queue, messages).await;
            assert_eq!(delivered, vec![Delivered::Accepted; messages], "{code}");
            assert_eq!(calls.load(Ordering::SeqCst), 3, "{code}");
        }
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_message_refuses_it_at_once() {
    for (code, message) in [
        (
            "InvalidMessageContents",
            "Invalid binary character '#x0' was found in the message body.",
        ),
        ("com.amazonaws.sqs#InvalidMessageContents", "#x0"),
        (
            "AWS.SimpleQueueService.BatchRequestTooLong",
            "Batch requests cannot be longer than 1048576 bytes.",
        ),
        (
            "InvalidParameterValue",
            "One or more parameters are invalid. Reason: Message must be shorter than 1048576 bytes.",
        ),
        (
            "com.amazonaws.sqs#InvalidParameterValueException",
            "One or more parameters are invalid. Reason: Message must be shorter than 1048576 bytes.",
        ),
        (
            "MissingParameter",
            "The request must contain the parameter MessageBody.",
        ),
    ] {
        let (queue, calls) = refusing(2, code, message).await;
        let delivered = sent(&queue, 10).await;
        let refused =
            |one: &Delivered| matches!(one, Delivered::Refused(why) if why.contains(message));
        assert!(delivered.iter().all(refused), "{code}: {delivered:?}");
        assert_eq!(calls.load(Ordering::SeqCst), 1, "{code}");
    }
}

/// A fault of the service that keeps coming back for one message alone is no
/// reason to wait: others are taken meanwhile.
#[tokio::test]
async fn an_error_within_the_service_is_tried_again_for_one_and_waited_for_by_many() {
    for messages in [10, 1] {
        let (queue, calls) = refusing(2, "InternalError", "").await;
        let delivered = sent(&queue, messages).await;
        assert_eq!(delivered, vec![Delivered::Accepted; messages]);
        assert_eq!(calls.load(Ordering::SeqCst), 3);
    }
}

#[tokio::test]
async fn a_queue_that_answers_and_takes_nothing_is_not_ready() {
    let (queue, _) = refusing(usize::MAX, "KMS.DisabledException", "It is disabled.").await;
    let readiness = || Readiness::of([("SQS", queue.ready_probe())]);
    assert!(readiness().away().await.is_empty());
    let not_ready = poll_until("it not to be ready", LONG, async || {
        (readiness().away().await == ["SQS"]).then_some(())
    });
    tokio::select! {
        sent = sent(&queue, 1) => panic!("{sent:?}"),
        () = not_ready => {}
    }
}
