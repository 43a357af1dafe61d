use super::*;

#[test]
fn only_numbers_are_kept() {
    for (code, text, kept) in [
        (550, "5.1.1 <ze@example.com>: unknown", "550 5.1.1"),
        (550, "#5.1.0 Address rejected ze@example.com", "550 5.1.0"),
        (550, "ze@example.com is unknown", "550"),
        (450, "", "450"),
        (450, "5.1.1 another class", "450 5.1.1"),
        (550, "5.1 two numbers", "550"),
        (550, "5.1.1.1 four numbers", "550"),
        (550, "5.7.708 not from this network", "550 5.7.708"),
        (550, "5.1.1000 four digits", "550"),
        (550, "3.1.1 no class", "550"),
        (550, "sorry, too many (#5.7.1)", "550 5.7.1"),
        (550, "sorry, see 5.7.1 of the rules", "550"),
        (550, "192.168.1.1 is blocked", "550"),
    ] {
        assert_eq!(Refusal::new(code, text).to_string(), kept, "{text}");
    }
}

#[test]
fn only_what_is_surely_about_the_recipient_refuses_it() {
    for (code, text, refuses) in [
        (550, "5.1.1 <ze@example.com> no such user", true),
        (550, "5.1.10 a null MX", true),
        (550, "5.1.6 it has moved", true),
        (554, "5.2.1 closed", true),
        (550, "sorry, no mailbox here by that name. (#5.1.1)", true),
        (550, "User unknown", true),
        (551, "no such mailbox", true),
        (
            553,
            "<relay@example.com> unknown at relay.example.com",
            true,
        ),
        (550, "<from@example.com>: no such user", true),
        (550, "Usuário inexistente", true),
        (550, "DESTINATÁRIO DESCONHECIDO", true),
        (550, "usuário não autenticado", false),
        (550, "limite de envio do usuário", false),
        (550, "caixa postal do usuário cheia", false),
        (550, "4.1.1 unknown, but not for good", false),
        (450, "5.1.1 not for good", false),
        (554, "no such user", false),
        (550, "no", false),
        (550, "5.1.90 daily recipient limit reached", false),
        (550, "5.5.3 too many recipients", false),
        (550, "5.7.1 the recipient does not want it", false),
        (553, "5.1.8 sender's domain not found", false),
        (
            553,
            "5.7.1 <a@example.com>: Sender address rejected: not owned by user",
            false,
        ),
        (550, "too many recipients", false),
        (550, "unknown client", false),
        (550, "user is not authenticated", false),
        (550, "relaying to an unknown recipient", false),
        (550, "SENDER_UNKNOWN", false),
        (530, "5.7.0 Authentication required", false),
    ] {
        assert_eq!(
            Refusal::new(code, text).refuses_the_recipient(),
            refuses,
            "{text}"
        );
    }
}

#[test]
fn only_what_is_surely_about_the_message_refuses_it() {
    let any = |code, text| Refusal::new(code, text).refuses_the_message();
    assert!(any(552, "5.3.4 too big"));
    assert!(any(550, "5.6.7 not ASCII"));
    assert!(!any(552, "too big"));
    assert!(!any(452, "4.3.4 too big now"));
    assert!(!any(552, "5.2.2 your mailbox is full"));
    assert!(!any(550, "5.7.1 not your address"));
    assert!(!any(554, "5.2.0 SubmissionQuotaExceeded"));

    let end = |code, text| Refusal::new(code, text).refuses_the_whole_message();
    assert!(end(552, "Message size exceeds the maximum"));
    assert!(end(552, "5.3.4 Message size exceeds fixed limit"));
    assert!(!end(552, "Size of all messages exceeds the daily quota"));
    assert!(!end(552, "no"));
    assert!(!end(554, "too big"));
}
