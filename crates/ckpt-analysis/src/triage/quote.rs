//! Text of the evidence in a finding: short, and safe for a terminal.

/// Most bytes that are quoted.
const MOST: usize = 120;

/// The beginning of a text, escaped; what is cut off is marked.
pub(super) fn quote(text: &[u8]) -> String {
    let text = text.trim_ascii();
    match text.get(..MOST) {
        Some(start) if text.len() > MOST => format!("{}...", ckpt_model::escape(start)),
        _ => ckpt_model::escape(text).into_owned(),
    }
}

/// A title in the middle of a sentence; words such as `AppArmor` and `SSH` stay as they are.
pub(super) fn inside(title: &str) -> String {
    let mut chars = title.chars();
    match (chars.next(), chars.clone().find(|c| !c.is_lowercase())) {
        (Some(first), None | Some(' ')) => first.to_lowercase().chain(chars).collect(),
        _ => title.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{inside, quote};

    #[test]
    fn titles() {
        assert_eq!(inside("A file of AppArmor"), "a file of AppArmor");
        assert_eq!(inside("AppArmor is off"), "AppArmor is off");
    }

    #[test]
    fn short_and_safe() {
        assert_eq!(quote(b"  a\x1b[2J\n"), "a\\x1b[2J");
        assert_eq!(quote(&[b'a'; 500]).len(), 123);
    }
}
