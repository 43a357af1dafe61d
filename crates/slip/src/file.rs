//! The objects of the PDF file.

use boleto::text::is_invisible;
use pdf_writer::{Finish, Name, Pdf, Rect, Ref, Settings, TextStr};

use crate::qr::QrImage;
use crate::text::Font;
use crate::{Slip, page, pix_panel};

const CATALOG: Ref = Ref::new(1);
const PAGES: Ref = Ref::new(2);
const PAGE: Ref = Ref::new(3);
const CONTENT: Ref = Ref::new(4);
const INFO: Ref = Ref::new(5);
const FONTS: [(Font, Ref); 2] = [(Font::Regular, Ref::new(6)), (Font::Bold, Ref::new(7))];
const QR: Ref = Ref::new(8);

/// A4 in points.
const SHEET: [f32; 2] = [595.276, 841.89];

/// The slip as a file.
pub(crate) fn write(slip: &Slip<'_>) -> Vec<u8> {
    let qr = slip.pix.and_then(QrImage::of);
    let content = page::draw(slip, qr.is_some());
    let settings = Settings { pretty: false };
    let mut pdf = Pdf::with_settings_and_capacity(settings, content.len() + 4096);
    write_catalog(&mut pdf);
    pdf.pages(PAGES).kids([PAGE]).count(1);
    write_page(&mut pdf, qr.is_some());
    pdf.stream(CONTENT, &content);
    pdf.document_info(INFO).title(TextStr(&title(slip)));
    for (font, id) in FONTS {
        pdf.type1_font(id)
            .base_font(font.base())
            .encoding_predefined(Name(b"WinAnsiEncoding"));
    }
    if let Some(qr) = qr {
        write_image(&mut pdf, &qr);
    }
    // It identifies the file, so it is the same whenever the slip is.
    let id = slip.barcode.as_str().as_bytes().to_vec();
    pdf.set_file_id((id.clone(), id));
    pdf.finish()
}

/// What a PDF reader shows as the name of its window, in its own fonts.
fn title(slip: &Slip<'_>) -> String {
    let name = &slip.agreement.beneficiary().name;
    let title = format!("Boleto {} – {name}", slip.our_number);
    let shown = title.chars().filter(|character| !is_invisible(*character));
    shown.collect()
}

fn write_catalog(pdf: &mut Pdf) {
    let mut catalog = pdf.catalog(CATALOG);
    catalog.pages(PAGES).lang(TextStr("pt-BR"));
    let mut preferences = catalog.viewer_preferences();
    preferences.display_doc_title(true);
    // A page that is scaled to fit has a barcode of another size.
    preferences.pair(Name(b"PrintScaling"), Name(b"None"));
}

fn write_page(pdf: &mut Pdf, has_qr: bool) {
    let mut page = pdf.page(PAGE);
    let [width, height] = SHEET;
    let sheet = Rect::new(0.0, 0.0, width, height);
    page.parent(PAGES).media_box(sheet).contents(CONTENT);
    let mut resources = page.resources();
    let mut fonts = resources.fonts();
    for (font, id) in FONTS {
        fonts.pair(font.resource(), id);
    }
    fonts.finish();
    if has_qr {
        resources.x_objects().pair(pix_panel::IMAGE, QR);
    }
}

fn write_image(pdf: &mut Pdf, qr: &QrImage) {
    // The side of a QR code is at most 177 modules.
    let side = i32::try_from(qr.side).unwrap_or_default();
    let mut image = pdf.image_xobject(QR, &qr.bits);
    image.width(side).height(side).bits_per_component(1);
    image.color_space().device_gray();
}
