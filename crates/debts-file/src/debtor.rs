//! Who owes: names as Brazilian files spell them, and the e-mail address that goes with each.

use std::fmt::{self, Display, Formatter};

use crate::random::Random;

/// A name as it is spelled, and the same in ASCII for an e-mail address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Name {
    spelled: &'static str,
    ascii: &'static str,
}

const fn name(spelled: &'static str, ascii: &'static str) -> Name {
    Name { spelled, ascii }
}

const GIVEN_NAMES: [Name; 32] = [
    name("Adriana", "adriana"),
    name("Ana", "ana"),
    name("André", "andre"),
    name("Antônio", "antonio"),
    name("Beatriz", "beatriz"),
    name("Carlos", "carlos"),
    name("Cecília", "cecilia"),
    name("Conceição", "conceicao"),
    name("Débora", "debora"),
    name("Eduardo", "eduardo"),
    name("Fabrício", "fabricio"),
    name("Fernanda", "fernanda"),
    name("Flávia", "flavia"),
    name("Gabriel", "gabriel"),
    name("Helena", "helena"),
    name("Inês", "ines"),
    name("João", "joao"),
    name("José", "jose"),
    name("Júlia", "julia"),
    name("Larissa", "larissa"),
    name("Luís", "luis"),
    name("Márcia", "marcia"),
    name("Maria", "maria"),
    name("Matheus", "matheus"),
    name("Mônica", "monica"),
    name("Otávio", "otavio"),
    name("Patrícia", "patricia"),
    name("Rafael", "rafael"),
    name("Sebastião", "sebastiao"),
    name("Tânia", "tania"),
    name("Vinícius", "vinicius"),
    name("Zélia", "zelia"),
];

const FAMILY_NAMES: [Name; 32] = [
    name("Almeida", "almeida"),
    name("Alves", "alves"),
    name("Araújo", "araujo"),
    name("Assunção", "assuncao"),
    name("Azevêdo", "azevedo"),
    name("Barbosa", "barbosa"),
    name("Brandão", "brandao"),
    name("Cardoso", "cardoso"),
    name("Carvalho", "carvalho"),
    name("Conceição", "conceicao"),
    name("Costa", "costa"),
    name("D'Ávila", "davila"),
    name("Esteves", "esteves"),
    name("Fagundes", "fagundes"),
    name("Falcão", "falcao"),
    name("Ferreira", "ferreira"),
    name("Gonçalves", "goncalves"),
    name("Guimarães", "guimaraes"),
    name("Lima", "lima"),
    name("Magalhães", "magalhaes"),
    name("Melo", "melo"),
    name("Mendonça", "mendonca"),
    name("Nóbrega", "nobrega"),
    name("Oliveira", "oliveira"),
    name("Pereira", "pereira"),
    name("Ribeiro", "ribeiro"),
    name("Rodrigues", "rodrigues"),
    name("Santos", "santos"),
    name("Silva", "silva"),
    name("Simões", "simoes"),
    name("Souza", "souza"),
    name("Vasconcelos", "vasconcelos"),
];

const NICKNAMES: [&str; 6] = ["Chico", "Dinha", "Duda", "Nena", "Tião", "Zé"];

/// Domains that RFC 2606 reserves: no generated address can reach anyone.
const DOMAINS: [&str; 3] = ["example.com", "example.net", "example.org"];

/// A person or a company.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Debtor {
    spelling: Spelling,
    given: Name,
    family: Name,
    domain: &'static str,
    /// Tells the addresses of namesakes apart.
    number: u64,
}

/// How the name is written; some ways need quoting in a CSV file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spelling {
    /// `José Araújo`
    Plain,
    /// `José Simões Araújo`
    TwoFamilies(&'static str),
    /// `Araújo, José`
    FamilyFirst,
    /// `José "Zé" Araújo`
    Nickname(&'static str),
    /// `Comercial Araújo Ltda.`
    Trade,
    /// `Araújo, Simões & Cia.`
    Partners(&'static str),
}

impl Debtor {
    pub(super) fn person(random: &mut Random) -> Self {
        let spelling = match random.below(40) {
            0 => Spelling::FamilyFirst,
            1 => Spelling::Nickname(random.pick(&NICKNAMES)),
            2..20 => Spelling::TwoFamilies(random.pick(&FAMILY_NAMES).spelled),
            _ => Spelling::Plain,
        };
        Self::spelled(spelling, random)
    }

    pub(super) fn company(random: &mut Random) -> Self {
        let spelling = if random.one_in(10) {
            Spelling::Partners(random.pick(&FAMILY_NAMES).spelled)
        } else {
            Spelling::Trade
        };
        Self::spelled(spelling, random)
    }

    fn spelled(spelling: Spelling, random: &mut Random) -> Self {
        Self {
            spelling,
            given: random.pick(&GIVEN_NAMES),
            family: random.pick(&FAMILY_NAMES),
            domain: random.pick(&DOMAINS),
            number: random.between(1, 9_999),
        }
    }

    /// The name as the file has it.
    pub(super) fn name(&self) -> impl Display {
        DebtorName(*self)
    }

    /// The e-mail address, made of the name.
    pub(super) fn email(&self) -> impl Display {
        DebtorEmail(*self)
    }
}

struct DebtorName(Debtor);

impl Display for DebtorName {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let given = self.0.given.spelled;
        let family = self.0.family.spelled;
        match self.0.spelling {
            Spelling::Plain => write!(formatter, "{given} {family}"),
            Spelling::TwoFamilies(first) => write!(formatter, "{given} {first} {family}"),
            Spelling::FamilyFirst => write!(formatter, "{family}, {given}"),
            Spelling::Nickname(nickname) => write!(formatter, "{given} \"{nickname}\" {family}"),
            Spelling::Trade => write!(formatter, "Comercial {family} Ltda."),
            Spelling::Partners(partner) => write!(formatter, "{family}, {partner} & Cia."),
        }
    }
}

struct DebtorEmail(Debtor);

impl Display for DebtorEmail {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let given = match self.0.spelling {
            Spelling::Trade | Spelling::Partners(_) => "financeiro",
            _ => self.0.given.ascii,
        };
        let Debtor {
            family,
            number,
            domain,
            ..
        } = self.0;
        write!(formatter, "{given}.{}{number}@{domain}", family.ascii)
    }
}
