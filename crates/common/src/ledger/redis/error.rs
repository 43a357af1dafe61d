use redis::{ErrorKind, RedisError, ServerError, ServerErrorKind};

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

/// All that passes when Redis is back, is loaded, has memory again, or another
/// server is the master. What is left is a fault of the program or of the data.
fn passes(error: &RedisError) -> bool {
    match error.clone().into_server_errors() {
        // Of a pipeline each command has its own.
        Some(refusals) => refusals.iter().all(|(_, refusal)| refusal_passes(refusal)),
        None => matches!(
            error.kind(),
            ErrorKind::Io | ErrorKind::AuthenticationFailed | ErrorKind::ClusterConnectionNotFound
        ),
    }
}

fn refusal_passes(refusal: &ServerError) -> bool {
    match refusal.kind() {
        Some(kind) => !matches!(
            kind,
            ServerErrorKind::ResponseError | ServerErrorKind::CrossSlot
        ),
        // OOM, MISCONF, NOREPLICAS and others that redis-rs has no name for.
        None => refusal.code() != "WRONGTYPE",
    }
}

/// Whether a later call should go over another connection. What passes may
/// have passed on another server: after a failover the old master says
/// `READONLY`, or `NOREPLICAS` where it does not know yet, or nothing at all,
/// while a new connection reaches the new one. An answer that cannot be read
/// leaves the connection out of step.
pub(super) fn calls_for_another_connection(error: &RedisError) -> bool {
    passes(error) || error.kind() == ErrorKind::Parse
}

/// Whether Redis does not know a script: after its start, and on a server that
/// has become the master. It is told, and the script is called again; only
/// where the master changes in between the caller sees this.
pub(super) fn is_unknown_script(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}

#[cfg(test)]
mod tests {
    use redis::{Value, parse_redis_value};

    use super::*;
    use crate::runtime::Transient;

    fn refusal(line: &str) -> RedisError {
        match parse_redis_value(format!("-{line}\r\n").as_bytes()) {
            Ok(Value::ServerError(refusal)) => refusal.into(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_a_server_cannot_do_now_passes_and_calls_for_another_connection() {
        for line in [
            "READONLY You can't write against a read only replica.",
            "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
            "LOADING Redis is loading the dataset in memory",
            "CLUSTERDOWN The cluster is down",
            "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)",
            "NOREPLICAS Not enough good replicas to write.",
            "MISCONF Errors writing to the AOF file: No space left on device",
            "OOM command not allowed when used memory > 'maxmemory'.",
            "BUSY Redis is busy running a script.",
            "TRYAGAIN Multiple keys request during rehashing of slot",
            "MOVED 1539 10.0.0.7:6379",
            "ASK 1539 10.0.0.7:6379",
            "NOAUTH Authentication required.",
            "NOPERM this user has no permissions to run the 'get' command",
            "EXECABORT Transaction discarded because of previous errors.",
        ] {
            let error = refusal(line);
            assert!(calls_for_another_connection(&error), "{line}");
            assert!(LedgerError::from(error).is_transient(), "{line}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_call_stays_wrong_on_every_connection() {
        for line in [
            "ERR wrong number of arguments for 'get' command",
            "WRONGTYPE Operation against a key holding the wrong kind of value",
            "CROSSSLOT Keys in request don't hash to the same slot",
        ] {
            let error = refusal(line);
            assert!(!calls_for_another_connection(&error), "{line}");
            assert!(!LedgerError::from(error).is_transient(), "{line}");
        }
    }

    #[test]
    fn a_script_that_the_new_master_does_not_know_is_told_it_with_the_next_try() {
        let error = refusal("NOSCRIPT No matching script. Please use EVAL.");
        assert!(is_unknown_script(&error));
        assert!(LedgerError::from(error).is_transient());
    }
}
