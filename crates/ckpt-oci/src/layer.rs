//! The layer: entries as a tar stream, compressed and hashed while it is written.

use std::collections::HashSet;
use std::io::{self, Write};

use ckpt_archive::{Absence, Chunk, Content, Progress, Sha256Digest};
use ckpt_model::{Defect, DefectKind, escape};
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

use crate::header::{BLOCK, EntryKind, padding};
use crate::image::Blob;
use crate::plan::{Entry, Plan, left_out};

/// Bytes that are written at once, between two steps of a progress bar.
const STEP: usize = 1 << 20;

/// Zeros for holes.
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// How a layer is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Not at all: the blob's digest is the layer's own (its `diff_id`).
    None,
    /// gzip, which every engine reads.
    #[default]
    Gzip,
    /// zstd: faster and smaller; engines and registries of long ago do not know it.
    Zstd,
}

impl Compression {
    /// Media type of such a layer.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        // source: image-spec layer.md
        match self {
            Self::None => "application/vnd.oci.image.layer.v1.tar",
            Self::Gzip => "application/vnd.oci.image.layer.v1.tar+gzip",
            Self::Zstd => "application/vnd.oci.image.layer.v1.tar+zstd",
        }
    }

    /// The word in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

/// A layer that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// The blob as it was written.
    pub blob: Blob,
    /// How it is compressed.
    pub compression: Compression,
    /// Digest of the uncompressed tar stream, as image configurations have it.
    pub diff_id: Sha256Digest,
    /// Bytes of the uncompressed tar stream.
    pub unpacked: u64,
    /// Entries.
    pub members: u64,
    /// What could not be read while it was written: the plan's own are not among them.
    pub defects: Vec<Defect>,
}

impl Plan<'_> {
    /// Writes the layer, and hashes it in both forms on the way. Contents are streamed; none is held in memory.
    ///
    /// A content that cannot be read leaves its member out; of one that the archive cut, what is there is written. Both are
    /// told in the layer's defects.
    ///
    /// # Errors
    ///
    /// When `out` cannot be written to.
    pub fn write_layer<W: Write>(
        &self,
        compression: Compression,
        out: W,
        progress: Option<&dyn Progress>,
    ) -> io::Result<Layer> {
        if let Some(progress) = progress {
            progress.begin("building", Some(self.content_size()));
        }
        let layer = self.write(compression, out, progress);
        if let Some(progress) = progress {
            progress.end();
        }
        layer
    }

    fn write<W: Write>(
        &self,
        compression: Compression,
        out: W,
        progress: Option<&dyn Progress>,
    ) -> io::Result<Layer> {
        let mut writer = Writer {
            tar: Hashed::new(Encoder::new(compression, Hashed::new(out))?),
            progress,
            skipped: HashSet::new(),
            members: 0,
            defects: Vec::new(),
        };
        for entry in &self.entries {
            writer.entry(self, entry)?;
        }
        let Writer { mut tar, members, defects, .. } = writer;
        // The end mark.
        tar.write_all(&[0; 2 * BLOCK])?;
        let (encoder, diff_id, unpacked) = tar.finish();
        let (mut out, digest, size) = encoder.finish()?.finish();
        out.flush()?;
        let blob = Blob { media_type: compression.media_type(), digest, size };
        Ok(Layer { blob, compression, diff_id, unpacked, members, defects })
    }
}

/// A layer while it is written.
struct Writer<'p, W: Write> {
    tar: Hashed<Encoder<Hashed<W>>>,
    progress: Option<&'p dyn Progress>,
    /// Paths of files that could not be read, so that nothing links to them.
    skipped: HashSet<&'p [u8]>,
    members: u64,
    defects: Vec<Defect>,
}

impl<'p, W: Write> Writer<'p, W> {
    fn entry(&mut self, plan: &'p Plan<'_>, entry: &'p Entry<'_>) -> io::Result<()> {
        if let EntryKind::HardLink(target) = entry.kind
            && self.skipped.contains(target)
        {
            let why = "it is a hard link to what is not in the image before it";
            self.defects.push(left_out(entry.member, why));
            return Ok(());
        }
        let content = match entry.kind {
            EntryKind::File => match plan.evidence.content(entry.member) {
                Ok(content) => Some(content),
                Err(error) => {
                    self.skip(entry, escape(error.to_string().as_bytes()));
                    return Ok(());
                }
            },
            _ => None,
        };
        let Some(content) = content else {
            return self.begin(entry, 0);
        };
        let (size, lost) = whole(&content);
        self.begin(entry, size)?;
        self.content(&content, size)?;
        if let Some(why) = lost {
            let why = match why {
                Absence::Damaged => "its sparse map is damaged",
                _ => "the archive is cut",
            };
            self.defects.push(Defect {
                place: escape(&entry.member.path).into_owned(),
                what: format!("the image has {size} of its {} bytes: {why}", entry.member.size),
                kind: DefectKind::Damaged,
            });
        }
        Ok(())
    }

    fn skip(&mut self, entry: &'p Entry<'_>, why: impl AsRef<str>) {
        self.skipped.insert(entry.path);
        let mut defect = left_out(entry.member, why);
        defect.kind = DefectKind::Damaged;
        self.defects.push(defect);
        self.advance(entry.member.size);
    }

    fn begin(&mut self, entry: &Entry<'_>, size: u64) -> io::Result<()> {
        self.members = self.members.saturating_add(1);
        self.tar.write_all(&entry.header(size, &mut 0).bytes())
    }

    fn content(&mut self, content: &Content, size: u64) -> io::Result<()> {
        for chunk in content.chunks(0..size) {
            match chunk {
                Chunk::Data(bytes) => {
                    for step in bytes.chunks(STEP) {
                        self.tar.write_all(step)?;
                        self.advance(step.len() as u64);
                    }
                }
                Chunk::Hole(len) | Chunk::Missing { len, .. } => self.zeros(len)?,
            }
        }
        let padding = padding(size);
        self.tar.write_all(ZEROS.get(..padding).unwrap_or_default())
    }

    fn zeros(&mut self, len: u64) -> io::Result<()> {
        let mut left = len;
        while left > 0 {
            let step = usize::try_from(left).unwrap_or(usize::MAX).min(ZEROS.len());
            self.tar.write_all(ZEROS.get(..step).unwrap_or_default())?;
            left = left.saturating_sub(step as u64);
            self.advance(step as u64);
        }
        Ok(())
    }

    fn advance(&self, bytes: u64) {
        if let Some(progress) = self.progress {
            progress.advance(bytes);
        }
    }
}

/// How much of a content can be written: up to its first byte that is not there; and why that one is not.
fn whole(content: &Content) -> (u64, Option<Absence>) {
    let mut size = 0_u64;
    for chunk in content.chunks(0..content.len()) {
        if let Chunk::Missing { why, .. } = chunk {
            return (size, Some(why));
        }
        size = size.saturating_add(chunk.len());
    }
    (size, None)
}

/// A writer that knows the digest and the number of the bytes that went through it.
struct Hashed<W> {
    out: W,
    hash: Sha256,
    written: u64,
}

impl<W: Write> Hashed<W> {
    fn new(out: W) -> Self {
        Self { out, hash: Sha256::new(), written: 0 }
    }

    fn finish(self) -> (W, Sha256Digest, u64) {
        (self.out, Sha256Digest(self.hash.finalize().into()), self.written)
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.hash.update(bytes.get(..count).unwrap_or_default());
        self.written = self.written.saturating_add(count as u64);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A compressor. Its output depends on nothing but its input: gzip's header has no time, zstd runs on one thread.
enum Encoder<W: Write> {
    None(W),
    Gzip(GzEncoder<W>),
    Zstd(zstd::Encoder<'static, W>),
}

impl<W: Write> Encoder<W> {
    fn new(compression: Compression, out: W) -> io::Result<Self> {
        Ok(match compression {
            Compression::None => Self::None(out),
            Compression::Gzip => Self::Gzip(GzEncoder::new(out, flate2::Compression::default())),
            Compression::Zstd => {
                let mut encoder = zstd::Encoder::new(out, 0)?;
                encoder.include_checksum(true)?;
                Self::Zstd(encoder)
            }
        })
    }

    fn finish(self) -> io::Result<W> {
        match self {
            Self::None(out) => Ok(out),
            Self::Gzip(encoder) => encoder.finish(),
            Self::Zstd(encoder) => encoder.finish(),
        }
    }
}

impl<W: Write> Write for Encoder<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::None(out) => out.write(bytes),
            Self::Gzip(encoder) => encoder.write(bytes),
            Self::Zstd(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::None(out) => out.flush(),
            Self::Gzip(encoder) => encoder.flush(),
            Self::Zstd(encoder) => encoder.flush(),
        }
    }
}
