//! A line of styled parts that fits a width.

use anstyle::Style;

use super::columns::{columns, cut};
use super::layout::paint;

/// A part of a line.
#[derive(Clone, Debug)]
struct Part {
    text: String,
    style: Style,
    /// Fewest columns that it may be cut to before the line as a whole is; `None` to leave it whole.
    least: Option<usize>,
}

/// A line under construction. Texts are safe already.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    parts: Vec<Part>,
}

impl Line {
    /// Adds a part that is kept whole as long as anything else can be cut.
    pub(super) fn push(&mut self, style: Style, text: impl Into<String>) {
        self.parts.push(Part { text: text.into(), style, least: None });
    }

    /// Adds a part that may be cut to `least` columns. Of several the first is cut first.
    pub(super) fn push_cuttable(&mut self, style: Style, text: impl Into<String>, least: usize) {
        self.parts.push(Part { text: text.into(), style, least: Some(least) });
    }

    /// The line in at most so many columns.
    pub(super) fn render(mut self, width: Option<usize>) -> String {
        if let Some(width) = width {
            self.shrink(width);
        }
        self.parts.iter().map(|part| paint(part.style, &part.text)).collect()
    }

    fn shrink(&mut self, width: usize) {
        let total: usize = self.parts.iter().map(|part| columns(&part.text)).sum();
        let mut over = total.saturating_sub(width);
        for part in &mut self.parts {
            let Some(least) = part.least.filter(|_| over > 0) else { continue };
            let has = columns(&part.text);
            let keeps = has.saturating_sub(over).max(least.min(has));
            part.text = cut(&part.text, keeps);
            over = over.saturating_sub(has.saturating_sub(columns(&part.text)));
        }
        let mut left = width;
        for part in &mut self.parts {
            part.text = cut(&part.text, left);
            left = left.saturating_sub(columns(&part.text));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> Line {
        let mut line = Line::default();
        line.push(Style::new(), "1 ");
        line.push_cuttable(Style::new(), "sh -c 'sleep 1000'", 6);
        line.push_cuttable(Style::new(), " /bin/dash", 4);
        line.push(Style::new(), " [deleted]");
        line
    }

    #[test]
    fn parts_give_way_in_order() {
        assert_eq!(line().render(None), "1 sh -c 'sleep 1000' /bin/dash [deleted]");
        assert_eq!(line().render(Some(40)), "1 sh -c 'sleep 1000' /bin/dash [deleted]");
        assert_eq!(line().render(Some(34)), "1 sh -c 'slee… /bin/dash [deleted]");
        assert_eq!(line().render(Some(26)), "1 sh -c… /bin/d… [deleted]");
        assert_eq!(line().render(Some(10)), "1 sh -c… …");
        assert_eq!(line().render(Some(0)), "");
    }

    #[test]
    fn it_always_fits() {
        for width in 0..45 {
            assert!(columns(&line().render(Some(width))) <= width, "{width}");
        }
    }
}
