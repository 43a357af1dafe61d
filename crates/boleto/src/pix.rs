//! The PIX BR Code: the text of a PIX QR code (BCB, Manual de Padrões para
//! Iniciação do Pix; EMV QRCPS merchant-presented mode).

mod br_code;
mod key;
mod static_pix;

pub use br_code::{BrCode, BrCodeError, PixType};
pub use key::{PixKey, PixKeyError};
pub use static_pix::StaticPix;

use crc::{CRC_16_IBM_3740, Crc};

/// Polynomial 0x1021, initial value 0xFFFF, not reflected.
const CRC: Crc<u16> = Crc::<u16>::new(&CRC_16_IBM_3740);

/// What names PIX within the merchant's account information.
const GUI: &str = "br.gov.bcb.pix";

/// The four hex digits at the end of a code, over all before them.
fn checksum(code: &str) -> String {
    format!("{:04X}", CRC.checksum(code.as_bytes()))
}
