//! The connection that all calls go through: opened when a call needs it, and
//! given up as soon as another one may do better.

use std::slice;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use redis::aio::ConnectionLike;
use redis::{Cmd, Pipeline, RedisError, RedisFuture, Value};

use super::error::{calls_for_another_connection, is_unknown_script};
use super::opened::Opened;
use super::opener::Opener;
use crate::ledger::LedgerMetrics;

/// Wait before the next one is opened where opening one failed. The breaker
/// paces what is repeated; this holds for callers who do not wait for it.
const REOPENED_AFTER: Duration = Duration::from_millis(100);

/// What all calls of the ledger go through. Cloning shares the connection.
///
/// redis-rs' own `ConnectionManager` keeps a connection whose server has become
/// a replica, is full or no longer answers, for as long as it is not closed.
#[derive(Clone)]
pub(super) struct Connection {
    line: Arc<Line>,
    metrics: Option<LedgerMetrics>,
}

/// A connection that is open or being opened; all who wait for it share it.
type Opening = Shared<BoxFuture<'static, Result<Opened, RedisError>>>;

/// The connection of today, and how to open the next one.
struct Line {
    opener: Opener,
    current: Mutex<Opening>,
}

impl Connection {
    /// Nothing is opened before the first call.
    pub(super) fn new(opener: Opener, metrics: Option<LedgerMetrics>) -> Self {
        let current = Mutex::new(opening(&opener, Duration::ZERO));
        Self {
            line: Arc::new(Line { opener, current }),
            metrics,
        }
    }

    /// Looks at the answers of a call over this connection. Where one of them
    /// calls for it, the calls from now on go over another; those that are in
    /// flight end as they end.
    fn look(&self, used: &Opening, answers: Result<&[Value], &RedisError>) {
        let failure = match answers {
            Err(error) => Some(error.clone()),
            Ok(answers) => answers.iter().find_map(refusal),
        };
        // A script that Redis does not know yet is sent again with its text.
        let Some(error) = failure.filter(|error| !is_unknown_script(error)) else {
            return;
        };
        if let Some(metrics) = &self.metrics {
            metrics.count_failure();
        }
        if calls_for_another_connection(&error) {
            self.line.replace(used);
        }
    }
}

impl Line {
    fn current(&self) -> Opening {
        let current = self.current.lock();
        current.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces the connection, unless another call already has.
    fn replace(&self, used: &Opening) {
        let current = self.current.lock();
        let mut current = current.unwrap_or_else(PoisonError::into_inner);
        if current.ptr_eq(used) {
            let wait = match used.peek() {
                Some(Err(_)) => REOPENED_AFTER,
                _ => Duration::ZERO,
            };
            *current = opening(&self.opener, wait);
        }
    }
}

/// A connection that is opened by the first call that needs it, after a wait.
fn opening(opener: &Opener, wait: Duration) -> Opening {
    let opener = opener.clone();
    let opens = async move {
        tokio::time::sleep(wait).await;
        opener.open().await
    };
    opens.boxed().shared()
}

fn refusal(answer: &Value) -> Option<RedisError> {
    match answer {
        // A Redis that is full or read-only refuses the commands of a pipeline.
        Value::ServerError(refusal) => Some(refusal.clone().into()),
        _ => None,
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        async move {
            let _timer = self.metrics.as_ref().map(LedgerMetrics::timer);
            let line = self.line.current();
            let call = async { line.clone().await?.req_packed_command(cmd).await };
            let answer = call.await;
            self.look(&line, answer.as_ref().map(slice::from_ref));
            answer
        }
        .boxed()
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        async move {
            let _timer = self.metrics.as_ref().map(LedgerMetrics::timer);
            let line = self.line.current();
            let call = async {
                let mut open = line.clone().await?;
                open.req_packed_commands(pipeline, offset, count).await
            };
            let answers = call.await;
            self.look(&line, answers.as_ref().map(Vec::as_slice));
            answers
        }
        .boxed()
    }

    fn get_db(&self) -> i64 {
        self.line.opener.database()
    }
}
