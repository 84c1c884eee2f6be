//! Evidence that passes by once.

use std::io::{Cursor, Read as _, Write as _};
use std::sync::Arc;

use ckpt_archive::{Evidence, Kept, Member, Select, Selection};

use crate::options;

/// The content as a stream; the low bits of `form` say how it is compressed, bit 3 whether all of it is kept.
#[must_use]
pub fn evidence(form: u8, content: &[u8]) -> Option<Evidence> {
    let options = if form & 8 == 0 { options() } else { options().select(Arc::new(SomeOfIt)) };
    let stream = match form & 7 {
        1 => zstd(content),
        2 => gzip(content),
        3 => xz(content),
        4 => bzip2(content),
        5 => zstd(&gzip(content)),
        6 => gzip(content).into_iter().rev().skip(7).rev().collect(),
        _ => content.to_vec(),
    };
    Evidence::from_reader("fuzz", Cursor::new(stream), &options).ok()
}

/// Keeps what a reader of memory would: parts, depending on what has passed by.
struct SomeOfIt;

impl Select for SomeOfIt {
    fn select(&self, member: &Member, kept: &Kept<'_>) -> Selection {
        match (member.size % 3, kept.members().len() % 2) {
            (0, _) => Selection::All,
            (1, 0) => Selection::Nothing,
            (_, seen) => {
                let half = member.size / 2;
                let start =
                    kept.get(&member.path).map_or(seen as u64, |content| content.len() as u64);
                Selection::Ranges(vec![half..u64::MAX, start..half, 3..1])
            }
        }
    }
}

fn zstd(content: &[u8]) -> Vec<u8> {
    zstd::encode_all(content, 1).unwrap_or_default()
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let _ = encoder.write_all(content);
    encoder.finish().unwrap_or_default()
}

fn xz(content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let _ = liblzma::read::XzEncoder::new(content, 0).read_to_end(&mut out);
    out
}

fn bzip2(content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let _ = bzip2::read::BzEncoder::new(content, bzip2::Compression::fast()).read_to_end(&mut out);
    out
}
