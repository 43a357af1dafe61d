use std::time::Duration;

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufStream},
    time,
};

use super::*;

/// A client that says lines and reads answers.
struct Client(BufStream<TcpStream>);

impl Client {
    async fn of(server: &SmtpServer) -> Self {
        let stream = TcpStream::connect(server.address()).await.unwrap();
        Self(BufStream::new(stream))
    }

    /// Says something, if anything, and gives the last line of the answer; empty at the end.
    async fn say(&mut self, text: &str) -> String {
        self.0.write_all(text.as_bytes()).await.unwrap();
        self.0.flush().await.unwrap();
        loop {
            let mut line = String::new();
            let reading = self.0.read_line(&mut line);
            time::timeout(Duration::from_secs(10), reading)
                .await
                .unwrap()
                .unwrap();
            if line.as_bytes().get(3) != Some(&b'-') {
                return line.trim_end().to_owned();
            }
        }
    }

    /// One message, up to the answer to its end.
    async fn send(&mut self, to: &str, message: &str) -> String {
        self.say("MAIL FROM:<us@example.com>\r\n").await;
        self.say(&format!("RCPT TO:<{to}>\r\n")).await;
        self.say("DATA\r\n").await;
        self.say(&format!("{message}\r\n.\r\n")).await
    }
}

fn mail(id: u32) -> String {
    format!("Subject: x\r\nmessage-id:  <{id}@example.com>\r\n\r\nMessage-ID: <no>")
}

#[tokio::test]
async fn it_takes_messages_one_after_the_other() {
    let server = SmtpServer::start().await.unwrap();
    let mut client = Client::of(&server).await;
    assert!(client.say("").await.starts_with("220 "));
    assert_eq!(client.say("EHLO x\r\n").await, "250 8BITMIME");
    for to in ["a@example.com", "b@example.com"] {
        assert!(client.send(to, "..a").await.starts_with("250 "));
    }
    assert!(client.say("QUIT\r\n").await.starts_with("221 "));
    assert_eq!(client.say("").await, "");

    let messages = server.messages();
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[1].from, "us@example.com");
    assert_eq!(messages[1].to, ["b@example.com"]);
    assert_eq!(&messages[1].data[..], b".a\r\n");
}

#[tokio::test]
async fn commands_out_of_order_are_refused() {
    let server = SmtpServer::start().await.unwrap();
    let mut client = Client::of(&server).await;
    client.say("").await;
    for command in ["RCPT TO:<a@b.c>", "DATA", "STARTTLS", "AUTH PLAIN x"] {
        let answer = client.say(&format!("{command}\r\n")).await;
        assert!(answer.starts_with("503 "), "{command}: {answer}");
    }
    client.say("MAIL FROM:<a@b.c>\r\n").await;
    assert!(
        client
            .say("MAIL FROM:<a@b.c>\r\n")
            .await
            .starts_with("503 ")
    );
    client.say("RSET\r\n").await;
    assert!(
        client
            .say("MAIL FROM:<a@b.c>\r\n")
            .await
            .starts_with("250 ")
    );
}

#[tokio::test]
async fn figures_are_kept_and_the_first_messages_as_files() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    for name in ["0007.eml", "mine.eml"] {
        std::fs::write(file(name), "old").unwrap();
    }
    let keep = Keep::Figures {
        folder: folder.path().to_owned(),
        files: 2,
    };
    let options = SmtpServerOptions {
        keep,
        ..SmtpServerOptions::default()
    };
    let server = SmtpServer::start_with(options).await.unwrap();
    let mut client = Client::of(&server).await;
    client.say("").await;
    for id in [1, 2, 2] {
        client.send("a@example.com", &mail(id)).await;
    }

    let figures = server.figures();
    assert_eq!((figures.messages, figures.message_ids), (3, 2));
    assert_eq!(figures.bytes, 3 * (mail(1).len() as u64 + 2));
    let mut names: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["0001.eml", "0002.eml", "mine.eml"]);
    let first = std::fs::read_to_string(file("0001.eml")).unwrap();
    assert_eq!(first, mail(1) + "\r\n");
}

#[tokio::test]
async fn it_misbehaves_where_and_as_often_as_it_is_told() {
    let server = SmtpServer::start().await.unwrap();
    let later = Act::Answer("450 4.2.0 later");
    server.misbehave(
        Fault::new(Stage::Message, later)
            .to("a@example.com")
            .times(1),
    );
    server.misbehave(Fault::new(Stage::Message, Act::KeepAndHangUp).to("c@example.com"));
    let mut client = Client::of(&server).await;
    client.say("").await;
    assert!(client.send("b@example.com", "x").await.starts_with("250 "));
    assert!(client.send("a@example.com", "x").await.starts_with("450 "));
    assert!(client.send("a@example.com", "x").await.starts_with("250 "));
    assert_eq!(client.send("c@example.com", "x").await, "");
    assert_eq!(server.messages().len(), 3);

    server.misbehave(Fault::new(Stage::Greeting, Act::Answer("421 full")));
    let mut client = Client::of(&server).await;
    assert_eq!(client.say("").await, "421 full");
    assert_eq!(client.say("").await, "");
    server.behave();
    let mut client = Client::of(&server).await;
    assert!(client.say("").await.starts_with("220 "));
    server.close_connections().await;
    assert_eq!(client.say("").await, "");
    assert_eq!(server.connections(), 3);
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let server = SmtpServer::start().await.unwrap();
    let port = server.address().port();
    let options = SmtpServerOptions {
        port,
        ..SmtpServerOptions::default()
    };
    let error = SmtpServer::start_with(options).await.unwrap_err();
    assert!(error.to_string().contains(&port.to_string()));
}
