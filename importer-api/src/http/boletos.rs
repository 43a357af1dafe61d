use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use boleto::{Agreement, DigitableLine, DocumentType};
use common::ledger::{
    AddressChange, AgreementLedger, Channel, ChannelLedger, DebtLedger, DebtState, SendEnd,
};
use contract::{BilledBoleto, Notification, RowIdentity};
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde_json::value::RawValue;
use tracing::warn;
use utoipa::ToSchema;
use uuid::Uuid;

use super::imports::ledger_problem;
use super::{Problem, Shared};

/// What a debt was billed with.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BoletoView {
    /// What identifies the debt.
    #[schema(example = "1adb6ccf-ff16-467f-bea7-5f05d494280f")]
    debt_id: String,
    /// The import whose row billed it; null where it was a message of no
    /// import.
    import_id: Option<Uuid>,
    /// Number of that row, from 1.
    #[schema(example = 17)]
    row: Option<u64>,
    /// Whether the topic has its notification.
    notified: bool,
    /// The e-mail to the debtor's address.
    mail: MailView,
    /// The changes of that address since the debt was billed.
    address_changes: Vec<AddressChangeView>,
    /// The debtor; null once the personal data was removed.
    payer: Option<PayerView>,
    /// What is owed, in reais.
    #[schema(value_type = f64, example = 7811.00)]
    amount: Box<RawValue>,
    /// When it is due.
    #[schema(format = Date, example = "2027-01-19")]
    due_date: String,
    /// The day it was issued on, in Brasília.
    #[schema(format = Date, example = "2026-11-24")]
    issued_on: String,
    /// Number of the bank.
    #[schema(example = "001")]
    bank: String,
    /// Nosso número, as the slip prints it.
    #[schema(example = "31285570000000001")]
    our_number: String,
    /// The 44 digits of the barcode.
    #[schema(example = "00192149400000100500000003128557000000000117")]
    barcode: String,
    /// Linha digitável as people read it.
    #[schema(example = "00190.00009 03128.557000 00000.001172 2 14940000010050")]
    digitable_line: String,
    /// PIX BR Code, where the issuer has a key. Paying by it does not settle
    /// the boleto at the bank.
    pix: Option<String>,
    /// Who is owed.
    beneficiary: BeneficiaryView,
    /// Whether the issuer registers its boletos; one that is not registered
    /// cannot be paid.
    registered: bool,
    /// Where the slip is; null once the personal data was removed, without which
    /// it cannot be printed.
    #[schema(example = "/v1/boletos/1adb6ccf-ff16-467f-bea7-5f05d494280f.pdf")]
    pdf: Option<String>,
}

/// What became of an e-mail.
#[derive(Debug, Serialize, ToSchema)]
struct MailView {
    /// Whether it is sent.
    state: MailState,
    /// Why it is undeliverable, as a code.
    #[schema(example = "mailbox_refused")]
    code: Option<String>,
    /// The same in words.
    #[schema(example = "550 5.1.1 no such mailbox")]
    reason: Option<String>,
}

/// Whether an e-mail is sent.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum MailState {
    /// The mail server took it.
    Sent,
    /// It can never be delivered.
    Undeliverable,
    /// It is still to be sent, for the first time or once more.
    Waiting,
}

/// Somebody changed the debtor's address.
#[derive(Debug, Serialize, ToSchema)]
struct AddressChangeView {
    /// When.
    #[schema(value_type = String, format = DateTime, example = "2026-12-01T15:04:05Z")]
    at: Timestamp,
    /// Whose token it was: the start of its SHA-256; empty where the API takes
    /// no tokens.
    #[schema(example = "2c26b46b68ffc68f")]
    by: String,
}

impl MailView {
    fn of(end: Option<SendEnd>) -> Self {
        let (state, why) = match end {
            Some(SendEnd::Sent) => (MailState::Sent, None),
            Some(SendEnd::Undeliverable(why)) => (MailState::Undeliverable, Some(why)),
            Some(SendEnd::Superseded) | None => (MailState::Waiting, None),
        };
        let (code, reason) = why.map(|why| (why.code.into(), why.text.into())).unzip();
        Self {
            state,
            code,
            reason,
        }
    }
}

/// Who owes.
#[derive(Debug, Serialize, ToSchema)]
struct PayerView {
    /// Name.
    #[schema(example = "Elijah Santos")]
    name: String,
    /// Document: digits and capital letters.
    #[schema(example = "52998224725")]
    government_id: String,
    /// What the document is.
    #[schema(value_type = String, example = "cpf")]
    document_type: DocumentType,
    /// Address for the e-mail.
    email: String,
}

/// Who is owed.
#[derive(Debug, Serialize, ToSchema)]
struct BeneficiaryView {
    /// Name.
    #[schema(example = "Empresa de Demonstração Ltda.")]
    name: String,
    /// CPF or CNPJ.
    #[schema(example = "11222333000181")]
    document: String,
    /// Agência and código, as the slip prints them.
    #[schema(example = "0452-9/123873-6")]
    account: String,
    /// Carteira.
    #[schema(example = "17")]
    carteira: String,
}

/// A slip.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "describes the file in the API documentation")]
struct Slip(Vec<u8>);

/// A debt that was billed, with all that prints its boleto.
struct Billed {
    holder: RowIdentity,
    changes: Vec<AddressChange>,
    notified: bool,
    notification: Notification,
    boleto: BilledBoleto,
    agreement: Agreement,
}

/// The boleto of a debt.
///
/// With `.pdf` behind the debt's id it is the slip. A debt whose own id ends
/// in `.pdf` is found where there is none without it.
///
/// ```sh
/// curl http://localhost:8000/v1/boletos/sample-0001
/// ```
#[utoipa::path(
    get,
    path = "/v1/boletos/{debt_id}",
    tag = "boletos",
    security((), ("bearer" = [])),
    params(("debt_id" = String, Path, description = "The debt, percent-encoded where it must be", example = "sample-0001")),
    responses(
        (status = 200, description = "What it was billed with", body = BoletoView),
        (status = 404, description = "No boleto is known for the debt", body = Problem, content_type = "application/problem+json", example = json!(Problem::no_such_boleto())),
        (status = 503, description = "The ledger is unavailable, or all connections are taken", body = Problem, content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds to wait")), example = json!(Problem::ledger_away())),
    )
)]
pub(super) async fn boleto(
    State(shared): State<Shared>,
    debt_id: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let Path(asked) = debt_id.map_err(|_| Problem::no_such_boleto())?;
    if let Some(debt_id) = asked.strip_suffix(".pdf")
        && let Some(billed) = find(&shared, debt_id).await?
    {
        return slip(&billed);
    }
    shown(&shared, &asked).await
}

/// The boleto of a debt as it is answered.
pub(super) async fn shown(shared: &Shared, debt_id: &str) -> Result<Response, Problem> {
    let billed = find(shared, debt_id).await?;
    let billed = billed.ok_or_else(Problem::no_such_boleto)?;
    let channel = Channel::mail(billed.notification.revision);
    let ended = shared.ledger()?.send_ends(channel, &[debt_id.trim()]).await;
    let ended = ended.map_err(|error| ledger_problem(&error))?.pop();
    let no_store = [(header::CACHE_CONTROL, "no-store")];
    let view = view(billed, MailView::of(ended.flatten()))?;
    Ok((no_store, Json(view)).into_response())
}

/// The slip of a debt's boleto.
///
/// The same bytes whenever it is asked for.
///
/// ```sh
/// curl --remote-name http://localhost:8000/v1/boletos/sample-0001.pdf
/// ```
#[utoipa::path(
    get,
    path = "/v1/boletos/{debt_id}.pdf",
    tag = "boletos",
    security((), ("bearer" = [])),
    params(("debt_id" = String, Path, description = "The debt, percent-encoded where it must be", example = "sample-0001")),
    responses(
        (status = 200, description = "One page A4", body = Slip, content_type = "application/pdf"),
        (status = 404, description = "No boleto is known for the debt", body = Problem, content_type = "application/problem+json", example = json!(Problem::no_such_boleto())),
        (status = 410, description = "The personal data of the debt was removed", body = Problem, content_type = "application/problem+json", example = json!(Problem::personal_data_removed())),
        (status = 503, description = "The ledger is unavailable, or all connections are taken", body = Problem, content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds to wait")), example = json!(Problem::ledger_away())),
    )
)]
#[expect(dead_code, reason = "the router has one route for both")]
pub(super) fn pdf() {}

/// `None` for a debt that nobody has billed, or a counterpart has.
async fn find(shared: &Shared, debt_id: &str) -> Result<Option<Billed>, Problem> {
    let ledger = shared.ledger()?;
    let states = ledger.debts(&[debt_id.trim()]).await;
    let state = states.map_err(|error| ledger_problem(&error))?.pop();
    let Some(DebtState::Billed {
        claim: Some(claim),
        notified,
    }) = state
    else {
        return Ok(None);
    };
    let Some(notification) = claim.billed() else {
        return Ok(None);
    };
    let Some(boleto) = notification.boleto.clone() else {
        return Ok(None);
    };
    let agreement = ledger.agreement(boleto.issuer).await;
    let Some(agreement) = agreement.map_err(|error| ledger_problem(&error))? else {
        warn!(debt_id, issuer = %boleto.issuer, "The agreement of a boleto is not in the ledger");
        return Ok(None);
    };
    Ok(Some(Billed {
        holder: claim.holder,
        changes: claim.changes,
        notified,
        notification,
        boleto,
        agreement,
    }))
}

fn view(billed: Billed, mail: MailView) -> Result<BoletoView, Problem> {
    let Billed {
        holder,
        changes,
        notified,
        notification,
        boleto,
        agreement,
    } = billed;
    let amount = RawValue::from_string(notification.debt_amount.to_string());
    let line: DigitableLine = boleto.barcode.digitable_line();
    let bank = agreement.bank();
    let is_erased = notification.is_erased();
    Ok(BoletoView {
        import_id: holder.row().map(|row| row.import_id),
        row: holder.row().map(|row| row.row),
        notified,
        mail,
        address_changes: changes
            .into_iter()
            .map(|AddressChange { at, by }| AddressChangeView { at, by })
            .collect(),
        payer: (!is_erased).then_some(PayerView {
            document_type: DocumentType::of(&notification.government_id),
            name: notification.name,
            government_id: notification.government_id,
            email: notification.email,
        }),
        amount: amount.map_err(|_| Problem::internal())?,
        due_date: notification.debt_due_date.to_string(),
        issued_on: boleto.issued_on.to_string(),
        bank: boleto.barcode.bank().to_owned(),
        our_number: boleto.our_number,
        barcode: boleto.barcode.to_string(),
        digitable_line: line.to_string(),
        pix: boleto.pix,
        beneficiary: BeneficiaryView {
            name: agreement.beneficiary().name.clone(),
            document: agreement.beneficiary().document.as_str().to_owned(),
            account: bank.branch_and_account(),
            carteira: bank.carteira(),
        },
        registered: agreement.registered(),
        pdf: (!is_erased)
            .then(|| format!("/v1/boletos/{}.pdf", percent_encoded(&notification.debt_id))),
        debt_id: notification.debt_id,
    })
}

fn slip(billed: &Billed) -> Result<Response, Problem> {
    if billed.notification.is_erased() {
        return Err(Problem::personal_data_removed());
    }
    let pdf = slip::pdf_of(&billed.notification, &billed.agreement);
    let pdf = pdf.ok_or_else(Problem::no_such_boleto)?;
    let name = slip::file_name(&billed.boleto);
    let headers = [
        (header::CONTENT_TYPE, "application/pdf".to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("inline; filename=\"{name}\""),
        ),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    Ok((headers, pdf).into_response())
}

/// What stands for itself in a segment of a path (RFC 3986, section 2.3).
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

fn percent_encoded(debt_id: &str) -> impl std::fmt::Display {
    utf8_percent_encode(debt_id, UNRESERVED)
}
