//! The barcode: interleaved 2 of 5, 103 mm × 13 mm.

use boleto::{Barcode, itf};

use crate::canvas::{Area, Canvas};

/// Millimetres, the same for every bank.
pub(crate) const WIDTH: f32 = 103.0;
/// Millimetres, the same for every bank.
pub(crate) const HEIGHT: f32 = 13.0;

/// Narrow elements that a barcode is wide.
const MODULES: f32 = 405.0;

/// Draws the bars as one path of rectangles.
pub(crate) fn draw(canvas: &mut Canvas, barcode: &Barcode, left: f32, bottom: f32) {
    let area = Area {
        left,
        bottom,
        width: WIDTH,
        height: HEIGHT,
    };
    canvas.bars(area, MODULES, bars(barcode));
}

/// Start and width of each bar in modules.
fn bars(barcode: &Barcode) -> impl Iterator<Item = (f32, f32)> {
    let widths = itf::of_barcode(barcode).map(|wide| f32::from(itf::modules(wide)));
    let elements = widths.into_iter().scan(0.0, |end, width| {
        let start = *end;
        *end += width;
        Some((start, width))
    });
    elements.step_by(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bars_fill_the_whole_width_and_end_wide_narrow() {
        let barcode = "00191699100000400000000001234567000000000517"
            .parse()
            .unwrap();
        let bars: Vec<_> = bars(&barcode).collect();
        assert_eq!(bars.len(), itf::ELEMENTS.div_ceil(2));
        assert_eq!(bars[..2], [(0.0, 1.0), (2.0, 1.0)]);
        assert_eq!(bars[bars.len() - 2..], [(400.0, 3.0), (404.0, 1.0)]);
    }
}
