//! Which messages a receive gets, and when.

use super::*;

async fn receive(emulator: &Emulator, url: &str, seconds: u32, hidden: u32) -> Value {
    let receive = json!({
        "QueueUrl": url,
        "MaxNumberOfMessages": 10,
        "WaitTimeSeconds": seconds,
        "VisibilityTimeout": hidden,
    });
    let endpoint = emulator.endpoint_url();
    let receiving = sqs(&endpoint, "ReceiveMessage", receive);
    timeout(PATIENCE, receiving).await.unwrap()
}

/// Whoever waited before there was anything to wait for has to look again when the delay is over.
#[tokio::test]
async fn a_delayed_message_wakes_whoever_waits() {
    let (emulator, pipeline) = start().await;
    let (endpoint, url) = (emulator.endpoint_url(), &pipeline.data_process_url);
    let delayed = json!({"QueueUrl": url, "MessageBody": "late", "DelaySeconds": 1});

    let started = std::time::Instant::now();
    let (received, _) = tokio::join!(
        receive(&emulator, url, 20, 30),
        sqs(&endpoint, "SendMessage", delayed)
    );

    assert_eq!(received["Messages"][0]["Body"], "late");
    assert!(started.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn a_message_given_back_wakes_whoever_waits() {
    let (emulator, pipeline) = start().await;
    let (endpoint, url) = (emulator.endpoint_url(), &pipeline.data_process_url);
    emulator.send(url, "back", []).await.unwrap();
    let taken = receive(&emulator, url, 0, 30).await;
    let handle = &taken["Messages"][0]["ReceiptHandle"];
    let entries = json!([{"Id": "0", "ReceiptHandle": handle, "VisibilityTimeout": 0}]);
    let back = json!({"QueueUrl": url, "Entries": entries});

    let (again, _) = tokio::join!(receive(&emulator, url, 20, 30), async {
        sqs(&endpoint, "ChangeMessageVisibilityBatch", back).await
    });

    assert_eq!(again["Messages"][0]["Body"], "back");
}

/// A connection that breaks while its receive waits takes no message with it.
#[tokio::test]
async fn a_receive_of_a_client_that_went_away_gets_nothing() {
    let (emulator, pipeline) = start().await;
    let url = &pipeline.data_process_url;
    let gone = receive(&emulator, url, 20, 30);
    assert!(timeout(Duration::from_millis(100), gone).await.is_err());
    // By the time of another answer the emulator has seen the connection end.
    sqs(&emulator.endpoint_url(), "ListQueues", json!({})).await;

    let waiting = receive(&emulator, url, 20, 30);
    let (received, sent) = tokio::join!(waiting, emulator.send(url, "kept", []));

    sent.unwrap();
    assert_eq!(received["Messages"][0]["Body"], "kept");
}

#[tokio::test]
async fn a_batch_larger_than_a_receive_is_shared_by_those_who_wait() {
    let (emulator, pipeline) = start().await;
    let (endpoint, url) = (emulator.endpoint_url(), &pipeline.data_process_url);
    let one = || async {
        let receive = json!({"QueueUrl": url, "WaitTimeSeconds": 20});
        let receiving = sqs(&endpoint, "ReceiveMessage", receive);
        timeout(PATIENCE, receiving).await.unwrap()["Messages"][0]["Body"].clone()
    };
    let entries: Vec<_> = (0..3)
        .map(|number| json!({"Id": number.to_string(), "MessageBody": number.to_string()}))
        .collect();
    let batch = json!({"QueueUrl": url, "Entries": entries});
    let (first, second, third, _) = tokio::join!(
        one(),
        one(),
        one(),
        sqs(&endpoint, "SendMessageBatch", batch)
    );
    let mut bodies = [first, second, third].map(|body| body.as_str().unwrap().to_owned());
    bodies.sort();
    assert_eq!(bodies, ["0", "1", "2"]);
}

#[tokio::test]
async fn a_receive_names_the_attributes_that_it_was_asked_for() {
    let (emulator, pipeline) = start().await;
    let (endpoint, url) = (emulator.endpoint_url(), &pipeline.data_process_url);
    let attributes = [
        ("import_id", Attribute::Text("an import".to_owned())),
        ("row", Attribute::Number(7)),
    ];
    emulator.send(url, "a body", attributes).await.unwrap();
    let receive = async |names: Value, system: Value| {
        let receive = json!({
            "QueueUrl": url,
            "VisibilityTimeout": 0,
            "MessageAttributeNames": names,
            "MessageSystemAttributeNames": system,
        });
        sqs(&endpoint, "ReceiveMessage", receive).await["Messages"][0].clone()
    };

    let row = json!({"row": {"DataType": "Number", "StringValue": "7"}});
    let received = receive(json!(["row", "other"]), json!(["ApproximateReceiveCount"])).await;
    assert_eq!(received["MessageAttributes"], row);
    assert_eq!(
        received["Attributes"],
        json!({"ApproximateReceiveCount": "1"})
    );

    let received = receive(json!(["ro.*"]), json!(["All"])).await;
    assert_eq!(received["MessageAttributes"], row);
    assert_eq!(received["Attributes"]["ApproximateReceiveCount"], "2");
    assert!(received["Attributes"]["SentTimestamp"].is_string());

    let received = receive(json!([]), json!([])).await;
    assert_eq!(received["MessageAttributes"], Value::Null);
    assert_eq!(received["Attributes"], Value::Null);
}

#[tokio::test]
async fn a_dead_letter_names_its_queue_and_keeps_its_count() {
    let emulator = Emulator::start_on_free_port().await.unwrap();
    let settings = PipelineSettings {
        visibility_timeout: 0,
        long_poll: 0,
        max_receive_count: 1,
    };
    let names = PipelineNames::default();
    let pipeline = emulator
        .create_pipeline_with(&names, settings)
        .await
        .unwrap();
    let (url, letters) = (&pipeline.data_process_url, &pipeline.data_process_dlq_url);
    emulator.send(url, "poison", []).await.unwrap();
    receive(&emulator, url, 0, 0).await;

    // Found by the next receive, which waits for another message.
    let (_, dead) = tokio::join!(receive(&emulator, url, 1, 0), async {
        let receive = json!({
            "QueueUrl": letters,
            "WaitTimeSeconds": 20,
            "MessageSystemAttributeNames": ["All"],
        });
        sqs(&emulator.endpoint_url(), "ReceiveMessage", receive).await
    });

    let attributes = &dead["Messages"][0]["Attributes"];
    let arn = format!("arn:aws:sqs:{REGION}:{ACCOUNT_ID}:data-process");
    assert_eq!(attributes["DeadLetterQueueSourceArn"], arn);
    assert_eq!(attributes["ApproximateReceiveCount"], "2");
}
