//! The imports that a client looks for, through HTTP.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod importer;

use common::ledger::{ImportLedger, NewImport, SharedLedger};
use form_urlencoded::Serializer;
use futures::{StreamExt, stream};
use importer::Importer;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use testkit::RunningService;
use uuid::Builder;

/// The first of a day in Brasília, and the time between two imports of a test.
const BEGUN: &str = "2026-11-01T03:00:00Z";
const APART: SignedDuration = SignedDuration::from_mins(1);

/// Makes imports known, a minute apart; every hundredth is cancelled. Those of a
/// name with `late` were previewed an hour before.
async fn register(ledger: &SharedLedger, count: u32) {
    stream::iter(0..count)
        .for_each_concurrent(64, async |number| {
            let import = import(number);
            ledger.register_import(&import).await.unwrap();
            if number % 100 == 0 {
                let cancelled = ledger.cancel_import(import.import_id, import.accepted_at);
                cancelled.await.unwrap();
            }
        })
        .await;
}

fn import(number: u32) -> NewImport {
    let begun: Timestamp = BEGUN.parse().unwrap();
    let is_late = number % 10 == 7;
    let accepted_at = begun + APART * number.cast_signed();
    let kept = SignedDuration::from_hours(i64::from(is_late));
    let id_at = u64::try_from((accepted_at - kept).as_millisecond()).unwrap();
    let mut tail = [0; 10];
    tail[..4].copy_from_slice(&number.to_be_bytes());
    let name = if is_late { "late" } else { "Café" };
    NewImport {
        import_id: Builder::from_unix_timestamp_millis(id_at, &tail).into_uuid(),
        file_name: Some(format!("{name} {number}.csv")),
        size: 100,
        sha256: "0".repeat(64),
        rows: 1,
        accepted_at,
        // No replica has it.
        spool: "elsewhere".to_owned(),
        client: String::new(),
    }
}

/// The numbers of the imports of all pages, and how many pages there were.
async fn listed(service: &RunningService, query: &[(&str, &str)]) -> (Vec<u32>, u32) {
    let query = Serializer::new(String::new()).extend_pairs(query).finish();
    let mut route = format!("/v1/imports?{query}");
    let (mut numbers, mut pages) = (Vec::new(), 0);
    loop {
        let (status, page) = service.answer(&route).await;
        assert_eq!(status, 200);
        let page: Value = serde_json::from_str(&page).unwrap();
        for import in page["imports"].as_array().unwrap() {
            let name = import["file_name"].as_str().unwrap();
            let (_, number) = name.split_once(' ').unwrap();
            numbers.push(number.strip_suffix(".csv").unwrap().parse().unwrap());
        }
        pages += 1;
        let Some(next) = page["next"].as_str() else {
            return (numbers, pages);
        };
        next.clone_into(&mut route);
    }
}

#[tokio::test]
async fn imports_are_found_by_state_name_and_time() {
    let importer = Importer::new().await;
    let service = importer.start().await;
    register(&importer.stack.ledger().await, 350).await;

    let (numbers, pages) = listed(&service, &[("state", "cancelled"), ("limit", "2")]).await;
    assert_eq!((numbers, pages), (vec![300, 200, 100, 0], 2));
    let (mut numbers, _) = listed(&service, &[("file_name", "CAFÉ 30")]).await;
    numbers.sort_unstable();
    assert_eq!(numbers, [30, 300, 301, 302, 303, 304, 305, 306, 308, 309]);

    // From 01:00 until 02:00 of that day, however much earlier a preview was.
    let time = [
        ("accepted_from", "2026-11-01T01:00:00-03:00"),
        ("accepted_before", "2026-11-01T05:00:00Z"),
    ];
    let (mut numbers, pages) = listed(&service, &time).await;
    numbers.sort_unstable();
    assert!(numbers.iter().copied().eq(60..120), "{numbers:?}");
    assert_eq!(pages, 3);
    let both = [("state", "cancelled"), time[0], time[1]];
    assert_eq!(listed(&service, &both).await, (vec![100], 1));

    let nothing = (vec![], 1);
    assert_eq!(listed(&service, &[("state", "failed")]).await, nothing);
    let other_day = [("accepted_from", "2026-11-02T03:00:00Z")];
    assert_eq!(listed(&service, &other_day).await, nothing);
    let route = format!("{}/v1/imports", service.url());
    let long = format!("file_name={}", "x".repeat(501));
    for query in [
        "state=done",
        "accepted_from=yesterday",
        "accepted_before=",
        &long,
    ] {
        let answer = reqwest::get(format!("{route}?{query}")).await.unwrap();
        assert_eq!(answer.status(), 400, "{query}");
    }
}

#[tokio::test]
async fn a_look_for_what_is_rare_ends_before_all_were_looked_at() {
    let importer = Importer::new().await;
    let service = importer.start().await;
    register(&importer.stack.ledger().await, 2_150).await;
    // 100 of 2,150 are left for a second page.
    let (numbers, pages) = listed(&service, &[("file_name", "Café 100.csv")]).await;
    assert_eq!((numbers, pages), (vec![100], 2));
    // The time ends it earlier.
    let begin = [
        ("file_name", "nothing"),
        ("accepted_from", "2026-11-02T12:00:00Z"),
    ];
    assert_eq!(listed(&service, &begin).await, (vec![], 1));
    let newest = listed(&service, &[("limit", "100")]).await;
    assert_eq!(newest.0.len(), 2_150);
    assert_eq!(newest.1, 22);
}
