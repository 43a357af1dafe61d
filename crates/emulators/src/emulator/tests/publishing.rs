//! What is published, and in which form it is in the queues.

use super::*;

const MESSAGE: &str = r#"{"debt_id":"8291","name":"José & Cia. 100%+"}"#;

/// The pairs of a `PublishBatch` of these messages, with the ids 0, 1, 2…
fn batch(topic_arn: &str, messages: &[&str]) -> Vec<(String, String)> {
    let mut form = request("PublishBatch", topic_arn);
    for (index, message) in messages.iter().enumerate() {
        let member = format!("PublishBatchRequestEntries.member.{}", index + 1);
        form.push((format!("{member}.Id"), index.to_string()));
        form.push((format!("{member}.Message"), (*message).to_owned()));
        form.extend(attributes(&format!("{member}."), "billing.issued"));
    }
    form
}

fn request(action: &str, topic_arn: &str) -> Vec<(String, String)> {
    [
        ("Action", action),
        ("Version", "2010-03-31"),
        ("TopicArn", topic_arn),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

fn attributes(prefix: &str, event_type: &str) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    for (number, (name, data_type, value)) in [
        ("event_type", "String", event_type),
        ("row", "Number", "12"),
    ]
    .into_iter()
    .enumerate()
    {
        let entry = format!("{prefix}MessageAttributes.entry.{}", number + 1);
        for (field, text) in [
            ("Name", name),
            ("Value.DataType", data_type),
            ("Value.StringValue", value),
        ] {
            pairs.push((format!("{entry}.{field}"), text.to_owned()));
        }
    }
    pairs
}

async fn post(emulator: &Emulator, form: &[(String, String)]) -> (StatusCode, String) {
    let response = Client::new()
        .post(emulator.endpoint_url())
        .form(form)
        .send()
        .await
        .unwrap();
    (response.status(), response.text().await.unwrap())
}

async fn sns(emulator: &Emulator, form: &[(String, String)]) -> String {
    let (status, body) = post(emulator, form).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    body
}

/// One more subscriber of the topic, on a queue of its own, which it gives the URL of.
async fn subscribe(
    emulator: &Emulator,
    topic_arn: &str,
    queue: &str,
    attribute: Option<(&str, &str)>,
) -> String {
    let created = sqs(
        &emulator.endpoint_url(),
        "CreateQueue",
        json!({"QueueName": queue}),
    )
    .await;
    let mut form = request("Subscribe", topic_arn);
    let arn = format!("arn:aws:sqs:{REGION}:{ACCOUNT_ID}:{queue}");
    form.push(("Protocol".to_owned(), "sqs".to_owned()));
    form.push(("Endpoint".to_owned(), arn));
    if let Some((name, value)) = attribute {
        form.push(("Attributes.entry.1.key".to_owned(), name.to_owned()));
        form.push(("Attributes.entry.1.value".to_owned(), value.to_owned()));
    }
    sns(emulator, &form).await;
    created["QueueUrl"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_is_delivered_raw_and_in_order_with_its_attributes() {
    let (emulator, pipeline) = start().await;
    let messages = [MESSAGE, "two", "three", "four"];

    let answer = sns(&emulator, &batch(&pipeline.topic_arn, &messages)).await;

    for id in 0..4 {
        assert!(answer.contains(&format!("<Id>{id}</Id>")), "{answer}");
    }
    assert!(answer.contains("<Failed></Failed>"), "{answer}");
    let url = &pipeline.process_email_url;
    let delivered = emulator.take_all(url).await.unwrap();
    let bodies: Vec<_> = delivered.iter().map(|message| &*message.body).collect();
    assert_eq!(bodies, messages);
    for message in delivered {
        assert_eq!(message.attributes["event_type"], "billing.issued");
        assert_eq!(message.attributes["row"], "12");
    }
}

#[tokio::test]
async fn a_single_publish_is_delivered_raw_with_its_attributes() {
    let (emulator, pipeline) = start().await;
    let mut form = request("Publish", &pipeline.topic_arn);
    form.push(("Message".to_owned(), MESSAGE.to_owned()));
    form.extend(attributes("", "billing.issued"));

    let answer = sns(&emulator, &form).await;

    assert!(answer.contains("<MessageId>"), "{answer}");
    let url = &pipeline.process_email_url;
    let delivered = emulator.take_all(url).await.unwrap();
    assert_eq!(delivered.len(), 1);
    assert_eq!(delivered[0].body, MESSAGE);
    assert_eq!(delivered[0].attributes["row"], "12");
}

#[tokio::test]
async fn another_subscriber_gets_the_envelope_with_the_attributes_inside() {
    let (emulator, pipeline) = start().await;
    let sms = subscribe(&emulator, &pipeline.topic_arn, "sms", None).await;

    sns(&emulator, &batch(&pipeline.topic_arn, &[MESSAGE])).await;

    let delivered = emulator.take_all(&sms).await.unwrap();
    assert_eq!(delivered.len(), 1);
    let envelope: Value = serde_json::from_str(&delivered[0].body).unwrap();
    assert_eq!(envelope["Type"], "Notification");
    assert_eq!(envelope["TopicArn"], pipeline.topic_arn);
    assert_eq!(envelope["Message"], MESSAGE);
    assert_eq!(
        envelope["MessageAttributes"],
        json!({
            "event_type": {"Type": "String", "Value": "billing.issued"},
            "row": {"Type": "Number", "Value": "12"},
        })
    );
    let url = &pipeline.process_email_url;
    let raw = emulator.take_all(url).await.unwrap();
    assert_eq!(raw[0].body, MESSAGE);
}

#[tokio::test]
async fn a_filter_keeps_out_what_a_subscriber_does_not_want() {
    let (emulator, pipeline) = start().await;
    let policy = ("FilterPolicy", r#"{"event_type":["billing.cancelled"]}"#);
    let url = subscribe(&emulator, &pipeline.topic_arn, "whatsapp", Some(policy)).await;

    sns(&emulator, &batch(&pipeline.topic_arn, &["issued"])).await;
    let mut form = request("Publish", &pipeline.topic_arn);
    form.push(("Message".to_owned(), "cancelled".to_owned()));
    form.extend(attributes("", "billing.cancelled"));
    sns(&emulator, &form).await;

    let delivered = emulator.take_all(&url).await.unwrap();
    assert_eq!(delivered.len(), 1);
    assert!(delivered[0].body.contains("cancelled"));
}

/// What is not ours to publish is still published.
#[tokio::test]
async fn a_message_with_a_subject_is_delivered() {
    let (emulator, pipeline) = start().await;
    let mut form = request("Publish", &pipeline.topic_arn);
    form.push(("Message".to_owned(), MESSAGE.to_owned()));
    form.push(("Subject".to_owned(), "a subject".to_owned()));

    sns(&emulator, &form).await;

    let url = &pipeline.process_email_url;
    assert_eq!(emulator.take_all(url).await.unwrap()[0].body, MESSAGE);
}

#[tokio::test]
async fn what_sns_would_refuse_is_refused_and_nothing_delivered() {
    let (emulator, pipeline) = start().await;
    let topic = &pipeline.topic_arn;
    let half = "h".repeat(128 * 1024);
    let mut same_ids = batch(topic, &["one", "two"]);
    for (name, value) in &mut same_ids {
        if name.ends_with(".Id") {
            value.replace_range(.., "0");
        }
    }
    let mut too_long = request("Publish", topic);
    too_long.push(("Message".to_owned(), format!("{half}{half}!")));
    let nowhere = "arn:aws:sns:us-east-1:000000000000:nowhere";
    for (form, status, code) in [
        (batch(topic, &[]), 400, "EmptyBatchRequest"),
        (
            batch(topic, &["one"; 11]),
            400,
            "TooManyEntriesInBatchRequest",
        ),
        (same_ids, 400, "BatchEntryIdsNotDistinct"),
        (batch(topic, &[&half, &half]), 400, "BatchRequestTooLong"),
        (too_long, 400, "InvalidParameter"),
        (batch(nowhere, &["one"]), 404, "NotFound"),
    ] {
        let (answered, body) = post(&emulator, &form).await;
        assert_eq!(answered, status, "{body}");
        assert!(body.contains(&format!("<Code>{code}</Code>")), "{body}");
    }
    let depth = emulator.queue_depth(&pipeline.process_email_url).await;
    assert!(depth.unwrap().is_empty());
}

#[tokio::test]
async fn a_bad_entry_fails_alone() {
    let (emulator, pipeline) = start().await;

    let answer = sns(&emulator, &batch(&pipeline.topic_arn, &["", "good"])).await;

    let (failed, successful) = answer.split_once("<Successful>").unwrap();
    assert!(successful.contains("<Id>1</Id>"), "{answer}");
    assert!(failed.contains("<Id>0</Id><Code>InvalidParameter</Code>"));
    assert!(failed.contains("<SenderFault>true</SenderFault>"));
    let url = &pipeline.process_email_url;
    assert_eq!(emulator.take_all(url).await.unwrap()[0].body, "good");
}

#[tokio::test]
async fn entries_that_no_queue_took_are_failed() {
    let (emulator, pipeline) = start().await;
    let queue = json!({"QueueUrl": pipeline.process_email_url});
    sqs(&emulator.endpoint_url(), "DeleteQueue", queue).await;

    let answer = sns(&emulator, &batch(&pipeline.topic_arn, &["lost"])).await;

    assert!(answer.contains("<Successful></Successful>"), "{answer}");
    assert!(answer.contains("<Id>0</Id><Code>InternalError</Code>"));
    assert!(answer.contains("<SenderFault>false</SenderFault>"));
}
