//! How a claim is stored: as JSON, packed. It is most of what Redis keeps, gets
//! over the network and writes to the disk, and packed it is three fifths of that.

use lz4_flex::block::{compress_prepend_size_with_dict, decompress_with_dict, uncompressed_size};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::ledger::{AddressChange, Claim};

/// The JSON.
#[derive(Deserialize)]
struct Stored<'a> {
    #[serde(rename = "v")]
    version: u32,
    holder: String,
    #[serde(borrow)]
    notification: &'a RawValue,
    #[serde(default)]
    changes: Vec<AddressChange>,
}

const VERSION: u32 = 1;

/// What a packed claim begins with; the length of the JSON and an LZ4 block
/// follow. JSON that is not packed, as earlier versions stored it, begins with
/// a brace.
const PACKED: u8 = 2;

/// No claim is as long: a message of SQS and SNS is shorter.
const MOST_BYTES: usize = 1 << 20;

/// What claims have in common, against which they are packed. It must stay as it
/// is to the byte: another one needs another [`PACKED`].
const IN_COMMON: &[u8] = br#"\"\u00","columns":{"phone":"+55 11 9"},"document_type":"unverified","cnpj","pix":"00020101021226br.gov.bcb.pix0136520400005303986540.005802BR5960070503***6304"{"v":1,"holder":"/","notification":{"name":" da Silva dos Santos de Oliveira","government_id":"000","email":"@hotmail.com@yahoo.com.br@gmail.com","debt_amount":.00,"debt_due_date":"202-0-1","debt_id":"","document_type":"cpf","our_number":"0000","bank":"001","barcode":"0019","digitable_line":"00190","beneficiary":" Ltda.","issuer":"","issued_on":"202-0-1"}}"#;

/// What to store.
pub(super) fn stored(claim: &Claim) -> Vec<u8> {
    let packed = compress_prepend_size_with_dict(json(claim).as_bytes(), IN_COMMON);
    [&[PACKED], &*packed].concat()
}

/// The notification stands in it byte for byte.
fn json(claim: &Claim) -> String {
    let holder = Value::String(claim.holder.to_string());
    let head = format!(r#"{{"v":{VERSION},"holder":{holder},"notification":"#);
    let mut changes = String::new();
    if !claim.changes.is_empty() {
        let at_all = serde_json::json!(claim.changes);
        changes = format!(r#","changes":{at_all}"#);
    }
    [&head, &claim.notification, &changes, "}"].concat()
}

/// Reads what was stored. `None` if it is none of ours: a counterpart's value
/// still means billed.
pub(super) fn read(stored: &[u8]) -> Option<Claim> {
    match stored.strip_prefix(&[PACKED]) {
        None => from_json(stored),
        Some(packed) => {
            let (length, block) = uncompressed_size(packed).ok()?;
            if length > MOST_BYTES {
                return None;
            }
            from_json(&decompress_with_dict(block, length, IN_COMMON).ok()?)
        }
    }
}

fn from_json(json: &[u8]) -> Option<Claim> {
    let stored: Stored<'_> = serde_json::from_slice(json).ok()?;
    (stored.version == VERSION).then_some(())?;
    Some(Claim {
        holder: stored.holder.parse().ok()?,
        notification: stored.notification.get().to_owned(),
        changes: stored.changes,
    })
}

#[cfg(test)]
mod tests {
    use contract::RowIdentity;
    use proptest::prelude::*;

    use super::*;

    const NOTIFICATION: &str = r#"{"name":"Flávia Zé","government_id":"33399253052","email":"flavia.costa8147@example.net","debt_amount":1301.61,"debt_due_date":"2027-03-21","debt_id":"1b188ddd-4352-4b5d-a4a5-7fb1bc2d0bb9","document_type":"cpf","our_number":"31285570000001525","bank":"001","barcode":"00193175700001301610000003128557000000152517","digitable_line":"00190000090312855700000001525179317570000130161","beneficiary":"Empresa de Demonstração Ltda.","issuer":"c3297909ebfaf16a","issued_on":"2026-11-30"}"#;

    /// What this version stores, as it stood in a ledger.
    const STORED_ONCE: &[u8] =
        b"\x020\x02\x00\x00\x0df\x01\xff\x1a01a22cc7-72dc-73dc-926e-21a3026725cc/1493\x8e\x01\
        \x07\xbfFl\xc3\xa1via Z\xc3\xa9y\x01\x00\xb733399253052\x81\x01\xf0\x0dflavia.costa8\
        147@example.net\xf9\x00\x08z\x01s1301.61d\x01\x0a~\x01`7-03-2=\x01\x01\x9b\x01\x01\
        \xeb\x01\xf0\x151b188ddd-4352-4b5d-a4a5-7fb1bc2d0bb9d\x00\x0b\xe8\x02\x0f\xa5\x01\
        \x00\x8131285570\x01\x00O1525\xb2\x01\x0b2317-\x00\x00\xb2\x00!616\x00\x1d0D\x00 17}\
        \x00\x0f\xda\x01\x02\x002\x00\x1a92\x00\x01w\x00,17\\\x00\x00\x89\x00\x09\x04\x02\
        \xfe\x0aEmpresa de Demonstra\xc3\xa7\xc3\xa3o\x1d\x02\xf0\x00c3297909ebfaf16.\x03\
        \x0b-\x02\xa06-11-30\"}}";

    fn claim() -> Claim {
        Claim::new(
            "01a22cc7-72dc-73dc-926e-21a3026725cc/1493".parse().unwrap(),
            NOTIFICATION.to_owned(),
        )
    }

    #[test]
    fn a_claim_takes_three_fifths_of_its_json() {
        let (packed, plain) = (stored(&claim()).len(), json(&claim()).len());
        assert!(5 * packed <= 3 * plain, "{packed} of {plain}");
    }

    #[test]
    fn what_earlier_versions_stored_is_read() {
        assert_eq!(read(json(&claim()).as_bytes()), Some(claim()));
    }

    /// As a ledger has it: a claim that cannot be read any more is one whose
    /// e-mail may never be sent.
    #[test]
    fn what_this_version_stored_is_read_for_ever() {
        assert_eq!(read(STORED_ONCE), Some(claim()));
    }

    #[test]
    fn a_value_of_a_counterpart_is_none_of_ours() {
        let too_long = [&[PACKED][..], &u32::MAX.to_le_bytes(), b"x"].concat();
        for value in [
            &b""[..],
            b"1",
            b"{}",
            br#"{"v":2,"holder":"message:1","notification":{}}"#,
            b"\x80\x04\x95\xff",
            &[PACKED],
            &[PACKED, 9, 0, 0, 0, 0xf0],
            &too_long,
        ] {
            assert_eq!(read(value), None, "{value:?}");
        }
    }

    proptest! {
        #[test]
        fn a_claim_keeps_the_notification_to_the_byte(name in any::<String>(), id in "\\PC{1,40}") {
            let notification = serde_json::json!({"name": name, "debt_amount": 7811}).to_string();
            let claim = Claim::new(RowIdentity::Message(id), notification);
            prop_assert_eq!(read(&stored(&claim)), Some(claim));
        }

        #[test]
        fn whatever_a_counterpart_stored_is_read_without_harm(value in any::<Vec<u8>>()) {
            let _ = read(&value);
            let _ = read(&[&[PACKED][..], &value].concat());
        }
    }
}
