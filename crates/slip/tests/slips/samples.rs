//! Slips of every kind: the banks, with and without PIX, registered and not,
//! texts and amounts at their extremes.

#![allow(clippy::unwrap_used, reason = "the samples are known to be right")]

use boleto::{Agreement, Amount, Boleto, Document, DueDate};
use jiff::civil::{Date, date};
use slip::Slip;

/// A slip and what it borrows.
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) agreement: Agreement,
    pub(crate) boleto: Boleto,
    amount: Amount,
    due: DueDate,
    issued_on: Date,
    pub(crate) document_number: String,
    pub(crate) payer_name: String,
    pub(crate) payer_document: Document,
}

const BANKS: [(&str, &str, u64); 5] = [
    (
        "001",
        "agencia='452'\nconta='123873'\nconvenio='3128557'\ncarteira='17'",
        9_999_999_999,
    ),
    (
        "033",
        "agencia='1234'\nbeneficiario='9707077'\ncarteira='101'",
        999_999_999_999,
    ),
    (
        "104",
        "agencia='1234'\nbeneficiario='955077'\nmodalidade='14'",
        999_999_999_999_999,
    ),
    (
        "237",
        "agencia='1234'\nagencia_digito='P'\nconta='9876580'\nconta_digito='4'\ncarteira='09'",
        99_999_999_999,
    ),
    (
        "341",
        "agencia='1234'\nconta='92124'\ncarteira='109'",
        99_999_999,
    ),
];

const USUAL_ISSUER: &str = "name='Empresa de Demonstração Ltda.'\ndocument='11.222.333/0001-81'\n\
    address='Avenida Exemplo, 1000, Centro'\ncity='São Paulo'\nstate='SP'\npostal_code='01000-000'";

const LONG_ISSUER: &str = "name='Associação Beneficente dos Funcionários Aposentados e Pensionistas das \
    Empresas de Transporte Coletivo de Passageiros do Oeste Catarinense'\ndocument='12ABC34501DE35'\n\
    address='Avenida Governador Doutor Adhemar Pereira de Barros Filho, 123.456, bloco 78, 9º andar, \
    conjuntos 901 a 999, Condomínio Empresarial Parque das Águas'\ncity='São José do Vale do Rio Preto da \
    Santíssima Trindade'\nstate='RJ'\npostal_code='25780-000'";

impl Sample {
    /// The slip of the demonstration.
    pub(crate) fn demonstration() -> Self {
        Self::of(
            "demonstration",
            Agreement::demonstration(),
            1,
            "7811.00",
            "2026-12-10",
        )
    }

    /// A demonstration with a PIX.
    pub(crate) fn with_pix() -> Self {
        let agreement = agreement(BANKS[0], USUAL_ISSUER, false, true, &[]);
        Self::of("demonstration-pix", agreement, 1, "7811.00", "2026-12-10")
    }

    fn of(name: &str, agreement: Agreement, sequence: u64, amount: &str, due: &str) -> Self {
        let (amount, due) = (amount.parse().unwrap(), due.parse().unwrap());
        let boleto = Boleto::issue(&agreement, sequence, amount, due).unwrap();
        Self {
            name: name.to_owned(),
            agreement,
            boleto,
            amount,
            due,
            issued_on: date(2026, 11, 24),
            document_number: "0193a5e0-7c3b-7f00-8000-0000000012ab".to_owned(),
            payer_name: "Maria da Conceição Araújo".to_owned(),
            payer_document: Document::of("529.982.247-25"),
        }
    }

    /// The slip.
    pub(crate) fn slip(&self) -> Slip<'_> {
        Slip {
            agreement: &self.agreement,
            our_number: self.boleto.our_number.as_str(),
            barcode: self.boleto.barcode,
            amount: self.amount,
            due: self.due,
            issued_on: self.issued_on,
            document_number: &self.document_number,
            payer_name: &self.payer_name,
            payer_document: &self.payer_document,
            pix: self.boleto.pix.as_deref(),
        }
    }
}

/// All of them.
pub(crate) fn all() -> Vec<Sample> {
    let mut samples = vec![Sample::demonstration(), Sample::with_pix()];
    for (index, bank) in BANKS.into_iter().enumerate() {
        for (registered, pix) in [(true, false), (true, true), (false, false), (false, true)] {
            let (name, agreement) = named(bank, USUAL_ISSUER, registered, pix);
            let sequence = 1 + index as u64;
            samples.push(Sample::of(
                &name,
                agreement,
                sequence,
                "7811.00",
                "2026-12-10",
            ));
        }
        samples.extend(extremes(bank));
    }
    samples
}

/// The longest and the shortest of everything.
fn extremes(bank: (&'static str, &str, u64)) -> [Sample; 2] {
    let (name, agreement) = named(bank, LONG_ISSUER, bank.0 != "033", true);
    let most = agreement.bank().most().to_string();
    let mut long = Sample::of(
        &format!("{name}-long"),
        agreement,
        bank.2,
        &most,
        "2049-10-13",
    );
    long.payer_name =
        "Wilhelmina Maximiliana Wagner-Wöllmann da Conceição Gonçalves de Albuquerque ".repeat(20);
    long.payer_document = Document::of("12.ABC.345/01DE-35");
    long.document_number =
        "CONTRATO/2026/0000000000000000000000000000001/PARCELA-0012/0024 ".repeat(8);
    let (name, agreement) = named(bank, USUAL_ISSUER, true, false);
    let mut short = Sample::of(&format!("{name}-short"), agreement, 0, "0.01", "2025-02-22");
    short.payer_name = String::from("Łucja 王");
    short.payer_document = Document::of(&"1234567890".repeat(12));
    short.document_number = String::from("1");
    [long, short]
}

fn named(
    bank: (&str, &str, u64),
    issuer: &str,
    registered: bool,
    pix: bool,
) -> (String, Agreement) {
    let long =
        "Após o vencimento cobrar multa de 2,00% e juros de mora de 1,00% ao mês. MWMWMWMWMWMWMWM";
    let usual = "Após o vencimento, multa de 2% e juros de 1% ao mês.";
    let instructions = if issuer == LONG_ISSUER {
        vec![long; 5]
    } else {
        vec![usual]
    };
    let name = format!(
        "{}{}{}",
        bank.0,
        if registered { "" } else { "-unregistered" },
        if pix { "-pix" } else { "" },
    );
    (
        name,
        agreement(bank, issuer, registered, pix, &instructions),
    )
}

fn agreement(
    (code, fields, _): (&str, &str, u64),
    issuer: &str,
    registered: bool,
    pix: bool,
    instructions: &[&str],
) -> Agreement {
    let pix = if pix {
        "[pix]\nkey = \"123e4567-e12b-12d1-a456-426655440000\"\n"
    } else {
        ""
    };
    Agreement::from_toml(&format!(
        "registered = {registered}\ninstructions = {instructions:?}\n[beneficiary]\n{issuer}\n\
         [bank]\ncode = '{code}'\n{fields}\n{pix}"
    ))
    .unwrap()
}
