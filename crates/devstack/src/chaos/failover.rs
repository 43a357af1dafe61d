//! The ledger moves to another server while the services hold connections to the one before, and
//! how soon each of them goes on.

use std::time::Duration;

use anyhow::Result;
use common::ledger::ImportLedger;
use emulators::fault_proxy::FaultMode;
use tokio::time::{self, Instant};

use super::{arena::Arena, network::local};
use crate::{import::connect, ledger_server::LedgerServer, services::Kind, wait::until};

/// How long new connections do not reach the new server either, so that the services have long
/// noticed.
const NO_SERVER: Duration = Duration::from_secs(10);

/// Longest wait for the services to go on.
const DEADLINE: Duration = Duration::from_mins(2);

/// How often it is looked whether they do.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// A replica takes the place of the server behind open connections. New ones reach the server
/// before as well at first: a Redis that has become a replica, or nobody. Services find the way in a
/// cluster by themselves.
pub(super) async fn moved(arena: &mut Arena) -> Result<()> {
    arena.ledger_host.add_replica().await?;
    uploaded_until_a_moment(arena).await?;
    arena.ledger_host.fail_over().await?;
    time::sleep(NO_SERVER).await;
    let server = arena.ledger_host.server();
    arena.ledger = connect(server).await?;
    let port = server.port();
    let before = done(arena).await?;
    for proxy in arena.network.to_ledger() {
        proxy.redirect(local(port));
    }
    go_on(arena, before).await
}

/// Nothing comes over open connections any more. New ones get no answer either at first. In a
/// cluster, that is one master's, whose place a replica takes meanwhile.
pub(super) async fn silent(arena: &mut Arena) -> Result<()> {
    uploaded_until_a_moment(arena).await?;
    if let LedgerServer::RedisCluster(cluster) = arena.ledger_host.server() {
        cluster.silence_master_with_a_copy(0).await?;
        time::sleep(NO_SERVER).await;
        cluster.has_failed_over(0).await?;
        let before = done(arena).await?;
        let gone_on = go_on(arena, before).await;
        if let LedgerServer::RedisCluster(cluster) = arena.ledger_host.server() {
            cluster.master(0).resume();
        }
        return gone_on;
    }
    for proxy in arena.network.to_ledger() {
        proxy.set(FaultMode::Stall);
        proxy.silence_open();
    }
    time::sleep(NO_SERVER).await;
    let before = done(arena).await?;
    for proxy in arena.network.to_ledger() {
        // Those that were opened meanwhile were opened to nobody.
        proxy.silence_open();
        proxy.set(FaultMode::Pass);
    }
    go_on(arena, before).await
}

async fn uploaded_until_a_moment(arena: &mut Arena) -> Result<()> {
    arena.upload_one().await?;
    for share in arena.moments(1) {
        arena.reached(Kind::Billing, share).await?;
    }
    Ok(())
}

/// What each of the services has told the ledger: rows sent, rows with an outcome, e-mails sent.
async fn done(arena: &Arena) -> Result<[u64; 3]> {
    let mut done = [0; 3];
    for import in &arena.imports {
        if let Some(status) = arena.ledger.import_status(*import).await? {
            let counts = status.counts;
            done[0] += status.sent;
            done[1] += counts.ended();
            done[2] += counts.mailed;
        }
    }
    Ok(done)
}

/// Measures the time until each service has told the ledger of something new, or has nothing left.
async fn go_on(arena: &mut Arena, before: [u64; 3]) -> Result<()> {
    let expected = arena.expected;
    let all_done = [expected.rows, expected.rows, expected.billed];
    let start = Instant::now();
    let what = "each service to go on with the new server";
    let after = until(what, DEADLINE, POLL_INTERVAL, async || {
        arena.crew.check()?;
        let now = done(arena).await?;
        let mut services = now.iter().zip(before).zip(all_done);
        let all = services.all(|((now, before), done)| *now > before || *now >= done);
        Ok(all.then(|| start.elapsed()))
    });
    arena.went_on_after = Some(after.await?);
    Ok(())
}
