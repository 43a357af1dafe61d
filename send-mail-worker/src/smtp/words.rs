//! The words of a reply, for people: without what could be somebody's.

use std::fmt;

use lettre::Address;

/// Longest text that is kept, in bytes.
const LONGEST: usize = 160;
/// Stands for what is left out.
const MASK: &str = "…";

/// Words of a mail server. Whatever is an address, a number, a name of a host
/// or quoted is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Words(String);

impl Words {
    pub(super) fn of(text: &str) -> Self {
        Self::kept(text, |word| {
            let end = |c: char| matches!(c, '.' | ',' | ';' | ':' | '!' | '?' | '(' | ')');
            let word = word.trim_matches(end);
            word.chars()
                .all(|c| c.is_alphabetic() || matches!(c, '-' | '\''))
        })
    }

    /// The same without any part of that address.
    pub(super) fn without(&self, address: &Address) -> Self {
        let address = address.to_string().to_lowercase();
        let is_sign = |c: char| !c.is_alphanumeric();
        let own: Vec<&str> = address
            .split(is_sign)
            .filter(|part| !part.is_empty())
            .collect();
        Self::kept(&self.0, |word| {
            let word = word.to_lowercase();
            !word.split(is_sign).any(|part| own.contains(&part))
        })
    }

    fn kept(text: &str, is_kept: impl Fn(&str) -> bool) -> Self {
        let mut words = String::new();
        for word in text.split_whitespace() {
            let word = if is_kept(word) { word } else { MASK };
            if words.len() + word.len() > LONGEST {
                break;
            }
            if word == MASK && words.ends_with(MASK) {
                continue;
            }
            if !words.is_empty() {
                words.push(' ');
            }
            words.push_str(word);
        }
        Self(words)
    }
}

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_anybody_is_kept() {
        let to = "joao.silva@example.com".parse().unwrap();
        for (text, kept) in [
            (
                "5.4.5 Daily user sending limit exceeded.",
                "… Daily user sending limit exceeded.",
            ),
            (
                "5.7.1 <ze@example.com>: Sender address rejected",
                "… Sender address rejected",
            ),
            (
                "Client host [192.0.2.7] blocked using rbl.example.org",
                "Client host … blocked using …",
            ),
            (
                "mailbox of Joao Silva, (silva) at example",
                "mailbox of … at …",
            ),
            ("id=17 \"ze\" a_b https://x.example/", "…"),
        ] {
            assert_eq!(Words::of(text).without(&to).to_string(), kept);
        }
        let long = Words::of(&"word ".repeat(1_000)).to_string();
        assert!(
            long.len() <= LONGEST + MASK.len() && long.len() > 100,
            "{long}"
        );
    }
}
