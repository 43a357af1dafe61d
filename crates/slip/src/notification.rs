use boleto::{Agreement, Document, DueDate};
use contract::{BilledBoleto, Notification};

use crate::Slip;

/// Most characters of a number in the name of a file.
const NAME_CHARACTERS: usize = 32;

/// Name of a boleto's slip as a file, which every system and every header
/// takes: `boleto-31285570000000001.pdf`.
pub fn file_name(boleto: &BilledBoleto) -> String {
    let number = boleto
        .our_number
        .chars()
        .filter(char::is_ascii_alphanumeric);
    format!(
        "boleto-{}.pdf",
        number.take(NAME_CHARACTERS).collect::<String>()
    )
}

/// The slip of a notification's boleto as a PDF, given the agreement that it
/// was issued under: the same bytes every time. `None` where it has no boleto,
/// one of another agreement, or a due date that no boleto can have.
pub fn pdf_of(notification: &Notification, agreement: &Agreement) -> Option<Vec<u8>> {
    let boleto = notification.boleto.as_ref()?;
    if agreement.id() != boleto.issuer {
        return None;
    }
    let slip = Slip {
        agreement,
        our_number: &boleto.our_number,
        barcode: boleto.barcode,
        amount: notification.debt_amount,
        due: DueDate::from_date(notification.debt_due_date).ok()?,
        issued_on: boleto.issued_on,
        document_number: &notification.debt_id,
        payer_name: &notification.name,
        payer_document: &Document::of(&notification.government_id),
        pix: boleto.pix.as_deref(),
    };
    Some(slip.to_pdf())
}
