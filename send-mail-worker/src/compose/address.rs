use idna::AsciiDenyList;
use lettre::Address;

use super::ComposeError;

/// What a quoted local part may hold, and readers of headers take for the end
/// of the address: another than its owner might be asked to pay.
const MISREAD: &[u8] = br"<>()[],;:@\";

/// The address as a header and SMTP can carry it: ASCII only. A domain in
/// other letters has such a form (RFC 5891), a local part has none.
pub(super) fn read(text: &str) -> Result<Address, ComposeError> {
    ascii(text.trim()).ok_or(ComposeError::AddressUnsupported)
}

fn ascii(text: &str) -> Option<Address> {
    let (user, domain) = text.rsplit_once('@')?;
    let is_plain = |byte| (b' '..=b'~').contains(&byte) && !MISREAD.contains(&byte);
    if !user.bytes().all(is_plain) {
        return None;
    }
    let domain = idna::domain_to_ascii_cow(domain.as_bytes(), AsciiDenyList::URL).ok()?;
    Address::new(user, domain).ok()
}
