//! How many messages a second a client delivers to a server in the same process:
//! `cargo test --release -p send-mail-worker --test smtp -- --ignored --nocapture`

use testkit::smtp_server::{Keep, ServerTls, SmtpServer, SmtpServerOptions};

use super::Client;

const MESSAGES: u32 = 10_000;
/// As many e-mails as the worker has in hand.
const AT_A_TIME: u16 = 32;

#[allow(clippy::print_stdout, reason = "the figure is for people")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, for a release build"]
async fn how_fast_is_it() {
    for (tls, mode) in [(ServerTls::None, "none"), (ServerTls::Implicit, "tls")] {
        let folder = tempfile::tempdir().unwrap();
        let server = SmtpServer::start_with(SmtpServerOptions {
            tls,
            keep: Keep::Figures {
                folder: folder.path().to_owned(),
                files: 1_000,
            },
            ..SmtpServerOptions::default()
        });
        let server = server.await.unwrap();
        let client = Client::with(&server, &[("SMTP_TLS", mode)]);
        let senders: Vec<_> = (0..AT_A_TIME)
            .map(|sender| tokio::spawn(send(client.clone(), sender)))
            .collect();
        for sender in senders {
            sender.await.unwrap();
        }
        let figures = server.figures();
        assert_eq!(
            (figures.messages, figures.message_ids),
            (MESSAGES.into(), MESSAGES.into())
        );
        println!(
            "{mode}: {:.0} messages of {} bytes a second over {} connections",
            f64::from(MESSAGES) / figures.span.as_secs_f64(),
            figures.bytes / u64::from(MESSAGES),
            server.connections(),
        );
    }
}

/// One sender's share.
async fn send(client: Client, sender: u16) {
    let body = format!("{}\r\n", "x".repeat(76)).repeat(30 * 1024 / 78);
    for number in (sender.into()..MESSAGES).step_by(AT_A_TIME.into()) {
        let message = format!("Message-ID: <{number}@example.com>\r\n\r\n{body}");
        let to = format!("c{number}@example.com");
        client.send(&to, message.as_bytes()).await.unwrap();
    }
}
