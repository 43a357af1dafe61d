//! A table of fields: rows of cells, each with a label and its value.

use std::borrow::Cow;

use crate::canvas::{Align, Area, Canvas};
use crate::text::{Cut, Font, Text, encode, fit};

/// Points.
const LABEL_SIZE: f32 = 6.0;
/// Points.
const VALUE_SIZE: f32 = 8.5;
/// Points.
const STRONG_SIZE: f32 = 10.0;

/// From the edge of a cell to its text, in millimetres.
const PADDING: f32 = 1.2;
/// From the top of a cell to the baseline of its label.
const LABEL_DROP: f32 = 2.2;
/// From the bottom of a cell to the baseline of its last line.
const VALUE_RISE: f32 = 1.4;
/// From one baseline to the next.
const LEADING: f32 = 3.4;
/// From the top of a cell to the baseline of the first line that stands there.
const TOP_DROP: f32 = 6.2;

/// ` – `, between a text and its tail.
const DASH: &[u8] = b" \x96 ";

/// Width of the lines between fields.
const RULE: f32 = 0.2;
/// What stands out stands on this grey.
const SHADE: [f32; 3] = [0.92; 3];

/// Rows under each other, all of one width in millimetres.
pub(crate) struct Column<'a> {
    pub(crate) width: f32,
    pub(crate) rows: Vec<Row<'a>>,
}

/// Cells beside each other.
pub(crate) struct Row<'a> {
    /// Millimetres.
    height: f32,
    /// Where each begins, in millimetres from the left edge of the column.
    cells: Vec<(f32, Cell<'a>)>,
}

/// A field: its label above, its value below.
pub(crate) struct Cell<'a> {
    label: &'static str,
    lines: Vec<Line<'a>>,
    shaded: bool,
    at_top: bool,
}

impl<'a> Row<'a> {
    /// A row of one cell.
    pub(crate) fn whole(height: f32, cell: Cell<'a>) -> Self {
        Self::of(height, [(0.0, cell)])
    }

    /// A row of cells and where each begins, from the left edge of the column.
    pub(crate) fn of<const N: usize>(height: f32, cells: [(f32, Cell<'a>); N]) -> Self {
        Self {
            height,
            cells: Vec::from(cells),
        }
    }
}

/// A line of a value.
pub(crate) struct Line<'a> {
    text: Cow<'a, str>,
    /// Follows the text, and is not cut with it.
    tail: Cow<'a, str>,
    cut: Cut,
    font: Font,
    size: f32,
    align: Align,
}

impl<'a> Line<'a> {
    /// A line that is cut at its end.
    pub(crate) fn new(text: impl Into<Cow<'a, str>>) -> Self {
        Self {
            text: text.into(),
            tail: Cow::Borrowed(""),
            cut: Cut::End,
            font: Font::Regular,
            size: VALUE_SIZE,
            align: Align::Left,
        }
    }

    /// An identifier: cut in its middle.
    pub(crate) fn identifier(text: impl Into<Cow<'a, str>>) -> Self {
        Self {
            cut: Cut::Middle,
            ..Self::new(text)
        }
    }

    /// What follows the text, after a dash, and stays when the text is cut.
    pub(crate) fn with_tail(self, tail: impl Into<Cow<'a, str>>) -> Self {
        Self {
            tail: tail.into(),
            ..self
        }
    }

    pub(crate) fn right(self) -> Self {
        Self {
            align: Align::Right,
            ..self
        }
    }

    pub(crate) fn strong(self) -> Self {
        Self {
            font: Font::Bold,
            size: STRONG_SIZE,
            ..self
        }
    }

    fn encoded_tail(&self) -> Vec<u8> {
        match encode(&self.tail) {
            tail if tail.is_empty() => tail,
            tail => [DASH, &tail].concat(),
        }
    }

    fn draw(&self, canvas: &mut Canvas, left: f32, width: f32, y: f32) {
        let text = Text::new(&self.text, self.font, self.size);
        let text = fit(text, &self.encoded_tail(), width, self.cut);
        let x = match self.align {
            Align::Left => left,
            Align::Centre => left + width / 2.0,
            Align::Right => left + width,
        };
        canvas.text(&text, x, y, self.align);
    }
}

impl<'a> Cell<'a> {
    /// A field that stays blank.
    pub(crate) fn blank(label: &'static str) -> Self {
        Self::lines(label, Vec::new())
    }

    /// A field of one line.
    pub(crate) fn line(label: &'static str, line: Line<'a>) -> Self {
        Self::lines(label, vec![line])
    }

    /// A field of several lines.
    pub(crate) fn lines(label: &'static str, lines: Vec<Line<'a>>) -> Self {
        Self {
            label,
            lines,
            shaded: false,
            at_top: false,
        }
    }

    /// On grey.
    pub(crate) fn shaded(self) -> Self {
        Self {
            shaded: true,
            ..self
        }
    }

    /// Its first line stands below the label, whatever the height.
    pub(crate) fn at_top(self) -> Self {
        Self {
            at_top: true,
            ..self
        }
    }

    fn draw(&self, canvas: &mut Canvas, area: Area) {
        let left = area.left + PADDING;
        let width = area.width - 2.0 * PADDING;
        let label = Text::new(self.label, Font::Regular, LABEL_SIZE);
        canvas.text(&label, left, area.top() - LABEL_DROP, Align::Left);
        let mut y = if self.at_top {
            area.top() - TOP_DROP
        } else {
            let others = self.lines.iter().skip(1);
            others.fold(area.bottom + VALUE_RISE, |y, _| y + LEADING)
        };
        for line in &self.lines {
            line.draw(canvas, left, width, y);
            y -= LEADING;
        }
    }
}

/// Draws columns beside each other, from the upper left corner; gives the
/// lower end of the longest.
pub(crate) fn draw(canvas: &mut Canvas, left: f32, top: f32, columns: &[Column<'_>]) -> f32 {
    let cells = place(left, top, columns);
    for (area, _) in cells.iter().filter(|(_, cell)| cell.shaded) {
        canvas.fill(*area, SHADE);
    }
    canvas.lines(RULE, rules(left, top, columns, &cells));
    for (area, cell) in &cells {
        cell.draw(canvas, *area);
    }
    lowest(top, &cells)
}

/// Where each cell stands.
fn place<'t, 'a>(left: f32, top: f32, columns: &'t [Column<'a>]) -> Vec<(Area, &'t Cell<'a>)> {
    let mut placed = Vec::new();
    let mut column_left = left;
    for column in columns {
        let right = column_left + column.width;
        let mut row_top = top;
        for row in &column.rows {
            let bottom = row_top - row.height;
            let starts = row.cells.iter().map(|(start, _)| column_left + start);
            let ends = starts.clone().skip(1).chain([right]);
            for ((_, cell), (start, end)) in row.cells.iter().zip(starts.zip(ends)) {
                let area = Area {
                    left: start,
                    bottom,
                    width: end - start,
                    height: row.height,
                };
                placed.push((area, cell));
            }
            row_top = bottom;
        }
        column_left = right;
    }
    placed
}

/// The left and the lower edge of each cell, and what closes the table.
fn rules(
    left: f32,
    top: f32,
    columns: &[Column<'_>],
    cells: &[(Area, &Cell<'_>)],
) -> impl Iterator<Item = [f32; 4]> {
    let right = left + columns.iter().map(|column| column.width).sum::<f32>();
    let bottom = lowest(top, cells);
    let own = cells.iter().flat_map(|(area, _)| {
        let Area { left, bottom, .. } = *area;
        [
            [left, bottom, area.right(), bottom],
            [left, bottom, left, area.top()],
        ]
    });
    own.chain([[left, top, right, top], [right, bottom, right, top]])
}

fn lowest(top: f32, cells: &[(Area, &Cell<'_>)]) -> f32 {
    cells
        .iter()
        .map(|(area, _)| area.bottom)
        .fold(top, f32::min)
}
