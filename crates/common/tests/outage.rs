//! SQS away for a while, and many who wait for it.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::time::Duration;

use common::messaging::{Aws, Delivered, Outgoing, send_all};
use common::service::BaseSettings;
use futures::future::join_all;
use testkit::{FaultMode, Stack};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Long enough for the calls of all to use up what the SDK has of retries.
const OUTAGE: Duration = Duration::from_secs(3);
const CALLS: usize = 32;

/// Twice the longest wait between two tries: who tries waits up to once, and
/// the others go on with waits of their own.
const ON_AGAIN: Duration = Duration::from_secs(6);

#[tokio::test]
async fn calls_go_on_soon_after_an_outage_however_many_waited() {
    let stack = Stack::start().await;
    let proxy = stack.proxy_to_emulator().await;
    let url = stack.resources().data_process_url.clone();
    let endpoint = [("SQS_ENDPOINT_URL", &*proxy.url())];
    let environment = stack.service_environment(&url, &endpoint);
    let settings = BaseSettings::read(&environment, "PORT", 0).unwrap();
    let aws = Aws::new(&settings.aws).await;
    let queue = aws.queue(&url.parse().unwrap()).unwrap();
    let messages = vec![
        Outgoing {
            body: "a message".to_owned(),
            row: None,
            event_type: None,
            columns: None,
            trace: None,
        };
        10
    ];
    let stop = CancellationToken::new();
    let sends = || join_all((0..CALLS).map(|_| send_all(&queue, &messages, &stop)));

    proxy.set(FaultMode::Refuse);
    let ends = async {
        tokio::time::sleep(OUTAGE).await;
        proxy.set(FaultMode::Pass);
        Instant::now()
    };
    let (sent, back) = tokio::join!(sends(), ends);
    let on_again = back.elapsed();
    assert!(on_again < ON_AGAIN, "{on_again:?}");
    let taken = |sent: &Vec<Delivered>| sent.iter().all(|one| *one == Delivered::Accepted);
    assert!(sent.into_iter().all(|sent| taken(&sent.unwrap())));
    assert_eq!(stack.depth(&url).await.total(), 10 * CALLS as u64);
}
