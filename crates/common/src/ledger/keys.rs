//! Names of the keys. Those of a debt are the contract's; those of an import
//! share a hash tag, so that one import lives in one cluster slot.

use uuid::Uuid;

/// The debt is billed; the value is its claim.
pub(super) fn processed(debt_id: &str) -> String {
    format!("processed:{debt_id}")
}

/// The debt's notification was accepted by SNS.
pub(super) fn notification(debt_id: &str) -> String {
    format!("notification:{debt_id}")
}

/// The debt's e-mail: being sent, or sent.
pub(super) fn mail(debt_id: &str) -> String {
    format!("mail:{debt_id}")
}

/// Number of rows of an import.
pub(super) fn rows(import_id: Uuid) -> String {
    format!("import:{{{import_id}}}:rows")
}

/// Bitmap of the rows of which that is true; bit = row number.
pub(super) fn bitmap(import_id: Uuid, name: &str) -> String {
    format!("import:{{{import_id}}}:{name}")
}

/// Last number given out of a sequence.
pub(super) fn sequence(name: &str) -> String {
    format!("sequence:{name}")
}
