use super::*;

fn find(head: &str) -> Result<Header, HeaderError> {
    find_header(head.as_bytes(), true).map(Option::unwrap)
}

fn columns_of(head: &str) -> Vec<usize> {
    find(head)
        .unwrap_or_else(|error| panic!("{head:?}: {error}"))
        .layout
        .columns
        .in_order()
        .copied()
        .collect()
}

fn error(head: &str) -> String {
    find(head).unwrap_err().to_string()
}

#[test]
fn the_header_is_found_by_its_names_in_any_case_and_order() {
    let head = "\u{feff}debtID; EMAIL ;\"name\";extra;debtAmount;GovernmentId;debtDueDate\r\n1";
    let header = find(head).unwrap();
    assert_eq!(header.layout.delimiter, b';');
    assert_eq!(header.layout.columns, [2, 5, 1, 4, 6, 0].into());
    assert!(header.layout.optional.is_empty());
    assert_eq!(header.layout.width, 7);
    assert_eq!(header.end, head.len() - 1);
    for delimiter in [",", ";", "\t"] {
        assert_eq!(
            columns_of(&Column::names().join(delimiter)),
            [0, 1, 2, 3, 4, 5]
        );
    }
}

#[test]
fn marks_blanks_and_encodings_do_not_hide_it() {
    let in_order = [0, 1, 2, 3, 4, 5];
    for head in [
        "\u{feff}\u{feff}name,governmentId,email,debtAmount,debtDueDate,debtId",
        "\"\u{feff}name\",governmentId,email,debtAmount,debtDueDate,debtId",
        "\u{feff}\"name\",\"governmentId\",email,debtAmount,debtDueDate,debtId",
        "name\u{a0},governmentId,\u{200b}email,debtAmount,debtDueDate ,debtId\u{2060}",
        "\n \r\n,,,,,\nname,government_id,e-mail,debt amount,debt_due_date,DEBT ID",
        "Nome;CPF/CNPJ;E-mail;Valor;Vencimento;Identificador",
        "NOME;CNPJ;E-MAIL;Valor (R$);Data de Vencimento;Nosso Controle",
        "Razão Social;documento;email;VALOR;data vencimento;id",
        "razao social;CPF;e-mail;valor;VENCIMENTO;Seu Número",
        "sep=;\r\nname;governmentId;email;debtAmount;debtDueDate;debtId",
        "\u{feff}SEP=|\nname|governmentId|email|debtAmount|debtDueDate|debtId",
        "\"sep=\t\"\rname\tgovernmentId\temail\tdebtAmount\tdebtDueDate\tdebtId",
    ] {
        assert_eq!(columns_of(head), in_order, "{head:?}");
    }
    let latin = b"name\xa0,governmentId,email,debtAmount\xa0,debtDueDate,debtId";
    assert!(find_header(latin, true).unwrap().is_some());
    let accent = b"Raz\xe3o Social;CPF;e-mail;valor;vencimento;id";
    assert!(find_header(accent, true).unwrap().is_some());
}

#[test]
fn a_declared_delimiter_is_the_only_one() {
    assert!(
        error("sep=;\nname,governmentId,email,debtAmount,debtDueDate,debtId").contains("lacks")
    );
}

#[test]
fn what_is_wrong_is_said_for_the_nearest_delimiter_and_the_line_is_shown() {
    assert_eq!(
        error("name;governmentId;mail;debtAmount;debtDueDate;debtId\n"),
        "the header lacks the columns email. The first line is: \"name;governmentId;mail;debtAmount;debtDueDate;debtId\". It should be: name,governmentId,email,debtAmount,debtDueDate,debtId"
    );
    let long = format!("\u{1b}[2J{}", "x".repeat(200));
    let shown = format!("\"\\u{{1b}}[2J{}…\"", "x".repeat(MAX_SHOWN - 9));
    assert!(error(&long).contains(&shown), "{}", error(&long));
    for head in ["", "\n\n", "John,1,a@b.co,1,2024-01-01,1\n", "\"open"] {
        assert!(error(head).contains("lacks the columns name"), "{head:?}");
    }
}

#[test]
fn an_optional_column_is_found_and_its_twin_passed_over() {
    let header = Column::names().join(",");
    for (head, place) in [
        (format!("{header},phone"), 6),
        (format!("Telefone,{header},Celular"), 0),
        (format!("{header},note,TELEFONE ,phone"), 7),
    ] {
        let layout = find(&head).unwrap().layout;
        let found = layout.optional.get(OptionalColumn::Phone);
        assert_eq!(found, Some(&place), "{head}");
    }
}

#[test]
fn two_columns_of_one_meaning_are_refused() {
    for (more, shown) in [
        ("email", "email more than once: \"email\", \"email\""),
        ("E-mail", "\"E-mail\""),
        ("CPF", "governmentId more than once"),
        ("id", "debtId more than once: \"debtId\", \"id\""),
    ] {
        let error = error(&format!("{},{more}", Column::names().join(",")));
        assert!(error.contains(shown), "{error}");
    }
}

#[test]
fn what_is_probably_meant_is_said() {
    let header = Column::names().join(",");
    for (head, said) in [
        (format!("\"{header}\"\n"), "header is in one cell"),
        (format!("\"{header}\";;;;;\r\n"), "header is in one cell"),
        (format!("{header};;;;;\r\n"), "header is in one cell"),
        (
            format!("Contas a receber;;\r\n\r\n{header}\r\n"),
            "Line 3 looks like the header",
        ),
        (
            format!("sep=,\nContas\n{header}\r\n"),
            "Line 3 looks like the header",
        ),
        (Column::names().join("|"), "separated by '|'"),
    ] {
        assert!(error(&head).contains(said), "{head:?}: {}", error(&head));
    }
}

#[test]
fn a_header_that_is_cut_needs_more() {
    assert_eq!(find_header(b"name,governmentId", false), Ok(None));
    assert_eq!(find_header(b"sep=;", false), Ok(None));
}
