//! Names of the keys. Those of a debt are the contract's; those of an import
//! share a hash tag, so that one import lives in one cluster slot.

use boleto::AgreementId;
use uuid::Uuid;

/// The imports by age: a sorted set whose members are the ids, which sort by
/// time.
pub(super) const IMPORTS: &str = "imports";
/// Set of the imports that nobody has seen at their end.
pub(super) const OPEN_IMPORTS: &str = "imports:open";

/// Written to see whether Redis takes writes; nobody reads it.
pub(super) const READY: &str = "ready";

/// The imports that failed lately: a sorted set whose scores are the times,
/// in milliseconds since 1970.
pub(super) const FAILED_IMPORTS: &str = "imports:failed";

/// What the keys of leases begin with.
pub(super) const MAIL_LEASE: &str = "mail-lease:";

/// The debt is billed; the value is its claim.
pub(super) fn processed(debt_id: &str) -> String {
    format!("processed:{debt_id}")
}

/// The debt's notification was accepted by SNS.
pub(super) fn notification(debt_id: &str) -> String {
    format!("notification:{debt_id}")
}

/// The debt's e-mail: being sent, sent, or undeliverable.
pub(super) fn mail(debt_id: &str) -> String {
    format!("mail:{debt_id}")
}

/// Stands for as long as the attempt `owner` may send the e-mails that it has
/// claimed.
pub(super) fn mail_lease(owner: Uuid) -> String {
    format!("{MAIL_LEASE}{owner}")
}

/// Set: the attempts that have sent the debt's e-mail, and of which nobody
/// knows whether it was taken.
pub(super) fn mail_unknown(debt_id: &str) -> String {
    format!("mail-unknown:{debt_id}")
}

/// Hash: the file of an import, and how far it is.
pub(super) fn import(import_id: Uuid) -> String {
    format!("import:{{{import_id}}}:info")
}

/// Bitmap of the rows of which that is true; bit = row number.
pub(super) fn bitmap(import_id: Uuid, name: &str) -> String {
    format!("import:{{{import_id}}}:{name}")
}

/// Sorted set: the rows whose e-mail is put off, until when in Unix seconds.
pub(super) fn put_off(import_id: Uuid) -> String {
    format!("import:{{{import_id}}}:put-off")
}

/// String with one byte a row: the number of its reason, 0 for none.
pub(super) fn reasons(import_id: Uuid) -> String {
    format!("import:{{{import_id}}}:reasons")
}

/// Hash: the reasons of an import, and the number of each.
pub(super) fn reason_numbers(import_id: Uuid) -> String {
    format!("import:{{{import_id}}}:reason-numbers")
}

/// Last number given out of a sequence.
pub(super) fn sequence(name: &str) -> String {
    format!("sequence:{name}")
}

/// An issuer's agreement with its bank, as JSON.
pub(super) fn agreement(id: AgreementId) -> String {
    format!("agreement:{id}")
}

/// What an idempotency key stands for. The key itself may be long.
pub(super) fn idempotency(key: &str) -> String {
    format!("idempotency:{key}")
}
