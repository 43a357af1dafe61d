use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;

use thiserror::Error;

use super::{MetricsError, SettingError};

/// Exit code of a wrong setting (`EX_USAGE` of sysexits.h).
const EXIT_USAGE: u8 = 64;

/// Why a service does not start, or stopped before it was told to.
#[derive(Debug, Error)]
pub enum ServiceError {
    /// A variable is missing or wrong.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// An argument that a service does not take.
    #[error(
        "the argument {0:?} is unknown: a service takes none, or `health`, which asks the one that runs here whether it is alive"
    )]
    Argument(OsString),
    /// A dependency is not what the service needs; a setting must change.
    #[error("{0}")]
    Unsuitable(String),
    /// The HTTP listener's address cannot be had.
    #[error("cannot listen on {address}: {source}; is the port in use?")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The ledger did not answer in the tries that the settings allow.
    #[error("{0}")]
    Ledger(String),
    /// Files or sockets of this machine.
    #[error("{context}: {source}")]
    Io {
        /// What was tried.
        context: String,
        /// What the system says.
        source: io::Error,
    },
    /// A fault of the program.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// A task of the service ended though nobody told it to.
    #[error("{0} ended unexpectedly")]
    TaskDied(&'static str),
}

impl ServiceError {
    /// 64 where a setting must change, else 1.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Setting(_) | Self::Argument(_) | Self::Unsuitable(_) => {
                ExitCode::from(EXIT_USAGE)
            }
            _ => ExitCode::FAILURE,
        }
    }
}

/// An error with its causes on one line: its own text may only say that there was
/// one.
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
