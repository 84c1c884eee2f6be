//! Drawings: geometry is worked out here, in numbers; `templates/drawing.svg` writes it, escaping every text.
//!
//! Units are those of the `viewBox`. A drawing has no style of its own: classes get their colours from the page, so that
//! they follow dark mode and print.

mod memory;
mod sockets;
mod timeline;

use serde::Serialize;

pub(crate) use memory::{Band, memory};
pub(crate) use sockets::{Graph, GraphSocket, sockets};
pub(crate) use timeline::{Dot, LEFT as TIMELINE_LEFT, RIGHT as TIMELINE_RIGHT, Window, timeline};

/// Width of every drawing. It is shown narrower where the page is, and scrolls where it would be too small to read.
pub(crate) const WIDTH: f64 = 1000.0;

/// Columns that a letter of a label takes, on the safe side for the labels' size of 10.
const LETTER: f64 = 6.2;

/// A picture made of shapes, the hindmost first.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Drawing {
    pub(crate) width: f64,
    pub(crate) height: f64,
    /// What it shows, for those who cannot see it.
    pub(crate) label: String,
    pub(crate) shapes: Vec<Shape>,
}

/// A shape. `class` is one of the page's; `title` is shown when it is pointed at.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "shape", rename_all = "kebab-case")]
pub(crate) enum Shape {
    /// A rectangle.
    Rect { x: f64, y: f64, width: f64, height: f64, class: String, title: Option<String> },
    /// A line of curves, in the language of the `d` attribute, made of numbers alone.
    Path { d: String, class: String, title: Option<String> },
    /// A line of text.
    Text { x: f64, y: f64, class: &'static str, text: String },
    /// A rectangle at a time, which the page moves when it is zoomed.
    Mark {
        x: f64,
        y: f64,
        width: f64,
        height: f64,
        class: String,
        title: String,
        time: i64,
        hidden: bool,
    },
}

impl Shape {
    fn rect(x: f64, y: f64, width: f64, height: f64, class: impl Into<String>) -> Self {
        let (x, y, width, height) = (tenth(x), tenth(y), tenth(width), tenth(height));
        Self::Rect { x, y, width, height, class: class.into(), title: None }
    }

    fn text(x: f64, y: f64, class: &'static str, text: impl Into<String>) -> Self {
        Self::Text { x: tenth(x), y: tenth(y), class, text: text.into() }
    }

    fn titled(mut self, text: impl Into<String>) -> Self {
        if let Self::Rect { title, .. } | Self::Path { title, .. } = &mut self {
            *title = Some(text.into());
        }
        self
    }
}

/// A tenth of a unit is less than anybody sees.
fn tenth(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

/// As much of a text as fits a width, with an ellipsis where it is cut; empty when not even a few letters fit.
fn fit(text: &str, width: f64) -> String {
    let mut room = 0.0;
    let fits = text.chars().take_while(|_| {
        room += LETTER;
        room <= width
    });
    let fits = fits.count();
    // Of what does not fit the last letter makes room for the ellipsis.
    match text.char_indices().nth(fits) {
        None => text.to_owned(),
        Some(_) if fits < 4 => String::new(),
        Some(_) => text.chars().take(fits.saturating_sub(1)).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_fit() {
        assert_eq!(fit("libc.so.6", 200.0), "libc.so.6");
        assert_eq!(fit("libc.so.6", 31.0), "libc…");
        assert_eq!(fit("libc.so.6", 12.0), "");
        assert_eq!(fit("libc.so.6", -5.0), "");
        for width in 0..80 {
            let width = f64::from(width);
            assert!(fit("a rather long label", width).chars().count() as f64 * LETTER <= width);
        }
    }
}
