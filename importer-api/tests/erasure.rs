//! What identifies the debtors of an import is removed, through HTTP, with a real queue and a real
//! Redis.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod importer;

use std::fs;
use std::path::Path;

use boleto::Agreement;
use common::ledger::{
    AgreementLedger, Bill, Channel, Claim, DebtLedger, DebtState, EndedRow, ErasureLedger,
    ImportLedger, RowLedger, SendEnd, SharedLedger, Unbilled,
};
use contract::{
    InvalidReason, Notification, OptionalColumn, Reason, RowId, RowIdentity, read_record,
};
use importer::{Importer, LONG, ready, upload};
use jiff::Timestamp;
use reqwest::multipart::{Form, Part};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use testkit::{CsvFile, CsvRow, RunningService, Stack, end_debts, poll_until, tell_debts};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use uuid::Uuid;

/// What is in every row, and in nothing else that a ledger keeps. No two of them have four signs
/// in common, of which a packed claim would have one.
const NAME: &str = "Zulmira Quixadá Wxyz";
const DOCUMENT: &str = "71428793860";
const EMAIL: &str = "qwkv.bnmh@jfpt.example";
const PHONE: &str = "97531-8642";

async fn ask(service: &RunningService, method: Method, route: &str) -> (StatusCode, Value) {
    let request = Client::new().request(method, format!("{}{route}", service.url()));
    let answer = request.send().await.unwrap();
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

async fn erase(service: &RunningService, import_id: Uuid) -> (StatusCode, Value) {
    ask(service, Method::DELETE, &format!("/v1/imports/{import_id}")).await
}

/// Waits until the import is like that, and gives it.
async fn import_that(
    service: &RunningService,
    import_id: Uuid,
    is: impl Fn(&Value) -> bool,
) -> Value {
    poll_until("the import to come that far", LONG, async || {
        let (_, import) = ask(service, Method::GET, &format!("/v1/imports/{import_id}")).await;
        is(&import).then_some(import)
    })
    .await
}

async fn erased(service: &RunningService, import_id: Uuid) -> Value {
    let is_erased = |import: &Value| import["erasure"]["erased_at"].is_string();
    import_that(service, import_id, is_erased).await
}

fn row_of(debt_id: &str) -> CsvRow {
    CsvRow {
        name: NAME.to_owned(),
        government_id: DOCUMENT.to_owned(),
        email: EMAIL.to_owned(),
        ..CsvRow::valid(debt_id)
    }
}

fn file_of(debt_ids: &[&str]) -> Vec<u8> {
    let rows = debt_ids.iter().map(|debt_id| row_of(debt_id));
    rows.fold(CsvFile::new(), |file, row| file.row(&row))
        .bytes()
}

/// Uploads debts whose rows are sent, and gives their import.
async fn sent(service: &RunningService, debt_ids: &[&str]) -> Uuid {
    let import_id = upload(service, file_of(debt_ids)).await;
    import_that(service, import_id, |import| import["sent_at"].is_string()).await;
    import_id
}

/// Bills rows of an import from the first on, as billing-worker does.
async fn bill(ledger: &SharedLedger, import_id: Uuid, debt_ids: &[&str]) {
    ledger
        .keep_agreement(&Agreement::demonstration())
        .await
        .unwrap();
    let bills = (1..).zip(debt_ids).map(|(row, debt_id)| {
        let record = read_record(&row_of(debt_id).line()).unwrap();
        let mut notification = Notification {
            boleto: testkit::billed(debt_id, row).boleto,
            ..Notification::of(record)
        };
        notification.columns.put(OptionalColumn::Phone, PHONE);
        let holder = RowIdentity::Row(RowId { import_id, row });
        Bill {
            debt_id: (*debt_id).to_owned(),
            claim: Claim::new(holder, serde_json::to_string(&notification).unwrap()),
        }
    });
    ledger.bill(&bills.collect::<Vec<_>>()).await.unwrap();
}

/// Brings these rows to their end, as the workers do.
async fn settle(ledger: &SharedLedger, import_id: Uuid, debt_ids: &[&str]) {
    bill(ledger, import_id, debt_ids).await;
    let debt = |row: &RowId| debt_ids[usize::try_from(row.row).unwrap() - 1].to_owned();
    let rows = (1..=debt_ids.len() as u64).map(|row| RowId { import_id, row });
    let rows: Vec<RowId> = rows.collect();
    tell_debts(ledger, &rows, debt).await;
    let ends: Vec<_> = rows.iter().map(|row| (*row, SendEnd::Sent)).collect();
    end_debts(ledger, Channel::MAIL, &ends, debt).await;
}

/// The import of debts that is over.
async fn over(service: &RunningService, ledger: &SharedLedger, debt_ids: &[&str]) -> Uuid {
    let import_id = sent(service, debt_ids).await;
    settle(ledger, import_id, debt_ids).await;
    import_that(service, import_id, |import| import["over"] == true).await;
    import_id
}

/// What each debt was billed with.
async fn billed(ledger: &SharedLedger, debt_ids: &[&str]) -> Vec<Notification> {
    let states = ledger.debts(debt_ids).await.unwrap();
    let billed = states.into_iter().map(|state| match state {
        DebtState::Billed {
            claim: Some(claim), ..
        } => claim.billed().unwrap(),
        state => panic!("{state:?}"),
    });
    billed.collect()
}

/// The keys of Redis that have one of these words in their name or their value, whatever they hold.
/// A claim is packed, and a word that is in no other claim stands in it as it is.
async fn keys_with(stack: &Stack, words: &[&str]) -> String {
    let script = "local found = {} \
        for _, key in ipairs(redis.call('KEYS', '*')) do \
            local kind, value = redis.call('TYPE', key).ok, '' \
            if kind == 'string' then value = redis.call('GET', key) \
            elseif kind == 'hash' then value = table.concat(redis.call('HGETALL', key), ' ') \
            elseif kind == 'set' then value = table.concat(redis.call('SMEMBERS', key), ' ') \
            elseif kind == 'zset' then value = table.concat(redis.call('ZRANGE', key, 0, -1), ' ') \
            else value = ARGV[1] end \
            for _, word in ipairs(ARGV) do \
                if string.find(key .. ' ' .. value, word, 1, true) then found[#found + 1] = key end \
            end \
        end \
        return table.concat(found, ' ')";
    let call = [&["EVAL", script, "0"], words].concat();
    let arguments = call
        .iter()
        .map(|argument| format!("${}\r\n{argument}\r\n", argument.len()));
    let arguments: String = arguments.collect();
    let request = format!("*{}\r\n{arguments}*1\r\n$4\r\nQUIT\r\n", call.len());
    let address = (stack.redis_host(), stack.redis_port());
    let mut connection = TcpStream::connect(address).await.unwrap();
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with('$'), "{answer}");
    answer.lines().nth(1).unwrap().to_owned()
}

/// The files of a spool that have one of these words in them.
fn files_with(spool: &Path, words: &[&str]) -> Vec<String> {
    let entries = fs::read_dir(spool).unwrap().map(|entry| entry.unwrap());
    let names = entries.filter_map(|entry| {
        let content = fs::read(entry.path()).unwrap();
        let content = String::from_utf8_lossy(&content).into_owned();
        let has_any = words.iter().any(|word| content.contains(word));
        has_any.then(|| entry.file_name().into_string().unwrap())
    });
    names.collect()
}

#[tokio::test]
async fn what_identifies_debtors_is_gone_from_everywhere_and_the_numbers_stay() {
    let importer = Importer::new().await;
    let service = importer.start().await;
    let ledger = importer.stack.ledger().await;
    let debts = ["er-1", "er-2", "er-3"];
    let import_id = sent(&service, &["er-1", "er-2", "er-3", "invalid", "er-1"]).await;
    settle(&ledger, import_id, &debts).await;
    let row = |row| RowId { import_id, row };
    let reason = Some(Reason::from(InvalidReason::NameEmpty));
    let invalid = EndedRow {
        row: row(4),
        reason,
    };
    let ended = ledger.end_rows(Unbilled::Invalid, &[invalid]).await;
    ended.unwrap();
    let skipped = [EndedRow::from(row(5))];
    ledger.end_rows(Unbilled::Skipped, &skipped).await.unwrap();
    let before = import_that(&service, import_id, |import| import["over"] == true).await;
    assert_eq!(before["erasure"], Value::Null);
    let boleto = |debt: &str| format!("/v1/boletos/{debt}");
    let (_, boleto_before) = ask(&service, Method::GET, &boleto("er-2")).await;
    assert_eq!(boleto_before["payer"]["name"], NAME);
    let words = [NAME, &DOCUMENT[..9], "qwkv.bnmh@jfpt", PHONE];
    // They are found where they are.
    assert_eq!(files_with(importer.spool.path(), &words).len(), 1);
    for word in words {
        let keys = keys_with(&importer.stack, &[word]).await;
        assert!(keys.contains("processed:er-1"), "{word}: {keys}");
    }

    let (status, import) = erase(&service, import_id).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    assert_eq!(import["erasure"]["by"], "");
    assert!(import["erasure"]["asked_at"].is_string());
    let after = erased(&service, import_id).await;
    let (status, again) = erase(&service, import_id).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    assert_eq!(again["erasure"], after["erasure"]);

    assert_eq!(keys_with(&importer.stack, &words).await, "");
    assert_eq!(
        files_with(importer.spool.path(), &words),
        Vec::<String>::new()
    );
    let files = fs::read_dir(importer.spool.path()).unwrap();
    let name = import_id.to_string();
    let of_import = files.filter(|entry| {
        let file = entry.as_ref().unwrap().file_name();
        file.to_string_lossy().contains(&name)
    });
    assert_eq!(of_import.count(), 0);
    for kept in [
        "state",
        "over",
        "rows",
        "file_name",
        "size",
        "sha256",
        "sent_at",
    ] {
        assert_eq!(after[kept], before[kept], "{kept}");
    }

    let (status, shown) = ask(&service, Method::GET, &boleto("er-2")).await;
    assert_eq!(status, StatusCode::OK);
    let mut expected = boleto_before.clone();
    (expected["payer"], expected["pdf"]) = (Value::Null, Value::Null);
    assert_eq!(shown, expected);
    let import = format!("/v1/imports/{import_id}");
    for (method, route) in [
        (Method::GET, "/v1/boletos/er-2.pdf".to_owned()),
        (Method::GET, format!("{import}/results")),
        (Method::GET, format!("{import}/boletos.zip")),
        (Method::POST, format!("{import}/reconcile")),
        (Method::POST, format!("{import}/reopen")),
    ] {
        let (status, problem) = ask(&service, method, &route).await;
        assert_eq!(status, StatusCode::GONE, "{route}: {problem}");
        assert_eq!(problem["type"], "urn:problem:personal-data-removed");
    }
    let change = json!({ "email": "other@example.com" });
    let url = format!("{}/v1/boletos/er-2", service.url());
    let changed = Client::new().patch(url).json(&change).send().await.unwrap();
    assert_eq!(changed.status(), StatusCode::GONE);

    let rejections = reqwest::Client::new()
        .get(format!("{}{import}/rejections", service.url()))
        .header("accept", "application/json");
    let rejections: Value = rejections.send().await.unwrap().json().await.unwrap();
    let rejections = &rejections["rejections"];
    assert_eq!(rejections[0]["code"], "name_empty");
    assert_eq!(rejections[0]["record"], Value::Null);
    let (_, reasons) = ask(&service, Method::GET, &format!("{import}/reasons")).await;
    assert_eq!(reasons["reasons"][0]["rows"], 1);
}

#[tokio::test]
async fn a_later_file_with_erased_debts_is_no_conflict_and_other_imports_keep_theirs() {
    let importer = Importer::new().await;
    let service = importer.start().await;
    let ledger = importer.stack.ledger().await;
    let own = sent(&service, &["own-1", "own-2"]).await;
    settle(&ledger, own, &["own-1", "own-2"]).await;
    // Its rows ask for a debt of the first, too.
    let other = sent(&service, &["other-1", "own-1"]).await;
    settle(&ledger, other, &["other-1"]).await;
    let skipped = EndedRow::from(RowId {
        import_id: other,
        row: 2,
    });
    let ended = ledger.end_rows(Unbilled::Skipped, &[skipped]).await;
    ended.unwrap();
    erase(&service, own).await;
    erased(&service, own).await;

    let [first, second, third] =
        <[_; 3]>::try_from(billed(&ledger, &["own-1", "own-2", "other-1"]).await).unwrap();
    assert!(first.is_erased() && second.is_erased());
    assert_eq!((&*third.name, &*third.email), (NAME, EMAIL));
    assert_eq!(
        files_with(importer.spool.path(), &[NAME]),
        [format!("{other}.csv")]
    );
    let (_, import) = ask(&service, Method::GET, &format!("/v1/imports/{other}")).await;
    assert_eq!(
        (&import["state"], &import["erasure"]),
        (&json!("completed"), &Value::Null)
    );

    // Somebody else by now; of another debt the amount differs.
    let moved = CsvRow::valid("own-1");
    let dearer = CsvRow {
        debt_amount: "9999.00".to_owned(),
        ..row_of("own-2")
    };
    let file = CsvFile::new().row(&moved).row(&dearer).bytes();
    let form = Form::new().part("file", Part::bytes(file).file_name("debts.csv"));
    let url = format!("{}/v1/uploads/preview", service.url());
    let preview = Client::new()
        .post(url)
        .multipart(form)
        .send()
        .await
        .unwrap();
    let preview: Value = preview.json().await.unwrap();
    assert_eq!(preview["rows"]["already_billed"], 2, "{preview}");
    assert_eq!(preview["rows"]["conflicts"], 1, "{preview}");
    let why = &preview["problems"][0];
    assert_eq!(why["row"], 2);
    assert_eq!(why["reason"], "the debt was billed with another amount");
}

#[tokio::test]
async fn an_import_that_is_not_over_is_not_erased() {
    let importer = Importer::new().await;
    let service = importer.start().await;
    let ledger = importer.stack.ledger().await;
    let import_id = sent(&service, &["open-1", "open-2"]).await;
    bill(&ledger, import_id, &["open-1", "open-2"]).await;
    let (status, problem) = erase(&service, import_id).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert_eq!(problem["type"], "urn:problem:import-not-over");
    assert!(!billed(&ledger, &["open-1"]).await[0].is_erased());
    assert_eq!(files_with(importer.spool.path(), &[NAME]).len(), 1);

    settle(&ledger, import_id, &["open-1", "open-2"]).await;
    assert_eq!(erase(&service, import_id).await.0, StatusCode::ACCEPTED);
    erased(&service, import_id).await;
}

#[tokio::test]
async fn what_was_begun_is_done_after_the_next_start_and_by_nobody_without_the_file() {
    let importer = Importer::new().await;
    let service = importer.start().await;
    let ledger = importer.stack.ledger().await;
    let import_id = over(&service, &ledger, &["begun-1"]).await;
    service.stop().await.unwrap();
    // Whoever was asked died at once.
    let begun = ledger.begin_erasure(import_id, "2c26b46b68ffc68f", Timestamp::now());
    begun.await.unwrap();

    let elsewhere = tempfile::tempdir().unwrap();
    let folder = elsewhere.path().to_str().unwrap();
    let other = importer.start_with(&[("SPOOL_DIR", folder)]).await;
    ready(&other).await;
    let (status, problem) = erase(&other, import_id).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert_eq!(problem["type"], "urn:problem:file-not-here");
    let (_, import) = ask(&other, Method::GET, &format!("/v1/imports/{import_id}")).await;
    assert_eq!(import["erasure"]["erased_at"], Value::Null);
    assert!(!billed(&ledger, &["begun-1"]).await[0].is_erased());

    let service = importer.start().await;
    let import = erased(&service, import_id).await;
    assert_eq!(import["erasure"]["by"], "2c26b46b68ffc68f");
    assert!(billed(&ledger, &["begun-1"]).await[0].is_erased());
    assert_eq!(
        files_with(importer.spool.path(), &[NAME]),
        Vec::<String>::new()
    );
    assert_eq!(ledger.open_erasures().await.unwrap(), Vec::<Uuid>::new());
    let status = ledger.import_status(import_id).await.unwrap().unwrap();
    assert!(status.is_erased_for_good());
}

#[tokio::test]
async fn who_follows_an_import_is_told_when_it_is_erased() {
    let importer = Importer::new().await;
    let service = importer.start().await;
    let ledger = importer.stack.ledger().await;
    let import_id = over(&service, &ledger, &["told-1"]).await;
    erase(&service, import_id).await;
    let url = format!("{}/v1/imports/{import_id}/events", service.url());
    let events = reqwest::get(url).await.unwrap().text().await.unwrap();
    let last = events
        .lines()
        .filter_map(|line| line.strip_prefix("data:"))
        .next_back();
    let last: Value = serde_json::from_str(last.unwrap()).unwrap();
    assert!(last["erasure"]["erased_at"].is_string(), "{events}");
}
