//! Queues, topic and Redis for one test.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
};

use common::{
    ledger::{LedgerSettings, SharedLedger},
    runtime::Environment,
};
use emulators::{
    emulator::{PipelineResources, PipelineSettings, QueueDepth, StoredMessage},
    fault_proxy::FaultProxy,
    redis_server::RedisServer,
};
use tempfile::TempDir;

use crate::Queues;

/// Queues and a topic of its own, with the pipeline of the contract, and a private Redis.
///
/// Tests that have a stack each cannot see one another. Both ends stop when it is dropped.
#[derive(Debug)]
pub struct Stack {
    queues: Queues,
    resources: PipelineResources,
    // Before the directory: the server must be gone when its files are removed.
    redis: Option<RedisServer>,
    redis_port: u16,
    redis_directory: TempDir,
}

impl Stack {
    /// Starts with the settings of the contract.
    pub async fn start() -> Self {
        Self::start_with(PipelineSettings::default()).await
    }

    /// Starts with other settings, such as a visibility timeout of a second.
    pub async fn start_with(settings: PipelineSettings) -> Self {
        let redis_directory = tempfile::tempdir().expect("a temporary directory for Redis");
        let (queues, redis) = tokio::join!(
            Queues::start(),
            RedisServer::start(None, Some(redis_directory.path())),
        );
        let redis = redis.unwrap_or_else(|error| panic!("{error}"));
        let resources = queues.create_pipeline(settings).await;
        Self {
            queues,
            resources,
            redis_port: redis.port(),
            redis: Some(redis),
            redis_directory,
        }
    }

    /// SQS and SNS.
    pub fn queues(&self) -> &Queues {
        &self.queues
    }

    /// The URLs of the queues and the ARN of the topic.
    pub fn resources(&self) -> &PipelineResources {
        &self.resources
    }

    /// A further queue of that name that is subscribed to the topic, with dead letters in
    /// `<name>-dlq`. Gives its URL.
    pub async fn subscribe(&self, name: &str) -> String {
        let (topic, settings) = (&self.resources.topic_arn, PipelineSettings::default());
        self.queues.subscribe(topic, name, settings).await
    }

    /// The endpoint of SQS and of SNS.
    pub fn endpoint_url(&self) -> String {
        self.queues.endpoint_url()
    }

    /// The host of Redis.
    pub fn redis_host(&self) -> &'static str {
        "127.0.0.1"
    }

    /// The port of Redis, the same after it was stopped and started.
    pub fn redis_port(&self) -> u16 {
        self.redis_port
    }

    /// The URL of Redis.
    pub fn redis_url(&self) -> String {
        format!("redis://{}:{}", self.redis_host(), self.redis_port)
    }

    /// The variables that all three services read, with the values for this stack.
    ///
    /// `SQS_QUEUE_URL` is missing: it is another queue for send-mail-worker than for the others.
    pub fn environment(&self) -> BTreeMap<&'static str, String> {
        let topic = ("SNS_TOPIC_ARN", self.resources.topic_arn.clone());
        self.queues
            .environment(self.redis_port)
            .into_iter()
            .chain([topic])
            .collect()
    }

    /// The environment of a service that works on this queue, with further variables or other
    /// values.
    pub fn service_environment(
        &self,
        queue_url: &str,
        further: &[(&'static str, &str)],
    ) -> Environment {
        let mut variables = self.environment();
        variables.insert("SQS_QUEUE_URL", queue_url.to_owned());
        // An idle test should not wait for a long poll to end.
        variables.insert("SQS_WAIT_TIME_SECONDS", "1".to_owned());
        for (name, value) in further {
            variables.insert(name, (*value).to_owned());
        }
        variables
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }

    /// A proxy before SQS or before SNS, for services that get its [`FaultProxy::url`] as
    /// `SQS_ENDPOINT_URL` or `SNS_ENDPOINT_URL`.
    pub async fn proxy_to_emulator(&self) -> FaultProxy {
        proxy_to(self.queues.port()).await
    }

    /// A proxy before Redis, for services that get the port of its [`FaultProxy::address`] as
    /// `REDIS_PORT`.
    pub async fn proxy_to_redis(&self) -> FaultProxy {
        proxy_to(self.redis_port).await
    }

    /// The ledger in this stack's Redis.
    pub async fn ledger(&self) -> SharedLedger {
        let settings = LedgerSettings::read(&self.service_environment("http://unused", &[]));
        let settings = settings.expect("the settings of the ledger");
        settings.connect(None).await.expect("the ledger")
    }

    /// How many messages a queue holds.
    pub async fn depth(&self, queue_url: &str) -> QueueDepth {
        self.queues
            .queue_depth(queue_url)
            .await
            .unwrap_or_else(|error| panic!("{error}"))
    }

    /// Takes every visible message out of a queue.
    pub async fn take_all(&self, queue_url: &str) -> Vec<StoredMessage> {
        self.queues
            .take_all(queue_url)
            .await
            .unwrap_or_else(|error| panic!("{error}"))
    }

    /// Kills Redis, as a crash would. Its port refuses connections until it is started again.
    pub fn kill_redis(&mut self) {
        drop(self.redis.take());
    }

    /// Shuts Redis down, as an operator would.
    pub async fn stop_redis(&mut self) {
        if let Some(redis) = self.redis.take() {
            redis.stop().await;
        }
    }

    /// Gives the place of Redis to a replica with all of its data, on another port. Gives the old
    /// master, which is a replica now.
    pub async fn fail_over_redis(&mut self) -> RedisServer {
        let new = RedisServer::start(None, None).await;
        let new = new.unwrap_or_else(|error| panic!("{error}"));
        let old = self.redis.take().expect("Redis runs");
        let moved = async {
            new.follow(&old).await?;
            old.fail_over_to(&new).await
        };
        moved.await.unwrap_or_else(|error| panic!("{error}"));
        self.redis_port = new.port();
        self.redis = Some(new);
        old
    }

    /// Starts Redis again on the same port with the data it had; does nothing if it runs.
    pub async fn start_redis(&mut self) {
        if self.redis.is_none() {
            let redis =
                RedisServer::start(Some(self.redis_port), Some(self.redis_directory.path()))
                    .await
                    .unwrap_or_else(|error| panic!("{error}"));
            self.redis = Some(redis);
        }
    }
}

async fn proxy_to(port: u16) -> FaultProxy {
    FaultProxy::start(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        .await
        .expect("a port for the proxy")
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
    };

    use super::*;

    async fn redis(stack: &Stack, command: &str) -> Option<String> {
        let address = (stack.redis_host(), stack.redis_port());
        let mut connection = TcpStream::connect(address).await.ok()?;
        let commands = format!("{command}\r\nQUIT\r\n");
        connection.write_all(commands.as_bytes()).await.ok()?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.ok()?;
        Some(answer)
    }

    #[tokio::test]
    async fn stacks_do_not_share_messages_or_keys() {
        let (first, second) = tokio::join!(Stack::start(), Stack::start());
        let url = &first.resources().data_process_url;

        first.queues().send(url, "a record", []).await.unwrap();
        redis(&first, "SET key here").await.unwrap();

        assert_eq!(first.depth(url).await.visible, 1);
        let other_url = &second.resources().data_process_url;
        assert!(second.depth(other_url).await.is_empty());
        assert!(redis(&second, "GET key").await.unwrap().starts_with("$-1"));
        assert_eq!(first.take_all(url).await[0].body, "a record");
    }

    #[tokio::test]
    async fn redis_comes_back_with_its_data_after_a_crash_and_after_a_shutdown() {
        let mut stack = Stack::start().await;
        redis(&stack, "SET key here").await.unwrap();

        stack.kill_redis();
        assert!(redis(&stack, "PING").await.is_none());
        stack.start_redis().await;
        assert!(redis(&stack, "GET key").await.unwrap().contains("here"));

        stack.stop_redis().await;
        assert!(redis(&stack, "PING").await.is_none());
        stack.start_redis().await;
        assert!(redis(&stack, "GET key").await.unwrap().contains("here"));
    }

    #[tokio::test]
    async fn the_environment_names_what_the_services_need() {
        let stack = Stack::start().await;

        let environment = stack.environment();

        assert_eq!(environment["SQS_ENDPOINT_URL"], stack.endpoint_url());
        assert_eq!(environment["REDIS_PORT"], stack.redis_port().to_string());
        let topic_arn = "arn:aws:sns:us-east-1:000000000000:data-process-topic";
        assert_eq!(environment["SNS_TOPIC_ARN"], topic_arn);
    }

    #[tokio::test]
    async fn a_notification_reaches_every_queue_that_is_subscribed() {
        let stack = Stack::start().await;
        let url = stack.subscribe("process-sms").await;

        let topic = &stack.resources().topic_arn;
        let published = stack.queues().publish(topic, "a notification", []).await;
        published.unwrap();

        for url in [&url, &stack.resources().process_email_url] {
            let delivered = stack.take_all(url).await;
            assert_eq!(delivered.len(), 1);
            assert_eq!(delivered[0].body, "a notification");
        }
    }

    #[tokio::test]
    async fn a_notification_reaches_the_queue_of_the_mail_worker() {
        let stack = Stack::start().await;

        stack
            .queues()
            .publish(&stack.resources().topic_arn, "a notification", [])
            .await
            .unwrap();

        let delivered = stack.take_all(&stack.resources().process_email_url).await;
        assert_eq!(delivered.len(), 1);
        assert_eq!(delivered[0].body, "a notification");
    }
}
