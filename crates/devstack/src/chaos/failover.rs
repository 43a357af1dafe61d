//! Redis moves to another server while the services hold connections to the one before, and how
//! soon each of them goes on.

use std::time::Duration;

use anyhow::Result;
use common::ledger::ImportLedger;
use emulators::fault_proxy::FaultMode;
use tokio::time::{self, Instant};

use super::{arena::Arena, network::local};
use crate::{import::connect, services::Kind, wait::until};

/// How long new connections do not reach the new master either, so that the services have long
/// noticed.
const NO_MASTER: Duration = Duration::from_secs(10);

/// Longest wait for the services to go on.
const DEADLINE: Duration = Duration::from_mins(2);

/// How often it is looked whether they do.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// The master becomes a replica behind open connections. New ones reach it as well at first, and
/// then the new master.
pub(super) async fn demoted(arena: &mut Arena) -> Result<()> {
    arena.redis.add_replica().await?;
    uploaded_until_a_moment(arena).await?;
    arena.redis.fail_over().await?;
    time::sleep(NO_MASTER).await;
    let port = arena.redis.port();
    arena.ledger = connect(port).await?;
    let before = done(arena).await?;
    for proxy in arena.network.to_redis() {
        proxy.redirect(local(port));
    }
    go_on(arena, before).await
}

/// Nothing comes over open connections any more. New ones get no answer either at first.
pub(super) async fn silent(arena: &mut Arena) -> Result<()> {
    uploaded_until_a_moment(arena).await?;
    for proxy in arena.network.to_redis() {
        proxy.set(FaultMode::Stall);
        proxy.silence_open();
    }
    time::sleep(NO_MASTER).await;
    let before = done(arena).await?;
    for proxy in arena.network.to_redis() {
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

/// What each of the services has told Redis: rows sent, rows with an outcome, e-mails sent.
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

/// Measures the time until each service has told Redis of something new, or has nothing left.
async fn go_on(arena: &mut Arena, before: [u64; 3]) -> Result<()> {
    let (rows, start) = (arena.expected.rows, Instant::now());
    let what = "each service to go on with the new master";
    let after = until(what, DEADLINE, POLL_INTERVAL, async || {
        arena.crew.check()?;
        let now = done(arena).await?;
        let mut services = now.iter().zip(before);
        let all = services.all(|(now, before)| *now > before || *now == rows);
        Ok(all.then(|| start.elapsed()))
    });
    arena.went_on_after = Some(after.await?);
    Ok(())
}
