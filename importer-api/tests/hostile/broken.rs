//! Uploads that are broken in every way.

use std::fmt::Write;

use fastrand::Rng;
use testkit::CsvFile;

const BOUNDARY: &str = "a-boundary";
pub(super) const HEADER: &str = "name,governmentId,email,debtAmount,debtDueDate,debtId";

/// An upload in the making.
pub(super) struct Upload {
    content_type: Option<String>,
    further: String,
    body: Vec<u8>,
    /// The length that the head tells, where the client hangs up before it
    /// has sent so much.
    pub(super) length: Option<usize>,
}

impl Upload {
    fn of(body: Vec<u8>) -> Self {
        Self {
            content_type: Some(format!("multipart/form-data; boundary={BOUNDARY}")),
            further: String::new(),
            body,
            length: None,
        }
    }

    pub(super) fn of_file(file: &[u8]) -> Self {
        Self::of(form(&[part("name=\"file\"; filename=\"a.csv\"", file)]))
    }

    pub(super) fn request(&self) -> Vec<u8> {
        let mut head =
            "POST /v1/upload HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n".to_owned();
        if let Some(content_type) = &self.content_type {
            write!(head, "content-type: {content_type}\r\n").unwrap();
        }
        head += &self.further;
        if !self.further.contains("transfer-encoding") {
            let length = self.length.unwrap_or(self.body.len());
            write!(head, "content-length: {length}\r\n").unwrap();
        }
        [head.as_bytes(), b"\r\n", &self.body].concat()
    }
}

fn part(disposition: &str, content: &[u8]) -> Vec<u8> {
    let head = format!("content-disposition: form-data; {disposition}\r\n\r\n");
    [head.as_bytes(), content].concat()
}

fn form(parts: &[Vec<u8>]) -> Vec<u8> {
    let mut form = Vec::new();
    for part in parts {
        form.extend_from_slice(format!("--{BOUNDARY}\r\n").as_bytes());
        form.extend_from_slice(part);
        form.extend_from_slice(b"\r\n");
    }
    form.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    form
}

fn random_bytes(random: &mut Rng, count: usize) -> Vec<u8> {
    (0..count).map(|_| random.u8(..)).collect()
}

/// Kinds of broken uploads.
pub(super) const KINDS: u64 = 25;

/// A broken upload. Those of one kind differ in what chance decides.
pub(super) fn broken(kind: u64, random: &mut Rng) -> Upload {
    let file = CsvFile::new().valid_rows(random.usize(1..20)).bytes();
    let valid = Upload::of_file(&file);
    match kind {
        0..=4 | 22 => broken_framing(kind, valid, random),
        5..=14 => broken_file(kind, random),
        15..=21 => broken_part(kind, &file, random),
        23 => flipped(valid, random),
        _ => moved(&valid, random),
    }
}

/// Cut, without the boundary, or in chunks that are none.
fn broken_framing(kind: u64, valid: Upload, random: &mut Rng) -> Upload {
    let end = valid.body.len();
    let place = random.usize(0..end);
    match kind {
        // Cut, and the head knows or does not.
        0 => Upload::of(valid.body[..place].to_vec()),
        1 => Upload {
            length: Some(end),
            ..Upload::of(valid.body[..place].to_vec())
        },
        // The wrong boundary, none, and no form.
        2 => {
            let wrong = ["a-boundar", "a-boundary-", "", "\"", "é", "a boundary"];
            let boundary = random.choice(wrong).unwrap();
            let length = if random.u8(..20) == 0 { 40_000_000 } else { 0 };
            Upload {
                content_type: Some(format!("multipart/form-data; boundary={boundary}")),
                ..Upload::of([valid.body, vec![b'x'; length]].concat())
            }
        }
        3 => Upload {
            content_type: Some("multipart/form-data".to_owned()),
            ..valid
        },
        4 => Upload {
            content_type: random
                .choice([
                    None,
                    Some("text/csv"),
                    Some("multipart/mixed; boundary=a-boundary"),
                    Some(";"),
                ])
                .unwrap()
                .map(str::to_owned),
            ..valid
        },
        // Framing.
        _ => {
            let sizes = ["ffffffffffffffffff", "-1", "xyz", "", "5"];
            let size = random.choice(sizes).unwrap();
            Upload {
                further: "transfer-encoding: chunked\r\n".to_owned(),
                ..Upload::of([format!("{size}\r\n").as_bytes(), &valid.body].concat())
            }
        }
    }
}

/// A form as it should be, with a file that is not.
fn broken_file(kind: u64, random: &mut Rng) -> Upload {
    let rows = |row: &[u8]| [HEADER.as_bytes(), b"\n", row, b"\n"].concat();
    match kind {
        // No text.
        5 => {
            let count = random.usize(0..5_000);
            Upload::of_file(&random_bytes(random, count))
        }
        6 => {
            let count = random.usize(0..5_000);
            Upload::of_file(&rows(&random_bytes(random, count)))
        }
        7 => Upload::of_file(&rows(b"a\0b,1,\0@b.co,1,2027-01-01,\0\n\0\0\0")),
        8 => Upload::of_file(&vec![0; random.usize(1..5_000)]),
        // Odd sizes. A line of 10 MB is rare, as it takes its time.
        9 => {
            let length = if random.u8(..5) == 0 {
                10_000_000
            } else {
                300_000
            };
            let quote: &[u8] = if random.bool() { b"\"" } else { b"" };
            Upload::of_file(&rows(&[quote, &vec![b'x'; length]].concat()))
        }
        10 => Upload::of_file(&rows("x,".repeat(1_000).as_bytes())),
        11 => {
            let columns: Vec<_> = (0..1_000).map(|n| format!("column{n}")).collect();
            let header = format!("{},{HEADER}", columns.join(","));
            let row = format!("{}a,1,a@b.co,1,2027-01-01,1", "x,".repeat(1_000));
            Upload::of_file(format!("{header}\n{row}\n").as_bytes())
        }
        12 => Upload::of_file(b""),
        13 => Upload::of_file(HEADER.as_bytes()),
        _ => Upload::of_file(&vec![b'"'; random.usize(1..100_000)]),
    }
}

/// Compressed, or with parts that are not as they should be.
fn broken_part(kind: u64, file: &[u8], random: &mut Rng) -> Upload {
    match kind {
        // Compressed.
        15 => Upload {
            further: "content-encoding: gzip\r\n".to_owned(),
            ..Upload::of([b"\x1f\x8b\x08\0", &*random_bytes(random, 500)].concat())
        },
        // Fields.
        16 => Upload::of(form(&[part("name=\"files\"; filename=\"a.csv\"", file)])),
        17 => {
            let twice = part("name=\"file\"; filename=\"a.csv\"", file);
            Upload::of(form(&[twice.clone(), twice]))
        }
        18 => {
            let fields = vec![part("name=\"other\"", b"text"); random.usize(1..500)];
            Upload::of(form(&fields))
        }
        // Heads of parts.
        19 => {
            let length = if random.u8(..20) == 0 {
                40_000_000
            } else {
                random.usize(1_000..500_000)
            };
            let name = "x".repeat(length);
            Upload::of(form(&[[
                name.as_bytes(),
                b": x\r\n",
                &part("name=\"file\"", file),
            ]
            .concat()]))
        }
        20 => {
            let head = "x-y: z\r\n".repeat(random.usize(1..20_000));
            Upload::of(form(&[
                [head.as_bytes(), &part("name=\"file\"", file)].concat()
            ]))
        }
        _ => {
            let names = [
                "a\r\nx-injected: b",
                "a\nMail sent",
                "../../../etc/passwd",
                "\\\"a\\\".csv",
                "a\".csv",
                "\u{0}",
                "\u{202e}vsc.a",
                "a;b=c",
                "%00%0d%0a",
                "..",
                "C:\\a.csv",
            ];
            let name = match random.usize(..=names.len()) {
                index if index < names.len() => names[index].to_owned(),
                _ => "é".repeat(20_000),
            };
            Upload::of(form(&[part(
                &format!("name=\"file\"; filename=\"{name}\""),
                file,
            )]))
        }
    }
}

/// A valid form, with bytes that chance changed.
fn flipped(valid: Upload, random: &mut Rng) -> Upload {
    let mut body = valid.body;
    for _ in 0..random.usize(1..20) {
        let place = random.usize(0..body.len());
        body[place] = random.u8(..);
    }
    Upload::of(body)
}

/// A valid form, of which a piece is gone, twice there, or before another.
fn moved(valid: &Upload, random: &mut Rng) -> Upload {
    let end = valid.body.len();
    let (one, other) = (random.usize(0..end), random.usize(0..end));
    let (before, behind) = (one.min(other), one.max(other));
    let (start, rest) = (&valid.body[..before], &valid.body[before..]);
    let body = match random.u8(..3) {
        0 => [start, &valid.body[behind..]].concat(),
        1 => [&valid.body[..behind], rest].concat(),
        _ => [rest, start].concat(),
    };
    Upload::of(body)
}
