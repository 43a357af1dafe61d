use boleto::{Agreement, Document, DueDate};
use slip::Slip;

use super::{BilledBoleto, Notification};

/// Most characters of a number in the name of a file.
const NAME_CHARACTERS: usize = 32;

impl BilledBoleto {
    /// Name of its slip as a file, which every system and every header takes:
    /// `boleto-31285570000000001.pdf`.
    pub fn file_name(&self) -> String {
        let number = self.our_number.chars().filter(char::is_ascii_alphanumeric);
        format!(
            "boleto-{}.pdf",
            number.take(NAME_CHARACTERS).collect::<String>()
        )
    }
}

impl Notification {
    /// The slip of its boleto as a PDF, given the agreement that it was issued
    /// under: the same bytes every time. `None` where it has no boleto, one of
    /// another agreement, or a due date that no boleto can have.
    pub fn slip(&self, agreement: &Agreement) -> Option<Vec<u8>> {
        let boleto = self.boleto.as_ref()?;
        if agreement.id() != boleto.issuer {
            return None;
        }
        let slip = Slip {
            agreement,
            our_number: &boleto.our_number,
            barcode: boleto.barcode,
            amount: self.debt_amount,
            due: DueDate::from_date(self.debt_due_date).ok()?,
            issued_on: boleto.issued_on,
            document_number: &self.debt_id,
            payer_name: &self.name,
            payer_document: &Document::of(&self.government_id),
            pix: boleto.pix.as_deref(),
        };
        Some(slip.to_pdf())
    }
}
