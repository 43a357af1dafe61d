use boleto::Agreement;

use crate::calendar::Calendar;

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
