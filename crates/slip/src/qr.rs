//! The QR code of a PIX, as an image: squares drawn one by one leave seams.

use fast_qr::{ECL, QRBuilder};

/// Light modules that a QR code needs around it.
const QUIET_ZONE: usize = 4;

/// A square image of one bit a module, quiet zone included; 1 is light.
pub(crate) struct QrImage {
    /// Modules of a side.
    pub(crate) side: usize,
    /// Row by row, each filled up to whole bytes.
    pub(crate) bits: Vec<u8>,
}

impl QrImage {
    /// The QR code of a text; `None` if it has too many bytes.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let code = QRBuilder::new(text).ecl(ECL::M).build().ok()?;
        let side = code.size + 2 * QUIET_ZONE;
        let row_bytes = side.div_ceil(8);
        let mut bits = vec![0xFF; row_bytes * side];
        for y in 0..code.size {
            for (x, module) in code[y].iter().enumerate() {
                if module.value() {
                    let (x, y) = (x + QUIET_ZONE, y + QUIET_ZONE);
                    bits[y * row_bytes + x / 8] &= !(0x80 >> (x % 8));
                }
            }
        }
        Some(Self { side, bits })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_finder_patterns_stand_four_modules_inside() {
        let image = QrImage::of("PIX").unwrap();
        assert_eq!((image.side, image.bits.len()), (21 + 8, 29 * 4));
        let rows: Vec<_> = image.bits.chunks(4).collect();
        assert!(rows[..4].iter().all(|row| *row == [0xFF; 4]));
        assert_eq!((rows[4][0], rows[4][1] & 0xF0), (0xF0, 0x10));
        assert_eq!((rows[5][0], rows[5][1] & 0xF0), (0xF7, 0xD0));
    }

    #[test]
    fn a_text_too_long_for_a_qr_code_has_none() {
        assert!(QrImage::of(&"x".repeat(2_331)).is_some());
        assert!(QrImage::of(&"x".repeat(2_332)).is_none());
    }
}
