//! A service as a process, for what only a process shows: exit codes and signals.

use std::{
    net::TcpListener,
    process::{ExitStatus, Output, Stdio},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::{
    io::AsyncReadExt,
    process::{Child, Command},
    time,
};

use crate::poll_until;

/// Longest wait for a process to answer or to end.
const DEADLINE: Duration = Duration::from_secs(20);

/// A process of one of the services. It is killed when this is dropped.
#[derive(Debug)]
pub struct ServiceProcess {
    child: Child,
    url: String,
}

impl ServiceProcess {
    /// Starts a binary with these variables and no others. The variable named `port_variable` is
    /// set to a free port.
    pub fn start<'a>(
        binary: &str,
        port_variable: &str,
        variables: impl IntoIterator<Item = (&'a str, String)>,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("its address").port();
        drop(listener);
        let child = Command::new(binary)
            .env_clear()
            .env(port_variable, port.to_string())
            .envs(variables)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the process starts");
        Self {
            child,
            url: format!("http://127.0.0.1:{port}"),
        }
    }

    /// Where it answers.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Waits until it answers that it is healthy.
    pub async fn healthy(&self) {
        poll_until("a healthy process", DEADLINE, async || {
            let answer = reqwest::get(format!("{}/health", self.url)).await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        let pid = self.child.id().expect("it runs");
        let pid = Pid::from_raw(i32::try_from(pid).expect("a process id"));
        kill(pid, Signal::SIGTERM).expect("the signal is sent");
    }

    /// How it ended, and what it wrote to standard output and standard error.
    pub async fn ended(mut self) -> (ExitStatus, String, String) {
        let (mut output, mut errors) = (String::new(), String::new());
        let mut stdout = self.child.stdout.take().expect("it is piped");
        let mut stderr = self.child.stderr.take().expect("it is piped");
        let ended = async {
            let (status, _, _) = tokio::join!(
                self.child.wait(),
                stdout.read_to_string(&mut output),
                stderr.read_to_string(&mut errors),
            );
            status.expect("it can be waited for")
        };
        let status = time::timeout(DEADLINE, ended).await.expect("it ends");
        (status, output, errors)
    }
}

/// Starts a binary, waits until it is healthy, and holds it to exit code 0 after SIGTERM.
pub async fn assert_ends_at_sigterm(
    binary: &str,
    port_variable: &str,
    variables: &[(&'static str, String)],
) {
    let process = ServiceProcess::start(binary, port_variable, variables.iter().cloned());
    process.healthy().await;
    process.terminate();
    let (status, _, errors) = process.ended().await;
    assert_eq!(status.code(), Some(0), "{errors}");
}

/// Holds the health check of a binary, its argument `health`, to exit code 0 while a process with the
/// same variables is alive, and to exit code 1 and one line once it is not.
pub async fn assert_tells_its_health(
    binary: &str,
    port_variable: &str,
    variables: &[(&'static str, String)],
) {
    let process = ServiceProcess::start(binary, port_variable, variables.iter().cloned());
    process.healthy().await;
    let port = process.url.rsplit(':').next().expect("a port").to_owned();
    let health = async || -> Output {
        let check = Command::new(binary)
            .arg("health")
            .env_clear()
            .env(port_variable, &port)
            .envs(variables.iter().cloned())
            .kill_on_drop(true)
            .output();
        let output = time::timeout(DEADLINE, check).await.expect("it ends");
        output.expect("it can be run")
    };
    let alive = health().await;
    assert_eq!(alive.status.code(), Some(0), "{alive:?}");
    assert!(alive.stdout.is_empty() && alive.stderr.is_empty());
    process.terminate();
    process.ended().await;
    let gone = health().await;
    assert_eq!(gone.status.code(), Some(1), "{gone:?}");
    let errors = String::from_utf8(gone.stderr).expect("a text");
    assert_eq!(errors.lines().count(), 1, "{errors}");
    assert!(errors.contains(&format!(":{port}/health")), "{errors}");
}

/// Starts a binary with each of these wrong settings in turn, over variables that are right, and
/// holds it to what the contract says: exit code 64, and one line that names the variable.
pub async fn assert_refuses(
    binary: &str,
    port_variable: &str,
    variables: &[(&'static str, String)],
    wrong: &[(&'static str, &str)],
) {
    for (name, value) in wrong {
        let variables = variables
            .iter()
            .cloned()
            .chain([(*name, (*value).to_owned())]);
        let process = ServiceProcess::start(binary, port_variable, variables);
        let (status, _, errors) = process.ended().await;
        assert_eq!(status.code(), Some(64), "{name}: {errors}");
        assert_eq!(errors.lines().count(), 1, "{errors}");
        assert!(errors.starts_with(name), "{errors}");
    }
}
