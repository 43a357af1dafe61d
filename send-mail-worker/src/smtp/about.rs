//! What a negative answer is about, as far as its words say so.

/// Whom or what the words of a reply name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
    /// A recipient, and nothing else that could be meant.
    Recipient,
    /// The size of a message, and nothing else that could be meant.
    Size,
    /// Anything else.
    Other,
}

impl About {
    /// What the words of a text are about. Those that could be part of an
    /// address or of a host name do not count.
    pub(super) fn of(text: &str) -> Self {
        let (mut recipient, mut size) = (false, false);
        for word in text.split(|c: char| c.is_whitespace() || c == '_') {
            let word = word.trim_matches(|c: char| c.is_ascii_punctuation());
            let word = word.to_lowercase();
            if OTHERS.contains(&&*word) {
                return Self::Other;
            }
            recipient |= RECIPIENT.contains(&&*word);
            size |= SIZE.contains(&&*word);
        }
        match (recipient, size) {
            (true, false) => Self::Recipient,
            (false, true) => Self::Size,
            _ => Self::Other,
        }
    }
}

/// Words that name a recipient, in English and in Portuguese.
const RECIPIENT: [&str; 11] = [
    "user",
    "mailbox",
    "recipient",
    "unknown",
    "usuário",
    "usuario",
    "destinatário",
    "destinatario",
    "inexistente",
    "desconhecido",
    "desconhecida",
];

/// Words that name the size of a message.
const SIZE: [&str; 6] = ["size", "big", "large", "larger", "length", "long"];

/// Words with which servers name a sender, a client, a quota or a block list,
/// often beside one of the others: `unknown client`, `user not authenticated`,
/// `too many recipients`.
const OTHERS: [&str; 80] = [
    "sender",
    "senders",
    "sending",
    "send",
    "sent",
    "from",
    "originator",
    "return-path",
    "many",
    "limit",
    "limits",
    "limited",
    "quota",
    "rate",
    "daily",
    "hourly",
    "frequency",
    "throttled",
    "suspended",
    "auth",
    "authenticate",
    "authenticated",
    "authentication",
    "authorized",
    "authorised",
    "login",
    "credentials",
    "permission",
    "permissions",
    "permitted",
    "allowed",
    "relay",
    "relaying",
    "spf",
    "dkim",
    "dmarc",
    "policy",
    "blocked",
    "blacklisted",
    "blocklisted",
    "listed",
    "banned",
    "reputation",
    "spam",
    "client",
    "host",
    "helo",
    "ehlo",
    "ip",
    "dns",
    "domain",
    "identity",
    "full",
    "temporarily",
    "remetente",
    "remetentes",
    "enviar",
    "envio",
    "envios",
    "limite",
    "limites",
    "excedido",
    "excedida",
    "excedeu",
    "cota",
    "diário",
    "diario",
    "autenticado",
    "autenticação",
    "autenticacao",
    "autorizado",
    "permitido",
    "permissão",
    "permissao",
    "bloqueado",
    "bloqueada",
    "suspenso",
    "suspensa",
    "domínio",
    "cheia",
];
