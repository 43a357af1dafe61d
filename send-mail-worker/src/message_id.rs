//! The Message-ID of a debt's e-mail.

use uuid::Uuid;

/// Namespace of the identities of e-mails, made once at random.
const NAMESPACE: Uuid = Uuid::from_u128(0x8f2c_1b5e_4d0a_4c56_9a3b_6e17_d2f0_93c4);

/// Derived from the debt and nothing else: an e-mail that is sent a second
/// time, after a crash between the transport's yes and our record of it, has
/// the same Message-ID, and mail systems that drop duplicates drop it. It
/// holds no character of the debt's id, whatever that holds (RFC 5322,
/// section 3.6.4).
pub fn message_id(debt_id: &str) -> String {
    let id = Uuid::new_v5(&NAMESPACE, debt_id.as_bytes());
    format!("<{id}@billing-suite.invalid>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_same_for_the_same_debt_and_another_for_another() {
        let id = message_id("17");
        assert_eq!(
            id,
            "<c1d89fdd-a0db-5ffa-aea1-fdc64969137a@billing-suite.invalid>"
        );
        assert_eq!(message_id("17"), id);
        assert_ne!(message_id("18"), id);
        assert!(message_id("a\r\nBcc: x").is_ascii());
        assert!(!message_id("a\r\nBcc: x").contains(['\r', '\n', ' ']));
    }
}
