//! The real worker over a ledger, a queue and a transport in memory. A seed draws how messages are
//! delivered, what fails and who dies at which await; the same seed gives the same run. Whatever it
//! draws, no e-mail is lost, and none is repeated but those whose sender died between the
//! transport's yes and its record.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::contract::{Notification, ReceivedNotification, RowId};
use common::ledger::{Audit, ImportLedger, Outcome, Progress, RowLedger};
use common::messaging::Delivery;
use common::service::AppRegistry;
use send_mail_worker::MailMetrics;
use send_mail_worker::transport::{MemoryTransport, Transport, TransportError};
use send_mail_worker::worker::Worker;
use testkit::simulation::{Ends, Life, drain};
use testkit::{FakeQueue, FaultPlan, MemoryLedger, for_each_seed, new_import};
use tokio::runtime::Builder;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

const SEEDS: u64 = 300;
/// No run takes that long, by its own clock, unless it hangs.
const FAR_TOO_LONG: Duration = Duration::from_hours(10);
/// Longer than a worker waits for its transport.
const HANGING: Duration = Duration::from_secs(40);
const IMPORT: Uuid = Uuid::from_u128(1 << 80);

#[test]
fn each_debt_is_mailed_once_where_nobody_dies() {
    for_each_seed(SEEDS, |seed| {
        let mailed = run(seed, Ends::InPeace);
        assert!(mailed.values().all(|times| *times == 1), "{mailed:?}");
    });
}

#[test]
fn no_mail_is_lost_and_only_what_a_dead_sender_had_in_hand_is_repeated() {
    let repeated = Cell::new(0);
    let is_all = for_each_seed(SEEDS, |seed| {
        let mailed = run(seed, Ends::AtOnce);
        let repeats = mailed.values().filter(|times| **times > 1).count();
        repeated.set(repeated.get() + repeats);
    });
    let some = repeated.get() > 0;
    assert!(some || !is_all, "no crash fell where it matters");
}

/// How often each debt was mailed.
type Mailed = BTreeMap<String, usize>;

fn run(seed: u64, ends: Ends) -> Mailed {
    // The jitter of the waits.
    fastrand::seed(seed);
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let scene = Scene::draw(seed, ends).await;
        let finished = timeout(FAR_TOO_LONG, scene.play(seed)).await;
        assert!(finished.is_ok(), "the queue is never empty");
        scene.check().await
    })
}

struct Scene {
    ledger: MemoryLedger,
    queue: FakeQueue,
    transport: FlakyTransport,
    ends: Ends,
    debt_ids: Vec<String>,
    /// Times that a debt was in hand of somebody who died, mailed and not yet recorded.
    excused: Arc<Mutex<Mailed>>,
}

impl Scene {
    /// An import whose debts are all billed and told of, each once or more.
    async fn draw(seed: u64, ends: Ends) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let ledger = MemoryLedger::default();
        let queue = FakeQueue::new(random.u64(..));
        let count = random.u64(1..=25);
        ledger
            .register_import(&new_import(IMPORT, count))
            .await
            .unwrap();
        ledger.record_sent(IMPORT, count, None).await.unwrap();
        let ids = (1..=count).map(|row| RowId {
            import_id: IMPORT,
            row,
        });
        let ids: Vec<RowId> = ids.collect();
        let billed: Vec<_> = ids.iter().copied().map(Into::into).collect();
        ledger.end_rows(Outcome::Billed, &billed).await.unwrap();
        let notified = ledger.advance_rows(Progress::Notified, &ids).await;
        notified.unwrap();
        let mut debt_ids = Vec::new();
        for row in ids {
            let debt_id = format!("debt-{}", row.row);
            for _ in 0..random.usize(1..=3) {
                queue.send(&notification(&debt_id), Some(row));
            }
            debt_ids.push(debt_id);
        }
        let transport = FlakyTransport {
            inner: MemoryTransport::default(),
            random: Arc::new(Mutex::new(fastrand::Rng::with_seed(random.u64(..)))),
            hangs: ends == Ends::AtOnce,
            excused: Arc::default(),
        };
        Self {
            excused: Arc::clone(&transport.excused),
            ledger,
            queue,
            transport,
            ends,
            debt_ids,
        }
    }

    /// Lets processes drain the queue.
    async fn play(&self, seed: u64) {
        let (ledger, transport) = (self.ledger.clone(), self.transport.clone());
        let start = move |life: Life| {
            let ledger = ledger.with_faults(FaultPlan::new(life.seed));
            let registry = AppRegistry::new("send-mail-worker").unwrap();
            let metrics = MailMetrics::new(&registry).unwrap();
            Worker::new(transport.clone(), ledger, metrics, life.stop)
        };
        drain(&self.queue, seed, self.ends, start, self.excusing()).await;
    }

    /// What somebody who dies had in hand may be mailed once more, if it was mailed and nobody has
    /// recorded that.
    fn excusing(&self) -> impl Fn(&[Delivery]) + Clone + Send + Sync + 'static + use<> {
        let (ledger, excused) = (self.ledger.clone(), Arc::clone(&self.excused));
        let transport = self.transport.inner.clone();
        move |in_hand| {
            let mailed = transport.mails();
            for delivery in in_hand {
                let read = ReceivedNotification::read(&delivery.body, None);
                let debt_id = read.unwrap().notification.debt_id;
                let is_mailed = mailed.iter().any(|mail| mail.debt_id == debt_id);
                if is_mailed && !ledger.is_mailed(&debt_id) {
                    *excused.lock().unwrap().entry(debt_id).or_default() += 1;
                }
            }
        }
    }

    async fn check(&self) -> Mailed {
        let mut mailed = Mailed::new();
        for mail in self.transport.inner.mails() {
            *mailed.entry(mail.debt_id).or_default() += 1;
        }
        let excused = self.excused.lock().unwrap().clone();
        for debt_id in &self.debt_ids {
            let times = mailed.get(debt_id).copied().unwrap_or_default();
            let most = 1 + excused.get(debt_id).copied().unwrap_or_default();
            assert!(times > 0, "{debt_id} is not mailed");
            assert!(times <= most, "{debt_id} is mailed {times} times of {most}");
            assert!(self.ledger.is_mailed(debt_id), "{debt_id} is not recorded");
        }
        let audit = Audit::of(&self.ledger, IMPORT).await.unwrap().unwrap();
        assert!(audit.holds(), "{audit}");
        mailed
    }
}

fn notification(debt_id: &str) -> String {
    let notification = Notification {
        name: "João".into(),
        government_id: "00123".into(),
        email: "joao@example.com".into(),
        debt_amount: "7811.5".parse().unwrap(),
        debt_due_date: "2027-03-15".parse().unwrap(),
        debt_id: debt_id.into(),
        boleto: None,
    };
    serde_json::to_string(&notification).unwrap()
}

/// Takes its time over a batch, refuses some e-mails for now, and sometimes hangs, before or after
/// it took them.
#[derive(Clone)]
struct FlakyTransport {
    inner: MemoryTransport,
    random: Arc<Mutex<fastrand::Rng>>,
    hangs: bool,
    excused: Arc<Mutex<Mailed>>,
}

impl FlakyTransport {
    async fn pause(&self) {
        let milliseconds = self.random.lock().unwrap().u64(0..50);
        sleep(Duration::from_millis(milliseconds)).await;
    }

    fn draws(&self, one_in: u8) -> bool {
        self.random.lock().unwrap().u8(0..one_in) == 0
    }
}

impl Transport for FlakyTransport {
    async fn send(&self, mails: &[&Notification]) -> Vec<Result<(), TransportError>> {
        self.pause().await;
        if self.hangs && self.draws(40) {
            sleep(HANGING).await;
        }
        for mail in mails {
            if self.draws(8) {
                self.inner.fail_once(&mail.debt_id);
            }
        }
        let results = self.inner.send(mails).await;
        if self.hangs && self.draws(40) {
            // Nobody hears its yes: as if the sender had died.
            for (mail, _) in mails.iter().zip(&results).filter(|(_, sent)| sent.is_ok()) {
                let mut excused = self.excused.lock().unwrap();
                *excused.entry(mail.debt_id.clone()).or_default() += 1;
            }
            sleep(HANGING).await;
        }
        self.pause().await;
        results
    }
}
