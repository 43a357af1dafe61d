//! The ficha de compensação: what a bank reads.

use crate::canvas::{Align, Canvas};
use crate::table::{self, Cell, Column, Line, Row};
use crate::text::{Font, Text};
use crate::{Slip, banner, bars, fields, header};

/// From the lower edge of the sheet to the cut: 95 to 108 mm by FEBRABAN's
/// layout.
pub(crate) const HEIGHT: f32 = 107.5;

/// Upper edge of the table.
const TABLE_TOP: f32 = 96.0;

/// From the lower edge to the middle of the barcode. That edge is the
/// sheet's own, and no ink lies below 5.5 mm, where a printer may not reach.
const BARCODE_MIDDLE: f32 = 12.0;
/// Left blank beside the barcode.
const QUIET_ZONE: f32 = 5.0;

/// Widths of the columns.
const LEFT: f32 = 142.0;
const RIGHT: f32 = 48.0;

/// Heights of rows.
const FIRST: f32 = 7.4;
const HIGH: f32 = 10.2;
const USUAL: f32 = 6.8;
const LOW: f32 = 5.6;

/// Points.
const FOOT_SIZE: f32 = 6.5;

/// Draws it from the left edge given, on the foot of the sheet.
pub(crate) fn draw(canvas: &mut Canvas, slip: &Slip<'_>, left: f32) {
    let right = left + LEFT + RIGHT;
    header::draw(canvas, slip, [left, right], TABLE_TOP);
    let body = [beside_charges(slip), charges(slip)];
    let body_bottom = table::draw(canvas, left, TABLE_TOP, &body);
    if !slip.agreement.registered() {
        banner::draw(canvas, left + 4.0, body_bottom + 1.0, LEFT - 8.0);
    }
    let bottom = table::draw(canvas, left, body_bottom, &[people(slip)]);
    let foot = Text::new(
        "Autenticação Mecânica – Ficha de Compensação",
        Font::Bold,
        FOOT_SIZE,
    );
    canvas.text(&foot, right, bottom - 2.8, Align::Right);
    bars::draw(
        canvas,
        &slip.barcode,
        left + QUIET_ZONE,
        BARCODE_MIDDLE - bars::HEIGHT / 2.0,
    );
}

fn beside_charges<'a>(slip: &Slip<'a>) -> Column<'a> {
    let documents = [
        (0.0, fields::document_date(slip)),
        (26.0, fields::document_number(slip)),
        (72.0, fields::document_kind()),
        (90.0, fields::acceptance()),
        (104.0, fields::processing_date(slip)),
    ];
    let quantities = [
        (0.0, Cell::blank("Uso do banco")),
        (26.0, fields::carteira(slip)),
        (49.0, fields::currency()),
        (72.0, Cell::blank("Quantidade")),
        (104.0, Cell::blank("(x) Valor")),
    ];
    Column {
        width: LEFT,
        rows: vec![
            Row::whole(FIRST, Cell::line("Local de pagamento", where_to_pay(slip))),
            Row::whole(HIGH, fields::beneficiary(slip)),
            Row::of(USUAL, documents),
            Row::of(USUAL, quantities),
            Row::whole(5.0 * LOW, fields::instructions(slip)),
        ],
    }
}

fn charges<'a>(slip: &Slip<'a>) -> Column<'a> {
    Column {
        width: RIGHT,
        rows: vec![
            Row::whole(FIRST, fields::due(slip)),
            Row::whole(HIGH, fields::account(slip)),
            Row::whole(USUAL, fields::our_number(slip)),
            Row::whole(USUAL, fields::amount(slip)),
            Row::whole(LOW, Cell::blank("(–) Desconto / Abatimento")),
            Row::whole(LOW, Cell::blank("(–) Outras deduções")),
            Row::whole(LOW, Cell::blank("(+) Juros / Multa")),
            Row::whole(LOW, Cell::blank("(+) Outros acréscimos")),
            Row::whole(LOW, Cell::blank("(=) Valor cobrado").shaded()),
        ],
    }
}

fn people<'a>(slip: &Slip<'a>) -> Column<'a> {
    let others = [
        (0.0, Cell::blank("Sacador / Avalista")),
        (LEFT, Cell::blank("Código de baixa")),
    ];
    Column {
        width: LEFT + RIGHT,
        rows: vec![Row::whole(USUAL, fields::payer(slip)), Row::of(LOW, others)],
    }
}

/// A slip that no bank has registered must not invite a payment.
fn where_to_pay(slip: &Slip<'_>) -> Line<'static> {
    Line::new(if slip.agreement.registered() {
        "Pagável em qualquer banco até o vencimento"
    } else {
        "Não pagável: boleto de demonstração, não registrado"
    })
}
