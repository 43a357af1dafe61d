//! The boleto (Brazilian payment slip): money, due dates, the numbers that
//! banks give, the barcode, the linha digitável, and the PIX code beside it.
//!
//! Pure functions and types that cannot hold a wrong value. No I/O, no async
//! runtime, no AWS, no Redis.
//!
//! ```
//! use boleto::{Agreement, Boleto};
//!
//! let agreement = Agreement::demonstration();
//! let boleto = Boleto::issue(&agreement, 1, "100,50".parse()?, "2026-07-01".parse()?)?;
//! assert_eq!(boleto.our_number.to_string(), "31285570000000001");
//! assert_eq!(
//!     boleto.barcode.digitable_line().to_string(),
//!     "00190.00009 03128.557000 00000.001172 2 14940000010050",
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | module | what is there |
//! | --- | --- |
//! | [`bank`] | the five banks behind one trait: nosso número and campo livre |
//! | [`agreement`] | what an issuer has agreed with its bank, from a TOML file |
//! | [`check_digit`] | modulo 10 and modulo 11 |
//! | [`pix`] | the PIX BR Code |
//! | [`itf`] | the bars of the barcode |
//! | [`text`] | names in the few characters that a slip or a PIX code can show |

#![forbid(unsafe_code)]

pub mod agreement;
mod amount;
pub mod bank;
mod barcode;
mod boleto;
pub mod check_digit;
mod digitable_line;
mod digits;
mod document;
mod due_date;
mod due_date_factor;
mod issuer_file;
pub mod itf;
mod our_number;
pub mod pix;
mod terms;
pub mod text;

pub use agreement::{Agreement, AgreementError, AgreementId};
pub use amount::{Amount, AmountError};
pub use bank::{AboveBankLimit, Bank, BankCode, BankNumber, FreeField, SequenceError, UnfitBank};
pub use barcode::{Barcode, BarcodeError};
pub use boleto::{Boleto, IssueError};
pub use digitable_line::{DigitableLine, DigitableLineError};
pub use digits::{Digits, DigitsError};
pub use document::{Document, DocumentType};
pub use due_date::{DueDate, DueDateError, brazilian_date};
pub use due_date_factor::{DueDateFactor, DueDateWindow, OutsideWindow};
pub use issuer_file::IssuerFileError;
pub use our_number::OurNumber;
pub use terms::Beneficiary;
