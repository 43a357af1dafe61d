//! Batches in the order of their keys: two that share keys never wait for
//! each other in a circle.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use tokio_postgres::Row;
use tokio_postgres::types::FromSql;
use uuid::Uuid;

use super::time::figure;
use crate::ledger::LedgerError;
use contract::{Reason, RowId};

/// The different ones of some debts, in order, as the server stores them.
pub(super) fn distinct<'a>(debt_ids: impl IntoIterator<Item = &'a str>) -> Vec<&'a [u8]> {
    let mut ids: Vec<&[u8]> = debt_ids.into_iter().map(str::as_bytes).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// The first of those that have the same key, in the order of the keys.
pub(super) fn first_of_each<'a, T, K: Ord>(
    items: impl IntoIterator<Item = &'a T>,
    key: impl Fn(&'a T) -> K,
) -> Vec<&'a T> {
    let mut items: Vec<&T> = items.into_iter().collect();
    // A stable sort: of twins the first stays the first.
    items.sort_by_key(|item| key(item));
    items.dedup_by(|next, before| key(next) == key(before));
    items
}

/// The imports of rows, and their numbers.
pub(super) type RowColumns = (Vec<Option<Uuid>>, Vec<Option<i64>>);

/// Rows as two arrays: their imports, and their numbers. There is none for
/// what is no row.
pub(super) fn columns(
    rows: impl IntoIterator<Item = Option<RowId>>,
) -> Result<RowColumns, LedgerError> {
    let columns = rows.into_iter().map(|row| match row {
        Some(row) => Ok((Some(row.import_id), Some(figure(row.row)?))),
        None => Ok((None, None)),
    });
    columns.collect()
}

/// A column of an answer.
pub(super) fn column<'a, T: FromSql<'a>>(row: &'a Row, index: usize) -> Result<T, LedgerError> {
    row.try_get(index).map_err(LedgerError::permanent)
}

/// The row of an answer that stands in two columns from `index` on, if any.
pub(super) fn row_id(row: &Row, index: usize) -> Result<Option<RowId>, LedgerError> {
    let (import_id, number) = (column(row, index)?, column::<Option<i64>>(row, index + 1)?);
    let row_id = |(import_id, number)| {
        let row = u64::try_from(number).ok()?;
        Some(RowId { import_id, row })
    };
    Ok(Option::zip(import_id, number).and_then(row_id))
}

/// Reasons as two arrays: their codes, and their texts. There is none for
/// what has no reason.
pub(super) fn reasons<'a>(
    reasons: impl Iterator<Item = Option<&'a Reason>>,
) -> (Vec<Option<String>>, Vec<Option<String>>) {
    let columns = reasons.map(|reason| match reason {
        Some(reason) => (Some(text(&reason.code)), Some(text(&reason.text))),
        None => (None, None),
    });
    columns.unzip()
}

/// Says of each row of a batch whether it stands in the first two columns of
/// an answer. Of twins the first does.
pub(super) fn are_among(
    batch: impl IntoIterator<Item = RowId>,
    found: &[Row],
) -> Result<Vec<bool>, LedgerError> {
    let found = found.iter().map(|row| row_id(row, 0));
    let mut found: HashSet<Option<RowId>> = found.collect::<Result<_, _>>()?;
    let batch = batch.into_iter();
    Ok(batch.map(|row| found.remove(&Some(row))).collect())
}

/// Gives each key its answer, and `missing` to a key that has none.
pub(super) fn in_order<K: Eq + Hash, V: Clone>(
    keys: impl IntoIterator<Item = K>,
    answers: &HashMap<K, V>,
    missing: &V,
) -> Vec<V> {
    let answer = |key| answers.get(&key).unwrap_or(missing).clone();
    keys.into_iter().map(answer).collect()
}

/// Text without what the server's text cannot hold.
pub(super) fn text(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
