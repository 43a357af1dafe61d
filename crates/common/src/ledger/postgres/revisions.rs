//! Other claims in place of those that stand.

use std::collections::HashSet;

use super::PostgresLedger;
use super::batch::{column, first_of_each};
use crate::ledger::{AddressChange, Claim, LedgerError, Revision};

const REVISE: &str = "
    WITH revision AS (
        SELECT * FROM unnest($1::bytea[], $2::text[], $3::text[], $4::text[], $5::text[])
                      AS revision (d, n, c, new_n, new_c)
    ), held AS (
        SELECT debt_id, new_n, new_c FROM records JOIN revision ON debt_id = d
        WHERE notification = n AND address_changes IS NOT DISTINCT FROM c
        ORDER BY debt_id FOR UPDATE OF records
    )
    UPDATE records AS r SET notification = new_n, address_changes = new_c
    FROM held WHERE r.debt_id = held.debt_id
    RETURNING r.debt_id
";

impl PostgresLedger {
    /// Puts claims in the place of those that stand. See
    /// [`revise`](crate::ledger::DebtLedger::revise).
    pub(super) async fn revise_claims(
        &self,
        revisions: &[Revision<'_>],
    ) -> Result<Vec<bool>, LedgerError> {
        if revisions.is_empty() {
            return Ok(Vec::new());
        }
        let firsts = first_of_each(revisions, |revision| revision.debt_id.as_bytes());
        let (mut ids, mut from, mut to) = (Vec::new(), Columns::default(), Columns::default());
        for revision in firsts {
            ids.push(revision.debt_id.as_bytes());
            from.push(revision.from)?;
            to.push(revision.to)?;
        }
        let revised = self
            .connections
            .query(
                REVISE,
                &[
                    &ids,
                    &from.notifications,
                    &from.changes,
                    &to.notifications,
                    &to.changes,
                ],
            )
            .await?;
        let revised = revised.iter().map(|row| column::<&[u8]>(row, 0));
        let mut revised: HashSet<&[u8]> = revised.collect::<Result<_, _>>()?;
        // Of twins the first is.
        let revised = revisions
            .iter()
            .map(|revision| revised.remove(revision.debt_id.as_bytes()));
        Ok(revised.collect())
    }
}

/// Claims as two arrays.
#[derive(Default)]
struct Columns<'a> {
    notifications: Vec<&'a str>,
    changes: Vec<Option<String>>,
}

impl<'a> Columns<'a> {
    fn push(&mut self, claim: &'a Claim) -> Result<(), LedgerError> {
        self.notifications.push(&claim.notification);
        self.changes.push(stored(&claim.changes)?);
        Ok(())
    }
}

/// How changes of an address are stored; there is none where it never changed.
fn stored(changes: &[AddressChange]) -> Result<Option<String>, LedgerError> {
    if changes.is_empty() {
        return Ok(None);
    }
    let changes = serde_json::to_string(changes);
    changes.map(Some).map_err(LedgerError::permanent)
}

/// Changes of an address as they were stored.
pub(super) fn read(changes: Option<&str>) -> Result<Vec<AddressChange>, LedgerError> {
    changes.map_or(Ok(Vec::new()), |changes| {
        serde_json::from_str(changes).map_err(LedgerError::permanent)
    })
}
