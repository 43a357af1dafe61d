use pdf_writer::types::LineCapStyle;
use pdf_writer::{Content, Name, Str};

use crate::text::Text;

/// Points in a millimetre.
const POINTS: f32 = 72.0 / 25.4;

/// Where a text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    /// From that place to the right.
    Left,
    /// Around it.
    Centre,
    /// Up to it.
    Right,
}

/// A rectangle in millimetres from the lower left corner of the sheet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Area {
    pub(crate) left: f32,
    pub(crate) bottom: f32,
    pub(crate) width: f32,
    pub(crate) height: f32,
}

impl Area {
    pub(crate) fn right(&self) -> f32 {
        self.left + self.width
    }

    pub(crate) fn top(&self) -> f32 {
        self.bottom + self.height
    }
}

/// What a page shows, drawn in millimetres.
pub(crate) struct Canvas {
    content: Content,
}

impl Canvas {
    pub(crate) fn new() -> Self {
        let settings = pdf_writer::Settings { pretty: false };
        let mut content = Content::with_settings_and_capacity(settings, 16 * 1024);
        // Lines that end at a corner fill it.
        content.set_line_cap(LineCapStyle::ProjectingSquareCap);
        Self { content }
    }

    /// A text whose baseline is at `y`.
    pub(crate) fn text(&mut self, text: &Text, x: f32, y: f32, align: Align) {
        if text.characters.is_empty() {
            return;
        }
        let x = match align {
            Align::Left => x,
            Align::Centre => x - text.width() / 2.0,
            Align::Right => x - text.width(),
        };
        self.content
            .begin_text()
            .set_font(text.font.resource(), text.size)
            .next_line(points(x), points(y))
            .show(Str(&text.characters))
            .end_text();
    }

    /// Lines from one place to another, all of one width in millimetres.
    pub(crate) fn lines(&mut self, width: f32, lines: impl IntoIterator<Item = [f32; 4]>) {
        self.content.set_line_width(points(width));
        for [x0, y0, x1, y1] in lines {
            self.content.move_to(points(x0), points(y0));
            self.content.line_to(points(x1), points(y1));
        }
        self.content.stroke();
    }

    /// A line of dashes.
    pub(crate) fn dashes(&mut self, width: f32, line: [f32; 4]) {
        self.content
            .set_dash_pattern([points(1.2), points(1.0)], 0.0);
        self.lines(width, [line]);
        self.content.set_dash_pattern([], 0.0);
    }

    /// A rectangle filled with a colour (red, green, blue, from 0 to 1); what
    /// is drawn later is black again.
    pub(crate) fn fill(&mut self, area: Area, [red, green, blue]: [f32; 3]) {
        let Area {
            left,
            bottom,
            width,
            height,
        } = area;
        self.content
            .set_fill_rgb(red, green, blue)
            .rect(points(left), points(bottom), points(width), points(height))
            .fill_nonzero()
            .set_fill_gray(0.0);
    }

    /// A text in white.
    pub(crate) fn white_text(&mut self, text: &Text, x: f32, y: f32, align: Align) {
        self.content.set_fill_gray(1.0);
        self.text(text, x, y, align);
        self.content.set_fill_gray(0.0);
    }

    /// Bars as high as the area, at `(start, width)` in parts of which
    /// `parts` make up its width.
    pub(crate) fn bars(&mut self, area: Area, parts: f32, bars: impl Iterator<Item = (f32, f32)>) {
        self.content.save_state();
        self.place(area, area.width / parts, area.height);
        for (start, width) in bars {
            self.content.rect(start, 0.0, width, 1.0);
        }
        self.content.fill_nonzero().restore_state();
    }

    /// An image of the page's resources.
    pub(crate) fn image(&mut self, area: Area, name: Name) {
        self.content.save_state();
        self.place(area, area.width, area.height);
        self.content.x_object(name).restore_state();
    }

    /// From here on, one unit is that many millimetres wide and high.
    fn place(&mut self, area: Area, width: f32, height: f32) {
        let (x, y) = (area.left * POINTS, area.bottom * POINTS);
        self.content
            .transform([width * POINTS, 0.0, 0.0, height * POINTS, x, y]);
    }

    /// The operators.
    pub(crate) fn finish(self) -> Vec<u8> {
        self.content.finish().into_vec()
    }
}

/// Millimetres in points, to a hundredth: 4 µm.
fn points(millimetres: f32) -> f32 {
    (millimetres * POINTS * 100.0).round() / 100.0
}
