//! How a text is made to fit its field.

use super::{Font, Text};

/// Which part of a text that is too long is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The end: names and addresses.
    End,
    /// The middle: identifiers, which differ at either end.
    Middle,
}

/// No text is set smaller than this to make it fit, in points.
const SMALLEST: f32 = 6.5;

/// `…`
const ELLIPSIS: u8 = 133;

/// A text and its tail made to fit a width in millimetres: set smaller first,
/// then the text is cut. The tail is cut only where it takes more than half
/// of the room.
pub(crate) fn fit(text: Text, tail: &[u8], room: f32, cut: Cut) -> Text {
    let mut whole = text;
    let text_length = whole.characters.len();
    whole.characters.extend(tail);
    let width = whole.width();
    if width <= room {
        return whole;
    }
    let Text { font, size, .. } = whole;
    let fitting = (size * room / width * 10.0).floor() / 10.0;
    let size = fitting.max(SMALLEST.min(size));
    whole.size = size;
    if whole.width() > room {
        let tail = shorten(tail, font, size, room / 2.0, Cut::End);
        let text_room = room - font.width(&tail, size);
        let text = &whole.characters[..text_length];
        whole.characters = shorten(text, font, size, text_room, cut);
        whole.characters.extend(tail);
    }
    whole
}

/// The characters that fit, with `…` for those left out.
fn shorten(characters: &[u8], font: Font, size: f32, room: f32, cut: Cut) -> Vec<u8> {
    let width = |characters: &[u8]| font.width(characters, size);
    if width(characters) <= room {
        return characters.to_vec();
    }
    let room = room - width(&[ELLIPSIS]);
    if room < 0.0 {
        return Vec::new();
    }
    let head_room = match cut {
        Cut::End => room,
        Cut::Middle => room / 2.0,
    };
    let (head, rest) = characters.split_at(count_fitting(characters, font, size, head_room));
    let tail = match cut {
        Cut::End => 0,
        Cut::Middle => count_fitting(rest.iter().rev(), font, size, room - width(head)),
    };
    let tail = &rest[rest.len() - tail..];
    [without_stop(head), &[ELLIPSIS], tail.trim_ascii_start()].concat()
}

/// Without the blanks and the points before which no `…` stands.
fn without_stop(mut head: &[u8]) -> &[u8] {
    while let [rest @ .., b' ' | b'.' | b','] = head {
        head = rest;
    }
    head
}

/// How many of the characters fit.
fn count_fitting<'a>(
    characters: impl IntoIterator<Item = &'a u8>,
    font: Font,
    size: f32,
    mut room: f32,
) -> usize {
    let fits = |character: &&u8| {
        room -= font.width(&[**character], size);
        room >= 0.0
    };
    characters.into_iter().take_while(fits).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fitted(text: &str, tail: &str, room: f32, cut: Cut) -> (String, f32) {
        let text = Text::new(text, Font::Regular, 8.0);
        let text = fit(text, tail.as_bytes(), room, cut);
        let shown = text.characters.iter().map(|byte| match *byte {
            ELLIPSIS => '…',
            byte => char::from(byte),
        });
        (shown.collect(), text.size)
    }

    #[test]
    fn a_text_is_set_smaller_before_it_is_cut() {
        let name = "Companhia de Saneamento Básico";
        assert_eq!(fitted(name, "", 45.0, Cut::End), (name.to_owned(), 8.0));
        assert_eq!(fitted(name, "", 38.0, Cut::End), (name.to_owned(), 6.8));
        let cut = "Companhia de Sane…".to_owned();
        assert_eq!(fitted(name, "", 24.0, Cut::End), (cut, SMALLEST));
        let cut = "Companhia de…".to_owned();
        assert_eq!(fitted(name, "", 17.4, Cut::End), (cut, SMALLEST));
        let cut = "Rua 1, 2…".to_owned();
        assert_eq!(
            fitted("Rua 1, 2., 333", "", 12.2, Cut::End),
            (cut, SMALLEST)
        );
    }

    #[test]
    fn a_tail_stays_whole_where_the_text_is_cut() {
        let (name, tail) = ("Companhia de Saneamento Básico", " - CPF 1");
        let cut = "Companhia de Sanea… - CPF 1".to_owned();
        assert_eq!(fitted(name, tail, 34.0, Cut::End), (cut, SMALLEST));
        let long = "x".repeat(100);
        let (both, _) = fitted(&long, &long, 30.0, Cut::End);
        assert_eq!(both.matches('…').count(), 2, "{both}");
    }

    #[test]
    fn an_identifier_keeps_both_ends() {
        let id = "0191e5a0-7c3b-7f00-8000-0000000012ab";
        let cut = "0191e5a0-7c3…0000000012ab".to_owned();
        assert_eq!(fitted(id, "", 33.0, Cut::Middle), (cut, SMALLEST));
    }

    #[test]
    fn where_there_is_no_room_there_is_no_text() {
        assert_eq!(fitted("Name", "", 1.0, Cut::End).0, "");
        assert_eq!(fitted("Name", "", 0.0, Cut::Middle).0, "");
    }

    proptest! {
        #[test]
        fn what_is_fitted_fits(
            text in "\\PC{0,120}",
            tail in "[ -~]{0,40}",
            room in 0.0..150.0_f32,
            middle: bool,
        ) {
            let cut = if middle { Cut::Middle } else { Cut::End };
            let text = fit(Text::new(&text, Font::Bold, 9.0), tail.as_bytes(), room, cut);
            prop_assert!(text.width() <= room + 0.001, "{} mm in {room} mm", text.width());
        }
    }
}
