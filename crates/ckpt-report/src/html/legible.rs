//! Text of the evidence as a page may show it: redacted, visible, and no longer than a line or two.

use ckpt_scan::secrets::Redactor;

use crate::human::command::{FEW_EMPTY, quoted};
use crate::human::escaped_once;

/// Bytes of a text that are looked at at all.
const WINDOW: usize = 64 << 10;

/// Makes text of the evidence legible.
#[derive(Clone, Copy, Debug)]
pub(super) struct Legible<'a> {
    /// Redacts secrets; `None` where they are shown.
    pub(super) secrets: Option<&'a Redactor>,
    /// Letters that are shown of a text.
    pub(super) most: usize,
}

impl Legible<'_> {
    /// A text: secrets redacted, what is not visible escaped, what is too long cut.
    pub(super) fn text(&self, text: &str) -> String {
        self.within(text, self.most)
    }

    /// A text in at most so many letters.
    pub(super) fn within(&self, text: &str, most: usize) -> String {
        // A text of megabytes is cut before anything else is done with it. A secret at that end is behind what is shown.
        let head = text.get(..text.floor_char_boundary(WINDOW)).unwrap_or_default();
        let redacted = self.secrets.map_or(head.into(), |secrets| secrets.text(head));
        let mut visible = escaped_once(&redacted);
        let whole = head.len() == text.len();
        if whole && visible.len() <= most {
            return visible;
        }
        let letters = visible.chars().count();
        if !whole || letters > most {
            let end = visible.char_indices().nth(most).map_or(visible.len(), |(at, _)| at);
            visible.truncate(end);
            visible.push_str(&format!("… ({} bytes)", text.len()));
        }
        visible
    }

    /// An optional text; what is not known is a dash.
    pub(super) fn maybe(&self, text: Option<&str>) -> String {
        text.map_or_else(|| "–".to_owned(), |text| self.text(text))
    }

    /// A variable of the environment, as name and value.
    pub(super) fn variable(&self, variable: &str) -> (String, String) {
        let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
        let value = value.get(..value.floor_char_boundary(WINDOW)).unwrap_or_default();
        let value = self.secrets.map_or(value.into(), |secrets| secrets.value(name, value));
        (self.text(name), self.text(&value))
    }

    /// Arguments of a program, at most so many, with those that are secret for what they stand behind redacted.
    pub(super) fn arguments<T: AsRef<str>>(&self, argv: &[T], most: usize) -> Vec<String> {
        let argv = argv.get(..most.min(argv.len())).unwrap_or_default();
        let Some(secrets) = self.secrets else {
            return argv.iter().map(|argument| self.text(argument.as_ref())).collect();
        };
        let redacted = secrets.arguments(argv);
        redacted.iter().map(|argument| self.text(argument)).collect()
    }

    /// A command line in one line. Empty arguments at its end, which a title leaves that a program wrote over them, are
    /// counted.
    pub(super) fn command<T: AsRef<str>>(&self, argv: &[T]) -> String {
        let (shown, empty) = without_empty(argv);
        // Later ones are not in the line anyway.
        let arguments = self.arguments(shown, self.most);
        let quoted: Vec<String> = arguments.into_iter().map(|word| quoted(word.into())).collect();
        let mut line = quoted.join(" ");
        if let Some((end, _)) = line.char_indices().nth(self.most) {
            line.truncate(end);
            line.push('…');
        }
        if empty > 0 {
            line.push_str(&format!(" (and {empty} empty)"));
        }
        line
    }
}

/// Arguments without the empty ones at their end, and how many these are, where they are more than a few.
pub(super) fn without_empty<T: AsRef<str>>(argv: &[T]) -> (&[T], usize) {
    let full = argv.iter().rposition(|argument| !argument.as_ref().is_empty());
    let full = full.map_or(0, |last| last.saturating_add(1));
    match argv.len().saturating_sub(full) {
        0..=FEW_EMPTY => (argv, 0),
        empty => (argv.get(..full).unwrap_or_default(), empty),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_invisible_is_left_and_nothing_is_too_long() {
        let scanner = Redactor::new();
        let legible = Legible { secrets: Some(&scanner), most: 40 };
        assert_eq!(legible.text("a\u{202e}b\0\u{1b}[31m\n"), "a\\u{202e}b\\x00\\x1b[31m\\n");
        assert_eq!(legible.text("<script>"), "<script>");
        let long = legible.text(&"ä".repeat(1 << 20));
        assert_eq!(long, format!("{}… (2097152 bytes)", "ä".repeat(40)));
        assert_eq!(legible.within("abcdef", 3), "abc… (6 bytes)");
        assert_eq!(legible.within("äöü", 3), "äöü");
    }

    #[test]
    fn command_lines() {
        let scanner = Redactor::new();
        let legible = Legible { secrets: Some(&scanner), most: 40 };
        assert_eq!(
            legible.command(&["sh", "-c", "sleep 1; echo 'x'", ""]),
            "sh -c 'sleep 1; echo '\\''x'\\''' ''"
        );
        let line = legible.command(&["mysql", "--password", "hunter2"]);
        assert!(!line.contains("hunter2"), "{line}");
        let many = vec!["x"; 100_000];
        assert_eq!(legible.command(&many).chars().count(), 41);
    }

    #[test]
    fn variables() {
        let scanner = Redactor::new();
        let legible = Legible { secrets: Some(&scanner), most: 40 };
        assert_eq!(legible.variable("PATH=/bin"), ("PATH".into(), "/bin".into()));
        let (name, value) = legible.variable("DB_PASSWORD=hunter2");
        assert_eq!((name.as_str(), value.contains("hunter2")), ("DB_PASSWORD", false));
        assert_eq!(legible.variable("DB_PASSWORD="), ("DB_PASSWORD".into(), String::new()));
        let revealing = Legible { secrets: None, most: 40 };
        assert_eq!(revealing.variable("DB_PASSWORD=hunter2").1, "hunter2");
    }
}
