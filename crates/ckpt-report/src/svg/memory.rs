//! A memory map: a band of mappings in the order of their addresses, folded into rows.
//!
//! Sizes in one process differ by factors of a million, so that widths grow with the logarithm of the size. Gaps between
//! mappings are drawn as such, all alike. Under each mapping a thin bar shows, in true proportion, where its pages are.

use super::{Drawing, Shape, WIDTH, fit};

/// A mapping to be drawn.
#[derive(Clone, Debug, Default)]
pub(crate) struct Band {
    /// Bytes.
    pub(crate) size: u64,
    /// Class of its colour.
    pub(crate) class: &'static str,
    /// Whether it is to stand out.
    pub(crate) marked: bool,
    /// Executable, or writable and executable: drawn over the colour.
    pub(crate) stripe: Option<&'static str>,
    /// Whether memory that nothing is mapped to lies before it.
    pub(crate) gap: bool,
    /// What is written on it.
    pub(crate) label: String,
    /// What is told when it is pointed at.
    pub(crate) title: String,
    /// Pages by where they are: class and number.
    pub(crate) pages: Vec<(&'static str, u64)>,
}

const ROW: f64 = 46.0;
const TOP: f64 = 4.0;
const HEIGHT: f64 = 24.0;
const BAR: f64 = 6.0;
const GAP: f64 = 7.0;

/// Width of a mapping: a page is as narrow as can be pointed at, each doubling adds the same.
fn width(size: u64) -> f64 {
    let pages = (size / 4096).max(1);
    10.0 + 6.0 * (pages as f64).log2()
}

/// Draws mappings.
pub(crate) fn memory(bands: &[Band], label: String) -> Drawing {
    let mut shapes = Vec::new();
    let (mut x, mut row) = (0.0, 0.0);
    let mut labels = Labels::default();
    for band in bands {
        let width = width(band.size).min(WIDTH);
        let gap = if band.gap && x > 0.0 { GAP } else { 0.0 };
        if x + gap + width > WIDTH {
            x = 0.0;
            row += 1.0;
        } else if gap > 0.0 {
            let y = TOP + row * ROW + HEIGHT / 2.0;
            shapes.push(Shape::rect(x + 1.5, y - 0.5, GAP - 4.0, 1.0, "gap"));
            x += gap;
        }
        draw(&mut shapes, band, x, TOP + row * ROW, width - 1.0);
        labels.add(&mut shapes, band, x, TOP + row * ROW, width);
        x += width;
    }
    labels.end(&mut shapes);
    Drawing { width: WIDTH, height: TOP + (row + 1.0) * ROW, label, shapes }
}

fn draw(shapes: &mut Vec<Shape>, band: &Band, x: f64, y: f64, width: f64) {
    let mark = if band.marked { " marked" } else { "" };
    let class = format!("vma {}{mark}", band.class);
    shapes.push(Shape::rect(x, y, width, HEIGHT, class).titled(band.title.as_str()));
    if let Some(stripe) = band.stripe {
        shapes.push(Shape::rect(x, y, width, 4.0, stripe));
    }
    let all: u64 = band.pages.iter().fold(0, |sum, (_, pages)| sum.saturating_add(*pages));
    let mut from = x;
    for (class, pages) in band.pages.iter().filter(|(_, pages)| *pages > 0) {
        let part = width * (*pages as f64 / all as f64);
        shapes.push(Shape::rect(from, y + HEIGHT + 2.0, part.max(0.4), BAR, *class));
        from += part;
    }
}

/// Labels: mappings of one file that follow one another have one between them.
#[derive(Debug, Default)]
struct Labels<'a> {
    text: &'a str,
    x: f64,
    y: f64,
    width: f64,
}

impl<'a> Labels<'a> {
    fn add(&mut self, shapes: &mut Vec<Shape>, band: &'a Band, x: f64, y: f64, width: f64) {
        let follows = self.y == y && (self.x + self.width - x).abs() < 0.01;
        if follows && self.text == band.label {
            self.width += width;
            return;
        }
        self.end(shapes);
        *self = Self { text: &band.label, x, y, width };
    }

    fn end(&self, shapes: &mut Vec<Shape>) {
        let text = fit(self.text, self.width - 7.0);
        if !text.is_empty() {
            shapes.push(Shape::text(self.x + 3.0, self.y + 17.0, "on-vma", text));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn band(size: u64) -> Band {
        let pages = vec![("dumped", size / 8192), ("missing", 0), ("zero", size / 8192)];
        Band { size, class: "anon", gap: true, label: "heap".into(), pages, ..Band::default() }
    }

    #[test]
    fn nothing_is_drawn_outside_and_nothing_overlaps() {
        let bands: Vec<Band> = (0..400).map(|n| band(4096 << (n % 40))).collect();
        let drawing = memory(&bands, "a map".into());
        let mut last = (0.0, 0.0);
        let mut seen = 0;
        for shape in &drawing.shapes {
            let Shape::Rect { x, y, width, height, class, .. } = shape else { continue };
            assert!(*x >= 0.0 && *width > 0.0 && x + width <= WIDTH + 0.5, "{shape:?}");
            assert!(y + height <= drawing.height, "{shape:?}");
            if class.starts_with("vma") {
                assert!(*y > last.1 || *x >= last.0, "{shape:?} after {last:?}");
                last = (x + width, *y);
                seen += 1;
            }
        }
        assert_eq!(seen, 400);
    }

    #[test]
    fn every_page_has_its_part_of_the_bar() {
        let drawing = memory(&[band(8 << 20)], String::new());
        let parts: Vec<f64> = drawing
            .shapes
            .iter()
            .filter_map(|shape| match shape {
                Shape::Rect { width, class, .. } if class == "dumped" || class == "zero" => {
                    Some(*width)
                }
                _ => None,
            })
            .collect();
        assert_eq!(parts.len(), 2);
        assert!((parts[0] - parts[1]).abs() < 0.11);
    }

    #[test]
    fn mappings_of_one_file_share_a_label() {
        let mut bands = vec![band(4096), band(4096), band(16384), band(16384)];
        for (band, label) in bands.iter_mut().zip(["heap", "libc.so.6", "libc.so.6", "libc.so.6"]) {
            (band.label, band.gap) = (label.to_owned(), false);
        }
        let texts = |bands: &[Band]| -> Vec<(f64, String)> {
            let drawing = memory(bands, String::new());
            let text = |shape: &Shape| match shape {
                Shape::Text { x, text, .. } => Some((*x, text.clone())),
                _ => None,
            };
            drawing.shapes.iter().filter_map(text).collect()
        };
        assert_eq!(texts(&bands), [(13.0, "libc.s…".to_owned())]);
        bands[3].gap = true;
        assert_eq!(texts(&bands), [(13.0, "lib…".to_owned())]);
    }

    #[test]
    fn the_largest_mapping_fits() {
        let drawing = memory(&[band(u64::MAX), band(0)], String::new());
        assert!(drawing.shapes.len() >= 2);
        assert!(memory(&[], String::new()).shapes.is_empty());
    }
}
