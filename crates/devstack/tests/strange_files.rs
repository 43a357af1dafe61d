//! Files as people and programs make them: from an upload to the e-mails and the rejections.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod suite;

use std::collections::BTreeMap;

use serde_json::Value;
use suite::Suite;
use testkit::CsvFile;
use uuid::Uuid;

const HEADER: &str = "name,governmentId,email,debtAmount,debtDueDate,debtId";

/// What became of a file.
struct Import {
    id: Uuid,
    total: u64,
    billed: u64,
    skipped: u64,
    /// Line, row, code and record of each rejection.
    rejections: Vec<(u64, u64, String, String)>,
}

impl Suite {
    async fn import(&self, file: impl Into<Vec<u8>>) -> Import {
        let import_id = self.upload(file.into()).await;
        let counts = self.completed(import_id).await;
        let import = Import {
            id: import_id,
            total: counts.rows,
            billed: counts.billed,
            skipped: counts.skipped,
            rejections: self.rejections(import_id).await,
        };
        assert_eq!(
            counts.rows,
            counts.billed + counts.skipped + counts.invalid,
            "{counts:?}"
        );
        import
    }

    async fn rejections(&self, import_id: Uuid) -> Vec<(u64, u64, String, String)> {
        let url = format!(
            "{}/v1/imports/{import_id}/rejections",
            self.importers[0].url()
        );
        let request = reqwest::Client::new().get(url);
        let answer = request.header("accept", "application/json").send().await;
        let answer: Value = answer.unwrap().json().await.unwrap();
        let rejection = |of: &Value| {
            (
                of["line"].as_u64().unwrap(),
                of["row"].as_u64().unwrap(),
                of["code"].as_str().unwrap().to_owned(),
                of["record"].as_str().unwrap().to_owned(),
            )
        };
        let rejections = answer["rejections"].as_array().unwrap();
        rejections.iter().map(rejection).collect()
    }

    /// What each debt's e-mail greets, sorted by debt.
    fn greeted(&self) -> BTreeMap<String, String> {
        let mails = self.mails_by_debt().into_iter();
        mails.map(|(debt, mail)| (debt, mail.name)).collect()
    }
}

impl Import {
    /// Rows and codes of the rejections.
    fn rejected(&self) -> Vec<(u64, &str)> {
        let rejections = self.rejections.iter();
        rejections
            .map(|(_, row, code, _)| (*row, &**code))
            .collect()
    }
}

/// Fifty good rows, of which some are another text.
fn fifty(header: &str, changed: &[(usize, &str)]) -> String {
    let row = |number: usize| {
        let changed = changed.iter().find(|(row, _)| *row == number);
        let good = format!(
            "Cliente {number},70001234781,c{number}@example.com,10.50,2027-01-31,qd-{number},ok"
        );
        let good = good.trim_end_matches(if header.ends_with("obs") { "" } else { ",ok" });
        changed.map_or(good.to_owned(), |(_, text)| (*text).to_owned())
    };
    let rows: Vec<String> = (1..=50).map(row).collect();
    format!("{header}\n{}\n", rows.join("\n"))
}

#[tokio::test]
async fn a_quote_that_is_never_closed_costs_its_own_row() {
    let suite = Suite::start().await;
    let with_note = format!("{HEADER},obs");
    let cell = "Cliente 3,70001234781,c3@example.com,10.50,2027-01-31,qd-3,\"Loja 12 polegadas";
    let import = suite.import(fifty(&with_note, &[(3, cell)])).await;
    assert_eq!((import.total, import.billed), (50, 49));
    let rejection = (4, 3, "quotes".to_owned(), cell.to_owned());
    assert_eq!(import.rejections, [rejection]);

    let suite = Suite::start().await;
    let id = "Cliente 3,70001234781,c3@example.com,10.50,2027-01-31,\"qd-3";
    let import = suite.import(fifty(HEADER, &[(3, id)])).await;
    assert_eq!((import.total, import.billed), (50, 49));
    assert_eq!(import.rejected(), [(3, "quotes")]);
}

#[tokio::test]
async fn two_stray_quotes_never_bring_the_rows_between_them_into_a_name() {
    for (first, second) in [(3, 40), (3, 4), (3, 12)] {
        let suite = Suite::start().await;
        let opening = |row: usize| {
            format!("\"Bar do Ze,70001234781,c{row}@example.com,10.50,2027-01-31,qd-{row}")
        };
        let closing =
            format!("Loja 12\",70001234781,c{second}@example.com,10.50,2027-01-31,qd-{second}");
        let file = fifty(
            HEADER,
            &[(first, &opening(first)), (second, &opening(second))],
        );
        let import = suite.import(file).await;
        let refused = [(first as u64, "quotes"), (second as u64, "quotes")];
        assert_eq!((import.total, import.billed), (50, 48));
        assert_eq!(import.rejected(), refused);

        let suite = Suite::start().await;
        let file = fifty(HEADER, &[(first, &opening(first)), (second, &closing)]);
        let import = suite.import(file).await;
        assert_eq!((import.total, import.billed), (50, 48));
        assert_eq!(import.rejected(), refused);
        for (debt, name) in suite.greeted() {
            assert_eq!(name, debt.replace("qd-", "Cliente "));
        }
    }
}

#[tokio::test]
async fn a_quote_out_of_place_is_refused_and_a_name_on_two_lines_is_billed() {
    let suite = Suite::start().await;
    let file = "\"name\";\"governmentId\";\"email\";\"debtAmount\";\"debtDueDate\";\"debtId\"\r\n\
        \"Padaria\";\"70001234781\";\"c1@example.com\";\"10,50\";\"2027-01-31\";\"q-1\"\r\n\
        \"Bar \"do Zé\" Ltda\";\"70002469448\";\"c2@example.com\";\"10,50\";\"2027-01-31\";\"q-2\"\r\n\
        \"Loja 12\" Esquina\";\"70003704165\";\"c3@example.com\";\"10,50\";\"2027-01-31\";\"q-3\"\r\n\
        \"\"Oficina\r\nFictícia\";\"70004938879\";\"c4@example.com\";\"10,50\";\"2027-01-31\";\"q-4\"\r\n\
        \"Maria \\\"Dona\\\" Silva\";\"70004938879\";\"c4@example.com\";\"10,50\";\"2027-01-31\";\"q-6\"\r\n\
        \"Bar do Zé\r\nFilial 2\";\"70001234781\";\"c7@example.com\";\"10,50\";\"2027-01-31\";\"q-7\"\r\n\
        \"Mercado\";\"70006173578\";\"c5@example.com\";\"10,50\";\"2027-01-31\";\"q-5\"\r\n";
    let import = suite.import(file).await;
    assert_eq!(import.total, 8);
    let quotes = |row| (row, "quotes");
    assert_eq!(
        import.rejected(),
        [quotes(2), quotes(3), quotes(4), quotes(5), quotes(6)]
    );
    let route = format!("/v1/imports/{}/rejections", import.id);
    let csv = suite.importers[0].get(&route).await;
    assert!(
        csv.starts_with("\u{feff}name;governmentId;email;debtAmount;debtDueDate;debtId;line;row;code;reason\r\n\"\"\"Bar \"\"do Zé"),
        "{csv}"
    );
    let tabs = format!("{route}?separator=tab&limit=1");
    let csv = suite.importers[0].get(&tabs).await;
    assert!(
        csv.starts_with("\u{feff}name\tgovernmentId\t") && csv.contains("\t3\t2\tquotes\t"),
        "{csv}"
    );
    assert_eq!(
        suite.greeted(),
        BTreeMap::from([
            ("q-1".to_owned(), "Padaria".to_owned()),
            ("q-5".to_owned(), "Mercado".to_owned()),
            ("q-7".to_owned(), "Bar do Zé\r\nFilial 2".to_owned()),
        ])
    );
}

#[tokio::test]
async fn damaged_text_is_refused_and_never_guessed() {
    let suite = Suite::start().await;
    let mut file = format!("{HEADER}\n").into_bytes();
    file.extend_from_slice("Associação Fictícia de Moradores do Bairro S".as_bytes());
    file.extend_from_slice(b"\xc3,70001234781,c1@example.com,10.50,2027-01-31,cut-1\n");
    file.extend_from_slice("João,70001234781,c2@example.com,10.50,2027-01-31,cut-2\n".as_bytes());
    file.extend_from_slice(b"Jo\xe3o,70001234781,c3@example.com,10.50,2027-01-31,Fatura-n\xba-1\n");
    file.extend_from_slice(
        "João,70001234781,c4@example.com,10.50,2027-01-31,Fatura-nº-1\n".as_bytes(),
    );
    file.extend_from_slice("JoÃ£o,70001234781,c4@example.com,10.50,2027-01-31,twice\n".as_bytes());
    file.extend_from_slice("João,70001234781,c4@example.com,10.50,2027-01-31,last".as_bytes());
    file.extend_from_slice(b"\x1a\0\0\0");
    let import = suite.import(file).await;
    assert_eq!((import.total, import.billed, import.skipped), (6, 3, 1));
    assert_eq!(
        import.rejected(),
        [(1, "encoding"), (4, "conflict"), (5, "encoding")]
    );
    let names: Vec<_> = suite.greeted().into_values().collect();
    assert_eq!(names, ["João"; 3]);
}

#[tokio::test]
async fn what_is_invisible_makes_no_second_debt_and_no_empty_name() {
    let suite = Suite::start().await;
    let mut file = CsvFile::new();
    let ends = [
        "", "\u{200b}", "\u{200e}", "\u{feff}", "\u{ad}", "\u{2060}", " ", "\u{a0}",
    ];
    for end in ends {
        let more = format!(
            "{end}Ana{end},70001234781,{end}c@example.com{end},{end}10.50,2027-01-31{end},{end}zid-1{end}"
        );
        file = file.line(&more);
    }
    for name in [
        "\u{3164}", "\u{2800}", "\u{200b}", "\u{ad}", "\u{202a}", "...", "\"\"",
    ] {
        file = file.line(&format!(
            "{name},70001234781,c@example.com,10.50,2027-01-31,x"
        ));
    }
    for id in ["zid\u{200b}-1", "zid\u{ad}-1", "zid\u{a0}1"] {
        file = file.line(&format!(
            "Ana,70001234781,c@example.com,10.50,2027-01-31,{id}"
        ));
    }
    file = file.line("Ana,70001234781,c\u{200b}@example.com,10.50,2027-01-31,y");
    let import = suite.import(file.bytes()).await;
    assert_eq!((import.total, import.billed, import.skipped), (19, 1, 7));
    let codes: Vec<_> = import
        .rejected()
        .into_iter()
        .map(|(_, code)| code)
        .collect();
    assert_eq!(codes[..7], ["name_empty"; 7]);
    assert_eq!(codes[7..], ["invisible_character"; 4]);
    assert_eq!(suite.greeted()["zid-1"], "Ana");
}

#[tokio::test]
async fn a_header_is_read_as_spreadsheets_and_brazilians_write_it() {
    let rows = |id: &str| format!("Ana,70001234781,c@example.com,10.50,2027-01-31,{id}\r\n");
    let utf16 =
        |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
    let quoted =
        "\"\u{feff}name\",\"governmentId\",\"email\",\"debtAmount\",\"debtDueDate\",\"debtId\"";
    let mut nbsp =
        b"name\xa0,governmentId,email,debtAmount\xa0,debtDueDate,debtId\r\nJos\xe9".to_vec();
    nbsp.extend_from_slice(&rows("nbsp").into_bytes()[3..]);
    let files: [(&str, Vec<u8>); 8] = [
        ("quoted", format!("{quoted}\n{}", rows("quoted")).into()),
        (
            "twice",
            format!("\u{feff}\u{feff}{HEADER}\n{}", rows("twice")).into(),
        ),
        ("nbsp", nbsp),
        (
            "pt",
            "Nome;CPF/CNPJ;E-mail;Valor;Vencimento;Identificador\n\
             Ana Souza;529.982.247-25;ana@example.com;R$ 1.234,56;31/01/2027;pt\n"
                .into(),
        ),
        (
            "sep",
            format!("sep=,\r\n{HEADER}\r\n{}", rows("sep")).into(),
        ),
        (
            "utf16",
            utf16(&format!("\u{feff}{HEADER}\r\n{}", rows("utf16"))),
        ),
        (
            "plain16",
            utf16(&format!("{HEADER}\r\n{}", rows("plain16"))),
        ),
        ("last", format!("{HEADER}\r\n{}\u{1a}", rows("last")).into()),
    ];
    let suite = Suite::start().await;
    for (id, file) in files {
        let import = suite.import(file).await;
        assert_eq!(
            (import.total, import.billed),
            (1, 1),
            "{id}: {:?}",
            import.rejections
        );
    }
    let mails = suite.mails_by_debt();
    assert_eq!(mails["nbsp"].name, "José");
    assert_eq!(mails["pt"].debt_amount.to_string(), "1234.56");
    assert_eq!(mails["pt"].debt_due_date.to_string(), "2027-01-31");
}

#[tokio::test]
async fn rows_of_delimiters_are_none_and_empty_cells_may_be_dropped() {
    let suite = Suite::start().await;
    let header = HEADER.replace(',', ";");
    let mut file = format!("{header}\r\n");
    file += "Ana;70001234781;c@example.com;10.50;2027-01-31;semi-1\r\n";
    file += "Ana;70001234781;c@example.com;10.50;2027-01-31;semi-2\r\n";
    file += &";;;;;\r\n".repeat(300);
    let import = suite.import(file).await;
    assert_eq!((import.total, import.billed), (2, 2));

    let short = |(number, end)| {
        format!("Ana;70001234781;c@example.com;10.50;2027-01-31;short-{number}{end}\r\n")
    };
    let shorts: String = (1..)
        .zip([";", "", ";;;", ";ok", ";ok;"])
        .map(short)
        .collect();
    let mut file = format!("{header};observacao\r\n{shorts}");
    file += "Ana;70001234781;c@example.com;10.50;2027-01-31;long;ok;more\r\n";
    file += "Ana;70001234781;c@example.com;10.50;2027-01-31\r\n";
    let import = suite.import(file).await;
    assert_eq!((import.total, import.billed), (7, 4));
    assert_eq!(import.rejected(), [5, 6, 7].map(|row| (row, "field_count")));
}

#[tokio::test]
async fn what_moves_fields_is_refused_and_what_looks_like_another_id() {
    let suite = Suite::start().await;
    let file = "name,governmentId,email,debtDueDate,debtId,debtAmount,obs\n\
        Ana,1,a@b.co,2027-01-20 00:00:00,X1,10,50,\n\
        name,governmentId,email,debtDueDate,debtId,debtAmount,obs\n\
        Ana,1,a@b.co,20/01/2027 00:00,X2,10.50,,\n\
        Ana \\\"Zé\\\" L,1,a@b.co,2027-01-20,X3,10.50,\n\
        Ana,12345678909 / 98765432100,a@b.co,2027-01-20,X4,10.50,\n\
        Ana,1,a@b.co,2027-01-20,X\u{2013}5,10.50,\n\
        Ana,1,a@b.co,2027-01-20,Xe\u{301}6,10.50,\n\
        Ana,0,a@b.co,2027-01-20,X7,10.50,\n";
    let import = suite.import(file).await;
    assert_eq!((import.total, import.billed), (8, 1));
    let codes: Vec<_> = import
        .rejected()
        .into_iter()
        .map(|(_, code)| code)
        .collect();
    assert_eq!(
        codes,
        [
            "field_count",
            "header_again",
            "name_escaped",
            "too_long",
            "debt_id_alike",
            "debt_id_alike",
            "placeholder"
        ]
    );
    assert_eq!(suite.greeted().into_keys().collect::<Vec<_>>(), ["X2"]);
}

#[tokio::test]
async fn a_wrapper_makes_no_second_debt() {
    let suite = Suite::start().await;
    let row = |id: &str| format!("Ana,70001234781,c@example.com,10.50,2027-01-31,{id}");
    let first = CsvFile::new()
        .line(&row("\"=\"\"000123\"\"\""))
        .line(&row("'000124"));
    let import = suite.import(first.bytes()).await;
    assert_eq!(import.billed, 2);
    let second = CsvFile::new()
        .line(&row("000123"))
        .line(&row("000124"))
        .line(&row("\"'000123\""))
        .line(&row("\"=\"\"000124\"\"\""))
        .line(&row("=\"000124\""))
        .line(&row("'000124'"));
    let import = suite.import(second.bytes()).await;
    assert_eq!((import.billed, import.skipped), (0, 6));
    let mut ids: Vec<_> = suite.greeted().into_keys().collect();
    ids.sort();
    assert_eq!(ids, ["000123", "000124"]);
    let file = CsvFile::new().line("Ana,70001234781,'cliente@example.com,10.50,2027-01-31,mail");
    assert_eq!(suite.import(file.bytes()).await.billed, 1);
    assert_eq!(suite.mails_by_debt()["mail"].email, "cliente@example.com");
}

#[tokio::test]
async fn what_a_program_writes_for_want_of_a_value_is_refused_each_time() {
    let suite = Suite::start().await;
    let mut file = CsvFile::new();
    let placeholders = [
        "NULL",
        "#N/D",
        "\\N",
        "nan",
        "undefined",
        "(null)",
        "#REF!",
        "-",
    ];
    for placeholder in placeholders {
        for row in [
            format!("Ana,70001234781,c@example.com,10.50,2027-01-31,{placeholder}"),
            format!("Ana,70001234781,c@example.com,10.50,2027-01-31,{placeholder}"),
            format!("{placeholder},70001234781,c@example.com,10.50,2027-01-31,n"),
            format!("Ana,{placeholder},c@example.com,10.50,2027-01-31,d"),
        ] {
            file = file.line(&row);
        }
    }
    for (document, id) in [
        ("\"7,00012E+10\"", "sci-1"),
        ("700012347810.0", "sci-2"),
        ("-70001234781", "sci-3"),
        ("70001234781", "\"3,52604E+43\""),
        ("70001234781", "17.0"),
    ] {
        file = file.line(&format!(
            "Ana,{document},c@example.com,10.50,2027-01-31,{id}"
        ));
    }
    for (amount, due) in [
        ("1.000", "2027-01-31"),
        ("10.50", "1/31/2027"),
        ("10.50", "31/01/27"),
    ] {
        file = file.line(&format!("Ana,70001234781,c@example.com,{amount},{due},a"));
    }
    let import = suite.import(file.bytes()).await;
    assert_eq!((import.total, import.billed, import.skipped), (40, 0, 0));
    let codes: Vec<_> = import
        .rejected()
        .into_iter()
        .map(|(_, code)| code)
        .collect();
    assert_eq!(codes[..32], ["placeholder"; 32]);
    assert_eq!(
        codes[32..],
        [
            "government_id_malformed",
            "government_id_malformed",
            "government_id_malformed",
            "debt_id_malformed",
            "debt_id_malformed",
            "amount_ambiguous",
            "due_date_malformed",
            "due_date_malformed",
        ]
    );
}
