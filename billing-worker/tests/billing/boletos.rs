//! What a debt is billed with: its boleto, and the issuer's rules.

use boleto::{Agreement, DueDateFactor};
use common::ledger::{AgreementLedger, DebtLedger, DebtState, RowLedger};
use contract::BilledBoleto;

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
async fn reasons(ledger: &SharedLedger, import_id: Uuid, rows: u64) -> Vec<Option<String>> {
    let facts = ledger.row_facts(import_id, 1, rows).await.unwrap();
    let code = |reason: std::sync::Arc<contract::Reason>| reason.code.to_string();
    facts.into_iter().map(|f| f.reason.map(code)).collect()
}

fn due(date: &str) -> CsvRow {
    CsvRow {
        debt_due_date: date.into(),
        ..CsvRow::valid(date)
    }
}

#[tokio::test]
async fn due_dates_and_amounts_at_their_limits_are_billed_and_those_beyond_are_invalid() {
    let stack = Stack::start().await;
    let ledger = stack.ledger().await;
    let amount = |amount: &str| CsvRow {
        debt_amount: amount.into(),
        ..CsvRow::valid(amount)
    };
    let rows = [
        due("2025-02-21"),
        due("2025-02-22"),
        due("2041-12-20"),
        amount("99999999.99"),
        due("2049-10-14"),
        due("1999-01-01"),
        amount("100000000.00"),
    ];
    let import_id = registered(&ledger, 7).await;
    send(&stack, import_id, &rows.map(|row| row.line())).await;
    let service = start_on(&stack, "2026-11-29").await;
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
        ("2041-12-20", 7_145),
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

/// Banks read a factor as a day from 3,000 days back to 5,500 ahead; 100 of the days back are left
/// for the payment.
#[tokio::test]
async fn a_due_date_that_banks_would_read_as_another_day_is_invalid_before_a_number_is_taken() {
    let stack = Stack::start().await;
    let ledger = stack.ledger().await;
    let rows = [
        ("2045-01-01", false),
        ("2010-01-01", false),
        ("2020-01-01", true),
        ("2027-01-31", true),
        ("2018-12-20", false),
        ("2018-12-21", true),
        ("2041-12-20", true),
        ("2041-12-21", false),
    ];
    let import_id = registered(&ledger, 8).await;
    send(&stack, import_id, &rows.map(|(date, _)| due(date).line())).await;
    let service = start_on(&stack, "2026-11-29").await;
    deleted(&service, 8).await;

    let told = boletos(&stack).await;
    let billed = |date: &str| told.iter().any(|(debt_id, _)| debt_id == date);
    let facts = ledger.row_facts(import_id, 1, 8).await.unwrap();
    for ((date, is_billed), facts) in rows.into_iter().zip(facts) {
        assert_eq!(
            (facts.billed, facts.invalid),
            (is_billed, !is_billed),
            "{date}"
        );
        assert_eq!(billed(date), is_billed, "{date}");
        if let Some(reason) = facts.reason {
            assert_eq!(reason.code, "due_date_outside_window", "{date}");
            assert!(
                reason.text.contains("2018-12-21 to 2041-12-20"),
                "{}",
                reason.text
            );
        }
    }
    let states = ledger.debts(&["2045-01-01", "2010-01-01"]).await.unwrap();
    assert_eq!(states, [DebtState::Unbilled, DebtState::Unbilled]);
    let mut numbers: Vec<_> = told.iter().map(|(_, boleto)| &*boleto.our_number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers.last(), Some(&"31285570000000004"), "{numbers:?}");
}

/// The day after, no row of that due date would be billed any more.
#[tokio::test]
async fn a_row_that_was_billed_before_its_due_date_left_the_window_is_never_invalid() {
    let stack = Stack::start().await;
    let ledger = stack.ledger().await;
    let import_id = registered(&ledger, 4).await;
    let on_the_edge = |debt_id: &str| {
        let row = CsvRow {
            debt_due_date: "2018-12-21".into(),
            ..CsvRow::valid(debt_id)
        };
        row.line()
    };
    send_row(&stack, import_id, 1, &on_the_edge("told")).await;
    let service = start_on(&stack, "2026-11-29").await;
    deleted(&service, 1).await;
    service.stop().await.unwrap();
    // Claimed, and then its worker died.
    let holder = RowIdentity::Row(row(import_id, 2));
    let stored = claim_of(holder, "claimed", 777);
    bill(&ledger, "claimed", stored).await;

    // Both again, another row of a debt that is billed, and a debt that is not.
    for (number, debt_id) in (1..).zip(["told", "claimed", "told", "new"]) {
        send_row(&stack, import_id, number, &on_the_edge(debt_id)).await;
    }
    let service = start_on(&stack, "2026-11-30").await;
    deleted(&service, 4).await;
    let facts = ledger.row_facts(import_id, 1, 4).await.unwrap();
    let outcomes: Vec<_> = facts
        .iter()
        .map(|facts| (facts.billed, facts.skipped, facts.invalid, facts.notified))
        .collect();
    assert_eq!(
        outcomes,
        [
            (true, false, false, true),
            (true, false, false, true),
            (false, true, false, false),
            (false, false, true, false),
        ]
    );
    let told = boletos(&stack).await;
    let debts: Vec<_> = told.iter().map(|(debt_id, _)| &**debt_id).collect();
    assert_eq!(debts, ["claimed", "told"]);
    assert_eq!(told[0].1, testkit::billed("claimed", 777).boleto.unwrap());
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

#[tokio::test]
async fn a_row_that_is_billed_stays_so_though_the_rules_have_become_stricter() {
    let stack = Stack::start().await;
    let ledger = stack.ledger().await;
    let import_id = registered(&ledger, 2).await;
    // A crash came after the claim.
    let holder = RowIdentity::Row(row(import_id, 1));
    bill(&ledger, "debt-1", claim_of(holder, "debt-1", 777)).await;
    let unverified = ["debt-1", "debt-2"].map(|debt_id| CsvRow {
        government_id: "9558".into(),
        ..CsvRow::valid(debt_id)
    });
    send(&stack, import_id, &unverified.map(|row| row.line())).await;
    let service = start_with(&stack, &[("STRICT_GOVERNMENT_ID", "true")]).await;
    deleted(&service, 2).await;

    let counts = ledger.outcome_counts(import_id).await.unwrap();
    assert_eq!((counts.billed, counts.notified, counts.invalid), (1, 1, 1));
    let told = boletos(&stack).await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].0, "debt-1");
}
