//! A child process that leaves nothing behind.

use std::{
    convert::Infallible,
    env,
    ffi::OsString,
    io,
    os::{
        fd::OwnedFd,
        unix::{fs::PermissionsExt, process::CommandExt},
    },
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{OnceLock, mpsc},
    thread,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::{
    sync::oneshot,
    time::{self, Instant},
};

/// How often a child is looked at while its end is awaited.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// What to run.
pub struct Program {
    /// The program's file.
    pub binary: PathBuf,
    /// Its arguments, without the name.
    pub arguments: Vec<OsString>,
    /// Added to the environment of this process.
    pub environment: Vec<(&'static str, String)>,
    /// Takes the standard output and the standard error: a file or a pipe.
    pub log: OwnedFd,
}

/// A child process that is killed and waited for when this is dropped.
#[derive(Debug)]
pub struct OwnedChild {
    child: Child,
    /// Closing it lets the thread that started the child end.
    _parent: mpsc::Sender<Infallible>,
}

impl OwnedChild {
    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How the child ended, or `None` while it runs.
    pub fn exited(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Asks the child to end (SIGTERM). One that has ended already is no error.
    pub fn terminate(&self) {
        self.signal(Signal::SIGTERM);
    }

    /// Has the child do nothing from now on (SIGSTOP), as one whose host is cut off.
    pub fn pause(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Lets it go on (SIGCONT).
    pub fn resume(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        if let Ok(pid) = i32::try_from(self.id()) {
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }

    /// Kills the child (SIGKILL), and waits until it is gone.
    pub fn kill(&mut self) {
        // Both fail only for a child that has ended and was waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// How the child ended, or `None` if it still runs when the time is over.
    pub async fn ended_within(&mut self, limit: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            match self.exited() {
                Ok(None) if Instant::now() < deadline => time::sleep(POLL_INTERVAL).await,
                Ok(ended) => return ended,
                Err(_) => return None,
            }
        }
    }
}

impl Drop for OwnedChild {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Starts a program on a thread that lives as long as the child does.
///
/// Linux sends the parent-death signal when the *thread* that started the child ends, not the
/// process. A runtime's worker or blocking thread may end at any time, so the child gets a thread
/// of its own, which does nothing but wait for the [`OwnedChild`] to go.
pub async fn spawn(program: Program) -> io::Result<OwnedChild> {
    let (spawned, child) = oneshot::channel();
    thread::Builder::new()
        .name("child-parent".to_owned())
        .spawn(move || {
            let (parent, owner_gone) = mpsc::channel();
            let child = command(program).spawn().map(|child| OwnedChild {
                child,
                _parent: parent,
            });
            // A caller that no longer listens gets the child dropped, hence killed, here.
            if spawned.send(child).is_ok() {
                let _ = owner_gone.recv();
            }
        })?;
    child.await.map_err(io::Error::other)?
}

/// The first executable of that name in `PATH`.
pub fn find_in_path(name: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?)
        .map(|directory| directory.join(name))
        .find(|candidate| is_executable(candidate))
}

fn is_executable(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

fn command(program: Program) -> Command {
    let mut command = if can_die_with_parent() {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(program.binary);
        command
    } else {
        Command::new(program.binary)
    };
    command
        .args(program.arguments)
        .envs(program.environment)
        .stdin(Stdio::null());
    match program.log.try_clone() {
        Ok(log) => command.stdout(program.log).stderr(log),
        Err(_) => command.stdout(program.log).stderr(Stdio::null()),
    };
    // In a process group of its own, so that Ctrl-C in a terminal reaches only the owner, which
    // ends its children in their order.
    command.process_group(0);
    command
}

/// Whether `setpriv` is there and knows the option (the one of `BusyBox` does not).
fn can_die_with_parent() -> bool {
    static SUPPORTED: OnceLock<bool> = OnceLock::new();
    *SUPPORTED.get_or_init(|| {
        Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "true"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    })
}
