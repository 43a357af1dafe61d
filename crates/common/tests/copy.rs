//! One ledger's knowledge, told to another.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::sync::Arc;
use std::time::Duration;

use boleto::Agreement;
use common::ledger::{
    AgreementLedger, AnyLedger, Audit, Bill, CarrierLedger, Channel, ChannelLedger, Checkpoint,
    Claim, CopyError, DebtLedger, DebtState, EndedRow, EndedSend, ErasureLedger, ExportLedger,
    ImportLedger, ImportStatus, KeyedUpload, LedgerSettings, NewEvent, RedisLedger, RedisSettings,
    RowLedger, SendClaim, SendEnd, SharedLedger, Told, Unbilled, WebhookLedger, copy_ledger,
};
use common::runtime::Environment;
use contract::{Reason, RowId, RowIdentity};
use jiff::{SignedDuration, Timestamp};
use redis::AsyncCommands;
use testkit::{Fsync, MemoryLedger, PostgresServer, Stack, new_import, tell};
use uuid::Uuid;

const IMPORT: Uuid = Uuid::from_u128(7 << 80);
const SMS: Channel = Channel::new("sms");
const ROWS: u64 = 12;

async fn source(stack: &Stack) -> RedisLedger {
    let settings = RedisSettings::read(&stack.service_environment("http://unused", &[])).unwrap();
    RedisLedger::connect(&settings, None).await.unwrap()
}

fn row(row: u64) -> RowId {
    RowId {
        import_id: IMPORT,
        row,
    }
}

fn debt(number: u64) -> String {
    format!("debt:{{{number}}} é")
}

fn reason(code: &'static str) -> Reason {
    Reason {
        code: code.into(),
        text: "why".into(),
    }
}

fn claim_of(number: u64) -> Claim {
    Claim::new(
        RowIdentity::Row(row(number)),
        format!("{{\"number\":{number}}}"),
    )
}

const NOTED: Uuid = Uuid::from_u128(8);

/// What webhooks are told of: an import, an e-mail, and an event.
async fn note(ledger: &impl WebhookLedger) {
    ledger
        .note_for_webhooks(Duration::from_hours(1))
        .await
        .unwrap();
    let told = Uuid::from_u128(9);
    ledger.note_imports(&[NOTED, told]).await.unwrap();
    let event = NewEvent {
        id: EVENT,
        kind: "import.completed".to_owned(),
        body: "{}".to_owned(),
    };
    ledger
        .tell_of_import(told, Some(&event), true)
        .await
        .unwrap();
    ledger
        .put_off_event(EVENT, 2, Duration::ZERO)
        .await
        .unwrap();
}

const EVENT: Uuid = Uuid::from_u128(10);

/// What is to be told is told from there, once.
async fn is_to_be_told(to: &SharedLedger) {
    let noted = to.noted_imports().await.unwrap();
    let noted: Vec<Uuid> = noted.iter().map(|noted| noted.import_id).collect();
    assert_eq!(noted, [NOTED, IMPORT]);
    let mails = to.noted_mails(10).await.unwrap().mails;
    assert_eq!(mails.len(), 1);
    assert_eq!(
        (&*mails[0].debt_id, mails[0].row),
        (&*debt(3), Some(row(3)))
    );
    let taken = to.take_events(10, Duration::from_hours(1)).await.unwrap();
    assert_eq!(
        (taken.len(), taken[0].event.id, taken[0].attempts),
        (1, EVENT, 2)
    );
    let later = new_import(Uuid::from_u128(6 << 80), 1);
    to.register_import(&later).await.unwrap();
    assert_eq!(to.noted_imports().await.unwrap().len(), 3);
}

/// A row of each kind: 1 to 6 are billed, 1 to 5 told of; 1 and 2 are mailed, 3
/// is undeliverable, 4 put off, and of 5 nobody knows; 7 is skipped, 8 invalid.
async fn fill(ledger: &impl ExportLedger) {
    let import = new_import(IMPORT, ROWS);
    ledger.register_import(&import).await.unwrap();
    let taken = ledger
        .take_import(&import.spool, Uuid::new_v4(), Duration::from_hours(1))
        .await;
    let sent = Checkpoint {
        rows: 8,
        offset: 800,
    };
    let lease = taken.unwrap().unwrap().lease;
    ledger.record_sent(&lease, sent, None).await.unwrap();
    ledger
        .cancel_import(IMPORT, Timestamp::now())
        .await
        .unwrap();
    let debts: Vec<String> = (1..=6).map(debt).collect();
    let bills = (1..=6).map(|number| Bill {
        debt_id: debt(number),
        claim: claim_of(number),
    });
    ledger.bill(&bills.collect::<Vec<_>>()).await.unwrap();
    let told = (1..=5).zip(&debts).map(|(number, debt_id)| Told {
        debt_id,
        row: Some(row(number)),
        revision: 0,
    });
    ledger.tell(&told.collect::<Vec<_>>()).await.unwrap();
    let ends = [
        (1, SendEnd::Sent),
        (2, SendEnd::Sent),
        (3, SendEnd::Undeliverable(reason("mailbox"))),
    ];
    let ends = ends.map(|(number, end)| EndedSend {
        debt_id: &debts[usize::try_from(number - 1).unwrap()],
        row: Some(row(number)),
        end,
    });
    ledger.end_sends(Channel::MAIL, &ends).await.unwrap();
    ledger.end_sends(SMS, &ends[..1]).await.unwrap();
    let until = Timestamp::now() + SignedDuration::from_mins(30);
    ledger
        .record_put_off(&[testkit::put_off(row(4), until)])
        .await
        .unwrap();
    ledger
        .note_unknown_sends(Channel::MAIL, &[&debts[4]], Uuid::from_u128(9))
        .await
        .unwrap();
    ledger
        .end_rows(Unbilled::Skipped, &[EndedRow::from(row(7))])
        .await
        .unwrap();
    let invalid = EndedRow {
        row: row(8),
        reason: Some(reason("email_invalid")),
    };
    ledger
        .end_rows(Unbilled::Invalid, &[invalid])
        .await
        .unwrap();
    ledger
        .keep_agreement(&Agreement::demonstration())
        .await
        .unwrap();
    ledger.reserve_numbers("our-number:a", 41).await.unwrap();
    let upload = KeyedUpload {
        import_id: IMPORT,
        sha256: "0".repeat(64),
    };
    ledger
        .claim_key("key:1", &upload, Duration::from_hours(1))
        .await
        .unwrap();
    ledger
        .begin_erasure(IMPORT, "somebody", Timestamp::UNIX_EPOCH)
        .await
        .unwrap();
}

/// The other ledger knows all of it.
async fn is_the_same(from: &RedisLedger, to: &SharedLedger) {
    let (there, here) = (
        from.row_facts(IMPORT, 1, ROWS).await.unwrap(),
        to.row_facts(IMPORT, 1, ROWS).await.unwrap(),
    );
    assert_eq!(there, here);
    let (there, here) = (
        from.import_status(IMPORT).await.unwrap().unwrap(),
        to.import_status(IMPORT).await.unwrap().unwrap(),
    );
    // Who carried it has stopped.
    let there = ImportStatus {
        carried_until: None,
        ..there
    };
    assert_eq!(there, here);
    assert_eq!(to.open_erasures().await.unwrap(), [IMPORT]);
    let unsent = to.uncarried_imports(&here.import.spool).await.unwrap();
    assert_eq!(unsent, [IMPORT]);
    let (there, here) = (
        Audit::of(from, IMPORT).await.unwrap(),
        Audit::of(to, IMPORT).await.unwrap(),
    );
    assert_eq!(there, here);
    for number in 1..=7 {
        let debt = debt(number);
        let expected = match number {
            7 => DebtState::Unbilled,
            _ => DebtState::Billed {
                claim: Some(claim_of(number)),
                notified: number <= 5,
            },
        };
        assert_eq!(to.debts(&[&debt]).await.unwrap(), [expected]);
        let owner = Uuid::from_u128(1);
        let claims = to
            .claim_sends(Channel::MAIL, &[&debt], owner, Duration::from_mins(1))
            .await
            .unwrap();
        let expected = match number {
            1 | 2 => SendClaim::Ended(SendEnd::Sent),
            3 => SendClaim::Ended(SendEnd::Undeliverable(reason("mailbox"))),
            _ => SendClaim::Granted,
        };
        assert_eq!(claims, [expected]);
    }
    let unknown = to
        .note_unknown_sends(Channel::MAIL, &[&debt(5)], Uuid::from_u128(10))
        .await;
    assert_eq!(unknown.unwrap(), [2]);
    let agreement = Agreement::demonstration();
    let kept = to.agreement(agreement.id()).await.unwrap();
    assert_eq!(kept, Some(agreement));
    let upload = to.keyed_upload("key:1").await.unwrap().unwrap();
    assert_eq!(upload.import_id, IMPORT);
}

#[tokio::test]
async fn a_copy_knows_what_its_source_knows_however_often_it_is_made() {
    let (stack, other) = (Stack::start().await, Stack::start().await);
    let from = source(&stack).await;
    note(&from).await;
    fill(&from).await;
    let to: SharedLedger = other.ledger().await;
    for _ in 0..2 {
        let copied = copy_ledger(&from, &to, |_| ()).await.unwrap();
        assert_eq!((copied.imports, copied.rows), (1, ROWS));
    }
    is_the_same(&from, &to).await;
    is_to_be_told(&to).await;
    // Numbers go on where they were.
    assert_eq!(to.reserve_numbers("our-number:a", 1).await.unwrap(), 42..43);

    let memory: SharedLedger = Arc::new(MemoryLedger::default());
    copy_ledger(&from, &memory, |_| ()).await.unwrap();
    is_the_same(&from, &memory).await;
    is_to_be_told(&memory).await;
}

#[tokio::test]
async fn a_copy_in_postgresql_knows_what_its_source_knows() {
    let stack = Stack::start().await;
    let from = source(&stack).await;
    note(&from).await;
    fill(&from).await;
    let server = PostgresServer::start(None, None, Fsync::Off).await;
    let server = server.unwrap_or_else(|error| panic!("{error}"));
    let to = LedgerSettings::at(&server.url(), &Environment::default()).unwrap();
    let to = to.connect(None).await.unwrap();
    for _ in 0..2 {
        copy_ledger(&from, &to, |_| ()).await.unwrap();
    }
    is_the_same(&from, &to).await;
    is_to_be_told(&to).await;
    assert_eq!(to.reserve_numbers("our-number:a", 1).await.unwrap(), 42..43);
}

#[tokio::test]
async fn a_ledger_that_is_closed_takes_no_claim_until_it_is_opened() {
    let stack = Stack::start().await;
    let ledger = source(&stack).await;
    let bill = |number| Bill {
        debt_id: debt(number),
        claim: claim_of(number),
    };
    let claim = async || {
        let owner = Uuid::new_v4();
        let lease = Duration::from_mins(1);
        ledger
            .claim_sends(Channel::MAIL, &["7"], owner, lease)
            .await
    };
    ledger.ping().await.unwrap();
    ledger.close().await.unwrap();
    assert!(ledger.ping().await.is_err());
    for _ in 0..2 {
        assert!(ledger.bill(&[bill(1)]).await.is_err());
        // Twins go another way.
        assert!(ledger.bill(&[bill(2), bill(2)]).await.is_err());
        assert!(claim().await.is_err());
    }
    let environment = stack.service_environment("http://unused", &[]);
    let settings = LedgerSettings::read(&environment).unwrap();
    let refused = settings.connect(None).await.unwrap_err();
    assert!(refused.to_string().contains("closed"), "{refused}");
    ledger.open().await.unwrap();
    ledger.ping().await.unwrap();
    assert!(ledger.bill(&[bill(1)]).await.is_ok());
    assert_eq!(claim().await.unwrap(), [SendClaim::Granted]);
}

#[tokio::test]
async fn what_cannot_be_copied_is_named() {
    let (stack, other) = (Stack::start().await, Stack::start().await);
    let from = source(&stack).await;
    fill(&from).await;
    let to = other.ledger().await;
    let claim = Claim::new(RowIdentity::Message("m".into()), "{}".into());
    testkit::bill(&to, &debt(3), claim).await;
    let error = copy_ledger(&from, &to, |_| ()).await.unwrap_err();
    assert!(matches!(error, CopyError::Differs(_)), "{error}");

    // Its debts without an import have numbers that the source gave out as well.
    let used = Stack::start().await;
    let numbered = used.ledger().await;
    numbered.reserve_numbers("our-number:a", 100).await.unwrap();
    let error = copy_ledger(&from, &numbered, |_| ()).await.unwrap_err();
    assert!(matches!(error, CopyError::Differs(_)), "{error}");

    let client = redis::Client::open(stack.redis_url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let () = connection.set("processed:foreign", "1").await.unwrap();
    tell(&from, &["foreign"]).await;
    let third = Stack::start().await;
    let error = copy_ledger(&from, &third.ledger().await, |_| ()).await;
    let error = error.unwrap_err();
    assert!(
        matches!(&error, CopyError::Foreign(id) if id == "foreign"),
        "{error}"
    );
}
