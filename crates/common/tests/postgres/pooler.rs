//! A pooler that mixes up the statements of its clients, as PgBouncer before 1.21
//! does in transaction mode, is refused.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use common::ledger::{AnyLedger, PostgresLedger};
use common::runtime::ServiceError;
use tempfile::TempDir;
use testkit::{PostgresServer, free_port, poll_until};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::server::{server, settings};

const LONG: Duration = Duration::from_secs(20);

/// Where Debian has it.
const PGBOUNCER: &str = "/usr/sbin/pgbouncer";

/// PgBouncer in front of a server, and the URL of the ledger by way of it; `None`
/// where it is not installed.
#[allow(clippy::print_stdout, reason = "a test says what it could not try")]
async fn pgbouncer(server: &PostgresServer, mode: &str) -> Option<(Child, TempDir, String)> {
    if !Path::new(PGBOUNCER).exists() {
        println!("not tried: there is no {PGBOUNCER} (developer/setup.sh pgbouncer)");
        return None;
    }
    let version = Command::new(PGBOUNCER).arg("--version").output();
    let version = String::from_utf8(version.await.unwrap().stdout).unwrap();
    let minor = version.split('.').nth(1).unwrap().parse::<u32>().unwrap();
    let further = if minor < 21 {
        ""
    } else {
        "max_prepared_statements = 0"
    };
    let port = free_port().unwrap();
    let through = server.url_through(port);
    let of_server = server.port();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pgbouncer.ini");
    let password = "postgres-of-tests";
    let text = format!(
        "[databases]
postgres = host=127.0.0.1 port={of_server} user=postgres password={password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
ignore_startup_parameters = extra_float_digits
{further}
"
    );
    fs::write(&file, text).unwrap();
    let child = Command::new(PGBOUNCER)
        // It refuses to run as root.
        .args(["-q", "-u", "nobody"])
        .arg(&file)
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    poll_until("PgBouncer", LONG, async || {
        TcpStream::connect(("127.0.0.1", port)).await.ok()
    })
    .await;
    Some((child, folder, through))
}

#[tokio::test]
async fn a_pooler_that_mixes_up_statements_is_refused_and_another_is_not() {
    let server = server().await;
    if let Some((_bouncer, _folder, url)) = pgbouncer(&server, "session").await {
        let ledger = PostgresLedger::connect(&settings(&url, &[]), None).await;
        ledger.unwrap().ping().await.unwrap();
    }
    if let Some((_bouncer, _folder, url)) = pgbouncer(&server, "transaction").await {
        for connections in ["1", "8"] {
            let settings = settings(&url, &[("LEDGER_CONNECTIONS", connections)]);
            let error = PostgresLedger::connect(&settings, None).await.unwrap_err();
            assert!(matches!(error, ServiceError::Unsuitable(_)), "{error}");
            assert!(error.to_string().contains("PgBouncer 1.21"), "{error}");
        }
    }
}
