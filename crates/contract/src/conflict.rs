use std::borrow::Cow;

use boleto::Amount;
use jiff::civil::Date;

use crate::{Notification, Reason};

/// What two rows of a debt should have in common. The name is not of it: it may
/// be written in several ways.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Terms<'a> {
    amount: Amount,
    due_date: Date,
    document: &'a str,
    /// In small letters.
    email: String,
}

impl<'a> Terms<'a> {
    /// Those of a notification, billed or not.
    pub fn of(notification: &'a Notification) -> Self {
        Self {
            amount: notification.debt_amount,
            due_date: notification.debt_due_date,
            document: &notification.government_id,
            email: notification.email.to_ascii_lowercase(),
        }
    }
}

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
    /// How a row's own bill differs from the one that stands; `None` where it
    /// does not. Whose debt it is nobody can tell where that is
    /// [erased](Notification::is_erased).
    pub fn between(own: &Notification, standing: &Notification) -> Option<Self> {
        let is_known = !standing.is_erased();
        let (own, standing) = (Terms::of(own), Terms::of(standing));
        let conflict = Self {
            amount: own.amount != standing.amount,
            due_date: own.due_date != standing.due_date,
            document: is_known && own.document != standing.document,
            email: is_known && own.email != standing.email,
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
    use super::*;
    use crate::read_record;

    fn bill(record: &str) -> Notification {
        Notification::of(read_record(record).unwrap())
    }

    #[test]
    fn what_differs_is_named_and_the_name_does_not_matter() {
        let standing = bill("Zé,1,ze@example.com,7,2027-01-31,d");
        let text = |record: &str| {
            let conflict = Conflict::between(&bill(record), &standing)?;
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
    fn whose_debt_it_was_is_no_conflict_once_that_is_erased() {
        let standing = bill("Zé,1,ze@example.com,7,2027-01-31,d").erased();
        let between = |record: &str| Conflict::between(&bill(record), &standing);
        assert_eq!(between("Ana,2,ana@example.com,7.00,2027-01-31,d"), None);
        let conflict = between("Zé,1,ze@example.com,8,2027-01-31,d").unwrap();
        let text = Reason::from(conflict).text;
        assert_eq!(text, "the debt was billed with another amount");
    }
}
