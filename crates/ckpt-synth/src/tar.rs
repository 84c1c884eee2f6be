//! A tar file, header by header: ustar with the extensions of GNU and POSIX (pax).

use std::io::{self, Write};

use crate::content::Content;

/// What a member is.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link to this target.
    Symlink(Vec<u8>),
    /// A hard link to the member of this name.
    Hardlink(Vec<u8>),
    /// A character device.
    CharDevice(u32, u32),
    /// A block device.
    BlockDevice(u32, u32),
    /// A named pipe.
    Fifo,
    /// A file with holes: pieces by offset, and the full size.
    Sparse {
        /// Offset and bytes, in order.
        pieces: Vec<(u64, Vec<u8>)>,
        /// Size with holes.
        size: u64,
        /// How the map of pieces is written.
        form: SparseForm,
    },
    /// Any other type flag, with the content as it is.
    Other(u8),
}

/// The ways in which tar writes a file with holes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SparseForm {
    /// Type `S`: four pieces in the header, more in blocks behind it.
    OldGnu,
    /// `GNU.sparse.map` in a pax header (version 0.1).
    Pax01,
    /// The map as text at the start of the content (version 1.0).
    Pax10,
}

/// How a name that does not fit into 100 bytes is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NameForm {
    /// GNU's `././@LongLink`, where it is needed.
    #[default]
    Gnu,
    /// A pax header, always.
    Pax,
    /// The `prefix` field of ustar, split at the last slash that fits.
    Prefix,
}

/// Key and value.
type PaxRecord = (Vec<u8>, Vec<u8>);

/// A member of an archive.
#[derive(Clone, Debug)]
pub struct Member {
    pub(crate) name: Vec<u8>,
    pub(crate) kind: Kind,
    pub(crate) content: Content,
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) mtime: Option<u64>,
    pub(crate) form: NameForm,
    pub(crate) pax: Vec<PaxRecord>,
    pub(crate) claimed_size: Option<u64>,
    pub(crate) owner: Option<&'static str>,
}

impl Member {
    /// A member of any kind, mode 0644 (directories 0755).
    #[must_use]
    pub fn new(name: impl Into<Vec<u8>>, kind: Kind) -> Self {
        let mode = if matches!(kind, Kind::Directory) { 0o755 } else { 0o644 };
        Self {
            name: name.into(),
            kind,
            content: Content::new(),
            mode,
            uid: 0,
            gid: 0,
            mtime: None,
            form: NameForm::Gnu,
            pax: Vec::new(),
            claimed_size: None,
            owner: None,
        }
    }

    /// A regular file.
    #[must_use]
    pub fn file(name: impl Into<Vec<u8>>, content: impl Into<Content>) -> Self {
        Self { content: content.into(), ..Self::new(name, Kind::File) }
    }

    /// A directory; the slash at the end is put where the name has none.
    #[must_use]
    pub fn dir(name: impl Into<Vec<u8>>) -> Self {
        let mut name = name.into();
        if name.last() != Some(&b'/') {
            name.push(b'/');
        }
        Self::new(name, Kind::Directory)
    }

    /// Content, also for kinds that have none as a rule.
    #[must_use]
    pub fn content(self, content: impl Into<Content>) -> Self {
        Self { content: content.into(), ..self }
    }

    /// Permission bits.
    #[must_use]
    pub fn mode(self, mode: u32) -> Self {
        Self { mode, ..self }
    }

    /// Owner by number.
    #[must_use]
    pub fn owner(self, uid: u32, gid: u32) -> Self {
        Self { uid, gid, ..self }
    }

    /// Owner and group by name.
    #[must_use]
    pub fn owner_name(self, name: &'static str) -> Self {
        Self { owner: Some(name), ..self }
    }

    /// Seconds since 1970; by default the archive's.
    #[must_use]
    pub fn mtime(self, seconds: u64) -> Self {
        Self { mtime: Some(seconds), ..self }
    }

    /// How a long name is written.
    #[must_use]
    pub fn name_form(self, form: NameForm) -> Self {
        Self { form, ..self }
    }

    /// Adds a pax record, for example `SCHILY.xattr.user.x`.
    #[must_use]
    pub fn pax(mut self, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Self {
        self.pax.push((key.into(), value.into()));
        self
    }

    /// Writes this size into the header, whatever the content's is.
    #[must_use]
    pub fn claimed_size(self, size: u64) -> Self {
        Self { claimed_size: Some(size), ..self }
    }

    /// Another name, made from the one it has.
    #[must_use]
    pub fn renamed(self, rename: impl FnOnce(&[u8]) -> Vec<u8>) -> Self {
        let name = rename(&self.name);
        Self { name, ..self }
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    pub(crate) fn write_to(&self, out: &mut dyn Write, mtime: u64) -> io::Result<()> {
        let (flag, link) = match &self.kind {
            Kind::File => (b'0', &[][..]),
            Kind::Hardlink(target) => (b'1', target.as_slice()),
            Kind::Symlink(target) => (b'2', target.as_slice()),
            Kind::CharDevice(..) => (b'3', &[][..]),
            Kind::BlockDevice(..) => (b'4', &[][..]),
            Kind::Directory => (b'5', &[][..]),
            Kind::Fifo => (b'6', &[][..]),
            Kind::Sparse { form: SparseForm::OldGnu, .. } => (b'S', &[][..]),
            Kind::Sparse { .. } => (b'0', &[][..]),
            Kind::Other(flag) => (*flag, &[][..]),
        };
        let mut header = Header::new(flag, self.mode, self.uid, self.gid);
        header.mtime(self.mtime.unwrap_or(mtime));
        if let Kind::CharDevice(major, minor) | Kind::BlockDevice(major, minor) = &self.kind {
            header.device(*major, *minor);
        }
        if let Some(name) = self.owner {
            header.put(265, name.as_bytes());
            header.put(297, name.as_bytes());
        }
        let (content, extension, records) = self.sparse(&mut header);
        self.write_names(&mut header, link, records, out)?;
        header.size(self.claimed_size.unwrap_or(content.len()));
        out.write_all(&header.finish())?;
        out.write_all(&extension)?;
        content.write_to(out)?;
        pad(content.len(), out)
    }

    /// The content as stored, blocks between header and content, and pax records.
    fn sparse(&self, header: &mut Header) -> (Content, Vec<u8>, Vec<PaxRecord>) {
        let Kind::Sparse { pieces, size, form } = &self.kind else {
            return (self.content.clone(), Vec::new(), Vec::new());
        };
        let stored = pieces.iter().flat_map(|(_, bytes)| bytes.clone());
        let mut map: Vec<(u64, u64)> =
            pieces.iter().map(|(offset, bytes)| (*offset, bytes.len() as u64)).collect();
        let end = map.last().map_or(0, |(offset, len)| offset + len);
        if end < *size {
            // A hole at the end is told by an empty piece there.
            map.push((*size, 0));
        }
        let text = |value: u64| value.to_string().into_bytes();
        match form {
            SparseForm::OldGnu => {
                header.gnu();
                header.octal(483, 12, *size);
                let (mut at, mut rest) = (386, map.as_slice());
                for (offset, len) in rest.iter().take(4) {
                    header.octal(at, 12, *offset);
                    header.octal(at + 12, 12, *len);
                    at += 24;
                }
                rest = rest.get(4..).unwrap_or_default();
                let mut blocks = Vec::new();
                if !rest.is_empty() {
                    header.put(482, &[1]);
                }
                let groups: Vec<_> = rest.chunks(21).collect();
                for (index, group) in groups.iter().enumerate() {
                    let mut block = Header { bytes: [0; 512] };
                    for (slot, (offset, len)) in group.iter().enumerate() {
                        block.octal(slot * 24, 12, *offset);
                        block.octal(slot * 24 + 12, 12, *len);
                    }
                    if index + 1 < groups.len() {
                        block.put(504, &[1]);
                    }
                    blocks.extend(block.bytes);
                }
                (Content::from(stored.collect::<Vec<u8>>()), blocks, Vec::new())
            }
            SparseForm::Pax01 => {
                let list: Vec<_> =
                    map.iter().map(|(offset, len)| format!("{offset},{len}")).collect();
                let records = vec![
                    (b"GNU.sparse.size".to_vec(), text(*size)),
                    (b"GNU.sparse.numblocks".to_vec(), text(map.len() as u64)),
                    (b"GNU.sparse.name".to_vec(), self.name.clone()),
                    (b"GNU.sparse.map".to_vec(), list.join(",").into_bytes()),
                ];
                (Content::from(stored.collect::<Vec<u8>>()), Vec::new(), records)
            }
            SparseForm::Pax10 => {
                let mut bytes = format!("{}\n", map.len()).into_bytes();
                for (offset, len) in &map {
                    bytes.extend(format!("{offset}\n{len}\n").into_bytes());
                }
                bytes.resize(bytes.len().next_multiple_of(512), 0);
                bytes.extend(stored);
                let records = vec![
                    (b"GNU.sparse.major".to_vec(), text(1)),
                    (b"GNU.sparse.minor".to_vec(), text(0)),
                    (b"GNU.sparse.name".to_vec(), self.name.clone()),
                    (b"GNU.sparse.realsize".to_vec(), text(*size)),
                ];
                (Content::from(bytes), Vec::new(), records)
            }
        }
    }

    /// Name and link target in the header, or in members of their own before it.
    fn write_names(
        &self,
        header: &mut Header,
        link: &[u8],
        mut records: Vec<PaxRecord>,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let sparse_pax = !records.is_empty();
        records.extend(self.pax.iter().cloned());
        let mut name = self.name.clone();
        if sparse_pax {
            name = [b"GNUSparseFile.0/", self.name.as_slice()].concat();
        }
        match self.form {
            NameForm::Pax => {
                records.push((b"path".to_vec(), self.name.clone()));
                if !link.is_empty() {
                    records.push((b"linkpath".to_vec(), link.to_vec()));
                }
            }
            NameForm::Gnu => {
                for (flag, long) in [(b'K', link), (b'L', name.as_slice())] {
                    if long.len() > 100 {
                        header.gnu();
                        let mut extra = Header::new(flag, 0o644, 0, 0);
                        extra.gnu();
                        extra.put(0, b"././@LongLink");
                        extra.size(long.len() as u64 + 1);
                        out.write_all(&extra.finish())?;
                        out.write_all(long)?;
                        out.write_all(&[0])?;
                        pad(long.len() as u64 + 1, out)?;
                    }
                }
            }
            NameForm::Prefix => {
                let cut = (0..name.len().min(156)).rev().find(|at| name.get(*at) == Some(&b'/'));
                if let Some(cut) = cut.filter(|_| name.len() > 100) {
                    let rest = name.split_off(cut + 1);
                    name.truncate(cut);
                    header.put(345, &name);
                    name = rest;
                }
            }
        }
        if !records.is_empty() {
            let body = pax_records(&records);
            let mut extra = Header::new(b'x', 0o644, 0, 0);
            extra.put(0, b"PaxHeaders.0/member");
            extra.size(body.len() as u64);
            out.write_all(&extra.finish())?;
            out.write_all(&body)?;
            pad(body.len() as u64, out)?;
        }
        header.put(0, name.get(..100).unwrap_or(&name));
        header.put(157, link.get(..100).unwrap_or(link));
        Ok(())
    }
}

/// The two zero blocks that end an archive.
pub(crate) fn write_end(out: &mut dyn Write) -> io::Result<()> {
    out.write_all(&[0; 1024])
}

fn pad(len: u64, out: &mut dyn Write) -> io::Result<()> {
    let missing = usize::try_from(len.next_multiple_of(512) - len).unwrap_or_default();
    out.write_all([0; 512].get(..missing).unwrap_or_default())
}

/// `length key=value\n`, where the length counts itself.
fn pax_records(records: &[PaxRecord]) -> Vec<u8> {
    let mut body = Vec::new();
    for (key, value) in records {
        let rest = key.len() + value.len() + 3;
        let mut len = rest + 1;
        while rest + len.to_string().len() != len {
            len += 1;
        }
        body.extend(format!("{len} ").into_bytes());
        body.extend(key);
        body.push(b'=');
        body.extend(value);
        body.push(b'\n');
    }
    body
}

struct Header {
    bytes: [u8; 512],
}

impl Header {
    fn new(flag: u8, mode: u32, uid: u32, gid: u32) -> Self {
        let mut header = Self { bytes: [0; 512] };
        header.octal(100, 8, u64::from(mode));
        header.octal(108, 8, u64::from(uid));
        header.octal(116, 8, u64::from(gid));
        header.octal(124, 12, 0);
        header.octal(136, 12, 0);
        header.put(156, &[flag]);
        header.put(257, b"ustar\x0000");
        header
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.bytes.iter_mut().skip(at).zip(bytes).for_each(|(slot, byte)| *slot = *byte);
    }

    /// Digits and a NUL; what is too large becomes binary with the highest bit set, as GNU does.
    fn octal(&mut self, at: usize, width: usize, value: u64) {
        let digits = format!("{value:0>width$o}", width = width - 1);
        if digits.len() < width {
            self.put(at, digits.as_bytes());
            self.put(at + width - 1, &[0]);
        } else {
            self.put(at, &vec![0; width]);
            self.put(at, &[0x80]);
            self.put(at + width - 8, &value.to_be_bytes());
        }
    }

    fn gnu(&mut self) {
        self.put(257, b"ustar  \0");
    }

    fn size(&mut self, size: u64) {
        self.octal(124, 12, size);
    }

    fn mtime(&mut self, seconds: u64) {
        self.octal(136, 12, seconds);
    }

    fn device(&mut self, major: u32, minor: u32) {
        self.octal(329, 8, u64::from(major));
        self.octal(337, 8, u64::from(minor));
    }

    fn finish(mut self) -> [u8; 512] {
        self.put(148, b"        ");
        let sum: u64 = self.bytes.iter().map(|byte| u64::from(*byte)).sum();
        self.put(148, format!("{sum:06o}\0 ").as_bytes());
        self.bytes
    }
}
