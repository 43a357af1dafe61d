//! The parts of a workbook that calamine reads, looked through before it does.

use std::collections::{HashMap, HashSet};
use std::io::Cursor;

use memchr::memmem;
use quick_xml::escape::unescape;
use quick_xml::events::Event;
use zip::ZipArchive;

use super::WorkbookError;
use super::limits::{
    MAX_FILES, MAX_LISTED, MAX_PART_BYTES, MAX_SEEN, MAX_SHEET_BYTES, MAX_STYLES, MAX_TEXT_BYTES,
    MAX_TEXTS,
};
use super::other_sheet::OtherSheet;
use super::part::{Archive, Step, attributes, read_part};
use super::sheet::{Sheet, SheetNotes};
use crate::csv::NotCsv;

/// A workbook whose parts can be read in bounds.
pub(super) struct Package<'f> {
    archive: Archive<'f>,
    /// The folder of the workbook's own part, with its slash, and its name.
    folder: String,
    workbook: String,
    /// The names of the parts by the way that calamine looks for them.
    names: HashMap<String, String>,
}

impl<'f> Package<'f> {
    /// Opens a workbook, and looks through what is not a sheet.
    pub(super) fn of(file: &'f [u8]) -> Result<Self, WorkbookError> {
        // Each file costs memory, and the number of them that the archive
        // gives may be wrong.
        if memmem::find_iter(file, b"PK\x01\x02").count() > MAX_FILES {
            return Err(WorkbookError::Unpacked("its archive has too many files"));
        }
        let archive = ZipArchive::new(Cursor::new(file)).map_err(|_| WorkbookError::Unreadable)?;
        let mut names = HashMap::new();
        for name in archive.file_names() {
            let name = name.map_err(|_| WorkbookError::Unreadable)?;
            let key = name.replace('\\', "/").to_ascii_lowercase();
            if names.insert(key, name.into_owned()).is_some() {
                return Err(WorkbookError::Unreadable);
            }
        }
        if let Some(other) = other_kind(&names) {
            return Err(WorkbookError::Other(other));
        }
        let mut package = Self {
            archive,
            folder: String::new(),
            workbook: String::new(),
            names,
        };
        package.find_workbook()?;
        package.check_texts()?;
        package.check_styles()?;
        let theme = format!("{}theme/theme1.xml", package.folder);
        package.read(&theme, MAX_PART_BYTES, |_| Ok(Step::Next))?;
        Ok(package)
    }

    fn read(
        &mut self,
        name: &str,
        most: u64,
        visit: impl FnMut(&Event<'_>) -> Result<Step, WorkbookError>,
    ) -> Result<bool, WorkbookError> {
        let key = name.to_ascii_lowercase();
        let name = self.names.get(&key).map_or(name, String::as_str);
        read_part(&mut self.archive, name, most, visit)
    }

    /// Finds the part from which all others hang.
    fn find_workbook(&mut self) -> Result<(), WorkbookError> {
        let relations = self.relations("_rels/.rels")?;
        let is_workbook = |of: &&Relation| of.kind.ends_with("/relationships/officeDocument");
        let mut workbooks = relations.values().filter(is_workbook);
        let (Some(workbook), None) = (workbooks.next(), workbooks.next()) else {
            return Err(WorkbookError::Unreadable);
        };
        let target = workbook.target.trim_start_matches('/');
        let name = target.rfind('/').map_or(0, |slash| slash + 1);
        (self.folder, self.workbook) = (target[..name].to_owned(), target[name..].to_owned());
        Ok(())
    }

    /// The relations in such a part, by their ids.
    fn relations(&mut self, name: &str) -> Result<HashMap<String, Relation>, WorkbookError> {
        let mut relations = HashMap::new();
        let is_there = self.read(name, MAX_PART_BYTES, |event| {
            if let Event::Start(tag) = event
                && tag.local_name().as_ref() == "Relationship"
            {
                let (mut id, mut relation) = (String::new(), Relation::default());
                for attribute in attributes(tag) {
                    let (key, value) = attribute?;
                    match key {
                        "Id" => id = value.into_owned(),
                        "Type" => relation.kind = value.into_owned(),
                        // What has to be unescaped may be read in two ways.
                        "Target" if value.contains('&') && relation.is_part() => {
                            return Err(WorkbookError::Unreadable);
                        }
                        "Target" => relation.target = value.into_owned(),
                        _ => {}
                    }
                }
                if relations.insert(id, relation).is_some() {
                    return Err(WorkbookError::Unreadable);
                }
                check_listed(relations.len())?;
            }
            Ok(Step::Next)
        })?;
        if is_there {
            Ok(relations)
        } else {
            Err(WorkbookError::Unreadable)
        }
    }

    /// Looks through the texts that cells share.
    fn check_texts(&mut self) -> Result<(), WorkbookError> {
        let (mut texts, mut is_within) = (0, false);
        let name = format!("{}sharedStrings.xml", self.folder);
        let checked = self.read(&name, MAX_TEXT_BYTES, |event| {
            match event {
                Event::Start(tag) => match tag.local_name().as_ref() {
                    // calamine makes room for so many at once.
                    "sst" => {
                        for attribute in attributes(tag) {
                            let (key, value) = attribute?;
                            let is_too_many = value
                                .parse()
                                .is_ok_and(|count: u64| count > MAX_TEXTS as u64);
                            if key == "uniqueCount" && is_too_many {
                                return Err(WorkbookError::Texts);
                            }
                        }
                    }
                    "si" => (texts, is_within) = (texts + 1, true),
                    _ => {}
                },
                Event::End(tag) if tag.local_name().as_ref() == "si" => is_within = false,
                _ => {}
            }
            if texts > MAX_TEXTS {
                return Err(WorkbookError::Texts);
            }
            Ok(if is_within { Step::Within } else { Step::Next })
        });
        match checked {
            Err(WorkbookError::Unpacked(_)) => Err(WorkbookError::Texts),
            checked => checked.map(|_| ()),
        }
    }

    /// Counts what calamine holds of the formats.
    fn check_styles(&mut self) -> Result<(), WorkbookError> {
        let mut styles = 0;
        let name = format!("{}styles.xml", self.folder);
        self.read(&name, MAX_PART_BYTES, |event| {
            if let Event::Start(tag) = event
                && let "xf" | "numFmt" | "font" | "fill" | "border" = tag.local_name().as_ref()
            {
                styles += 1;
            }
            if styles > MAX_STYLES {
                return Err(WorkbookError::Unpacked("it has too many formats"));
            }
            Ok(Step::Next)
        })?;
        Ok(())
    }

    /// The first sheet that people see, looked through.
    pub(super) fn first_sheet(mut self) -> Result<Sheet, WorkbookError> {
        let relations = format!("{}_rels/{}.rels", self.folder, self.workbook);
        let relations = self.relations(&relations)?;
        let (mut sheets, mut calculates_on_load) = (Vec::new(), false);
        let name = format!("{}{}", self.folder, self.workbook);
        self.read(&name, MAX_PART_BYTES, |event| {
            let Event::Start(tag) = event else {
                return Ok(Step::Next);
            };
            match tag.local_name().as_ref() {
                "sheet" => {
                    sheets.push(ListedSheet::of(tag)?);
                    check_listed(sheets.len())?;
                }
                "calcPr" => {
                    for attribute in attributes(tag) {
                        let (key, value) = attribute?;
                        calculates_on_load |=
                            key == "fullCalcOnLoad" && matches!(&*value, "1" | "true");
                    }
                }
                _ => {}
            }
            Ok(Step::Next)
        })?;
        // calamine finds a sheet by its name.
        let names: HashSet<&String> = sheets.iter().map(|sheet| &sheet.name).collect();
        if names.len() < sheets.len() {
            return Err(WorkbookError::SheetNames);
        }
        let seen = sheets.iter().filter_map(|sheet| {
            let relation = relations.get(&sheet.relation)?;
            let is_shown = !sheet.is_hidden && relation.kind.ends_with("/worksheet");
            let path = match relation.target.strip_prefix('/') {
                Some(path) => path.to_owned(),
                None => format!("{}{}", self.folder, relation.target),
            };
            is_shown.then_some((sheet, path))
        });
        let seen: Vec<_> = seen.collect();
        let Some(((sheet, path), others)) = seen.split_first() else {
            return Err(WorkbookError::NoSheet);
        };
        self.check_others(others)?;
        let mut notes = SheetNotes::new(calculates_on_load);
        if !self.read(path, MAX_SHEET_BYTES, |event| notes.look(event))? {
            return Err(WorkbookError::Unreadable);
        }
        Ok(Sheet {
            name: sheet.name.clone(),
            notes,
        })
    }

    /// No other sheet that people see has debts, which would not be billed.
    fn check_others(&mut self, others: &[(&ListedSheet, String)]) -> Result<(), WorkbookError> {
        if others.len() > MAX_SEEN {
            return Err(WorkbookError::Unpacked("it has too many visible sheets"));
        }
        for (sheet, path) in others {
            let mut other = OtherSheet::default();
            self.read(path, MAX_SHEET_BYTES, |event| Ok(other.look(event)))?;
            if let Some(row) = other.row_of_six {
                return Err(WorkbookError::OtherSheet {
                    sheet: sheet.name.clone(),
                    row,
                });
            }
        }
        Ok(())
    }
}

fn check_listed(count: usize) -> Result<(), WorkbookError> {
    if count > MAX_LISTED {
        return Err(WorkbookError::Unpacked("it has more than 1,000 sheets"));
    }
    Ok(())
}

/// What one part is to another.
#[derive(Default)]
struct Relation {
    kind: String,
    target: String,
}

impl Relation {
    /// Whether it may be of a part that is read; links to elsewhere are not.
    fn is_part(&self) -> bool {
        !self.kind.ends_with("/hyperlink") && !self.kind.ends_with("/externalLinkPath")
    }
}

/// A sheet in the list of the workbook.
#[derive(Default)]
struct ListedSheet {
    name: String,
    relation: String,
    is_hidden: bool,
}

impl ListedSheet {
    fn of(tag: &quick_xml::events::BytesStart<'_>) -> Result<Self, WorkbookError> {
        let mut sheet = Self::default();
        for attribute in attributes(tag) {
            let (key, value) = attribute?;
            match key {
                "name" => {
                    let name = unescape(&value).map_err(|_| WorkbookError::Unreadable)?;
                    sheet.name = name.into_owned();
                }
                "state" => sheet.is_hidden = value != "visible",
                // `r:id`, with the prefix that the document gave it.
                _ if key == "id" || key.ends_with(":id") => sheet.relation = value.into_owned(),
                _ => {}
            }
        }
        Ok(sheet)
    }
}

/// What an archive is that is no workbook of this format.
fn other_kind(names: &HashMap<String, String>) -> Option<NotCsv> {
    let has = |name: &str| names.contains_key(name);
    let has_folder = |folder: &str| names.keys().any(|name| name.starts_with(folder));
    if has("xl/workbook.bin") {
        Some(NotCsv::Workbook("an Excel workbook in binary form (.xlsb)"))
    } else if has("_rels/.rels") && !has_folder("word/") && !has_folder("ppt/") {
        None
    } else if has_folder("word/") {
        Some(NotCsv::Other("a text document"))
    } else if has_folder("ppt/") {
        Some(NotCsv::Other("a presentation"))
    } else if has("mimetype") && has("content.xml") {
        // calamine reads such a workbook whole into memory, and repeats a cell
        // as often as the file says.
        Some(NotCsv::Workbook("a LibreOffice workbook (.ods)"))
    } else if has("index/document.iwa") {
        Some(NotCsv::Workbook("a Numbers workbook (.numbers)"))
    } else {
        Some(NotCsv::Archive("an archive"))
    }
}
