//! The connections that all statements go through: a bounded pool, whose
//! connections are given up as soon as another one may do better.

use std::fmt;
use std::time::Duration;

use deadpool_postgres::{
    ClientWrapper, Hook, HookError, Manager, ManagerConfig, Object, Pool, PoolError,
    RecyclingMethod, Runtime,
};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row};

use super::error::{self, Line};
use super::{PostgresSettings, tls};
use crate::ledger::{LedgerError, LedgerMetrics};
use crate::runtime::ServiceError;

/// How often a statement is sent again that the server gave up for the sake
/// of another, and the longest wait before it is.
const REPEATS: u32 = 8;
const REPEATED_WITHIN: Duration = Duration::from_millis(20);

/// The parameters of a statement.
pub(super) type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

/// What all calls of the ledger go through. Cloning shares it.
#[derive(Clone)]
pub(super) struct Connections {
    pool: Pool,
    operation_timeout: Duration,
    metrics: Option<LedgerMetrics>,
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.pool.status();
        f.debug_struct("Connections")
            .field("open", &status.size)
            .finish_non_exhaustive()
    }
}

impl Connections {
    /// Of these settings. Nothing is opened before the first statement.
    pub(super) fn new(
        settings: &PostgresSettings,
        metrics: Option<LedgerMetrics>,
    ) -> Result<Self, ServiceError> {
        let manager = Manager::from_config(
            settings.config.clone(),
            tls::connector(&settings.proof)?,
            ManagerConfig {
                recycling_method: RecyclingMethod::Fast,
            },
        );
        let session = session(settings.operation_timeout);
        let set_up = Hook::async_fn(move |client: &mut ClientWrapper, _| {
            let session = session.clone();
            Box::pin(async move {
                let set = client.batch_execute(&session).await;
                set.map_err(HookError::Backend)
            })
        });
        let pool = Pool::builder(manager)
            .max_size(settings.connections)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(settings.operation_timeout))
            .create_timeout(Some(settings.connect_timeout))
            .recycle_timeout(Some(settings.operation_timeout))
            .post_create(set_up)
            .build()
            .map_err(|error| ServiceError::Unsuitable(error.to_string()))?;
        Ok(Self {
            pool,
            operation_timeout: settings.operation_timeout,
            metrics,
        })
    }

    /// Sends a statement, which is a transaction of its own, and gives its
    /// rows. One that the server gives up for the sake of another is sent
    /// again, so that nobody else sees that.
    pub(super) async fn query(
        &self,
        statement: &str,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, LedgerError> {
        let mut repeats = 0;
        loop {
            let timer = self.metrics.as_ref().map(LedgerMetrics::timer);
            let answer = self.send(statement, parameters).await;
            drop(timer);
            match answer {
                Err(Failure::Refused(error))
                    if error::is_to_be_repeated(&error) && repeats < REPEATS =>
                {
                    repeats += 1;
                    let wait = REPEATED_WITHIN.mul_f64(fastrand::f64());
                    tokio::time::sleep(wait).await;
                }
                Err(failure) => {
                    if let Some(metrics) = &self.metrics {
                        metrics.count_failure();
                    }
                    return Err(failure.into());
                }
                Ok(rows) => return Ok(rows),
            }
        }
    }

    /// The same for a statement that answers with one row at most.
    pub(super) async fn query_one(
        &self,
        statement: &str,
        parameters: Parameters<'_>,
    ) -> Result<Option<Row>, LedgerError> {
        let rows = self.query(statement, parameters).await?;
        Ok(rows.into_iter().next())
    }

    /// The same for a statement whose answer says nothing.
    pub(super) async fn execute(
        &self,
        statement: &str,
        parameters: Parameters<'_>,
    ) -> Result<(), LedgerError> {
        self.query(statement, parameters).await.map(drop)
    }

    /// A connection of one's own; for the start.
    pub(super) async fn get(&self) -> Result<Object, PoolError> {
        self.pool.get().await
    }

    /// Longest wait for an answer.
    pub(super) fn operation_timeout(&self) -> Duration {
        self.operation_timeout
    }

    async fn send(&self, statement: &str, parameters: Parameters<'_>) -> Result<Vec<Row>, Failure> {
        let client = self.pool.get().await.map_err(Failure::NoConnection)?;
        let answer = async {
            let prepared = client.prepare_cached(statement).await?;
            client.query(&prepared, parameters).await
        };
        let failure = match tokio::time::timeout(self.operation_timeout, answer).await {
            Ok(Ok(rows)) => return Ok(rows),
            Ok(Err(error)) => Failure::Refused(error),
            Err(_) => Failure::NoAnswer,
        };
        if failure.calls_for_another_connection() {
            drop(Object::take(client));
            // Those that are idle lead to the same server.
            self.pool.retain(|_, _| false);
        }
        Err(failure)
    }
}

/// What a session is told before its first statement.
///
/// An answer means that what was written is on disk. The tables are never read
/// as a whole, which the planner must not choose either while it takes them
/// for small: its choice would stand while they grow.
fn session(operation_timeout: Duration) -> String {
    let milliseconds = operation_timeout.as_millis();
    format!(
        "SET synchronous_commit = on; \
         SET statement_timeout = {milliseconds}; \
         SET plan_cache_mode = force_generic_plan; \
         SET enable_seqscan = off; \
         SET enable_bitmapscan = off; \
         SET jit = off"
    )
}

/// Why a statement has no answer.
enum Failure {
    NoConnection(PoolError),
    Refused(Error),
    NoAnswer,
}

impl Failure {
    fn calls_for_another_connection(&self) -> bool {
        match self {
            Self::NoConnection(_) => false,
            Self::Refused(error) => error::calls_for_another_connection(error),
            Self::NoAnswer => true,
        }
    }
}

impl From<Failure> for LedgerError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(error) => error::ledger_error(&error),
            Failure::NoAnswer => Self::transient("PostgreSQL did not answer in time"),
            // The fault is the server's or the network's, and never the call's.
            Failure::NoConnection(error) => Self::transient(no_connection(&error)),
        }
    }
}

/// Why no connection could be had.
pub(super) fn no_connection(error: &PoolError) -> String {
    match cause(error) {
        Some(cause) => Line(cause).to_string(),
        None => match error {
            PoolError::Timeout(deadpool_postgres::TimeoutType::Wait) => {
                "all connections are in use; see LEDGER_CONNECTIONS".to_owned()
            }
            PoolError::Timeout(_) => "the server did not answer in time".to_owned(),
            other => other.to_string(),
        },
    }
}

/// What the server or the network said.
pub(super) fn cause(error: &PoolError) -> Option<&Error> {
    match error {
        PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => {
            Some(error)
        }
        _ => None,
    }
}
