use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn status(counts: OutcomeCounts) -> ImportStatus {
    ImportStatus {
        import: NewImport {
            import_id: Uuid::nil(),
            file_name: None,
            size: 1,
            sha256: String::new(),
            rows: counts.rows,
            accepted_at: at(0),
            spool: String::new(),
            client: String::new(),
        },
        sent: counts.rows,
        offset: 0,
        sent_at: Some(at(1)),
        cancelled_at: None,
        abandoned_at: None,
        failure: None,
        progressed_at: at(1),
        waited_at: None,
        carried_until: None,
        finished_at: None,
        erasure: None,
        counts,
        put_off: PutOffRows::default(),
        channels: Vec::new(),
    }
}

const DONE: OutcomeCounts = OutcomeCounts {
    rows: 10,
    billed: 7,
    skipped: 3,
    invalid: 0,
    not_sent: 0,
    notified: 7,
    mailed: 7,
    undeliverable: 0,
};

#[test]
fn the_state_follows_the_figures() {
    let state = |status: &ImportStatus| status.state(at(2)).name();
    let fresh = ImportStatus {
        sent: 0,
        sent_at: None,
        ..status(OutcomeCounts {
            rows: 10,
            ..OutcomeCounts::default()
        })
    };
    assert_eq!(state(&fresh), "received");
    let sending = ImportStatus { sent: 4, ..fresh };
    assert_eq!(state(&sending), "sending");
    let unmailed = status(OutcomeCounts { mailed: 6, ..DONE });
    assert_eq!(state(&unmailed), "processing");
    assert!(!unmailed.is_over());
    assert_eq!(state(&status(DONE)), "completed");
    assert!(status(DONE).is_over());
    for counts in [
        OutcomeCounts {
            skipped: 2,
            invalid: 1,
            ..DONE
        },
        OutcomeCounts {
            mailed: 6,
            undeliverable: 1,
            ..DONE
        },
    ] {
        assert_eq!(state(&status(counts)), "completed_with_errors");
    }
}

#[test]
fn an_import_is_stalled_after_ten_minutes_without_progress_and_only_then() {
    let status = status(OutcomeCounts { mailed: 6, ..DONE });
    assert_eq!(status.state(at(600)), ImportState::Processing);
    assert_eq!(status.state(at(601)), ImportState::Stalled);
    // A clock that runs behind is no progress of ten minutes.
    assert_eq!(status.state(at(-10_000)), ImportState::Processing);
}

#[test]
fn an_import_waits_where_all_that_is_left_is_put_off_and_nothing_is_lost() {
    let put_off = PutOffRows {
        rows: 2,
        first: Some(at(3_000)),
        last: Some(at(4_000)),
    };
    let waiting = ImportStatus {
        put_off,
        ..status(OutcomeCounts { mailed: 5, ..DONE })
    };
    for now in [2, 601, 3_599] {
        assert_eq!(waiting.state(at(now)), ImportState::Waiting, "{now}");
    }
    assert!(!waiting.is_over());
    // Its message has not come back.
    assert_eq!(waiting.state(at(3_600)), ImportState::Stalled);
    for lost in [
        OutcomeCounts { mailed: 4, ..DONE },
        OutcomeCounts {
            mailed: 5,
            skipped: 2,
            ..DONE
        },
    ] {
        let beside = ImportStatus {
            counts: lost,
            ..waiting.clone()
        };
        assert_eq!(beside.state(at(600)), ImportState::Processing);
        assert_eq!(beside.state(at(601)), ImportState::Stalled);
    }
    let done = ImportStatus {
        counts: DONE,
        ..waiting
    };
    assert_eq!(done.state(at(2)), ImportState::Completed);
}

#[test]
fn an_import_that_waits_for_its_turn_is_not_stalled() {
    let waiting = ImportStatus {
        sent: 0,
        sent_at: None,
        waited_at: Some(at(6_000)),
        ..status(OutcomeCounts {
            rows: 10,
            ..OutcomeCounts::default()
        })
    };
    assert_eq!(waiting.state(at(6_599)), ImportState::Received);
    // Whoever had it is gone.
    assert_eq!(waiting.state(at(6_600)), ImportState::Stalled);
    let moved = ImportStatus {
        progressed_at: at(7_000),
        ..waiting
    };
    assert_eq!(moved.still_since(), at(7_000));
}

#[test]
fn an_import_is_uncarried_where_nobody_has_carried_it_or_let_it_wait_for_two_minutes() {
    let unsent = ImportStatus {
        sent: 4,
        sent_at: None,
        ..status(OutcomeCounts {
            rows: 10,
            ..OutcomeCounts::default()
        })
    };
    for (waited_at, carried_until, since) in [
        (None, None, 0),
        (Some(300), None, 300),
        (Some(300), Some(200), 300),
        (Some(300), Some(500), 500),
        // By a clock that runs behind.
        (Some(-9), Some(-5), 0),
    ] {
        let import = ImportStatus {
            waited_at: waited_at.map(at),
            carried_until: carried_until.map(at),
            ..unsent.clone()
        };
        assert_eq!(import.uncarried_since(), Some(at(since)));
        assert!(!import.is_uncarried(at(since + 119)));
        assert!(import.is_uncarried(at(since + 120)));
        let sent = ImportStatus {
            sent_at: Some(at(1)),
            ..import
        };
        assert_eq!(sent.uncarried_since(), None);
        assert!(!sent.is_uncarried(at(9_999)));
    }
}

#[test]
fn an_import_that_was_stopped_stands_still_as_others_do() {
    let counts = OutcomeCounts {
        rows: 9,
        billed: 4,
        notified: 4,
        mailed: 3,
        not_sent: 5,
        ..OutcomeCounts::default()
    };
    let cancelled = ImportStatus {
        sent: 4,
        cancelled_at: Some(at(1)),
        ..status(counts)
    };
    let (soon, late) = (at(10), at(1) + STALLED_AFTER);
    assert_eq!(cancelled.state(late), ImportState::Cancelled);
    assert!(!cancelled.is_stalled(soon) && cancelled.is_stalled(late));
    let over = ImportStatus {
        counts: OutcomeCounts {
            mailed: 4,
            ..counts
        },
        ..cancelled
    };
    assert!(over.is_over() && !over.is_stalled(late));
}

#[test]
fn a_cancelled_import_is_over_once_what_was_sent_is_settled() {
    let cancelled = |counts, sent_at| ImportStatus {
        sent: 5,
        cancelled_at: Some(at(1)),
        sent_at,
        ..status(counts)
    };
    let half = OutcomeCounts {
        billed: 4,
        mailed: 4,
        notified: 4,
        skipped: 1,
        not_sent: 5,
        ..DONE
    };
    assert_eq!(half.pending(), 0);
    let over = cancelled(half, Some(at(2)));
    assert_eq!(over.state(at(3)), ImportState::Cancelled);
    assert!(over.is_over());
    assert!(!cancelled(half, None).is_over());
    let unsettled = OutcomeCounts { mailed: 3, ..half };
    assert!(!cancelled(unsettled, Some(at(2))).is_over());
}

#[test]
fn what_came_too_late_to_stop_a_row_leaves_no_trace_in_the_state() {
    let unsettled = OutcomeCounts { mailed: 6, ..DONE };
    let unmailed = OutcomeCounts {
        notified: 0,
        mailed: 0,
        ..DONE
    };
    for (sent, counts, state) in [
        // All rows were sent before their sender learned of it.
        (10, DONE, "completed"),
        (10, unsettled, "processing"),
        (
            10,
            OutcomeCounts {
                billed: 0,
                ..unmailed
            },
            "processing",
        ),
        // A crash came before it was recorded that the last row was sent.
        (9, DONE, "completed"),
        (9, unsettled, "processing"),
    ] {
        let cancelled = ImportStatus {
            sent,
            cancelled_at: Some(at(1)),
            ..status(counts)
        };
        assert_eq!(cancelled.state(at(3)).name(), state, "{sent} {counts:?}");
        assert_eq!(cancelled.is_over(), state == "completed");
        let failed = ImportStatus {
            cancelled_at: None,
            failure: Some("the file is gone".to_owned()),
            ..cancelled
        };
        assert_eq!(failed.state(at(3)).name(), state, "{sent} {counts:?}");
    }
}
