//! SMTP, below the composing of an e-mail: one message to one recipient, and
//! what the server's answer means for it.
//!
//! The dialogue is the suite's own. Of lettre, which composes the e-mails, and
//! of `mail-send` neither takes every answer that RFC 5321 allows, and neither
//! says whether a failure came before or after the end of a message; on both
//! depends whether an e-mail is sent twice.
//!
//! | module | what it does |
//! | --- | --- |
//! | `settings` | what an operator sets |
//! | `tls` | whom the client trusts |
//! | `connector` | opens, greets, secures, logs in |
//! | `hello`, `login` | EHLO and AUTH |
//! | `connection` | one connection, one message over it |
//! | `dialogue` | one command, one answer |
//! | `reply` | an answer, read as bytes |
//! | `failure` | what a step's failure was, without the server's words |
//! | `outcome` | what a failure means for the message |
//! | `refusals` | when the same refusal means the sender |
//! | `words` | the words of a reply, masked |
//! | `pool` | at most so many connections, idle ones kept |

mod about;
mod connection;
mod connector;
mod dialogue;
mod failure;
mod hello;
mod login;
mod outcome;
mod pool;
mod refusals;
mod reply;
mod settings;
mod tls;
mod words;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use common::runtime::{Dependency, Outage};
use lettre::Address;
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use connection::{Connection, Mail, Stage, Stopped, Waits};
use connector::Connector;
use failure::{Failure, NotOpened};
use pool::{Pool, Room};
use refusals::Refusals;

pub use login::Login;
pub use outcome::{DeliveryError, MailServerAway};
pub use settings::{SmtpSettings, TlsMode};
pub use tls::SmtpSetupError;

/// For how long an answer to a delivery says that the server is there, while
/// others are under way; as long as slow ones take.
const LATELY: Duration = Duration::from_mins(2);
/// The same while there is room to ask.
const JUST_NOW: Duration = Duration::from_secs(1);

/// A mail server that takes our messages. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Smtp(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    connector: Connector,
    pool: Pool,
    sender: Address,
    connections: u32,
    room_wait: Duration,
    /// Held by who opens a connection to see whether it can be done.
    opening: Arc<AsyncMutex<()>>,
    /// When the server answered last, as far as deliveries know.
    heard: Mutex<Option<Instant>>,
    outage: Outage,
    /// The server turned us away at the last message: whether it is back is
    /// to be asked, as an open connection says nothing about it.
    doubtful: AtomicBool,
    refusals: Refusals,
}

impl Dependency for Smtp {
    fn outage(&self) -> &Outage {
        &self.0.outage
    }
}

impl Smtp {
    /// For the server of these settings; nothing is opened yet. When `stop` is
    /// cancelled, what waits for the answer to the end of a message waits no
    /// longer than [`SmtpSettings::last_answer_when_stopped`].
    ///
    /// # Errors
    /// When the settings ask for TLS and there is nobody to trust.
    pub fn new(settings: SmtpSettings, stop: CancellationToken) -> Result<Self, SmtpSetupError> {
        let waits = Waits {
            answer: settings.timeout,
            last_answer: settings.last_answer,
            last_answer_when_stopped: settings.last_answer_when_stopped,
            stop,
        };
        let outage = Outage::new("SMTP");
        Ok(Self(Arc::new(Shared {
            connector: Connector::new(&settings, waits)?,
            pool: Pool::new(settings.connections),
            sender: settings.from.email,
            connections: settings.connections,
            room_wait: settings.room_wait,
            opening: Arc::default(),
            heard: Mutex::default(),
            refusals: Refusals::new(outage.clone(), settings.probe_wait),
            outage,
            doubtful: AtomicBool::new(false),
        })))
    }

    /// Most connections at a time, hence messages.
    pub fn connections(&self) -> u32 {
        self.0.connections
    }

    /// Makes sure of a connection that is open, greeted and logged in. Opens
    /// one if none is idle; with one that was in use a moment ago it does
    /// nothing. After the server turned us away it asks again whether it
    /// takes our sender. While it refuses one recipient after another it is
    /// not ready, but for one message now and then that tries it.
    pub async fn ready(&self) -> Result<(), MailServerAway> {
        self.0.refusals.ask()?;
        self.connected().await
    }

    /// Whether messages are taken, as far as is known: the same, and not
    /// while it refuses one recipient after another.
    pub async fn healthy(&self) -> Result<(), MailServerAway> {
        self.0.refusals.none()?;
        self.connected().await
    }

    async fn connected(&self) -> Result<(), MailServerAway> {
        let shared = &self.0;
        let doubtful = shared.doubtful.load(Ordering::Relaxed);
        // Deliveries tell, and need each connection more than a look does.
        if !doubtful && shared.was_heard_lately() {
            return Ok(());
        }
        let opening = Arc::clone(&shared.opening).lock_owned().await;
        let look = {
            let shared = Arc::clone(shared);
            async move {
                let looked = shared.look(doubtful).await;
                drop(opening);
                looked
            }
        };
        // Who asks may have less patience than a server with its greeting: the
        // connection is there then when it is asked for again.
        let looked = tokio::spawn(look).await;
        looked.unwrap_or_else(|_| Err(MailServerAway("the look at it was broken off".into())))
    }

    /// Delivers a message, in the form of RFC 5322 with CRLF line ends, to
    /// one recipient. When it returns `Ok` the server has taken it over.
    ///
    /// The wait for a connection ends after [`SmtpSettings::room_wait`]. From
    /// then on each step has its limit, the longest being
    /// [`SmtpSettings::last_answer`].
    pub async fn deliver(&self, to: &Address, message: &[u8]) -> Result<(), DeliveryError> {
        let shared = &self.0;
        let to = outcome::on_the_wire(to);
        let mail = Mail {
            from: &shared.sender,
            to: &to,
            message,
        };
        let result = shared.deliver(&mail).await;
        if let Err(DeliveryError::Away(_)) = result {
            shared.doubtful.store(true, Ordering::Relaxed);
        }
        result
    }
}

impl Shared {
    /// Makes sure of a connection.
    async fn look(&self, doubtful: bool) -> Result<(), MailServerAway> {
        let room = self.pool.room().await;
        while let Some(mut idle) = self.pool.idle().await {
            match self.probe(&mut idle, doubtful).await {
                Ok(()) => {
                    self.pool.put_back(room, idle);
                    return Ok(());
                }
                // It may have died of old age; the next one tells.
                Err(stopped) if stopped.failure.is_gone() => {}
                Err(stopped) => return Err(stopped.into()),
            }
        }
        match self.connector.open().await {
            Ok(mut opened) => {
                self.was_heard(opened.heard());
                self.probe(&mut opened, doubtful).await?;
                self.pool.put_back(room, opened);
                Ok(())
            }
            Err(error) if !doubtful && self.has_enough(&error) => {
                self.pool.rest(room);
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Whether the server takes our sender, where that is in doubt.
    async fn probe(&self, connection: &mut Connection, doubtful: bool) -> Result<(), Stopped> {
        if doubtful {
            connection.probe(&self.sender).await?;
            self.doubtful.store(false, Ordering::Relaxed);
        }
        Ok(())
    }

    async fn deliver(&self, mail: &Mail<'_>) -> Result<(), DeliveryError> {
        let waited_out = tokio::time::sleep(self.room_wait);
        tokio::pin!(waited_out);
        loop {
            let room = tokio::select! {
                biased;
                room = self.pool.room() => room,
                () = &mut waited_out => return Err(DeliveryError::Busy),
            };
            // The server itself may be there: no need to ask for our sender.
            self.refusals.admit()?;
            if let Some(mut pooled) = self.pool.idle().await {
                self.was_heard(pooled.heard());
                let result = pooled.send(mail).await;
                let is_the_connections = |stopped: &Stopped| {
                    stopped.is_lost_without_a_trace() || pooled.is_worn_out(stopped)
                };
                if !result.as_ref().is_err_and(is_the_connections) {
                    return self.settle(room, pooled, mail, result).await;
                }
            }
            match self.connector.open().await {
                Ok(mut fresh) => {
                    self.was_heard(fresh.heard());
                    let result = fresh.send(mail).await;
                    return self.settle(room, fresh, mail, result).await;
                }
                Err(error) if self.has_enough(&error) => self.pool.rest(room),
                Err(error) => {
                    self.pool.end_rests();
                    return Err(MailServerAway::from(error).into());
                }
            }
        }
    }

    /// Whether the server works with the connections that it has, and wants no
    /// further one.
    fn has_enough(&self, error: &NotOpened) -> bool {
        error.may_be_one_too_many() && self.connector.open_connections() > 0
    }

    /// Leaves the connection to the next one.
    async fn settle(
        &self,
        room: Room,
        mut connection: Connection,
        mail: &Mail<'_>,
        result: Result<(), Stopped>,
    ) -> Result<(), DeliveryError> {
        if !result
            .as_ref()
            .is_err_and(|stopped| stopped.failure.is_gone())
        {
            self.was_heard(Instant::now());
        }
        connection.tidy_up(&result).await;
        self.pool.put_back(room, connection);
        match result {
            Ok(()) => {
                self.refusals.taken();
                Ok(())
            }
            Err(stopped) => Err(self.judge(stopped, mail.to)),
        }
    }

    fn heard(&self) -> MutexGuard<'_, Option<Instant>> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn was_heard(&self, at: Instant) {
        let mut heard = self.heard();
        *heard = (*heard).max(Some(at));
    }

    /// Whether deliveries say that the server is there: it answered one a
    /// moment ago, or lately and all connections are in use.
    fn was_heard_lately(&self) -> bool {
        let longest = if self.pool.is_full() {
            LATELY
        } else {
            JUST_NOW
        };
        (*self.heard()).is_some_and(|heard| heard.elapsed() < longest)
    }

    /// What a failure means, in the light of those before it.
    fn judge(&self, stopped: Stopped, to: &Address) -> DeliveryError {
        let error = DeliveryError::from(stopped.clone());
        let Stopped { stage, failure } = stopped;
        let is_after_sender = matches!(stage, Stage::Recipient | Stage::Data | Stage::End);
        match (&error, failure) {
            (DeliveryError::Deferred(_), Failure::Refused(reply))
                if is_after_sender && reply.is_permanent() =>
            {
                match self.refusals.refused(stage, &reply, to) {
                    Ok(()) => error,
                    Err(MailServerAway(why)) => DeliveryError::Probed(why),
                }
            }
            (DeliveryError::Away(_), _) => error,
            _ => {
                self.refusals.open_question();
                error
            }
        }
    }
}
