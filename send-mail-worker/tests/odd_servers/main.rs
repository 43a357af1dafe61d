//! Servers that are odd and within the RFCs, or nearly: each e-mail is taken once, or the refusal
//! names the step that failed.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod server;

use futures::FutureExt;
use futures::future::join_all;
use send_mail_worker::smtp::{DeliveryError, Smtp, SmtpSettings};
use server::{Habits, OddServer};
use tokio_util::sync::CancellationToken;

fn client(server: &OddServer, variables: &[(&str, &str)]) -> Smtp {
    let port = server.address.port().to_string();
    let mut all = vec![
        ("SMTP_HOST", "127.0.0.1"),
        ("SMTP_PORT", &*port),
        ("SMTP_TLS", "none"),
        ("MAIL_FROM", "cobranca@example.com"),
    ];
    all.extend_from_slice(variables);
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let settings = SmtpSettings::read(&all.iter().map(own).collect()).unwrap();
    Smtp::new(settings, CancellationToken::new()).unwrap()
}

async fn deliver(smtp: &Smtp, to: &str) -> Result<(), DeliveryError> {
    let message = b"Subject: Boleto\r\n\r\nPague.\r\n";
    smtp.deliver(&to.parse().unwrap(), message).await
}

const LOGIN: [(&str, &str); 2] = [("SMTP_USERNAME", "user"), ("SMTP_PASSWORD", "secret")];

#[tokio::test]
async fn a_yes_is_a_yes_however_it_is_written() {
    for habits in [
        Habits::answer("end", b"250\r\n"),
        Habits::answer("end", b"250 \r\n"),
        Habits::answer("end", b"250 Aceita a mensagem do usu\xe1rio\r\n"),
        Habits::answer("end", b"250 bare\n"),
        Habits::answer("end", b"250-\r\n250-two\r\n250\r\n"),
        Habits::answer("end", b"299 odd\r\n"),
        Habits::answer("MAIL", b"250\r\n")
            .and("RCPT", b"251\n")
            .and("DATA", b"354\r\n"),
        Habits::answer("greeting", b"220\r\n").and("EHLO", b"250\r\n"),
        Habits::answer("greeting", b"220-ol\xe1\r\n220 \r\n"),
        Habits::answer("RCPT", b"252 cannot verify\r\n"),
    ] {
        let server = OddServer::start(habits).await;
        let smtp = client(&server, &[]);
        for to in ["a@example.com", "b@example.com"] {
            deliver(&smtp, to).await.unwrap();
        }
        assert_eq!((server.taken().len(), server.connections()), (2, 1));
    }
}

#[tokio::test]
async fn a_no_is_a_no_however_it_is_written() {
    for (habits, said) in [
        (Habits::answer("RCPT", b"571 blocked\r\n"), "571 at RCPT"),
        (Habits::answer("RCPT", b"450\r\n"), "450 at RCPT"),
        (Habits::answer("end", b"599 \xff\n"), "599 at the end"),
        (
            Habits::answer("RCPT", b"550 5.7.708 blocked\r\n"),
            "550 5.7.708 at RCPT",
        ),
    ] {
        let server = OddServer::start(habits).await;
        let smtp = client(&server, &[]);
        let Err(DeliveryError::Deferred(why)) = deliver(&smtp, "a@example.com").await else {
            panic!("it is no yes, and not for good");
        };
        assert!(why.text.contains(said), "{why:?}");
        assert_eq!(server.connections(), 1);
    }
    let habits = Habits::answer("RCPT", b"550 5.1.1 Usu\xe1rio desconhecido\r\n");
    let server = OddServer::start(habits).await;
    let refused = deliver(&client(&server, &[]), "a@example.com").await;
    assert!(
        matches!(refused, Err(DeliveryError::Undeliverable(_))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn what_is_no_answer_to_the_end_of_a_message_leaves_its_outcome_unknown() {
    for bytes in [&b"HTTP/1.1 400 Bad Request\r\n"[..], b"150 hm\r\n", b"\r\n"] {
        let server = OddServer::start(Habits::answer("end", bytes)).await;
        let unknown = deliver(&client(&server, &[]), "a@example.com").await;
        assert!(
            matches!(unknown, Err(DeliveryError::Unknown(_))),
            "{unknown:?}"
        );
    }
}

#[tokio::test]
async fn a_server_that_knows_no_ehlo_is_told_helo() {
    for answer in [&b"500 what?\r\n"[..], b"502 5.5.1 not implemented\r\n"] {
        let server = OddServer::start(Habits::answer("EHLO", answer)).await;
        let smtp = client(&server, &[("SMTP_HELO_NAME", "worker.example.com")]);
        deliver(&smtp, "a@example.com").await.unwrap();
        assert_eq!(
            server.said()[..2],
            ["EHLO worker.example.com", "HELO worker.example.com"]
        );
        assert_eq!(server.taken().len(), 1);
    }
    let habits = Habits::answer("EHLO", b"502 no\r\n").and("HELO", b"550 who is that?\r\n");
    let server = OddServer::start(habits).await;
    let away = client(&server, &[]).ready().await.unwrap_err();
    assert_eq!(away.to_string(), "HELO: 550, who is that?");
}

#[tokio::test]
async fn a_login_takes_any_spelling_and_any_question() {
    const USER: &str = "dXNlcg==";
    const SECRET: &str = "c2VjcmV0";
    for prompts in [
        [&b"334 VXNlcm5hbWU6\r\n"[..], &b"334 UGFzc3dvcmQ6\r\n"[..]],
        [b"334 VXN1w6FyaW86\r\n", b"334 U2VuaGE6\r\n"],
        [b"334 \r\n", b"334\r\n"],
        [b"334 not base64!\r\n", b"334 UGFzc3dvcmQ6\n"],
    ] {
        for offer in [
            &b"250-odd\r\n250 auth login\r\n"[..],
            b"250-odd\r\n250 AUTH=LOGIN\r\n",
            b"250-odd\r\n250-AUTH=LOGIN CRAM-MD5\r\n250 Auth Login\r\n",
        ] {
            let habits = Habits {
                prompts: Some(prompts),
                ..Habits::answer("EHLO", offer)
            };
            let server = OddServer::start(habits).await;
            let smtp = client(&server, &LOGIN);
            deliver(&smtp, "a@example.com").await.unwrap();
            assert_eq!(server.said()[1..4], ["AUTH LOGIN", USER, SECRET]);
        }
    }
    let habits = Habits::answer("EHLO", b"250-odd\r\n250 auth plain\r\n");
    let server = OddServer::start(habits).await;
    deliver(&client(&server, &LOGIN), "a@example.com")
        .await
        .unwrap();
    assert_eq!(server.said()[1], "AUTH PLAIN AHVzZXIAc2VjcmV0");

    let habits = Habits::answer("EHLO", b"250-odd\r\n250 8BITMIME\r\n");
    let server = OddServer::start(habits).await;
    let away = client(&server, &LOGIN).ready().await.unwrap_err();
    assert_eq!(away.to_string(), "AUTH: the server offers no login");
}

#[tokio::test]
async fn a_connection_that_has_had_its_share_is_replaced_at_once() {
    for worn_out in [
        ("MAIL", 3, &b"421 4.7.0 enough\r\n"[..]),
        ("MAIL", 3, b"450 4.7.1 too many messages\r\n"),
        ("MAIL", 3, b"550 5.7.0 enough\r\n"),
        ("RCPT", 3, b"452 4.5.3 too many recipients\r\n"),
        ("RCPT", 3, b"550 5.5.3 too many recipients\r\n"),
        ("RCPT", 3, b"452 too many recipients\r\n"),
        ("DATA", 3, b"421 enough\r\n"),
    ] {
        let habits = Habits {
            worn_out: Some(worn_out),
            ..Habits::default()
        };
        let server = OddServer::start(habits).await;
        let smtp = client(&server, &[("SMTP_CONNECTIONS", "2")]);
        for number in 0..10 {
            let sent = deliver(&smtp, &format!("c{number}@example.com")).await;
            sent.unwrap_or_else(|error| panic!("{worn_out:?}: {error}"));
        }
        assert_eq!((server.taken().len(), server.connections()), (10, 4));
    }
}

#[tokio::test]
async fn a_server_that_serves_few_connections_is_asked_for_no_more() {
    let habits = Habits {
        most_connections: Some(1),
        ..Habits::default()
    };
    let server = OddServer::start(habits).await;
    let smtp = client(&server, &[]);
    let all: Vec<String> = (0..200).map(|n| format!("c{n}@example.com")).collect();
    let sending = join_all(all.iter().map(|to| deliver(&smtp, to)));
    let looking = async {
        for _ in 0..20 {
            smtp.healthy().await.unwrap();
        }
    };
    let (sent, ()) = tokio::join!(sending, looking);
    for sent in sent {
        sent.unwrap();
    }
    assert_eq!(server.taken().len(), 200);
    assert!(server.connections() <= 16, "{}", server.connections());
}

#[tokio::test]
async fn nothing_that_came_in_the_clear_is_read_as_said_within_tls() {
    let habits = Habits::answer("EHLO", b"250-odd\r\n250 STARTTLS\r\n")
        .and("STARTTLS", b"220 go ahead\r\n250-odd\r\n250 AUTH PLAIN\r\n");
    let server = OddServer::start(habits).await;
    let smtp = client(&server, &[("SMTP_TLS", "starttls")]);
    let away = smtp.ready().await.unwrap_err().to_string();
    assert_eq!(
        away,
        "STARTTLS: the server said more in the clear than it was asked"
    );
}

#[tokio::test]
async fn a_probe_that_is_given_up_opens_the_connection_for_the_next_one() {
    let habits = Habits::default();
    let server = OddServer::start(habits).await;
    let smtp = client(&server, &[]);
    assert!(smtp.healthy().now_or_never().is_none());
    smtp.healthy().await.unwrap();
    assert_eq!(server.connections(), 1);
}
