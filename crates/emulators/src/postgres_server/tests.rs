use std::{fs, net::Ipv4Addr};

use tempfile::tempdir;
use tokio::net::TcpStream;
use tokio_postgres::NoTls;

use super::*;

async fn answers(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port))
        .await
        .is_ok()
}

/// A process that the postmaster has just forked has its socket for a moment longer.
async fn ends(port: u16) -> bool {
    let gone = async {
        while answers(port).await {
            time::sleep(POLL_INTERVAL).await;
        }
    };
    time::timeout(START_DEADLINE, gone).await.is_ok()
}

#[tokio::test]
async fn a_server_is_ready_keeps_its_data_and_ends_with_its_owner() {
    let directory = tempdir().unwrap();
    let folder = directory.path().join("kept");
    let server = PostgresServer::start(None, Some(&folder), Fsync::Off)
        .await
        .unwrap();
    let port = server.port();
    assert!(answers(port).await);
    let version = folder.join("data/PG_VERSION");
    let made = fs::metadata(&version).unwrap().modified().unwrap();
    drop(server);
    assert!(ends(port).await);

    let server = PostgresServer::start(Some(port), Some(&folder), Fsync::On)
        .await
        .unwrap();
    assert!(answers(port).await);
    assert_eq!(fs::metadata(&version).unwrap().modified().unwrap(), made);
    server.stop().await;
    assert!(ends(port).await);
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let taken = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .unwrap();
    let port = taken.local_addr().unwrap().port();
    let error = PostgresServer::start(Some(port), None, Fsync::Off)
        .await
        .unwrap_err();
    assert!(error.to_string().contains(&port.to_string()), "{error}");
    assert!(matches!(error, PostgresError::PortInUse { .. }), "{error}");
}

#[tokio::test]
async fn a_killed_server_starts_again_while_its_processes_end() {
    let mut server = PostgresServer::start(None, None, Fsync::Off).await.unwrap();
    for _ in 0..3 {
        // Each is a process that has its own last words in the log.
        let mut clients = Vec::new();
        for _ in 0..30 {
            let (client, connection) = tokio_postgres::connect(&server.url(), NoTls).await.unwrap();
            tokio::spawn(connection);
            clients.push(client);
        }
        server.kill();
        server.start_again().await.unwrap();
        assert!(answers(server.port()).await);
    }
}
