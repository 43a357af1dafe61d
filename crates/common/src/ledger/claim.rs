use contract::{Notification, RowIdentity};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Channel;

/// What is stored under `processed:{debt_id}`: who billed the debt, and the
/// notification to publish, exactly as it will be sent. The claim alone is
/// enough to finish the work, so nobody needs a lease on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The row or message that billed the debt.
    pub holder: RowIdentity,
    /// The notification's JSON.
    pub notification: String,
    /// The changes of the debtor's address, in their order.
    pub changes: Vec<AddressChange>,
}

/// Somebody changed a debtor's address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressChange {
    /// When.
    pub at: Timestamp,
    /// The client of the API that did, by a name that tells it from others;
    /// empty where the API is open.
    pub by: String,
}

/// What an erased notification begins with.
const NO_NAME: &str = r#"{"name":"","#;

impl Claim {
    /// The first claim of a debt.
    pub fn new(holder: RowIdentity, notification: String) -> Self {
        Self {
            holder,
            notification,
            changes: Vec::new(),
        }
    }

    /// How often the address was changed: the revision of the notification.
    pub fn revision(&self) -> u32 {
        u32::try_from(self.changes.len()).unwrap_or(u32::MAX)
    }

    /// Where the e-mail goes to the address that the debt has by now.
    pub fn mail_channel(&self) -> Channel {
        Channel::mail(self.revision())
    }

    /// The same claim without what identifies the debtor; `None` where a
    /// counterpart wrote what we cannot read.
    #[must_use]
    pub fn erased(&self) -> Option<Self> {
        let notification = serde_json::to_string(&self.billed()?.erased()).ok()?;
        Some(Self {
            notification,
            ..self.clone()
        })
    }

    /// Whether it is [erased](Self::erased): nobody is to be told of the debt.
    pub fn is_erased(&self) -> bool {
        // Every row is asked, and nearly none is.
        self.notification.starts_with(NO_NAME)
            && self.billed().is_some_and(|billed| billed.is_erased())
    }

    /// What the debt was billed with; `None` where a counterpart wrote what we
    /// cannot read.
    pub fn billed(&self) -> Option<Notification> {
        serde_json::from_str(&self.notification).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_erased_once_and_known_to_be() {
        let notification = r#"{"name":"n","government_id":"1","email":"a@b.co","debt_amount":1.50,"debt_due_date":"2024-01-19","debt_id":"17"}"#;
        let claim = Claim {
            changes: vec![AddressChange {
                at: Timestamp::UNIX_EPOCH,
                by: "2c26b46b68ffc68f".to_owned(),
            }],
            ..Claim::new(RowIdentity::Message("m".into()), notification.to_owned())
        };
        assert!(!claim.is_erased());
        let erased = claim.erased().unwrap();
        assert!(erased.is_erased());
        assert_eq!(erased.erased(), Some(erased.clone()));
        assert_eq!(
            (&erased.holder, &erased.changes),
            (&claim.holder, &claim.changes)
        );
        let unreadable = Claim::new(claim.holder, "{}".to_owned());
        assert!(!unreadable.is_erased() && unreadable.erased().is_none());
    }
}
