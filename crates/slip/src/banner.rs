//! What a slip says that no bank has registered.

use crate::canvas::{Align, Area, Canvas};
use crate::text::{Font, Text};

/// Millimetres.
pub(crate) const HEIGHT: f32 = 6.5;

const TEXT: &str = "DEMONSTRAÇÃO – NÃO REGISTRADO";
/// Points.
const SIZE: f32 = 11.0;
/// A red that prints dark.
const RED: [f32; 3] = [0.7, 0.05, 0.05];

/// Draws a bar with the text in its middle.
pub(crate) fn draw(canvas: &mut Canvas, left: f32, bottom: f32, width: f32) {
    let area = Area {
        left,
        bottom,
        width,
        height: HEIGHT,
    };
    canvas.fill(area, RED);
    let text = Text::new(TEXT, Font::Bold, SIZE);
    let middle = left + width / 2.0;
    canvas.white_text(&text, middle, bottom + 1.9, Align::Centre);
}
