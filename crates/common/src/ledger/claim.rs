use contract::{Notification, RowIdentity};

/// What is stored under `processed:{debt_id}`: who billed the debt, and the
/// notification to publish, exactly as it will be sent. The claim alone is
/// enough to finish the work, so nobody needs a lease on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The row or message that billed the debt.
    pub holder: RowIdentity,
    /// The notification's JSON.
    pub notification: String,
}

impl Claim {
    /// What the debt was billed with; `None` where a counterpart wrote what we
    /// cannot read.
    pub fn billed(&self) -> Option<Notification> {
        serde_json::from_str(&self.notification).ok()
    }
}
