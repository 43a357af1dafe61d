//! The real chain, worker and publisher over a ledger, a queue and a topic in memory. A seed draws
//! what is sent, how it is delivered, what fails and who dies at which await; the same seed gives
//! the same run. Whatever it draws, each debt is billed once and told of as it was billed.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use billing_worker::BillingMetrics;
use billing_worker::chain::billing_chain;
use billing_worker::publisher::Publisher;
use billing_worker::worker::Worker;
use common::ledger::{Audit, Claim, DebtLedger, DebtState, ImportLedger, Law, RowFacts, RowLedger};
use common::messaging::{BatchHandler, BatchSender, CallError, Delivery, EntryOutcome, Outgoing};
use common::rules::{BillingRules, Calendar};
use common::runtime::AppRegistry;
use common::runtime::{Dependency, Outage};
use contract::{
    DebtRecord, Notification, RowId, RowIdentity, push_record, read_record, read_records,
};
use jiff::civil::{Date, date};
use testkit::simulation::{Ends, Life, drain};
use testkit::{CsvRow, FakeQueue, FaultPlan, MemoryLedger, for_each_seed, new_import, record_sent};
use tokio::runtime::Builder;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const SEEDS: u64 = 300;
const TODAY: Date = date(2026, 11, 29);
/// A due date that banks would read as another one.
const READ_OTHERWISE: &str = "2045-01-01";
/// A document that is neither CPF nor CNPJ.
const UNVERIFIED: &str = "9558";
/// No run takes that long, by its own clock, unless it hangs.
const FAR_TOO_LONG: Duration = Duration::from_hours(10);

#[test]
fn each_row_ends_once_and_each_debt_is_told_of_as_it_was_billed() {
    for_each_seed(SEEDS, |seed| {
        run(seed);
    });
}

#[test]
fn a_seed_gives_the_same_run_every_time() {
    for_each_seed(5, |seed| assert_eq!(run(seed), run(seed)));
}

/// One run, and all that was published in it.
fn run(seed: u64) -> Vec<Published> {
    // The jitter of the waits.
    fastrand::seed(seed);
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let scene = Scene::draw(seed).await;
        let finished = timeout(FAR_TOO_LONG, scene.play(seed)).await;
        assert!(finished.is_ok(), "the queue is never empty");
        scene.check().await;
        scene.topic.published.lock().unwrap().clone()
    })
}

/// What is sent, and where it goes.
struct Scene {
    ledger: MemoryLedger,
    queue: FakeQueue,
    topic: FakeTopic,
    metrics: BillingMetrics,
    imports: Vec<Import>,
    /// Debts that some record may bill.
    debt_ids: BTreeSet<String>,
    /// Those of them that some record bills whatever the rules are.
    sure: BTreeSet<String>,
    /// For so long documents are not looked at; then all processes are killed, and those that follow
    /// are strict about them.
    lenient_for: Option<Duration>,
    /// Rows whose message vanished before it was handled to its end.
    lost: Arc<Mutex<BTreeSet<RowId>>>,
}

struct Import {
    import_id: Uuid,
    bodies: Vec<String>,
}

/// A notification that the topic has, with the time of the run.
#[derive(Clone, Debug, PartialEq)]
struct Published {
    after: Duration,
    body: String,
    row: Option<RowId>,
}

fn read(body: &str) -> Option<DebtRecord> {
    let record = read_record(body).ok();
    record.filter(can_be_billed)
}

fn can_be_billed(record: &DebtRecord) -> bool {
    record.due_date.to_string() != READ_OTHERWISE
}

fn is_verified(record: &DebtRecord) -> bool {
    record.government_id != UNVERIFIED
}

/// The debts of a message, each with whether strict rules bill it, too; and how many rows the
/// message has.
fn debts_of(message: &Delivery) -> (BTreeSet<(String, bool)>, usize) {
    let mut rows = 0;
    let records = read_records(&message.body).inspect(|_| rows += 1);
    let mut debts = BTreeSet::new();
    for record in records.flatten().filter(can_be_billed) {
        if is_verified(&record) {
            debts.insert((record.debt_id.clone(), true));
        }
        debts.insert((record.debt_id, false));
    }
    (debts, rows)
}

/// Sends the rows of an import from an index on, some to a message.
fn send(queue: &FakeQueue, random: &mut fastrand::Rng, import: &Import, from: usize) {
    let mut rest = (1..).zip(&import.bodies).skip(from);
    while let Some((first, body)) = rest.next() {
        let mut message = body.clone();
        let further = random.usize(0..4);
        for (_, body) in rest.by_ref().take(further) {
            push_record(&mut message, body);
        }
        queue.send(&message, Some(row(import.import_id, first)));
    }
}

/// A record of one of a few debts, so that many have twins; some twins differ, and some records
/// cannot be billed, or only by rules that are not strict.
fn body(random: &mut fastrand::Rng, debts: usize) -> String {
    let debt_id = format!("debt-{}", random.usize(0..debts));
    let mut row = CsvRow::valid(debt_id);
    match random.u8(0..12) {
        0 => return "not,a,record".to_owned(),
        1 => row.email = "nobody".into(),
        2 => row.debt_amount = "1.00".into(),
        3 => row.email = "other@example.com".into(),
        4 => row.debt_due_date = READ_OTHERWISE.into(),
        5 => row.government_id = UNVERIFIED.into(),
        _ => {}
    }
    row.line()
}

impl Scene {
    async fn draw(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let ledger = MemoryLedger::default();
        let queue = FakeQueue::new(random.u64(..));
        let debts = random.usize(1..=15);
        let mut imports = Vec::new();
        for number in 1..=random.u128(1..=3) {
            let import_id = Uuid::from_u128(number << 80);
            let bodies: Vec<String> = (0..random.usize(1..=15))
                .map(|_| body(&mut random, debts))
                .collect();
            let rows = bodies.len() as u64;
            ledger
                .register_import(&new_import(import_id, rows))
                .await
                .unwrap();
            record_sent(&ledger, import_id, rows, None).await;
            let import = Import { import_id, bodies };
            send(&queue, &mut random, &import, 0);
            // An importer that resumes sends some rows again.
            for _ in 0..random.usize(0..3) {
                let from = random.usize(0..import.bodies.len());
                send(&queue, &mut random, &import, from);
            }
            imports.push(import);
        }
        let unregistered = [
            None,
            Some(row(Uuid::from_u128(9), 1)),
            Some(row(imports[0].import_id, 99)),
        ];
        for _ in 0..random.usize(0..4) {
            let mut message = body(&mut random, debts);
            for _ in 0..random.usize(0..3) {
                push_record(&mut message, &body(&mut random, debts));
            }
            queue.send(&message, unregistered[random.usize(0..3)]);
        }
        // The last row of an import, and rows that go beyond it.
        if let Some(last) = imports[0].bodies.last().filter(|_| random.bool()) {
            let mut message = last.clone();
            push_record(&mut message, &body(&mut random, debts));
            let rows = imports[0].bodies.len() as u64;
            queue.send(&message, Some(row(imports[0].import_id, rows)));
        }
        let sent = queue.messages();
        let debts: BTreeSet<_> = sent.iter().flat_map(|m| debts_of(m).0).collect();
        let lenient_for = random
            .bool()
            .then(|| Duration::from_millis(random.u64(0..300)));
        let sure = debts
            .iter()
            .filter(|(_, by_strict_rules)| lenient_for.is_none() || *by_strict_rules);
        let registry = AppRegistry::new("billing-worker").unwrap();
        Self {
            sure: sure.map(|(debt_id, _)| debt_id.clone()).collect(),
            debt_ids: debts.into_iter().map(|(debt_id, _)| debt_id).collect(),
            lenient_for,
            metrics: BillingMetrics::new(&registry).unwrap(),
            topic: FakeTopic::new(random.u64(..)),
            lost: Arc::default(),
            ledger,
            queue,
            imports,
        }
    }

    /// Lets processes drain the queue.
    async fn play(&self, seed: u64) {
        let (ledger, topic, metrics) = (
            self.ledger.clone(),
            self.topic.clone(),
            self.metrics.clone(),
        );
        let end_of_all = CancellationToken::new();
        let start = move |life: Life, strict_documents, end_of_all: &CancellationToken| {
            let ledger = ledger.with_faults(FaultPlan::new(life.seed));
            let topic = topic.of([life.killed.clone(), end_of_all.clone()]);
            process(&ledger, topic, &metrics, &life, strict_documents)
        };
        let losing = self.losing(seed);
        if let Some(time) = self.lenient_for {
            let (start, end) = (start.clone(), end_of_all.clone());
            let start = move |life| start(life, false, &end);
            let lenient = drain(&self.queue, seed, Ends::AtOnce, start, losing.clone());
            let _ = timeout(time, lenient).await;
            end_of_all.cancel();
        }
        let is_strict = self.lenient_for.is_some();
        let start = move |life| start(life, is_strict, &CancellationToken::new());
        drain(&self.queue, !seed, Ends::AtOnce, start, losing).await;
    }

    /// A crash that leaves a message lost, now and then: somebody took it for poison. Another message
    /// of the debt must not be lost, or nobody could finish the work; it may have been handled
    /// before, as no message is done before its debt is told of.
    fn losing(&self, seed: u64) -> impl Fn(&[Delivery]) + Clone + Send + Sync + 'static + use<> {
        let (queue, lost) = (self.queue.clone(), Arc::clone(&self.lost));
        let mut left = BTreeMap::<(String, bool), BTreeSet<String>>::new();
        for message in queue.messages() {
            for debt in debts_of(&message).0 {
                let of_debt = left.entry(debt).or_default();
                of_debt.insert(message.id.clone());
            }
        }
        let draw = Arc::new(Mutex::new((fastrand::Rng::with_seed(seed), left)));
        move |in_hand| {
            let (random, left) = &mut *draw.lock().unwrap();
            let Some(message) = random.choice(in_hand) else {
                return;
            };
            let ((debts, rows), Some(first)) = (debts_of(message), message.row) else {
                return;
            };
            let others_are_left = debts.iter().all(|debt| {
                let of_debt = left.get(debt);
                of_debt.is_some_and(|ids| ids.iter().any(|id| *id != message.id))
            });
            if random.u8(0..3) == 0 && others_are_left {
                for debt in &debts {
                    left.entry(debt.clone()).or_default().remove(&message.id);
                }
                queue.lose(&message.id);
                let rows = (first.row..).take(rows);
                let rows = rows.map(|number| row(first.import_id, number));
                lost.lock().unwrap().extend(rows);
            }
        }
    }

    async fn check(&self) {
        let claims = self.claims().await;
        self.check_published(&claims);
        for import in &self.imports {
            self.check_rows(import, &claims).await;
        }
        assert!(self.metrics.billed.get() <= claims.len() as u64);
    }

    /// Each debt that is billed has one claim and is notified.
    async fn claims(&self) -> BTreeMap<String, Claim> {
        let ids: Vec<&str> = self.debt_ids.iter().map(String::as_str).collect();
        let states = self.ledger.debts(&ids).await.unwrap();
        let claim = |(id, state): (&&str, DebtState)| match state {
            DebtState::Billed {
                claim: Some(claim),
                notified: true,
            } => Some(((*id).to_owned(), claim)),
            DebtState::Unbilled if !self.sure.contains(*id) => None,
            other => panic!("{id} is {other:?}"),
        };
        ids.iter().zip(states).filter_map(claim).collect()
    }

    /// The topic has what the claims hold, to the byte, and each number is of one debt.
    fn check_published(&self, claims: &BTreeMap<String, Claim>) {
        let mut told = BTreeSet::new();
        for published in &*self.topic.published.lock().unwrap() {
            let notification: Notification = serde_json::from_str(&published.body).unwrap();
            let claim = &claims[&notification.debt_id];
            assert_eq!(published.body, claim.notification);
            assert_eq!(published.row, claim.holder.row());
            told.insert(notification.debt_id);
        }
        let billed: BTreeSet<_> = claims.keys().cloned().collect();
        assert_eq!(told, billed, "each bill is told of, and nothing else");
        let numbers: BTreeSet<_> = claims
            .values()
            .map(|claim| serde_json::from_str::<Notification>(&claim.notification).unwrap())
            .map(|notification| notification.boleto.unwrap().our_number)
            .collect();
        assert_eq!(numbers.len(), claims.len(), "a number was given out twice");
    }

    async fn check_rows(&self, import: &Import, claims: &BTreeMap<String, Claim>) {
        let lost = self.lost.lock().unwrap().clone();
        let is_lost = |number: &u64| lost.contains(&row(import.import_id, *number));
        let audit = Audit::of(&self.ledger, import.import_id).await.unwrap();
        for breach in &audit.unwrap().laws {
            // Nobody mails here, and a row whose message is lost need not end.
            let is_excused = breach.law == Law::BilledIsMailed
                || (breach.law == Law::Ended && breach.rows.iter().all(is_lost));
            assert!(breach.count == 0 || is_excused, "{breach:?}");
        }
        let rows = import.bodies.len() as u64;
        let facts = self.ledger.row_facts(import.import_id, 1, rows).await;
        for (facts, body) in facts.unwrap().iter().zip(&import.bodies) {
            let row = row(import.import_id, facts.row);
            check_row(row, facts, body, claims, lost.contains(&row));
        }
    }
}

/// The outcome of a row is the one that its record and the claim of its debt call for.
fn check_row(
    row: RowId,
    facts: &RowFacts,
    body: &str,
    claims: &BTreeMap<String, Claim>,
    is_lost: bool,
) {
    let outcome = (facts.billed, facts.skipped, facts.invalid);
    if !facts.has_ended() && is_lost {
        assert!(!facts.notified, "{row} is notified, not billed");
        return;
    }
    let Some(record) = read(body) else {
        // A debt that is billed is no longer asked for its due date.
        let is_skipped = outcome == (false, true, false) && body.contains(READ_OTHERWISE);
        let is_invalid = outcome == (false, false, true);
        assert!(is_skipped || is_invalid, "{row}: {body} is {outcome:?}");
        assert!(facts.reason.is_some() && !facts.notified);
        return;
    };
    let claim = claims.get(&record.debt_id);
    let holds = claim.is_some_and(|claim| claim.holder == RowIdentity::Row(row));
    if !is_verified(&record) && outcome == (false, false, true) && !holds {
        assert!(facts.reason.is_some() && !facts.notified);
        return;
    }
    let claim = claim.unwrap();
    if holds {
        assert_eq!(outcome, (true, false, false), "{row} holds the claim");
        assert!(facts.notified, "{row} is billed, not notified");
        return;
    }
    assert!(!facts.notified, "{row} did not bill");
    assert_eq!(outcome, (false, true, false), "{row} holds no claim");
    let billed: Notification = serde_json::from_str(&claim.notification).unwrap();
    let differs = record.amount != billed.debt_amount
        || record.email != billed.email
        || record.government_id != billed.government_id;
    let reason = facts.reason.as_ref().map(|reason| &*reason.code);
    assert_eq!(reason, differs.then_some("conflict"), "{row}");
}

fn row(import_id: Uuid, row: u64) -> RowId {
    RowId { import_id, row }
}

/// What a process of the service is made of.
fn process(
    ledger: &MemoryLedger,
    topic: FakeTopic,
    metrics: &BillingMetrics,
    life: &Life,
    strict_documents: bool,
) -> impl BatchHandler + use<> {
    let interval = Duration::from_millis(20);
    let publisher = Publisher::spawn(topic, 10, interval, life.stop.clone());
    let chain = billing_chain(
        ledger,
        BillingRules {
            strict_documents,
            calendar: Calendar::Fixed(TODAY),
            ..BillingRules::default()
        },
        publisher,
        metrics,
        &life.stop,
    );
    Worker::new(chain, ledger.clone(), metrics.clone(), life.stop.clone())
}

/// A topic whose calls take time and fail: as a whole before or after they took effect, for their
/// content, or for some entries.
#[derive(Clone)]
struct FakeTopic {
    published: Arc<Mutex<Vec<Published>>>,
    random: Arc<Mutex<fastrand::Rng>>,
    started: Instant,
    /// One in so many entries is not taken, and as many are refused, or taken and not known to be.
    one_in: u8,
    /// The process that publishes is dead, by any of these.
    killed: Vec<CancellationToken>,
    outage: Outage,
}

impl Dependency for FakeTopic {
    fn outage(&self) -> &Outage {
        &self.outage
    }
}

impl FakeTopic {
    fn new(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        Self {
            published: Arc::default(),
            one_in: [4, 10, 50][random.usize(0..3)],
            random: Arc::new(Mutex::new(random)),
            started: Instant::now(),
            killed: Vec::new(),
            outage: Outage::new("SNS"),
        }
    }

    /// The same topic, for a process. Its breaker is its own: one that is killed in its turn to
    /// try keeps that for ever.
    fn of(&self, killed: [CancellationToken; 2]) -> Self {
        Self {
            killed: killed.into(),
            outage: Outage::new("SNS"),
            ..self.clone()
        }
    }

    async fn pause(&self) {
        let milliseconds = self.random.lock().unwrap().u64(0..30);
        sleep(Duration::from_millis(milliseconds)).await;
        if self.killed.iter().any(CancellationToken::is_cancelled) {
            std::future::pending::<()>().await;
        }
    }

    fn take(&self, entry: &Outgoing) {
        self.published.lock().unwrap().push(Published {
            after: self.started.elapsed(),
            body: entry.body.clone(),
            row: entry.row,
        });
    }

    fn answer(&self, entries: &[&Outgoing]) -> Result<Vec<EntryOutcome>, CallError> {
        let mut random = self.random.lock().unwrap();
        let call = random.u8(0..20);
        if call == 0 {
            return Err(CallError::new("failed before it took effect"));
        }
        if call == 1 {
            return Err(CallError::with_code(
                "InvalidParameter",
                "Invalid parameter: Message too long",
            ));
        }
        let answer = |entry: &&Outgoing| match random.u8(0..self.one_in) {
            0 => EntryOutcome::Failed("not taken".to_owned()),
            1 => EntryOutcome::Refused("not taken".to_owned()),
            2 => {
                self.take(entry);
                EntryOutcome::Failed("taken, and not known to be".to_owned())
            }
            _ => {
                self.take(entry);
                EntryOutcome::Accepted
            }
        };
        let outcomes = entries.iter().map(answer).collect();
        if call == 2 {
            return Err(CallError::new("failed after it took effect"));
        }
        Ok(outcomes)
    }
}

impl BatchSender for FakeTopic {
    async fn send_batch(&self, entries: &[&Outgoing]) -> Result<Vec<EntryOutcome>, CallError> {
        self.pause().await;
        let answer = self.answer(entries);
        self.pause().await;
        answer
    }
}
