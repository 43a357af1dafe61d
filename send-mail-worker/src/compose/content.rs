use askama::Template;
use boleto::brazilian_date;
use boleto::pix::BrCode;
use contract::{BilledBoleto, Notification};

use super::one_line::one_line;

/// What an e-mail says, as the customer reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) subject: String,
    name: String,
    /// With its currency: `R$ 7.811,00`.
    amount: String,
    /// `19/01/2027`.
    due_date: String,
    /// What tells the debt from others, where no boleto does.
    reference: String,
    boleto: Option<Payable>,
    /// Whether somebody reads the answers.
    answered: bool,
}

/// A boleto as the e-mail shows it, so that it can be paid and checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Payable {
    beneficiary: String,
    our_number: String,
    /// Linha digitável with dots and blanks.
    line: String,
    /// Its digits alone.
    digits: String,
    /// The text for "Pix copia e cola".
    pix: Option<String>,
    /// Whether it can be paid at all.
    registered: bool,
}

impl Content {
    pub(super) fn new(
        notification: &Notification,
        boleto: Option<Payable>,
        answered: bool,
    ) -> Self {
        let due_date = brazilian_date(notification.debt_due_date).to_string();
        Self {
            subject: match &boleto {
                Some(boleto) => {
                    let mark = if boleto.registered {
                        ""
                    } else {
                        "[Demonstração] "
                    };
                    format!(
                        "{mark}Boleto de {} – vencimento {due_date}",
                        boleto.beneficiary
                    )
                }
                None => format!("Cobrança – vencimento {due_date}"),
            },
            name: one_line(&notification.name),
            // No break between the currency and the amount.
            amount: format!("R$\u{a0}{}", notification.debt_amount.brazilian()),
            due_date,
            reference: one_line(&notification.debt_id),
            boleto,
            answered,
        }
    }

    /// The part for those who read plain text.
    pub(super) fn text(&self) -> String {
        rendered(&Text { mail: self })
    }

    /// The part that most see.
    pub(super) fn html(&self) -> String {
        rendered(&Html { mail: self })
    }
}

impl Payable {
    /// `None` where nobody could check it, as it does not name its
    /// beneficiary or its number.
    pub(super) fn of(boleto: &BilledBoleto, registered: bool) -> Option<Self> {
        let beneficiary = one_line(&boleto.beneficiary);
        let our_number = one_line(&boleto.our_number);
        if beneficiary.is_empty() || our_number.is_empty() {
            return None;
        }
        let line = boleto.barcode.digitable_line();
        Some(Self {
            beneficiary,
            our_number,
            line: line.to_string(),
            digits: line.as_str().to_owned(),
            pix: boleto.pix.clone().filter(|code| is_pix(code)),
            registered,
        })
    }
}

/// A code that no bank would take helps nobody. One that came through the
/// queue may be a counterpart's.
fn is_pix(code: &str) -> bool {
    code.bytes().all(|byte| (b' '..=b'~').contains(&byte)) && BrCode::read(code).is_ok()
}

/// Nothing in it is escaped, as nothing in plain text can be.
#[derive(Template)]
#[template(path = "mail.txt", escape = "none")]
struct Text<'a> {
    mail: &'a Content,
}

#[derive(Template)]
#[template(path = "mail.html", escape = "html")]
struct Html<'a> {
    mail: &'a Content,
}

fn rendered(template: &impl Template) -> String {
    template
        .render()
        .unwrap_or_else(|error| unreachable!("texts do not fail to be written: {error}"))
}
