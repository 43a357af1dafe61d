//! Workbooks through HTTP: the rows of a CSV, or a refusal that names the cell, in bounded memory.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[path = "../importer/mod.rs"]
mod importer;
mod made;
mod refused;

use std::fmt::Write;

use importer::{Importer, LONG, ready, upload};
use importer_api::Settings;
use made::{HEADER, Made, good, row, sheet, sheet_data, text_cell, workbook};
use reqwest::Client;
use reqwest::multipart::{Form, Part};
use rust_xlsxwriter::{Color, ExcelDateTime, Format, Workbook};
use serde_json::{Value, json};
use testkit::{BucketServer, CsvFile, CsvRow, RunningService, poll_until};

pub(crate) async fn preview(service: &RunningService, file: Vec<u8>) -> (u16, Value) {
    // Neither the name nor a content type tells what a file is.
    let form = Form::new().part("file", Part::bytes(file).file_name("debts.csv"));
    let url = format!("{}/v1/uploads/preview", service.url());
    let answer = Client::new().post(url).multipart(form).send().await;
    let answer = answer.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// A preview without what differs from one upload to the next.
async fn shown(service: &RunningService, file: Vec<u8>) -> Value {
    let (status, mut preview) = preview(service, file).await;
    assert_eq!(status, 200, "{preview}");
    let members = preview.as_object_mut().unwrap();
    members.remove("preview_id");
    members.remove("expires_at");
    preview
}

/// What each problem of a preview says of which line.
fn problems(preview: &Value) -> Vec<(u64, &str)> {
    let problems = preview["problems"].as_array().unwrap();
    let line = |of: &Value| of["line"].as_u64().unwrap();
    problems
        .iter()
        .map(|of| (line(of), of["code"].as_str().unwrap()))
        .collect()
}

/// As people keep such a sheet: a title over the table, documents as texts, amounts and dates as
/// what they are, a total that is none, and formats down to the last row.
fn written_by_hand() -> Vec<u8> {
    let mut workbook = Workbook::new();
    let bold = Format::new().set_bold();
    let date = Format::new().set_num_format("dd/mm/yyyy");
    let money = Format::new().set_num_format("\"R$\" #,##0.00");
    let sheet = workbook.add_worksheet();
    sheet.set_name("Débitos").unwrap();
    sheet
        .merge_range(0, 0, 0, 5, "Relatório de débitos", &bold)
        .unwrap();
    sheet.write(1, 0, "Gerado em").unwrap();
    let made = ExcelDateTime::from_ymd(2026, 12, 1).unwrap();
    sheet.write_with_format(1, 1, &made, &date).unwrap();
    sheet.write_row(3, 0, HEADER).unwrap();
    for (row, id) in [(4, "a"), (6, "b"), (7, "c")] {
        sheet.write(row, 0, "João da \"Silva\", filho").unwrap();
        sheet.write(row, 1, "012.345.678-90").unwrap();
        sheet.write(row, 2, "joao@example.com").unwrap();
        sheet.write_with_format(row, 3, 7811.1, &money).unwrap();
        let due = ExcelDateTime::from_ymd(2027, 3, 15).unwrap();
        sheet.write_with_format(row, 4, &due, &date).unwrap();
        sheet.write(row, 5, id).unwrap();
    }
    sheet.write(7, 2, "nobody").unwrap();
    let yellow = Format::new().set_background_color(Color::Yellow);
    for row in 8..3_000 {
        sheet.set_row_format(row, &yellow).unwrap();
        sheet.write_blank(row, 2, &yellow).unwrap();
    }
    workbook.save_to_buffer().unwrap()
}

#[tokio::test]
async fn a_workbook_is_judged_as_its_csv_is_and_its_rows_are_its_lines() {
    let importer = Importer::new().await;
    let service = importer.start().await;
    let row = |id: &str| CsvRow {
        name: "João da \"Silva\", filho".to_owned(),
        government_id: "012.345.678-90".to_owned(),
        email: "joao@example.com".to_owned(),
        debt_amount: "7811.1".to_owned(),
        ..CsvRow::valid(id)
    };
    let bad = CsvRow {
        email: "nobody".to_owned(),
        ..row("c")
    };
    let twin = CsvFile::without_header().line("").line("").line("");
    let twin = twin.line(&HEADER.join(",")).row(&row("a")).line("");
    let twin = twin.row(&row("b")).row(&bad).bytes();
    let (csv, xlsx) = (
        shown(&service, twin).await,
        shown(&service, written_by_hand()).await,
    );
    assert_eq!(xlsx, csv);
    assert_eq!(xlsx["rows"]["valid"], 2);
    assert_eq!(xlsx["amount"]["sum"], json!(15622.2));
    assert_eq!(problems(&xlsx), [(8, "email_invalid")]);
}

#[tokio::test]
async fn a_workbook_is_billed_as_a_csv_and_its_rejections_are_one() {
    let importer = Importer::new().await;
    let service = importer.start().await;
    let file = written_by_hand();
    let size = file.len();
    let id = upload(&service, file).await;
    let queue = &importer.stack.resources().data_process_url;
    let mut bodies = Vec::new();
    poll_until("the rows to be sent", LONG, async || {
        let messages = importer.stack.take_all(queue).await;
        bodies.extend(messages.into_iter().map(|message| message.body));
        (bodies.len() >= 3).then_some(())
    })
    .await;
    bodies.sort();
    let name = "\"João da \"\"Silva\"\", filho\",012.345.678-90";
    assert_eq!(
        bodies,
        [
            format!("{name},joao@example.com,7811.1,2027-03-15,a"),
            format!("{name},joao@example.com,7811.1,2027-03-15,b"),
            format!("{name},nobody,7811.1,2027-03-15,c"),
        ]
    );
    let (_, import) = service.answer(&format!("/v1/imports/{id}")).await;
    let import: Value = serde_json::from_str(&import).unwrap();
    // That of the workbook, which is what the client knows.
    assert_eq!(import["size"], json!(size));
    assert_eq!(import["rows"]["total"], 3);
}

#[tokio::test]
async fn what_a_spreadsheet_made_of_a_document_or_an_id_is_invalid() {
    let importer = Importer::new().await;
    let service = importer.start().await;
    let mut rows = row(1, &HEADER);
    for (number, document, id) in [
        // Texts keep their zeros, numbers have lost them unless they are shown.
        (
            2,
            text_cell("B2", "01234567890"),
            "<c r=\"F2\"><v>17</v></c>",
        ),
        (3, "<c r=\"B3\"><v>52998224725</v></c>".to_owned(), ""),
        (
            4,
            "<c r=\"B4\" s=\"2\"><v>1234567890</v></c>".to_owned(),
            "",
        ),
        (5, "<c r=\"B5\"><v>1234567890</v></c>".to_owned(), ""),
        (6, "<c r=\"B6\"><v>1.12223330001E+20</v></c>".to_owned(), ""),
        (7, "<c r=\"B7\" s=\"1\"><v>46418</v></c>".to_owned(), ""),
        (
            8,
            text_cell("B8", "1"),
            "<c r=\"F8\"><v>12345678901234567890</v></c>",
        ),
        (
            9,
            text_cell("B9", "1"),
            "<c r=\"F9\" s=\"1\"><v>46418</v></c>",
        ),
        (
            10,
            text_cell("B10", "1"),
            "<c r=\"F10\" t=\"e\"><v>#N/A</v></c>",
        ),
    ] {
        let id = if id.is_empty() {
            text_cell(&format!("F{number}"), &format!("id-{number}"))
        } else {
            id.to_owned()
        };
        write!(
            rows,
            "<row r=\"{number}\">{}{document}{}<c r=\"D{number}\"><v>10.299999999999999</v></c>\
             <c r=\"E{number}\" s=\"1\"><v>46418</v></c>{id}</row>",
            text_cell(&format!("A{number}"), "Ana"),
            text_cell(&format!("C{number}"), "ana@example.com"),
        )
        .unwrap();
    }
    let preview = shown(&service, Made::new(&rows).bytes()).await;
    assert_eq!(preview["amount"]["sum"], json!(30.9));
    assert_eq!(preview["due"]["first"], "2027-01-31");
    assert_eq!(
        problems(&preview),
        [
            (5, "government_id_malformed"),
            (6, "government_id_malformed"),
            (7, "government_id_malformed"),
            (8, "debt_id_malformed"),
            (9, "debt_id_malformed"),
            (10, "placeholder"),
        ]
    );
}

#[tokio::test]
async fn the_first_sheet_that_is_seen_is_read_by_the_calendar_of_the_workbook() {
    let importer = Importer::new().await;
    let service = importer.start().await;
    let due = "<row r=\"2\"><c r=\"A2\" t=\"s\"><v>0</v></c><c r=\"B2\" t=\"s\"><v>1</v></c>\
               <c r=\"C2\" t=\"s\"><v>2</v></c><c r=\"D2\"><f>1+1</f><v>2</v></c>\
               <c r=\"E2\" s=\"1\"><v>44956</v></c><c r=\"F2\" t=\"str\"><f>\"a\"</f><v>a</v></c>\
               <c r=\"G2\"><f>1</f></c></row><row r=\"3\" hidden=\"1\"><c r=\"A3\" s=\"1\"/></row>";
    // A formula of no column that is read, and a hidden row without a debt, do no harm.
    // A text is all of its runs, and not its furigana.
    let texts = "<sst uniqueCount=\"3\"><si><r><t>Jo</t></r><r><t>ão</t></r><rPh><t>x</t></rPh></si>\
                 <si><t>52998224725</t></si><si><t>ana@example.com</t></si></sst>";
    let file = Made::new("<row r=\"1\"><c r=\"A1\"><v>1</v></c></row>")
        .with("xl/sharedStrings.xml", texts)
        .with(
            "xl/worksheets/sheet2.xml",
            sheet_data(&(row(1, &HEADER) + due)),
        )
        .with(
            "xl/workbook.xml",
            workbook(
                "<workbookPr date1904=\"1\"/>",
                &(sheet("Listas", 1, "state=\"hidden\"") + &sheet("Débitos", 2, "")),
            ),
        );
    let preview = shown(&service, file.bytes()).await;
    assert_eq!(preview["rows"]["valid"], 1, "{preview}");
    assert_eq!(preview["amount"]["sum"], json!(2.0));
    assert_eq!(preview["due"]["first"], "2027-01-31");
}

#[tokio::test]
async fn a_break_in_a_cell_ends_no_line_and_joins_no_id() {
    let importer = Importer::new().await;
    let service = importer.start().await;
    let mut rows = row(1, &HEADER);
    for (number, name, id) in [(2, "Ana\nMaria", "a"), (3, "Ana", "b\nc"), (4, "", "d")] {
        rows.push_str(&row(
            number,
            &[name, "1", "ana@example.com", "10", "31/01/2027", id],
        ));
    }
    let preview = shown(&service, Made::new(&rows).bytes()).await;
    assert_eq!(
        problems(&preview),
        [(3, "invisible_character"), (4, "name_empty")]
    );
    assert_eq!(preview["rows"]["valid"], 1);
}

#[tokio::test]
async fn a_workbook_is_stored_on_s3_as_its_csv() {
    let importer = Importer::new().await;
    let bucket = BucketServer::start().await;
    let (proxy, url) = (bucket.proxy().await, format!("s3://{}", bucket.bucket()));
    let own = [("SPOOL_URL", &*url), ("S3_ENDPOINT_URL", &*proxy.url())];
    let queue = &importer.stack.resources().data_process_url;
    let settings = Settings::read(&importer.stack.service_environment(queue, &own)).unwrap();
    let run = |listener, stop| importer_api::run(settings, listener, stop);
    let service = RunningService::start(run).await;
    ready(&service).await;
    // More than one part of an upload to S3.
    let note = "x".repeat(10_000);
    let mut rows = row(1, &[&HEADER[..], &["note"]].concat());
    for number in 2..1_002 {
        let id = number.to_string();
        let cells = ["Ana", "1", "ana@example.com", "1", "2027-01-31", &id, &note];
        rows.push_str(&row(number, &cells));
    }
    let preview = shown(&service, Made::new(&rows).bytes()).await;
    assert_eq!(preview["rows"]["valid"], 1_000);
    assert_eq!(problems(&preview), []);
}

#[tokio::test]
async fn a_client_that_hangs_up_leaves_nothing_of_a_workbook() {
    let importer = Importer::new().await;
    let service = importer.start().await;
    let files = || {
        let entries = std::fs::read_dir(importer.spool.path()).unwrap();
        entries.count()
    };
    let before = files();
    let body = [
        b"--b\r\ncontent-disposition: form-data; name=\"file\"\r\n\r\n".as_slice(),
        &Made::new(&good()).bytes(),
    ]
    .concat();
    let stream = futures::stream::iter([Ok(body), Err(std::io::Error::other("hung up"))]);
    let url = format!("{}/v1/upload", service.url());
    let request = Client::new()
        .post(url)
        .header("content-type", "multipart/form-data; boundary=b");
    let answer = request.body(reqwest::Body::wrap_stream(stream)).send();
    assert!(answer.await.is_err());
    poll_until("the upload to be gone", LONG, async || {
        (files() == before).then_some(())
    })
    .await;
}
