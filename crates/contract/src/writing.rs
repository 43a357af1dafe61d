//! Records as text, and many in one body.

/// Puts a further record, as [`write_record`] writes it, into a body.
pub fn push_record(body: &mut String, record: &str) {
    body.reserve(1 + record.len());
    body.push('\n');
    body.push_str(record);
}

/// The record of those fields: with commas in between, RFC 4180 quoting only
/// where it is needed, no line end.
pub fn write_record<'a>(fields: impl IntoIterator<Item = &'a str>) -> String {
    let mut record = String::with_capacity(160);
    for (index, field) in fields.into_iter().enumerate() {
        if index > 0 {
            record.push(',');
        }
        if field
            .bytes()
            .any(|byte| matches!(byte, b',' | b'"' | b'\n' | b'\r'))
        {
            record.push('"');
            record.push_str(&field.replace('"', "\"\""));
            record.push('"');
        } else {
            record.push_str(field);
        }
    }
    record
}
