use super::fault::Stage;

/// What a client asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command {
    Hello,
    StartTls,
    Login {
        mechanism: String,
        initial: Option<String>,
    },
    Sender {
        address: String,
        utf8: bool,
    },
    Recipient(String),
    Data,
    Reset,
    Noop,
    Quit,
    Unknown,
}

impl Command {
    pub(super) fn parse(line: &str) -> Self {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" => Self::Hello,
            "STARTTLS" => Self::StartTls,
            "AUTH" => {
                let mut words = rest.split(' ').map(str::to_owned);
                Self::Login {
                    mechanism: words.next().unwrap_or_default().to_ascii_uppercase(),
                    initial: words.next(),
                }
            }
            "MAIL" => path(rest, "FROM:").map_or(Self::Unknown, |(address, parameters)| {
                let utf8 = parameters.split(' ').any(|word| word == "SMTPUTF8");
                Self::Sender { address, utf8 }
            }),
            "RCPT" => {
                path(rest, "TO:").map_or(Self::Unknown, |(address, _)| Self::Recipient(address))
            }
            "DATA" => Self::Data,
            "RSET" => Self::Reset,
            "NOOP" => Self::Noop,
            "QUIT" => Self::Quit,
            _ => Self::Unknown,
        }
    }

    /// The stage at which it can go wrong.
    pub(super) fn stage(&self) -> Option<Stage> {
        match self {
            Self::Hello => Some(Stage::Hello),
            Self::StartTls => Some(Stage::StartTls),
            Self::Login { .. } => Some(Stage::Login),
            Self::Sender { .. } => Some(Stage::Sender),
            Self::Recipient(_) => Some(Stage::Recipient),
            Self::Data => Some(Stage::Data),
            Self::Reset => Some(Stage::Reset),
            Self::Noop => Some(Stage::Noop),
            Self::Quit | Self::Unknown => None,
        }
    }
}

/// The address after such a word, and the parameters after the address.
fn path<'a>(text: &'a str, word: &str) -> Option<(String, &'a str)> {
    let (start, rest) = text.split_at_checked(word.len())?;
    let (address, parameters) = rest.strip_prefix('<')?.rsplit_once('>')?;
    start
        .eq_ignore_ascii_case(word)
        .then(|| (address.to_owned(), parameters))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_understood() {
        let sender = |address: &str, utf8| Command::Sender {
            address: address.to_owned(),
            utf8,
        };
        for (line, command) in [
            ("ehlo [127.0.0.1]", Command::Hello),
            ("MAIL FROM:<a@b.c>", sender("a@b.c", false)),
            ("mail from:<> BODY=8BITMIME SMTPUTF8", sender("", true)),
            (
                "RCPT TO:<\"a>b\"@b.c>",
                Command::Recipient("\"a>b\"@b.c".into()),
            ),
            ("RCPT TO a@b.c", Command::Unknown),
            ("RCPT é", Command::Unknown),
            ("DATA", Command::Data),
            ("", Command::Unknown),
        ] {
            assert_eq!(Command::parse(line), command, "{line}");
        }
    }
}
