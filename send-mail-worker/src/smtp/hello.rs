//! EHLO, and what the server says it can do.

use std::time::Duration;

use super::dialogue::Dialogue;
use super::failure::Failure;
use super::reply::Reply;

/// What a server offers, as far as it matters here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Abilities {
    /// RFC 3207
    pub(super) starttls: bool,
    /// RFC 6531
    pub(super) utf8_addresses: bool,
    /// RFC 6152
    pub(super) eight_bit: bool,
    /// RFC 4954: a login of any kind.
    pub(super) login: bool,
    /// RFC 4616
    pub(super) login_plain: bool,
    /// The older way that some servers know alone.
    pub(super) login_login: bool,
}

impl Abilities {
    /// Of the answer to EHLO, whose first line is a greeting (RFC 5321,
    /// section 4.1.1.1). Servers of the nineties write `AUTH=LOGIN`, for
    /// clients of that time.
    fn of(reply: &Reply) -> Self {
        let mut offered = Self::default();
        for line in reply.lines.iter().skip(1) {
            let line = line.to_ascii_uppercase();
            let mut words = line.split([' ', '\t', '=']).filter(|word| !word.is_empty());
            match words.next() {
                Some("STARTTLS") => offered.starttls = true,
                Some("SMTPUTF8") => offered.utf8_addresses = true,
                Some("8BITMIME") => offered.eight_bit = true,
                Some("AUTH") => {
                    offered.login = true;
                    for mechanism in words {
                        offered.login_plain |= mechanism == "PLAIN";
                        offered.login_login |= mechanism == "LOGIN";
                    }
                }
                _ => {}
            }
        }
        offered
    }
}

/// Says who we are. To a server that does not know EHLO the same by HELO,
/// after which it offers nothing (RFC 5321, section 3.2). Names the command
/// that failed.
pub(super) async fn say_hello(
    dialogue: &mut Dialogue,
    name: &str,
    limit: Duration,
) -> Result<Abilities, (&'static str, Failure)> {
    match dialogue.command(&format!("EHLO {name}"), limit).await {
        Ok(reply) => Ok(Abilities::of(&reply)),
        Err(Failure::Refused(refusal)) if refusal.is_of_an_unknown_command() => {
            let answer = dialogue.command(&format!("HELO {name}"), limit).await;
            answer
                .map(|_| Abilities::default())
                .map_err(|failure| ("HELO", failure))
        }
        Err(failure) => Err(("EHLO", failure)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &[&str]) -> Abilities {
        Abilities::of(&Reply {
            code: 250,
            lines: lines.iter().map(ToString::to_string).collect(),
        })
    }

    #[test]
    fn keywords_are_read_in_any_case_and_spelling() {
        let all = Abilities {
            starttls: true,
            utf8_addresses: true,
            eight_bit: true,
            login: true,
            login_plain: true,
            login_login: true,
        };
        let host = "mx.example.com at your service";
        let capitals = ["STARTTLS", "SMTPUTF8", "8BITMIME", "AUTH PLAIN LOGIN"];
        let small = [
            "starttls",
            "smtputf8",
            "8bitmime",
            "auth login plain xoauth2",
        ];
        for lines in [capitals, small] {
            assert_eq!(of(&[&[host], &lines[..]].concat()), all);
        }
        let old = of(&[host, "AUTH=LOGIN"]);
        assert!(old.login_login && !old.login_plain);
        let other = of(&[host, "AUTH CRAM-MD5", "SIZE 1000", "X-STARTTLS", ""]);
        assert_eq!(
            other,
            Abilities {
                login: true,
                ..Abilities::default()
            }
        );
        // The first line is no keyword.
        assert_eq!(of(&["STARTTLS"]), Abilities::default());
    }
}
