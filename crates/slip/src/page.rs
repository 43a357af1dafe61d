//! What stands where on the sheet.

use crate::canvas::{Align, Canvas};
use crate::text::{Font, Text};
use crate::{Slip, banner, compensation, pix_panel, receipt};

/// A4 in millimetres.
pub(crate) const WIDTH: f32 = 210.0;
pub(crate) const HEIGHT: f32 = 297.0;

/// Left and right of what is printed, and above it.
const MARGIN: f32 = 10.0;

/// Points.
const CUT_SIZE: f32 = 6.0;

/// Draws the page; `has_qr` says whether there is an image of the PIX.
pub(crate) fn draw(slip: &Slip<'_>, has_qr: bool) -> Vec<u8> {
    let mut canvas = Canvas::new();
    let width = WIDTH - 2.0 * MARGIN;
    let mut top = HEIGHT - MARGIN;
    if !slip.agreement.registered() {
        banner::draw(&mut canvas, MARGIN, top - banner::HEIGHT, width);
        top -= banner::HEIGHT + 4.0;
    }
    let bottom = receipt::draw(&mut canvas, slip, MARGIN, top);
    if has_qr {
        pix_panel::draw(&mut canvas, slip, MARGIN, bottom, width);
    }
    draw_cut(&mut canvas);
    compensation::draw(&mut canvas, slip, MARGIN);
    canvas.finish()
}

/// The line along which the ficha is cut off.
fn draw_cut(canvas: &mut Canvas) {
    let y = compensation::HEIGHT;
    canvas.dashes(0.25, [MARGIN, y, WIDTH - MARGIN, y]);
    let text = Text::new("Corte na linha tracejada", Font::Regular, CUT_SIZE);
    canvas.text(&text, WIDTH - MARGIN, y + 1.0, Align::Right);
}
