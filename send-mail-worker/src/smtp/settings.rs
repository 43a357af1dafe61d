//! What an operator sets of SMTP.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use common::runtime::{Environment, SettingError};
use lettre::message::Mailbox;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};

use super::login::Login;
use super::outcome::on_the_wire;

/// Longest wait for the answer to the end of a message (RFC 5321, section
/// 4.5.3.2.6).
const LAST_ANSWER: Duration = Duration::from_mins(10);
/// The same from when the process is told to stop: what is then left of the
/// time that it has is enough to make the outcome stand.
const LAST_ANSWER_WHEN_STOPPED: Duration = Duration::from_secs(20);
/// Longest wait for a connection to be free.
const ROOM_WAIT: Duration = Duration::from_secs(4);
/// First wait between the e-mails that try a server that refuses all of them.
const PROBE_WAIT: Duration = Duration::from_secs(1);
/// Longest wait for any other answer (RFC 5321, section 4.5.3.2), in seconds.
const ANSWER: f64 = 300.0;

/// Settings of SMTP; the variables are in `docs/SETTINGS.md`.
#[derive(Clone, Debug)]
pub struct SmtpSettings {
    /// Name or address of the server.
    pub host: String,
    /// Its TCP port.
    pub port: u16,
    /// How it is secured.
    pub tls: TlsMode,
    /// Certificates that are trusted beside those of the system.
    pub extra_roots: Vec<CertificateDer<'static>>,
    /// User name and password; never printed.
    pub login: Option<Login>,
    /// What the worker calls itself; `None`: by the address that it calls from.
    pub helo_name: Option<String>,
    /// Longest wait for the greeting, and for each answer up to the content of
    /// a message.
    pub timeout: Duration,
    /// Longest wait for the answer to the end of a message.
    pub last_answer: Duration,
    /// The same from when the process is told to stop.
    pub last_answer_when_stopped: Duration,
    /// Longest wait for a connection to be free.
    pub room_wait: Duration,
    /// First wait between the e-mails that try a server that refuses one
    /// recipient after another; soon five times, later thirty times as long.
    pub probe_wait: Duration,
    /// Most connections at a time.
    pub connections: u32,
    /// Who sends: the `From` of the e-mails, and the sender on the envelope,
    /// to whom servers report what they could not deliver after all.
    pub from: Mailbox,
    /// Whom a customer answers, where it is somebody else.
    pub reply_to: Option<Mailbox>,
}

/// How the connection to a mail server is secured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsMode {
    /// Not at all.
    None,
    /// By the command STARTTLS (RFC 3207). A server that does not offer it is
    /// not used.
    StartTls,
    /// From the first byte (RFC 8314).
    Implicit,
}

impl TlsMode {
    fn usual_port(self) -> u16 {
        match self {
            Self::None => 25,
            Self::StartTls => 587,
            Self::Implicit => 465,
        }
    }
}

impl FromStr for TlsMode {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "none" => Ok(Self::None),
            "starttls" => Ok(Self::StartTls),
            "tls" => Ok(Self::Implicit),
            _ => Err(()),
        }
    }
}

impl SmtpSettings {
    /// Reads the `SMTP_…` variables, `MAIL_FROM` and `MAIL_REPLY_TO`.
    ///
    /// # Errors
    /// The first variable that is missing or wrong.
    pub fn read(env: &Environment) -> Result<Self, SettingError> {
        let host = host(env)?;
        let tls = env.or("SMTP_TLS", TlsMode::StartTls, "starttls, tls or none")?;
        let from = mailbox(env, "MAIL_FROM")?.ok_or_else(|| SettingError::Missing {
            name: "MAIL_FROM",
            takes: MAILBOX.to_owned(),
        })?;
        Ok(Self {
            port: env.number("SMTP_PORT", tls.usual_port(), 1, u16::MAX)?,
            extra_roots: extra_roots(env)?,
            login: login(env, tls, &host)?,
            helo_name: helo_name(env)?,
            timeout: env.seconds("SMTP_TIMEOUT", ANSWER, 0.01, ANSWER)?,
            last_answer: LAST_ANSWER,
            last_answer_when_stopped: LAST_ANSWER_WHEN_STOPPED,
            room_wait: ROOM_WAIT,
            probe_wait: PROBE_WAIT,
            connections: env.number("SMTP_CONNECTIONS", 16, 1, 32)?,
            from,
            reply_to: mailbox(env, "MAIL_REPLY_TO")?,
            host,
            tls,
        })
    }
}

fn host(env: &Environment) -> Result<String, SettingError> {
    const TAKES: &str = "the name or address of a mail server, such as smtp.example.com";
    let host: String = env.required("SMTP_HOST", TAKES)?;
    match ServerName::try_from(host.as_str()) {
        Ok(_) => Ok(host),
        Err(_) => Err(wrong("SMTP_HOST", &host, TAKES)),
    }
}

/// The name of this machine where none is given, if servers could take it for
/// one (RFC 5321, section 4.1.1.1).
fn helo_name(env: &Environment) -> Result<Option<String>, SettingError> {
    const NAME: &str = "SMTP_HELO_NAME";
    let is_name = |name: &str| matches!(ServerName::try_from(name), Ok(ServerName::DnsName(_)));
    match env.get(NAME) {
        Some(name) if is_name(name) => Ok(Some(name.to_owned())),
        Some(held) => {
            let takes =
                "the name by which the mail server knows this machine, such as worker.example.com";
            Err(wrong(NAME, held, takes))
        }
        None => Ok(gethostname::gethostname()
            .into_string()
            .ok()
            .filter(|name| is_name(name))),
    }
}

const MAILBOX: &str = "an address, with or without a name, such as Cobrança <cobranca@example.com>";

/// What stands before the @ is ASCII, as not every server takes more.
fn mailbox(env: &Environment, name: &'static str) -> Result<Option<Mailbox>, SettingError> {
    let Some(held) = env.get(name) else {
        return Ok(None);
    };
    let is_whole = held.ends_with('>') || !held.contains(char::is_whitespace);
    held.parse::<Mailbox>()
        .ok()
        .filter(|mailbox| is_whole && mailbox.email.user().is_ascii())
        // Headers carry it too, and they are ASCII.
        .map(|mailbox| Mailbox {
            email: on_the_wire(&mailbox.email).into_owned(),
            ..mailbox
        })
        .map(Some)
        .ok_or_else(|| wrong(name, held, MAILBOX))
}

fn extra_roots(env: &Environment) -> Result<Vec<CertificateDer<'static>>, SettingError> {
    const NAME: &str = "SMTP_CA_FILE";
    let Some(path) = env.get(NAME) else {
        return Ok(Vec::new());
    };
    read_certificates(path).map_err(|error| {
        let takes = format!("a file with certificates in the PEM format; {error}");
        wrong(NAME, path, &takes)
    })
}

fn read_certificates(path: &str) -> io::Result<Vec<CertificateDer<'static>>> {
    let text = fs::read(path)?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .map_err(io::Error::other)?;
    if certificates.is_empty() {
        return Err(io::Error::other("it has none"));
    }
    Ok(certificates)
}

/// Both or none; a password is sent in the clear only within this machine.
fn login(env: &Environment, tls: TlsMode, host: &str) -> Result<Option<Login>, SettingError> {
    const USERNAME: &str = "SMTP_USERNAME";
    const PASSWORD: &str = "SMTP_PASSWORD";
    if env.get(USERNAME).is_none() && env.get(PASSWORD).is_none() {
        return Ok(None);
    }
    let username: String = env.required(USERNAME, "a user name, as SMTP_PASSWORD is set")?;
    let password: String = env.required(PASSWORD, "a password, as SMTP_USERNAME is set")?;
    if tls == TlsMode::None && !is_this_machine(host) {
        let takes =
            "starttls or tls, as a login in the clear would show the password to the network";
        return Err(wrong("SMTP_TLS", "none", takes));
    }
    Ok(Some(Login { username, password }))
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn wrong(name: &'static str, held: &str, takes: &str) -> SettingError {
    SettingError::Wrong {
        name,
        held: held.to_owned(),
        takes: takes.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FROM: (&str, &str) = ("MAIL_FROM", "Cobrança <cobranca@example.com>");
    const HOST: (&str, &str) = ("SMTP_HOST", "smtp.example.com");

    fn read(variables: &[(&str, &str)]) -> Result<SmtpSettings, SettingError> {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        SmtpSettings::read(&variables.iter().map(own).collect())
    }

    #[test]
    fn defaults_are_safe_ones() {
        let settings = read(&[HOST, FROM]).unwrap();
        assert_eq!((settings.tls, settings.port), (TlsMode::StartTls, 587));
        assert_eq!(settings.timeout, Duration::from_mins(5));
        assert_eq!(settings.last_answer, Duration::from_mins(10));
        assert_eq!(settings.connections, 16);
        assert_eq!(settings.from.name.as_deref(), Some("Cobrança"));
        assert_eq!(settings.from.email.to_string(), "cobranca@example.com");
        assert!(settings.login.is_none() && settings.reply_to.is_none());
        let idn = ("MAIL_FROM", "cobranca@açaí.com.br");
        let from = read(&[HOST, idn]).unwrap().from;
        assert_eq!(from.email.to_string(), "cobranca@xn--aa-4iaz.com.br");
        for (mode, port) in [("none", 25), ("tls", 465)] {
            assert_eq!(read(&[HOST, FROM, ("SMTP_TLS", mode)]).unwrap().port, port);
        }
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        assert!(
            read(&[FROM])
                .unwrap_err()
                .to_string()
                .starts_with("SMTP_HOST is not set")
        );
        assert!(
            read(&[HOST])
                .unwrap_err()
                .to_string()
                .starts_with("MAIL_FROM is not set")
        );
        for wrong in [
            ("SMTP_HOST", "smtp://example.com"),
            ("SMTP_PORT", "0"),
            ("SMTP_TLS", "ssl"),
            ("SMTP_CA_FILE", "/nowhere/ca.pem"),
            ("SMTP_CA_FILE", "/dev/null"),
            ("SMTP_TIMEOUT", "301"),
            ("SMTP_HELO_NAME", "not a name"),
            ("SMTP_HELO_NAME", "[192.0.2.7]"),
            ("SMTP_CONNECTIONS", "33"),
            ("SMTP_CONNECTIONS", "0"),
            ("MAIL_FROM", "cobranca"),
            ("MAIL_FROM", "a@example.com, b@example.com"),
            ("MAIL_FROM", "cobrança@example.com"),
            ("MAIL_REPLY_TO", "<>"),
        ] {
            let error = read(&[HOST, FROM, wrong]).unwrap_err().to_string();
            let start = format!("{} is {:?}; it takes", wrong.0, wrong.1);
            assert!(error.starts_with(&start), "{error}");
        }
    }

    #[test]
    fn a_login_is_whole_never_printed_and_never_in_the_clear() {
        let username = ("SMTP_USERNAME", "a-user");
        let password = ("SMTP_PASSWORD", "a-secret");
        for half in [username, password] {
            assert!(read(&[HOST, FROM, half]).is_err());
        }
        let settings = read(&[HOST, FROM, username, password]).unwrap();
        assert!(settings.login.is_some());
        assert!(!format!("{settings:?}").contains("a-secret"));

        let clear = ("SMTP_TLS", "none");
        let error = read(&[HOST, FROM, username, password, clear]).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("SMTP_TLS is \"none\"; it takes starttls")
        );
        assert!(!error.to_string().contains("a-secret"));
        for here in ["localhost", "127.0.0.1", "::1"] {
            assert!(read(&[("SMTP_HOST", here), FROM, username, password, clear]).is_ok());
        }
    }
}
