//! What SQS refuses, spelled as AWS spells it: status, `__type` and `x-amzn-query-error`.

use super::*;

/// A test message of that many bytes.
fn long(bytes: usize) -> String {
    "x".repeat(bytes)
}

fn entry(id: &str, body: &str) -> Value {
    json!({"Id": id, "MessageBody": body})
}

/// Status, type, and the header that has the older code.
type Refusal = (u16, String, String);

/// An error of the model of SQS, and its older code.
fn of_sqs(name: &str, older: &str) -> Refusal {
    (
        400,
        format!("com.amazonaws.sqs#{name}"),
        format!("{older};Sender"),
    )
}

/// One whose older code is the same name.
fn same(name: &str) -> Refusal {
    of_sqs(name, name)
}

/// One whose older code has the name of the service before it.
fn prefixed(name: &str) -> Refusal {
    of_sqs(name, &format!("AWS.SimpleQueueService.{name}"))
}

/// An error of the framework below SQS, and its older code.
fn of_coral(name: &str, older: &str) -> Refusal {
    let kind = format!("com.amazon.coral.service#{name}");
    (400, kind, format!("{older};Sender"))
}

async fn refusal(emulator: &Emulator, operation: &str, request: &Value) -> Refusal {
    let response = Client::new()
        .post(emulator.endpoint_url())
        .header("x-amz-target", format!("AmazonSQS.{operation}"))
        .body(request.to_string())
        .send()
        .await
        .unwrap();
    let status = response.status().as_u16();
    let older = response.headers()["x-amzn-query-error"].clone();
    let body = response.text().await.unwrap();
    let body: Value = serde_json::from_str(&body).unwrap();
    assert!(body["message"].is_string(), "{body}");
    let kind = body["__type"].as_str().unwrap().to_owned();
    (status, kind, older.to_str().unwrap().to_owned())
}

async fn check(emulator: &Emulator, refusals: Vec<(&str, Value, Refusal)>) {
    for (operation, request, expected) in refusals {
        let refused = refusal(emulator, operation, &request).await;
        assert_eq!(refused, expected, "{operation}");
    }
}

#[tokio::test]
async fn batches_are_refused_as_aws_does() {
    let (emulator, pipeline) = start().await;
    let url = &pipeline.data_process_url;
    let no_queue = of_sqs(
        "QueueDoesNotExist",
        "AWS.SimpleQueueService.NonExistentQueue",
    );
    let batch = |entries: Value| json!({"QueueUrl": url, "Entries": entries});
    let elsewhere = |url: String| json!({"QueueUrl": url, "Entries": [entry("0", "a")]});
    let nowhere = elsewhere(url.replace("data-process", "nowhere"));
    let other_account = elsewhere(url.replace(ACCOUNT_ID, "111111111111"));
    let half = long(512 * 1024);
    let large = json!([entry("0", &half), entry("1", &half), entry("2", "a")]);
    let (send, delete) = ("SendMessageBatch", "DeleteMessageBatch");
    let hide = "ChangeMessageVisibilityBatch";
    let same_ids = json!([entry("0", "a"), entry("0", "b")]);
    check(
        &emulator,
        vec![
            (send, nowhere, no_queue.clone()),
            (send, other_account, no_queue),
            (send, batch(json!([])), prefixed("EmptyBatchRequest")),
            (delete, batch(json!([])), prefixed("EmptyBatchRequest")),
            (hide, batch(json!([])), prefixed("EmptyBatchRequest")),
            (
                send,
                batch(json!(vec![entry("0", "a"); 11])),
                prefixed("TooManyEntriesInBatchRequest"),
            ),
            (send, batch(same_ids), prefixed("BatchEntryIdsNotDistinct")),
            (
                send,
                batch(json!([entry("a b", "a")])),
                prefixed("InvalidBatchEntryId"),
            ),
            (send, batch(large), prefixed("BatchRequestTooLong")),
        ],
    )
    .await;
    assert!(emulator.queue_depth(url).await.unwrap().is_empty());
}

#[tokio::test]
async fn messages_and_receives_are_refused_as_aws_does() {
    let (emulator, pipeline) = start().await;
    let url = &pipeline.data_process_url;
    let invalid = of_coral("InvalidParameterValueException", "InvalidParameterValue");
    let missing = of_coral("MissingRequiredParameterException", "MissingParameter");
    let malformed = of_coral("SerializationException", "MalformedInput");
    let (_, kind, older) = same("ReceiptHandleIsInvalid");
    let no_handle = (404, kind, older);
    let request = |name: &str, value: Value| {
        let mut request = json!({"QueueUrl": url, "MessageBody": "a body", "ReceiptHandle": "x"});
        request[name] = value;
        request
    };
    let attribute = |kind: &str, value: &str| {
        let attribute = json!({"DataType": kind, "StringValue": value});
        request("MessageAttributes", json!({"row": attribute}))
    };
    let body = |body: &str| request("MessageBody", json!(body));
    let (send, receive) = ("SendMessage", "ReceiveMessage");
    let hide = "ChangeMessageVisibility";
    check(
        &emulator,
        vec![
            (send, body(&long(1024 * 1024 + 1)), invalid.clone()),
            (send, body(""), missing.clone()),
            (send, body("a\u{1}"), same("InvalidMessageContents")),
            (send, request("DelaySeconds", json!(901)), invalid.clone()),
            (send, request("MessageGroupId", json!("g")), invalid.clone()),
            (send, attribute("Number", "one"), invalid.clone()),
            (send, attribute("String", ""), invalid.clone()),
            (send, attribute("Text", "one"), invalid.clone()),
            (send, json!("a text"), malformed),
            (
                receive,
                request("MaxNumberOfMessages", json!(11)),
                invalid.clone(),
            ),
            (
                receive,
                request("WaitTimeSeconds", json!(21)),
                invalid.clone(),
            ),
            (receive, request("VisibilityTimeout", json!(-1)), invalid),
            (
                "DeleteMessage",
                request("ReceiptHandle", json!("made up")),
                no_handle.clone(),
            ),
            (hide, request("VisibilityTimeout", json!(1)), no_handle),
            (hide, request("MessageBody", json!("")), missing),
        ],
    )
    .await;
    assert!(emulator.queue_depth(url).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_is_asked_of_queues_is_refused_as_aws_does() {
    let (emulator, pipeline) = start().await;
    let url = &pipeline.data_process_url;
    let invalid = of_coral("InvalidParameterValueException", "InvalidParameterValue");
    let unknown = of_coral("UnknownOperationException", "InvalidAction");
    let no_queue = of_sqs(
        "QueueDoesNotExist",
        "AWS.SimpleQueueService.NonExistentQueue",
    );
    let other_settings = of_sqs("QueueNameExists", "QueueAlreadyExists");
    let (_, kind, older) = prefixed("PurgeQueueInProgress");
    let purged = (403, kind, older);
    let set = |name: &str, value: &str| json!({"QueueUrl": url, "Attributes": {name: value}});
    let policy =
        r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:no","maxReceiveCount":1}"#;
    let different = json!({"QueueName": "data-process", "Attributes": {"DelaySeconds": "1"}});
    emulator.purge(url).await.unwrap();
    check(
        &emulator,
        vec![
            ("PurgeQueue", json!({"QueueUrl": url}), purged),
            ("GetQueueUrl", json!({"QueueName": "nowhere"}), no_queue),
            (
                "GetQueueAttributes",
                json!({"QueueUrl": url, "AttributeNames": ["Size"]}),
                same("InvalidAttributeName"),
            ),
            (
                "SetQueueAttributes",
                set("VisibilityTimeout", "x"),
                same("InvalidAttributeValue"),
            ),
            (
                "SetQueueAttributes",
                set("RedrivePolicy", policy),
                invalid.clone(),
            ),
            ("CreateQueue", different, other_settings),
            ("CreateQueue", json!({"QueueName": "a queue"}), invalid),
            (
                "CreateQueue",
                json!({"QueueName": "a.fifo"}),
                prefixed("UnsupportedOperation"),
            ),
            (
                "TagQueue",
                json!({"QueueUrl": url}),
                prefixed("UnsupportedOperation"),
            ),
            ("Publish", json!({}), unknown),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_bad_entry_fails_alone_with_its_code() {
    let (emulator, pipeline) = start().await;
    let (endpoint, url) = (emulator.endpoint_url(), &pipeline.data_process_url);
    let smaller = json!({"QueueUrl": url, "Attributes": {"MaximumMessageSize": "1024"}});
    sqs(&endpoint, "SetQueueAttributes", smaller).await;
    let entries = json!([
        entry("control", "a\u{b}"),
        entry("noncharacter", "\u{fffe}"),
        entry("empty", ""),
        entry("long", &long(1025)),
        entry("good", "José, 1\t2"),
    ]);

    let batch = json!({"QueueUrl": url, "Entries": entries});
    let answer = sqs(&endpoint, "SendMessageBatch", batch).await;

    let failed = answer["Failed"].as_array().unwrap().iter();
    let failed: Vec<_> = failed
        .map(|entry| {
            assert_eq!(entry["SenderFault"], true);
            let text = |name: &str| entry[name].as_str().unwrap().to_owned();
            (text("Id"), text("Code"))
        })
        .collect();
    let code = |id: &str, code: &str| (id.to_owned(), code.to_owned());
    assert_eq!(
        failed,
        [
            code("control", "InvalidMessageContents"),
            code("noncharacter", "InvalidMessageContents"),
            code("empty", "MissingParameter"),
            code("long", "InvalidParameterValue"),
        ]
    );
    assert_eq!(answer["Successful"][0]["Id"], "good");
    let taken = emulator.take_all(url).await.unwrap();
    assert_eq!(taken.len(), 1);

    let entries = json!([{"Id": "0", "ReceiptHandle": "made up"}]);
    let batch = json!({"QueueUrl": url, "Entries": entries});
    let answer = sqs(&endpoint, "DeleteMessageBatch", batch).await;
    assert_eq!(answer["Failed"][0]["Code"], "ReceiptHandleIsInvalid");
}

/// 1 MiB, attributes included, as a message and as a batch.
#[tokio::test]
async fn what_is_as_long_as_it_may_be_is_taken() {
    let (emulator, pipeline) = start().await;
    let (endpoint, url) = (emulator.endpoint_url(), &pipeline.data_process_url);
    let body = long(1024 * 1024 - "rowNumber7".len());
    let attributes = json!({"row": {"DataType": "Number", "StringValue": "7"}});
    let message = json!({"QueueUrl": url, "MessageBody": body, "MessageAttributes": attributes});
    sqs(&endpoint, "SendMessage", message).await;

    let half = long(512 * 1024);
    let batch = json!({"QueueUrl": url, "Entries": [entry("0", &half), entry("1", &half)]});
    let answer = sqs(&endpoint, "SendMessageBatch", batch).await;

    assert_eq!(answer["Successful"].as_array().unwrap().len(), 2);
    assert_eq!(emulator.queue_depth(url).await.unwrap().visible, 3);
}

/// <https://www.rfc-editor.org/rfc/rfc1321#appendix-A.5>
#[tokio::test]
async fn a_sent_message_has_the_md5_of_its_body() {
    let (emulator, pipeline) = start().await;
    let url = &pipeline.data_process_url;
    let message = json!({"QueueUrl": url, "MessageBody": "message digest"});
    let sent = sqs(&emulator.endpoint_url(), "SendMessage", message).await;
    assert_eq!(sent["MD5OfMessageBody"], "f96b697d7cb7938d525a2f31aaf161d0");
}
