//! How much is taken of a workbook.

/// Most bytes of a workbook. It is held in memory until it is converted, as its
/// directory is at its end, and a replica may have no disk to put it on.
pub(super) const MAX_WORKBOOK_BYTES: usize = 50 << 20;
/// Most bytes of the workbooks that are held at a time.
pub(super) const MAX_HELD_BYTES: usize = 2 * MAX_WORKBOOK_BYTES;

/// Most files in the archive; a workbook has a few for each of its sheets.
pub(super) const MAX_FILES: usize = 10_000;
/// Most bytes of the part with the texts, unpacked. calamine holds them all:
/// they take up to twice as much.
pub(super) const MAX_TEXT_BYTES: u64 = 128 << 20;
/// Most of these texts.
pub(super) const MAX_TEXTS: usize = 3_000_000;
/// Most bytes of a sheet, unpacked; it is never held. That is a sheet of
/// Excel's 1,048,576 rows with some ten cells each.
pub(super) const MAX_SHEET_BYTES: u64 = 512 << 20;
/// Most bytes of any other part that is read, unpacked.
pub(super) const MAX_PART_BYTES: u64 = 8 << 20;
/// Most formats, fonts, fills and borders. Excel takes 65,490 formats.
pub(super) const MAX_STYLES: usize = 70_000;
/// Most cells of several rows that are merged.
pub(super) const MAX_MERGED: usize = 100_000;
/// Most sheets that people see beside the first. Each is looked through for debts.
pub(super) const MAX_SEEN: usize = 100;
/// Most sheets, and most relations of a part to others.
pub(super) const MAX_LISTED: usize = 1_000;
