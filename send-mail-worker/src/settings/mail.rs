use std::num::NonZeroU32;

use common::runtime::{Environment, SettingError};

use crate::smtp::SmtpSettings;

/// How e-mails leave; the variables are in `docs/SETTINGS.md`.
#[derive(Clone, Debug)]
pub struct MailSettings {
    /// Where they go.
    pub transport: MailTransport,
    /// Most e-mails a second of this process; `None`: as many as it can.
    pub max_per_second: Option<NonZeroU32>,
}

/// Where e-mails go.
#[derive(Clone, Debug)]
pub enum MailTransport {
    /// To the log of the process.
    Log,
    /// To a mail server.
    Smtp(Box<SmtpSettings>),
}

impl MailSettings {
    /// Reads the `MAIL_…` variables, and the `SMTP_…` ones where they count.
    ///
    /// # Errors
    /// The first variable that is missing or wrong.
    pub fn read(env: &Environment) -> Result<Self, SettingError> {
        const NAME: &str = "MAIL_TRANSPORT";
        let transport = match env.get(NAME) {
            None | Some("log") => MailTransport::Log,
            Some("smtp") => MailTransport::Smtp(Box::new(SmtpSettings::read(env)?)),
            Some(held) => {
                return Err(SettingError::Wrong {
                    name: NAME,
                    held: held.to_owned(),
                    takes: "log or smtp".to_owned(),
                });
            }
        };
        let max_per_second = env.number("MAIL_MAX_PER_SECOND", 0, 0, 1_000_000)?;
        Ok(Self {
            transport,
            max_per_second: NonZeroU32::new(max_per_second),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<MailSettings, SettingError> {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        MailSettings::read(&variables.iter().map(own).collect())
    }

    #[test]
    fn e_mails_go_to_the_log_until_a_server_is_named() {
        let settings = read(&[("SMTP_PORT", "not looked at")]).unwrap();
        assert!(matches!(settings.transport, MailTransport::Log));
        assert_eq!(settings.max_per_second, None);
        let settings = read(&[
            ("MAIL_TRANSPORT", "smtp"),
            ("SMTP_HOST", "localhost"),
            ("MAIL_FROM", "cobranca@example.com"),
            ("MAIL_MAX_PER_SECOND", "14"),
        ])
        .unwrap();
        assert!(matches!(settings.transport, MailTransport::Smtp(_)));
        assert_eq!(settings.max_per_second, NonZeroU32::new(14));
    }

    #[test]
    fn a_wrong_value_is_named() {
        for wrong in [
            ("MAIL_TRANSPORT", "sendmail"),
            ("MAIL_MAX_PER_SECOND", "-1"),
        ] {
            let error = read(&[wrong]).unwrap_err().to_string();
            assert!(error.starts_with(wrong.0), "{error}");
        }
        assert!(read(&[("MAIL_TRANSPORT", "smtp")]).is_err());
    }
}
