//! Where a core goes.

use std::io::{self, BufWriter, Seek, SeekFrom, Write};

/// Bytes gathered before they are written. Longer runs of memory pass by: they are written from where they lie.
const BUFFER: usize = 256 << 10;
/// Zeros to write from.
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
/// Shortest run of zeros that becomes a hole, bytes: less than a block of a file system is none.
const HOLE: u64 = 4 << 10;

pub(crate) trait Sink {
    fn bytes(&mut self, bytes: &[u8]) -> io::Result<()>;
    fn zeros(&mut self, count: u64) -> io::Result<()>;
    fn finish(self) -> io::Result<()>;
}

/// Every byte, one after the other.
pub(crate) struct Stream<W: Write>(BufWriter<W>);

impl<W: Write> Stream<W> {
    pub(crate) fn new(out: W) -> Self {
        Self(BufWriter::with_capacity(BUFFER, out))
    }
}

impl<W: Write> Sink for Stream<W> {
    fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn zeros(&mut self, mut count: u64) -> io::Result<()> {
        while count > 0 {
            let piece = usize::try_from(count).map_or(ZEROS.len(), |count| count.min(ZEROS.len()));
            self.0.write_all(ZEROS.get(..piece).unwrap_or_default())?;
            count = count.saturating_sub(piece as u64);
        }
        Ok(())
    }

    fn finish(mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Zeros are passed over where that saves a block.
pub(crate) struct Sparse<W: Write + Seek> {
    stream: Stream<W>,
    ends_in_hole: bool,
}

impl<W: Write + Seek> Sparse<W> {
    pub(crate) fn new(out: W) -> Self {
        Self { stream: Stream::new(out), ends_in_hole: false }
    }
}

impl<W: Write + Seek> Sink for Sparse<W> {
    fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.ends_in_hole &= bytes.is_empty();
        self.stream.bytes(bytes)
    }

    fn zeros(&mut self, count: u64) -> io::Result<()> {
        match i64::try_from(count) {
            Ok(distance) if count >= HOLE => {
                self.ends_in_hole = true;
                self.stream.0.seek(SeekFrom::Current(distance)).map(drop)
            }
            _ => {
                self.ends_in_hole &= count == 0;
                self.stream.zeros(count)
            }
        }
    }

    fn finish(mut self) -> io::Result<()> {
        if self.ends_in_hole {
            // Nothing but a byte makes the file as long as the hole.
            self.stream.0.seek(SeekFrom::Current(-1))?;
            self.stream.bytes(&[0])?;
        }
        self.stream.finish()
    }
}
