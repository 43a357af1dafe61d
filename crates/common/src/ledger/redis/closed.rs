//! A ledger that another takes the place of takes no claims.

use redis::{FromRedisValue, Pipeline, RedisError, Value};

use super::connection::Connection;
use super::keys::Keys;
use super::{RedisLedger, keys};
use crate::ledger::LedgerError;

/// What is said of one.
const CLOSED: &str = "it is closed, as `operator ledger copy` copied it to another: set LEDGER_URL to that one, or open it again with `operator ledger open`";

/// It passes: somebody opens the ledger, or starts the service on another.
pub(super) fn closed() -> LedgerError {
    LedgerError::transient(CLOSED)
}

/// Why a service must not start on this ledger, if another took its place.
pub(super) async fn why_closed(
    mut connection: Connection,
) -> Result<Option<&'static str>, RedisError> {
    let mut call = redis::cmd("EXISTS");
    call.arg(keys::CLOSED);
    let is_closed: bool = call.query_async(&mut connection).await?;
    Ok(is_closed.then_some(CLOSED))
}

impl RedisLedger {
    /// Commands that are done in one step with a look at whether the ledger is
    /// closed; [`unless_closed`](Self::unless_closed) sends them. A cluster
    /// never is: none is copied.
    pub(super) fn claiming(&self) -> Pipeline {
        let mut pipe = redis::pipe();
        if self.keys == Keys::OfServer {
            pipe.atomic().exists(keys::CLOSED);
        }
        pipe
    }

    /// Gives the answers of such commands; `None` where the ledger is closed,
    /// and what they claimed is to lead to nothing.
    pub(super) async fn unless_closed<T: FromRedisValue>(
        &self,
        claiming: &Pipeline,
    ) -> Result<Option<T>, LedgerError> {
        let mut connection = self.connection.clone();
        let mut answers: Vec<Value> = claiming.query_async(&mut connection).await?;
        if self.keys == Keys::OfServer && answers.remove(0) != Value::Int(0) {
            return Ok(None);
        }
        let answers = redis::from_redis_value(Value::Array(answers));
        Ok(Some(answers.map_err(RedisError::from)?))
    }
}
