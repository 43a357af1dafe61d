//! Workbooks made by hand, part by part, for what no program writes.

use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

pub(crate) const HEADER: [&str; 6] = [
    "name",
    "governmentId",
    "email",
    "debtAmount",
    "debtDueDate",
    "debtId",
];

/// The parts of a workbook with one sheet.
pub(crate) struct Made {
    parts: Vec<(String, Vec<u8>)>,
}

impl Made {
    /// A workbook with these rows in its sheet.
    pub(crate) fn new(rows: &str) -> Self {
        let part = |name: &str, text: String| (name.to_owned(), text.into_bytes());
        Self {
            parts: vec![
                part("[Content_Types].xml", "<Types/>".to_owned()),
                part(
                    "_rels/.rels",
                    relations(&[("rId1", "officeDocument", "xl/workbook.xml")]),
                ),
                part(
                    "xl/_rels/workbook.xml.rels",
                    relations(&[
                        ("rId1", "worksheet", "worksheets/sheet1.xml"),
                        ("rId2", "worksheet", "worksheets/sheet2.xml"),
                    ]),
                ),
                part("xl/workbook.xml", workbook("", &sheet("Plan1", 1, ""))),
                part("xl/styles.xml", styles()),
                part("xl/worksheets/sheet1.xml", sheet_data(rows)),
            ],
        }
    }

    /// The same with another part, or with that one as it is here.
    pub(crate) fn with(mut self, name: &str, text: impl Into<Vec<u8>>) -> Self {
        self.parts.retain(|(other, _)| other != name);
        self.parts.push((name.to_owned(), text.into()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.parts.retain(|(other, _)| other != name);
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, text) in &self.parts {
            // A picture is packed already.
            let method = if name.contains("/media/") {
                CompressionMethod::Stored
            } else {
                CompressionMethod::Deflated
            };
            let options = SimpleFileOptions::default().compression_method(method);
            archive.start_file(name, options).unwrap();
            archive.write_all(text).unwrap();
        }
        archive.finish().unwrap().into_inner()
    }
}

pub(crate) fn relations(of: &[(&str, &str, &str)]) -> String {
    const BASE: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let all = of.iter().map(|(id, kind, target)| {
        format!("<Relationship Id=\"{id}\" Type=\"{BASE}/{kind}\" Target=\"{target}\"/>")
    });
    format!("<Relationships>{}</Relationships>", all.collect::<String>())
}

pub(crate) fn workbook(properties: &str, sheets: &str) -> String {
    format!("<workbook>{properties}<sheets>{sheets}</sheets></workbook>")
}

/// A sheet in the list of the workbook.
pub(crate) fn sheet(name: &str, number: u32, attributes: &str) -> String {
    format!("<sheet name=\"{name}\" sheetId=\"{number}\" r:id=\"rId{number}\" {attributes}/>")
}

pub(crate) fn sheet_data(rows: &str) -> String {
    format!("<?xml version=\"1.0\"?><worksheet><sheetData>{rows}</sheetData></worksheet>")
}

/// Style 0 is General, 1 a date, 2 eleven zeros.
fn styles() -> String {
    "<styleSheet><numFmts><numFmt numFmtId=\"164\" formatCode=\"00000000000\"/></numFmts>\
     <cellXfs><xf numFmtId=\"0\"/><xf numFmtId=\"14\"/><xf numFmtId=\"164\"/></cellXfs></styleSheet>"
        .to_owned()
}

/// A row of texts.
pub(crate) fn row(number: u32, texts: &[&str]) -> String {
    let cells = texts
        .iter()
        .zip('A'..)
        .map(|(text, column)| text_cell(&format!("{column}{number}"), text));
    format!("<row r=\"{number}\">{}</row>", cells.collect::<String>())
}

pub(crate) fn text_cell(place: &str, text: &str) -> String {
    format!("<c r=\"{place}\" t=\"inlineStr\"><is><t>{text}</t></is></c>")
}

/// A debt that can be billed.
pub(crate) fn debt(number: u32, id: &str) -> String {
    debt_with(
        number,
        &[
            "Ana",
            "52998224725",
            "ana@example.com",
            "10.50",
            "2027-01-31",
            id,
        ],
    )
}

pub(crate) fn debt_with(number: u32, texts: &[&str; 6]) -> String {
    row(number, texts)
}

/// A header in the first row and a debt in the second.
pub(crate) fn good() -> String {
    row(1, &HEADER) + &debt(2, "7")
}
