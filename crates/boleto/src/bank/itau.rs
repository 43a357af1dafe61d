use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Bank, BankCode, BankNumber, SequenceError, UnfitBank, sequence_digits};
use crate::digits::Filler;
use crate::{Digits, FreeField, OurNumber, check_digit};

/// 341 Itaú (CNAB 400 manual).
///
/// Nosso número: eight digits and a digit (DAC) over agência, conta, carteira
/// and number, or over carteira and number alone for some carteiras. Campo
/// livre: carteira, number, DAC, agência, conta with its DAC, `000`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Itau {
    /// Agência.
    pub agencia: Digits<4>,
    /// Conta without its digit.
    pub conta: Digits<5>,
    /// The conta's digit; calculated where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conta_dac: Option<Digits<1>>,
    /// Carteira.
    pub carteira: ItauCarteira,
}

/// A carteira. No boletos are issued in one that [`ItauCarteira::new`]
/// refuses, but an agreement from before it was refused may have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ItauCarteira(Digits<3>);

/// Whose DAC covers carteira and number alone.
const SHORT_DAC: [&str; 5] = ["126", "131", "146", "150", "168"];
/// Whose numbers have 15 digits, in another campo livre (notes 3 and 5).
const OTHER_LAYOUT: [&str; 8] = ["106", "107", "122", "142", "143", "195", "196", "198"];
/// The escriturais, where the bank gives the number (note 23); 115 and 138 are
/// such, and yet take the company's.
const NUMBERED_BY_BANK: [&str; 8] = ["104", "105", "112", "113", "147", "166", "188", "212"];

impl ItauCarteira {
    /// That carteira.
    ///
    /// # Errors
    /// When its campo livre has another layout, or the bank gives its numbers.
    pub fn new(carteira: Digits<3>) -> Result<Self, UnfitBank> {
        if OTHER_LAYOUT.contains(&carteira.as_str()) {
            Err(UnfitBank::OtherLayout { carteira })
        } else if NUMBERED_BY_BANK.contains(&carteira.as_str()) {
            Err(UnfitBank::NumberedByBank { carteira })
        } else {
            Ok(Self(carteira))
        }
    }
}

impl fmt::Display for ItauCarteira {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Itau {
    fn account_digit(&self) -> u8 {
        self.conta_dac.map_or_else(
            || check_digit::modulo_10_of_parts(&[self.agencia.bytes(), self.conta.bytes()]),
            |digit| digit.bytes()[0],
        )
    }
}

impl Bank for Itau {
    fn code(&self) -> BankCode {
        BankCode::new(341, '7', "Itaú")
    }

    fn fit(&self) -> Result<(), UnfitBank> {
        ItauCarteira::new(self.carteira.0).map(|_| ())
    }

    fn numbering(&self) -> String {
        format!("341-{}-{}-{}", self.agencia, self.conta, self.carteira)
    }

    fn number(&self, sequence: u64) -> Result<BankNumber, SequenceError> {
        let number = sequence_digits::<8>(sequence)?;
        let carteira = self.carteira.0;
        let (agencia, conta) = (self.agencia.bytes(), self.conta.bytes());
        let own: [&[u8]; 2] = [carteira.bytes(), number.bytes()];
        let dac = if SHORT_DAC.contains(&carteira.as_str()) {
            check_digit::modulo_10_of_parts(&own)
        } else {
            check_digit::modulo_10_of_parts(&[agencia, conta, own[0], own[1]])
        };
        let free_field = Filler::new()
            .put(own[0])
            .put(own[1])
            .digit(dac)
            .put(agencia)
            .put(conta)
            .digit(self.account_digit())
            .put(b"000");
        Ok(BankNumber {
            our_number: OurNumber(format!("{carteira}/{number}-{}", char::from(dac))),
            free_field: FreeField::from(free_field),
        })
    }

    fn branch_and_account(&self) -> String {
        let digit = char::from(self.account_digit());
        format!("{}/{}-{digit}", self.agencia, self.conta)
    }

    fn carteira(&self) -> String {
        self.carteira.to_string()
    }
}
