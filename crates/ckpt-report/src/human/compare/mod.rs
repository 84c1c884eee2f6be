//! `diff A B`: a report of what appeared, what went and what changed.
use super::layout::Layout;
use crate::json::CompareShow;
use ckpt_analysis::compare::Comparison;
use std::io::{self, Write};
/// x
pub fn compare<W: Write>(
    out: &mut W,
    comparison: &Comparison<'_>,
    show: &CompareShow,
    layout: &Layout,
) -> io::Result<()> {
    let _ = (out, comparison, show, layout);
    Ok(())
}
