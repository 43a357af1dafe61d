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

impl Claim {
    /// The first claim of a debt.
    pub fn new(holder: RowIdentity, notification: String) -> Self {
        Self {
            holder,
            notification,
            changes: Vec::new(),
        }
    }

    /// Where the e-mail goes to the address that the debt has by now.
    pub fn mail_channel(&self) -> Channel {
        let revision = self.billed().map_or(0, |billed| billed.revision);
        Channel::mail(revision)
    }

    /// What the debt was billed with; `None` where a counterpart wrote what we
    /// cannot read.
    pub fn billed(&self) -> Option<Notification> {
        serde_json::from_str(&self.notification).ok()
    }
}
