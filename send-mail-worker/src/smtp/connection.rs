//! One connection, and one message over it.

use std::fmt::{self, Display};
use std::sync::Arc;
use std::time::Duration;

use lettre::Address;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::dialogue::Dialogue;
use super::failure::Failure;
use super::hello::Abilities;

/// Longest wait for the answer to NOOP: who does not say at once whether the
/// connection is still good is better asked anew.
const CHECK: Duration = Duration::from_secs(10);

/// A message and its envelope.
#[derive(Clone, Copy)]
pub(super) struct Mail<'a> {
    pub(super) from: &'a Address,
    pub(super) to: &'a Address,
    pub(super) message: &'a [u8],
}

/// The steps of a delivery, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Before anything is said: whether the server can take the address.
    Address,
    /// MAIL; whether it said more than who sends, for this message alone.
    Sender { extended: bool },
    /// RCPT
    Recipient,
    /// DATA
    Data,
    /// The message. Where this fails, the server has not heard of its end.
    Content,
    /// The answer to its end. Where none comes, the server may have taken it.
    End,
}

/// A delivery ended before its end.
#[derive(Clone, Debug)]
pub(super) struct Stopped {
    pub(super) stage: Stage,
    pub(super) failure: Failure,
}

/// How long a server may take for an answer.
#[derive(Clone, Debug)]
pub(super) struct Waits {
    /// Up to the content of a message, and for each block of that.
    pub(super) answer: Duration,
    /// To the end of a message.
    pub(super) last_answer: Duration,
    /// The same when the process is told to stop, from then on.
    pub(super) last_answer_when_stopped: Duration,
    pub(super) stop: CancellationToken,
}

/// An open connection, greeted and logged in. Dropping it says QUIT, where
/// the server listens, and waits for nothing.
pub(super) struct Connection {
    dialogue: Dialogue,
    abilities: Abilities,
    waits: Arc<Waits>,
    /// Messages that the server has taken over it.
    taken: u32,
    /// Shared by all that are open, so that they can be counted.
    _open: Arc<()>,
}

impl Connection {
    pub(super) fn new(
        dialogue: Dialogue,
        abilities: Abilities,
        waits: Arc<Waits>,
        open: Arc<()>,
    ) -> Self {
        Self {
            dialogue,
            abilities,
            waits,
            taken: 0,
            _open: open,
        }
    }

    /// When the server answered last.
    pub(super) fn heard(&self) -> Instant {
        self.dialogue.heard()
    }

    /// For how long the server has said nothing.
    pub(super) fn silence(&self) -> Duration {
        self.heard().elapsed()
    }

    /// Whether it can be used for another message.
    pub(super) fn is_usable(&self) -> bool {
        self.dialogue.is_in_step()
    }

    /// Asks the server whether it is still there.
    pub(super) async fn check(&mut self) {
        // The answer is in whether it is usable.
        let _ = self
            .dialogue
            .command("NOOP", CHECK.min(self.waits.answer))
            .await;
    }

    /// Asks the server whether it takes that sender.
    pub(super) async fn probe(&mut self, from: &Address) -> Result<(), Stopped> {
        let stage = Stage::Sender { extended: false };
        self.say(stage, &format!("MAIL FROM:<{from}>")).await?;
        self.say(stage, "RSET").await
    }

    /// Sends one message. When it returns `Ok` the server has it.
    pub(super) async fn send(&mut self, mail: &Mail<'_>) -> Result<(), Stopped> {
        let parameters = self.parameters(mail)?;
        let extended = !parameters.is_empty();
        let sender = format!("MAIL FROM:<{}>{parameters}", mail.from);
        self.say(Stage::Sender { extended }, &sender).await?;
        let recipient = format!("RCPT TO:<{}>", mail.to);
        self.say(Stage::Recipient, &recipient).await?;
        let limit = self.waits.answer;
        let data = self.dialogue.begin("DATA", limit).await;
        data.map_err(at(Stage::Data))?;
        let content = self.dialogue.content(mail.message, limit).await;
        content.map_err(at(Stage::Content))?;
        self.last_answer().await.map_err(at(Stage::End))?;
        self.taken += 1;
        Ok(())
    }

    /// Leaves the connection without a half-made transaction.
    pub(super) async fn tidy_up(&mut self, result: &Result<(), Stopped>) {
        let open = result.as_ref().is_err_and(Stopped::leaves_a_transaction);
        if open && self.is_usable() {
            // One that fails is no longer usable.
            let _ = self.dialogue.command("RSET", self.waits.answer).await;
        }
    }

    /// Whether it may be this connection that the server has had enough of:
    /// some take only so many messages over one.
    pub(super) fn is_worn_out(&self, stopped: &Stopped) -> bool {
        self.taken > 0 && stopped.may_be_about_the_connection()
    }

    /// What the server has to be told before it is sent more than ASCII
    /// (RFC 6531, RFC 6152).
    fn parameters(&self, mail: &Mail<'_>) -> Result<String, Stopped> {
        let mut parameters = String::new();
        if !AsRef::<str>::as_ref(mail.to).is_ascii() {
            if !self.abilities.has("SMTPUTF8") {
                let why = Failure::Lost("not offered".into());
                return Err(at(Stage::Address)(why));
            }
            parameters.push_str(" SMTPUTF8");
        }
        if !mail.message.is_ascii() && self.abilities.has("8BITMIME") {
            parameters.push_str(" BODY=8BITMIME");
        }
        Ok(parameters)
    }

    /// Servers look at a message before they answer, and who gives up too
    /// early sends it twice.
    async fn last_answer(&mut self) -> Result<(), Failure> {
        let waits = Arc::clone(&self.waits);
        let stopped = async {
            waits.stop.cancelled().await;
            tokio::time::sleep(waits.last_answer_when_stopped).await;
        };
        tokio::select! {
            biased;
            answer = self.dialogue.end(waits.last_answer) => answer,
            () = stopped => Err(Failure::Late(waits.last_answer_when_stopped)),
        }
    }

    async fn say(&mut self, stage: Stage, command: &str) -> Result<(), Stopped> {
        let answer = self.dialogue.command(command, self.waits.answer).await;
        answer.map(drop).map_err(at(stage))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.dialogue.quit();
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}

impl Stopped {
    /// Whether the connection was bad, and the server has nothing of the
    /// message.
    pub(super) fn is_lost_without_a_trace(&self) -> bool {
        self.failure.is_gone() && !matches!(self.stage, Stage::Address | Stage::End)
    }

    /// Whether the server may say so of how much came over a connection.
    fn may_be_about_the_connection(&self) -> bool {
        let Failure::Refused(refusal) = &self.failure else {
            return false;
        };
        match self.stage {
            Stage::Sender { .. } => !refusal.may_be_about_the_message(),
            Stage::Recipient | Stage::Data => refusal.is_about_how_many(),
            Stage::End => refusal.closes(),
            Stage::Address | Stage::Content => false,
        }
    }

    fn leaves_a_transaction(&self) -> bool {
        matches!(self.stage, Stage::Recipient | Stage::Data)
    }
}

impl Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Address => "the address",
            Self::Sender { .. } => "MAIL",
            Self::Recipient => "RCPT",
            Self::Data => "DATA",
            Self::Content => "the message",
            Self::End => "the end of the message",
        })
    }
}

fn at(stage: Stage) -> impl FnOnce(Failure) -> Stopped {
    move |failure| Stopped { stage, failure }
}
