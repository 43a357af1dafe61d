use boleto::{Agreement, Boleto, DueDate};
use contract::{BilledBoleto, Notification, OptionalFields};

/// The notification of a debt of R$ 7,811.00 that was billed by the demonstration's issuer under
/// that sequence number.
pub fn billed(debt_id: &str, sequence: u64) -> Notification {
    let agreement = Agreement::demonstration();
    let amount = "7811".parse().unwrap();
    let due: DueDate = "2027-01-19".parse().unwrap();
    let boleto = Boleto::issue(&agreement, sequence, amount, due).unwrap();
    Notification {
        name: "João da Silva".to_owned(),
        government_id: "52998224725".to_owned(),
        email: "joao@example.com".to_owned(),
        revision: 0,
        debt_amount: amount,
        debt_due_date: due.date(),
        debt_id: debt_id.to_owned(),
        columns: OptionalFields::default(),
        boleto: Some(BilledBoleto {
            our_number: boleto.our_number.into(),
            barcode: boleto.barcode,
            beneficiary: agreement.beneficiary().name.as_str().into(),
            issuer: agreement.id(),
            issued_on: "2026-11-24".parse().unwrap(),
            pix: boleto.pix,
        }),
    }
}
