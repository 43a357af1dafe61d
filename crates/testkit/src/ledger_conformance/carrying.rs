//! Who carries an import.

use std::time::Duration;

use common::ledger::{Carrying, Checkpoint, ImportLease, Ledger, NewImport, TakenImport};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::{
    LONG, SPOOL, at, first_lease, import, import_id, record_sent_under, registered, taken,
};
use crate::poll_until;

const HOUR: Duration = Duration::from_hours(1);
const SHORT: Duration = Duration::from_millis(60);

fn sent(rows: u64) -> Checkpoint {
    let offset = rows * 100;
    Checkpoint { rows, offset }
}

async fn take<L: Ledger>(ledger: &L, lasts: Duration) -> Option<TakenImport> {
    let taken = ledger.take_import(SPOOL, Uuid::new_v4(), lasts).await;
    taken.unwrap()
}

/// Takes an import as soon as there is one.
async fn take_once_free<L: Ledger>(ledger: &L) -> TakenImport {
    poll_until("an import to be free", LONG, async || {
        take(ledger, HOUR).await
    })
    .await
}

async fn uncarried<L: Ledger>(ledger: &L) -> Vec<Uuid> {
    let mut free = ledger.uncarried_imports(SPOOL).await.unwrap();
    free.sort_unstable();
    free
}

/// In whatever order they were registered, and however often.
pub async fn imports_are_taken_oldest_first_and_each_by_one<L: Ledger>(ledger: &L) {
    assert_eq!(take(ledger, HOUR).await, None);
    for number in [3, 1, 2, 3, 1] {
        registered(ledger, number, 10).await;
    }
    assert_eq!(uncarried(ledger).await, [1, 2, 3].map(import_id));
    for number in 1..=3 {
        let expected = TakenImport {
            lease: ImportLease {
                import_id: import_id(number),
                epoch: 1,
            },
            from: sent(0),
        };
        assert_eq!(take(ledger, HOUR).await, Some(expected));
        // Who starts again registers what it finds.
        assert!(ledger.register_import(&import(number, 10)).await.unwrap());
    }
    assert_eq!(take(ledger, HOUR).await, None);
    assert!(uncarried(ledger).await.is_empty());
}

/// However many replicas there are.
pub async fn many_at_once_take_each_import_once<L: Ledger>(ledger: &L) {
    for number in 1..=20 {
        registered(ledger, number, 10).await;
    }
    let mut replicas = JoinSet::new();
    for _ in 0..8 {
        let ledger = ledger.clone();
        replicas.spawn(async move {
            let mut all = Vec::new();
            while let Some(taken) = take(&ledger, HOUR).await {
                all.push(taken.lease.import_id);
            }
            all
        });
    }
    let mut all = replicas.join_all().await.concat();
    all.sort_unstable();
    assert_eq!(all, (1..=20).map(import_id).collect::<Vec<_>>());
}

/// A replica cannot send a file that it does not have.
pub async fn an_import_is_taken_from_its_own_spool_alone<L: Ledger>(ledger: &L) {
    for (number, spool) in [(1, "node:{é} \"1\""), (2, SPOOL), (3, "")] {
        let import = NewImport {
            spool: spool.to_owned(),
            ..import(number, 10)
        };
        ledger.register_import(&import).await.unwrap();
    }
    for (number, spool) in [(2, SPOOL), (1, "node:{é} \"1\"")] {
        let ids = [import_id(number)];
        assert_eq!(ledger.uncarried_imports(spool).await.unwrap(), ids);
        let take = async || {
            ledger
                .take_import(spool, Uuid::new_v4(), HOUR)
                .await
                .unwrap()
        };
        let taken = take().await.unwrap();
        assert_eq!(taken.lease.import_id, ids[0]);
        assert_eq!(take().await, None);
    }
    assert_eq!(
        ledger
            .take_import("other", Uuid::new_v4(), HOUR)
            .await
            .unwrap(),
        None
    );
}

/// Its file is known to a replica that finds it in its spool.
pub async fn an_import_of_an_older_version_is_carried_once_it_is_registered_again<L: Ledger>(
    ledger: &L,
) {
    let older = NewImport {
        spool: String::new(),
        ..import(1, 10)
    };
    assert!(ledger.register_import(&older).await.unwrap());
    record_sent_under(ledger, &first_lease(older.import_id), 4, None).await;
    assert_eq!(take(ledger, HOUR).await, None);
    let found = NewImport {
        client: "a".to_owned(),
        ..import(1, 10)
    };
    for again in [&found, &older] {
        assert!(ledger.register_import(again).await.unwrap());
        let status = ledger.import_status(found.import_id).await.unwrap();
        assert_eq!(status.unwrap().import, found);
    }
    let taken = take(ledger, HOUR).await.unwrap();
    assert_eq!((taken.lease.epoch, taken.from), (1, sent(4)));
    assert_eq!(take(ledger, HOUR).await, None);
}

/// One that uploads a thousand files does not hold up another that uploads one.
pub async fn the_turns_are_shared_among_clients<L: Ledger>(ledger: &L) {
    let clients = [
        (1, "a"),
        (2, "a"),
        (3, "a"),
        (4, "a"),
        (5, "b"),
        (6, ""),
        (7, "b"),
    ];
    for (number, client) in clients {
        let import = NewImport {
            client: client.to_owned(),
            ..import(number, 10)
        };
        ledger.register_import(&import).await.unwrap();
    }
    let mut leases = Vec::new();
    for number in [1, 5, 6, 2, 7] {
        let lease = taken(ledger, HOUR).await;
        assert_eq!(lease.import_id, import_id(number));
        leases.push(lease);
    }
    // Those of `a` have ended, those of `b` have not.
    for lease in [&leases[0], &leases[3]] {
        record_sent_under(ledger, lease, 10, Some(at(1))).await;
    }
    registered(ledger, 8, 10).await;
    for number in [3, 4, 8] {
        assert_eq!(taken(ledger, HOUR).await.import_id, import_id(number));
    }
}

/// What the lost carrier sent behind its last checkpoint is sent again.
pub async fn an_import_whose_lease_has_ended_is_taken_first_and_goes_on_where_it_was<L: Ledger>(
    ledger: &L,
) {
    for number in 1..=3 {
        registered(ledger, number, 10).await;
    }
    let first = taken(ledger, HOUR).await;
    let lost = taken(ledger, SHORT).await;
    assert_eq!(lost.import_id, import_id(2));
    record_sent_under(ledger, &lost, 4, None).await;
    let again = poll_until("the lease to end", LONG, async || {
        let taken = take(ledger, HOUR).await?;
        if taken.lease.import_id == import_id(3) {
            ledger
                .give_back(&taken.lease, Duration::ZERO)
                .await
                .unwrap();
            return None;
        }
        Some(taken)
    })
    .await;
    let expected = TakenImport {
        lease: ImportLease { epoch: 2, ..lost },
        from: sent(4),
    };
    assert_eq!(again, expected);
    assert_eq!(taken(ledger, HOUR).await.import_id, import_id(3));
    assert!(!record_sent_under(ledger, &first, 1, None).await);
}

/// Such as one that was stopped for a minute, and goes on.
pub async fn what_an_earlier_carrier_writes_changes_nothing<L: Ledger>(ledger: &L) {
    let import = registered(ledger, 1, 10).await;
    let earlier = taken(ledger, SHORT).await;
    record_sent_under(ledger, &earlier, 3, None).await;
    let later = take_once_free(ledger).await;
    record_sent_under(ledger, &later.lease, 6, None).await;
    let before = ledger.import_status(import).await.unwrap();
    for sent_at in [None, Some(at(5))] {
        let recorded = ledger.record_sent(&earlier, sent(4), sent_at).await;
        assert_eq!(recorded.unwrap(), Carrying::TakenOver);
    }
    let recorded = ledger.record_failure(&earlier, "no file", at(5)).await;
    assert!(!recorded.unwrap());
    assert_eq!(
        ledger.renew_imports(&[earlier], HOUR).await.unwrap(),
        [false]
    );
    ledger.give_back(&earlier, Duration::ZERO).await.unwrap();
    assert_eq!(ledger.import_status(import).await.unwrap(), before);
    assert_eq!(take(ledger, HOUR).await, None);
    assert_eq!(ledger.failed_imports(at(0)).await.unwrap(), 0);
}

/// Also when it has ended meanwhile, as the ledger was away.
pub async fn a_lease_is_renewed_until_somebody_has_taken_the_import<L: Ledger>(ledger: &L) {
    for number in 1..=3 {
        registered(ledger, number, 10).await;
    }
    let ended = [taken(ledger, SHORT).await, taken(ledger, SHORT).await];
    let held = taken(ledger, HOUR).await;
    let taken_over = take_once_free(ledger).await;
    let id = taken_over.lease.import_id;
    let (lost, kept): (Vec<ImportLease>, Vec<ImportLease>) =
        ended.into_iter().partition(|lease| lease.import_id == id);
    let unknown = ImportLease {
        import_id: import_id(9),
        epoch: 1,
    };
    let leases = [kept[0], lost[0], held, unknown];
    let renewed = ledger.renew_imports(&leases, HOUR).await.unwrap();
    assert_eq!(renewed, [true, false, true, false]);
    assert_eq!(take(ledger, HOUR).await, None);
    assert!(ledger.renew_imports(&[], HOUR).await.unwrap().is_empty());
}

/// At once by a replica that stops, later by one that cannot send it now.
pub async fn an_import_that_is_given_back_is_free_at_once_or_later<L: Ledger>(ledger: &L) {
    for number in 1..=2 {
        registered(ledger, number, 10).await;
    }
    let first = taken(ledger, HOUR).await;
    record_sent_under(ledger, &first, 2, None).await;
    ledger.give_back(&first, Duration::ZERO).await.unwrap();
    let again = take(ledger, HOUR).await.unwrap();
    assert_eq!((again.lease.import_id, again.from), (import_id(1), sent(2)));
    ledger.give_back(&again.lease, SHORT).await.unwrap();
    // The other one has its turn meanwhile.
    assert_eq!(taken(ledger, HOUR).await.import_id, import_id(2));
    let later = take_once_free(ledger).await;
    assert_eq!(
        (later.lease.import_id, later.lease.epoch),
        (import_id(1), 3)
    );
}

/// It goes on at once, and whoever was thought gone changes nothing any more.
pub async fn the_leases_of_a_spool_end_when_its_only_process_starts<L: Ledger>(ledger: &L) {
    ledger.end_leases(SPOOL).await.unwrap();
    for number in 1..=3 {
        registered(ledger, number, 10).await;
    }
    let other = NewImport {
        spool: "other".to_owned(),
        ..import(4, 10)
    };
    ledger.register_import(&other).await.unwrap();
    let elsewhere = ledger
        .take_import("other", Uuid::new_v4(), HOUR)
        .await
        .unwrap();
    let earlier = [taken(ledger, HOUR).await, taken(ledger, HOUR).await];
    record_sent_under(ledger, &earlier[0], 2, None).await;
    ledger.end_leases(SPOOL).await.unwrap();
    assert_eq!(uncarried(ledger).await, [1, 2, 3].map(import_id));
    let again = take(ledger, HOUR).await.unwrap();
    let expected = ImportLease {
        epoch: 2,
        ..earlier[0]
    };
    assert_eq!((again.lease, again.from), (expected, sent(2)));
    let both = [earlier[0], elsewhere.unwrap().lease];
    let renewed = ledger.renew_imports(&both, HOUR);
    assert_eq!(renewed.await.unwrap(), [false, true]);
}

/// Whether all rows are sent or it has failed; the end can be told again.
pub async fn an_import_whose_sending_has_ended_is_carried_no_more<L: Ledger>(ledger: &L) {
    for number in 1..=2 {
        registered(ledger, number, 10).await;
    }
    let (sent_to_its_end, failed) = (taken(ledger, SHORT).await, taken(ledger, SHORT).await);
    for _ in 0..2 {
        record_sent_under(ledger, &sent_to_its_end, 10, Some(at(5))).await;
        let recorded = ledger.record_failure(&failed, "no file", at(5)).await;
        assert!(recorded.unwrap());
    }
    for number in [1, 2] {
        assert!(!ledger.register_import(&import(number, 10)).await.unwrap());
        let status = ledger
            .import_status(import_id(number))
            .await
            .unwrap()
            .unwrap();
        assert_eq!((status.sent_at, status.carried_until), (Some(at(5)), None));
    }
    let both = [sent_to_its_end, failed];
    let renewed = ledger.renew_imports(&both, HOUR).await.unwrap();
    assert_eq!(renewed, [false, false]);
    for lease in &both {
        ledger.give_back(lease, Duration::ZERO).await.unwrap();
    }
    let third = registered(ledger, 3, 10).await;
    let after = taken(ledger, HOUR).await;
    assert_eq!(after.import_id, third);
    assert_eq!(take(ledger, HOUR).await, None);
    assert!(uncarried(ledger).await.is_empty());
}

/// So that one that waits is over at once, and one whose replica is gone as well.
pub async fn a_cancel_ends_the_sending_at_once_where_nobody_carries_the_import<L: Ledger>(
    ledger: &L,
) {
    let carried = registered(ledger, 1, 10).await;
    let lease = taken(ledger, HOUR).await;
    let waiting = registered(ledger, 2, 10).await;
    for import in [carried, waiting] {
        ledger.cancel_import(import, at(5)).await.unwrap();
    }
    let sent_at = async |import| {
        let status = ledger.import_status(import).await.unwrap().unwrap();
        assert_eq!(status.cancelled_at, Some(at(5)));
        status.sent_at
    };
    assert_eq!(
        (sent_at(carried).await, sent_at(waiting).await),
        (None, Some(at(5)))
    );
    assert_eq!(take(ledger, HOUR).await, None);
    ledger.give_back(&lease, Duration::ZERO).await.unwrap();
    ledger.cancel_import(carried, at(7)).await.unwrap();
    assert_eq!(sent_at(carried).await, Some(at(7)));
    assert_eq!(take(ledger, HOUR).await, None);
}

/// That is how one without a carrier is found.
pub async fn who_looks_sees_until_when_an_import_is_carried<L: Ledger>(ledger: &L) {
    let import = registered(ledger, 1, 10).await;
    let until = async || {
        let status = ledger.import_status(import).await.unwrap().unwrap();
        status.carried_until
    };
    assert_eq!(until().await, None);
    let lease = taken(ledger, HOUR).await;
    let first = until().await.unwrap();
    ledger.renew_imports(&[lease], HOUR * 2).await.unwrap();
    assert!(until().await.unwrap() >= first + Duration::from_mins(59));
    ledger.give_back(&lease, Duration::ZERO).await.unwrap();
    assert_eq!(until().await, None);
}
