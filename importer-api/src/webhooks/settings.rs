use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use axum::http::Uri;
use common::runtime::{Environment, SettingError};

use super::reach::Reach;
use super::secrets::SigningSecrets;

const URL: &str = "WEBHOOK_URL";
const SECRET: &str = "WEBHOOK_SECRET";
const SECRET_FILE: &str = "WEBHOOK_SECRET_FILE";
const ALLOW_PRIVATE: &str = "WEBHOOK_ALLOW_PRIVATE";

const URL_TAKES: &str = "an https URL without user and password; with WEBHOOK_ALLOW_PRIVATE=true also an http URL of a private address";

/// Where events are sent, and how.
#[derive(Clone, Debug)]
pub struct WebhookSettings {
    /// Where they are sent.
    pub(super) url: HiddenUrl,
    /// What they are signed with.
    pub(super) secrets: SigningSecrets,
    /// Which addresses they may go to.
    pub(super) reach: Reach,
    /// When they are sent.
    pub pace: WebhookPace,
}

/// When events are sent; no variable changes it.
#[derive(Clone, Debug)]
pub struct WebhookPace {
    /// Time between two looks at what is to be told, and at what is due.
    pub look: Duration,
    /// For so long an e-mail that can never be delivered waits for others.
    pub mails: Duration,
    /// Time for an attempt.
    pub attempt: Duration,
    /// For so long nobody else delivers an event that was taken. Longer than an
    /// attempt.
    pub lease: Duration,
    /// The waits after attempts that failed; after one more the event is given
    /// up.
    pub waits: Vec<Duration>,
}

impl Default for WebhookPace {
    fn default() -> Self {
        Self {
            look: Duration::from_secs(2),
            mails: Duration::from_mins(1),
            attempt: Duration::from_secs(15),
            lease: Duration::from_mins(1),
            waits: vec![
                Duration::from_secs(5),
                Duration::from_mins(5),
                Duration::from_mins(30),
                Duration::from_hours(2),
                Duration::from_hours(5),
                Duration::from_hours(10),
            ],
        }
    }
}

/// A URL whose path or query may hold a secret.
#[derive(Clone)]
pub(super) struct HiddenUrl(pub(super) Uri);

impl fmt::Debug for HiddenUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

impl WebhookSettings {
    /// Reads the variables; `None` where there is no `WEBHOOK_URL`.
    ///
    /// # Errors
    /// The first variable that is missing or wrong, or set without the URL.
    pub fn read(env: &Environment) -> Result<Option<Self>, SettingError> {
        let Some(text) = env.get(URL) else {
            let others = [SECRET, SECRET_FILE, ALLOW_PRIVATE];
            let alone = others.into_iter().find(|name| env.get(name).is_some());
            return alone.map_or(Ok(None), |name| {
                Err(SettingError::Alone { name, needs: URL })
            });
        };
        let may_be_private = env.or(ALLOW_PRIVATE, false, "true or false")?;
        let (url, reach) =
            read_url(text, may_be_private).map_err(|why| hidden(URL, URL_TAKES, why))?;
        let held = env.secret(SECRET, SECRET_FILE)?;
        let held = held.ok_or_else(|| SettingError::Missing {
            name: SECRET,
            takes: SigningSecrets::TAKES.to_owned(),
        })?;
        let secrets = SigningSecrets::parse(held.secret.reveal());
        let secrets =
            secrets.map_err(|why| hidden(held.name, SigningSecrets::TAKES, &why.to_string()))?;
        Ok(Some(Self {
            url: HiddenUrl(url),
            secrets,
            reach,
            pace: WebhookPace::default(),
        }))
    }
}

fn read_url(text: &str, may_be_private: bool) -> Result<(Uri, Reach), &'static str> {
    let url: Uri = text.parse().map_err(|_| "this one cannot be read")?;
    let reach = match (url.scheme_str(), may_be_private) {
        (Some("https"), false) => Reach::Public,
        (Some("https"), true) => Reach::Anywhere,
        (Some("http"), true) => Reach::Private,
        _ => return Err("this one is neither"),
    };
    let authority = url.authority().ok_or("this one has no host")?;
    if authority.as_str().contains('@') {
        return Err("this one has a user");
    }
    // A host that is no address is looked up for each connection.
    let host = authority.host().trim_matches(['[', ']']);
    let address: Option<IpAddr> = host.parse().ok();
    if address.is_some_and(|address| !reach.allows(address)) {
        return Err(reach.refusal());
    }
    Ok((url, reach))
}

/// What is wrong with a variable whose value must not be shown.
fn hidden(name: &'static str, takes: &str, why: &str) -> SettingError {
    SettingError::Wrong {
        name,
        held: "(hidden)".to_owned(),
        takes: format!("{takes}; {why}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn read(variables: &[(&str, &str)]) -> Result<Option<WebhookSettings>, SettingError> {
        let variables = variables.iter();
        let environment: Environment = variables
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        WebhookSettings::read(&environment)
    }

    fn reach_of(url: &str, allow_private: &str) -> Option<Reach> {
        let variables = [(URL, url), (SECRET, GOOD), (ALLOW_PRIVATE, allow_private)];
        Some(read(&variables).ok()??.reach)
    }

    #[test]
    fn it_is_off_unless_there_is_a_url() {
        assert!(read(&[]).unwrap().is_none());
        assert!(read(&[(URL, ""), (SECRET, " ")]).unwrap().is_none());
        for name in [SECRET, SECRET_FILE, ALLOW_PRIVATE] {
            let error = read(&[(name, "true")]).unwrap_err();
            assert_eq!(error, SettingError::Alone { name, needs: URL });
        }
    }

    #[test]
    fn a_private_address_and_a_connection_without_tls_must_be_allowed() {
        for (url, without, with) in [
            (
                "https://example.com/hooks?of=us",
                Some(Reach::Public),
                Some(Reach::Anywhere),
            ),
            (
                "https://8.8.8.8:8443/",
                Some(Reach::Public),
                Some(Reach::Anywhere),
            ),
            ("https://10.0.0.1/", None, Some(Reach::Anywhere)),
            ("https://[::1]:8443/", None, Some(Reach::Anywhere)),
            (
                "https://[::ffff:169.254.169.254]/",
                None,
                Some(Reach::Anywhere),
            ),
            ("http://example.com/", None, Some(Reach::Private)),
            ("http://127.0.0.1:9000/", None, Some(Reach::Private)),
            ("http://8.8.8.8/", None, None),
            ("ftp://example.com/", None, None),
            ("example.com", None, None),
            ("https://user:word@example.com/", None, None),
            ("https://", None, None),
        ] {
            assert_eq!(reach_of(url, ""), without, "{url}");
            assert_eq!(reach_of(url, "true"), with, "{url}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_without_the_secret() {
        for (variables, name) in [
            (&[(URL, "https://example.com/s3cret")][..], SECRET),
            (
                &[(URL, "https://example.com"), (SECRET, "whsec_s3cret")],
                SECRET,
            ),
            (
                &[
                    (URL, "https://example.com"),
                    (SECRET, GOOD),
                    (SECRET_FILE, "/s"),
                ],
                SECRET,
            ),
            (&[(URL, "http://example.com/s3cret"), (SECRET, GOOD)], URL),
            (
                &[
                    (URL, "https://a.example/"),
                    (SECRET, GOOD),
                    (ALLOW_PRIVATE, "1"),
                ],
                ALLOW_PRIVATE,
            ),
        ] {
            let error = read(variables).unwrap_err().to_string();
            assert!(
                error.starts_with(name) && !error.contains("s3cret"),
                "{error}"
            );
            assert!(!error.contains('\n') && !error.contains(GOOD), "{error}");
        }
        let settings = read(&[(URL, "https://example.com/s3cret"), (SECRET, GOOD)]);
        let shown = format!("{settings:?}");
        assert!(
            !shown.contains("s3cret") && !shown.contains(GOOD),
            "{shown}"
        );
    }
}
