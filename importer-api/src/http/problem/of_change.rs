//! What is wrong with a change of a debt's address.

use axum::http::StatusCode;
use contract::InvalidReason;

use super::Problem;

impl Problem {
    /// The body of the request says nothing that can be changed: of which kind
    /// that is, the status says.
    pub(in crate::http) fn unread_change(status: StatusCode) -> Self {
        Self::new(
            status,
            "bad-change",
            "The change cannot be read",
            "send the JSON {\"email\": \"name@example.com\"} as application/json",
        )
    }

    /// No e-mail can be sent to the address.
    pub(in crate::http) fn bad_address(reason: &InvalidReason) -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "bad-address",
            "The address is invalid",
            reason.to_string(),
        )
    }

    /// The e-mail is on its way at this moment.
    pub(in crate::http) fn being_sent(seconds: u64) -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "being-sent",
            "The e-mail is being sent",
            format!(
                "the e-mail is being sent to the address that the debt has; what became of it is known in {seconds} seconds at most: try again then"
            ),
        )
    }

    /// Somebody else is changing the address of the debt.
    pub(in crate::http) fn changed_meanwhile() -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "changed-meanwhile",
            "Somebody else changed the address",
            "another change of this debt's address came at the same time: look at the boleto, and try again",
        )
    }
}
