//! The laws of a ledger, one function each, for whatever implements it.
//!
//! An implementation's test file names a function that gives an empty ledger and what must outlive
//! it, and gets a test for each law:
//!
//! ```no_run
//! use testkit::MemoryLedger;
//!
//! async fn empty() -> (MemoryLedger, ()) {
//!     (MemoryLedger::default(), ())
//! }
//!
//! testkit::ledger_conformance!(empty);
//! ```

pub mod agreements;
pub mod audit;
pub mod carrying;
pub mod channels;
pub mod debts;
pub mod erasure;
pub mod imports;
pub mod put_off;
pub mod rows;
pub mod undeliverable;
pub mod webhooks;

use std::borrow::Cow;
use std::time::Duration;

use common::ledger::{CarrierLedger, EndedRow, ImportLease, ImportLedger, NewImport};
use contract::{Reason, RowId};
use jiff::Timestamp;
use uuid::Uuid;

use crate::import::{first_lease, record_sent, record_sent_under};

/// Longest wait for a time of the ledger's clock to pass.
const LONG: Duration = Duration::from_secs(5);
/// The spool of the imports.
const SPOOL: &str = "s3://files/imports";

/// A `#[tokio::test]` for each law of [`ledger_conformance`](mod@crate::ledger_conformance). The
/// argument is an `async fn() -> (impl Ledger, Guard)`; the ledger must be empty, and the guard
/// lives as long as the test.
///
/// Where a store takes long to start, `in_one_test: start, empty` holds all laws in one test
/// against what `async fn start() -> Store` gives, each with a ledger of
/// `async fn empty(&Store) -> impl Ledger`.
#[macro_export]
macro_rules! ledger_conformance {
    ($empty:ident) => {
        $crate::ledger_conformance! { @laws @each $empty }
    };
    (in_one_test: $start:ident, $empty:ident) => {
        $crate::ledger_conformance! { @laws @all $start $empty }
    };
    (@laws $($form:tt)*) => {
        $crate::ledger_conformance! { $($form)*:
            agreements {
                an_agreement_is_given_back_as_it_was_kept
                an_agreement_that_nobody_kept_is_none
            }
            debts {
                the_first_claim_of_a_debt_wins_and_every_later_one_finds_it
                twins_in_one_call_are_claimed_by_the_first
                the_row_that_holds_the_claim_is_billed_once
                the_row_that_is_told_of_is_its_holders
                many_at_once_claim_a_debt_for_one_of_them
                a_claim_is_given_back_to_the_byte
                a_claim_is_revised_where_it_stands_as_is_said
                many_at_once_revise_a_claim_once
                whoever_is_told_of_an_earlier_revision_is_not_told_of_the_debt
                debt_ids_are_told_apart_byte_by_byte
                a_notification_is_marked_and_forgotten_again_and_again
                a_mark_without_a_claim_does_not_bill
                numbers_are_gapless_in_a_call_and_never_repeated
                many_at_once_never_get_the_same_number
                each_sequence_starts_at_one
            }
            rows {
                a_row_keeps_its_first_outcome_in_whatever_order_others_come
                an_outcome_is_new_exactly_once_even_to_many_at_once
                twins_in_one_call_are_new_once
                rows_of_several_imports_keep_their_order_in_the_answer
                an_empty_batch_changes_nothing
                a_reason_stays_with_the_outcome_it_came_with
                an_outcome_without_a_reason_has_none_for_ever
                a_reason_is_given_back_to_the_byte
                reasons_of_one_import_are_none_of_another
                reasons_beyond_those_that_are_kept_are_other
                told_and_mailed_stand_alone
                a_row_is_undeliverable_once_with_its_first_reason
                reasons_of_outcomes_and_of_undeliverable_rows_are_told_apart
                facts_of_any_window_are_those_of_its_rows
                nothing_is_known_of_rows_beyond_an_import_or_of_an_unknown_one
            }
            imports {
                an_import_is_known_as_it_was_registered
                registering_again_keeps_what_is_known
                an_unknown_import_has_nothing
                rows_beyond_an_import_are_not_registered
                sending_is_recorded_with_the_time_of_its_first_end
                an_import_that_waits_for_its_turn_is_known_to_wait
                a_failed_import_is_over_once_what_was_sent_is_settled
                a_cancel_is_told_to_the_sender_and_keeps_its_first_time
                a_look_moves_the_progress_only_when_a_figure_moved
                an_end_is_seen_once_and_the_import_is_open_until_then
                one_of_all_looks_says_that_an_import_is_newly_over
                failures_are_known_by_their_first_time
                registering_again_does_not_open_what_has_ended
                a_cancelled_import_is_over_when_its_sender_has_stopped
                a_cancelled_import_without_a_sender_is_abandoned_after_a_while
                rows_that_were_not_sent_are_those_without_an_outcome_behind_the_last_sent
                the_counts_add_up_whatever_happened
                recent_imports_come_newest_first_page_by_page
                an_idempotency_key_stands_for_its_first_upload
                many_at_once_claim_a_key_for_one_upload
                an_idempotency_key_is_free_again_after_its_time
            }
            carrying {
                imports_are_taken_oldest_first_and_each_by_one
                many_at_once_take_each_import_once
                an_import_is_taken_from_its_own_spool_alone
                an_import_of_an_older_version_is_carried_once_it_is_registered_again
                the_turns_are_shared_among_clients
                an_import_whose_lease_has_ended_is_taken_first_and_goes_on_where_it_was
                what_an_earlier_carrier_writes_changes_nothing
                a_lease_is_renewed_until_somebody_has_taken_the_import
                an_import_that_is_given_back_is_free_at_once_or_later
                the_leases_of_a_spool_end_when_its_only_process_starts
                an_import_whose_sending_has_ended_is_carried_no_more
                a_cancel_ends_the_sending_at_once_where_nobody_carries_the_import
                who_looks_sees_until_when_an_import_is_carried
            }
            channels {
                a_mail_is_granted_to_one_and_the_others_are_told_how_long_to_wait
                many_at_once_are_granted_a_mail_once
                its_owner_is_granted_a_mail_again_and_the_lease_begins_anew
                its_owner_renews_a_lease_that_has_not_ended
                attempts_of_unknown_outcome_are_counted_once_each
                only_its_owner_gives_a_lease_back
                a_mail_is_granted_again_when_its_lease_has_ended
                a_mail_that_has_ended_stays_so_for_ever
                the_first_end_of_a_mail_stands
                many_at_once_end_a_mail_in_one_way
                the_reason_of_a_mail_is_given_back_to_the_byte
                a_mail_can_be_ended_without_a_lease_and_after_it
                no_channel_knows_another
                each_revision_has_an_e_mail_of_its_own_and_all_have_one_row
                an_e_mail_that_is_superseded_says_nothing_of_its_row
                a_channel_counts_its_rows_and_holds_no_import_open
            }
            erasure {
                the_claims_of_an_import_are_found_wherever_they_stand
                a_claim_that_was_erased_is_still_found_and_no_other_is_changed
                an_erasure_is_known_by_who_asked_first_and_when_it_was_done
            }
            put_off {
                a_row_waits_until_the_last_time_that_was_told
                a_row_waits_for_the_last_reason_that_was_told
                a_row_waits_for_the_next_whole_second
                a_row_that_is_forgotten_no_longer_waits
                what_is_at_its_end_does_not_wait
                a_row_that_is_late_no_longer_waits_for_who_looks
            }
            undeliverable {
                a_row_is_undeliverable_only_where_its_mail_is
                what_is_taken_up_again_ends_anew
                nothing_else_is_taken_up_again
                an_import_that_was_at_its_end_is_open_again
                many_at_once_take_a_mail_up_again_once
            }
            webhooks {
                nothing_is_noted_that_nobody_asked_for
                an_import_is_noted_as_it_is_registered
                an_event_of_an_import_is_stored_once
                a_mail_is_noted_once_that_can_never_be_delivered
                an_event_of_mails_is_stored_as_a_whole
                an_event_is_taken_by_one_until_its_lease_ends
                an_event_is_put_off_given_up_and_tried_again
                what_another_ledger_has_to_tell_is_taken_over_once
            }
            audit {
                an_import_that_kept_every_law_holds
                an_unknown_import_has_no_audit
                what_a_mail_server_put_off_breaks_no_law_until_it_is_late
                what_is_still_under_way_breaks_no_law_unless_it_was_sent
                a_row_that_breaks_a_law_is_named
                a_cancelled_import_holds_when_what_was_sent_is_settled
            }
        }
    };
    (@all $start:ident $empty:ident: $($of:ident { $($law:ident)* })*) => {
        #[tokio::test]
        async fn every_law_holds() {
            let store = $start().await;
            $($({
                // One ledger at a time: each has connections of its own.
                let ledger = $empty(&store).await;
                Box::pin($crate::ledger_conformance::$of::$law(&ledger)).await;
            })*)*
        }
    };
    (@each $empty:ident: $($of:ident { $($law:ident)* })*) => {
        $(
            mod $of {
                $(
                    #[tokio::test]
                    async fn $law() {
                        let (ledger, _guard) = super::$empty().await;
                        $crate::ledger_conformance::$of::$law(&ledger).await;
                    }
                )*
            }
        )*

        #[test]
        fn every_law_is_held_against_the_ledger() {
            let held = [$((stringify!($of), &[$(stringify!($law)),*][..])),*];
            $crate::ledger_conformance::assert_complete(&held);
        }
    };
}

/// Fails when the list in the macro lacks a law of these modules.
#[doc(hidden)]
pub fn assert_complete(held: &[(&str, &[&str])]) {
    let sources = [
        (
            "agreements",
            include_str!("ledger_conformance/agreements.rs"),
        ),
        ("debts", include_str!("ledger_conformance/debts.rs")),
        ("rows", include_str!("ledger_conformance/rows.rs")),
        ("imports", include_str!("ledger_conformance/imports.rs")),
        ("channels", include_str!("ledger_conformance/channels.rs")),
        ("carrying", include_str!("ledger_conformance/carrying.rs")),
        ("erasure", include_str!("ledger_conformance/erasure.rs")),
        ("put_off", include_str!("ledger_conformance/put_off.rs")),
        (
            "undeliverable",
            include_str!("ledger_conformance/undeliverable.rs"),
        ),
        ("webhooks", include_str!("ledger_conformance/webhooks.rs")),
        ("audit", include_str!("ledger_conformance/audit.rs")),
    ];
    for (module, source) in sources {
        let laws: Vec<&str> = source
            .lines()
            .filter_map(|line| line.strip_prefix("pub async fn ")?.split('<').next())
            .collect();
        let held = held.iter().find(|(name, _)| *name == module);
        assert_eq!(held.map(|(_, laws)| *laws), Some(&laws[..]), "{module}");
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

/// The import of that age: a greater number is a newer one.
fn import_id(number: u128) -> Uuid {
    Uuid::from_u128((number << 80) | 0x7000_8000_0000_0000_0000)
}

fn import(number: u128, rows: u64) -> NewImport {
    NewImport {
        import_id: import_id(number),
        file_name: Some("dívidas, \"2\".csv".to_owned()),
        size: 12_345,
        sha256: "0f".repeat(32),
        rows,
        accepted_at: at(0),
        spool: SPOOL.to_owned(),
        client: String::new(),
    }
}

/// Takes the import that is next.
async fn taken(ledger: &impl CarrierLedger, lasts: Duration) -> ImportLease {
    let taken = ledger.take_import(SPOOL, Uuid::new_v4(), lasts).await;
    taken.unwrap().expect("no import to carry").lease
}

async fn registered(ledger: &impl ImportLedger, number: u128, rows: u64) -> Uuid {
    let import = import(number, rows);
    ledger.register_import(&import).await.unwrap();
    import.import_id
}

fn row(import_id: Uuid, row: u64) -> RowId {
    RowId { import_id, row }
}

fn rows(import_id: Uuid, numbers: impl IntoIterator<Item = u64>) -> Vec<RowId> {
    numbers.into_iter().map(|n| row(import_id, n)).collect()
}

fn ended(import_id: Uuid, numbers: impl IntoIterator<Item = u64>) -> Vec<EndedRow> {
    let rows = rows(import_id, numbers);
    rows.into_iter().map(EndedRow::from).collect()
}

fn because(row: RowId, reason: &Reason) -> EndedRow {
    EndedRow {
        row,
        reason: Some(reason.clone()),
    }
}

fn reason(code: &str, text: &str) -> Reason {
    Reason {
        code: Cow::Owned(code.to_owned()),
        text: Cow::Owned(text.to_owned()),
    }
}
