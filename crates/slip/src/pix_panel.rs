//! The QR code of a PIX, and what paying by it does and does not do.

use pdf_writer::Name;

use crate::Slip;
use crate::canvas::{Align, Area, Canvas};
use crate::text::{Font, Text};

/// Millimetres; the QR code is as high, its quiet zone included.
pub(crate) const HEIGHT: f32 = 44.0;

/// Name of the image among the page's resources.
pub(crate) const IMAGE: Name<'static> = Name(b"Qr");

/// Millimetres.
const FRAME: f32 = 0.2;
const TEXT_LEFT: f32 = HEIGHT + 6.0;

/// Points.
const SIZE: f32 = 9.0;
const TITLE_SIZE: f32 = 15.0;

/// What the panel says.
struct Words {
    title: &'static str,
    how: &'static str,
    notes: [&'static str; 3],
}

/// The bank learns nothing of a static PIX, so that it may take the boleto as
/// well.
const PAY: Words = Words {
    title: "Pague com PIX",
    how: "Abra o aplicativo do seu banco, escolha PIX e leia o QR code.",
    notes: [
        "O PIX é creditado direto ao beneficiário e não baixa este boleto no banco.",
        "Pague uma vez só: por PIX ou pelo boleto.",
        "Se pagar por PIX, guarde o comprovante.",
    ],
};

/// A demonstration must not invite a payment, and its code is a working one.
const DO_NOT_PAY: Words = Words {
    title: "QR code PIX",
    how: "Aqui o pagador leria o QR code com o aplicativo do seu banco.",
    notes: [
        "O PIX é creditado direto ao beneficiário e não baixa este boleto no banco.",
        "Demonstração: não pague.",
        "Um PIX por este QR code seria creditado de verdade.",
    ],
};

/// Draws the panel from its upper left corner.
pub(crate) fn draw(canvas: &mut Canvas, slip: &Slip<'_>, left: f32, top: f32, width: f32) {
    let (bottom, right) = (top - HEIGHT, left + width);
    canvas.lines(
        FRAME,
        [
            [left, bottom, right, bottom],
            [left, top, right, top],
            [left, bottom, left, top],
            [right, bottom, right, top],
        ],
    );
    let code = Area {
        left: left + 1.0,
        bottom: bottom + 1.0,
        width: HEIGHT - 2.0,
        height: HEIGHT - 2.0,
    };
    canvas.image(code, IMAGE);
    let amount = format!("Valor: R$ {}", slip.amount.brazilian());
    let words = if slip.agreement.registered() {
        PAY
    } else {
        DO_NOT_PAY
    };
    let [first, second, third] = words.notes;
    let texts = [
        (9.5, words.title, Font::Bold, TITLE_SIZE),
        (16.5, words.how, Font::Regular, SIZE),
        (22.0, &amount, Font::Bold, SIZE),
        (30.0, first, Font::Regular, SIZE),
        (34.5, second, Font::Bold, SIZE),
        (39.0, third, Font::Regular, SIZE),
    ];
    for (drop, text, font, size) in texts {
        let text = Text::new(text, font, size);
        canvas.text(&text, left + TEXT_LEFT, top - drop, Align::Left);
    }
}
