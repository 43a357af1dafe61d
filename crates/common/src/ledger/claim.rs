use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use contract::RowIdentity;

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

/// The stored form.
#[derive(Deserialize)]
struct Stored<'a> {
    #[serde(rename = "v")]
    version: u32,
    holder: String,
    #[serde(borrow)]
    notification: &'a RawValue,
}

const VERSION: u32 = 1;

impl Claim {
    /// The text to store. The notification stands in it byte for byte.
    pub(super) fn to_stored(&self) -> String {
        let holder = Value::String(self.holder.to_string());
        let head = format!(r#"{{"v":{VERSION},"holder":{holder},"notification":"#);
        [&head, &self.notification, "}"].concat()
    }

    /// Reads a stored text. `None` if it is none of ours: a counterpart's
    /// value still means billed.
    pub(super) fn from_stored(text: &str) -> Option<Self> {
        let stored: Stored<'_> = serde_json::from_str(text).ok()?;
        (stored.version == VERSION).then_some(())?;
        Some(Self {
            holder: stored.holder.parse().ok()?,
            notification: stored.notification.get().to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_keeps_the_notification_to_the_byte() {
        let claim = Claim {
            holder: RowIdentity::Message("m-\"1\"".into()),
            notification: r#"{"debt_amount":7811.00,"name":"Zé"}"#.into(),
        };
        let stored = claim.to_stored();
        assert_eq!(Claim::from_stored(&stored), Some(claim));
    }

    #[test]
    fn a_value_of_a_counterpart_is_none_of_ours() {
        for text in [
            "",
            "1",
            "{}",
            r#"{"v":2,"holder":"message:1","notification":{}}"#,
        ] {
            assert_eq!(Claim::from_stored(text), None);
        }
    }
}
