//! A list as far as it is shown.

use serde::Serialize;

/// The rows that are shown, how many there are, and the command that shows all of them.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Shown<T> {
    pub(super) rows: Vec<T>,
    pub(super) all: usize,
    pub(super) more: usize,
    pub(super) command: &'static str,
}

impl<T> Default for Shown<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), all: 0, more: 0, command: "" }
    }
}

impl<T> Shown<T> {
    /// The first of many, made into rows.
    pub(super) fn first<I: IntoIterator>(
        all: I,
        most: usize,
        command: &'static str,
        mut row: impl FnMut(I::Item) -> T,
    ) -> Self {
        let mut rows = Vec::new();
        let mut count = 0_usize;
        for one in all {
            count = count.saturating_add(1);
            if rows.len() < most {
                rows.push(row(one));
            }
        }
        let more = count.saturating_sub(rows.len());
        Self { rows, all: count, more, command }
    }
}

/// Rows that several lists share: each takes of it what it shows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    pub(super) each: usize,
    pub(super) left: usize,
}

impl Budget {
    /// Shows the first of many, as far as the budget goes.
    pub(super) fn first<T, I: IntoIterator>(
        &mut self,
        all: I,
        command: &'static str,
        row: impl FnMut(I::Item) -> T,
    ) -> Shown<T> {
        let shown = Shown::first(all, self.each.min(self.left), command, row);
        self.left = self.left.saturating_sub(shown.rows.len());
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_shown_is_counted() {
        let shown = Shown::first(1..=9, 4, "tree", |number| number * 10);
        assert_eq!((shown.rows, shown.all, shown.more), (vec![10, 20, 30, 40], 9, 5));
        let mut budget = Budget { each: 4, left: 6 };
        let counts = [3, 9, 9].map(|many| {
            let shown = budget.first(0..many, "tree", |number| number);
            (shown.rows.len(), shown.more)
        });
        assert_eq!(counts, [(3, 0), (3, 6), (0, 9)]);
    }
}
