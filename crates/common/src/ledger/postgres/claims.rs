//! Who sends the message of a debt: claims, and the leases that they last for.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, SystemTime};

use contract::Reason;
use tokio_postgres::Row;
use uuid::Uuid;

use super::PostgresLedger;
use super::batch::{column, distinct, in_order};
use super::time::milliseconds;
use crate::ledger::{Channel, LedgerError, SendClaim, SendEnd};

/// One call in so many forgets the leases that have ended.
const FORGETS: u32 = 256;

/// Begins the owner's lease, and claims each message that nobody has claimed
/// but the owner. Nearly always that is all of them.
const CLAIM: &str = "
    WITH claimed AS (
        INSERT INTO sends AS s (debt_id, channel, owner, claimed_at)
        SELECT d, $2, $3, clock_timestamp() FROM unnest($1::bytea[]) AS d
        ON CONFLICT (debt_id, channel) DO UPDATE
        SET owner = excluded.owner, claimed_at = excluded.claimed_at
        WHERE s.sent IS NULL AND (s.owner IS NULL OR s.owner = excluded.owner)
        RETURNING debt_id
    ), lease AS (
        INSERT INTO leases (owner, channel, until)
        VALUES ($3, $2, clock_timestamp() + $4::bigint * interval '1 millisecond')
        ON CONFLICT (owner, channel) DO UPDATE SET until = excluded.until
    )
    SELECT debt_id FROM claimed
";

/// What stands of messages.
const STANDING: &str = "
    SELECT debt_id, sent, code, reason, owner, claimed_at FROM sends
    WHERE debt_id = ANY($1) AND channel = $2
";

/// How long leases have still to go, in milliseconds. What renews one at the
/// same time is waited for.
const LEFT: &str = "
    SELECT owner, ceil(extract(epoch FROM until - clock_timestamp()) * 1000)::bigint
    FROM leases WHERE owner = ANY($1) AND channel = $2 FOR SHARE
";

/// Takes messages over from owners whose lease has ended, unless somebody has
/// claimed them since: the same owner, too.
const TAKE_OVER: &str = "
    WITH found AS (
        SELECT * FROM unnest($1::bytea[], $2::uuid[], $3::timestamptz[]) AS found (d, o, c)
    ), held AS (
        SELECT s.debt_id FROM sends AS s JOIN found ON s.debt_id = d AND s.channel = $4
        WHERE s.sent IS NULL AND s.owner IS NOT DISTINCT FROM o
          AND s.claimed_at IS NOT DISTINCT FROM c
        ORDER BY s.debt_id FOR UPDATE OF s
    )
    UPDATE sends AS s SET owner = $5, claimed_at = clock_timestamp()
    FROM held WHERE s.debt_id = held.debt_id AND s.channel = $4
    RETURNING s.debt_id
";

pub(super) const RENEW: &str = "
    UPDATE leases SET until = clock_timestamp() + $3::bigint * interval '1 millisecond'
    WHERE owner = $1 AND channel = $2 AND until > clock_timestamp()
    RETURNING owner
";

pub(super) const RELEASE: &str = "
    UPDATE sends SET owner = NULL
    WHERE debt_id = ANY($1) AND channel = $2 AND owner = $3 AND sent IS NULL
";

/// One that is being begun anew is left alone.
const FORGET: &str = "
    DELETE FROM leases WHERE (owner, channel) IN (
        SELECT owner, channel FROM leases WHERE until < clock_timestamp() FOR UPDATE SKIP LOCKED
    )
";

impl PostgresLedger {
    /// Claims messages for an owner. See
    /// [`claim_sends`](crate::ledger::ChannelLedger::claim_sends).
    pub(super) async fn claim_messages(
        &self,
        channel: Channel,
        debt_ids: &[&str],
        owner: Uuid,
        lease: Duration,
    ) -> Result<Vec<SendClaim>, LedgerError> {
        if fastrand::u32(..FORGETS) == 0 {
            self.connections.execute(FORGET, &[]).await?;
        }
        let ids = distinct(debt_ids.iter().copied());
        let claimed = self
            .connections
            .query(
                CLAIM,
                &[&ids, &channel.stored(), &owner, &milliseconds(lease)],
            )
            .await?;
        if claimed.len() == ids.len() {
            return Ok(vec![SendClaim::Granted; debt_ids.len()]);
        }
        let granted = claimed.iter().map(|row| column::<&[u8]>(row, 0));
        let granted: HashSet<&[u8]> = granted.collect::<Result<_, _>>()?;
        let left = ids.into_iter().filter(|id| !granted.contains(id));
        let left: Vec<&[u8]> = left.collect();
        let mut claims = self.claim_others(channel, &left, owner).await?;
        claims.extend(
            granted
                .into_iter()
                .map(|id| (id.to_vec(), SendClaim::Granted)),
        );
        // Claimed by another in between.
        let missing = SendClaim::Leased(Duration::ZERO);
        let ids = debt_ids.iter().map(|id| id.as_bytes().to_vec());
        Ok(in_order(ids, &claims, &missing))
    }

    /// Claims messages that have ended, or are another owner's.
    async fn claim_others(
        &self,
        channel: Channel,
        ids: &[&[u8]],
        owner: Uuid,
    ) -> Result<HashMap<Vec<u8>, SendClaim>, LedgerError> {
        let standing = self
            .connections
            .query(STANDING, &[&ids, &channel.stored()])
            .await?;
        let owners = standing.iter().map(|row| column::<Option<Uuid>>(row, 4));
        let owners: HashSet<Option<Uuid>> = owners.collect::<Result<_, _>>()?;
        let mut owners: Vec<Uuid> = owners.into_iter().flatten().collect();
        owners.sort_unstable();
        let left = self
            .connections
            .query(LEFT, &[&owners, &channel.stored()])
            .await?;
        let left = left
            .iter()
            .map(|row| Ok((column(row, 0)?, column(row, 1)?)));
        let left: HashMap<Uuid, i64> = left.collect::<Result<_, LedgerError>>()?;

        let mut claims = HashMap::with_capacity(ids.len());
        let (mut free, mut owners, mut times) = (Vec::new(), Vec::new(), Vec::new());
        for row in &standing {
            let id: &[u8] = column(row, 0)?;
            let owner: Option<Uuid> = column(row, 4)?;
            let left = owner.and_then(|owner| left.get(&owner)).copied();
            if let Some(end) = end(row, 1)? {
                claims.insert(id.to_vec(), SendClaim::Ended(end));
            } else if let Some(left) = left.and_then(|left| u64::try_from(left).ok())
                && left > 0
            {
                let left = Duration::from_millis(left);
                claims.insert(id.to_vec(), SendClaim::Leased(left));
            } else {
                free.push(id);
                owners.push(owner);
                times.push(column::<Option<SystemTime>>(row, 5)?);
            }
        }
        if !free.is_empty() {
            let taken = self
                .connections
                .query(
                    TAKE_OVER,
                    &[&free, &owners, &times, &channel.stored(), &owner],
                )
                .await?;
            for row in &taken {
                claims.insert(column::<Vec<u8>>(row, 0)?, SendClaim::Granted);
            }
        }
        Ok(claims)
    }
}

/// How a message ended, of three columns from `index` on; `None` where it has not.
pub(super) fn end(row: &Row, index: usize) -> Result<Option<SendEnd>, LedgerError> {
    let sent: Option<bool> = column(row, index)?;
    let Some(sent) = sent else {
        return Ok(None);
    };
    if sent {
        return Ok(Some(SendEnd::Sent));
    }
    let [code, text] = [index + 1, index + 2].map(|index| column::<Option<String>>(row, index));
    Ok(Some(SendEnd::unsent(Reason {
        code: Cow::Owned(code?.unwrap_or_default()),
        text: Cow::Owned(text?.unwrap_or_default()),
    })))
}
