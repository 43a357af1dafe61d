//! One connection, and one message over it.

use std::fmt::{self, Display};
use std::future::Future;
use std::time::Duration;

use futures::FutureExt;
use lettre::Address;
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail as MailFrom, Noop, Quit, Rcpt, Rset};
use lettre::transport::smtp::extension::{Extension, MailBodyParameter, MailParameter};
use lettre::transport::smtp::response::{Response, Severity};
use tokio::time::{Instant, timeout};

use super::failure::Failure;

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
    /// The message, and the answer to its end.
    Message,
}

/// A delivery ended before its end.
#[derive(Clone, Debug)]
pub(super) struct Stopped {
    pub(super) stage: Stage,
    pub(super) failure: Failure,
}

/// An open connection, greeted and logged in. Dropping it says QUIT, where
/// the server listens, and waits for nothing.
pub(super) struct Connection {
    smtp: AsyncSmtpConnection,
    timeout: Duration,
    /// Every command so far was answered, so that the next answer belongs to
    /// the next command.
    in_step: bool,
    /// When the server answered last.
    heard: Instant,
}

impl Connection {
    pub(super) fn new(smtp: AsyncSmtpConnection, timeout: Duration) -> Self {
        Self {
            smtp,
            timeout,
            in_step: true,
            heard: Instant::now(),
        }
    }

    /// When the server answered last.
    pub(super) fn heard(&self) -> Instant {
        self.heard
    }

    /// For how long the server has said nothing.
    pub(super) fn silence(&self) -> Duration {
        self.heard.elapsed()
    }

    /// Whether it can be used for another message.
    pub(super) fn is_usable(&self) -> bool {
        self.in_step
    }

    /// Asks the server whether it is still there.
    pub(super) async fn check(&mut self) {
        // The answer is in `in_step`.
        let _ = self.command(Noop).await;
    }

    /// Asks the server whether it takes that sender.
    pub(super) async fn probe(&mut self, from: &Address) -> Result<(), Stopped> {
        let answer = self
            .command(MailFrom::new(Some(from.clone()), vec![]))
            .await;
        let stage = Stage::Sender { extended: false };
        answer.map_err(at(stage))?;
        self.command(Rset).await.map_err(at(stage))
    }

    /// Sends one message. When it returns `Ok` the server has it.
    pub(super) async fn send(&mut self, mail: &Mail<'_>) -> Result<(), Stopped> {
        let parameters = self.parameters(mail)?;
        let extended = !parameters.is_empty();
        self.command(MailFrom::new(Some(mail.from.clone()), parameters))
            .await
            .map_err(at(Stage::Sender { extended }))?;
        self.command(Rcpt::new(mail.to.clone(), vec![]))
            .await
            .map_err(at(Stage::Recipient))?;
        self.data().await.map_err(at(Stage::Data))?;
        self.message(mail.message).await.map_err(at(Stage::Message))
    }

    /// Leaves the connection without a half-made transaction.
    pub(super) async fn tidy_up(&mut self, result: &Result<(), Stopped>) {
        let open = result.as_ref().is_err_and(Stopped::leaves_a_transaction);
        if open && self.in_step {
            // One that fails is no longer usable.
            let _ = self.command(Rset).await;
        }
    }

    /// What the server has to be told before it is sent more than ASCII
    /// (RFC 6531, RFC 6152).
    fn parameters(&self, mail: &Mail<'_>) -> Result<Vec<MailParameter>, Stopped> {
        let server = self.smtp.server_info();
        let mut parameters = Vec::new();
        if !AsRef::<str>::as_ref(mail.to).is_ascii() {
            if !server.supports_feature(Extension::SmtpUtfEight) {
                let why = Failure::Lost("not offered".into());
                return Err(at(Stage::Address)(why));
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        if !mail.message.is_ascii() && server.supports_feature(Extension::EightBitMime) {
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        Ok(parameters)
    }

    async fn data(&mut self) -> Result<(), Failure> {
        let answer = exchange(self.timeout, &mut self.in_step, self.smtp.command(Data)).await?;
        self.in_step = answer.has_code(354);
        self.in_step.then_some(()).ok_or_else(out_of_step)
    }

    /// No limit of its own: servers look at the message before they answer,
    /// and who gives up too early sends it twice (RFC 5321, section 4.5.3.2.6,
    /// asks for ten minutes). The deadline of the delivery ends it.
    async fn message(&mut self, message: &[u8]) -> Result<(), Failure> {
        // The mark of the end brings a line end of its own.
        let message = message.strip_suffix(b"\r\n").unwrap_or(message);
        let sending = self.smtp.message(message);
        let answer = exchange(Duration::MAX, &mut self.in_step, sending).await?;
        self.completed(&answer)
    }

    /// A command that is done with when it is answered.
    async fn command(&mut self, command: impl Display) -> Result<(), Failure> {
        let asking = self.smtp.command(command);
        let answer = exchange(self.timeout, &mut self.in_step, asking).await?;
        self.completed(&answer)
    }

    fn completed(&mut self, answer: &Response) -> Result<(), Failure> {
        self.heard = Instant::now();
        self.in_step = answer.code().severity == Severity::PositiveCompletion;
        self.in_step.then_some(()).ok_or_else(out_of_step)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.in_step {
            // Enough to write it; nobody waits for the answer.
            let _ = self.smtp.command(Quit).now_or_never();
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}

impl Stopped {
    /// Whether nothing of the message was sent, and the connection was bad.
    pub(super) fn is_worth_a_fresh_connection(&self) -> bool {
        self.failure.is_gone() && !matches!(self.stage, Stage::Address | Stage::Message)
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
            Self::Message => "the end of the message",
        })
    }
}

/// One command and its answer, or what became of it. Whatever ends it early,
/// a dropped future included, leaves the connection out of step.
async fn exchange(
    limit: Duration,
    in_step: &mut bool,
    talk: impl Future<Output = Result<Response, SmtpError>>,
) -> Result<Response, Failure> {
    *in_step = false;
    let answer = match timeout(limit, talk).await {
        Ok(answer) => answer.map_err(Failure::from),
        Err(_) => Err(Failure::Late(limit)),
    };
    *in_step = !answer.as_ref().is_err_and(Failure::is_gone);
    answer
}

/// An answer of a kind that the command cannot have.
fn out_of_step() -> Failure {
    Failure::Lost("the server is out of step".into())
}

fn at(stage: Stage) -> impl FnOnce(Failure) -> Stopped {
    move |failure| Stopped { stage, failure }
}
