use std::fmt;

use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::outage::Transient;

/// A call to the ledger failed.
#[derive(Debug)]
pub struct LedgerError(RedisError);

impl From<RedisError> for LedgerError {
    fn from(error: RedisError) -> Self {
        Self(error)
    }
}

impl fmt::Display for LedgerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ledger: {}", self.0)
    }
}

impl std::error::Error for LedgerError {}

/// All that passes when Redis is back, loaded, or has memory again. What is
/// left is a fault of the program or of the data.
impl Transient for LedgerError {
    fn is_transient(&self) -> bool {
        match self.0.kind() {
            ErrorKind::Io
            | ErrorKind::ClusterConnectionNotFound
            | ErrorKind::MasterNameNotFoundBySentinel
            | ErrorKind::NoValidReplicasFoundBySentinel
            | ErrorKind::AuthenticationFailed => true,
            ErrorKind::Server(kind) => !matches!(
                kind,
                ServerErrorKind::ResponseError
                    | ServerErrorKind::CrossSlot
                    | ServerErrorKind::NoScript
            ),
            // OOM and MISCONF arrive as errors that redis-rs has no name for.
            ErrorKind::Extension => !matches!(self.0.code(), Some("WRONGTYPE")),
            _ => self.0.is_timeout() || self.0.is_connection_dropped(),
        }
    }
}
