//! The chain of causes behind an error.

use std::error::Error as StdError;

/// Most causes that are followed.
const DEPTH: usize = 16;

/// The error and what is behind it, the innermost last.
pub(crate) fn causes<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let error = next?;
        next = error.source();
        Some(error)
    })
    .take(DEPTH)
}

/// The innermost cause, in words: what is around it says nothing more.
pub(crate) fn innermost(error: &(dyn StdError + 'static)) -> String {
    let told = causes(error).last().map_or_else(String::new, ToString::to_string);
    if told.is_empty() { "it ended".to_owned() } else { told }
}
