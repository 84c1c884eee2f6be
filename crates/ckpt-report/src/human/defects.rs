//! Defects as warnings.

use std::io::{self, Write};

use ckpt_model::Defect;

use super::layout::{Layout, Palette, escaped_once, paint};

/// Writes `warning: PLACE: what` for each defect.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn defects<W: Write>(out: &mut W, defects: &[Defect], layout: &Layout) -> io::Result<()> {
    let palette = Palette::of(layout);
    for defect in defects {
        let text = escaped_once(&defect.to_string());
        writeln!(out, "{} {text}", paint(palette.warning, "warning:"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use ckpt_model::DefectKind;

    use super::*;

    #[test]
    fn one_line_each() {
        let place = "checkpoint/core-1.img".to_owned();
        let all = [Defect { place, what: "cut\noff".to_owned(), kind: DefectKind::Damaged }];
        let mut out = Vec::new();
        defects(&mut out, &all, &Layout::default()).unwrap();
        assert_eq!(out, b"warning: checkpoint/core-1.img: cut\\noff\n");
    }
}
