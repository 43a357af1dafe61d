//! Which failures pass, and which are better off on another connection.

use std::error::Error as _;
use std::fmt;

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use crate::ledger::LedgerError;

/// A failure in one line, without data: a server's message can hold none of
/// ours, as all of it goes in parameters; its detail can.
pub(super) struct Line<'a>(pub(super) &'a Error);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(refusal) = self.0.as_db_error() {
            return write!(f, "{} ({})", refusal.message(), refusal.code().code());
        }
        let whole = self.0.to_string();
        f.write_str(&whole)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            let text = error.to_string();
            if !whole.contains(&text) {
                write!(f, ": {text}")?;
            }
            source = error.source();
        }
        Ok(())
    }
}

/// As a failure of the ledger.
pub(super) fn ledger_error(error: &Error) -> LedgerError {
    let line = Line(error).to_string();
    if passes(error) {
        LedgerError::transient(line)
    } else {
        LedgerError::permanent(line)
    }
}

/// What is left is a fault of the program or of the data.
pub(super) fn passes(error: &Error) -> bool {
    match error.code() {
        Some(state) => state_passes(state),
        // The connection broke, or none could be had.
        None => is_broken(error),
    }
}

/// Whether the connection is gone, or out of step.
fn is_broken(error: &Error) -> bool {
    let is_io = |error: &(dyn std::error::Error + 'static)| error.is::<std::io::Error>();
    error.is_closed() || error.source().is_some_and(is_io)
}

/// All that passes when the server is back, has room again, or another one
/// is the primary.
fn state_passes(state: &SqlState) -> bool {
    if *state == SqlState::T_R_INTEGRITY_CONSTRAINT_VIOLATION {
        return false;
    }
    let code = state.code();
    let class = code.get(..2).unwrap_or_default();
    let passing = [
        // Connection, authorisation as a password is changed, rollback, resources,
        // the operator's intervention, the system, a file of the configuration.
        "08", "28", "40", "53", "57", "58", "F0",
    ];
    passing.contains(&class)
        || [
            SqlState::LOCK_NOT_AVAILABLE,
            SqlState::OBJECT_IN_USE,
            SqlState::READ_ONLY_SQL_TRANSACTION,
            // Whoever is at the server, such as a restore, is to finish it; no row
            // is to blame.
            SqlState::INSUFFICIENT_PRIVILEGE,
            SqlState::INVALID_SCHEMA_NAME,
            SqlState::UNDEFINED_TABLE,
            // The tables have changed under a statement that was prepared before.
            SqlState::FEATURE_NOT_SUPPORTED,
            SqlState::INVALID_SQL_STATEMENT_NAME,
        ]
        .contains(state)
}

/// Whether the same statement may succeed at once: the server gave it up for
/// the sake of another.
pub(super) fn is_to_be_repeated(error: &Error) -> bool {
    error.code().is_some_and(|state| {
        *state == SqlState::T_R_SERIALIZATION_FAILURE || *state == SqlState::T_R_DEADLOCK_DETECTED
    })
}

/// Whether a later call should go over another connection: this one is broken,
/// or its server is not, or no longer, the one to ask.
pub(super) fn calls_for_another_connection(error: &Error) -> bool {
    match error.code() {
        Some(state) => {
            let class = state.code().get(..2).unwrap_or_default();
            ["08", "28", "57", "58"].contains(&class) && *state != SqlState::QUERY_CANCELED
                || [
                    SqlState::READ_ONLY_SQL_TRANSACTION,
                    SqlState::FEATURE_NOT_SUPPORTED,
                    SqlState::INVALID_SQL_STATEMENT_NAME,
                ]
                .contains(state)
        }
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_cannot_do_now_passes() {
        for code in [
            "57P01", "57P02", "57P03", "57014", "40001", "40P01", "25006", "53100", "53200",
            "53300", "55P03", "08006", "08003", "58030", "28P01", "42501", "42P01", "3F000",
        ] {
            assert!(state_passes(&SqlState::from_code(code)), "{code}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_call_stays_wrong() {
        for code in [
            "22021", "22P02", "23505", "23514", "40002", "42601", "42703", "54000", "XX000",
        ] {
            assert!(!state_passes(&SqlState::from_code(code)), "{code}");
        }
    }
}
