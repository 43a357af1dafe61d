//! The programs of PostgreSQL on this machine, and who runs them.

use std::{
    env,
    ffi::OsString,
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use nix::unistd::{Gid, Uid, User, geteuid};

use super::PostgresError;
use crate::{
    child::{self, Program},
    data_directory::Unusable,
};

/// Where Debian keeps each version.
const OF_DEBIAN: &str = "/usr/lib/postgresql";

/// The oldest version that the ledger takes.
const OLDEST: u32 = 15;

/// What is run, and as whom.
#[derive(Debug)]
pub(super) struct Programs {
    folder: PathBuf,
    /// Somebody else where this process is root, which PostgreSQL refuses.
    user: Option<Unprivileged>,
}

/// Somebody with no rights but over the server's own files.
#[derive(Debug)]
struct Unprivileged {
    uid: Uid,
    gid: Gid,
    setpriv: PathBuf,
}

impl Programs {
    /// Finds the newest version.
    pub(super) fn find() -> Result<Self, PostgresError> {
        let of_debian = fs::read_dir(OF_DEBIAN).into_iter().flatten().flatten();
        let of_debian = of_debian.map(|version| version.path().join("bin"));
        let in_path = env::var_os("PATH").unwrap_or_default();
        let in_path: Vec<PathBuf> = env::split_paths(&in_path).collect();
        let folders = in_path.into_iter().chain(of_debian);
        let folders = folders.filter(|folder| folder.join("initdb").exists());
        let newest = folders
            .filter_map(|folder| Some((version(&folder)?, folder)))
            .filter(|(version, _)| *version >= OLDEST)
            .max_by_key(|(version, _)| *version);
        let (_, folder) = newest.ok_or(PostgresError::MissingBinary)?;
        let user = if geteuid().is_root() {
            Some(Unprivileged::find().ok_or(PostgresError::OnlyRoot)?)
        } else {
            None
        };
        Ok(Self { folder, user })
    }

    /// How one of them is run.
    pub(super) fn run(&self, name: &str, arguments: Vec<OsString>, log: File) -> Program {
        let binary = self.folder.join(name);
        let (binary, arguments) = match &self.user {
            None => (binary, arguments),
            Some(user) => (user.setpriv.clone(), user.become_and(binary, arguments)),
        };
        Program {
            binary,
            arguments,
            environment: vec![("LC_ALL", "C".to_owned())],
            log: log.into(),
        }
    }

    /// Makes a file or a folder theirs who run the programs.
    pub(super) fn hand_over(&self, path: &Path) -> Result<(), PostgresError> {
        let Some(user) = &self.user else {
            return Ok(());
        };
        let handed = nix::unistd::chown(path, Some(user.uid), Some(user.gid));
        Ok(handed.map_err(|error| Unusable::at(path)(error.into()))?)
    }
}

impl Unprivileged {
    fn find() -> Option<Self> {
        let setpriv = child::find_in_path("setpriv")?;
        let user = |name| User::from_name(name).ok().flatten();
        let user = user("postgres").or_else(|| user("nobody"))?;
        Some(Self {
            uid: user.uid,
            gid: user.gid,
            setpriv,
        })
    }

    /// What `setpriv` is told to run a program as them.
    fn become_and(&self, binary: PathBuf, arguments: Vec<OsString>) -> Vec<OsString> {
        let become_user = [
            format!("--reuid={}", self.uid).into(),
            format!("--regid={}", self.gid).into(),
            "--clear-groups".into(),
            // The change of the user takes back what was asked for before.
            "--pdeathsig=KILL".into(),
            binary.into(),
        ];
        become_user.into_iter().chain(arguments).collect()
    }
}

/// `postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)` → 15
fn version(folder: &Path) -> Option<u32> {
    let answer = Command::new(folder.join("postgres"))
        .arg("--version")
        .output();
    let answer = String::from_utf8(answer.ok()?.stdout).ok()?;
    major(&answer)
}

fn major(answer: &str) -> Option<u32> {
    let version = answer.split(' ').nth(2)?;
    let digits = version.find(|c: char| !c.is_ascii_digit());
    version[..digits.unwrap_or(version.trim_end().len())]
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::major;

    #[test]
    fn the_major_version_is_read_of_any_release() {
        for (answer, version) in [
            (
                "postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)\n",
                Some(15),
            ),
            ("postgres (PostgreSQL) 18beta1\n", Some(18)),
            ("postgres (PostgreSQL) 17\n", Some(17)),
            ("something else", None),
        ] {
            assert_eq!(major(answer), version, "{answer}");
        }
    }
}
