//! Delivery over SMTP, against a server that also misbehaves.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod smtp_suite;

use std::time::Duration;

use common::runtime::{Dependency, ride_out};
use send_mail_worker::smtp::DeliveryError;
use testkit::poll_until;
use testkit::smtp_server::{
    Act, Fault, ServerLogin, ServerTls, SmtpServer, SmtpServerOptions, Stage,
};
use tokio_util::sync::CancellationToken;

use smtp_suite::{Client, MESSAGE};

/// What `result` is: its kind, and what it says.
fn said(result: Result<(), DeliveryError>) -> (&'static str, String) {
    match result {
        Ok(()) => ("delivered", String::new()),
        Err(DeliveryError::Away(text)) => ("away", text),
        Err(DeliveryError::Probed(text)) => ("probed", text),
        Err(error @ DeliveryError::Busy) => ("busy", error.to_string()),
        Err(DeliveryError::Deferred(why)) => ("deferred", why.text.into_owned()),
        Err(DeliveryError::Unknown(text)) => ("unknown", text),
        Err(DeliveryError::Undeliverable(reason)) => {
            ("undeliverable", format!("{}: {}", reason.code, reason.text))
        }
    }
}

#[track_caller]
fn assert_says(result: Result<(), DeliveryError>, kind: &str, part: &str) {
    let (is, text) = said(result);
    assert_eq!(is, kind, "{text}");
    assert!(text.contains(part), "{text}");
    assert!(!text.contains('@'), "{text}");
}

#[tokio::test]
async fn messages_go_one_after_the_other_over_one_connection() {
    let server = SmtpServer::start().await.unwrap();
    let client = Client::of(&server);
    client.smtp.ready().await.unwrap();
    client.smtp.ready().await.unwrap();
    for to in ["a@example.com", "b@example.com", "a@example.com"] {
        client.deliver(to).await.unwrap();
    }
    assert_eq!(server.connections(), 1);
    let messages = server.messages();
    let to: Vec<_> = messages.iter().map(|message| message.to.concat()).collect();
    assert_eq!(to, ["a@example.com", "b@example.com", "a@example.com"]);
    assert_eq!(messages[0].from, "cobranca@example.com");
    assert_eq!(&messages[0].data[..], MESSAGE);
}

#[tokio::test]
async fn many_at_once_take_as_many_connections_as_are_allowed() {
    let server = SmtpServer::start().await.unwrap();
    let client = Client::with(&server, &[("SMTP_CONNECTIONS", "3")]);
    let all = (0..60).map(|number| {
        let client = client.clone();
        tokio::spawn(async move { client.deliver(&format!("c{number}@example.com")).await })
    });
    for delivery in all.collect::<Vec<_>>() {
        delivery.await.unwrap().unwrap();
    }
    assert_eq!(server.messages().len(), 60);
    assert!(server.connections() <= 3, "{}", server.connections());
}

#[tokio::test]
async fn a_message_arrives_byte_for_byte() {
    let server = SmtpServer::start().await.unwrap();
    let client = Client::of(&server);
    for (sent, arrives) in [
        (
            &b".\r\n..\r\n.a\r\n\r\n.\r\n"[..],
            &b".\r\n..\r\n.a\r\n\r\n.\r\n"[..],
        ),
        // A line that does not end is ended, as SMTP knows whole lines only.
        (b"a\r\n.", b"a\r\n.\r\n"),
        (b"a\r\n\r\n\r\n", b"a\r\n\r\n\r\n"),
        ("ação\r\n".as_bytes(), "ação\r\n".as_bytes()),
        (b"", b"\r\n"),
    ] {
        client.send("a@example.com", sent).await.unwrap();
        let messages = server.messages();
        assert_eq!(&messages[messages.len() - 1].data[..], arrives);
    }
    let big: Vec<u8> = b"..............\r\n".repeat(100_000);
    client.send("a@example.com", &big).await.unwrap();
    assert_eq!(server.messages().last().unwrap().data, big);
}

#[tokio::test]
async fn whose_fault_a_refusal_is_depends_on_what_was_refused() {
    let server = SmtpServer::start().await.unwrap();
    let client = Client::of(&server);
    for (stage, answer, kind, part) in [
        (
            Stage::Greeting,
            "421 4.3.2 full",
            "away",
            "the greeting: 421 4.3.2",
        ),
        (Stage::Greeting, "554 no", "away", "554"),
        (Stage::Hello, "550 who?", "away", "EHLO: 550, who?"),
        (
            Stage::Sender,
            "451 4.7.1 <cobranca@example.com> later",
            "away",
            "451 4.7.1",
        ),
        (
            Stage::Sender,
            "550 5.7.1 cobranca@example.com",
            "away",
            "550 5.7.1",
        ),
        (Stage::Sender, "421 bye", "away", "421"),
        (
            Stage::Sender,
            "552 5.3.4 too big",
            "undeliverable",
            "message_refused: ",
        ),
        (
            Stage::Sender,
            "452 4.3.4 too big now",
            "deferred",
            "452 4.3.4 at MAIL",
        ),
        (
            Stage::Recipient,
            "450 4.2.0 <a@example.com> greylisted",
            "deferred",
            "450 4.2.0 at RCPT",
        ),
        (Stage::Recipient, "421 bye", "deferred", "421 at RCPT"),
        (
            Stage::Recipient,
            "550 5.1.1 <a@example.com> unknown",
            "undeliverable",
            "mailbox_refused: the mail server refused the recipient for good: 550 5.1.1",
        ),
        (
            Stage::Recipient,
            "530 5.7.0 log in first",
            "deferred",
            "530 5.7.0 at RCPT",
        ),
        (
            Stage::Recipient,
            "554 5.7.1 <a@example.com>: Relay access denied",
            "deferred",
            "554 5.7.1 at RCPT",
        ),
        (Stage::Data, "451 later", "deferred", "451 at DATA"),
        (Stage::Data, "554 no", "deferred", "554 at DATA"),
        (Stage::Data, "250 what?", "deferred", "out of step"),
        (
            Stage::Message,
            "452 4.3.1 full",
            "deferred",
            "452 4.3.1 at the end of the message",
        ),
        (
            Stage::Message,
            "554 5.6.0 <a@example.com> spam",
            "undeliverable",
            "message_refused: the mail server refused the message for good: 554 5.6.0",
        ),
        (Stage::Message, "354 what?", "unknown", "out of step"),
    ] {
        server.close_connections().await;
        server.misbehave(Fault::new(stage, Act::Answer(answer)));
        assert_says(client.deliver("a@example.com").await, kind, part);
        server.behave();
        assert_says(client.deliver("a@example.com").await, "delivered", "");
    }
}

/// Replies of real providers that are about the sender, and when they come.
const ABOUT_THE_SENDER: [(Stage, &str, &str); 13] = [
    (
        Stage::Message,
        "550 5.4.5 Daily user sending limit exceeded.",
        "550 5.4.5 at the end of the message",
    ),
    (
        Stage::Data,
        "550 5.4.5 Daily user sending limit exceeded.",
        "550 5.4.5 at DATA",
    ),
    (
        Stage::Message,
        "554 Message rejected: Email address is not verified.",
        "554 at the end",
    ),
    (
        Stage::Message,
        "550 5.7.60 SMTP; Client does not have permissions to send as this sender",
        "550 5.7.60 at the end",
    ),
    (
        Stage::Message,
        "554 5.2.0 SubmissionQuotaExceeded",
        "554 5.2.0 at the end",
    ),
    (
        Stage::Recipient,
        "550 5.1.90 Message cannot be sent, daily recipient limit reached",
        "550 5.1.90 at RCPT",
    ),
    (
        Stage::Message,
        "550 The from address does not match a verified sender identity",
        "550 at the end",
    ),
    (
        Stage::Message,
        "550 5.7.0 Requested action not taken: too many emails per second",
        "550 5.7.0 at the end",
    ),
    (
        Stage::Recipient,
        "550 sorry, too many emails (#5.7.1)",
        "550 5.7.1 at RCPT",
    ),
    (
        Stage::Recipient,
        "553 5.7.1 <cobranca@example.com>: Sender address rejected: not owned by user mock",
        "553 5.7.1 at RCPT",
    ),
    (
        Stage::Recipient,
        "554 5.7.1 Service unavailable; Client host [192.0.2.7] blocked using rbl.example.org",
        "554 5.7.1 at RCPT",
    ),
    (
        Stage::Recipient,
        "554 5.7.708 Service unavailable; Client host [192.0.2.7] blocked",
        "554 5.7.708 at RCPT",
    ),
    (
        Stage::Recipient,
        "550 5.7.1 <cobranca@example.com>: Sender address rejected: SPF check failed",
        "550 5.7.1 at RCPT",
    ),
];

#[tokio::test]
async fn what_is_said_of_the_sender_is_never_final() {
    for (stage, answer, part) in ABOUT_THE_SENDER {
        let server = SmtpServer::start().await.unwrap();
        let client = Client::of(&server);
        server.misbehave(Fault::new(stage, Act::Answer(answer)));
        assert_says(client.deliver("a@example.com").await, "deferred", part);
        server.behave();
        client.deliver("a@example.com").await.unwrap();
    }
}

/// Lets that much time pass at once.
async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

#[tokio::test]
async fn the_same_refusal_for_several_in_a_row_is_about_the_sender() {
    for (stage, answer, _) in ABOUT_THE_SENDER {
        let server = SmtpServer::start().await.unwrap();
        let client = Client::of(&server);
        server.misbehave(Fault::new(stage, Act::Answer(answer)));
        for to in ["a@example.com", "b@example.com"] {
            let (is, text) = said(client.deliver(to).await);
            assert_eq!(is, "deferred", "{text}");
            client.smtp.ready().await.unwrap();
        }
        let why = "it refuses one recipient after another: 55";
        assert_says(client.deliver("c@example.com").await, "probed", why);
        assert!(client.smtp.healthy().await.is_err());
        assert!(client.smtp.ready().await.is_err());
        // Nobody else is tried meanwhile.
        assert_says(client.deliver("d@example.com").await, "away", why);

        // One at a time may try it, and is held as the others are.
        pass(Duration::from_secs(1)).await;
        client.smtp.ready().await.unwrap();
        assert!(client.smtp.ready().await.is_err());
        assert!(client.smtp.healthy().await.is_err());
        assert_says(client.deliver("d@example.com").await, "probed", why);
        assert_eq!(server.messages().len(), 0);

        server.behave();
        assert_says(client.deliver("e@example.com").await, "away", why);
        pass(Duration::from_secs(30)).await;
        client.smtp.ready().await.unwrap();
        client.deliver("d@example.com").await.unwrap();
        client.smtp.healthy().await.unwrap();
        for to in ["a@example.com", "b@example.com", "c@example.com"] {
            client.deliver(to).await.unwrap();
        }
    }
}

#[tokio::test]
async fn where_others_were_taken_it_takes_many_to_be_about_the_sender() {
    let server = SmtpServer::start().await.unwrap();
    let client = Client::of(&server);
    let refused = Fault::new(Stage::Recipient, Act::Answer("550 5.4.1 Access denied"));
    server.misbehave(refused.clone());
    assert_says(client.deliver("a@example.com").await, "deferred", "5.4.1");
    server.behave();
    client.deliver("b@example.com").await.unwrap();
    server.misbehave(refused);
    for number in 1..50 {
        let to = format!("c{number}@example.com");
        assert_says(client.deliver(&to).await, "deferred", "5.4.1");
        client.smtp.healthy().await.unwrap();
    }
    assert_says(client.deliver("last@example.com").await, "probed", "5.4.1");
    assert!(client.smtp.healthy().await.is_err());
}

#[tokio::test]
async fn without_an_e_mail_that_could_try_it_a_server_is_not_said_to_refuse_all() {
    let server = SmtpServer::start().await.unwrap();
    let client = Client::of(&server);
    server.misbehave(Fault::new(Stage::Data, Act::Answer("554 no")));
    for number in 0..3 {
        let to = format!("c{number}@example.com");
        client.deliver(&to).await.unwrap_err();
    }
    assert!(client.smtp.healthy().await.is_err());
    pass(Duration::from_secs(50)).await;
    assert!(client.smtp.healthy().await.is_err());
    pass(Duration::from_secs(15)).await;
    client.smtp.healthy().await.unwrap();
}

#[tokio::test]
async fn while_everybody_is_refused_it_says_why_and_names_nobody() {
    let server = SmtpServer::start().await.unwrap();
    let client = Client::of(&server);
    let refused = "550 5.7.1 joao at [192.0.2.7]: <joao@example.com> Quota of joao exceeded";
    server.misbehave(Fault::new(Stage::Recipient, Act::Answer(refused)));
    for number in 0..3 {
        let to = format!("joao@{number}.example.com");
        client.deliver(&to).await.unwrap_err();
    }
    assert_eq!(
        client.smtp.healthy().await.unwrap_err().to_string(),
        "it refuses one recipient after another: 550 5.7.1 at RCPT, … at … Quota of … exceeded"
    );
}

#[tokio::test]
async fn refusals_of_some_hold_up_nobody() {
    let server = SmtpServer::start().await.unwrap();
    let client = Client::of(&server);
    let all = [
        "a@example.com",
        "b@example.com",
        "c@example.com",
        "d@example.com",
    ];
    let refuse = |to: &[&str], answer| {
        server.behave();
        for to in to {
            server.misbehave(Fault::new(Stage::Recipient, Act::Answer(answer)).to(to));
        }
    };
    // Bad addresses, however many in a row.
    refuse(&all, "550 5.1.1 unknown");
    for to in all {
        assert_says(client.deliver(to).await, "undeliverable", "550 5.1.1");
    }
    client.smtp.healthy().await.unwrap();
    // Greylisting, of which each recipient hears at first.
    refuse(&all, "451 4.7.1 greylisted");
    for to in all {
        assert_says(client.deliver(to).await, "deferred", "451 4.7.1");
    }
    client.smtp.healthy().await.unwrap();
    // The same one again and again.
    refuse(&["a@example.com"], "550 5.7.1 not for you");
    for _ in 0..5 {
        assert_says(
            client.deliver("a@example.com").await,
            "deferred",
            "550 5.7.1",
        );
    }
    client.smtp.healthy().await.unwrap();
    // Others in between, or other answers.
    refuse(&all[..3], "550 5.7.1 not for you");
    for to in ["a@example.com", "b@example.com"] {
        assert_says(client.deliver(to).await, "deferred", "550 5.7.1");
    }
    client.deliver("d@example.com").await.unwrap();
    assert_says(
        client.deliver("c@example.com").await,
        "deferred",
        "550 5.7.1",
    );
    assert_says(
        client.deliver("a@example.com").await,
        "deferred",
        "550 5.7.1",
    );
    refuse(&all, "550 5.7.2 not for you either");
    assert_says(
        client.deliver("b@example.com").await,
        "deferred",
        "550 5.7.2",
    );
    client.smtp.healthy().await.unwrap();
}

#[tokio::test]
async fn what_is_surely_said_of_recipient_or_message_is_final() {
    let server = SmtpServer::start().await.unwrap();
    let client = Client::of(&server);
    for (stage, answer, part) in [
        (
            Stage::Message,
            "552 5.3.4 Message size exceeds fixed limit",
            "message_refused: the mail server refused the message for good: 552 5.3.4",
        ),
        (
            Stage::Message,
            "552 message too large",
            "message_refused: the mail server refused the message for good: 552",
        ),
        (
            Stage::Recipient,
            "550 5.1.1 <a@example.com>: user unknown",
            "mailbox_refused: the mail server refused the recipient for good: 550 5.1.1",
        ),
        (
            Stage::Recipient,
            "550 no such user here",
            "mailbox_refused: the mail server refused the recipient for good: 550",
        ),
    ] {
        server.misbehave(Fault::new(stage, Act::Answer(answer)));
        assert_says(client.deliver("a@example.com").await, "undeliverable", part);
        server.behave();
    }
}

#[tokio::test]
async fn a_refusal_costs_no_connection() {
    let server = SmtpServer::start().await.unwrap();
    let client = Client::of(&server);
    for stage in [Stage::Recipient, Stage::Data, Stage::Message] {
        for answer in ["450 4.2.0 no", "550 5.2.0 no"] {
            server.misbehave(Fault::new(stage, Act::Answer(answer)).times(1));
            client.deliver("a@example.com").await.unwrap_err();
            client.deliver("a@example.com").await.unwrap();
        }
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn greylisting_passes_on_the_second_try() {
    let server = SmtpServer::start().await.unwrap();
    let client = Client::of(&server);
    let greylisted = Act::Answer("451 4.7.1 Greylisted, come back later");
    server.misbehave(
        Fault::new(Stage::Recipient, greylisted)
            .to("a@example.com")
            .times(1),
    );
    client.deliver("b@example.com").await.unwrap();
    assert_says(
        client.deliver("a@example.com").await,
        "deferred",
        "451 4.7.1",
    );
    client.deliver("a@example.com").await.unwrap();
}

#[tokio::test]
async fn a_pooled_connection_that_has_died_is_replaced_at_once() {
    let server = SmtpServer::start().await.unwrap();
    let client = Client::of(&server);
    client.deliver("a@example.com").await.unwrap();
    server.close_connections().await;
    client.deliver("a@example.com").await.unwrap();
    for stage in [Stage::Sender, Stage::Recipient, Stage::Data] {
        for act in [Act::HangUp, Act::Answer("421 4.4.2 idle for too long")] {
            server.misbehave(Fault::new(stage, act).times(1));
            client.deliver("a@example.com").await.unwrap();
        }
    }
    assert_eq!(server.connections(), 2 + 3 * 2);
    assert_eq!(server.messages().len(), 2 + 3 * 2);
}

#[tokio::test]
async fn a_connection_that_was_idle_for_long_is_asked_whether_it_is_there() {
    let server = SmtpServer::start().await.unwrap();
    let client = Client::of(&server);
    let after = async |seconds| {
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(seconds)).await;
        tokio::time::resume();
        client.deliver("a@example.com").await.unwrap();
        server.connections()
    };
    assert_eq!(after(0).await, 1);
    assert_eq!(after(31).await, 1);
    server.misbehave(Fault::new(
        Stage::Noop,
        Act::Answer("421 4.4.2 idle for too long"),
    ));
    assert_eq!(after(29).await, 1);
    assert_eq!(after(31).await, 2);
}

#[tokio::test]
async fn who_asks_often_whether_it_is_ready_learns_that_the_server_is_gone() {
    let server = SmtpServer::start().await.unwrap();
    let client = Client::of(&server);
    client.smtp.ready().await.unwrap();
    server.close_connections().await;
    server.misbehave(Fault::new(Stage::Greeting, Act::Answer("421 full")));
    let mut found = Ok(());
    for _ in 0..4 {
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(10)).await;
        tokio::time::resume();
        found = client.smtp.ready().await;
    }
    assert!(found.unwrap_err().to_string().contains("421"));
}

#[tokio::test]
async fn it_says_goodbye_when_it_goes() {
    let server = SmtpServer::start().await.unwrap();
    let client = Client::of(&server);
    client.deliver("a@example.com").await.unwrap();
    drop(client);
    poll_until("QUIT", Duration::from_secs(10), async || {
        (server.goodbyes() == 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_fresh_connection_that_breaks_is_not_replaced() {
    let server = SmtpServer::start().await.unwrap();
    let client = Client::of(&server);
    for (stage, kind) in [
        (Stage::Greeting, "away"),
        (Stage::Hello, "away"),
        (Stage::Sender, "away"),
        (Stage::Recipient, "deferred"),
        (Stage::Data, "deferred"),
    ] {
        let before = server.connections();
        server.misbehave(Fault::new(stage, Act::HangUp).times(1));
        assert_says(
            client.deliver("a@example.com").await,
            kind,
            "the server closed",
        );
        assert_eq!(server.connections(), before + 1);
    }
    assert_eq!(server.messages().len(), 0);
}

#[tokio::test]
async fn a_connection_lost_before_the_last_answer_may_have_delivered() {
    let server = SmtpServer::start().await.unwrap();
    let client = Client::of(&server);
    for (act, kept) in [(Act::HangUp, 0), (Act::KeepAndHangUp, 1)] {
        // With a pooled connection, which would be replaced at any other stage.
        client.deliver("b@example.com").await.unwrap();
        server.misbehave(Fault::new(Stage::Message, act).times(1));
        let lost = client.deliver("a@example.com").await;
        assert_says(lost, "unknown", "lost at the end of the message");
        let to_a = server
            .messages()
            .iter()
            .filter(|m| m.to == ["a@example.com"])
            .count();
        assert_eq!(to_a, kept);
    }
}

#[tokio::test]
async fn a_server_is_away_and_then_back() {
    let server = SmtpServer::start().await.unwrap();
    let port = server.address().port();
    let client = Client::of(&server);
    client.deliver("a@example.com").await.unwrap();
    drop(server);
    assert_says(
        client.deliver("a@example.com").await,
        "away",
        "it cannot be reached",
    );
    assert!(client.smtp.ready().await.is_err());

    let stop = CancellationToken::new();
    let waiting = tokio::spawn({
        let (client, stop) = (client.clone(), stop.clone());
        async move { ride_out(client.smtp.outage(), &stop, || client.smtp.ready()).await }
    });
    let options = || SmtpServerOptions {
        port,
        ..SmtpServerOptions::default()
    };
    let server = poll_until("the port again", Duration::from_secs(10), async || {
        SmtpServer::start_with(options()).await.ok()
    })
    .await;
    waiting.await.unwrap().unwrap();
    client.deliver("a@example.com").await.unwrap();
    assert_eq!(server.messages().len(), 1);
}

#[tokio::test]
async fn after_a_refused_sender_it_is_not_ready_until_the_sender_is_taken() {
    let server = SmtpServer::start().await.unwrap();
    let client = Client::of(&server);
    client.smtp.ready().await.unwrap();
    let refused = Act::Answer("550 5.7.1 cobranca@example.com may not");
    server.misbehave(Fault::new(Stage::Sender, refused));
    assert_says(client.deliver("a@example.com").await, "away", "550 5.7.1");
    for _ in 0..2 {
        let error = client.smtp.ready().await.unwrap_err();
        assert_eq!(error.to_string(), "our sender was not taken: 550 5.7.1");
    }
    server.behave();
    client.smtp.ready().await.unwrap();
    client.deliver("a@example.com").await.unwrap();
}

#[tokio::test]
async fn idle_connections_that_died_do_not_keep_it_from_getting_ready() {
    let server = SmtpServer::start().await.unwrap();
    let client = Client::of(&server);
    client.deliver("a@example.com").await.unwrap();
    server.close_connections().await;
    server.misbehave(Fault::new(Stage::Greeting, Act::Answer("421 full")).times(1));
    assert_says(client.deliver("a@example.com").await, "away", "421");
    client.smtp.ready().await.unwrap();
    client.deliver("a@example.com").await.unwrap();
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up() {
    let server = SmtpServer::start().await.unwrap();
    let client = Client::with(&server, &[("SMTP_TIMEOUT", "0.2")]);
    for (stage, kind, part) in [
        (Stage::Greeting, "away", "the greeting: no answer in 0.2 s"),
        (Stage::Hello, "away", "EHLO: no answer in 0.2 s"),
        (Stage::Sender, "away", "no answer in 0.2 s"),
        (
            Stage::Recipient,
            "deferred",
            "lost at RCPT: no answer in 0.2 s",
        ),
        (Stage::Data, "deferred", "lost at DATA"),
    ] {
        server.misbehave(Fault::new(stage, Act::Hang));
        assert_says(client.deliver("a@example.com").await, kind, part);
        server.behave();
    }
    client.deliver("a@example.com").await.unwrap();
}

#[tokio::test]
async fn the_last_answer_has_a_time_of_its_own() {
    let server = SmtpServer::start().await.unwrap();
    let client = Client::changed(&server, &[("SMTP_TIMEOUT", "0.2")], |settings| {
        settings.last_answer = Duration::from_secs(1);
    });
    let slow = Act::Delay(Duration::from_millis(600));
    server.misbehave(Fault::new(Stage::Message, slow));
    client.deliver("a@example.com").await.unwrap();
    server.behave();
    server.misbehave(Fault::new(Stage::Message, Act::Hang));
    let hangs = client.deliver("a@example.com").await;
    assert_says(hangs, "unknown", "no answer in 1 s");
    assert_eq!(server.messages().len(), 1);
}

#[tokio::test]
async fn whoever_finds_no_connection_free_is_told_so() {
    let server = SmtpServer::start().await.unwrap();
    let client = Client::changed(&server, &[("SMTP_CONNECTIONS", "1")], |settings| {
        settings.room_wait = Duration::from_millis(100);
    });
    let slow = Act::Delay(Duration::from_millis(700));
    server.misbehave(Fault::new(Stage::Message, slow).times(1));
    let (slow, waits) = tokio::join!(
        client.deliver("a@example.com"),
        client.deliver("b@example.com")
    );
    slow.unwrap();
    assert_says(waits, "busy", "all connections are busy");
    client.deliver("b@example.com").await.unwrap();
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_stop_shortens_the_wait_for_the_last_answer() {
    let server = SmtpServer::start().await.unwrap();
    let stop = CancellationToken::new();
    let client = Client::stopped_by(&server, stop.clone(), |settings| {
        settings.last_answer_when_stopped = Duration::from_millis(300);
    });
    server.misbehave(Fault::new(Stage::Message, Act::Hang));
    let sending = tokio::spawn(async move { client.deliver("a@example.com").await });
    stop.cancel();
    let ended = tokio::time::timeout(Duration::from_secs(10), sending).await;
    assert_says(ended.unwrap().unwrap(), "unknown", "no answer in 0.3 s");
}

#[tokio::test]
async fn while_deliveries_end_it_is_ready_without_a_connection_to_ask_over() {
    let server = SmtpServer::start().await.unwrap();
    let client = Client::with(&server, &[("SMTP_CONNECTIONS", "1")]);
    client.deliver("a@example.com").await.unwrap();
    server.misbehave(Fault::new(Stage::Message, Act::Hang).to("b@example.com"));
    let hangs = tokio::spawn({
        let client = client.clone();
        async move { client.deliver("b@example.com").await }
    });
    pass(Duration::from_secs(10)).await;
    let healthy = tokio::time::timeout(Duration::from_secs(2), client.smtp.healthy());
    healthy.await.unwrap().unwrap();
    hangs.abort();
}

#[tokio::test]
async fn tls_is_spoken_with_a_server_whose_certificate_is_trusted() {
    for (tls, mode, certificate_of_authority) in [
        (ServerTls::StartTls, "starttls", false),
        (ServerTls::Implicit, "tls", false),
        (ServerTls::StartTls, "starttls", true),
        (ServerTls::Implicit, "tls", true),
    ] {
        let start = async || {
            let options = SmtpServerOptions {
                tls,
                certificate_of_authority,
                ..SmtpServerOptions::default()
            };
            SmtpServer::start_with(options).await.unwrap()
        };
        let (server, other) = (start().await, start().await);
        let client = Client::with(&server, &[("SMTP_TLS", mode)]);
        for _ in 0..2 {
            client.deliver("a@example.com").await.unwrap();
        }
        assert_eq!((server.connections(), server.messages().len()), (1, 2));

        let stranger = Client::trusting(&other, &server, mode);
        let said = if certificate_of_authority {
            "UnknownIssuer"
        } else {
            "certificate"
        };
        assert_says(stranger.deliver("a@example.com").await, "away", said);
        assert!(stranger.smtp.ready().await.is_err());
    }
}

#[tokio::test]
async fn a_server_without_starttls_is_not_used() {
    let secure = SmtpServer::start_with(SmtpServerOptions {
        tls: ServerTls::StartTls,
        ..SmtpServerOptions::default()
    });
    let (server, secure) = (SmtpServer::start().await.unwrap(), secure.await.unwrap());
    let client = Client::trusting(&secure, &server, "starttls");
    assert_says(client.deliver("a@example.com").await, "away", "STARTTLS");
    assert_eq!(server.messages().len(), 0);
}

#[tokio::test]
async fn a_login_is_right_or_the_server_is_away() {
    for mechanisms in ["PLAIN", "LOGIN", "PLAIN LOGIN", "CRAM-MD5"] {
        let server = SmtpServer::start_with(SmtpServerOptions {
            login: Some(ServerLogin {
                mechanisms,
                username: "user".into(),
                password: "right".into(),
            }),
            ..SmtpServerOptions::default()
        });
        let server = server.await.unwrap();
        let with = |password| {
            Client::with(
                &server,
                &[("SMTP_USERNAME", "user"), ("SMTP_PASSWORD", password)],
            )
        };
        let right = with("right").deliver("a@example.com").await;
        if mechanisms == "CRAM-MD5" {
            assert_says(
                right,
                "away",
                "AUTH: the server offers neither PLAIN nor LOGIN",
            );
            continue;
        }
        right.unwrap();
        let wrong = with("wrong").deliver("a@example.com").await;
        assert_says(wrong, "away", ": 535 5.7.8");
        let none = Client::of(&server).deliver("a@example.com").await;
        assert_says(none, "away", "530 5.7.0");
    }
}

#[tokio::test]
async fn an_address_that_is_not_ascii_is_sent_where_it_can_be() {
    let server = SmtpServer::start().await.unwrap();
    let client = Client::of(&server);
    client.deliver("ze@açaí.com.br").await.unwrap();
    assert_eq!(server.messages()[0].to, ["ze@xn--aa-4iaz.com.br"]);
    assert_says(
        client.deliver("josé@example.com").await,
        "undeliverable",
        "address_unsupported",
    );
    client.deliver("ze@example.com").await.unwrap();
    assert_eq!(server.connections(), 1);

    let server = SmtpServer::start_with(SmtpServerOptions {
        utf8_addresses: true,
        ..SmtpServerOptions::default()
    });
    let server = server.await.unwrap();
    let client = Client::of(&server);
    client.deliver("josé@example.com").await.unwrap();
    assert_eq!(server.messages()[0].to, ["josé@example.com"]);
    // Only this message is held up, not all of them.
    server.misbehave(Fault::new(Stage::Sender, Act::Answer("555 no")));
    assert_says(client.deliver("josé@example.com").await, "deferred", "555");
}
