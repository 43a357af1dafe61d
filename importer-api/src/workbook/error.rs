use thiserror::Error;

use super::CellPlace;
use super::limits::{MAX_TEXT_BYTES, MAX_WORKBOOK_BYTES};
use crate::csv::{HeaderError, NotCsv};

/// The workbook is not taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WorkbookError {
    /// More bytes than are held.
    #[error(
        "a workbook may have up to {} MiB; save it as CSV UTF-8, which may be larger, and upload that file", MAX_WORKBOOK_BYTES >> 20
    )]
    TooLarge,
    /// Others are held already.
    #[error("other workbooks are coming in")]
    NoRoom,
    /// A zip archive, and no workbook of this format.
    #[error("{0}")]
    Other(NotCsv),
    /// Some of it is encrypted.
    #[error("the workbook has a password; save it without one and upload that file")]
    Encrypted,
    /// It is damaged, or no program for spreadsheets has written it.
    #[error(
        "the workbook cannot be read; open it in a spreadsheet, save it again as .xlsx or as CSV UTF-8, and upload that file"
    )]
    Unreadable,
    /// It is made to take memory or time, or has more in it than is taken.
    #[error(
        "the workbook is too large once it is unpacked: {0}; save it as CSV UTF-8 and upload that file"
    )]
    Unpacked(&'static str),
    /// More texts than are held.
    #[error(
        "the texts of the workbook take more than {} MiB once they are unpacked; save it as CSV UTF-8 and upload that file", MAX_TEXT_BYTES >> 20
    )]
    Texts,
    /// It has a DTD, which no workbook has.
    #[error(
        "the workbook has a document type declaration, which no spreadsheet writes; open it in a spreadsheet, save it again as .xlsx, and upload that file"
    )]
    DocumentType,
    /// All its sheets are hidden, or are charts.
    #[error("the workbook has no visible sheet with cells")]
    NoSheet,
    /// Two of its sheets have one name.
    #[error(
        "two sheets of the workbook have one name; save it again as .xlsx, and upload that file"
    )]
    SheetNames,
    /// No cell of the sheet has a value.
    #[error(
        "the first sheet of the workbook, {sheet:?}, is empty; the debts must be in the first sheet"
    )]
    Empty {
        /// The name of the sheet.
        sheet: String,
    },
    /// No row is a header with all columns.
    #[error(
        "the sheet {sheet:?} has no header; the nearest to one is the row of the cell {place}, and no other sheet is read: {error}"
    )]
    Header {
        /// The name of the sheet.
        sheet: String,
        /// The first cell of the row.
        place: CellPlace,
        /// What is wrong with it.
        error: HeaderError,
    },
    /// Some rows are not shown: whether they are meant nobody can tell.
    #[error(
        "the row of the cell {place} in the sheet {sheet:?} is hidden, perhaps by a filter; show all rows and delete those that are not meant, or copy the visible ones to a new workbook"
    )]
    HiddenRow {
        /// The name of the sheet.
        sheet: String,
        /// The first cell of the row.
        place: CellPlace,
    },
    /// One cell stands for several debts.
    #[error(
        "the cell {place} is merged over several rows: of which debt it is nobody can tell; unmerge it, and fill in each row"
    )]
    Merged {
        /// The cell.
        place: CellPlace,
    },
    /// Another sheet that is visible may have debts.
    #[error(
        "the sheet {sheet:?} is visible too, and has rows of six cells, such as its row {row}: only the first sheet is read; hide or delete the others, or upload each in a workbook of its own"
    )]
    OtherSheet {
        /// The name of the sheet.
        sheet: String,
        /// Number of the first such row, from 1.
        row: u32,
    },
    /// The program that wrote it has not calculated it.
    #[error(
        "the cell {place} has a formula without its value; open the workbook in a spreadsheet, save it, and upload it again"
    )]
    NotCalculated {
        /// The cell.
        place: CellPlace,
    },
    /// Cells are not in the order of their places.
    #[error(
        "the cell {0} stands twice in the workbook, or behind later ones; open it in a spreadsheet, save it again as .xlsx, and upload that file"
    )]
    Order(CellPlace),
    /// What stands behind that cell cannot be read.
    #[error(
        "the workbook cannot be read behind the cell {0}; open it in a spreadsheet, save it again as .xlsx, and upload that file"
    )]
    Cell(CellPlace),
    /// More text than any row of debts has.
    #[error("the row of the cell {place} has more than {most} bytes of text; correct it")]
    LongRow {
        /// A cell of the row.
        place: CellPlace,
        /// How much a row may have.
        most: usize,
    },
}

impl WorkbookError {
    /// The cell that is to be looked at, where there is one.
    pub fn place(&self) -> Option<CellPlace> {
        match self {
            Self::Header { place, .. }
            | Self::HiddenRow { place, .. }
            | Self::NotCalculated { place }
            | Self::Merged { place }
            | Self::Order(place)
            | Self::Cell(place)
            | Self::LongRow { place, .. } => Some(*place),
            _ => None,
        }
    }
}
