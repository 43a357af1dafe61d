//! The files of imports in a bucket of S3: in a server of this process, or in that of
//! `TESTKIT_AWS_ENDPOINT_URL`.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::io;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::routing::get;
use bytes::Bytes;
use common::messaging::{Aws, AwsSettings, BucketEncryption};
use common::runtime::Environment;
use contract::Layout;
use futures::future::try_join_all;
use importer_api::spool::{Bucket, BucketError, Manifest, OldImport};
use jiff::Timestamp;
use testkit::{BucketServer, FaultMode, FaultProxy, Resets, S3Keys, poll_until};
use tokio::net::TcpListener;
use uuid::Uuid;

const LONG: Duration = Duration::from_secs(40);
const MIB: usize = 1024 * 1024;

async fn bucket_in(environment: &Environment, bucket: &str) -> Bucket {
    let aws = Aws::new(&AwsSettings::read(environment).unwrap()).await;
    let url = format!("s3://{bucket}/some/prefix").parse().unwrap();
    let store = aws
        .bucket(&url, &BucketEncryption::OfTheBucket, None)
        .unwrap();
    Bucket::new(store, &url)
}

async fn bucket(server: &BucketServer) -> Bucket {
    bucket_in(&server.environment(), server.bucket()).await
}

/// The bucket behind a proxy.
async fn behind(proxy: &FaultProxy, server: &BucketServer) -> Bucket {
    let environment = server.environment_with(&[("S3_ENDPOINT_URL", &proxy.url())]);
    bucket_in(&environment, server.bucket()).await
}

fn content(size: usize) -> Bytes {
    let mut random = fastrand::Rng::with_seed(7);
    let mut content = vec![0; size];
    random.fill(&mut content);
    content.into()
}

/// Uploads it in pieces as they come from a network.
async fn upload(bucket: &Bucket, import_id: Uuid, content: &Bytes) -> io::Result<()> {
    let mut upload = bucket.begin(import_id);
    let mut left = content.clone();
    while !left.is_empty() {
        let size = fastrand::usize(1..=300_000).min(left.len());
        upload.write(left.split_to(size)).await?;
    }
    upload.complete().await
}

async fn read(bucket: &Bucket, import_id: Uuid, offset: usize) -> io::Result<Vec<u8>> {
    let mut reader = bucket.read(import_id, offset as u64);
    let mut read = Vec::new();
    while let Some(bytes) = reader.next().await? {
        assert!(!bytes.is_empty());
        read.extend_from_slice(&bytes);
    }
    assert_eq!(reader.next().await?, None);
    Ok(read)
}

async fn is_there(bucket: &Bucket, import_id: Uuid) -> bool {
    match read(bucket, import_id, 0).await {
        Ok(_) => true,
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => panic!("{error}"),
    }
}

fn manifest(import_id: Uuid, rows: u64) -> Manifest {
    Manifest {
        import_id,
        file_name: Some("dívidas.csv".to_owned()),
        size: 5,
        sha256: "00".to_owned(),
        rows,
        layout: Layout::MESSAGE,
        data_start: 0,
        accepted_at: Timestamp::now(),
        client: String::new(),
        key: None,
        previewed: false,
        trace: None,
    }
}

fn reason(error: &io::Error) -> &BucketError {
    error.get_ref().unwrap().downcast_ref().unwrap()
}

#[tokio::test]
async fn an_import_is_written_read_and_removed() {
    let server = BucketServer::start().await;
    let bucket = bucket(&server).await;
    let name = format!("s3://{}/some/prefix", server.bucket());
    assert_eq!(bucket.name(), name);
    bucket.check().await.unwrap();

    let (import_id, file) = (Uuid::now_v7(), content(3 * MIB));
    assert!(!is_there(&bucket, import_id).await);
    assert_eq!(bucket.manifest_of(import_id).await.unwrap(), None);
    upload(&bucket, import_id, &file).await.unwrap();
    for offset in [0, 1, 2 * MIB - 1, 2 * MIB, 3 * MIB - 1, 3 * MIB, 4 * MIB] {
        let read = read(&bucket, import_id, offset).await.unwrap();
        assert!(read == file[offset.min(file.len())..], "from {offset}");
    }

    let first = manifest(import_id, 3);
    bucket.put_manifest(&first).await.unwrap();
    bucket.put_manifest(&first).await.unwrap();
    let error = bucket.put_manifest(&manifest(import_id, 4)).await;
    let error = error.unwrap_err();
    assert!(
        matches!(reason(&error), BucketError::Other { .. }),
        "{error}"
    );
    assert_eq!(bucket.manifest_of(import_id).await.unwrap(), Some(first));

    bucket.remove(import_id).await.unwrap();
    bucket.remove(import_id).await.unwrap();
    assert!(!is_there(&bucket, import_id).await);
    assert_eq!(bucket.manifest_of(import_id).await.unwrap(), None);
}

#[tokio::test]
async fn files_of_any_size_come_back_as_they_were() {
    let server = BucketServer::start().await;
    let bucket = bucket(&server).await;
    for size in [0, 1, 8 * MIB, 8 * MIB + 1, 20_000_000] {
        let (import_id, file) = (Uuid::now_v7(), content(size));
        upload(&bucket, import_id, &file).await.unwrap();
        for offset in [0, size / 2, size.saturating_sub(1), size] {
            let read = read(&bucket, import_id, offset).await.unwrap();
            assert!(read == file[offset..], "{size} from {offset}");
        }
    }
    assert_eq!(server.unfinished_uploads().await, 0);
}

#[tokio::test]
async fn many_uploads_at_a_time_do_not_mix() {
    let server = BucketServer::start().await;
    let bucket = bucket(&server).await;
    let file = content(10 * MIB);
    let uploads = (0..6).map(async |nth| {
        let import_id = Uuid::now_v7();
        upload(&bucket, import_id, &file.slice(nth..)).await?;
        let read = read(&bucket, import_id, 0).await?;
        assert!(read == file[nth..]);
        io::Result::Ok(())
    });
    try_join_all(uploads).await.unwrap();
}

#[tokio::test]
async fn an_upload_that_is_given_up_leaves_nothing() {
    let server = BucketServer::start().await;
    let bucket = bucket(&server).await;
    let file = content(20 * MIB);
    let uploads = [Uuid::now_v7(), Uuid::now_v7()];
    for import_id in uploads {
        let mut upload = bucket.begin(import_id);
        upload.write(file.clone()).await.unwrap();
    }
    drop(bucket.begin(Uuid::now_v7()));
    // What a process waits for at its end.
    bucket.close().await;
    assert_eq!(server.unfinished_uploads().await, 0);
    for import_id in uploads {
        assert!(!is_there(&bucket, import_id).await);
    }
}

/// A bucket whose server says that to each GET, and that each object has so many bytes.
async fn answering(status: u16, body: &'static str, size: usize) -> Bucket {
    let status = StatusCode::from_u16(status).unwrap();
    let answer = move || async move { (status, body) };
    let head = move || async move {
        let headers = [
            (header::CONTENT_LENGTH, size.to_string()),
            (
                header::LAST_MODIFIED,
                "Tue, 01 Dec 2026 00:00:00 GMT".to_owned(),
            ),
            (header::ETAG, "\"tag\"".to_owned()),
        ];
        (headers, Body::from(vec![b'x'; size]))
    };
    let routes = Router::new().fallback(get(answer).head(head));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    let server = BucketServer::start().await;
    let environment = server.environment_with(&[("S3_ENDPOINT_URL", &endpoint)]);
    bucket_in(&environment, server.bucket()).await
}

#[tokio::test]
async fn an_odd_answer_is_not_taken_for_the_end_of_an_import() {
    let id = Uuid::now_v7();
    // Of something before S3 that does not reach it.
    let bucket = answering(404, "<html>404 Not Found</html>", 0).await;
    for error in [
        bucket.manifest_of(id).await.unwrap_err(),
        read(&bucket, id, 0).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), io::ErrorKind::Other, "{error}");
    }
    let refusal = "<?xml version=\"1.0\"?><Error><Code>InternalError</Code></Error>";
    let bucket = answering(200, refusal, 0).await;
    let error = bucket.manifest_of(id).await.unwrap_err();
    assert!(matches!(reason(&error), BucketError::NoManifest { .. }));
    let past = "<Error><Code>InvalidRange</Code></Error>";
    let bucket = answering(416, past, 54).await;
    read(&bucket, id, 53).await.unwrap_err();
    assert!(read(&bucket, id, 54).await.unwrap().is_empty());
    let gone = "<Error><Code>NoSuchKey</Code></Error>";
    let bucket = answering(404, gone, 0).await;
    assert_eq!(bucket.manifest_of(id).await.unwrap(), None);
    let error = read(&bucket, id, 0).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
}

#[tokio::test]
async fn old_imports_are_found_with_and_without_a_manifest() {
    let server = BucketServer::start().await;
    let bucket = bucket(&server).await;
    let (accepted, never_accepted) = (Uuid::now_v7(), Uuid::now_v7());
    for import_id in [accepted, never_accepted] {
        upload(&bucket, import_id, &content(5)).await.unwrap();
    }
    let manifest = manifest(accepted, 3);
    bucket.put_manifest(&manifest).await.unwrap();
    bucket.check().await.unwrap();
    let hour = Duration::from_hours(1);
    assert_eq!(bucket.older_than(hour).await.unwrap(), []);
    let old = poll_until("two old imports", LONG, async || {
        let old = bucket.older_than(Duration::ZERO).await.unwrap();
        (old.len() == 2).then_some(old)
    })
    .await;
    let expected = [(accepted, true), (never_accepted, false)];
    let expected = expected.map(|(import_id, has_manifest)| OldImport {
        import_id,
        has_manifest,
    });
    assert_eq!(old, expected);
}

#[tokio::test]
async fn more_imports_are_listed_than_a_page_has() {
    const PAGE: usize = 1_000;
    let server = BucketServer::start().await;
    let bucket = bucket(&server).await;
    for _ in 0..=PAGE / 50 {
        let uploads = (0..50).map(async |_| {
            let upload = bucket.begin(Uuid::now_v7());
            upload.complete().await
        });
        try_join_all(uploads).await.unwrap();
    }
    let old = poll_until("all of them", LONG, async || {
        let old = bucket.older_than(Duration::ZERO).await.unwrap();
        (old.len() == PAGE + 50).then_some(old)
    })
    .await;
    assert!(old.is_sorted_by_key(|old| old.import_id));
}

#[tokio::test]
async fn a_server_that_is_away_is_told_and_used_again() {
    let server = BucketServer::start().await;
    let proxy = server.proxy().await;
    let bucket = behind(&proxy, &server).await;
    let file = content(10 * MIB);
    let (kept, lost) = (Uuid::now_v7(), Uuid::now_v7());
    upload(&bucket, kept, &file).await.unwrap();
    let mut reader = bucket.read(kept, 0);
    let mut read = reader.next().await.unwrap().unwrap().to_vec();
    let mut upload = bucket.begin(lost);
    upload.write(file.slice(..9 * MIB)).await.unwrap();

    proxy.set(FaultMode::Refuse);
    let error = upload.complete().await.unwrap_err();
    let told = error.to_string();
    assert!(
        matches!(reason(&error), BucketError::Unavailable { .. }),
        "{told}"
    );
    assert!(
        told.contains(bucket.name()) && !told.contains("REDACTED"),
        "{told}"
    );
    assert!(bucket.check().await.is_err());
    // What was fetched ahead may still be given.
    let error = match reader.next().await {
        Ok(bytes) => {
            read.extend_from_slice(&bytes.unwrap());
            reader.next().await.unwrap_err()
        }
        Err(error) => error,
    };
    assert_ne!(error.kind(), io::ErrorKind::NotFound);

    proxy.set(FaultMode::Pass);
    bucket.check().await.unwrap();
    while let Some(bytes) = reader.next().await.unwrap() {
        read.extend_from_slice(&bytes);
    }
    assert!(read == file);
    poll_until("what was lost to be removed", LONG, async || {
        (server.unfinished_uploads().await == 0 && !is_there(&bucket, lost).await).then_some(())
    })
    .await;
}

/// Lets the proxy keep answers back until it has done so once.
async fn with_an_answer_lost<T>(
    proxy: &FaultProxy,
    only_to: &'static str,
    call: impl Future<Output = T>,
) -> T {
    let before = proxy.resets();
    proxy.set(FaultMode::ResetAfterCommit(Resets::of(1.0, only_to)));
    let mend = async {
        poll_until("an answer that is lost", LONG, async || {
            (proxy.resets() > before).then_some(())
        })
        .await;
        proxy.set(FaultMode::Pass);
    };
    tokio::join!(call, mend).0
}

#[tokio::test]
async fn a_lost_answer_does_not_make_a_success_a_failure() {
    let server = BucketServer::start().await;
    let proxy = server.proxy().await;
    let bucket = behind(&proxy, &server).await;
    let (import_id, file) = (Uuid::now_v7(), content(9 * MIB));

    let uploaded = upload(&bucket, import_id, &file);
    let uploaded = with_an_answer_lost(&proxy, "?uploadId=", uploaded).await;
    uploaded.unwrap();
    assert!(read(&bucket, import_id, 0).await.unwrap() == file);
    assert_eq!(server.unfinished_uploads().await, 0);

    let manifest = manifest(import_id, 3);
    let put = bucket.put_manifest(&manifest);
    with_an_answer_lost(&proxy, ".json", put).await.unwrap();
    assert_eq!(bucket.manifest_of(import_id).await.unwrap(), Some(manifest));

    let (small, file) = (Uuid::now_v7(), file.slice(..MIB));
    let uploaded = upload(&bucket, small, &file);
    with_an_answer_lost(&proxy, ".csv", uploaded).await.unwrap();
    let removed = bucket.remove(import_id);
    with_an_answer_lost(&proxy, "DELETE", removed)
        .await
        .unwrap();
    assert!(!is_there(&bucket, import_id).await);
}

#[tokio::test]
async fn a_missing_bucket_is_not_a_missing_object() {
    let server = BucketServer::start().await;
    let bucket = bucket_in(&server.environment(), "no-such-bucket").await;
    let import_id = Uuid::now_v7();
    let manifest = manifest(import_id, 3);
    for error in [
        bucket.check().await.unwrap_err(),
        bucket.manifest_of(import_id).await.unwrap_err(),
        bucket.put_manifest(&manifest).await.unwrap_err(),
        read(&bucket, import_id, 0).await.unwrap_err(),
        bucket.remove(import_id).await.unwrap_err(),
        bucket.older_than(Duration::ZERO).await.unwrap_err(),
        upload(&bucket, import_id, &content(5)).await.unwrap_err(),
        upload(&bucket, import_id, &content(9 * MIB))
            .await
            .unwrap_err(),
    ] {
        assert!(
            matches!(reason(&error), BucketError::NoBucket { .. }),
            "{error}"
        );
        assert!(
            error
                .to_string()
                .contains("s3://no-such-bucket/some/prefix")
        );
    }
}

#[tokio::test]
async fn keys_that_are_not_taken_are_told_without_the_secret() {
    let server = BucketServer::start().await;
    let Some(embedded) = server.embedded() else {
        // Others take any keys.
        return;
    };
    let bucket = bucket(&server).await;
    bucket.check().await.unwrap();
    for (access_key_id, secret_access_key) in [("other", "test"), ("test", "other-secret")] {
        embedded.set_keys(S3Keys {
            access_key_id: access_key_id.to_owned(),
            secret_access_key: secret_access_key.to_owned(),
        });
        let error = bucket.check().await.unwrap_err();
        assert!(
            matches!(reason(&error), BucketError::Credentials { .. }),
            "{error}"
        );
        assert!(!error.to_string().contains("Signature>"), "{error}");
        let keys = [
            ("AWS_ACCESS_KEY_ID", access_key_id),
            ("AWS_SECRET_ACCESS_KEY", secret_access_key),
        ];
        let environment = server.environment_with(&keys);
        let with_them = bucket_in(&environment, server.bucket()).await;
        with_them.check().await.unwrap();
    }
}
