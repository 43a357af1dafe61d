//! What a debt is billed with: its boleto, and the issuer's rules.

use boleto::{Agreement, DueDateFactor};
use common::contract::BilledBoleto;
use common::ledger::{AgreementLedger, DebtLedger, DebtState, RowLedger};

use super::*;

/// An issuer with another bank, and a PIX key.
const CAIXA: &str = "\
registered = true
[beneficiary]
name = 'Águas do Vale S.A.'
document = '12.ABC.345/01DE-35'
address = 'Rua das Fontes, 1'
city = 'Campinas'
state = 'SP'
postal_code = '13000-000'
[bank]
code = '104'
agencia = '1'
beneficiario = '5507'
modalidade = '14'
[pix]
key = 'cobranca@example.com'
";

async fn boletos(stack: &Stack) -> Vec<(String, BilledBoleto)> {
    let told = notifications(stack).await.into_iter();
    let mut boletos: Vec<_> = told
        .map(|told| (told.notification.debt_id, told.notification.boleto.unwrap()))
        .collect();
    boletos.sort_by(|(one, _), (other, _)| one.cmp(other));
    boletos
}

/// Code of the reason of each row, from 1 on.
async fn reasons(ledger: &RedisLedger, import_id: Uuid, rows: u64) -> Vec<Option<String>> {
    let facts = ledger.row_facts(import_id, 1, rows).await.unwrap();
    let code = |reason: std::sync::Arc<common::contract::Reason>| reason.code.to_string();
    facts.into_iter().map(|f| f.reason.map(code)).collect()
}

#[tokio::test]
async fn due_dates_and_amounts_at_their_limits_are_billed_and_those_beyond_are_invalid() {
    let stack = Stack::start().await;
    let ledger = stack.ledger().await;
    let due = |date: &str| CsvRow {
        debt_due_date: date.into(),
        ..CsvRow::valid(date)
    };
    let amount = |amount: &str| CsvRow {
        debt_amount: amount.into(),
        ..CsvRow::valid(amount)
    };
    let rows = [
        due("2025-02-21"),
        due("2025-02-22"),
        due("2049-10-13"),
        amount("99999999.99"),
        due("2049-10-14"),
        due("1999-01-01"),
        amount("100000000.00"),
    ];
    let import_id = registered(&ledger, 7).await;
    send(&stack, import_id, &rows.map(|row| row.line())).await;
    let service = start(&stack).await;
    deleted(&service, 7).await;

    let factors: Vec<_> = boletos(&stack)
        .await
        .iter()
        .map(|(debt, boleto)| (debt.clone(), boleto.barcode.factor().get()))
        .collect();
    let usual = DueDateFactor::of_date("2027-03-15".parse().unwrap()).unwrap();
    let expected = [
        ("2025-02-21", 9_999),
        ("2025-02-22", 1_000),
        ("2049-10-13", 9_999),
        ("99999999.99", usual.get()),
    ];
    assert_eq!(
        factors,
        expected.map(|(debt, factor)| (debt.into(), factor))
    );
    let reasons = reasons(&ledger, import_id, 7).await;
    assert_eq!(
        reasons.iter().map(Option::as_deref).collect::<Vec<_>>(),
        [
            None,
            None,
            None,
            None,
            Some("due_date_no_factor"),
            Some("due_date_no_factor"),
            Some("amount_above_limit"),
        ]
    );
}

#[tokio::test]
async fn an_issuer_has_its_own_bank_limit_and_pix_and_its_agreement_is_kept() {
    let stack = Stack::start().await;
    let ledger = stack.ledger().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), CAIXA).unwrap();
    let too_much = CsvRow {
        debt_amount: "10000000.00".into(),
        ..CsvRow::valid("debt-2")
    };
    let import_id = registered(&ledger, 2).await;
    let rows = [CsvRow::valid("debt-1").line(), too_much.line()];
    send(&stack, import_id, &rows).await;
    let issuer_file = file.path().to_str().unwrap();
    let service = start_with(&stack, &[("ISSUER_FILE", issuer_file)]).await;
    deleted(&service, 2).await;

    let agreement = Agreement::from_toml(CAIXA).unwrap();
    let boletos = boletos(&stack).await;
    let [(_, boleto)] = &*boletos else {
        panic!("{boletos:?}");
    };
    assert_eq!(boleto.barcode.bank(), "104");
    assert_eq!(&*boleto.beneficiary, "Águas do Vale S.A.");
    assert_eq!(boleto.issuer, agreement.id());
    assert!(
        boleto
            .pix
            .as_ref()
            .unwrap()
            .contains("cobranca@example.com")
    );
    let kept = ledger.agreement(agreement.id()).await.unwrap();
    assert_eq!(kept, Some(agreement));

    let reasons = reasons(&ledger, import_id, 2).await;
    assert_eq!(reasons[1].as_deref(), Some("amount_above_bank_limit"));
    // It is refused before it is claimed.
    let states = ledger.debts(&["debt-2"]).await.unwrap();
    assert_eq!(states, [DebtState::Unbilled]);
}

#[tokio::test]
async fn a_strict_issuer_bills_nobody_without_a_valid_document() {
    let stack = Stack::start().await;
    let ledger = stack.ledger().await;
    let unverified = CsvRow {
        government_id: "9558".into(),
        ..CsvRow::valid("debt-1")
    };
    let company = CsvRow {
        government_id: "12.abc.345/01de-35".into(),
        ..CsvRow::valid("debt-2")
    };
    let import_id = registered(&ledger, 2).await;
    send(&stack, import_id, &[unverified.line(), company.line()]).await;
    let service = start_with(&stack, &[("STRICT_GOVERNMENT_ID", "true")]).await;
    deleted(&service, 2).await;

    let billed: Vec<_> = boletos(&stack)
        .await
        .into_iter()
        .map(|(debt, _)| debt)
        .collect();
    assert_eq!(billed, ["debt-2"]);
    let reasons = reasons(&ledger, import_id, 2).await;
    assert_eq!(reasons[0].as_deref(), Some("government_id_invalid"));
}
