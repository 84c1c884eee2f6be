//! Tars around fuzzed content, so that the fuzzer need not find out about checksums.

const BLOCK: usize = 512;

/// A tar of files.
#[must_use]
pub fn of<'a>(files: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Vec<u8> {
    let mut tar = Vec::new();
    for (name, content) in files {
        tar.extend(header(name, content.len()));
        tar.extend(content);
        tar.resize(tar.len().next_multiple_of(BLOCK), 0);
    }
    tar.resize(tar.len() + 2 * BLOCK, 0);
    tar
}

fn header(name: &[u8], size: usize) -> [u8; BLOCK] {
    let mut header = [0; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &name[..name.len().min(100)]);
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{size:011o}\0").as_bytes());
    put(136, b"15100000000\0");
    put(148, b"        0");
    put(257, b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

/// Splits an input into named files: a byte of name length, the name, two bytes of content length (little-endian), the
/// content. What is short at the end is cut.
pub fn split(input: &[u8]) -> Vec<(&[u8], &[u8])> {
    let mut files = Vec::new();
    let mut left = input;
    let mut take = |want: usize| {
        let (taken, rest) = left.split_at(want.min(left.len()));
        left = rest;
        (!taken.is_empty() || want == 0).then_some(taken)
    };
    while let Some(name) = take(1).and_then(|length| take(usize::from(length[0]))) {
        let length = take(2)
            .map_or(0, |bytes| bytes.iter().rev().fold(0, |n, byte| n << 8 | usize::from(*byte)));
        files.push((name, take(length).unwrap_or_default()));
    }
    files
}

/// The input that [`split`] takes apart into these files; names are cut to 255 bytes, contents to 65,535.
#[must_use]
pub fn join<'a>(files: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Vec<u8> {
    let mut input = Vec::new();
    for (name, content) in files {
        let (name, content) = (&name[..name.len().min(255)], &content[..content.len().min(65_535)]);
        input.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        input.extend(name);
        input.extend(u16::try_from(content.len()).unwrap_or(u16::MAX).to_le_bytes());
        input.extend(content);
    }
    input
}
