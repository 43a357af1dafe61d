//! The imports as a whole.

use std::time::Duration;

use common::ledger::{
    ImportState, ImportStatus, KeyedUpload, Ledger, NewImport, Outcome, OutcomeCounts, PutOffRows,
    RegisteredImports,
};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::{
    LONG, at, first_lease, import, import_id, reason, record_sent, record_sent_under, registered,
    row, rows, taken,
};
use crate::{bill_rows, end_rows, mail_rows, poll_until, refuse_mails, tell_rows};

const HOUR: Duration = Duration::from_hours(1);

async fn status<L: Ledger>(ledger: &L, import_id: Uuid) -> ImportStatus {
    ledger.import_status(import_id).await.unwrap().unwrap()
}

async fn observe<L: Ledger>(ledger: &L, import_id: Uuid, second: i64) -> ImportStatus {
    let observed = ledger.observe_import(import_id, at(second)).await;
    observed.unwrap().unwrap().status
}

async fn failed<L: Ledger>(ledger: &L, import_id: Uuid, reason: &str, second: i64) {
    let lease = first_lease(import_id);
    let recorded = ledger.record_failure(&lease, reason, at(second)).await;
    assert!(recorded.unwrap());
}

async fn open<L: Ledger>(ledger: &L) -> Vec<Uuid> {
    let mut open = ledger.open_imports().await.unwrap();
    open.sort_unstable();
    open
}

async fn end<L: Ledger>(
    ledger: &L,
    outcome: Outcome,
    import: Uuid,
    numbers: impl IntoIterator<Item = u64>,
) {
    end_rows(ledger, outcome, &rows(import, numbers)).await;
}

/// Bills those rows, tells of them and sends their e-mails.
async fn settle<L: Ledger>(ledger: &L, import: Uuid, numbers: impl IntoIterator<Item = u64>) {
    let rows = rows(import, numbers);
    bill_rows(ledger, &rows).await;
    tell_rows(ledger, &rows).await;
    mail_rows(ledger, &rows).await;
}

/// With nothing done to it yet.
pub async fn an_import_is_known_as_it_was_registered<L: Ledger>(ledger: &L) {
    let nameless = NewImport {
        file_name: None,
        ..import(2, 0)
    };
    for import in [import(1, 1_100_000), nameless] {
        assert!(ledger.register_import(&import).await.unwrap());
        let expected = ImportStatus {
            import: import.clone(),
            sent: 0,
            offset: 0,
            sent_at: None,
            cancelled_at: None,
            abandoned_at: None,
            failure: None,
            progressed_at: import.accepted_at,
            waited_at: None,
            carried_until: None,
            finished_at: None,
            erasure: None,
            put_off: PutOffRows::default(),
            channels: Vec::new(),
            counts: OutcomeCounts {
                rows: import.rows,
                ..OutcomeCounts::default()
            },
        };
        assert_eq!(status(ledger, import.import_id).await, expected);
        let rows = ledger.rows_of(import.import_id).await.unwrap();
        assert_eq!(rows, Some(import.rows));
    }
    assert_eq!(open(ledger).await, [import_id(1), import_id(2)]);
}

/// A repeat may come at any time, and may even differ.
pub async fn registering_again_keeps_what_is_known<L: Ledger>(ledger: &L) {
    let import = import(1, 10);
    let id = registered(ledger, 1, 10).await;
    settle(ledger, id, [1, 2]).await;
    record_sent(ledger, id, 5, None).await;
    ledger.cancel_import(id, at(7)).await.unwrap();
    failed(ledger, id, "no disk", 7).await;
    let before = observe(ledger, id, 8).await;
    let other = NewImport {
        file_name: None,
        size: 1,
        sha256: "ff".repeat(32),
        rows: 99,
        accepted_at: at(50),
        spool: "another".to_owned(),
        client: "another".to_owned(),
        ..import.clone()
    };
    for again in [&import, &other] {
        assert!(!ledger.register_import(again).await.unwrap());
        assert_eq!(status(ledger, id).await, before);
        assert_eq!(ledger.rows_of(id).await.unwrap(), Some(10));
        assert_eq!(ledger.recent_imports(None, 9).await.unwrap(), [id]);
        assert_eq!(open(ledger).await, [id]);
    }
}

/// Asking for it is no error.
pub async fn an_unknown_import_has_nothing<L: Ledger>(ledger: &L) {
    let id = import_id(1);
    assert_eq!(ledger.rows_of(id).await.unwrap(), None);
    assert_eq!(ledger.import_status(id).await.unwrap(), None);
    assert_eq!(ledger.observe_import(id, at(0)).await.unwrap(), None);
    let counts = ledger.outcome_counts(id).await.unwrap();
    assert_eq!(counts, OutcomeCounts::default());
    assert!(ledger.recent_imports(None, 9).await.unwrap().is_empty());
    assert!(open(ledger).await.is_empty());
    ledger.ping().await.unwrap();
}

/// Nor are those of an unknown one.
pub async fn rows_beyond_an_import_are_not_registered<L: Ledger>(ledger: &L) {
    let known = RegisteredImports::new(ledger.clone());
    assert!(!known.contain(row(import_id(1), 1)).await.unwrap());
    let import = registered(ledger, 1, 5).await;
    for (number, contained) in [(1, true), (5, true), (6, false), (u64::MAX, false)] {
        let is = known.contain(row(import, number)).await.unwrap();
        assert_eq!(is, contained, "{number}");
    }
}

/// The end of sending is recorded once, however often the sender resumes.
pub async fn sending_is_recorded_with_the_time_of_its_first_end<L: Ledger>(ledger: &L) {
    let import = registered(ledger, 1, 10).await;
    for (sent, sent_at, kept) in [
        (0, None, None),
        (4, None, None),
        (4, None, None),
        (10, Some(at(5)), Some(at(5))),
        (10, Some(at(9)), Some(at(5))),
        (10, None, Some(at(5))),
    ] {
        assert!(!record_sent(ledger, import, sent, sent_at).await);
        let status = status(ledger, import).await;
        assert_eq!((status.sent, status.sent_at), (sent, kept));
    }
}

/// Of each the last time stands; it is no progress.
pub async fn an_import_that_waits_for_its_turn_is_known_to_wait<L: Ledger>(ledger: &L) {
    let imports = [
        registered(ledger, 1, 10).await,
        registered(ledger, 2, 10).await,
        registered(ledger, 3, 10).await,
    ];
    let before = observe(ledger, imports[0], 5).await;
    ledger.record_waiting(&imports[..2], at(7)).await.unwrap();
    ledger.record_waiting(&imports[..1], at(9)).await.unwrap();
    ledger.record_waiting(&[], at(11)).await.unwrap();
    let expected = ImportStatus {
        waited_at: Some(at(9)),
        ..before
    };
    assert_eq!(observe(ledger, imports[0], 12).await, expected);
    assert_eq!(status(ledger, imports[1]).await.waited_at, Some(at(7)));
    assert_eq!(status(ledger, imports[2]).await.waited_at, None);
}

/// What was not sent by then never is; the rest is still settled.
pub async fn a_failed_import_is_over_once_what_was_sent_is_settled<L: Ledger>(ledger: &L) {
    let import = registered(ledger, 1, 10).await;
    let text = "the spool's file is gone: \"ü\"";
    record_sent(ledger, import, 2, None).await;
    for second in [3, 5] {
        failed(ledger, import, text, second).await;
        let status = observe(ledger, import, 6).await;
        assert_eq!(status.failure.as_deref(), Some(text));
        assert_eq!(status.sent_at, Some(at(3)));
        assert_eq!((status.counts.not_sent, status.counts.pending()), (8, 2));
        assert_eq!(status.finished_at, None);
    }
    settle(ledger, import, [1, 2]).await;
    let status = observe(ledger, import, 7).await;
    assert_eq!(status.finished_at, Some(at(7)));
    assert!(open(ledger).await.is_empty());
}

/// Whichever process was asked, the sender learns it with its next record.
pub async fn a_cancel_is_told_to_the_sender_and_keeps_its_first_time<L: Ledger>(ledger: &L) {
    let import = registered(ledger, 1, 10).await;
    let lease = taken(ledger, HOUR).await;
    let other = registered(ledger, 2, 10).await;
    assert!(!record_sent_under(ledger, &lease, 3, None).await);
    for second in [5, 9] {
        ledger.cancel_import(import, at(second)).await.unwrap();
        assert!(record_sent_under(ledger, &lease, 3, None).await);
        let status = status(ledger, import).await;
        assert_eq!((status.cancelled_at, status.sent_at), (Some(at(5)), None));
    }
    assert!(record_sent_under(ledger, &lease, 3, Some(at(6))).await);
    assert!(!record_sent(ledger, other, 3, None).await);
}

/// That is how a stalled import is told from a slow one.
pub async fn a_look_moves_the_progress_only_when_a_figure_moved<L: Ledger>(ledger: &L) {
    let import = registered(ledger, 1, 10).await;
    let mut last = at(0);
    let mut second = 0;
    let mut look = async |moved: bool| {
        // The first look sees the move, the later ones see that there was none.
        for moved in [moved, false, false] {
            second += 10;
            if moved {
                last = at(second);
            }
            let observed = observe(ledger, import, second).await;
            assert_eq!(observed.progressed_at, last, "at {second}");
            assert_eq!(status(ledger, import).await, observed);
        }
    };
    look(false).await;
    record_sent(ledger, import, 4, None).await;
    look(true).await;
    record_sent(ledger, import, 4, None).await;
    look(false).await;
    for (outcome, number) in Outcome::ALL.into_iter().zip(1..) {
        end(ledger, outcome, import, [number]).await;
        look(true).await;
        end(ledger, outcome, import, [number]).await;
        end(ledger, Outcome::Billed, import, [number]).await;
        look(false).await;
    }
    let first = rows(import, [1]);
    for moves in [true, false] {
        tell_rows(ledger, &first).await;
        look(moves).await;
    }
    for moves in [true, false] {
        mail_rows(ledger, &first).await;
        look(moves).await;
    }
    let second = rows(import, [4]);
    bill_rows(ledger, &second).await;
    look(true).await;
    let undeliverable = [(second[0], reason("mailbox", "none"))];
    for moves in [true, false] {
        refuse_mails(ledger, &undeliverable).await;
        look(moves).await;
    }
    ledger.register_import(&super::import(1, 10)).await.unwrap();
    look(false).await;
}

/// The time of the first look at the end stands.
pub async fn an_end_is_seen_once_and_the_import_is_open_until_then<L: Ledger>(ledger: &L) {
    let import = registered(ledger, 1, 2).await;
    let other = registered(ledger, 2, 2).await;
    record_sent(ledger, import, 2, Some(at(1))).await;
    settle(ledger, import, [1]).await;
    end(ledger, Outcome::Billed, import, [2]).await;
    assert_eq!(observe(ledger, import, 2).await.finished_at, None);
    let last = [(row(import, 2), reason("mailbox", "none"))];
    refuse_mails(ledger, &last).await;
    assert_eq!(status(ledger, import).await.finished_at, None);
    assert_eq!(open(ledger).await, [import, other]);
    for second in [3, 4] {
        let observed = observe(ledger, import, second).await;
        assert_eq!(observed.finished_at, Some(at(3)));
        assert_eq!(status(ledger, import).await, observed);
        assert_eq!(open(ledger).await, [other]);
    }
}

/// So that who counts the ends counts each once, however many look.
pub async fn one_of_all_looks_says_that_an_import_is_newly_over<L: Ledger>(ledger: &L) {
    let import = registered(ledger, 1, 1).await;
    let newly_over = async || {
        let mut looks = JoinSet::new();
        for second in 3..13 {
            let ledger = ledger.clone();
            looks.spawn(async move { ledger.observe_import(import, at(second)).await });
        }
        let looks = looks.join_all().await;
        let observed = looks.into_iter().map(|look| look.unwrap().unwrap());
        observed.filter(|observed| observed.newly_over).count()
    };
    assert_eq!(newly_over().await, 0);
    settle(ledger, import, [1]).await;
    assert_eq!(newly_over().await, 1);
    assert_eq!(newly_over().await, 0);
}

/// Whether or not they are over, and whoever has looked at them.
pub async fn failures_are_known_by_their_first_time<L: Ledger>(ledger: &L) {
    let known = async |second| ledger.failed_imports(at(second)).await.unwrap();
    assert_eq!(known(0).await, 0);
    for (number, second) in [(1, 3), (2, 5), (1, 9)] {
        let import = registered(ledger, number, 10).await;
        failed(ledger, import, "no disk", second).await;
    }
    settle(ledger, registered(ledger, 3, 1).await, [1]).await;
    for import in ledger.open_imports().await.unwrap() {
        observe(ledger, import, 10).await;
    }
    assert_eq!((known(3).await, known(4).await), (2, 1));
    assert_eq!((known(5).await, known(6).await), (1, 0));
}

/// A sender that resumes after a crash registers first.
pub async fn registering_again_does_not_open_what_has_ended<L: Ledger>(ledger: &L) {
    let import = registered(ledger, 1, 1).await;
    settle(ledger, import, [1]).await;
    let before = observe(ledger, import, 3).await;
    assert_eq!(before.finished_at, Some(at(3)));
    registered(ledger, 1, 1).await;
    assert!(open(ledger).await.is_empty());
    assert_eq!(status(ledger, import).await, before);
}

/// Until then nobody knows how many rows are not sent.
pub async fn a_cancelled_import_is_over_when_its_sender_has_stopped<L: Ledger>(ledger: &L) {
    let import = registered(ledger, 1, 10).await;
    let lease = taken(ledger, HOUR).await;
    settle(ledger, import, 1..=4).await;
    record_sent_under(ledger, &lease, 4, None).await;
    ledger.cancel_import(import, at(1)).await.unwrap();
    let observed = observe(ledger, import, 2).await;
    assert_eq!(observed.finished_at, None);
    assert_eq!(
        (observed.counts.not_sent, observed.counts.pending()),
        (0, 6)
    );

    record_sent_under(ledger, &lease, 4, Some(at(3))).await;
    let observed = observe(ledger, import, 4).await;
    assert_eq!(observed.finished_at, Some(at(4)));
    assert_eq!(
        (observed.counts.not_sent, observed.counts.pending()),
        (6, 0)
    );
    assert!(open(ledger).await.is_empty());
}

/// Its spool may be lost. Where its sender comes back, it has the last word.
pub async fn a_cancelled_import_without_a_sender_is_abandoned_after_a_while<L: Ledger>(ledger: &L) {
    let import = registered(ledger, 1, 10).await;
    let lease = taken(ledger, HOUR).await;
    let other = registered(ledger, 2, 10).await;
    settle(ledger, import, 1..=4).await;
    record_sent_under(ledger, &lease, 4, None).await;
    ledger.cancel_import(import, at(1)).await.unwrap();
    let before = observe(ledger, import, 60).await;
    assert_eq!(before.state(at(60)), ImportState::Cancelled);
    assert_eq!((before.finished_at, before.counts.not_sent), (None, 0));
    // Who only reads leaves it as it is.
    assert_eq!(status(ledger, import).await, before);
    for second in [61, 70] {
        let observed = observe(ledger, import, second).await;
        assert_eq!(observed.state(at(second)), ImportState::Abandoned);
        assert_eq!(
            (observed.finished_at, observed.counts.not_sent),
            (Some(at(61)), 6)
        );
        assert_eq!(status(ledger, import).await, observed);
        let unsent = observe(ledger, other, second).await;
        assert_eq!((unsent.sent_at, unsent.abandoned_at), (None, None));
    }
    assert_eq!(open(ledger).await, [other]);

    assert!(record_sent_under(ledger, &lease, 5, Some(at(80))).await);
    let observed = observe(ledger, import, 81).await;
    assert_eq!(observed.state(at(81)), ImportState::Cancelled);
    assert_eq!(
        (observed.sent_at, observed.counts.not_sent),
        (Some(at(61)), 5)
    );
}

/// A crash may have left rows sent that the record does not tell of.
pub async fn rows_that_were_not_sent_are_those_without_an_outcome_behind_the_last_sent<
    L: Ledger,
>(
    ledger: &L,
) {
    let import = registered(ledger, 1, 20).await;
    record_sent(ledger, import, 5, Some(at(1))).await;
    // Rows 1 to 3 are settled, 4 and 5 are not.
    settle(ledger, import, 1..=3).await;
    let counts = async || status(ledger, import).await.counts;
    assert_eq!((counts().await.not_sent, counts().await.pending()), (0, 17));
    ledger.cancel_import(import, at(2)).await.unwrap();
    assert_eq!((counts().await.not_sent, counts().await.pending()), (15, 2));
    // 6, 8 and 20 were sent all the same.
    for (outcome, number) in Outcome::ALL.into_iter().zip([6, 8, 20]) {
        end(ledger, outcome, import, [number]).await;
    }
    assert_eq!((counts().await.not_sent, counts().await.pending()), (12, 2));
    settle(ledger, import, 4..=6).await;
    assert_eq!((counts().await.not_sent, counts().await.pending()), (12, 0));
    assert!(status(ledger, import).await.is_over());
    end(ledger, Outcome::Invalid, import, 1..=20).await;
    assert_eq!((counts().await.not_sent, counts().await.pending()), (0, 0));
}

/// Random histories.
pub async fn the_counts_add_up_whatever_happened<L: Ledger>(ledger: &L) {
    let mut random = fastrand::Rng::with_seed(2);
    for number in 1..=15 {
        let rows = random.u64(1..=40);
        let import = registered(ledger, number, rows).await;
        let mut ended_rows = std::collections::BTreeSet::new();
        for second in 0..12 {
            match random.u8(0..6) {
                0 => {
                    let sent_at = random.bool().then(|| at(second));
                    let sent = random.u64(0..=rows);
                    record_sent(ledger, import, sent, sent_at).await;
                }
                1 if random.bool() => ledger.cancel_import(import, at(second)).await.unwrap(),
                _ => {
                    let first = random.u64(1..=rows);
                    let last = random.u64(first..=rows);
                    let outcome = Outcome::ALL[random.usize(0..3)];
                    end(ledger, outcome, import, first..=last).await;
                    ended_rows.extend(first..=last);
                }
            }
            let status = status(ledger, import).await;
            let counts = status.counts;
            assert_eq!(counts, ledger.outcome_counts(import).await.unwrap());
            assert_eq!(counts.rows, rows);
            assert_eq!(counts.ended(), ended_rows.len() as u64);
            assert_eq!(counts.ended() + counts.not_sent + counts.pending(), rows);
            let is_known = status.cancelled_at.is_some() && status.sent_at.is_some();
            let behind = (status.sent + 1..=rows).filter(|row| !ended_rows.contains(row));
            let not_sent = if is_known { behind.count() } else { 0 };
            assert_eq!(counts.not_sent, not_sent as u64);
        }
    }
}

/// In whatever order they were registered.
pub async fn recent_imports_come_newest_first_page_by_page<L: Ledger>(ledger: &L) {
    for number in [3, 1, 7, 5, 2, 6, 4, 3] {
        registered(ledger, number, 1).await;
    }
    let page = async |before: Option<u128>, limit| {
        let before = before.map(import_id);
        ledger.recent_imports(before, limit).await.unwrap()
    };
    let ids = |numbers: &[u128]| numbers.iter().copied().map(import_id).collect::<Vec<_>>();
    assert_eq!(page(None, 100).await, ids(&[7, 6, 5, 4, 3, 2, 1]));
    assert_eq!(page(None, 3).await, ids(&[7, 6, 5]));
    assert_eq!(page(Some(5), 3).await, ids(&[4, 3, 2]));
    assert_eq!(page(Some(2), 3).await, ids(&[1]));
    assert_eq!(page(Some(1), 3).await, ids(&[]));
    assert_eq!(page(None, 0).await, ids(&[]));
    // A page goes on where the last one ended, even if that import is gone.
    assert_eq!(page(Some(8), 2).await, ids(&[7, 6]));
    // What has ended is still listed.
    settle(ledger, import_id(7), [1]).await;
    observe(ledger, import_id(7), 1).await;
    assert_eq!(page(None, 1).await, ids(&[7]));
}

fn upload(number: u128) -> KeyedUpload {
    KeyedUpload {
        import_id: import_id(number),
        sha256: format!("{number:064x}"),
    }
}

/// Whoever comes later is told so.
pub async fn an_idempotency_key_stands_for_its_first_upload<L: Ledger>(ledger: &L) {
    let long = "k".repeat(1_000);
    for (number, key) in (1..).zip(["a", "A", "a b", "é:{}'\"", &long]) {
        assert_eq!(ledger.keyed_upload(key).await.unwrap(), None);
        for later in [number, 99, number] {
            let standing = ledger.claim_key(key, &upload(later), HOUR).await;
            assert_eq!(standing.unwrap(), upload(number), "{key}");
        }
        let standing = ledger.keyed_upload(key).await.unwrap();
        assert_eq!(standing, Some(upload(number)));
    }
}

/// A client that sends twice at once gets one import.
pub async fn many_at_once_claim_a_key_for_one_upload<L: Ledger>(ledger: &L) {
    let mut claims = JoinSet::new();
    for number in 0..20 {
        let ledger = ledger.clone();
        claims.spawn(async move { ledger.claim_key("a", &upload(number), HOUR).await.unwrap() });
    }
    let standing = ledger.claim_key("a", &upload(99), HOUR).await.unwrap();
    for other in claims.join_all().await {
        assert_eq!(other, standing);
    }
}

/// A later claim of it does not make that time longer.
pub async fn an_idempotency_key_is_free_again_after_its_time<L: Ledger>(ledger: &L) {
    let short = Duration::from_millis(60);
    ledger.claim_key("a", &upload(1), short).await.unwrap();
    ledger.claim_key("b", &upload(1), HOUR).await.unwrap();
    poll_until("the key to be free", LONG, async || {
        let standing = ledger.claim_key("a", &upload(2), HOUR).await.unwrap();
        (standing == upload(2)).then_some(())
    })
    .await;
    let standing = ledger.keyed_upload("a").await.unwrap();
    assert_eq!(standing, Some(upload(2)));
    let standing = ledger.keyed_upload("b").await.unwrap();
    assert_eq!(standing, Some(upload(1)));

    ledger.claim_key("c", &upload(1), short).await.unwrap();
    poll_until("the key to be forgotten", LONG, async || {
        let standing = ledger.keyed_upload("c").await.unwrap();
        standing.is_none().then_some(())
    })
    .await;
}
