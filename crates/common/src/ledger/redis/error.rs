use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::ledger::LedgerError;

impl From<RedisError> for LedgerError {
    fn from(error: RedisError) -> Self {
        if passes(&error) {
            Self::transient(error)
        } else {
            Self::permanent(error)
        }
    }
}

/// All that passes when Redis is back, loaded, or has memory again. What is
/// left is a fault of the program or of the data.
fn passes(error: &RedisError) -> bool {
    match error.kind() {
        ErrorKind::Io
        | ErrorKind::ClusterConnectionNotFound
        | ErrorKind::MasterNameNotFoundBySentinel
        | ErrorKind::NoValidReplicasFoundBySentinel
        | ErrorKind::AuthenticationFailed => true,
        ErrorKind::Server(kind) => !matches!(
            kind,
            ServerErrorKind::ResponseError | ServerErrorKind::CrossSlot | ServerErrorKind::NoScript
        ),
        // OOM and MISCONF arrive as errors that redis-rs has no name for.
        ErrorKind::Extension => !matches!(error.code(), Some("WRONGTYPE")),
        _ => error.is_timeout() || error.is_connection_dropped(),
    }
}
