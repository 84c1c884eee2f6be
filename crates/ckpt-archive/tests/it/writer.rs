//! A tar writer that shares nothing with the reader: fields are put at their offsets by hand.

use ckpt_archive::{Evidence, Options};

pub(crate) const BLOCK: usize = 512;

/// An archive that grows.
#[derive(Default, Clone)]
pub(crate) struct Tar(pub(crate) Vec<u8>);

pub(crate) fn octal(value: u64, width: usize) -> Vec<u8> {
    format!("{value:0width$o}\0", width = width - 1).into_bytes()
}

/// A header with the usual fields and whatever `change` puts into it; the checksum comes last.
pub(crate) fn header(
    name: &[u8],
    flag: u8,
    size: u64,
    change: impl FnOnce(&mut [u8; BLOCK]),
) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    put(&mut block, 0, name);
    put(&mut block, 100, &octal(0o644, 8));
    put(&mut block, 108, &octal(1000, 8));
    put(&mut block, 116, &octal(1001, 8));
    put(&mut block, 124, &octal(size, 12));
    put(&mut block, 136, &octal(1_700_000_000, 12));
    block[156] = flag;
    put(&mut block, 257, b"ustar\x0000");
    change(&mut block);
    seal(&mut block);
    block
}

pub(crate) fn put(block: &mut [u8], at: usize, bytes: &[u8]) {
    block[at..at + bytes.len()].copy_from_slice(bytes);
}

pub(crate) fn seal(block: &mut [u8; BLOCK]) {
    put(block, 148, b"        ");
    let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
    put(block, 148, format!("{sum:06o}\0 ").as_bytes());
}

pub(crate) fn gnu(block: &mut [u8; BLOCK]) {
    put(block, 257, b"ustar  \0");
}

/// One PAX record, with its length counted in.
pub(crate) fn record(key: &str, value: &[u8]) -> Vec<u8> {
    let body = [b" ", key.as_bytes(), b"=", value, b"\n"].concat();
    let mut len = body.len();
    while len != body.len() + len.to_string().len() {
        len = body.len() + len.to_string().len();
    }
    [len.to_string().as_bytes(), &body].concat()
}

impl Tar {
    pub(crate) fn block(mut self, block: [u8; BLOCK]) -> Self {
        self.0.extend_from_slice(&block);
        self
    }

    /// Data and its padding.
    pub(crate) fn data(mut self, data: &[u8]) -> Self {
        self.0.extend_from_slice(data);
        self.0.resize(self.0.len().next_multiple_of(BLOCK), 0);
        self
    }

    pub(crate) fn entry(self, name: &[u8], flag: u8, data: &[u8]) -> Self {
        self.block(header(name, flag, data.len() as u64, |_| {})).data(data)
    }

    pub(crate) fn file(self, name: &str, data: &[u8]) -> Self {
        self.entry(name.as_bytes(), b'0', data)
    }

    pub(crate) fn link(self, name: &str, flag: u8, target: &str) -> Self {
        self.block(header(name.as_bytes(), flag, 0, |block| put(block, 157, target.as_bytes())))
    }

    pub(crate) fn pax(self, flag: u8, records: &[(&str, &[u8])]) -> Self {
        let data: Vec<u8> = records.iter().flat_map(|(key, value)| record(key, value)).collect();
        self.entry(b"PaxHeaders/x", flag, &data)
    }

    /// The end mark.
    pub(crate) fn end(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 2 * BLOCK, 0);
        self.0
    }
}

pub(crate) fn open(bytes: Vec<u8>) -> Evidence {
    open_with(bytes, &Options::default()).unwrap()
}

pub(crate) fn open_with(
    bytes: Vec<u8>,
    options: &Options,
) -> Result<Evidence, ckpt_archive::Error> {
    Evidence::from_bytes("test", bytes.into(), options)
}

/// Path and content of each regular member.
pub(crate) fn files(evidence: &Evidence) -> Vec<(String, Vec<u8>)> {
    let files = evidence.members().iter().filter(|member| member.is_file());
    files
        .map(|member| {
            let content = evidence.content(member).unwrap().bytes().unwrap();
            (String::from_utf8_lossy(&member.path).into_owned(), content.to_vec())
        })
        .collect()
}

pub(crate) fn codes(evidence: &Evidence) -> Vec<&'static str> {
    evidence.defects().iter().map(ckpt_archive::Defect::code).collect()
}

/// Bytes that do not compress and are the same every time.
pub(crate) fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..len).map(|_| next()).collect()
}
