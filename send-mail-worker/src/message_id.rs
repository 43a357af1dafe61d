//! The Message-ID of a debt's e-mail.

use uuid::Uuid;

/// Namespace of the identities of e-mails, made once at random.
const NAMESPACE: Uuid = Uuid::from_u128(0x8f2c_1b5e_4d0a_4c56_9a3b_6e17_d2f0_93c4);

/// The domain of e-mails that no mail system of this process sends. It is one
/// that never exists (RFC 2606).
pub const NO_DOMAIN: &str = "billing-suite.invalid";

/// The Message-ID of a debt's e-mail from that domain, which is the sender's.
///
/// Derived from the debt and the domain alone: an e-mail that is sent a second
/// time, after a crash between the transport's yes and our record of it, has
/// the same Message-ID, and mail systems that drop duplicates drop it. It
/// holds no character of the debt's id, whatever that holds (RFC 5322,
/// section 3.6.4).
pub fn message_id(debt_id: &str, domain: &str) -> String {
    let id = Uuid::new_v5(&NAMESPACE, debt_id.as_bytes());
    format!("<{id}@{domain}>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_same_for_the_same_debt_and_another_for_another() {
        let id = message_id("17", NO_DOMAIN);
        assert_eq!(
            id,
            "<c1d89fdd-a0db-5ffa-aea1-fdc64969137a@billing-suite.invalid>"
        );
        assert_eq!(message_id("17", NO_DOMAIN), id);
        assert_ne!(message_id("18", NO_DOMAIN), id);
        let elsewhere = "<c1d89fdd-a0db-5ffa-aea1-fdc64969137a@example.com>";
        assert_eq!(message_id("17", "example.com"), elsewhere);
        let hostile = message_id("a\r\nBcc: x", NO_DOMAIN);
        assert!(hostile.is_ascii());
        assert!(!hostile.contains(['\r', '\n', ' ']));
    }
}
