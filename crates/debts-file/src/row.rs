//! One valid row and its six fields.

use std::fmt::{Arguments, Write};

use uuid::{Builder, Uuid};

use crate::{dates::DueDates, debtor::Debtor, document::Document, random::Random};

/// The header line, which is the order of the fields.
pub(super) const HEADER: [&str; 6] = [
    "name",
    "governmentId",
    "email",
    "debtAmount",
    "debtDueDate",
    "debtId",
];

/// R$ 10.00 in centavos.
const LOWEST_AMOUNT: u64 = 1_000;

/// R$ 20,000.00 in centavos.
const HIGHEST_AMOUNT: u64 = 2_000_000;

/// A valid row, small enough to remember thousands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    debtor: Debtor,
    document: Document,
    centavos: u64,
    decimals: Decimals,
    due_date: usize,
    debt_id: Uuid,
}

/// How many decimals the amount is written with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decimals {
    /// `7811`
    None,
    /// `7811.5`
    One,
    /// `7811.50`
    Two,
}

impl Row {
    pub(super) fn random(random: &mut Random, due_dates: &DueDates) -> Self {
        let (debtor, document) = match random.below(20) {
            0..14 => (Debtor::person(random), Document::cpf(random)),
            14..17 => (Debtor::company(random), Document::cnpj(random)),
            _ => (Debtor::person(random), Document::unverified(random)),
        };
        let decimals = random.pick(&[Decimals::None, Decimals::One, Decimals::Two, Decimals::Two]);
        let step = match decimals {
            Decimals::None => 100,
            Decimals::One => 10,
            Decimals::Two => 1,
        };
        Self {
            debtor,
            document,
            centavos: random.between(LOWEST_AMOUNT / step, HIGHEST_AMOUNT / step) * step,
            decimals,
            due_date: random.index(due_dates.count()),
            debt_id: Builder::from_random_bytes(random.bytes()).into_uuid(),
        }
    }

    /// The same debt; the amount may read differently, `7811` as `7811.00`.
    pub(super) fn spell_amount_in_full(&mut self) {
        self.decimals = Decimals::Two;
    }
}

/// Room for the six fields of one row at a time.
#[derive(Default)]
pub(super) struct Fields {
    name: String,
    document: String,
    email: String,
    amount: String,
    debt_id: String,
}

impl Fields {
    /// The fields of a row, in the order of [`HEADER`].
    pub(super) fn of<'a>(&'a mut self, row: &Row, due_dates: &'a DueDates) -> [&'a str; 6] {
        let (reais, rest) = (row.centavos / 100, row.centavos % 100);
        [
            write_into(&mut self.name, format_args!("{}", row.debtor.name())),
            write_into(&mut self.document, format_args!("{}", row.document)),
            write_into(&mut self.email, format_args!("{}", row.debtor.email())),
            match row.decimals {
                Decimals::None => write_into(&mut self.amount, format_args!("{reais}")),
                Decimals::One => {
                    write_into(&mut self.amount, format_args!("{reais}.{}", rest / 10))
                }
                Decimals::Two => write_into(&mut self.amount, format_args!("{reais}.{rest:02}")),
            },
            due_dates.iso(row.due_date),
            write_into(&mut self.debt_id, format_args!("{}", row.debt_id)),
        ]
    }
}

/// Replaces the content of `buffer`, whose memory is used again and again.
fn write_into<'a>(buffer: &'a mut String, text: Arguments<'_>) -> &'a str {
    buffer.clear();
    // A String takes any text.
    let _ = buffer.write_fmt(text);
    buffer
}
