//! The login: AUTH PLAIN or AUTH LOGIN (RFC 4954).

use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::dialogue::Dialogue;
use super::failure::{Failure, NotOpened, at_step};
use super::hello::Abilities;
use super::reply::{Kind, Reply};

/// User name and password for a mail server; neither is printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// Who logs in.
    pub username: String,
    /// The secret.
    pub password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").finish_non_exhaustive()
    }
}

const PLAIN: &str = "AUTH PLAIN";
const LOGIN: &str = "AUTH LOGIN";

/// Logs in, by PLAIN where it is offered. Names the command that failed.
pub(super) async fn log_in(
    dialogue: &mut Dialogue,
    login: &Login,
    offered: &Abilities,
    limit: Duration,
) -> Result<(), NotOpened> {
    let Login { username, password } = login;
    if offered.has_login("PLAIN") {
        let word = format!("\0{username}\0{password}");
        let answer = answer_all(dialogue, PLAIN, Some(&word), &[&word], limit).await;
        let is_other = |failure: &Failure| match failure {
            Failure::Refused(refusal) => refusal.is_of_an_unknown_mechanism(),
            _ => false,
        };
        match answer {
            Err(failure) if offered.has_login("LOGIN") && is_other(&failure) => {}
            answer => return answer.map_err(at_step(PLAIN)),
        }
    }
    if offered.has_login("LOGIN") {
        // Whatever the server asks with: the first word is the name.
        let words = [&**username, password];
        let answer = answer_all(dialogue, LOGIN, None, &words, limit).await;
        return answer.map_err(at_step(LOGIN));
    }
    let why = if offered.has("AUTH") {
        "the server offers neither PLAIN nor LOGIN"
    } else {
        "the server offers no login"
    };
    Err(at_step("AUTH")(Failure::Lost(why.into())))
}

/// Says a command, and to each question of the server the next word.
async fn answer_all(
    dialogue: &mut Dialogue,
    command: &str,
    initial: Option<&str>,
    words: &[&str],
    limit: Duration,
) -> Result<(), Failure> {
    let first = match initial {
        Some(word) => format!("{command} {}", BASE64_STANDARD.encode(word)),
        None => command.to_owned(),
    };
    let mut reply: Reply = dialogue.ask(&first, limit).await?;
    let mut words = words.iter();
    while reply.kind() == Kind::GoOn {
        let Some(word) = words.next() else {
            return Err(Failure::Lost(
                "the server asks for more than a login".into(),
            ));
        };
        reply = dialogue.ask(&BASE64_STANDARD.encode(word), limit).await?;
    }
    Ok(())
}
