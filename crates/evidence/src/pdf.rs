//! A document as PDF, A4, by the fonts that every reader has.
//!
//! Promises that every word of the document is in it. What these fonts do not have (they have the letters of Western Europe) stands escaped; the page of
//! the same document has it as it is.

use pdf_writer::{Content, Finish as _, Name, Pdf, Rect, Ref, Str, TextStr};

use crate::document::{Block, Document};

const WIDTH: f32 = 595.0;
const HEIGHT: f32 = 842.0;
const MARGIN: f32 = 56.0;
/// Between columns of a table.
const GAP: f32 = 6.0;
/// Of the height of letters, that of a line.
const LEADING: f32 = 1.35;

#[derive(Clone, Copy)]
struct Style {
    font: Name<'static>,
    size: f32,
    is_bold: bool,
}

const PLAIN: Style = Style { font: Name(b"F1"), size: 10.0, is_bold: false };
const SMALL: Style = Style { font: Name(b"F1"), size: 7.5, is_bold: false };
const SMALL_BOLD: Style = Style { font: Name(b"F2"), size: 7.5, is_bold: true };
const TITLE: Style = Style { font: Name(b"F2"), size: 18.0, is_bold: true };
const FIRST: Style = Style { font: Name(b"F2"), size: 13.0, is_bold: true };
const THIRD: Style = Style { font: Name(b"F2"), size: 10.0, is_bold: true };
const SECOND: Style = Style { font: Name(b"F2"), size: 10.5, is_bold: true };

/// The document as PDF.
#[must_use]
pub fn pdf(document: &Document) -> Vec<u8> {
    let mut paper = Paper::default();
    paper.paragraph(&document.title, TITLE, 0.0, 8.0);
    document.blocks.iter().for_each(|block| paper.draw(block));
    paper.finish(&document.title)
}

/// Pages that are being filled.
#[derive(Default)]
struct Paper {
    pages: Vec<Content>,
    /// How far down the last page is full.
    used: f32,
}

impl Paper {
    /// The page that is filled, with room for so much; where on it.
    fn room(&mut self, height: f32) -> (&mut Content, f32) {
        if self.pages.is_empty() || self.used + height > HEIGHT - 2.0 * MARGIN {
            self.pages.push(Content::new());
            self.used = 0.0;
        }
        let top = HEIGHT - MARGIN - self.used;
        self.used += height;
        let at = self.pages.len() - 1;
        #[expect(clippy::indexing_slicing, reason = "one was pushed where there was none")]
        (&mut self.pages[at], top)
    }

    fn line(&mut self, text: &[u8], style: Style, left: f32, height: f32) {
        let (page, top) = self.room(height);
        write(page, text, style, left, top - style.size);
    }

    fn space(&mut self, height: f32) {
        self.used += height;
    }

    fn paragraph(&mut self, text: &str, style: Style, indent: f32, after: f32) {
        for line in lines(text, style, WIDTH - 2.0 * MARGIN - indent) {
            self.line(&line, style, MARGIN + indent, style.size * LEADING);
        }
        self.space(after);
    }

    fn draw(&mut self, block: &Block) {
        match block {
            Block::Heading(1, text) => {
                self.space(10.0);
                self.paragraph(text, FIRST, 0.0, 4.0);
            }
            Block::Heading(3, text) => self.paragraph(text, THIRD, 0.0, 1.0),
            Block::Heading(_, text) => {
                self.space(4.0);
                self.paragraph(text, SECOND, 0.0, 3.0);
            }
            Block::Text(text) => self.paragraph(text, PLAIN, 0.0, 5.0),
            Block::Note(text) => self.paragraph(text, Style { font: Name(b"F3"), ..PLAIN }, 12.0, 6.0),
            Block::List(items) => {
                for item in items {
                    let mut first = true;
                    for line in lines(item, PLAIN, WIDTH - 2.0 * MARGIN - 14.0) {
                        let (page, top) = self.room(PLAIN.size * LEADING);
                        if std::mem::take(&mut first) {
                            write(page, b"\x95", PLAIN, MARGIN + 3.0, top - PLAIN.size);
                        }
                        write(page, &line, PLAIN, MARGIN + 14.0, top - PLAIN.size);
                    }
                    self.space(2.0);
                }
                self.space(3.0);
            }
            Block::Table(names, widths, rows) => {
                let head: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
                self.row(&head, widths, SMALL_BOLD);
                for row in rows {
                    // A page that begins within a table says again what its columns are.
                    if self.used + 2.0 * SMALL.size * LEADING > HEIGHT - 2.0 * MARGIN {
                        self.used = HEIGHT;
                        self.row(&head, widths, SMALL_BOLD);
                    }
                    self.row(row, widths, SMALL);
                }
                self.space(6.0);
            }
            Block::Blank(what) => {
                let (page, top) = self.room(40.0);
                page.move_to(MARGIN, top - 26.0);
                page.line_to(WIDTH - MARGIN, top - 26.0);
                page.stroke();
                write(page, &encoded(what), SMALL, MARGIN, top - 36.0);
            }
        }
    }

    /// A row of a table, over several pages where it has to be.
    fn row(&mut self, cells: &[String], widths: &[u8], style: Style) {
        let whole = WIDTH - 2.0 * MARGIN;
        let width = |percent: &u8| whole * f32::from(*percent) / 100.0;
        let cells: Vec<Vec<Vec<u8>>> =
            cells.iter().zip(widths).map(|(cell, percent)| lines(cell, style, width(percent) - GAP)).collect();
        let tallest = cells.iter().map(Vec::len).max().unwrap_or(0);
        for at in 0..tallest {
            let (page, top) = self.room(style.size * LEADING);
            let mut left = MARGIN;
            for (cell, percent) in cells.iter().zip(widths) {
                if let Some(line) = cell.get(at) {
                    write(page, line, style, left, top - style.size);
                }
                left += width(percent);
            }
        }
        let (page, top) = self.room(3.0);
        page.set_stroke_gray(0.75).set_line_width(0.4);
        page.move_to(MARGIN, top - 1.0);
        page.line_to(WIDTH - MARGIN, top - 1.0);
        page.stroke();
    }

    fn finish(self, title: &str) -> Vec<u8> {
        let mut pdf = Pdf::new();
        let mut next = 0;
        let mut id = || {
            next += 1;
            Ref::new(next)
        };
        let (catalog, tree, info) = (id(), id(), id());
        let fonts: [(Name<'_>, &[u8], Ref); 3] = [
            (Name(b"F1"), b"Helvetica", id()),
            (Name(b"F2"), b"Helvetica-Bold", id()),
            (Name(b"F3"), b"Helvetica-Oblique", id()),
        ];
        pdf.catalog(catalog).pages(tree);
        pdf.document_info(info).title(TextStr(title));
        let count = self.pages.len();
        let refs: Vec<(Ref, Ref)> = self.pages.iter().map(|_| (id(), id())).collect();
        pdf.pages(tree).kids(refs.iter().map(|(page, _)| *page)).count(count as i32);
        for (at, (mut content, (page, stream))) in self.pages.into_iter().zip(&refs).enumerate() {
            let number = format!("{} of {count}", at + 1);
            write(&mut content, &encoded(&number), SMALL, WIDTH - MARGIN - 40.0, MARGIN / 2.0);
            let mut written = pdf.page(*page);
            written.media_box(Rect::new(0.0, 0.0, WIDTH, HEIGHT)).parent(tree).contents(*stream);
            let mut resources = written.resources();
            let mut named = resources.fonts();
            for (name, _, font) in &fonts {
                named.pair(*name, *font);
            }
            named.finish();
            resources.finish();
            written.finish();
            pdf.stream(*stream, &content.finish());
        }
        for (_, base, font) in fonts {
            pdf.type1_font(font).base_font(Name(base)).encoding_predefined(Name(b"WinAnsiEncoding"));
        }
        pdf.finish()
    }
}

fn write(page: &mut Content, text: &[u8], style: Style, left: f32, base: f32) {
    page.begin_text();
    page.set_font(style.font, style.size);
    page.next_line(left, base);
    page.show(Str(text));
    page.end_text();
}

/// Text in lines that are no wider. Words that are wider themselves are divided.
fn lines(text: &str, style: Style, width: f32) -> Vec<Vec<u8>> {
    // What is code on the page stands as it is here.
    let text = encoded(&text.replace('`', ""));
    let (mut lines, mut line, mut used) = (Vec::new(), Vec::new(), 0.0);
    for word in text.split_inclusive(|byte| *byte == b' ') {
        let (solid, blank) = (word.trim_ascii_end(), word.len() > word.trim_ascii_end().len());
        if used + wide(solid, style) > width && !line.is_empty() {
            lines.push(std::mem::take(&mut line));
            used = 0.0;
        }
        for byte in solid {
            let wide = wide(&[*byte], style);
            if used + wide > width && !line.is_empty() {
                lines.push(std::mem::take(&mut line));
                used = 0.0;
            }
            line.push(*byte);
            used += wide;
        }
        if blank {
            line.push(b' ');
            used += wide(b" ", style);
        }
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

/// Text as Windows code page 1252 has it. What that has not stands escaped.
fn encoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for sign in text.chars() {
        match sign {
            ' '..='~' | '\u{a0}'..='\u{ff}' => bytes.push(sign as u32 as u8),
            '€' => bytes.push(0x80),
            '…' => bytes.push(0x85),
            '‘' => bytes.push(0x91),
            '’' => bytes.push(0x92),
            '“' => bytes.push(0x93),
            '”' => bytes.push(0x94),
            '•' => bytes.push(0x95),
            '–' => bytes.push(0x96),
            '—' => bytes.push(0x97),
            '−' => bytes.push(b'-'),
            other => bytes.extend(other.escape_unicode().to_string().into_bytes()),
        }
    }
    bytes
}

/// How wide letters are. Bold ones are a little wider than the table says.
fn wide(text: &[u8], style: Style) -> f32 {
    let width = |byte: &u8| {
        let known = usize::from(*byte).checked_sub(0x20).and_then(|at| WIDTHS.get(at));
        f32::from(*known.unwrap_or(&OTHERS_WIDTH))
    };
    let sum: f32 = text.iter().map(width).sum();
    sum / 1000.0 * style.size * if style.is_bold { 1.08 } else { 1.0 }
}

/// The widths of Helvetica's letters from the space to the tilde, in thousandths of their height, by Adobe's metrics of its 14 core fonts.
const WIDTHS: [u16; 95] = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556, 556, 556,
    556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833,
    722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556,
    556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334,
    260, 334, 584,
];
/// Of letters that the table does not have: as wide as the widest of those with accents.
const OTHERS_WIDTH: u16 = 722;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_no_wider_than_they_may_and_hold_every_letter() {
        let text = "a word, averylongwordthatisnotdividedanywhere and “quotes” of 漢字 — é";
        for width in [20.0, 60.0, 300.0] {
            let lines = lines(text, PLAIN, width);
            assert!(lines.iter().all(|line| wide(line.trim_ascii_end(), PLAIN) <= width), "{lines:?}");
            assert_eq!(lines.concat(), encoded(text));
        }
        assert!(String::from_utf8_lossy(&encoded("漢")).contains("\\u{6f22}"));
    }

    #[test]
    fn long_documents_have_pages() {
        let rows = (0..200).map(|n| vec![format!("row {n}"), "x".repeat(300)]).collect();
        let blocks = vec![Block::Table(vec!["a", "b"], vec![30, 70], rows), Block::Blank("Signature")];
        let bytes = pdf(&Document { title: "Many rows".to_owned(), blocks });
        assert!(bytes.starts_with(b"%PDF-") && bytes.len() > 50_000);
    }
}
