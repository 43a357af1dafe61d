//! SMTP, below the composing of an e-mail: one message to one recipient, and
//! what the server's answer means for it.
//!
//! lettre speaks the protocol. Its low-level connection is used, not its
//! transport, because only that way it is known *which* command was refused:
//! the recipient's own, or one that is about us.
//!
//! | module | what it does |
//! | --- | --- |
//! | `settings` | what an operator sets |
//! | `tls` | whom the client trusts |
//! | `connector` | opens, greets, secures, logs in |
//! | `connection` | one connection, one message over it |
//! | `failure` | what a step's failure was, without the server's words |
//! | `outcome` | what a failure means for the message |
//! | `refusals` | when the same refusal means the sender |
//! | `words` | the words of a reply, masked |
//! | `pool` | at most so many connections, idle ones kept |

mod connection;
mod connector;
mod failure;
mod outcome;
mod pool;
mod refusals;
mod settings;
mod tls;
mod words;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use common::outage::{Dependency, Outage};
use lettre::Address;
use tokio::time::{Instant, timeout};

use connection::{Connection, Mail, Stage, Stopped};
use connector::Connector;
use failure::Failure;
use pool::{Pool, Room};
use refusals::Refusals;

pub use outcome::{DeliveryError, MailServerAway};
pub use settings::{SmtpSettings, TlsMode};
pub use tls::SmtpSetupError;

/// For how long an answer to a delivery says that the server is there, while
/// others are under way; as long as a slow one may take.
const LATELY: Duration = Duration::from_secs(30);
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
    deadline: Duration,
    room_wait: Duration,
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
    /// For the server of these settings; nothing is opened yet.
    ///
    /// # Errors
    /// When the settings ask for TLS and there is nobody to trust.
    pub fn new(settings: SmtpSettings) -> Result<Self, SmtpSetupError> {
        let connections = settings.connections;
        let sender = settings.from.email.clone();
        let (deadline, room_wait) = (settings.deadline, settings.room_wait);
        let outage = Outage::new("SMTP");
        Ok(Self(Arc::new(Shared {
            connector: Connector::new(settings)?,
            pool: Pool::new(connections),
            sender,
            connections,
            deadline,
            room_wait,
            heard: Mutex::default(),
            refusals: Refusals::new(outage.clone()),
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
        let room = shared.pool.room().await;
        while let Some(mut idle) = shared.pool.idle().await {
            match shared.probe(&mut idle, doubtful).await {
                Ok(()) => {
                    room.put_back(idle);
                    return Ok(());
                }
                // It may have died of old age; the next one tells.
                Err(stopped) if stopped.failure.is_gone() => {}
                Err(stopped) => return Err(stopped.into()),
            }
        }
        let mut opened = shared.connector.open().await?;
        shared.probe(&mut opened, doubtful).await?;
        room.put_back(opened);
        Ok(())
    }

    /// Delivers a message, in the form of RFC 5322 with CRLF line ends, to
    /// one recipient. When it returns `Ok` the server has taken it over.
    ///
    /// It ends within [`SmtpSettings::deadline`] from when there is a
    /// connection for it, whatever the server does. The wait before that has a
    /// limit of its own, [`SmtpSettings::room_wait`].
    pub async fn deliver(&self, to: &Address, message: &[u8]) -> Result<(), DeliveryError> {
        let shared = &self.0;
        let Ok(room) = timeout(shared.room_wait, shared.pool.room()).await else {
            return Err(DeliveryError::Busy);
        };
        // The server itself may be there: no need to ask for our sender.
        shared.refusals.admit()?;
        let to = outcome::on_the_wire(to);
        let mail = Mail {
            from: &shared.sender,
            to: &to,
            message,
        };
        let delivered = timeout(shared.deadline, shared.deliver(room, &mail)).await;
        let result = delivered.unwrap_or_else(|_| {
            let seconds = shared.deadline.as_secs_f64();
            Err(DeliveryError::Deferred(format!(
                "it was not done in {seconds} s"
            )))
        });
        if let Err(DeliveryError::Away(_)) = result {
            shared.doubtful.store(true, Ordering::Relaxed);
        }
        result
    }
}

impl Shared {
    /// Whether the server takes our sender, where that is in doubt.
    async fn probe(&self, connection: &mut Connection, doubtful: bool) -> Result<(), Stopped> {
        if doubtful {
            connection.probe(&self.sender).await?;
            self.doubtful.store(false, Ordering::Relaxed);
        }
        Ok(())
    }

    async fn deliver(&self, room: Room<'_>, mail: &Mail<'_>) -> Result<(), DeliveryError> {
        if let Some(mut pooled) = self.pool.idle().await {
            self.was_heard(pooled.heard());
            let result = pooled.send(mail).await;
            let retried = result
                .as_ref()
                .is_err_and(Stopped::is_worth_a_fresh_connection);
            if !retried {
                return self.settle(room, pooled, mail, result).await;
            }
        }
        let mut fresh = self.connector.open().await?;
        self.was_heard(fresh.heard());
        let result = fresh.send(mail).await;
        self.settle(room, fresh, mail, result).await
    }

    /// Leaves the connection to the next one.
    async fn settle(
        &self,
        room: Room<'_>,
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
        room.put_back(connection);
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
        let is_after_sender = matches!(stage, Stage::Recipient | Stage::Data | Stage::Message);
        match (&error, failure) {
            (DeliveryError::Deferred(_), Failure::Refused(reply))
                if is_after_sender && reply.is_permanent() =>
            {
                match self.refusals.refused(stage, &reply, to) {
                    Ok(()) => error,
                    Err(away) => away.into(),
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
