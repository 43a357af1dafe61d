//! The Message-ID of a debt's e-mail.

use contract::Notification;
use uuid::Uuid;

/// Namespace of the identities of e-mails, made once at random.
const NAMESPACE: Uuid = Uuid::from_u128(0x8f2c_1b5e_4d0a_4c56_9a3b_6e17_d2f0_93c4);

/// The domain of e-mails that no mail system of this process sends. It is one
/// that never exists (RFC 2606).
pub const NO_DOMAIN: &str = "billing-suite.invalid";

/// The Message-ID of a debt's e-mail from that domain, which is the sender's.
///
/// Derived from the debt, the revision of its e-mail and the domain alone: an
/// e-mail that is sent a second time, after a crash between the transport's yes
/// and our record of it, has the same Message-ID, and mail systems that drop
/// duplicates drop it. One to another address is another e-mail. It
/// holds no character of the debt's id, whatever that holds (RFC 5322,
/// section 3.6.4).
pub fn message_id(notification: &Notification, domain: &str) -> String {
    let mut name = notification.debt_id.as_bytes().to_vec();
    if notification.revision > 0 {
        // No text has this byte, so that no other debt's id goes on like it.
        name.push(0xff);
        name.extend(notification.revision.to_be_bytes());
    }
    let id = Uuid::new_v5(&NAMESPACE, &name);
    format!("<{id}@{domain}>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_same_for_the_same_debt_and_another_for_another() {
        let of = |debt_id: &str, domain| message_id(&testkit::billed(debt_id, 1), domain);
        let id = of("17", NO_DOMAIN);
        assert_eq!(
            id,
            "<c1d89fdd-a0db-5ffa-aea1-fdc64969137a@billing-suite.invalid>"
        );
        assert_eq!(of("17", NO_DOMAIN), id);
        assert_ne!(of("18", NO_DOMAIN), id);
        let changed = testkit::billed("17", 1).readdressed("joao@example.com".to_owned());
        assert_ne!(message_id(&changed, NO_DOMAIN), id);
        let elsewhere = "<c1d89fdd-a0db-5ffa-aea1-fdc64969137a@example.com>";
        assert_eq!(of("17", "example.com"), elsewhere);
        let hostile = of("a\r\nBcc: x", NO_DOMAIN);
        assert!(hostile.is_ascii());
        assert!(!hostile.contains(['\r', '\n', ' ']));
    }
}
