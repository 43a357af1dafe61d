//! How a row differs from what was billed for its debt.

use std::borrow::Cow;

use common::ledger::Claim;
use contract::{Notification, Reason};

/// A row asks for a debt that was billed otherwise: one of the two is wrong,
/// and somebody should look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "one for each field")]
pub struct Conflict {
    amount: bool,
    due_date: bool,
    document: bool,
    email: bool,
}

impl Conflict {
    /// How the row's own bill differs from the one that stands; `None` where
    /// it does not, or where the latter cannot be read.
    pub fn with_claim(own: &Notification, standing: &Claim) -> Option<Self> {
        let billed: Notification = serde_json::from_str(&standing.notification).ok()?;
        let conflict = Self {
            amount: own.debt_amount != billed.debt_amount,
            due_date: own.debt_due_date != billed.debt_due_date,
            document: own.government_id != billed.government_id,
            email: !own.email.eq_ignore_ascii_case(&billed.email),
        };
        let Self {
            amount,
            due_date,
            document,
            email,
        } = conflict;
        (amount || due_date || document || email).then_some(conflict)
    }
}

/// Code `conflict`; the text names the fields, not what they hold.
impl From<Conflict> for Reason {
    fn from(conflict: Conflict) -> Self {
        let fields: Vec<&str> = [
            (conflict.amount, "amount"),
            (conflict.due_date, "due date"),
            (conflict.document, "document"),
            (conflict.email, "e-mail"),
        ]
        .into_iter()
        .filter_map(|(differs, field)| differs.then_some(field))
        .collect();
        let fields = fields.join(", ");
        Self {
            code: Cow::Borrowed("conflict"),
            text: Cow::Owned(format!("the debt was billed with another {fields}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use contract::{RowIdentity, read_record};

    use super::*;

    fn bill(record: &str) -> Notification {
        let record = read_record(record).unwrap();
        Notification::of(record)
    }

    #[test]
    fn what_differs_is_named_and_the_name_does_not_matter() {
        let standing = Claim {
            holder: RowIdentity::Message("m".into()),
            notification: serde_json::to_string(&bill("Zé,1,ze@example.com,7,2027-01-31,d"))
                .unwrap(),
        };
        let text = |record: &str| {
            let conflict = Conflict::with_claim(&bill(record), &standing)?;
            Some(Reason::from(conflict).text.into_owned())
        };
        assert_eq!(text("José,1,ZE@example.com,7.00,2027-01-31,d"), None);
        assert_eq!(
            text("Zé,1,ze@example.com,8,2027-01-31,d").as_deref(),
            Some("the debt was billed with another amount")
        );
        assert_eq!(
            text("Zé,2,z@example.com,8,2027-02-01,d").as_deref(),
            Some("the debt was billed with another amount, due date, document, e-mail")
        );
    }

    #[test]
    fn a_claim_that_cannot_be_read_is_no_conflict() {
        let standing = Claim {
            holder: RowIdentity::Message("m".into()),
            notification: "{}".into(),
        };
        let own = bill("Zé,1,ze@example.com,7,2027-01-31,d");
        assert_eq!(Conflict::with_claim(&own, &standing), None);
    }
}
