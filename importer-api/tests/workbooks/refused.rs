//! Workbooks that are refused: what is in doubt, by the cell; what is hostile, before it takes memory.

use testkit::RunningService;

use super::importer::Importer;
use super::made::{
    HEADER, Made, debt, good, relations, row, sheet, sheet_data, text_cell, workbook,
};
use super::preview;

/// The kind and the detail of a refusal.
async fn refusal(service: &RunningService, file: Vec<u8>) -> (u16, String, String) {
    let (status, problem) = preview(service, file).await;
    let text = |name: &str| problem[name].as_str().unwrap_or_default().to_owned();
    let kind = text("type").trim_start_matches("urn:problem:").to_owned();
    (status, kind, text("detail"))
}

async fn is_refused(cases: impl IntoIterator<Item = (Vec<u8>, &str, &str)>) {
    let importer = Importer::new().await;
    let service = importer.start().await;
    for (file, kind, said) in cases {
        let (status, found, detail) = refusal(&service, file).await;
        assert_eq!(
            (status, &*found, detail.contains(said)),
            (422, kind, true),
            "{said}: {detail}"
        );
    }
    let left = std::fs::read_dir(importer.spool.path()).unwrap();
    let left = left.filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name != "lock" && name != "node"
    });
    assert_eq!(left.count(), 0);
}

/// A good workbook, with these texts for its cells to share.
fn texts(part: &str) -> Vec<u8> {
    let made = Made::new(&good()).with("xl/sharedStrings.xml", part);
    made.bytes()
}

/// The first row of a sheet and that cell.
fn with_cell(cell: &str) -> Vec<u8> {
    let rows = row(1, &HEADER) + &format!("<row r=\"2\">{cell}</row>");
    Made::new(&rows).bytes()
}

#[tokio::test]
async fn debts_that_would_be_left_out_or_guessed_are_refused() {
    let rows = row(1, &HEADER) + &debt(2, "6") + &debt(3, "7");
    let merged = sheet_data(&rows).replace(
        "</sheetData>",
        "</sheetData><mergeCells><mergeCell ref=\"A1:C1\"/><mergeCell ref=\"H2:H9\"/>\
         <mergeCell ref=\"D2:D3\"/></mergeCells>",
    );
    is_refused([
        (
            Made::new(&(good() + &debt(3, "7") + &debt(4, "8")))
                .with("xl/worksheets/sheet1.xml", merged)
                .bytes(),
            "workbook-merged",
            "the cell D2 is merged over several rows",
        ),
        (
            Made::new(&good())
                .with("xl/worksheets/sheet2.xml", sheet_data(&debt(7, "7")))
                .with(
                    "xl/workbook.xml",
                    workbook("", &(sheet("Janeiro", 1, "") + &sheet("Fevereiro", 2, ""))),
                )
                .bytes(),
            "workbook-sheets",
            "the sheet \"Fevereiro\" is visible too",
        ),
    ])
    .await;
}

#[tokio::test]
async fn what_is_in_doubt_is_refused_by_its_cell() {
    let hidden = debt(3, "8").replace("<row ", "<row hidden=\"1\" ");
    let closed = debt(3, "8").replace("<row ", "<row ht=\"0\" customHeight=\"1\" ");
    let lazy = workbook("<calcPr fullCalcOnLoad=\"1\"/>", &sheet("Plan1", 1, ""));
    let lazy =
        Made::new(&(row(1, &HEADER) + "<row r=\"2\"><c r=\"F2\"><f>A1</f><v>0</v></c></row>"))
            .with("xl/workbook.xml", lazy);
    let title = |count: u32| {
        (1..=count)
            .map(|number| row(number, &["Débitos"]))
            .collect()
    };
    let titles: String = title(21);
    let six = row(1, &["a", "b", "c", "d", "e", "f"]) + &row(2, &HEADER) + &debt(3, "7");
    let second = [
        "name",
        "debtId",
        "email",
        "debtAmount",
        "debtDueDate",
        "governmentId",
    ];
    is_refused([
        (
            Made::new(&(good() + &hidden)).bytes(),
            "workbook-hidden-row",
            "the row of the cell A3 in the sheet \"Plan1\" is hidden",
        ),
        (
            Made::new(&(good() + &closed)).bytes(),
            "workbook-hidden-row",
            "the row of the cell A3",
        ),
        (
            with_cell("<c r=\"D2\"><f>1+1</f></c>"),
            "workbook-formula",
            "the cell D2 has a formula without its value",
        ),
        (
            with_cell("<c r=\"D2\"><f>1+1</f><v></v></c>"),
            "workbook-formula",
            "the cell D2",
        ),
        (
            with_cell("<c r=\"D2\"><f t=\"shared\" si=\"0\"/><v/></c>"),
            "workbook-formula",
            "the cell D2",
        ),
        (lazy.bytes(), "workbook-formula", "the cell F2"),
        (
            Made::new("").bytes(),
            "file-without-data",
            "\"Plan1\", is empty",
        ),
        (
            Made::new(&row(1, &HEADER)).bytes(),
            "file-without-data",
            "no data",
        ),
        (
            Made::new(&(titles + &row(22, &HEADER) + &debt(23, "7"))).bytes(),
            "file-without-header",
            "the row of the cell A1",
        ),
        (
            Made::new(&six).bytes(),
            "file-without-header",
            "the row of the cell A1",
        ),
        (
            Made::new(&(row(3, &HEADER[1..]) + &debt(4, "7"))).bytes(),
            "file-without-columns",
            "the row of the cell A3",
        ),
        (
            Made::new(&(good() + &row(3, &second) + &debt(4, "8"))).bytes(),
            "second-header",
            "line 3",
        ),
    ])
    .await;
}

#[tokio::test]
async fn what_is_no_workbook_of_this_format_is_called_by_its_name() {
    let other = |name: &str| {
        let made = Made::new("")
            .without("_rels/.rels")
            .without("xl/workbook.xml");
        made.with(name, "x").bytes()
    };
    let ods = Made::new("").without("_rels/.rels").with("mimetype", "x");
    is_refused([
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0".to_vec(),
            "file-not-csv",
            ".xls) or with a password",
        ),
        (
            Made::new("").with("xl/workbook.bin", "x").bytes(),
            "file-not-csv",
            ".xlsb",
        ),
        (ods.with("content.xml", "x").bytes(), "file-not-csv", ".ods"),
        (
            other("word/document.xml"),
            "file-not-csv",
            "a text document",
        ),
        (other("debts.csv"), "file-not-csv", "an archive"),
        (
            b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0".to_vec(),
            "file-not-csv",
            "an archive",
        ),
        (
            b"PK\x03\x04 and no directory".to_vec(),
            "workbook-unreadable",
            "cannot be read",
        ),
    ])
    .await;
}

#[tokio::test]
async fn what_takes_memory_is_refused() {
    let huge = "x".repeat(2 << 20);
    let styles = format!(
        "<styleSheet><cellXfs>{}</cellXfs></styleSheet>",
        "<xf/>".repeat(80_000)
    );
    is_refused([
        // Whole parts, single pieces, and what calamine would make room for at once.
        (
            texts("<sst uniqueCount=\"99999999999999\"/>"),
            "workbook-too-large",
            "more than 128 MiB",
        ),
        (
            texts(&format!(
                "<sst><si>{}</si></sst>",
                "<r><t>x</t></r>".repeat(200_000)
            )),
            "workbook-too-large",
            "more than",
        ),
        (
            with_cell(&text_cell("A2", &huge)),
            "workbook-too-large",
            "more than 1 MiB",
        ),
        (
            with_cell(&format!("<c r=\"{huge}\"/>")),
            "workbook-too-large",
            "more than 1 MiB",
        ),
        (
            with_cell(&"x".repeat(20 << 20)),
            "workbook-too-large",
            "more than 1 MiB",
        ),
        (
            Made::new(&good()).with("xl/styles.xml", styles).bytes(),
            "workbook-too-large",
            "too many formats",
        ),
    ])
    .await;
}

#[tokio::test]
async fn what_no_spreadsheet_writes_is_refused() {
    let rows = row(1, &HEADER);
    let entity = "<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY x SYSTEM \"http://127.0.0.1:1/\">]>";
    let declared = format!("{entity}<sst><si><t>&x;</t></si></sst>");
    let outside = Made::new(&good()).with(
        "xl/worksheets/sheet1.xml",
        entity.to_owned() + &sheet_data(&good()),
    );
    let same = sheet("Plan1", 1, "state=\"hidden\"") + &sheet("Plan1", 2, "");
    let doubled = Made::new(&good()).with("xl/workbook.xml", workbook("", &same));
    let cut = Made::new(&good()).bytes();
    let escaped = relations(&[("rId1", "officeDocument", "xl/work&#98;ook.xml")]);
    is_refused([
        // What is none of the places of a sheet, or comes again.
        (
            with_cell("<c r=\"XFE2\"><v>1</v></c>"),
            "workbook-unreadable",
            "cannot be read",
        ),
        (
            with_cell("<c r=\"ZZZZZZZZZZZZZZ2\"><v>1</v></c>"),
            "workbook-unreadable",
            "cannot be read",
        ),
        (
            Made::new(&(rows + "<row r=\"1048577\"/>")).bytes(),
            "workbook-unreadable",
            "cannot be read",
        ),
        (
            with_cell("<c r=\"A2\"><v>1</v></c><c r=\"A2\"><v>1</v></c>"),
            "workbook-unreadable",
            "the cell A2 stands twice",
        ),
        (
            Made::new(&(good() + &debt(1, "8"))).bytes(),
            "workbook-unreadable",
            "the cell A1 stands twice",
        ),
        (doubled.bytes(), "workbook-unreadable", "two sheets"),
        // What refers to elsewhere, or is read in two ways.
        (texts(&declared), "workbook-unreadable", "document type"),
        (outside.bytes(), "workbook-unreadable", "document type"),
        (
            texts("<sst><si><t>&x;</t></si></sst>"),
            "workbook-unreadable",
            "cannot be read",
        ),
        (
            Made::new(&good()).with("_rels/.rels", escaped).bytes(),
            "workbook-unreadable",
            "cannot be read",
        ),
        (
            with_cell("<c r=\"A2\" t=\"s\"><v>7</v></c>"),
            "workbook-unreadable",
            "behind the cell F1",
        ),
        (
            Made::new(&good())
                .without("xl/worksheets/sheet1.xml")
                .bytes(),
            "workbook-unreadable",
            "cannot be read",
        ),
        (
            cut[..cut.len() - 9].to_vec(),
            "workbook-unreadable",
            "cannot be read",
        ),
    ])
    .await;
}

#[tokio::test]
async fn more_than_50_mib_are_not_held() {
    let importer = Importer::new().await;
    let service = importer.start().await;
    let with_picture = |bytes| {
        let made = Made::new(&good()).with("xl/media/image1.png", vec![0; bytes]);
        made.bytes()
    };
    let file = with_picture(50 << 20);
    let (status, kind, detail) = refusal(&service, file).await;
    assert_eq!((status, &*kind), (413, "workbook-too-large"), "{detail}");
    assert!(detail.contains("save it as CSV"), "{detail}");
    // Its room is free again.
    for _ in 0..2 {
        let (status, preview) = preview(&service, with_picture(49 << 20)).await;
        assert_eq!(status, 200, "{preview}");
    }
}
