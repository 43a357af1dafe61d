use std::{future, io, mem, sync::atomic::Ordering};

use base64::{Engine, prelude::BASE64_STANDARD};
use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time;
use tokio_util::codec::Framed;

use super::{
    ServerLogin, ServerTls, Shared,
    codec::{Frame, SmtpCodec},
    command::Command,
    fault::{Act, Stage},
    inbox::TakenMessage,
};

/// Room for what is read at once: a message of the usual size.
const BUFFER: usize = 64 * 1024;

const OK: &str = "250 2.0.0 OK";
const OUT_OF_ORDER: &str = "503 5.5.1 Not now";

/// A stream on which a dialogue runs.
type Line<S> = Framed<S, SmtpCodec>;

/// Whether the dialogue goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    GoesOn,
    Ends,
}

/// One dialogue, up to its end or to STARTTLS.
pub(super) struct Session<'a> {
    shared: &'a Shared,
    secure: bool,
    logged_in: bool,
    from: Option<String>,
    to: Vec<String>,
}

impl<'a> Session<'a> {
    pub(super) fn new(shared: &'a Shared, secure: bool) -> Self {
        Self {
            shared,
            secure,
            logged_in: shared.options.login.is_none(),
            from: None,
            to: Vec::new(),
        }
    }

    /// From the greeting on. Gives the stream back where TLS is to follow.
    pub(super) async fn greet<S>(self, stream: S) -> io::Result<Option<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut line = Framed::with_capacity(stream, SmtpCodec::default(), BUFFER);
        match self.shared.faults.due(Stage::Greeting, None) {
            Some(act) if misbehave(act, &mut line).await? == Flow::Ends => Ok(None),
            Some(_) => self.converse(line).await,
            None => {
                line.send("220 localhost ESMTP for development").await?;
                self.converse(line).await
            }
        }
    }

    /// After STARTTLS, where no greeting follows.
    pub(super) async fn go_on<S>(self, stream: S) -> io::Result<Option<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let line = Framed::with_capacity(stream, SmtpCodec::default(), BUFFER);
        self.converse(line).await
    }

    async fn converse<S>(mut self, mut line: Line<S>) -> io::Result<Option<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        while let Some(Frame::Line(said)) = line.next().await.transpose()? {
            let command = Command::parse(&said);
            if let Some(act) = self.due(&command).await {
                match misbehave(act, &mut line).await? {
                    Flow::GoesOn => continue,
                    Flow::Ends => return Ok(None),
                }
            }
            if command == Command::StartTls && self.offers_tls() {
                line.send("220 2.0.0 Go ahead").await?;
                // What came before TLS must not count as said within it.
                let parts = line.into_parts();
                return Ok(parts.read_buf.is_empty().then_some(parts.io));
            }
            if self.obey(command, &mut line).await? == Flow::Ends {
                return Ok(None);
            }
        }
        Ok(None)
    }

    /// What to do wrong at that command.
    fn fault(&self, command: &Command) -> Option<Act> {
        let recipient = match command {
            Command::Recipient(address) => Some(address),
            _ => self.to.last(),
        };
        let faults = &self.shared.faults;
        faults.due(command.stage()?, recipient.map(String::as_str))
    }

    /// The same; one that only delays is over when this returns.
    async fn due(&self, command: &Command) -> Option<Act> {
        match self.fault(command) {
            Some(Act::Delay(time)) => {
                time::sleep(time).await;
                None
            }
            act => act,
        }
    }

    async fn obey<S>(&mut self, command: Command, line: &mut Line<S>) -> io::Result<Flow>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let answer = match command {
            Command::Hello => {
                self.forget();
                let abilities = self.abilities();
                line.send(&abilities).await?;
                return Ok(Flow::GoesOn);
            }
            Command::Login { mechanism, initial } => self.log_in(&mechanism, initial, line).await?,
            Command::Sender { address, utf8 } => self.sender(address, utf8),
            Command::Recipient(_) if self.from.is_none() => OUT_OF_ORDER,
            Command::Recipient(address) => {
                self.to.push(address);
                OK
            }
            Command::Data if self.to.is_empty() => OUT_OF_ORDER,
            Command::Data => return self.message(line).await,
            Command::Reset => {
                self.forget();
                OK
            }
            Command::Noop => OK,
            Command::Quit => {
                self.shared.goodbyes.fetch_add(1, Ordering::Relaxed);
                line.send("221 2.0.0 Bye").await?;
                return Ok(Flow::Ends);
            }
            Command::StartTls => OUT_OF_ORDER,
            Command::Unknown => "500 5.5.2 What?",
        };
        line.send(answer).await?;
        Ok(Flow::GoesOn)
    }

    fn sender(&mut self, address: String, utf8: bool) -> &'static str {
        if !self.logged_in {
            "530 5.7.0 Authentication required"
        } else if self.from.is_some() {
            OUT_OF_ORDER
        } else if utf8 && !self.shared.options.utf8_addresses {
            "555 5.5.4 Unknown parameter"
        } else {
            self.from = Some(address);
            OK
        }
    }

    async fn message<S>(&mut self, line: &mut Line<S>) -> io::Result<Flow>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        line.codec_mut().expect_message();
        line.send("354 End it with a dot").await?;
        let Some(Frame::Message(data)) = line.next().await.transpose()? else {
            return Ok(Flow::Ends);
        };
        let message = TakenMessage {
            from: self.from.take().unwrap_or_default(),
            to: mem::take(&mut self.to),
            data,
        };
        let recipient = message.to.last().map(String::as_str);
        let mut fault = self.shared.faults.due(Stage::Message, recipient);
        if let Some(Act::Delay(time)) = fault {
            time::sleep(time).await;
            fault = None;
        }
        match fault {
            Some(Act::KeepAndHangUp) => {
                self.shared.inbox.take(message).await?;
                Ok(Flow::Ends)
            }
            Some(act) => misbehave(act, line).await,
            None => {
                self.shared.inbox.take(message).await?;
                line.send(OK).await?;
                Ok(Flow::GoesOn)
            }
        }
    }

    async fn log_in<S>(
        &mut self,
        mechanism: &str,
        initial: Option<String>,
        line: &mut Line<S>,
    ) -> io::Result<&'static str>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let Some(login) = &self.shared.options.login else {
            return Ok(OUT_OF_ORDER);
        };
        let presented = match (mechanism, initial) {
            ("PLAIN", Some(initial)) => decoded(&initial),
            ("LOGIN", None) => {
                let username = asked(line, "334 VXNlcm5hbWU6").await?;
                let password = asked(line, "334 UGFzc3dvcmQ6").await?;
                format!("\0{username}\0{password}")
            }
            _ => return Ok("504 5.5.4 Unknown mechanism"),
        };
        let ServerLogin {
            username, password, ..
        } = login;
        self.logged_in = presented == format!("\0{username}\0{password}");
        Ok(if self.logged_in {
            "235 2.7.0 Welcome"
        } else {
            "535 5.7.8 Wrong user name or password"
        })
    }

    fn abilities(&self) -> String {
        let options = &self.shared.options;
        let mut lines = vec!["localhost".to_owned(), "ENHANCEDSTATUSCODES".to_owned()];
        if self.offers_tls() {
            lines.push("STARTTLS".to_owned());
        }
        if options.utf8_addresses {
            lines.push("SMTPUTF8".to_owned());
        }
        if let Some(login) = &options.login {
            lines.push(format!("AUTH {}", login.mechanisms));
        }
        format!("250-{}\r\n250 8BITMIME", lines.join("\r\n250-"))
    }

    fn offers_tls(&self) -> bool {
        self.shared.options.tls == ServerTls::StartTls && !self.secure
    }

    fn forget(&mut self) {
        self.from = None;
        self.to.clear();
    }
}

async fn misbehave<S>(act: Act, line: &mut Line<S>) -> io::Result<Flow>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    match act {
        Act::Answer(answer) => {
            line.send(answer).await?;
            Ok(if answer.starts_with("421") {
                Flow::Ends
            } else {
                Flow::GoesOn
            })
        }
        Act::HangUp | Act::KeepAndHangUp => Ok(Flow::Ends),
        Act::Hang => future::pending().await,
        Act::Delay(time) => {
            time::sleep(time).await;
            Ok(Flow::GoesOn)
        }
    }
}

/// Asks for a word of the login.
async fn asked<S>(line: &mut Line<S>, question: &str) -> io::Result<String>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    line.send(question).await?;
    match line.next().await.transpose()? {
        Some(Frame::Line(answer)) => Ok(decoded(&answer)),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// What is no base64 is no right password either.
fn decoded(text: &str) -> String {
    let bytes = BASE64_STANDARD.decode(text).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}
