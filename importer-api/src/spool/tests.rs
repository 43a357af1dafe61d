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
    }
}

fn files(dir: &Path) -> usize {
    fs::read_dir(dir).unwrap().count() - 1
}

#[test]
fn an_import_is_unfinished_until_its_checkpoint_is_done() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(dir.path()).unwrap();
    let mut upload = spool.begin().unwrap();
    upload.write(b"hel", b"hel").unwrap();
    upload.write(b"lo", b"lo").unwrap();
    let manifest = upload.commit(received(Some("a.csv"))).unwrap();
    assert_eq!(manifest.size, 5);
    // `printf hello | sha256sum`
    let sha256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    assert_eq!(manifest.sha256, sha256);
    let start = Position { offset: 5, rows: 0 };
    let import_id = manifest.import_id;
    assert_eq!(spool.unfinished().unwrap(), [import_id]);
    let resumed = || spool.resume(import_id).unwrap();
    assert_eq!(resumed(), Some((manifest.clone(), start)));

    let position = Position { offset: 9, rows: 2 };
    let mut checkpoint = Checkpoint {
        position,
        done: false,
    };
    spool.save_checkpoint(import_id, checkpoint).unwrap();
    assert_eq!(spool.unfinished().unwrap(), [import_id]);
    assert_eq!(resumed(), Some((manifest.clone(), position)));
    assert!(spool.finished().unwrap().is_empty());

    checkpoint.done = true;
    spool.save_checkpoint(import_id, checkpoint).unwrap();
    assert!(spool.unfinished().unwrap().is_empty());
    assert_eq!(resumed(), None);
    assert_eq!(spool.finished().unwrap(), [import_id]);
}

#[test]
fn an_upload_that_is_not_committed_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(dir.path()).unwrap();
    let mut upload = spool.begin().unwrap();
    upload.write(b"hello", b"hello").unwrap();
    assert_eq!(files(dir.path()), 1);
    drop(upload);
    assert_eq!(files(dir.path()), 0);
}

#[test]
fn what_a_crash_left_unfinished_is_removed_and_the_rest_kept() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(dir.path()).unwrap();
    let kept = spool.begin().unwrap().commit(received(None)).unwrap();
    fs::write(dir.path().join("x.csv"), "cut off").unwrap();
    fs::write(dir.path().join("x.json.tmp"), "{").unwrap();
    fs::write(dir.path().join("y.checkpoint"), "{}").unwrap();
    drop(spool);
    let spool = Spool::open(dir.path()).unwrap();
    assert_eq!(files(dir.path()), 2);
    assert_eq!(spool.unfinished().unwrap(), [kept.import_id]);
}

#[test]
fn an_import_that_is_removed_leaves_nothing_and_no_other_goes_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(dir.path()).unwrap();
    let gone = spool.begin().unwrap().commit(received(None)).unwrap();
    let kept = spool.begin().unwrap().commit(received(None)).unwrap();
    let checkpoint = Checkpoint {
        position: gone.start(),
        done: true,
    };
    spool.save_checkpoint(gone.import_id, checkpoint).unwrap();
    assert_eq!(files(dir.path()), 5);
    spool.remove(gone.import_id).unwrap();
    assert_eq!(files(dir.path()), 2);
    spool.remove(gone.import_id).unwrap();
    assert_eq!(spool.unfinished().unwrap(), [kept.import_id]);
}

#[test]
fn nobody_else_reads_what_is_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("spool");
    fs::create_dir(&dir).unwrap();
    let spool = Spool::open(&dir).unwrap();
    let mut upload = spool.begin().unwrap();
    upload.write(b"hello", b"hello").unwrap();
    let manifest = upload.commit(received(None)).unwrap();
    let checkpoint = Checkpoint {
        position: manifest.start(),
        done: true,
    };
    spool
        .save_checkpoint(manifest.import_id, checkpoint)
        .unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    let files: Vec<_> = fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(files.len(), 4);
    assert!(files.iter().all(|file| mode(file) == 0o600), "{files:?}");
}

#[test]
fn two_processes_do_not_share_a_folder() {
    let dir = tempfile::tempdir().unwrap();
    let _first = Spool::open(dir.path()).unwrap();
    assert!(matches!(Spool::open(dir.path()), Err(SpoolError::InUse(_))));
}
