//! A reason as Redis stores it: code and text in one string.

use std::borrow::Cow;

use contract::Reason;

/// Stands between code and text.
const SEPARATOR: char = '\u{1f}';

pub(super) fn stored(reason: &Reason) -> String {
    format!("{}{SEPARATOR}{}", reason.code, reason.text)
}

pub(super) fn read(stored: &str) -> Reason {
    let (code, text) = stored.split_once(SEPARATOR).unwrap_or((stored, ""));
    Reason {
        code: Cow::Owned(code.to_owned()),
        text: Cow::Owned(text.to_owned()),
    }
}
