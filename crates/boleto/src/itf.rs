//! Interleaved 2 of 5: how a barcode's digits become bars and spaces.

use crate::Barcode;

/// Which of the five bars (or spaces) of a digit are wide.
const WIDE: [[bool; 5]; 10] = {
    const N: bool = false;
    const W: bool = true;
    [
        [N, N, W, W, N],
        [W, N, N, N, W],
        [N, W, N, N, W],
        [W, W, N, N, N],
        [N, N, W, N, W],
        [W, N, W, N, N],
        [N, W, W, N, N],
        [N, N, N, W, W],
        [W, N, N, W, N],
        [N, W, N, W, N],
    ]
};

/// Elements of a boleto's barcode, bars and spaces in turns, the first and the
/// last being bars.
pub const ELEMENTS: usize = 4 + 22 * 10 + 3;

/// Whether each element of a barcode is wide. It begins with four narrow
/// ones and ends with wide, narrow, narrow.
pub fn of_barcode(barcode: &Barcode) -> [bool; ELEMENTS] {
    let mut elements = [false; ELEMENTS];
    for (slot, wide) in elements.iter_mut().zip(wide_elements(barcode.bytes())) {
        *slot = wide;
    }
    elements
}

/// The same for any even number of ASCII digits; the last of an odd number is
/// left out.
pub fn wide_elements(digits: &[u8]) -> impl Iterator<Item = bool> {
    let (pairs, _) = digits.as_chunks::<2>();
    let interleaved = pairs.iter().flat_map(|[bars, spaces]| {
        let of = |digit: &u8| WIDE[usize::from(digit - b'0') % 10];
        let (bars, spaces) = (of(bars), of(spaces));
        (0..5).flat_map(move |index| [bars[index], spaces[index]])
    });
    let start = [false; 4].into_iter();
    start.chain(interleaved).chain([true, false, false])
}

/// Width of an element in modules, a wide one being three narrow ones.
pub const fn modules(wide: bool) -> u16 {
    if wide { 3 } else { 1 }
}
