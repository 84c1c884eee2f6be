//! The lines that make a tree of a list.

/// Levels that are drawn at most; hostile evidence may nest processes a million deep.
const MAX_LEVELS: usize = 32;

/// Draws the guides of a tree whose lines come depth first.
#[derive(Debug)]
pub(super) struct Guides {
    /// For each level above the current line, whether more siblings follow there.
    open: Vec<bool>,
    max: usize,
    depth: usize,
}

impl Guides {
    /// Guides that take no more than a third of a width.
    pub(super) fn new(width: Option<usize>) -> Self {
        let max = width.map_or(MAX_LEVELS, |width| (width / 9).clamp(1, MAX_LEVELS));
        Self { open: Vec::new(), max, depth: 0 }
    }

    /// Goes to the next line.
    pub(super) fn enter(&mut self, depth: usize, last: bool) {
        self.depth = depth;
        self.open.truncate(depth);
        self.open.resize(depth, false);
        self.open.push(!last);
    }

    /// What stands before the name of the line's process.
    pub(super) fn elbow(&self) -> String {
        let level = self.depth.min(self.max);
        if level == 0 {
            return String::new();
        }
        let open = self.open.get(self.depth) == Some(&true);
        let mut text = self.trunks(level.saturating_sub(1));
        text.push_str(if open { "├─ " } else { "└─ " });
        if self.depth > self.max {
            text.push_str(&format!("(level {}) ", self.depth));
        }
        text
    }

    /// What stands before further lines of the same process.
    pub(super) fn below(&self, has_children: bool) -> String {
        let mut text = self.trunks(self.depth.min(self.max));
        text.push_str(if has_children && self.depth < self.max { "│  " } else { "   " });
        text
    }

    /// The guides of the levels 1 to `level`.
    fn trunks(&self, level: usize) -> String {
        let open = self.open.iter().skip(1).take(level);
        open.map(|open| if *open { "│  " } else { "   " }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::columns::columns;
    use super::*;

    #[test]
    fn elbows_and_trunks() {
        let mut guides = Guides::new(None);
        let lines = [(0, true), (1, false), (2, false), (2, true), (1, true), (2, true), (0, true)];
        let drawn: Vec<String> = lines
            .into_iter()
            .map(|(depth, last)| {
                guides.enter(depth, last);
                guides.elbow()
            })
            .collect();
        assert_eq!(drawn, ["", "├─ ", "│  ├─ ", "│  └─ ", "└─ ", "   └─ ", ""]);
        guides.enter(0, true);
        guides.enter(1, false);
        assert_eq!(guides.below(true), "│  │  ");
        assert_eq!(guides.below(false), "│     ");
        guides.enter(1, true);
        assert_eq!(guides.below(true), "   │  ");
    }

    #[test]
    fn depth_has_an_end() {
        let mut guides = Guides::new(Some(80));
        for depth in 0..200_000 {
            guides.enter(depth, true);
        }
        assert!(columns(&guides.elbow()) < 60);
        assert!(guides.elbow().ends_with("└─ (level 199999) "));
    }
}
