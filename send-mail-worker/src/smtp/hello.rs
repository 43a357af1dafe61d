//! EHLO, and what the server says it can do.

use std::time::Duration;

use super::dialogue::Dialogue;
use super::failure::{Failure, NotOpened, at_step};
use super::reply::Reply;

/// What a server offers: its keywords, each with what follows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Abilities(Vec<Vec<String>>);

impl Abilities {
    /// Of the answer to EHLO, whose first line is a greeting (RFC 5321,
    /// section 4.1.1.1). Servers of the nineties write `AUTH=LOGIN`, for
    /// clients of that time.
    fn of(reply: &Reply) -> Self {
        let words = |line: &String| {
            let words = line.split([' ', '\t', '=']).filter(|word| !word.is_empty());
            words.map(str::to_ascii_uppercase).collect()
        };
        Self(reply.lines.iter().skip(1).map(words).collect())
    }

    /// Whether the server offers an extension.
    pub(super) fn has(&self, keyword: &str) -> bool {
        self.lines(keyword).next().is_some()
    }

    /// Whether it offers that way to log in (RFC 4954).
    pub(super) fn has_login(&self, mechanism: &str) -> bool {
        self.lines("AUTH").flatten().any(|word| word == mechanism)
    }

    fn lines(&self, keyword: &str) -> impl Iterator<Item = &[String]> {
        self.0.iter().filter_map(move |line| {
            let (first, rest) = line.split_first()?;
            (first == keyword).then_some(rest)
        })
    }
}

/// Says who we are. To a server that does not know EHLO the same by HELO,
/// after which it offers nothing (RFC 5321, section 3.2). Names the command
/// that failed.
pub(super) async fn say_hello(
    dialogue: &mut Dialogue,
    name: &str,
    limit: Duration,
) -> Result<Abilities, NotOpened> {
    match dialogue.command(&format!("EHLO {name}"), limit).await {
        Ok(reply) => Ok(Abilities::of(&reply)),
        Err(Failure::Refused(refusal)) if refusal.is_of_an_unknown_command() => {
            let answer = dialogue.command(&format!("HELO {name}"), limit).await;
            answer.map_err(at_step("HELO"))?;
            Ok(Abilities::default())
        }
        Err(failure) => Err(at_step("EHLO")(failure)),
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
        let host = "mx.example.com at your service";
        let capitals = ["STARTTLS", "SMTPUTF8", "8BITMIME", "AUTH PLAIN LOGIN"];
        let small = [
            "starttls",
            "smtputf8",
            "8bitmime",
            "auth login plain xoauth2",
        ];
        for lines in [capitals, small] {
            let offered = of(&[&[host], &lines[..]].concat());
            for keyword in ["STARTTLS", "SMTPUTF8", "8BITMIME", "AUTH"] {
                assert!(offered.has(keyword), "{keyword}");
            }
            assert!(offered.has_login("PLAIN") && offered.has_login("LOGIN"));
        }
        let old = of(&[host, "AUTH=LOGIN", "AUTH CRAM-MD5"]);
        assert!(old.has_login("LOGIN") && old.has_login("CRAM-MD5") && !old.has_login("PLAIN"));
        let other = of(&[host, "SIZE 1000", "X-STARTTLS", "XAUTH PLAIN", ""]);
        assert!(!other.has("STARTTLS") && !other.has("AUTH") && !other.has_login("PLAIN"));
        // The first line is no keyword.
        assert!(!of(&["STARTTLS"]).has("STARTTLS"));
    }
}
