use std::fs;
use std::os::unix::fs::PermissionsExt;

use contract::Layout;

use super::*;
use crate::csv::Surveyed;

fn received(file_name: Option<&str>) -> Received {
    Received {
        file_name: file_name.map(str::to_owned),
        surveyed: Surveyed {
            layout: Layout::MESSAGE,
            data_start: 5,
            rows: 3,
        },
        client: "client".to_owned(),
        key: Some("key".to_owned()),
        trace: None,
    }
}

/// Beside the lock and the name.
fn files(dir: &Path) -> usize {
    fs::read_dir(dir).unwrap().count() - 2
}

async fn stored(spool: &Spool) -> Manifest {
    let upload = spool.begin().await.unwrap();
    upload.commit(received(None)).await.unwrap()
}

#[tokio::test]
async fn an_import_is_unfinished_until_it_is_noted_as_done() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(dir.path()).unwrap();
    let mut upload = spool.begin().await.unwrap();
    upload.write(b"hel", b"hel").unwrap();
    upload.write(b"lo", b"lo").unwrap();
    let manifest = upload.commit(received(Some("a.csv"))).await.unwrap();
    assert_eq!(manifest.size, 5);
    // `printf hello | sha256sum`
    let sha256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    assert_eq!(manifest.sha256, sha256);
    assert_eq!(manifest.start(), Position { offset: 5, rows: 0 });
    let import_id = manifest.import_id;
    let kept = spool.manifest_of(import_id).await.unwrap();
    assert_eq!(kept, Some(manifest));
    assert_eq!(spool.unfinished().await.unwrap(), [import_id]);

    // That of an older version, which kept how far it was sent there.
    let path = dir.path().join(format!("{import_id}.checkpoint"));
    fs::write(path, r#"{"position":{"offset":9,"rows":2},"done":false}"#).unwrap();
    assert_eq!(spool.unfinished().await.unwrap(), [import_id]);

    let position = Position { offset: 9, rows: 2 };
    spool.mark_done(import_id, position).await.unwrap();
    assert!(spool.unfinished().await.unwrap().is_empty());
    assert!(spool.is_done(import_id).await.unwrap());
    let older = spool.older_than(Duration::ZERO).await.unwrap();
    let older: Vec<Uuid> = older.into_iter().map(|old| old.import_id).collect();
    assert_eq!(older, [import_id]);
    let older = spool.older_than(Duration::from_hours(1)).await.unwrap();
    assert!(older.is_empty());
}

#[tokio::test]
async fn an_upload_that_is_not_committed_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(dir.path()).unwrap();
    let mut upload = spool.begin().await.unwrap();
    upload.write(b"hello", b"hello").unwrap();
    assert_eq!(files(dir.path()), 1);
    drop(upload);
    assert_eq!(files(dir.path()), 0);
}

#[tokio::test]
async fn what_a_crash_left_unfinished_is_removed_and_the_rest_kept() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(dir.path()).unwrap();
    let kept = stored(&spool).await;
    fs::write(dir.path().join("x.csv"), "cut off").unwrap();
    fs::write(dir.path().join("x.json.tmp"), "{").unwrap();
    fs::write(dir.path().join("y.checkpoint"), "{}").unwrap();
    drop(spool);
    let spool = Spool::open(dir.path()).unwrap();
    assert_eq!(files(dir.path()), 2);
    assert_eq!(spool.unfinished().await.unwrap(), [kept.import_id]);
}

#[tokio::test]
async fn an_import_that_is_removed_leaves_nothing_and_no_other_goes_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(dir.path()).unwrap();
    let (gone, kept) = (stored(&spool).await, stored(&spool).await);
    let position = gone.start();
    spool.mark_done(gone.import_id, position).await.unwrap();
    assert_eq!(files(dir.path()), 5);
    for _ in 0..2 {
        spool.remove(gone.import_id).await.unwrap();
        assert_eq!(files(dir.path()), 2);
    }
    assert_eq!(spool.unfinished().await.unwrap(), [kept.import_id]);
}

#[tokio::test]
async fn nobody_else_reads_what_is_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("spool");
    fs::create_dir(&dir).unwrap();
    let spool = Spool::open(&dir).unwrap();
    let mut upload = spool.begin().await.unwrap();
    upload.write(b"hello", b"hello").unwrap();
    let manifest = upload.commit(received(None)).await.unwrap();
    let position = manifest.start();
    spool.mark_done(manifest.import_id, position).await.unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    let files: Vec<_> = fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(files.len(), 5);
    assert!(files.iter().all(|file| mode(file) == 0o600), "{files:?}");
}

#[test]
fn two_processes_do_not_share_a_folder() {
    let dir = tempfile::tempdir().unwrap();
    let _first = Spool::open(dir.path()).unwrap();
    assert!(matches!(Spool::open(dir.path()), Err(SpoolError::InUse(_))));
}

#[test]
fn a_folder_keeps_its_name_and_shares_it_with_no_other() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let name = |dir: &Path| Spool::open(dir).unwrap().name().to_owned();
    assert!(name(one.path()).starts_with("node:"));
    assert_eq!(name(one.path()), name(one.path()));
    assert_ne!(name(one.path()), name(other.path()));
}
