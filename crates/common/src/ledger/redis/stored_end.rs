//! How a message that has ended is stored.

use super::reason;
use crate::ledger::SendEnd;

/// Values that stand for ever. The second goes on with the reason, so that
/// whoever finds it can finish the row. The scripts know both.
const SENT: &str = "sent";
const UNDELIVERABLE: &str = "undeliverable:";

/// For scripts: whether a value stands for ever.
pub(super) const HAS_ENDED: &str = r"
    local function has_ended(value)
        return value == 'sent' or (value and string.sub(value, 1, 14) == 'undeliverable:')
    end
";

/// Stands between the mark and the reason.
const SEPARATOR: char = '\u{1e}';

/// An end that stands.
pub(super) struct StoredEnd {
    pub(super) end: SendEnd,
    /// Tells this end of a message that is undeliverable from any other, as
    /// one that was taken back must not be recorded again. Empty where an
    /// earlier version stored it.
    pub(super) mark: String,
}

impl StoredEnd {
    /// What to store; its mark is new.
    pub(super) fn text_of(end: &SendEnd) -> String {
        let Some(why) = end.why_unsent() else {
            return SENT.to_owned();
        };
        let (mark, why) = (fastrand::u64(..), reason::stored(why));
        format!("{UNDELIVERABLE}{mark:016x}{SEPARATOR}{why}")
    }

    pub(super) fn read(text: &str) -> Self {
        let Some(why) = text.strip_prefix(UNDELIVERABLE) else {
            return Self {
                end: SendEnd::Sent,
                mark: String::new(),
            };
        };
        let is_mark = |mark: &str| mark.len() == 16 && mark.bytes().all(|b| b.is_ascii_hexdigit());
        let marked = why.split_once(SEPARATOR);
        let (mark, why) = marked
            .filter(|(mark, _)| is_mark(mark))
            .unwrap_or(("", why));
        Self {
            end: SendEnd::unsent(reason::read(why)),
            mark: mark.to_owned(),
        }
    }

    /// Whether the message was sent.
    pub(super) fn is_sent(&self) -> bool {
        self.end == SendEnd::Sent
    }

    /// Whether a value says that the message can never be delivered.
    pub(super) fn is_undeliverable(text: &str) -> bool {
        matches!(Self::read(text).end, SendEnd::Undeliverable(_))
    }
}

#[cfg(test)]
mod tests {
    use contract::Reason;

    use super::*;

    #[test]
    fn an_end_is_read_as_it_was_stored_and_has_a_mark_of_its_own() {
        let why = Reason {
            code: "code".into(),
            text: "te\u{1e}xt\u{1f}".into(),
        };
        let end = SendEnd::Undeliverable(why.clone());
        let [first, second] = [(), ()].map(|()| StoredEnd::read(&StoredEnd::text_of(&end)));
        assert_eq!((&first.end, &second.end), (&end, &end));
        assert_ne!(first.mark, second.mark);
        // As earlier versions stored it.
        let before = StoredEnd::read(&format!("{UNDELIVERABLE}{}", reason::stored(&why)));
        assert_eq!((before.end, &*before.mark), (end, ""));
        let sent = StoredEnd::read(&StoredEnd::text_of(&SendEnd::Sent));
        assert_eq!(sent.end, SendEnd::Sent);
        let superseded = StoredEnd::text_of(&SendEnd::Superseded);
        assert_eq!(StoredEnd::read(&superseded).end, SendEnd::Superseded);
        assert!(!StoredEnd::is_undeliverable(&superseded));
    }
}
