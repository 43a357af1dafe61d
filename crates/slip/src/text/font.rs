use pdf_writer::Name;

use super::widths::{HELVETICA, HELVETICA_BOLD};

/// One of the fonts of the slip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Font {
    Regular,
    Bold,
}

/// Height of a digit, as a part of the size.
const DIGIT_HEIGHT: f32 = 0.71;

const MILLIMETRES_A_POINT: f32 = 25.4 / 72.0;

impl Font {
    /// Its name among the page's resources.
    pub(crate) const fn resource(self) -> Name<'static> {
        match self {
            Self::Regular => Name(b"F1"),
            Self::Bold => Name(b"F2"),
        }
    }

    /// Its name in a PDF reader.
    pub(crate) const fn base(self) -> Name<'static> {
        match self {
            Self::Regular => Name(b"Helvetica"),
            Self::Bold => Name(b"Helvetica-Bold"),
        }
    }

    /// Width of a text in millimetres at a size in points.
    pub(crate) fn width(self, characters: &[u8], size: f32) -> f32 {
        let thousandths: f32 = characters.iter().map(|byte| self.advance(*byte)).sum();
        thousandths * size / 1000.0 * MILLIMETRES_A_POINT
    }

    /// Width of a character in thousandths of the size.
    pub(super) fn advance(self, character: u8) -> f32 {
        let widths = match self {
            Self::Regular => &HELVETICA,
            Self::Bold => &HELVETICA_BOLD,
        };
        let index = usize::from(character).checked_sub(32);
        let width = index.and_then(|index| widths.get(index));
        width.map_or(0.0, |width| f32::from(*width))
    }

    /// The size in points at which digits are that many millimetres high, to a
    /// hundredth.
    pub(crate) const fn size_of_digits(height: f32) -> f32 {
        (height / MILLIMETRES_A_POINT / DIGIT_HEIGHT * 100.0).round() / 100.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sums of the AFM files, by hand.
    #[test]
    fn a_width_is_the_sum_of_its_characters() {
        for (font, text, thousandths) in [
            (Font::Regular, "Ave", 667 + 500 + 556),
            (Font::Bold, "Ave", 722 + 556 + 556),
            (Font::Regular, "1.000,00", 6 * 556 + 2 * 278),
            (Font::Bold, "", 0_u16),
        ] {
            let width = font.width(text.as_bytes(), 72.0);
            let inches = f32::from(thousandths) / 1000.0;
            assert!((width - inches * 25.4).abs() < 0.001, "{text}: {width}");
        }
    }

    #[test]
    fn digits_are_all_of_one_width() {
        for widths in [&HELVETICA, &HELVETICA_BOLD] {
            assert_eq!(widths[16..26], [556; 10]);
        }
    }
}
