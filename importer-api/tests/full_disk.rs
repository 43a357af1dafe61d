//! A disk without room: nothing is half there, and what was promised is kept.
//!
//! It takes a file system of its own, so these tests do nothing where
//! mounting one is not permitted.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a panic is how a test fails, and a test that cannot run says so"
)]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use importer_api::Settings;
use reqwest::multipart::{Form, Part};
use serde_json::Value;
use tempfile::TempDir;
use testkit::{CsvFile, RunningService, Stack, poll_until};

const LONG: Duration = Duration::from_secs(20);
/// What a file takes of the disk, however small it is.
const PAGE: usize = 4096;

/// A file system of 256 KiB.
struct SmallDisk(TempDir);

impl SmallDisk {
    /// `None` where it is not permitted.
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"]);
        let is_mounted = mount
            .arg(folder.path())
            .status()
            .is_ok_and(|status| status.success());
        if !is_mounted {
            eprintln!("not tested: a file system cannot be mounted here");
        }
        is_mounted.then_some(Self(folder))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes the room that there is, but for that many pages.
    fn fill(&self, pages_left: usize) {
        let ballast = self.path().join("ballast");
        let mut bytes = 0;
        while fs::write(&ballast, vec![0; bytes + PAGE]).is_ok() {
            bytes += PAGE;
        }
        fs::write(&ballast, vec![0; bytes - pages_left * PAGE]).unwrap();
    }

    fn empty(&self) {
        fs::remove_file(self.path().join("ballast")).unwrap();
    }

    /// The files of imports, by what follows their id.
    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path()).unwrap();
        let names = entries.map(|e| e.unwrap().file_name().into_string().unwrap());
        let mut kinds: Vec<_> = names
            .filter_map(|name| Some(name.split_once('.')?.1.to_owned()))
            .collect();
        kinds.sort();
        kinds
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount")
            .arg("--lazy")
            .arg(self.path())
            .status();
    }
}

async fn start(stack: &Stack, disk: &SmallDisk, queue: &str) -> RunningService {
    let more = [("SPOOL_DIR", disk.path().to_str().unwrap())];
    let settings = Settings::read(&stack.service_environment(queue, &more)).unwrap();
    RunningService::start(|listener, stop| importer_api::run(settings, listener, stop)).await
}

async fn upload(service: &RunningService, file: Vec<u8>) -> (u16, Value) {
    let request = reqwest::Client::new().post(format!("{}/v1/upload", service.url()));
    let form = Form::new().part("file", Part::bytes(file).file_name("debts.csv"));
    let answer = request.multipart(form).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// A file that takes that many pages.
fn file_of(pages: usize) -> Vec<u8> {
    let mut file = CsvFile::new().valid_rows(1).bytes();
    file.resize(pages * PAGE, b'\n');
    file
}

#[tokio::test]
async fn an_upload_without_room_is_refused_and_leaves_nothing() {
    let Some(disk) = SmallDisk::mount() else {
        return;
    };
    let stack = Stack::start().await;
    let service = start(&stack, &disk, &stack.resources().data_process_url).await;
    disk.fill(3);
    // The file itself, the file that leaves no page for the manifest, and
    // one of which not even the first page has room.
    for (pages, left) in [(1_000, 3), (3, 3), (1, 0)] {
        disk.empty();
        disk.fill(left);
        let (status, problem) = upload(&service, file_of(pages)).await;
        assert_eq!(status, 507, "{problem}");
        assert_eq!(problem["type"], "urn:problem:disk-full");
        poll_until("nothing to be left", LONG, async || {
            disk.files().is_empty().then_some(())
        })
        .await;
    }
    disk.empty();
    let (status, answer) = upload(&service, file_of(3)).await;
    assert_eq!(status, 202, "{answer}");
    service.stop().await.unwrap();
}

#[tokio::test]
async fn an_import_whose_checkpoint_has_no_room_is_sent_after_all() {
    let Some(disk) = SmallDisk::mount() else {
        return;
    };
    let stack = Stack::start().await;
    let nowhere = "http://127.0.0.1:9/000000000000/data-process";
    let service = start(&stack, &disk, nowhere).await;
    let (status, answer) = upload(&service, file_of(2)).await;
    assert_eq!(status, 202, "{answer}");
    disk.fill(0);
    service.stop().await.unwrap();
    assert_eq!(disk.files(), ["csv", "json"]);

    let queue = &stack.resources().data_process_url;
    let service = start(&stack, &disk, queue).await;
    poll_until("the row to be sent", LONG, async || {
        (stack.depth(queue).await.visible == 1).then_some(())
    })
    .await;
    service.stop().await.unwrap();
    assert_eq!(disk.files(), ["csv", "json"]);

    disk.empty();
    let service = start(&stack, &disk, queue).await;
    poll_until("a checkpoint", LONG, async || {
        (disk.files() == ["checkpoint", "csv", "json"]).then_some(())
    })
    .await;
    service.stop().await.unwrap();
}
