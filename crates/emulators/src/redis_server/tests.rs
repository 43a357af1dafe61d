use std::{
    fs,
    io::{BufRead, BufReader},
    net::Ipv4Addr,
    process::{Command, Stdio},
    time::Duration,
};

use tempfile::tempdir;
use tokio::{
    net::TcpStream,
    time::{self, timeout},
};

use super::*;

/// Far longer than anything here takes; a test that needs it hangs.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the test below prints before the port of its server.
const PORT_MARK: &str = "redis port ";

async fn answers(port: u16) -> bool {
    wire::ask(port, "PING\r\nQUIT")
        .await
        .is_ok_and(|answer| answer.starts_with("+PONG"))
}

async fn refuses_connections(port: u16) {
    timeout(PATIENCE, async {
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            .await
            .is_ok()
        {
            time::sleep(POLL_INTERVAL).await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_started_server_answers_with_the_settings_the_services_need() {
    let server = RedisServer::start(None, None).await.unwrap();

    assert_eq!(server.url(), format!("redis://127.0.0.1:{}", server.port()));
    assert!(answers(server.port()).await);
    for (name, value) in [
        ("appendonly", "yes"),
        ("appendfsync", "always"),
        ("auto-aof-rewrite-min-size", "2147483648"),
        ("save", ""),
        ("maxmemory-policy", "noeviction"),
    ] {
        let answer = wire::ask(server.port(), &format!("CONFIG GET {name}\r\nQUIT"))
            .await
            .unwrap();
        let answered: Vec<_> = answer.lines().collect();
        assert_eq!(answered[2], name);
        assert_eq!(answered[4], value, "{name}");
    }
    let facts = server.facts().await.unwrap();
    assert_eq!(
        (facts.append_only.as_str(), facts.append_fsync.as_str()),
        ("yes", "always")
    );
    assert!(facts.used_memory_bytes > 0, "{facts:?}");
}

#[tokio::test]
async fn a_dropped_server_is_gone_with_its_temporary_directory() {
    let server = RedisServer::start(None, None).await.unwrap();
    let port = server.port();
    let directory = server.directory().to_owned();
    assert!(directory.join("redis.log").exists());

    drop(server);

    assert!(
        TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            .await
            .is_err()
    );
    assert!(!directory.exists());
}

#[tokio::test]
async fn a_stopped_server_keeps_its_data_for_the_next_start() {
    let directory = tempdir().unwrap();
    let server = RedisServer::start(None, Some(directory.path()))
        .await
        .unwrap();
    let port = server.port();
    let set = wire::ask(port, "SET kept yes\r\nQUIT").await.unwrap();
    assert!(set.starts_with("+OK"), "{set}");

    server.stop().await;
    assert!(
        TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            .await
            .is_err()
    );

    let again = RedisServer::start(Some(port), Some(directory.path()))
        .await
        .unwrap();
    assert_eq!(again.port(), port);
    let get = wire::ask(port, "GET kept\r\nQUIT").await.unwrap();
    assert!(get.starts_with("$3\r\nyes"), "{get}");
}

#[tokio::test]
async fn a_killed_server_keeps_what_it_acknowledged() {
    let directory = tempdir().unwrap();
    let server = RedisServer::start(None, Some(directory.path()))
        .await
        .unwrap();
    let port = server.port();
    wire::ask(port, "SET kept yes\r\nQUIT").await.unwrap();

    drop(server);

    let _again = RedisServer::start(Some(port), Some(directory.path()))
        .await
        .unwrap();
    let get = wire::ask(port, "GET kept\r\nQUIT").await.unwrap();
    assert!(get.starts_with("$3\r\nyes"), "{get}");
}

#[tokio::test]
async fn a_taken_port_is_an_error_that_names_it() {
    let first = RedisServer::start(None, None).await.unwrap();

    let error = RedisServer::start(Some(first.port()), None)
        .await
        .unwrap_err();

    assert!(matches!(error, RedisError::PortInUse { port } if port == first.port()));
    assert!(error.to_string().contains(&first.port().to_string()));
}

/// The other server answers on the port, but it is not the one that was started.
#[tokio::test]
async fn a_lost_race_for_a_port_is_noticed() {
    let winner = RedisServer::start(None, None).await.unwrap();
    let binary = child::find_in_path(BINARY).unwrap();
    let directory = DataDirectory::open(None, "redis").unwrap();

    let error = launch(
        &binary,
        winner.port(),
        &directory,
        AppendFsync::Everysec,
        &[],
    )
    .await
    .unwrap_err();

    assert!(matches!(error, RedisError::PortInUse { .. }), "{error}");
}

#[tokio::test]
async fn a_server_that_cannot_start_tells_why() {
    let directory = tempdir().unwrap();
    let append_only = directory.path().join("appendonlydir");
    fs::write(append_only, "a file where Redis wants a directory").unwrap();

    let error = RedisServer::start(None, Some(directory.path()))
        .await
        .unwrap_err();

    assert!(matches!(error, RedisError::Exited { .. }), "{error}");
    assert!(error.to_string().contains("appendonlydir"), "{error}");
}

#[tokio::test]
async fn a_file_is_no_data_directory() {
    let file = tempfile::NamedTempFile::new().unwrap();

    let error = RedisServer::start(None, Some(file.path()))
        .await
        .unwrap_err();

    assert!(matches!(error, RedisError::DataDirectory { .. }), "{error}");
}

#[test]
fn a_missing_binary_is_not_found() {
    assert_eq!(child::find_in_path("no-such-redis-server"), None);
}

/// The parent-death signal follows the thread that started the child, not the process.
#[tokio::test]
async fn a_server_outlives_the_thread_and_the_runtime_that_started_it() {
    let starter = std::thread::spawn(|| {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(RedisServer::start(None, None))
            .unwrap()
    });
    let server = tokio::task::spawn_blocking(|| starter.join().unwrap())
        .await
        .unwrap();

    assert!(answers(server.port()).await);
}

/// Not a test: the process that [`a_server_dies_with_a_killed_owner`] kills.
#[tokio::test]
#[ignore = "runs until it is killed"]
async fn owner_to_kill() {
    let server = RedisServer::start(None, None).await.unwrap();
    #[expect(clippy::print_stdout, reason = "the other process reads it")]
    {
        println!("\n{PORT_MARK}{}", server.port());
    }
    std::future::pending::<()>().await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_server_dies_with_a_killed_owner() {
    // The killed process cannot remove its temporary directory; this one removes both.
    let temporary = tempdir().unwrap();
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "redis_server::tests::owner_to_kill"])
        .args(["--ignored", "--nocapture"])
        .env("TMPDIR", temporary.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(owner.stdout.take().unwrap());
    let port = output
        .lines()
        .find_map(|line| line.unwrap().strip_prefix(PORT_MARK)?.parse().ok())
        .unwrap();
    assert!(answers(port).await);

    owner.kill().unwrap();
    owner.wait().unwrap();

    refuses_connections(port).await;
}

#[tokio::test]
async fn a_replica_takes_the_place_of_its_master_with_all_data() {
    let master = RedisServer::start(None, None).await.unwrap();
    let replica = RedisServer::start(None, None).await.unwrap();
    master.tell("SET before 1").await;
    replica.follow(&master).await.unwrap();
    master.tell("SET after 1").await;

    master.fail_over_to(&replica).await.unwrap();

    let answer = wire::ask(replica.port(), "EXISTS before after\r\nSET more 1\r\nQUIT").await;
    assert!(answer.unwrap().starts_with(":2\r\n+OK"));
    let answer = wire::ask(master.port(), "SET more 1\r\nQUIT").await;
    assert!(answer.unwrap().starts_with("-READONLY"));
}
