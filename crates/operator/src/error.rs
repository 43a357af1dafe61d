use std::io;
use std::process::ExitCode;

use common::ledger::LedgerError;
use common::messaging::CallError;
use common::runtime::{ServiceError, SettingError};
use thiserror::Error;

/// Why a command did not do all that it was asked for.
#[derive(Debug, Error)]
pub(crate) enum CommandError {
    /// A variable is missing or wrong, or the ledger cannot be used.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// A call failed.
    #[error("{what}: {source}; check AWS_REGION, the keys and SQS_ENDPOINT_URL")]
    Call {
        /// What was tried.
        what: String,
        /// What the service says.
        source: CallError,
    },
    /// It cannot be done, or was not done in full; says what to do.
    #[error("{0}")]
    NotDone(String),
    /// Standard output or input is closed.
    #[error("the terminal cannot be used: {0}")]
    Terminal(#[from] io::Error),
}

impl From<SettingError> for CommandError {
    fn from(error: SettingError) -> Self {
        Self::Service(error.into())
    }
}

impl CommandError {
    /// For `map_err` of a call: what was tried.
    pub(crate) fn call(what: impl Into<String>) -> impl FnOnce(CallError) -> Self {
        let what = what.into();
        move |source| Self::Call { what, source }
    }

    /// For `map_err` of a call of the ledger.
    pub(crate) fn ledger(error: &LedgerError) -> Self {
        Self::NotDone(format!("{error}; check where the ledger is"))
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Service(error) => error.exit_code(),
            _ => ExitCode::FAILURE,
        }
    }
}
