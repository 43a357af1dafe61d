//! The real worker over a ledger, a queue and a transport in memory. A seed draws how messages are
//! delivered, what fails and who dies at which await; the same seed gives the same run. Whatever it
//! draws, no e-mail is lost, none is repeated but those whose sender died between the transport's
//! answer and its record, and a permanent refusal is an answer like any other, which may be taken
//! back at any moment.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod mailroom;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::ledger::{Audit, Channel, ChannelLedger, ImportLedger, SendEnd};
use common::messaging::Delivery;
use common::runtime::AppRegistry;
use common::runtime::{Dependency, Outage};
use contract::{Reason, ReceivedNotification, RowId};
use mailroom::{MemoryTransport, notification};
use send_mail_worker::MailMetrics;
use send_mail_worker::pace::Pace;
use send_mail_worker::patience::{OUTCOME_UNKNOWN, PUT_OFF_TOO_LONG, Patience};
use send_mail_worker::transport::{Letter, Sending, Transport, TransportAway};
use send_mail_worker::worker::Worker;
use testkit::simulation::{Ends, Life, drain};
use testkit::{
    FakeQueue, FaultPlan, MemoryLedger, bill_rows, for_each_seed, new_import, record_sent,
    tell_rows,
};
use tokio::runtime::Builder;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

const SEEDS: u64 = 300;
/// No run takes that long, by its own clock, unless it hangs.
const FAR_TOO_LONG: Duration = Duration::from_hours(10);
/// Longer than the lease of a claim that is not renewed.
const HANGING: Duration = Duration::from_secs(90);
const IMPORT: Uuid = Uuid::from_u128(1 << 80);
/// How often an e-mail is put off at most.
const PUT_OFFS: u32 = 8;

#[test]
fn each_debt_is_answered_once_where_nobody_dies() {
    for_each_seed(SEEDS, |seed| {
        let seen = run(seed, Ends::InPeace);
        assert_eq!(seen.repeats, 0);
    });
}

#[test]
fn no_mail_is_lost_and_only_what_a_dead_sender_had_in_hand_is_repeated() {
    let all = Cell::new(Seen::default());
    let is_all = for_each_seed(SEEDS, |seed| {
        all.set(all.get().add(run(seed, Ends::AtOnce)));
    });
    if is_all {
        let seen = all.get();
        assert!(seen.repeats > 0, "no crash between an answer and its mark");
        assert!(seen.mailed_unrecorded > 0, "none between mark and bitmap");
        assert!(seen.refused_unrecorded > 0, "none of a refusal there");
        assert!(seen.reopened > 0, "nothing is taken up again");
    }
}

/// What happened in a run.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    /// Answers of the transport beyond the first for a debt.
    repeats: u32,
    /// Times that somebody died when the key of an e-mail had its end and its row had not.
    mailed_unrecorded: u32,
    refused_unrecorded: u32,
    /// E-mails that were taken up again.
    reopened: u32,
}

impl Seen {
    fn add(self, other: Self) -> Self {
        Self {
            repeats: self.repeats + other.repeats,
            mailed_unrecorded: self.mailed_unrecorded + other.mailed_unrecorded,
            refused_unrecorded: self.refused_unrecorded + other.refused_unrecorded,
            reopened: self.reopened + other.reopened,
        }
    }
}

/// What the transport says of the e-mail of a debt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Yes, sooner or later.
    Taken,
    /// Never.
    Refused,
    /// Not now, each time.
    NeverNow,
    /// It takes it each time, and nobody hears that.
    Unheard,
    /// Never, until somebody mends it and takes the e-mails up again.
    Mended,
}

fn run(seed: u64, ends: Ends) -> Seen {
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

/// By debt.
type Counts = BTreeMap<String, u32>;

struct Scene {
    ledger: MemoryLedger,
    queue: FakeQueue,
    transport: FlakyTransport,
    ends: Ends,
    debts: Vec<(String, RowId, Fate)>,
    seen: Arc<Mutex<Seen>>,
    /// Times that the e-mail of a debt was taken up again.
    reopened: Arc<Mutex<Counts>>,
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
        record_sent(&ledger, IMPORT, count, None).await;
        let ids = (1..=count).map(|row| RowId {
            import_id: IMPORT,
            row,
        });
        let ids: Vec<RowId> = ids.collect();
        bill_rows(&ledger, &ids).await;
        tell_rows(&ledger, &ids).await;
        let inner = MemoryTransport::default();
        let (mut debts, mut unheard) = (Vec::new(), BTreeSet::new());
        for row in ids {
            let debt_id = format!("debt-{}", row.row);
            for _ in 0..random.usize(1..=3) {
                queue.send(&notification(&debt_id), Some(row));
            }
            let fate = match random.u8(0..10) {
                0..2 => Fate::Refused,
                2 => Fate::NeverNow,
                3 => Fate::Unheard,
                4 | 5 => Fate::Mended,
                _ => Fate::Taken,
            };
            match fate {
                Fate::Refused | Fate::Mended => inner.refuse(&debt_id, no_mailbox()),
                Fate::NeverNow => inner.defer(&debt_id, u32::MAX),
                Fate::Unheard => drop(unheard.insert(debt_id.clone())),
                Fate::Taken => {}
            }
            debts.push((debt_id, row, fate));
        }
        let transport = FlakyTransport {
            inner,
            random: Arc::new(Mutex::new(fastrand::Rng::with_seed(random.u64(..)))),
            hangs: ends == Ends::AtOnce,
            unheard: Arc::new(unheard),
            silent: Arc::default(),
            excused: Arc::default(),
        };
        Self {
            ledger,
            queue,
            transport,
            ends,
            debts,
            seen: Arc::default(),
            reopened: Arc::default(),
        }
    }

    /// Lets processes drain the queue, and somebody take up e-mails again meanwhile.
    async fn play(&self, seed: u64) {
        let mut random = fastrand::Rng::with_seed(seed);
        let ledger = self.ledger.with_faults(FaultPlan::new(random.u64(..)));
        let dies = self.ends == Ends::AtOnce && random.bool();
        let somebody = async {
            sleep(Duration::from_millis(random.u64(0..3_000))).await;
            for (debt_id, _, fate) in &self.debts {
                if *fate == Fate::Mended {
                    self.transport.inner.accept(debt_id);
                }
            }
            self.reopen(&ledger, dies).await;
        };
        tokio::join!(self.drain(seed), somebody);
        // What was undeliverable too late for that.
        self.reopen(&self.ledger, false).await;
        // What nobody sent, as reconciling finds it.
        for (debt_id, row, _) in &self.debts {
            if !self.ledger.facts_of(*row).is_settled() {
                self.queue.send(&notification(debt_id), Some(*row));
            }
        }
        self.drain(seed).await;
    }

    /// Takes what is undeliverable and mended up again, as importer-api does, or dies over it.
    async fn reopen(&self, ledger: &MemoryLedger, dies: bool) {
        let mended = self.debts.iter().filter(|(_, row, fate)| {
            *fate == Fate::Mended && self.ledger.facts_of(*row).undeliverable
        });
        let mended: Vec<(RowId, &str)> = mended.map(|(id, row, _)| (*row, &**id)).collect();
        for (_, debt_id) in &mended {
            let mut reopened = self.reopened.lock().unwrap();
            *reopened.entry((*debt_id).to_owned()).or_default() += 1;
        }
        while ledger.reopen_mails(Channel::MAIL, &mended).await.is_err() {
            if dies {
                return;
            }
        }
        for (row, debt_id) in mended {
            self.queue.send(&notification(debt_id), Some(row));
        }
    }

    async fn drain(&self, seed: u64) {
        let (ledger, transport) = (self.ledger.clone(), self.transport.clone());
        let start = move |life: Life| {
            let ledger = ledger.with_faults(FaultPlan::new(life.seed));
            let registry = AppRegistry::new("send-mail-worker").unwrap();
            let metrics = MailMetrics::new(&registry).unwrap();
            // None, or few enough to wait for.
            let per_second = u32::try_from(life.seed % 3 * 20).unwrap();
            let pace = Pace::new(NonZeroU32::new(per_second));
            let patience = Patience {
                waits: [1, 5, 15, 60].map(Duration::from_secs).to_vec(),
                most: PUT_OFFS,
            };
            let transport = Arc::new(transport.clone());
            Worker::new(transport, ledger, pace, patience, metrics, life.stop)
        };
        drain(&self.queue, seed, self.ends, start, self.crashed()).await;
    }

    /// What somebody who dies had in hand may be answered once more, if it was answered and nobody
    /// has recorded that.
    fn crashed(&self) -> impl Fn(&[Delivery]) + Clone + Send + Sync + 'static + use<> {
        let (ledger, seen) = (self.ledger.clone(), Arc::clone(&self.seen));
        let transport = self.transport.clone();
        move |in_hand| {
            for delivery in in_hand {
                let read = ReceivedNotification::read(&delivery.body, None);
                let debt_id = read.unwrap().notification.debt_id;
                let facts = ledger.facts_of(delivery.row.unwrap());
                let mut seen = seen.lock().unwrap();
                match ledger.mail_end(&debt_id) {
                    None if transport.answers(&debt_id) > 0 => transport.excuse(&debt_id),
                    Some(SendEnd::Sent) if !facts.mailed => seen.mailed_unrecorded += 1,
                    Some(SendEnd::Undeliverable(_)) if !facts.undeliverable => {
                        seen.refused_unrecorded += 1;
                    }
                    _ => {}
                }
            }
        }
    }

    async fn check(&self) -> Seen {
        let excused = self.transport.excused.lock().unwrap().clone();
        let mut seen = *self.seen.lock().unwrap();
        let reopened = self.reopened.lock().unwrap().clone();
        seen.reopened = reopened.values().sum();
        for (debt_id, row, fate) in &self.debts {
            let answers = self.transport.answers(debt_id);
            let times = if *fate == Fate::Unheard { 2 } else { 1 };
            let least = times + reopened.get(debt_id).copied().unwrap_or_default();
            let most = least + excused.get(debt_id).copied().unwrap_or_default();
            let end = match fate {
                Fate::Taken | Fate::Mended => SendEnd::Sent,
                Fate::Refused => SendEnd::Undeliverable(no_mailbox()),
                Fate::NeverNow => SendEnd::Undeliverable(PUT_OFF_TOO_LONG),
                Fate::Unheard => SendEnd::Undeliverable(OUTCOME_UNKNOWN),
            };
            if *fate == Fate::NeverNow {
                let asked = self.transport.inner.asked(debt_id);
                assert!(asked > PUT_OFFS, "{debt_id} is tried {asked} times");
                assert_eq!(answers, 0);
            } else {
                assert!(answers >= times, "{debt_id} is answered {answers} times");
                assert!(answers <= most, "{debt_id}: {answers} answers of {most}");
                seen.repeats += answers.saturating_sub(least);
            }
            assert_eq!(self.ledger.mail_end(debt_id).as_ref(), Some(&end));
            let facts = self.ledger.facts_of(*row);
            let reason = match end {
                SendEnd::Sent => None,
                SendEnd::Undeliverable(reason) => Some(reason),
                SendEnd::Superseded => panic!("nobody changed the address of {debt_id}"),
            };
            assert_eq!(facts.mailed, reason.is_none(), "{debt_id}");
            assert_eq!(facts.undeliverable, reason.is_some(), "{debt_id}");
            assert_eq!(facts.reason.as_deref(), reason.as_ref(), "{debt_id}");
        }
        let audit = Audit::of(&self.ledger, IMPORT).await.unwrap().unwrap();
        assert!(audit.holds(), "{audit}");
        seen
    }
}

fn no_mailbox() -> Reason {
    Reason {
        code: "mailbox_unknown".into(),
        text: "the mail server does not know the mailbox".into(),
    }
}

/// Takes its time over a batch, puts off some e-mails, goes away before a batch or in the middle of
/// it, and sometimes hangs, before or after it took them.
#[derive(Clone)]
struct FlakyTransport {
    inner: MemoryTransport,
    random: Arc<Mutex<fastrand::Rng>>,
    hangs: bool,
    unheard: Arc<BTreeSet<String>>,
    /// Debts of which it hung over a yes.
    silent: Arc<Mutex<BTreeSet<String>>>,
    /// Times that a debt was answered and nobody heard it.
    excused: Arc<Mutex<Counts>>,
}

impl FlakyTransport {
    /// How often it said yes, or never, to a debt.
    fn answers(&self, debt_id: &str) -> u32 {
        let mails = self.inner.mails();
        let yes = mails.iter().filter(|mail| mail.debt_id == debt_id).count();
        u32::try_from(yes).unwrap() + self.inner.refused(debt_id)
    }

    fn excuse(&self, debt_id: &str) {
        let mut excused = self.excused.lock().unwrap();
        *excused.entry(debt_id.to_owned()).or_default() += 1;
    }

    async fn pause(&self) {
        let milliseconds = self.random.lock().unwrap().u64(0..50);
        sleep(Duration::from_millis(milliseconds)).await;
    }

    fn draws(&self, one_in: u8) -> bool {
        self.random.lock().unwrap().u8(0..one_in) == 0
    }

    /// How many e-mails of a batch it sends before it goes away.
    fn reach(&self, mails: usize) -> usize {
        if self.draws(10) {
            self.random.lock().unwrap().usize(0..=mails)
        } else {
            mails
        }
    }
}

impl Dependency for FlakyTransport {
    fn outage(&self) -> &Outage {
        self.inner.outage()
    }
}

impl Transport for FlakyTransport {
    const BATCH: usize = 10;

    async fn ready(&self) -> Result<(), TransportAway> {
        self.pause().await;
        if self.draws(6) {
            return Err(TransportAway("told to be away".into()));
        }
        Ok(())
    }

    async fn send(&self, mails: &[&Letter]) -> Vec<Sending> {
        self.pause().await;
        if self.hangs && self.draws(40) {
            sleep(HANGING).await;
        }
        for mail in mails {
            if self.draws(8) && self.inner.deferrals(&mail.notification.debt_id) == 0 {
                self.inner.defer(&mail.notification.debt_id, 1);
            }
        }
        let (reached, left) = mails.split_at(self.reach(mails.len()));
        let mut answers = self.inner.send(reached).await;
        answers.extend(left.iter().map(|_| Sending::Away("in the middle".into())));
        if self.hangs && self.draws(40) {
            // Nobody hears what it says.
            for (mail, answer) in mails.iter().zip(&mut answers) {
                let debt_id = &mail.notification.debt_id;
                // A second time would be its end.
                let is_first = || self.silent.lock().unwrap().insert(debt_id.clone());
                if *answer == Sending::Sent && is_first() {
                    self.excuse(&mail.notification.debt_id);
                    *answer = Sending::Unknown("told to be silent".into());
                }
            }
            sleep(HANGING).await;
        }
        for (mail, answer) in mails.iter().zip(&mut answers) {
            if *answer == Sending::Sent && self.unheard.contains(&mail.notification.debt_id) {
                *answer = Sending::Unknown("told to be silent".into());
            }
        }
        self.pause().await;
        answers
    }
}
