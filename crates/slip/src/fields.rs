//! The fields that both parts of a slip have.

use boleto::{Document, DocumentType, brazilian_date};

use crate::Slip;
use crate::table::{Cell, Line};

pub(crate) fn due<'a>(slip: &Slip<'a>) -> Cell<'a> {
    let due = Line::new(slip.due.brazilian().to_string());
    Cell::line("Vencimento", due.strong().right()).shaded()
}

pub(crate) fn account<'a>(slip: &Slip<'a>) -> Cell<'a> {
    let account = Line::identifier(slip.agreement.bank().branch_and_account());
    Cell::line("Agência / Código do beneficiário", account.right())
}

pub(crate) fn our_number<'a>(slip: &Slip<'a>) -> Cell<'a> {
    Cell::line("Nosso número", Line::identifier(slip.our_number).right())
}

pub(crate) fn amount<'a>(slip: &Slip<'a>) -> Cell<'a> {
    let amount = Line::new(slip.amount.brazilian().to_string());
    Cell::line("(=) Valor do documento", amount.strong().right()).shaded()
}

/// Name, document and address.
pub(crate) fn beneficiary<'a>(slip: &Slip<'a>) -> Cell<'a> {
    let beneficiary = slip.agreement.beneficiary();
    let place = format!(
        "{} – {} – {}",
        beneficiary.postal_code, beneficiary.city, beneficiary.state
    );
    let name = Line::new(&*beneficiary.name).with_tail(after_name(&beneficiary.document));
    let address = Line::new(&*beneficiary.address).with_tail(place);
    Cell::lines("Beneficiário", vec![name, address])
}

pub(crate) fn payer<'a>(slip: &Slip<'a>) -> Cell<'a> {
    let name = Line::new(slip.payer_name).with_tail(after_name(slip.payer_document));
    Cell::line("Pagador", name)
}

pub(crate) fn document_date<'a>(slip: &Slip<'a>) -> Cell<'a> {
    Cell::line(
        "Data do documento",
        Line::new(brazilian_date(slip.issued_on).to_string()),
    )
}

pub(crate) fn processing_date<'a>(slip: &Slip<'a>) -> Cell<'a> {
    Cell::line(
        "Data do processamento",
        Line::new(brazilian_date(slip.issued_on).to_string()),
    )
}

pub(crate) fn document_number<'a>(slip: &Slip<'a>) -> Cell<'a> {
    Cell::line("Nº do documento", Line::identifier(slip.document_number))
}

/// Duplicata mercantil.
pub(crate) fn document_kind() -> Cell<'static> {
    Cell::line("Espécie doc.", Line::new("DM"))
}

/// The payer has not accepted the debt by a signature.
pub(crate) fn acceptance() -> Cell<'static> {
    Cell::line("Aceite", Line::new("N"))
}

pub(crate) fn carteira<'a>(slip: &Slip<'a>) -> Cell<'a> {
    Cell::line("Carteira", Line::new(slip.agreement.bank().carteira()))
}

pub(crate) fn currency() -> Cell<'static> {
    Cell::line("Espécie moeda", Line::new("R$"))
}

pub(crate) fn instructions<'a>(slip: &Slip<'a>) -> Cell<'a> {
    let lines = slip.agreement.instructions().iter();
    Cell::lines(
        "Instruções (texto de responsabilidade do beneficiário)",
        lines.map(|line| Line::new(&**line)).collect(),
    )
    .at_top()
}

/// A document as it follows a name.
fn after_name(document: &Document) -> String {
    let kind = match document.kind() {
        _ if document.as_str().is_empty() => return String::new(),
        DocumentType::Cpf => "CPF ",
        DocumentType::Cnpj => "CNPJ ",
        DocumentType::Unverified => "",
    };
    format!("{kind}{document}")
}
