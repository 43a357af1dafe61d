//! Names of the keys. Those of a debt are the contract's; those of an import
//! share a hash tag, so that one import lives in one cluster slot.

use boleto::AgreementId;
use uuid::Uuid;

use crate::ledger::Channel;

/// The imports by age: a sorted set whose members are the ids, which sort by
/// time.
pub(super) const IMPORTS: &str = "imports";
/// Set of the imports that nobody has seen at their end.
pub(super) const OPEN_IMPORTS: &str = "imports:open";

/// Written to see whether Redis takes writes; nobody reads it.
pub(super) const READY: &str = "ready";

/// Stands while no claims are taken, as another ledger takes its place.
pub(super) const CLOSED: &str = "ledger:closed";

/// The imports that failed lately: a sorted set whose scores are the times,
/// in milliseconds since 1970.
pub(super) const FAILED_IMPORTS: &str = "imports:failed";

/// The debt is billed; the value is its claim.
pub(super) fn processed(debt_id: &str) -> String {
    format!("processed:{debt_id}")
}

/// The debt's notification was accepted by SNS.
pub(super) fn notification(debt_id: &str) -> String {
    format!("notification:{debt_id}")
}

/// The debt's message on a channel: being sent, sent, or undeliverable.
pub(super) fn send(channel: Channel, debt_id: &str) -> String {
    format!("{}{}:{debt_id}", space(channel), channel.name())
}

/// Stands for as long as the attempt `owner` may send the messages that it has
/// claimed.
pub(super) fn lease(channel: Channel, owner: Uuid) -> String {
    format!("{}{owner}", leases(channel))
}

/// What the keys of a channel's leases begin with.
pub(super) fn leases(channel: Channel) -> String {
    format!("{}{}-lease:", space(channel), channel.name())
}

/// Set: the attempts that have sent the debt's message, and of which nobody
/// knows whether it was taken.
pub(super) fn unknown(channel: Channel, debt_id: &str) -> String {
    format!("{}{}-unknown:{debt_id}", space(channel), channel.name())
}

/// Keeps the names of further channels from being those of other keys.
fn space(channel: Channel) -> &'static str {
    if channel == Channel::MAIL {
        ""
    } else {
        "channel:"
    }
}

/// Hash: the file of an import, and how far it is.
pub(super) fn import(import_id: Uuid) -> String {
    format!("import:{{{import_id}}}:info")
}

/// Bitmap of the rows of which that is true; bit = row number.
pub(super) fn bitmap(import_id: Uuid, name: &str) -> String {
    format!("import:{{{import_id}}}:{name}")
}

/// Set: the further channels that have sent for an import.
pub(super) fn channels(import_id: Uuid) -> String {
    format!("import:{{{import_id}}}:channels")
}

/// Bitmaps of the rows whose message on that channel was sent, and of those
/// whose message can never be delivered.
pub(super) fn channel_rows(import_id: Uuid, channel: &str) -> [String; 2] {
    ["sent", "undeliverable"].map(|end| format!("import:{{{import_id}}}:channel:{channel}:{end}"))
}

/// Sorted set: the rows whose e-mail is put off, until when in Unix seconds.
pub(super) fn put_off(import_id: Uuid) -> String {
    format!("import:{{{import_id}}}:put-off")
}

/// String with one byte a row: the number of its reason, 0 for none.
pub(super) fn reasons(import_id: Uuid) -> String {
    format!("import:{{{import_id}}}:reasons")
}

/// Hash: the reasons of an import, and the number of each.
pub(super) fn reason_numbers(import_id: Uuid) -> String {
    format!("import:{{{import_id}}}:reason-numbers")
}

/// Last number given out of a sequence.
pub(super) fn sequence(name: &str) -> String {
    format!("sequence:{name}")
}

/// An issuer's agreement with its bank, as JSON.
pub(super) fn agreement(id: AgreementId) -> String {
    format!("agreement:{id}")
}

/// What an idempotency key stands for. The key itself may be long.
pub(super) fn idempotency(key: &str) -> String {
    format!("idempotency:{key}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_of_e_mails_are_what_they_were_before_other_channels() {
        let owner = Uuid::nil();
        let keys = |channel| {
            [
                send(channel, "7"),
                lease(channel, owner),
                unknown(channel, "7"),
            ]
        };
        let mail = [
            "mail:7".to_owned(),
            format!("mail-lease:{owner}"),
            "mail-unknown:7".to_owned(),
        ];
        assert_eq!(keys(Channel::MAIL), mail);
        // Whatever its name is, no other key begins so.
        let other = keys(Channel::new("processed"));
        assert_eq!(
            other,
            mail.map(|key| key.replace("mail", "channel:processed"))
        );
    }
}
