use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

use super::claims::end_of;
use super::imports::keyed_upload;
use super::keys::Keys;
use super::{RedisLedger, keys, stored_claim};
use crate::ledger::export::{
    ExportLedger, Exported, ExportedClaim, ExportedDebt, ExportedKey, ExportedSend,
};
use crate::ledger::{AgreementLedger, Channel, DebtLedger, LedgerError, Outbox};

/// Keys that Redis looks at in one call.
const KEYS_A_CALL: usize = 1_000;

/// The channel whose keys are told by its name alone.
const MAIL: &str = Channel::MAIL.name();

/// What is said of one that is to be copied.
const FROM_A_CLUSTER: &str = "a ledger in a cluster of Redis can be copied to, and not from: name one that is not in a cluster";

/// What a key says of a debt, an attempt or something else.
enum Found<'a> {
    Claim(&'a str),
    Notification(&'a str),
    Send(&'a str, &'a str),
    Lease,
    Sequence(&'a str),
    Agreement(&'a str),
    Idempotency(&'a str),
    Other,
}

/// What a key is, by its name.
fn found(key: &str) -> Found<'_> {
    let (kind, name) = key.split_once(':').unwrap_or((key, ""));
    match kind {
        "processed" => Found::Claim(name),
        "notification" => Found::Notification(name),
        "sequence" => Found::Sequence(name),
        "agreement" => Found::Agreement(name),
        "idempotency" => Found::Idempotency(name),
        "mail" | "mail-unknown" => Found::Send(MAIL, name),
        "mail-lease" => Found::Lease,
        "channel" => {
            let (kind, name) = name.split_once(':').unwrap_or((name, ""));
            if kind.ends_with("-lease") {
                return Found::Lease;
            }
            Found::Send(kind.strip_suffix("-unknown").unwrap_or(kind), name)
        }
        _ => Found::Other,
    }
}

#[async_trait]
impl ExportLedger for RedisLedger {
    async fn close(&self) -> Result<(), LedgerError> {
        self.check_copied()?;
        let mut call = redis::cmd("SET");
        call.arg(keys::CLOSED).arg(1);
        Ok(call.exec_async(&mut self.connection.clone()).await?)
    }

    async fn open(&self) -> Result<(), LedgerError> {
        let mut call = redis::cmd("DEL");
        call.arg(keys::CLOSED);
        Ok(call.exec_async(&mut self.connection.clone()).await?)
    }

    async fn has_sends_in_hand(&self) -> Result<bool, LedgerError> {
        let mut place = 0;
        loop {
            let (next, keys) = self.scan(place).await?;
            if keys.iter().any(|key| matches!(found(key), Found::Lease)) {
                return Ok(true);
            }
            if next == 0 {
                return Ok(false);
            }
            place = next;
        }
    }

    async fn export(&self, from: u64) -> Result<Exported, LedgerError> {
        let (next, keys) = self.scan(from).await?;
        let mut exported = Exported {
            next: (next != 0).then_some(next),
            ..Exported::default()
        };
        let (mut met, mut others) = (BTreeSet::new(), BTreeSet::new());
        let mut channels = BTreeSet::from([MAIL]);
        for key in &keys {
            match found(key) {
                Found::Claim(debt_id) => {
                    met.insert(debt_id);
                }
                Found::Notification(debt_id) => {
                    others.insert(debt_id);
                }
                Found::Send(channel, debt_id) if channel == MAIL => {
                    others.insert(debt_id);
                }
                // Its claim may be met where nothing tells of the channel.
                Found::Send(channel, debt_id) => {
                    met.insert(debt_id);
                    channels.insert(channel);
                }
                Found::Sequence(name) => {
                    let last = self.last_number(key).await?;
                    let last = last.map(|last| (name.to_owned(), last));
                    exported.sequences.extend(last);
                }
                Found::Agreement(id) => {
                    let id = id.parse().map_err(LedgerError::permanent)?;
                    exported.agreements.extend(self.agreement(id).await?);
                }
                Found::Idempotency(name) => {
                    exported.keys.extend(self.idempotency(key, name).await?);
                }
                Found::Lease | Found::Other => {}
            }
        }
        let debt_ids = self.met_once(met, others).await?;
        let channels: Vec<Channel> = channels.into_iter().filter_map(Channel::leaked).collect();
        exported.debts = self.exported_debts(&debt_ids, &channels).await?;
        Ok(exported)
    }

    async fn outbox(&self) -> Result<Outbox, LedgerError> {
        self.whole_outbox().await
    }
}

impl RedisLedger {
    /// The keys of a cluster lie on several servers, each with places of its own.
    fn check_copied(&self) -> Result<(), LedgerError> {
        match self.keys {
            Keys::OfServer => Ok(()),
            Keys::OfCluster => Err(LedgerError::permanent(FROM_A_CLUSTER)),
        }
    }

    /// The debts that are to be told of: those that were met, and of the others
    /// those without a claim, which they would be met by.
    async fn met_once<'a>(
        &self,
        met: BTreeSet<&'a str>,
        others: BTreeSet<&'a str>,
    ) -> Result<Vec<&'a str>, LedgerError> {
        let others: Vec<&str> = others.difference(&met).copied().collect();
        let claims = self.claims(&others).await?;
        let unclaimed = others.into_iter().zip(claims);
        let unclaimed = unclaimed.filter_map(|(id, claim)| claim.is_none().then_some(id));
        Ok(met.into_iter().chain(unclaimed).collect())
    }

    async fn scan(&self, place: u64) -> Result<(u64, Vec<String>), LedgerError> {
        self.check_copied()?;
        let mut call = redis::cmd("SCAN");
        call.arg(place).arg("COUNT").arg(KEYS_A_CALL);
        Ok(call.query_async(&mut self.connection.clone()).await?)
    }

    async fn last_number(&self, key: &str) -> Result<Option<u64>, LedgerError> {
        let mut call = redis::cmd("GET");
        call.arg(key);
        Ok(call.query_async(&mut self.connection.clone()).await?)
    }

    async fn idempotency(&self, key: &str, name: &str) -> Result<Option<ExportedKey>, LedgerError> {
        let mut pipe = redis::pipe();
        pipe.get(key).pttl(key);
        let (stored, left): (Option<String>, i64) =
            pipe.query_async(&mut self.connection.clone()).await?;
        let upload = stored.as_deref().and_then(keyed_upload);
        Ok(upload.map(|upload| ExportedKey {
            key: name.to_owned(),
            upload,
            left: Duration::from_millis(u64::try_from(left).unwrap_or(1).max(1)),
        }))
    }

    /// All that is known of these debts.
    async fn exported_debts(
        &self,
        debt_ids: &[&str],
        channels: &[Channel],
    ) -> Result<Vec<ExportedDebt>, LedgerError> {
        if debt_ids.is_empty() {
            return Ok(Vec::new());
        }
        let claims = self.claims(debt_ids).await?;
        let notified = self.notified(debt_ids).await?;
        let mut sends: HashMap<&str, Vec<ExportedSend>> = HashMap::new();
        for channel in channels {
            let ends: Vec<Option<String>> = self
                .values(debt_ids, |id| self.keys.send(*channel, id))
                .await?;
            let mut pipe = redis::pipe();
            for debt_id in debt_ids {
                pipe.smembers(self.keys.unknown(*channel, debt_id));
            }
            let unknown: Vec<Vec<Uuid>> = pipe
                .query_async::<Vec<Vec<String>>>(&mut self.connection.clone())
                .await?
                .iter()
                .map(|owners| {
                    owners
                        .iter()
                        .filter_map(|owner| owner.parse().ok())
                        .collect()
                })
                .collect();
            for ((debt_id, end), unknown) in debt_ids.iter().zip(ends).zip(unknown) {
                let end = end.as_deref().and_then(end_of);
                if end.is_some() || !unknown.is_empty() {
                    sends.entry(debt_id).or_default().push(ExportedSend {
                        channel: *channel,
                        end,
                        unknown,
                    });
                }
            }
        }
        let debts = debt_ids.iter().zip(claims).zip(notified);
        let debts = debts.map(|((debt_id, claim), notified)| ExportedDebt {
            debt_id: (*debt_id).to_owned(),
            claim: match claim {
                None => ExportedClaim::Unbilled,
                Some(stored) => match stored_claim::read(&stored) {
                    Some(claim) => ExportedClaim::Billed(claim),
                    None => ExportedClaim::Foreign,
                },
            },
            notified,
            sends: sends.remove(debt_id).unwrap_or_default(),
        });
        Ok(debts.collect())
    }
}
