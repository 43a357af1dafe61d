//! The recibo do pagador: what the payer keeps.

use crate::canvas::{Align, Canvas};
use crate::table::{self, Column, Row};
use crate::text::{Font, Text};
use crate::{Slip, fields, header};

/// Widths of the columns in millimetres.
const LEFT: f32 = 142.0;
const RIGHT: f32 = 48.0;

/// Heights of rows.
const HIGH: f32 = 10.2;
const USUAL: f32 = 6.8;
const INSTRUCTIONS: f32 = 22.0;

/// From the table's lower edge to that of what stands below.
const FOOT: f32 = 14.0;

/// Points.
const TITLE_SIZE: f32 = 9.0;
const FOOT_SIZE: f32 = 6.5;

/// Draws it from its upper left corner; gives its lower edge.
pub(crate) fn draw(canvas: &mut Canvas, slip: &Slip<'_>, left: f32, top: f32) -> f32 {
    let right = left + LEFT + RIGHT;
    let title = Text::new("Recibo do Pagador", Font::Bold, TITLE_SIZE);
    canvas.text(&title, right, top - 3.0, Align::Right);
    let table_top = top - 4.0 - header::HEIGHT;
    header::draw(canvas, slip, [left, right], table_top);
    let columns = [debt(slip), sums(slip)];
    let bottom = table::draw(canvas, left, table_top, &columns);
    let below = Column {
        width: LEFT + RIGHT,
        rows: vec![Row::whole(INSTRUCTIONS, fields::instructions(slip))],
    };
    let bottom = table::draw(canvas, left, bottom, &[below]);
    let foot = Text::new(
        "Autenticação Mecânica – Recibo do Pagador",
        Font::Bold,
        FOOT_SIZE,
    );
    canvas.text(&foot, right, bottom - 2.8, Align::Right);
    bottom - FOOT
}

fn debt<'a>(slip: &Slip<'a>) -> Column<'a> {
    let documents = [
        (0.0, fields::document_date(slip)),
        (26.0, fields::document_number(slip)),
    ];
    let kinds = [
        (0.0, fields::processing_date(slip)),
        (36.0, fields::document_kind()),
        (62.0, fields::acceptance()),
        (88.0, fields::carteira(slip)),
        (114.0, fields::currency()),
    ];
    Column {
        width: LEFT,
        rows: vec![
            Row::whole(HIGH, fields::beneficiary(slip)),
            Row::whole(USUAL, fields::payer(slip)),
            Row::of(USUAL, documents),
            Row::of(USUAL, kinds),
        ],
    }
}

fn sums<'a>(slip: &Slip<'a>) -> Column<'a> {
    Column {
        width: RIGHT,
        rows: vec![
            Row::whole(HIGH, fields::due(slip)),
            Row::whole(USUAL, fields::account(slip)),
            Row::whole(USUAL, fields::our_number(slip)),
            Row::whole(USUAL, fields::amount(slip)),
        ],
    }
}
