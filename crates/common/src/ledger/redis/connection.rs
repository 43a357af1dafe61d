//! The connection, and how long each call over it takes.

use futures::FutureExt;
use prometheus::{Histogram, IntCounter};
use redis::aio::{ConnectionLike, ConnectionManager};
use redis::{Cmd, ErrorKind, Pipeline, RedisError, RedisFuture, ServerErrorKind, Value};

use crate::service::{AppRegistry, MetricsError};

/// Upper bounds of the time that a call takes, in seconds.
const SECONDS: [f64; 13] = [
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
];

/// How long calls of Redis take, and how many fail.
#[derive(Clone, Debug)]
pub struct RedisMetrics {
    duration: Histogram,
    errors: IntCounter,
}

impl RedisMetrics {
    /// Registers the metrics.
    pub fn new(registry: &AppRegistry) -> Result<Self, MetricsError> {
        Ok(Self {
            duration: registry.histogram(
                "redis_call_duration_seconds",
                "Time until Redis answered, one observation a call; a call is a command, a script or a pipeline.",
                &SECONDS,
            )?,
            errors: registry.counter(
                "redis_call_errors_total",
                "Calls that Redis did not answer, or refused.",
            )?,
        })
    }

    fn count(&self, error: &RedisError) {
        // A script that Redis does not know yet is sent again with its text.
        if error.kind() != ErrorKind::Server(ServerErrorKind::NoScript) {
            self.errors.inc();
        }
    }
}

/// What all calls of the ledger go through. Cloning shares the connection.
#[derive(Clone)]
pub(super) struct Connection {
    pub(super) manager: ConnectionManager,
    pub(super) metrics: Option<RedisMetrics>,
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        let Self { manager, metrics } = self;
        let Some(metrics) = metrics else {
            return manager.req_packed_command(cmd);
        };
        async move {
            let timer = metrics.duration.start_timer();
            let answer = manager.req_packed_command(cmd).await;
            timer.observe_duration();
            answer.inspect_err(|error| metrics.count(error))
        }
        .boxed()
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        let Self { manager, metrics } = self;
        let Some(metrics) = metrics else {
            return manager.req_packed_commands(pipeline, offset, count);
        };
        async move {
            let timer = metrics.duration.start_timer();
            let answers = manager.req_packed_commands(pipeline, offset, count).await;
            timer.observe_duration();
            match &answers {
                Err(error) => metrics.count(error),
                // A Redis that is full or read-only refuses the commands in it.
                Ok(answers) if answers.iter().any(is_refusal) => metrics.errors.inc(),
                Ok(_) => {}
            }
            answers
        }
        .boxed()
    }

    fn get_db(&self) -> i64 {
        self.manager.get_db()
    }
}

fn is_refusal(answer: &Value) -> bool {
    matches!(answer, Value::ServerError(_))
}
