//! The columns of the input file: what each is called, and what may come in it.

use std::collections::BTreeMap;
use std::ops::{Index, IndexMut};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::field::{is_placeholder, unwrapped, visible};
use super::writing::push_record;

/// A list of columns: the name of each in the contract, and what a header may
/// call it, in small letters without accents, blanks and punctuation.
macro_rules! columns {
    (
        $(#[$about:meta])*
        $list:ident { $($(#[$doc:meta])* $column:ident = $name:literal: $headers:expr;)+ }
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $list {
            $($(#[$doc])* $column,)+
        }

        impl $list {
            /// All of them, in their order.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$column),+];

            /// Its name in the contract.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$column => $name,)+
                }
            }

            /// What a header may call it: small letters, without accents, blanks
            /// and punctuation. No two columns share one.
            pub const fn headers(self) -> &'static [&'static str] {
                match self {
                    $(Self::$column => &$headers,)+
                }
            }
        }
    };
}

columns! {
    /// A column that every file has. The order is that of a message's fields.
    Column {
        /// Name of the debtor.
        Name = "name": [
            "name", "nome", "nomecompleto", "nomedocliente", "nomedopagador", "razaosocial",
        ];
        /// Document of the debtor.
        GovernmentId = "governmentId": [
            "governmentid", "cpf", "cnpj", "cpfcnpj", "cnpjcpf", "cpfoucnpj", "documento",
        ];
        /// Address for the e-mail.
        Email = "email": ["email", "enderecodeemail", "emaildocliente", "emaildopagador"];
        /// What is owed.
        DebtAmount = "debtAmount": [
            "debtamount", "valor", "vlr", "valorr", "valoremreais", "valordadivida",
            "valordodebito",
        ];
        /// When it is due.
        DebtDueDate = "debtDueDate": [
            "debtduedate", "vencimento", "datadevencimento", "datadovencimento",
            "datavencimento", "dtvencimento", "dtvencto",
        ];
        /// What identifies the debt.
        DebtId = "debtId": [
            "debtid", "id", "identificador", "nossocontrole", "seunumero", "iddadivida",
            "iddodebito",
        ];
    }
}

columns! {
    /// A column that a file may have: to add one is to add it to this list. Its
    /// value travels as text beside the record, to the notification, and decides
    /// nothing about the row.
    OptionalColumn {
        /// Telephone of the debtor.
        Phone = "phone": ["phone", "phonenumber", "telefone", "celular", "fone"];
    }
}

impl Column {
    /// The names of all of them, in their order.
    pub fn names() -> [&'static str; Self::ALL.len()] {
        Self::ALL.map(Self::name)
    }
}

impl OptionalColumn {
    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|column| column.name() == name)
    }
}

/// One thing for each [`Column`], such as the fields of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fields<T>(pub(super) [T; Column::ALL.len()]);

impl<T> Fields<T> {
    /// Makes it from what there is of each column.
    pub fn of(each: impl FnMut(Column) -> T) -> Self {
        Self(Column::ALL.map(each))
    }

    /// The same fields, each made into something else.
    pub fn map<U>(self, each: impl FnMut(T) -> U) -> Fields<U> {
        Fields(self.0.map(each))
    }

    /// Them in the order of the columns.
    pub fn in_order(&self) -> impl Iterator<Item = &T> {
        self.0.iter()
    }
}

impl<T> Index<Column> for Fields<T> {
    type Output = T;

    fn index(&self, column: Column) -> &T {
        &self.0[column as usize]
    }
}

impl<T> IndexMut<Column> for Fields<T> {
    fn index_mut(&mut self, column: Column) -> &mut T {
        &mut self.0[column as usize]
    }
}

/// In the order of the columns.
impl<T> From<[T; Column::ALL.len()]> for Fields<T> {
    fn from(fields: [T; Column::ALL.len()]) -> Self {
        Self(fields)
    }
}

/// Most characters of an optional value; what is longer is left out.
const MAX_CHARACTERS: usize = 500;

/// What there is of the optional columns: the values of a row, or their places
/// in a file. Whoever reads it passes over columns that it does not know, so
/// that another version may have more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionalFields<T = String>(BTreeMap<OptionalColumn, T>);

impl<T> Default for OptionalFields<T> {
    fn default() -> Self {
        Self::NONE
    }
}

impl<T> OptionalFields<T> {
    /// Nothing of any column.
    pub const NONE: Self = Self(BTreeMap::new());

    /// What there is of a column.
    pub fn get(&self, column: OptionalColumn) -> Option<&T> {
        self.0.get(&column)
    }

    /// Whether there is nothing of any column.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each column of which there is something.
    pub fn iter(&self) -> impl Iterator<Item = (OptionalColumn, &T)> {
        self.0.iter().map(|(column, value)| (*column, value))
    }
}

impl<T> FromIterator<(OptionalColumn, T)> for OptionalFields<T> {
    fn from_iter<I: IntoIterator<Item = (OptionalColumn, T)>>(columns: I) -> Self {
        Self(columns.into_iter().collect())
    }
}

impl OptionalFields<String> {
    /// Adds the value of a field, without what spreadsheets and exports leave
    /// around it. What is empty, a placeholder or longer than 500 characters is
    /// none.
    pub fn put(&mut self, column: OptionalColumn, field: &str) {
        let field = visible(field);
        let value = unwrapped(&field);
        let is_value = !value.is_empty()
            && !is_placeholder(value)
            && value.chars().nth(MAX_CHARACTERS).is_none();
        if is_value {
            self.0.insert(column, value.to_owned());
        }
    }

    /// The values as a line of the attribute `columns`.
    pub fn to_line(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|_| "{}".to_owned())
    }

    /// The values of each record of a message, from its attribute `columns`: a
    /// line for each, in their order. What is missing or cannot be read is
    /// nothing.
    pub fn read_lines(attribute: Option<&str>) -> impl Iterator<Item = Self> {
        let lines = attribute.into_iter().flat_map(|lines| lines.split('\n'));
        let read = lines.map(|line| serde_json::from_str(line).unwrap_or_default());
        read.chain(std::iter::repeat_with(Self::default))
    }
}

/// Puts the line of a further record into the attribute `columns`, as
/// [`push_record`] puts the record into the body.
pub fn push_line(attribute: &mut String, line: &str) {
    push_record(attribute, line);
}

impl<T: Serialize> Serialize for OptionalFields<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter().map(|(column, value)| (column.name(), value)))
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for OptionalFields<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let all = BTreeMap::<String, Value>::deserialize(from)?;
        let known = all.into_iter().filter_map(|(name, value)| {
            let value = serde_json::from_value(value).ok()?;
            Some((OptionalColumn::named(&name)?, value))
        });
        Ok(known.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_columns_share_a_name() {
        let required = Column::ALL.iter().flat_map(|column| column.headers());
        let optional = OptionalColumn::ALL
            .iter()
            .flat_map(|column| column.headers());
        let mut names: Vec<_> = required.chain(optional).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
        for column in Column::ALL {
            let own = column.name().to_lowercase();
            assert!(column.headers().contains(&&*own));
        }
        for column in OptionalColumn::ALL {
            assert!(column.headers().contains(&column.name()));
            assert_eq!(OptionalColumn::named(column.name()), Some(column));
        }
    }

    fn phone(field: &str) -> OptionalFields<String> {
        let mut values = OptionalFields::default();
        values.put(OptionalColumn::Phone, field);
        values
    }

    #[test]
    fn a_value_is_what_the_file_means() {
        for (field, value) in [
            ("+55 11 91234-5678", Some("+55 11 91234-5678")),
            ("=\"011912345678\"", Some("011912345678")),
            ("'011", Some("011")),
            ("\u{200e}11", Some("11")),
            ("", None),
            (" - ", None),
            ("NULL", None),
            ("#N/D", None),
        ] {
            let values = phone(field);
            let found = values.get(OptionalColumn::Phone).map(String::as_str);
            assert_eq!(found, value, "{field:?}");
            assert_eq!(values.is_empty(), value.is_none());
        }
        assert!(!phone(&"1".repeat(MAX_CHARACTERS)).is_empty());
        assert!(phone(&"1".repeat(MAX_CHARACTERS + 1)).is_empty());
    }

    #[test]
    fn each_record_has_a_line_whatever_its_values_are() {
        let values = [phone("a\"\\\r\n{}"), phone(""), phone("é")];
        let mut lines = values[0].to_line();
        for values in &values[1..] {
            push_line(&mut lines, &values.to_line());
        }
        let read: Vec<_> = OptionalFields::read_lines(Some(&lines)).take(4).collect();
        assert_eq!(read[..3], values);
        assert!(read[3].is_empty());
        assert!(
            OptionalFields::read_lines(None)
                .take(9)
                .all(|values| values.is_empty())
        );
    }

    #[test]
    fn what_another_version_writes_is_passed_over() {
        let lines =
            "{\"phone\":\"1\",\"later\":{\"a\":[1]}}\n{\"phone\":7}\nphone\n[]\n{\"phone\":\"2\"}";
        let read: Vec<_> = OptionalFields::read_lines(Some(lines)).take(5).collect();
        let nothing = phone("");
        assert_eq!(
            read,
            [
                phone("1"),
                nothing.clone(),
                nothing.clone(),
                nothing,
                phone("2")
            ]
        );
    }
}
