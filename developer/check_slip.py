"""Reads slips back with programs that know nothing of this repository.

    check_slip.py DIRECTORY

Each NAME.pdf of the directory has a NAME.json that says what must be read on
it (crates/slip/examples/write_slips.rs writes both). MuPDF renders the page,
ZXing reads barcode and QR code, and the page is measured. One line a slip;
the exit code is 1 if one of them is wrong. `make check/slip` does all of it.
"""

import itertools
import json
import sys
from pathlib import Path

import pymupdf
import zxingcpp

RESOLUTIONS = [150, 300]  # dots an inch
MOST_BYTES = 25 * 1024
MILLIMETRE = 72 / 25.4  # in points

BARCODE = (103, 13)  # mm
BARCODE_MIDDLE = 12  # mm above the lower edge of the sheet
QUIET_ZONE = 5  # mm
UNPRINTABLE = 5  # mm at each edge of the sheet
QR_SIDE = 25  # mm, at least
BANK_NUMBER_HEIGHT = (4.95, 5.2)  # mm
LINE_HEIGHT = (3.5, 4.0)  # mm
DIGIT_HEIGHT = 0.71  # of the size of the type, in Helvetica
TOLERANCE = 0.02  # mm

BANNER = "DEMONSTRAÇÃO – NÃO REGISTRADO"
INVITATION = "Pagável em qualquer banco até o vencimento"


def check(pdf, expected):
    """Everything that is wrong with a slip."""
    if pdf.stat().st_size > MOST_BYTES:
        yield f"{pdf.stat().st_size} bytes"
    document = pymupdf.open(pdf)
    if len(document) != 1:
        yield f"{len(document)} pages"
    page = document[0]
    texts = spans(page)
    drawings = page.get_drawings()
    bars = [drawing for drawing in drawings if len(drawing["items"]) > 100]
    if len(bars) != 1:
        yield f"{len(bars)} drawings look like a barcode"
        return
    yield from check_codes(page, expected)
    yield from check_barcode(page, bars[0]["rect"], texts, drawings)
    yield from check_qr(page, expected)
    yield from check_words(page, texts, expected)
    yield from check_places(page, texts, drawings)


def check_codes(page, expected):
    """What another program reads."""
    wanted = {zxingcpp.BarcodeFormat.ITF: expected["barcode"]}
    if expected["pix"]:
        wanted[zxingcpp.BarcodeFormat.QRCode] = expected["pix"]
    for resolution in RESOLUTIONS:
        pixels = page.get_pixmap(dpi=resolution, colorspace=pymupdf.csGRAY)
        image = memoryview(pixels.samples).cast("B", (pixels.height, pixels.width))
        formats = zxingcpp.BarcodeFormat.ITF, zxingcpp.BarcodeFormat.QRCode
        read = sorted((str(code.format), code.text) for code in zxingcpp.read_barcodes(image, formats=formats))
        if read != sorted((str(kind), text) for kind, text in wanted.items()):
            yield f"at {resolution} dpi these codes are read: {read}"


def check_barcode(page, bars, texts, drawings):
    """Where the barcode stands, and that nothing stands beside it."""
    size = bars.width / MILLIMETRE, bars.height / MILLIMETRE
    if any(abs(a - b) > TOLERANCE for a, b in zip(size, BARCODE)):
        yield f"the barcode is {size[0]:.3f} x {size[1]:.3f} mm"
    middle = (page.rect.y1 - (bars.y0 + bars.y1) / 2) / MILLIMETRE
    if abs(middle - BARCODE_MIDDLE) > TOLERANCE:
        yield f"the barcode's middle is at {middle:.3f} mm"
    quiet = bars + (-QUIET_ZONE * MILLIMETRE, 0, QUIET_ZONE * MILLIMETRE, 0)
    for text, box, _ in texts:
        if quiet.intersects(box):
            yield f"beside the barcode: {text!r}"
    for line in lines(drawings):
        if quiet.intersects(line):
            yield f"beside the barcode: a line at {line}"


def check_qr(page, expected):
    """Size of the QR code, its quiet zone included."""
    images = page.get_image_info()
    if len(images) != (1 if expected["pix"] else 0):
        yield f"{len(images)} images"
    for image in images:
        box = pymupdf.Rect(image["bbox"])
        without_quiet_zone = box.width * (image["width"] - 8) / image["width"]
        if without_quiet_zone < QR_SIDE * MILLIMETRE or abs(box.width - box.height) > 0.01:
            yield f"the QR code is {box.width / MILLIMETRE:.2f} x {box.height / MILLIMETRE:.2f} mm"
        for text, other, _ in spans(page):
            if box.intersects(other):
                yield f"on the QR code: {text!r}"


def check_words(page, texts, expected):
    """What people read."""
    shown = [text for text, _, _ in texts]
    heights = {text: size * DIGIT_HEIGHT / MILLIMETRE for text, _, size in texts}
    bank = next((text for text in shown if text.startswith(expected["barcode"][:3] + "-")), None)
    for text, (least, most) in [(bank, BANK_NUMBER_HEIGHT), (expected["line"], LINE_HEIGHT)]:
        if shown.count(text) != 2:
            yield f"{text!r} is there {shown.count(text)} times"
        elif not least <= heights[text] <= most:
            yield f"{text!r} is {heights[text]:.2f} mm high"
    invited = INVITATION in shown
    banners = shown.count(BANNER)
    if (invited, banners) != ((True, 0) if expected["registered"] else (False, 2)):
        yield f"registered: {expected['registered']}, but {banners} banners, invitation to pay: {invited}"
    ends = set()
    for wanted in expected["right_aligned"]:
        boxes = [box for text, box, _ in texts if text == wanted]
        if len(boxes) < 2:
            yield f"{wanted!r} is there {len(boxes)} times"
        ends |= {round(box.x1, 1) for box in boxes}
    if ends and max(ends) - min(ends) > 0.11:
        yield f"what is right-aligned ends at {sorted(ends)}"


def check_places(page, texts, drawings):
    """Nothing leaves the sheet, nothing lies on anything else."""
    margin = UNPRINTABLE * MILLIMETRE
    printable = page.rect + (margin, margin, -margin, -margin)
    for text, box, _ in texts:
        if not printable.contains(box):
            yield f"outside what printers print: {text!r}"
    for drawing in drawings:
        if not printable.contains(drawing["rect"]):
            yield f"outside what printers print: a drawing at {drawing['rect']}"
    for (one, one_box, _), (other, other_box, _) in itertools.combinations(texts, 2):
        if one_box.intersects(other_box):
            yield f"{one!r} lies on {other!r}"
    for line in lines(drawings):
        for text, box, _ in texts:
            if box.intersects(line):
                yield f"a line runs through {text!r}"


def spans(page):
    """Each text with its box and size, glyphs without the room around them."""
    pymupdf.TOOLS.set_small_glyph_heights(True)
    content = page.get_text("dict", flags=pymupdf.TEXT_PRESERVE_WHITESPACE)
    return [
        (span["text"], pymupdf.Rect(span["bbox"]), span["size"])
        for block in content["blocks"]
        for line in block["lines"]
        for span in line["spans"]
        if span["text"].strip()
    ]


def lines(drawings):
    """Each line as a thin rectangle."""
    for drawing in drawings:
        half = (drawing["width"] or 0) / 2
        for item in drawing["items"]:
            if item[0] == "l":
                yield pymupdf.Rect(item[1], item[2]).normalize() + (-half, -half, half, half)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    slips = sorted(Path(sys.argv[1]).glob("*.pdf"))
    wrong = 0
    for pdf in slips:
        problems = list(check(pdf, json.loads(pdf.with_suffix(".json").read_text(encoding="utf-8"))))
        wrong += bool(problems)
        print(f"{pdf.stem}: {'; '.join(problems) or f'read at {RESOLUTIONS} dpi, {pdf.stat().st_size} bytes'}")
    print(f"{len(slips)} slips, {wrong} wrong")
    sys.exit(1 if wrong or not slips else 0)


if __name__ == "__main__":
    main()
