//! Reads what a slip's page shows, from its operators.

/// Bytes as the characters of the same numbers.
pub(crate) fn latin_1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// Each text of a page with its place, font and size: `x y font size text`.
pub(crate) fn texts(pdf: &[u8]) -> Vec<String> {
    let pdf = latin_1(pdf);
    let texts = pdf.split("\nBT/").skip(1);
    texts.map(|text| read(text).unwrap()).collect()
}

/// `F1 9 Tf X Y Td(TEXT)Tj`, or the text between `<` and `>` as hex digits.
fn read(operators: &str) -> Option<String> {
    let (font, rest) = operators.split_once(" Tf ")?;
    let (place, rest) = rest.split_once(" Td")?;
    let (text, _) = rest.split_once("Tj\nET")?;
    let text = match text.strip_prefix('<') {
        Some(hex) => of_hex(hex.strip_suffix('>')?),
        None => text.strip_prefix('(')?.strip_suffix(')')?.replace('\\', ""),
    };
    Some(format!("{place} {font} {text}"))
}

/// Hex digits of Windows-1252, of which the slips here have these.
fn of_hex(hex: &str) -> String {
    let (pairs, _) = hex.as_bytes().as_chunks::<2>();
    let bytes = pairs.iter().map(|pair| {
        let pair = std::str::from_utf8(pair).unwrap();
        u8::from_str_radix(pair, 16).unwrap()
    });
    let characters = bytes.map(|byte| match byte {
        0x85 => '…',
        0x96 => '–',
        byte => char::from(byte),
    });
    characters.collect()
}
