//! A process that sends one e-mail and is told to stop.

use std::time::Duration;

use testkit::{Attribute, ServiceProcess, Stack, poll_until};

const BODY: &str = r#"{"name":"n","government_id":"1","email":"joao@example.com","debt_amount":1.00,"debt_due_date":"2027-03-15","debt_id":"debt-1"}"#;

/// Lets a process send the e-mail of `debt-1`, whose message has these attributes, and gives what
/// it wrote.
pub(crate) async fn send_and_stop(
    process: ServiceProcess,
    stack: &Stack,
    attributes: impl IntoIterator<Item = (&'static str, Attribute)>,
) -> String {
    process.healthy().await;
    let queue = &stack.resources().process_email_url;
    stack.queues().send(queue, BODY, attributes).await.unwrap();
    poll_until("the mail", Duration::from_secs(20), async || {
        stack.depth(queue).await.is_empty().then_some(())
    })
    .await;
    process.terminate();
    let (status, output, errors) = process.ended().await;
    assert_eq!(status.code(), Some(0), "{errors}");
    output
}
