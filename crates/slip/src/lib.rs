//! A boleto as a slip: a PDF of one A4 page, with the recibo do pagador above
//! and the ficha de compensação at its foot.
//!
//! Pure functions: no I/O, no clock. The same slip is the same bytes.
//!
//! ```
//! use boleto::{Agreement, Boleto, Document};
//!
//! let agreement = Agreement::demonstration();
//! let (amount, due) = ("7811.00".parse()?, "2026-12-10".parse()?);
//! let boleto = Boleto::issue(&agreement, 1, amount, due)?;
//! let pdf = slip::Slip {
//!     agreement: &agreement,
//!     our_number: boleto.our_number.as_str(),
//!     barcode: boleto.barcode,
//!     amount,
//!     due,
//!     issued_on: "2026-11-24".parse()?,
//!     document_number: "NF-1024",
//!     payer_name: "Maria da Conceição",
//!     payer_document: &Document::of("529.982.247-25"),
//!     pix: boleto.pix.as_deref(),
//! }
//! .to_pdf();
//! assert!(pdf.starts_with(b"%PDF-1.7"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | module | what it knows |
//! | --- | --- |
//! | `notification` | the slip of a billing notification |
//! | `page` | what stands where on the sheet |
//! | `compensation`, `receipt` | the fields of the two parts, as tables |
//! | `fields` | the fields that both parts have |
//! | `header`, `banner`, `pix_panel` | the bank and the line; the warning; the QR code and its note |
//! | `table` | how a table of fields is drawn |
//! | `bars`, `qr` | the two codes |
//! | `text` | fonts, widths, what Helvetica can write, how a text is cut |
//! | `canvas` | millimetres to PDF operators |
//! | `file` | the objects of the PDF |
//!
//! Lengths are in millimetres from the lower left corner of the sheet, sizes
//! of type in points.

#![forbid(unsafe_code)]

mod banner;
mod bars;
mod canvas;
mod compensation;
mod fields;
mod file;
mod header;
mod notification;
mod page;
mod pix_panel;
mod qr;
mod receipt;
mod table;
mod text;

pub use notification::{file_name, pdf_of};

use boleto::{Agreement, Amount, Barcode, Document, DueDate};
use jiff::civil::Date;

/// All that a slip prints.
///
/// A text that is too long for its field is set smaller, then cut with `…`. A
/// character that Helvetica does not have is written without its accents,
/// transliterated, or as `?`; one that does not show is left out.
#[derive(Clone, Copy, Debug)]
pub struct Slip<'a> {
    /// The beneficiary, its bank and the instructions. Where it does not
    /// register its boletos, the slip says so and invites no payment.
    pub agreement: &'a Agreement,
    /// Nosso número as the bank prints it.
    pub our_number: &'a str,
    /// The barcode; the linha digitável follows from it.
    pub barcode: Barcode,
    /// Valor do documento.
    pub amount: Amount,
    /// Vencimento.
    pub due: DueDate,
    /// Data do documento and data do processamento.
    pub issued_on: Date,
    /// Número do documento: the debt's id.
    pub document_number: &'a str,
    /// Pagador.
    pub payer_name: &'a str,
    /// The payer's CPF or CNPJ; an unverified one is printed as it is.
    pub payer_document: &'a Document,
    /// PIX BR Code, drawn as a QR code. One that is too long for a QR code
    /// (some 2,300 characters) is left out.
    pub pix: Option<&'a str>,
}

impl Slip<'_> {
    /// The slip as a PDF file.
    pub fn to_pdf(&self) -> Vec<u8> {
        file::write(self)
    }
}
