//! What can be wrong with a row.

/// One way for a row to be invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Flaw {
    EmptyName,
    Email(BrokenEmail),
    /// This text in place of the amount.
    Amount(&'static str),
    /// This text in place of the due date.
    DueDate(&'static str),
    EmptyDebtId,
    /// The last field is not there.
    FiveFields,
}

/// One way for an e-mail address to be none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum BrokenEmail {
    NoAt,
    NoDomain,
    NoMailbox,
    Blank,
}

/// Every flaw; a file goes through them in turn, so that even a small one has all kinds.
const FLAWS: [Flaw; 14] = [
    Flaw::EmptyName,
    Flaw::Email(BrokenEmail::NoAt),
    Flaw::Amount("0"),
    Flaw::DueDate("2024-02-30"),
    Flaw::FiveFields,
    Flaw::Amount("-5.00"),
    Flaw::Email(BrokenEmail::NoDomain),
    // After 2049-10-13 there is no due-date factor.
    Flaw::DueDate("2050-01-01"),
    Flaw::EmptyDebtId,
    Flaw::Amount("abc"),
    Flaw::Email(BrokenEmail::NoMailbox),
    // A thousand, or one with three decimals.
    Flaw::Amount("1.000"),
    Flaw::DueDate("not-a-date"),
    Flaw::Email(BrokenEmail::Blank),
];

impl Flaw {
    /// The flaw of the invalid row with that index, from 0.
    pub(super) fn nth(index: u64) -> Self {
        let turn = index % FLAWS.len() as u64;
        FLAWS[usize::try_from(turn).unwrap_or(0)]
    }
}

impl BrokenEmail {
    /// A valid address with this flaw.
    pub(super) fn applied_to(self, email: &str) -> String {
        let (mailbox, domain) = email.split_once('@').unwrap_or((email, ""));
        match self {
            Self::NoAt => format!("{mailbox}.{domain}"),
            Self::NoDomain => format!("{mailbox}@"),
            Self::NoMailbox => format!("@{domain}"),
            Self::Blank => format!("{} @{domain}", mailbox.replace('.', " ")),
        }
    }
}
