use std::ffi::OsString;
use std::future::Future;
use std::process::ExitCode;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::BaseSettings;
use super::health::ask_health;
use super::server::bind;
use super::telemetry::init_telemetry;
use crate::runtime::{Environment, ServiceError, SettingError};

/// Most threads that wait for the disk or look up names. No work parks one for
/// longer than that takes, so that few are enough for however much is open.
const BLOCKING_THREADS: usize = 32;

/// The main function of a service: settings → telemetry → signals → listener
/// → `run`. `base` gives the part of the settings that all services have.
///
/// The runtime has one thread, which costs the least CPU a call. The exit code
/// is 0 after an orderly stop, 64 after a wrong setting, 1 otherwise.
///
/// With the argument `health` it asks the process that runs with the same
/// settings for its `/health` instead: 0 where that is alive, 1 where not.
#[expect(clippy::print_stderr, reason = "the one line that says why it stopped")]
pub fn service_main<S, R>(
    read: impl FnOnce(&Environment) -> Result<S, SettingError>,
    base: impl FnOnce(&S) -> &BaseSettings,
    run: impl FnOnce(S, TcpListener, CancellationToken) -> R,
) -> ExitCode
where
    R: Future<Output = Result<(), ServiceError>>,
{
    let ended = read(&Environment::of_process())
        .map_err(ServiceError::from)
        .and_then(|settings| {
            let base = base(&settings);
            if asks_health(std::env::args_os().skip(1))? {
                return ask_health(base);
            }
            init_telemetry(&base.log_filter);
            take_open_files();
            let (address, port) = (base.bind_address, base.port);
            on_runtime(async {
                let stop = shutdown_on_signals()?;
                let listener = bind(address, port).await?;
                run(settings, listener, stop).await
            })
        });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!(%error, "Stopped");
            eprintln!("{error}");
            error.exit_code()
        }
    }
}

/// Takes as many open files as the system gives. The 1,024 that a process
/// begins with on most systems are for the sake of `select`, which nothing
/// here calls, and fewer than the server's connections.
fn take_open_files() {
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        warn!(%error, "The limit of open files cannot be raised");
    }
}

/// Whether the arguments ask for the health check.
fn asks_health(arguments: impl IntoIterator<Item = OsString>) -> Result<bool, ServiceError> {
    let mut arguments = arguments.into_iter();
    match (arguments.next(), arguments.next()) {
        (None, _) => Ok(false),
        (Some(only), None) if only == "health" => Ok(true),
        (Some(unknown), None) | (Some(_), Some(unknown)) => Err(ServiceError::Argument(unknown)),
    }
}

fn on_runtime(service: impl Future<Output = Result<(), ServiceError>>) -> Result<(), ServiceError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .build()
        .map_err(|source| ServiceError::Io {
            context: "the async runtime cannot start".into(),
            source,
        })?;
    let ended = runtime.block_on(service);
    // A blocking read of a file must not hold up the exit.
    runtime.shutdown_background();
    ended
}

/// A token that SIGTERM or SIGINT cancels.
fn shutdown_on_signals() -> Result<CancellationToken, ServiceError> {
    let listen = |kind| {
        signal(kind).map_err(|source| ServiceError::Io {
            context: "cannot listen for signals".into(),
            source,
        })
    };
    let (mut term, mut int) = (
        listen(SignalKind::terminate())?,
        listen(SignalKind::interrupt())?,
    );
    let stop = CancellationToken::new();
    let token = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
        info!("Told to stop");
        token.cancel();
    });
    Ok(stop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_takes_no_argument_but_health() {
        let asks = |arguments: &[&str]| asks_health(arguments.iter().map(OsString::from));
        assert!(!asks(&[]).unwrap());
        assert!(asks(&["health"]).unwrap());
        for unknown in [&["--help"][..], &["health", "now"], &[""]] {
            assert!(matches!(asks(unknown), Err(ServiceError::Argument(_))));
        }
    }
}
