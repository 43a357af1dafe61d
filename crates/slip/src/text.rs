//! Text in the two fonts that every PDF reader has.

mod fit;
mod font;
mod widths;
mod winansi;

pub(crate) use fit::{Cut, fit};
pub(crate) use font::Font;
pub(crate) use winansi::encode;

/// Characters of `WinAnsiEncoding` in a font and a size.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Text {
    pub(crate) characters: Vec<u8>,
    pub(crate) font: Font,
    /// Points.
    pub(crate) size: f32,
}

impl Text {
    /// A text as it is, however long.
    pub(crate) fn new(text: &str, font: Font, size: f32) -> Self {
        Self {
            characters: encode(text),
            font,
            size,
        }
    }

    /// Its width in millimetres.
    pub(crate) fn width(&self) -> f32 {
        self.font.width(&self.characters, self.size)
    }
}
