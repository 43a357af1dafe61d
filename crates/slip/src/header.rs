//! The bank's name, its number and the linha digitável, above either part.

use crate::Slip;
use crate::canvas::{Align, Canvas};
use crate::text::{Cut, Font, Text, fit};

/// Millimetres.
pub(crate) const HEIGHT: f32 = 9.5;

/// Where the bank's name ends and where its number does.
const NAME_WIDTH: f32 = 27.0;
const NUMBER_END: f32 = 48.0;

/// Digits are that high: 5 mm and 3.5 to 4 mm by FEBRABAN's layout.
const NUMBER_SIZE: f32 = Font::size_of_digits(5.0);
const LINE_SIZE: f32 = Font::size_of_digits(3.55);

/// From the lower edge to the baseline.
const RISE: f32 = 2.2;
/// Points, and millimetres from one line of the name to the other.
const NAME_SIZE: f32 = 10.5;
const NAME_LEADING: f32 = 3.9;
/// Width of the rules.
const RULE: f32 = 0.5;

/// Draws a header whose lower edge is at `bottom`.
pub(crate) fn draw(canvas: &mut Canvas, slip: &Slip<'_>, [left, right]: [f32; 2], bottom: f32) {
    let bank = slip.agreement.bank().code();
    draw_name(canvas, bank.name, left, bottom);
    let number = format!("{}-{}", bank.number(), bank.check_digit);
    let number = Text::new(&number, Font::Bold, NUMBER_SIZE);
    let middle = left + f32::midpoint(NAME_WIDTH, NUMBER_END);
    canvas.text(&number, middle, bottom + RISE, Align::Centre);
    let line = slip.barcode.digitable_line().to_string();
    let line = Text::new(&line, Font::Bold, LINE_SIZE);
    canvas.text(&line, right, bottom + RISE, Align::Right);
    let beside_number = |x: f32| [left + x, bottom, left + x, bottom + HEIGHT - 1.0];
    canvas.lines(
        RULE,
        [
            [left, bottom, right, bottom],
            beside_number(NAME_WIDTH),
            beside_number(NUMBER_END),
        ],
    );
}

/// A long name takes two lines.
fn draw_name(canvas: &mut Canvas, name: &str, left: f32, bottom: f32) {
    let room = NAME_WIDTH - 1.5;
    let fitted = |part: &str| fit(Text::new(part, Font::Bold, NAME_SIZE), &[], room, Cut::End);
    let whole = Text::new(name, Font::Bold, NAME_SIZE);
    match name.rsplit_once(' ') {
        Some((first, second)) if whole.width() > room => {
            let (first, mut second) = (fitted(first), fitted(second));
            second.size = second.size.min(first.size);
            canvas.text(&first, left, bottom + 1.4 + NAME_LEADING, Align::Left);
            canvas.text(&second, left, bottom + 1.4, Align::Left);
        }
        _ => canvas.text(&fitted(name), left, bottom + RISE, Align::Left),
    }
}
