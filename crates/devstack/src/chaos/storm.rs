//! Everything at once, at random, for two minutes.

use std::time::Duration;

use anyhow::Result;
use emulators::fault_proxy::{FaultMode, Resets};
use fastrand::Rng;
use tokio::time::{self, Instant};

use super::{
    arena::Arena,
    crew::Crew,
    ledger_host::LedgerHost,
    network::{Network, disturb},
};
use crate::services::Kind;

const STORM: Duration = Duration::from_mins(2);

/// Files, so that there is work for as long as the storm lasts.
const FILES: u64 = 8;

/// Uploads the files, then lets processes, the ledger and the network fail independently of each other.
pub(super) async fn play(arena: &mut Arena) -> Result<()> {
    for _ in 0..FILES {
        arena.upload_one().await?;
    }
    let end = Instant::now() + STORM;
    let mut randoms = [(); 3].map(|()| arena.random.fork());
    let [of_processes, of_ledger, of_network] = &mut randoms;
    tokio::try_join!(
        kill_processes(&mut arena.crew, of_processes, end),
        kill_ledger(&mut arena.ledger_host, of_ledger, end),
        async {
            disturb_network(&arena.network, of_network, end).await;
            Ok(())
        },
    )?;
    Ok(())
}

async fn kill_processes(crew: &mut Crew, random: &mut Rng, end: Instant) -> Result<()> {
    while pause(random, 2..8, end).await {
        crew.check()?;
        let kind = Kind::ALL[random.usize(..Kind::ALL.len())];
        crew.kill_and_restart(kind, random).await?;
    }
    Ok(())
}

async fn kill_ledger(ledger: &mut LedgerHost, random: &mut Rng, end: Instant) -> Result<()> {
    while pause(random, 5..20, end).await {
        if random.bool() {
            ledger.stop().await;
        } else {
            ledger.kill();
        }
        time::sleep(seconds(random, 0..6)).await;
        ledger.start_again().await?;
    }
    Ok(())
}

async fn disturb_network(network: &Network, random: &mut Rng, end: Instant) {
    while pause(random, 1..5, end).await {
        let proxy = network.all()[random.usize(..network.all().len())];
        let mode = match random.u8(..4) {
            0 => FaultMode::Refuse,
            1 => FaultMode::Stall,
            2 => FaultMode::ResetAfterCommit(Resets::of_all(0.3)),
            _ => FaultMode::Slow(Duration::from_millis(50)),
        };
        disturb(proxy, mode, seconds(random, 1..9)).await;
    }
}

/// Waits for a random number of seconds; false where the storm is over then.
async fn pause(random: &mut Rng, range: std::ops::Range<u64>, end: Instant) -> bool {
    let next = Instant::now() + seconds(random, range);
    time::sleep_until(next.min(end)).await;
    next < end
}

fn seconds(random: &mut Rng, range: std::ops::Range<u64>) -> Duration {
    Duration::from_millis(random.u64(range.start * 1_000..range.end * 1_000))
}
