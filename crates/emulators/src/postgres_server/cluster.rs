//! Where a server keeps its data and its log.

use std::{
    fs::{self, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{PASSWORD, PostgresError, USER, programs::Programs};
use crate::{
    child,
    data_directory::{DataDirectory, Unusable},
};

/// Longest wait for the files of a new server.
const INIT_DEADLINE: Duration = Duration::from_mins(1);

/// The directory of one server.
#[derive(Debug)]
pub(super) struct Cluster(DataDirectory);

impl Cluster {
    /// The given directory, or a temporary one, with the files of a server: those that are there,
    /// or new ones.
    pub(super) async fn open(
        directory: Option<&Path>,
        programs: &Programs,
    ) -> Result<Self, PostgresError> {
        let cluster = Self::with_files_there(directory, programs)?;
        if !cluster.data().join("PG_VERSION").exists() {
            cluster.initialise(programs).await?;
        }
        Ok(cluster)
    }

    /// The same without new files.
    pub(super) fn with_files_there(
        directory: Option<&Path>,
        programs: &Programs,
    ) -> Result<Self, PostgresError> {
        let files = DataDirectory::open(directory, "postgres")?;
        programs.hand_over(files.path())?;
        Ok(Self(files))
    }

    /// Makes the files of a new server.
    async fn initialise(&self, programs: &Programs) -> Result<(), PostgresError> {
        let passwords = self.path().join("password");
        let written = fs::write(&passwords, PASSWORD)
            .and_then(|()| fs::set_permissions(&passwords, Permissions::from_mode(0o600)));
        written.map_err(Unusable::at(&passwords))?;
        programs.hand_over(&passwords)?;
        let arguments = vec![
            "-D".into(),
            self.data().into_os_string(),
            format!("--username={USER}").into(),
            // One that costs nothing: a test opens hundreds of connections.
            "--auth=password".into(),
            format!("--pwfile={}", passwords.display()).into(),
            "--encoding=UTF8".into(),
            "--no-locale".into(),
            // What is lost with the power is made anew.
            "--no-sync".into(),
        ];
        let program = programs.run("initdb", arguments, self.0.open_log()?);
        let failed = |source| PostgresError::Spawn {
            program: "initdb",
            source,
        };
        let mut child = child::spawn(program).await.map_err(failed)?;
        let Some(status) = child.ended_within(INIT_DEADLINE).await else {
            return Err(failed(io::ErrorKind::TimedOut.into()));
        };
        let _ = fs::remove_file(passwords);
        if status.success() {
            return Ok(());
        }
        Err(PostgresError::Exited {
            program: "initdb",
            status,
            log: self.0.log(),
        })
    }

    /// Takes the files of a certificate and its key, for the next time that the server reads its
    /// configuration.
    pub(super) fn use_tls(
        &self,
        certificate: &Path,
        key: &Path,
        programs: &Programs,
    ) -> Result<(), PostgresError> {
        for (from, name) in [(certificate, "server.crt"), (key, "server.key")] {
            let to = self.data().join(name);
            let copied = fs::copy(from, &to)
                .and_then(|_| fs::set_permissions(&to, Permissions::from_mode(0o600)));
            copied.map_err(Unusable::at(&to))?;
            programs.hand_over(&to)?;
        }
        let path = self.data().join("postgresql.conf");
        let file = OpenOptions::new().append(true).open(&path);
        let written = file.and_then(|mut file| file.write_all(b"ssl = on\n"));
        Ok(written.map_err(Unusable::at(&path))?)
    }

    /// Its directory and its log.
    pub(super) fn files(&self) -> &DataDirectory {
        &self.0
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(super) fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    /// Whether the server of that process id takes connections, as its lock file says: the first
    /// line is its process id, the eighth what it does.
    pub(super) fn is_ready_as(&self, pid: u32) -> bool {
        let lock = fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        let lines: Vec<&str> = lock.lines().map(str::trim).collect();
        lines.first() == Some(&&*pid.to_string())
            && lines
                .get(7)
                .is_some_and(|state| ["ready", "standby"].contains(state))
    }
}
