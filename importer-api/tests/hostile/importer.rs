//! The process under test.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tempfile::TempDir;
use testkit::{Stack, poll_until, sample};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use super::LONG;

/// The program of the tests, or the one that `IMPORTER_API_BINARY` names.
fn binary() -> PathBuf {
    std::env::var_os("IMPORTER_API_BINARY")
        .map_or_else(|| env!("CARGO_BIN_EXE_importer-api").into(), PathBuf::from)
}

/// An importer as a process, whose log goes to a file.
pub(super) struct Importer {
    process: Child,
    pub(super) address: SocketAddr,
    folder: TempDir,
}

impl Importer {
    pub(super) async fn start(stack: &Stack, further: &[(&str, &str)]) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), stack, further).await
    }

    /// Kills it as a crash would, and starts another one in its folder.
    pub(super) async fn kill_and_start(self, stack: &Stack, further: &[(&str, &str)]) -> Self {
        let Self {
            mut process,
            folder,
            ..
        } = self;
        process.kill().await.unwrap();
        Self::start_in(folder, stack, further).await
    }

    async fn start_in(folder: TempDir, stack: &Stack, further: &[(&str, &str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let log = File::create(folder.path().join("log")).unwrap();
        let process = Command::new(binary())
            .env_clear()
            .envs(stack.environment())
            .env("SQS_QUEUE_URL", &stack.resources().data_process_url)
            .env("SPOOL_DIR", folder.path().join("spool"))
            .env("PORT", address.port().to_string())
            .envs(further.iter().copied())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let importer = Self {
            process,
            address,
            folder,
        };
        poll_until("a healthy process", LONG, async || {
            let answer = reqwest::get(importer.url("/health")).await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
        importer
    }

    pub(super) fn url(&self, route: &str) -> String {
        format!("http://{}{route}", self.address)
    }

    pub(super) async fn metric(&self, name: &str) -> u64 {
        let answer = reqwest::get(self.url("/metrics")).await.unwrap();
        sample(&answer.text().await.unwrap(), name)
    }

    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// The files of the spool, by what follows their id.
    pub(super) fn files(&self) -> BTreeMap<String, usize> {
        let mut kinds = BTreeMap::new();
        for entry in fs::read_dir(self.folder.path().join("spool")).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if let Some((_, kind)) = name.split_once('.') {
                *kinds.entry(kind.to_owned()).or_default() += 1;
            }
        }
        kinds
    }

    /// Imports of the spool that are not sent to their end.
    pub(super) fn unfinished(&self) -> usize {
        let spool = self.folder.path().join("spool");
        let is_done = |path: &Path| {
            let checkpoint = fs::read_to_string(path.with_extension("checkpoint"));
            checkpoint.is_ok_and(|text| text.contains("\"done\":true"))
        };
        let files = fs::read_dir(spool).unwrap();
        let paths = files.map(|entry| entry.unwrap().path());
        let manifests = paths.filter(|path| path.extension().is_some_and(|kind| kind == "json"));
        manifests.filter(|path| !is_done(path)).count()
    }

    /// The most memory that the process has had, in MiB.
    pub(super) fn peak_memory(&self) -> u64 {
        self.status("VmHWM:") / 1024
    }

    /// How many threads the process has.
    pub(super) fn threads(&self) -> u64 {
        self.status("Threads:")
    }

    /// A number of what the system tells of the process.
    fn status(&self, name: &str) -> u64 {
        let path = format!("/proc/{}/status", self.process.id().unwrap());
        let status = fs::read_to_string(path).unwrap();
        let line = status.lines().find(|line| line.starts_with(name));
        let number = line.unwrap().split_whitespace().nth(1).unwrap();
        number.parse().unwrap()
    }

    /// Sends this over a connection of its own and reads all that is
    /// answered. Who hangs up may get no answer.
    pub(super) async fn send(&self, request: &[u8], hangs_up: bool) -> Vec<u8> {
        let mut client = TcpStream::connect(self.address).await.unwrap();
        let (mut from, mut to) = client.split();
        let mut answer = Vec::new();
        let sending = async {
            // The service may answer, and close, before it has all.
            let _ = to.write_all(request).await;
            if hangs_up {
                let _ = to.shutdown().await;
            }
        };
        let exchange = async { tokio::join!(sending, from.read_to_end(&mut answer)) };
        let ((), read) = tokio::time::timeout(LONG, exchange).await.unwrap();
        read.unwrap();
        answer
    }
}
