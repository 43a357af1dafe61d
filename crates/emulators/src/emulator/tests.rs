mod publishing;
mod receiving;
mod refusals;

use std::time::Duration;

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::*;

/// Far longer than anything here takes; a test that needs it hangs.
const PATIENCE: Duration = Duration::from_secs(10);

async fn start() -> (Emulator, PipelineResources) {
    let emulator = Emulator::start_on_free_port().await.unwrap();
    let pipeline = emulator
        .create_pipeline(&PipelineNames::default())
        .await
        .unwrap();
    (emulator, pipeline)
}

async fn sqs(endpoint: &str, operation: &str, input: Value) -> Value {
    let response = Client::new()
        .post(endpoint)
        .header("x-amz-target", format!("AmazonSQS.{operation}"))
        .header("content-type", "application/x-amz-json-1.0")
        .body(input.to_string())
        .send()
        .await
        .unwrap();
    let status = response.status();
    let body = response.text().await.unwrap();
    assert_eq!(status, StatusCode::OK, "{operation}: {body}");
    if body.is_empty() {
        Value::Null
    } else {
        serde_json::from_str(&body).unwrap()
    }
}

#[tokio::test]
async fn the_pipeline_has_the_names_and_settings_of_the_contract() {
    let (emulator, pipeline) = start().await;
    let base = format!("{}/{ACCOUNT_ID}", emulator.endpoint_url());

    assert_eq!(pipeline.data_process_url, format!("{base}/data-process"));
    assert_eq!(
        pipeline.process_email_dlq_url,
        format!("{base}/process-email-dlq")
    );
    assert_eq!(
        pipeline.topic_arn,
        "arn:aws:sns:us-east-1:000000000000:data-process-topic"
    );

    let answer = sqs(
        &emulator.endpoint_url(),
        "GetQueueAttributes",
        json!({"QueueUrl": pipeline.process_email_url, "AttributeNames": ["All"]}),
    )
    .await;
    let attributes = &answer["Attributes"];
    assert_eq!(attributes["VisibilityTimeout"], "30");
    assert_eq!(attributes["ReceiveMessageWaitTimeSeconds"], "20");
    assert_eq!(attributes["MessageRetentionPeriod"], "1209600");
    let redrive: Value =
        serde_json::from_str(attributes["RedrivePolicy"].as_str().unwrap()).unwrap();
    assert_eq!(
        redrive,
        json!({
            "deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:process-email-dlq",
            "maxReceiveCount": 5,
        })
    );
}

#[tokio::test]
async fn creating_the_pipeline_again_keeps_messages_and_the_one_subscription() {
    let (emulator, pipeline) = start().await;
    emulator
        .send(&pipeline.data_process_url, "kept", [])
        .await
        .unwrap();

    let again = emulator
        .create_pipeline(&PipelineNames::default())
        .await
        .unwrap();

    assert_eq!(again, pipeline);
    let depth = emulator
        .queue_depth(&pipeline.data_process_url)
        .await
        .unwrap();
    assert_eq!(depth.visible, 1);
    emulator
        .publish(&pipeline.topic_arn, "once", [])
        .await
        .unwrap();
    let delivered = emulator
        .take_all(&pipeline.process_email_url)
        .await
        .unwrap();
    assert_eq!(delivered.len(), 1);
}

#[tokio::test]
async fn other_settings_for_an_existing_queue_are_an_error_that_names_it() {
    let (emulator, _) = start().await;
    let settings = PipelineSettings {
        visibility_timeout: 1,
        ..PipelineSettings::default()
    };

    let error = emulator
        .create_pipeline_with(&PipelineNames::default(), settings)
        .await
        .unwrap_err();

    let text = error.to_string();
    assert!(text.contains("data-process-dlq"), "{text}");
    assert!(text.contains("VisibilityTimeout"), "{text}");
}

#[tokio::test]
async fn pipelines_with_suffixes_do_not_share_messages() {
    let emulator = Emulator::start_on_free_port().await.unwrap();
    let first = emulator
        .create_pipeline(&PipelineNames::with_suffix("a"))
        .await
        .unwrap();
    let second = emulator
        .create_pipeline(&PipelineNames::with_suffix("b"))
        .await
        .unwrap();

    emulator
        .publish(&first.topic_arn, "for a", [])
        .await
        .unwrap();

    let depth_of = async |url: &str| emulator.queue_depth(url).await.unwrap().total();
    assert_eq!(depth_of(&first.process_email_url).await, 1);
    assert_eq!(depth_of(&second.process_email_url).await, 0);
}

#[tokio::test]
async fn messages_keep_body_and_attributes() {
    let (emulator, pipeline) = start().await;
    let attributes = [
        ("import_id", Attribute::Text("an import".to_owned())),
        ("row", Attribute::Number(7)),
    ];
    emulator
        .send(&pipeline.data_process_url, "José,\"a\",1", attributes)
        .await
        .unwrap();

    let taken = emulator.take_all(&pipeline.data_process_url).await.unwrap();

    assert_eq!(taken.len(), 1);
    assert_eq!(taken[0].body, "José,\"a\",1");
    assert_eq!(taken[0].attributes["import_id"], "an import");
    assert_eq!(taken[0].attributes["row"], "7");
    assert_eq!(taken[0].receive_count, 1);
    let depth = emulator
        .queue_depth(&pipeline.data_process_url)
        .await
        .unwrap();
    assert!(depth.is_empty());
}

#[tokio::test]
async fn sqs_works_over_http() {
    let (emulator, pipeline) = start().await;
    let endpoint = emulator.endpoint_url();
    let url = &pipeline.data_process_url;

    let sent = sqs(
        &endpoint,
        "SendMessageBatch",
        json!({"QueueUrl": url, "Entries": [
            {"Id": "0", "MessageBody": "first"},
            {"Id": "1", "MessageBody": "second"},
        ]}),
    )
    .await;
    assert_eq!(sent["Successful"].as_array().unwrap().len(), 2);

    let received = sqs(
        &endpoint,
        "ReceiveMessage",
        json!({"QueueUrl": url, "MaxNumberOfMessages": 10}),
    )
    .await;
    let messages = received["Messages"].as_array().unwrap();
    assert_eq!(messages[0]["Body"], "first");
    assert_eq!(messages[1]["Body"], "second");
    let depth = emulator.queue_depth(url).await.unwrap();
    assert_eq!((depth.visible, depth.in_flight), (0, 2));

    let handle = &messages[0]["ReceiptHandle"];
    sqs(
        &endpoint,
        "DeleteMessage",
        json!({"QueueUrl": url, "ReceiptHandle": handle}),
    )
    .await;
    assert_eq!(emulator.queue_depth(url).await.unwrap().in_flight, 1);
}

/// A waiting receive must neither block other connections nor miss the message.
#[tokio::test]
async fn a_long_poll_wakes_for_a_message() {
    let (emulator, pipeline) = start().await;
    let endpoint = emulator.endpoint_url();
    let receive = json!({"QueueUrl": pipeline.data_process_url, "WaitTimeSeconds": 20});

    let waiting = tokio::spawn({
        let endpoint = endpoint.clone();
        async move { sqs(&endpoint, "ReceiveMessage", receive).await }
    });
    let send = json!({"QueueUrl": pipeline.data_process_url, "MessageBody": "here"});
    sqs(&endpoint, "SendMessage", send).await;

    let received = timeout(PATIENCE, waiting).await.unwrap().unwrap();
    assert_eq!(received["Messages"][0]["Body"], "here");
}

/// One batch is one batch for who waits for it, and not its first message alone.
#[tokio::test]
async fn a_long_poll_takes_all_of_a_batch() {
    let (emulator, pipeline) = start().await;
    let endpoint = emulator.endpoint_url();
    let url = &pipeline.data_process_url;
    let receive = json!({"QueueUrl": url, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 20});
    let entries: Vec<_> = (0..10)
        .map(|number| json!({"Id": number.to_string(), "MessageBody": format!("body {number}")}))
        .collect();

    let waiting = tokio::spawn({
        let endpoint = endpoint.clone();
        async move { sqs(&endpoint, "ReceiveMessage", receive).await }
    });
    let batch = json!({"QueueUrl": url, "Entries": entries});
    sqs(&endpoint, "SendMessageBatch", batch).await;

    let received = timeout(PATIENCE, waiting).await.unwrap().unwrap();
    let messages = received["Messages"].as_array().unwrap();
    let bodies: Vec<_> = messages
        .iter()
        .map(|message| message["Body"].as_str().unwrap())
        .collect();
    let sent: Vec<_> = (0..10).map(|number| format!("body {number}")).collect();
    assert_eq!(bodies, sent);
}

#[tokio::test]
async fn a_batch_of_deletions_tells_of_each_entry() {
    let (emulator, pipeline) = start().await;
    let endpoint = emulator.endpoint_url();
    let url = &pipeline.data_process_url;
    for body in ["first", "second", "kept"] {
        emulator.send(url, body, []).await.unwrap();
    }
    let receive = json!({"QueueUrl": url, "MaxNumberOfMessages": 10});
    let received = sqs(&endpoint, "ReceiveMessage", receive).await;
    let handle = |index: usize| &received["Messages"][index]["ReceiptHandle"];

    let deleted = sqs(
        &endpoint,
        "DeleteMessageBatch",
        json!({"QueueUrl": url, "Entries": [
            {"Id": "a", "ReceiptHandle": handle(0)},
            {"Id": "b", "ReceiptHandle": handle(1)},
        ]}),
    )
    .await;

    assert_eq!(deleted["Successful"], json!([{"Id": "a"}, {"Id": "b"}]));
    assert_eq!(emulator.queue_depth(url).await.unwrap().in_flight, 1);
}

#[tokio::test]
async fn a_batch_with_an_id_twice_or_without_entries_is_refused_as_a_whole() {
    let (emulator, pipeline) = start().await;
    let url = &pipeline.data_process_url;
    let entry = json!({"Id": "0", "MessageBody": "a body"});
    for (entries, code) in [
        (json!([entry, entry]), "BatchEntryIdsNotDistinct"),
        (json!([]), "EmptyBatchRequest"),
        (json!(vec![entry; 11]), "TooManyEntriesInBatchRequest"),
    ] {
        let response = Client::new()
            .post(emulator.endpoint_url())
            .header("x-amz-target", "AmazonSQS.SendMessageBatch")
            .body(json!({"QueueUrl": url, "Entries": entries}).to_string())
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        let body = response.text().await.unwrap();
        assert!(body.contains(code), "{body}");
    }
    assert!(emulator.queue_depth(url).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_message_that_used_up_its_receives_goes_to_the_dead_letters() {
    let emulator = Emulator::start_on_free_port().await.unwrap();
    let settings = PipelineSettings {
        visibility_timeout: 0,
        long_poll: 0,
        max_receive_count: 2,
    };
    let pipeline = emulator
        .create_pipeline_with(&PipelineNames::default(), settings)
        .await
        .unwrap();
    let url = &pipeline.data_process_url;
    emulator.send(url, "poison", []).await.unwrap();

    let endpoint = emulator.endpoint_url();
    let receive = async || sqs(&endpoint, "ReceiveMessage", json!({"QueueUrl": url})).await;
    for _ in 0..2 {
        assert_eq!(receive().await["Messages"][0]["Body"], "poison");
    }
    assert_eq!(receive().await["Messages"], Value::Null);

    let dead = timeout(PATIENCE, async {
        loop {
            let dead = emulator
                .take_all(&pipeline.data_process_dlq_url)
                .await
                .unwrap();
            if !dead.is_empty() {
                return dead;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    assert_eq!(dead[0].body, "poison");
    assert!(emulator.queue_depth(url).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_purged_queue_is_empty_and_a_second_purge_is_refused() {
    let (emulator, pipeline) = start().await;
    let url = &pipeline.data_process_url;
    emulator.send(url, "gone", []).await.unwrap();

    emulator.purge(url).await.unwrap();

    assert!(emulator.queue_depth(url).await.unwrap().is_empty());
    let error = emulator.purge(url).await.unwrap_err().to_string();
    assert!(error.contains(url), "{error}");
}

#[tokio::test]
async fn a_taken_port_is_an_error_that_carries_the_address() {
    let first = Emulator::start_on_free_port().await.unwrap();
    let taken = SocketAddr::from((Ipv4Addr::LOCALHOST, first.port()));

    let error = Emulator::start(taken).await.unwrap_err();

    assert!(matches!(error, EmulatorError::AddressInUse { address } if address == taken));
    assert!(error.to_string().contains(&taken.to_string()));
}

#[tokio::test]
async fn a_stopped_emulator_ends_its_connections_and_frees_its_port() {
    let (emulator, pipeline) = start().await;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, emulator.port()));
    let mut connection = TcpStream::connect(address).await.unwrap();
    let mut request = async |operation: &str, input: Value| {
        let input = input.to_string();
        let head = format!(
            "POST / HTTP/1.1\r\nhost: {address}\r\nx-amz-target: AmazonSQS.{operation}\r\n\
             content-length: {}\r\n\r\n",
            input.len()
        );
        connection
            .write_all(format!("{head}{input}").as_bytes())
            .await
            .unwrap();
        timeout(PATIENCE, connection.read(&mut [0; 4096]))
            .await
            .unwrap()
            .unwrap_or(0)
    };
    assert!(request("ListQueues", json!({})).await > 0);

    let long_poll = json!({"QueueUrl": pipeline.data_process_url});
    let (read, ()) = tokio::join!(request("ReceiveMessage", long_poll), emulator.stop());

    assert_eq!(read, 0, "the connection should end without an answer");
    Emulator::start(address).await.unwrap().stop().await;
}

#[tokio::test]
async fn a_dropped_emulator_frees_its_port() {
    let emulator = Emulator::start_on_free_port().await.unwrap();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, emulator.port()));

    drop(emulator);

    timeout(PATIENCE, async {
        while Emulator::start(address).await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn latency_holds_each_answer_up_and_not_the_others() {
    let latency = Duration::from_millis(200);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let emulator = Emulator::start_with_latency(address, latency)
        .await
        .unwrap();
    let pipeline = emulator
        .create_pipeline(&PipelineNames::default())
        .await
        .unwrap();
    let endpoint = emulator.endpoint_url();
    let requests = (0..20).map(|_| {
        sqs(
            &endpoint,
            "GetQueueUrl",
            json!({"QueueName": "data-process"}),
        )
    });

    let started = std::time::Instant::now();
    let answers = futures::future::join_all(requests).await;
    let taken = started.elapsed();

    assert!(
        answers
            .iter()
            .all(|answer| answer["QueueUrl"] == pipeline.data_process_url.as_str())
    );
    // One after the other they would take 4 s.
    assert!(taken >= latency, "{taken:?}");
    assert!(taken < 10 * latency, "{taken:?}");
}
