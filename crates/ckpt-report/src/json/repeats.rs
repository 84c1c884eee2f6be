//! Room for what a document tells again and again.
//!
//! Processes can have one table of descriptors, one memory, one open file, by the thousand, and all of it is in the evidence
//! once. A document tells it at each of them as long as there is room, which is more than an honest dump needs; then at the
//! first one alone, and the others say which that is. So documents grow with the evidence and not with the product of what is
//! in it.

/// Records that a document may tell again.
const ROOM: usize = 1 << 14;

/// The room that is left in a document.
#[derive(Debug)]
pub(crate) struct Repeats {
    left: usize,
}

impl Default for Repeats {
    fn default() -> Self {
        Self { left: ROOM }
    }
}

impl Repeats {
    /// Takes the room for so many records; `false` when there is not so much.
    pub(crate) fn take(&mut self, records: usize) -> bool {
        let rest = self.left.checked_sub(records);
        self.left = rest.unwrap_or(self.left);
        rest.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_leaves_the_room_to_what_does() {
        let mut repeats = Repeats::default();
        assert!(!repeats.take(ROOM + 1));
        assert!(repeats.take(ROOM - 1) && repeats.take(1));
        assert!(!repeats.take(1) && repeats.take(0));
    }
}
