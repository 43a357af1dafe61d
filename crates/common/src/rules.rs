//! What the issuer and its bank take of a debt, beyond its form.

mod calendar;

use boleto::{Agreement, DocumentType, DueDateWindow};
use contract::{DebtRecord, InvalidReason};
use jiff::civil::Date;

use crate::runtime::{Environment, SettingError};

pub use calendar::Calendar;

/// What may differ from one operator to the next, and the calendar.
#[derive(Clone, Debug)]
pub struct BillingRules {
    /// Under which boletos are issued.
    pub agreement: Agreement,
    /// Whether a row whose document is not a valid CPF or CNPJ is INVALID.
    pub strict_documents: bool,
    /// Which day boletos are issued on.
    pub calendar: Calendar,
}

/// The demonstration's agreement, and any document.
impl Default for BillingRules {
    fn default() -> Self {
        Self {
            agreement: Agreement::demonstration(),
            strict_documents: false,
            calendar: Calendar::Brasilia,
        }
    }
}

/// What follows from the day, once per batch.
#[derive(Clone, Copy, Debug)]
pub struct BillingDay {
    /// The day.
    pub date: Date,
    due_dates: DueDateWindow,
}

impl BillingRules {
    /// Reads `ISSUER_FILE` and `STRICT_GOVERNMENT_ID`.
    ///
    /// # Errors
    /// The first variable that is wrong.
    pub fn read(env: &Environment) -> Result<Self, SettingError> {
        Ok(Self {
            agreement: agreement(env)?,
            strict_documents: env.or("STRICT_GOVERNMENT_ID", false, "true or false")?,
            calendar: Calendar::Brasilia,
        })
    }

    /// Today.
    pub fn day(&self) -> BillingDay {
        let date = self.calendar.today();
        BillingDay {
            date,
            due_dates: DueDateWindow::of_billing_on(date),
        }
    }

    /// Whether a debt may be billed on that day.
    ///
    /// # Errors
    /// What the issuer or the bank would not take, or the bank would take for
    /// something else.
    pub fn admit(&self, record: &DebtRecord, day: &BillingDay) -> Result<(), InvalidReason> {
        let is_unverified = || DocumentType::of(&record.government_id) == DocumentType::Unverified;
        if self.strict_documents && is_unverified() {
            return Err(InvalidReason::GovernmentIdInvalid);
        }
        self.agreement.takes(record.amount)?;
        day.due_dates.takes(record.due_date)?;
        Ok(())
    }
}

/// The agreement of `ISSUER_FILE`, or that of the demonstration.
fn agreement(env: &Environment) -> Result<Agreement, SettingError> {
    const NAME: &str = "ISSUER_FILE";
    let Some(path) = env.get(NAME) else {
        return Ok(Agreement::demonstration());
    };
    let read = std::fs::read_to_string(path).map_err(|error| error.to_string());
    let agreement =
        read.and_then(|text| Agreement::from_toml(&text).map_err(|error| error.to_string()));
    agreement.map_err(|error| SettingError::Wrong {
        name: NAME,
        held: path.to_owned(),
        // One line, as every error of a setting is.
        takes: format!(
            "the path of an issuer's TOML file; {}",
            error.split_whitespace().collect::<Vec<_>>().join(" ")
        ),
    })
}
