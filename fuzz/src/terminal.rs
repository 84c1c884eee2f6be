//! What may reach a terminal.

/// Text and line ends, and no control character that would do anything there.
pub(crate) fn assert_fit(out: &[u8]) {
    let text = std::str::from_utf8(out).expect("text is UTF-8");
    let unfit = text.chars().find(|letter| letter.is_control() && *letter != '\n');
    assert_eq!(unfit, None, "a control character reaches the terminal");
}
