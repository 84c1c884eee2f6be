//! Decompression on a thread of its own: buffers go to the reader through a bounded channel and come back for reuse.
//!
//! Streams may be several frames long (`pzstd`, `cat a.gz b.gz`) and nested (`tar.gz.zst`). A damaged stream ends early: what
//! came before is served, and the end says what happened and where.

use std::io::{self, BufRead, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use bytes::{Buf, Bytes};

use crate::Error;
use crate::content::as_u64;
use crate::limits::Limits;
use crate::sniff::Codec;
use crate::tape::first_nonzero;

/// Size of the buffers that are handed over. Small enough that a few of them stay in the cache, large enough that handing over
/// costs nothing.
const BUFFER: usize = 512 << 10;
/// Buffers on the way at once.
const IN_FLIGHT: usize = 6;

/// Where compressed (or plain) bytes come from.
pub(crate) enum Source {
    /// Memory, usually a mapping.
    Bytes(Bytes),
    /// A stream such as standard input.
    Reader(Box<dyn Read + Send>),
}

/// What the decoder thread has to say at the end.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Compressions that were removed, the outermost first.
    pub(crate) codecs: Vec<Codec>,
    /// Where and why a stream ended early.
    pub(crate) failure: Option<Failure>,
    /// Bytes behind the end of a compressed stream: codec, offset, count.
    pub(crate) trailing: Vec<(Codec, u64, u64)>,
    /// The source itself could not be read.
    pub(crate) source: Option<Arc<io::Error>>,
    /// Compressions are nested too deeply.
    pub(crate) too_deep: bool,
}

/// A stream that ended early.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) codec: Codec,
    /// In compressed bytes of this codec's stream.
    pub(crate) offset: u64,
    pub(crate) truncated: bool,
    pub(crate) reason: String,
}

type Shared = Arc<Mutex<Report>>;

fn lock(report: &Shared) -> std::sync::MutexGuard<'_, Report> {
    // A report is a set of plain facts: it is good even if a thread died while adding to it.
    report.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A buffer of unpacked bytes.
#[derive(Debug)]
pub(crate) struct Filled {
    buffer: Vec<u8>,
    len: usize,
}

impl Filled {
    pub(crate) fn bytes(&self) -> &[u8] {
        self.buffer.get(..self.len).unwrap_or_default()
    }
}

/// The reading end.
#[derive(Debug)]
pub(crate) struct Feed {
    filled: Receiver<Filled>,
    empty: SyncSender<Vec<u8>>,
    consumed: Arc<AtomicU64>,
    report: Shared,
    thread: JoinHandle<()>,
    /// Whether the decoder has hung up.
    ended: bool,
}

impl Feed {
    /// Starts the decoder.
    pub(crate) fn start(source: Source, limits: &Limits) -> Result<Feed, Error> {
        let (filled_in, filled) = sync_channel(IN_FLIGHT);
        let (empty, empty_out) = sync_channel(IN_FLIGHT);
        let consumed = Arc::new(AtomicU64::new(0));
        let report = Shared::default();
        let input = Input::new(source, Arc::clone(&consumed));
        let theirs = Arc::clone(&report);
        let limits = *limits;
        let thread = std::thread::Builder::new()
            .name("unpack".to_owned())
            .spawn(move || run(input, &limits, &theirs, &filled_in, &empty_out))
            .map_err(|error| Error::io("start a thread to unpack", "", error))?;
        Ok(Feed { filled, empty, consumed, report, thread, ended: false })
    }

    /// The next bytes; `None` at the end.
    pub(crate) fn next(&mut self) -> Option<Filled> {
        let next = self.filled.recv().ok();
        self.ended |= next.is_none();
        next
    }

    /// Gives a buffer back.
    pub(crate) fn give_back(&self, filled: Filled) {
        // If the decoder is done, the buffer is not needed.
        drop(self.empty.try_send(filled.buffer));
    }

    /// Bytes that the decoder has taken from the source so far.
    pub(crate) fn consumed(&self) -> u64 {
        self.consumed.load(Ordering::Relaxed)
    }

    /// Whether the stream is known to have ended early.
    pub(crate) fn has_failed(&self) -> bool {
        let report = lock(&self.report);
        report.failure.is_some() || report.source.is_some()
    }

    /// What the decoder found. Only a decoder that has hung up is waited for: another one may sit in a read from a terminal, and
    /// ends by itself when it finds that nobody listens.
    pub(crate) fn finish(self) -> Report {
        let died = self.ended && self.thread.join().is_err();
        let mut report = std::mem::take(&mut *lock(&self.report));
        if died && report.source.is_none() {
            report.source = Some(Arc::new(io::Error::other("the decoder stopped unexpectedly")));
        }
        report
    }
}

fn run(
    input: Input,
    limits: &Limits,
    report: &Shared,
    filled: &SyncSender<Filled>,
    empty: &Receiver<Vec<u8>>,
) {
    let mut stream = match unwrap_layers(input, limits, report) {
        Ok(stream) => stream,
        Err(error) => {
            lock(report).source.get_or_insert_with(|| Arc::new(error));
            return;
        }
    };
    loop {
        let mut buffer = empty.try_recv().unwrap_or_else(|_| vec![0; BUFFER]);
        let (len, more) = fill(&mut stream, &mut buffer);
        let more = match more {
            Ok(more) => more,
            Err(error) => {
                // Layers keep their own failures to themselves, so this comes from the source.
                lock(report).source.get_or_insert_with(|| Arc::new(error));
                false
            }
        };
        // A reader that has gone away has found an error of its own.
        if (len > 0 && filled.send(Filled { buffer, len }).is_err()) || !more {
            return;
        }
    }
}

/// Removes compressions until something else shows.
fn unwrap_layers(mut input: Input, limits: &Limits, report: &Shared) -> io::Result<Input> {
    loop {
        let head = input.peek(crate::header::BLOCK)?;
        let Some(codec) = Codec::of(head) else {
            return Ok(input);
        };
        let depth = {
            let mut report = lock(report);
            report.codecs.push(codec);
            report.codecs.len()
        };
        if depth > usize::try_from(limits.max_nesting).unwrap_or(usize::MAX) {
            lock(report).too_deep = true;
            return Ok(Input::new(Source::Bytes(Bytes::new()), Arc::default()));
        }
        let frames = Frames::new(input, codec, limits, Arc::clone(report))?;
        input = Input::new(Source::Reader(Box::new(frames)), Arc::default());
    }
}

/// Reads until `buffer` is full: how many bytes, and whether more may follow.
fn fill(stream: &mut Input, buffer: &mut [u8]) -> (usize, io::Result<bool>) {
    let mut len = 0_usize;
    while let Some(free) = buffer.get_mut(len..).filter(|free| !free.is_empty()) {
        match stream.read(free) {
            Ok(0) => return (len, Ok(false)),
            Ok(count) => len = len.saturating_add(count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (len, Err(error)),
        }
    }
    (len, Ok(true))
}

/// A source with a view of what comes next and a count of what was taken.
struct Input {
    source: Source,
    /// What was read ahead from a reader lies at `start..end`; unused for bytes.
    ahead: Vec<u8>,
    start: usize,
    end: usize,
    consumed: Arc<AtomicU64>,
}

impl Input {
    fn new(source: Source, consumed: Arc<AtomicU64>) -> Self {
        Input { source, ahead: Vec::new(), start: 0, end: 0, consumed }
    }

    /// What comes next: at least `count` bytes, unless the source ends. `count` must not be more than a buffer.
    fn peek(&mut self, count: usize) -> io::Result<&[u8]> {
        let reader = match &mut self.source {
            Source::Bytes(bytes) => return Ok(bytes),
            Source::Reader(reader) => reader,
        };
        if self.end.saturating_sub(self.start) < count {
            self.ahead.resize(BUFFER, 0);
            self.ahead.copy_within(self.start..self.end, 0);
            self.end = self.end.saturating_sub(self.start);
            self.start = 0;
            while self.end < count {
                match self.ahead.get_mut(self.end..).map_or(Ok(0), |free| reader.read(free)) {
                    Ok(0) => break,
                    Ok(got) => self.end = self.end.saturating_add(got),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(self.ahead.get(self.start..self.end).unwrap_or_default())
    }

    fn count(&self, amount: usize) {
        self.consumed.fetch_add(as_u64(amount), Ordering::Relaxed);
    }

    fn position(&self) -> u64 {
        self.consumed.load(Ordering::Relaxed)
    }
}

impl Read for Input {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        // Nothing read ahead: straight into the caller's buffer.
        if let Source::Reader(reader) = &mut self.source
            && self.start >= self.end
        {
            let count = reader.read(out)?;
            self.count(count);
            return Ok(count);
        }
        let count = self.fill_buf()?.read(out)?;
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Input {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.peek(1)
    }

    fn consume(&mut self, amount: usize) {
        match &mut self.source {
            Source::Bytes(bytes) => bytes.advance(amount.min(bytes.len())),
            Source::Reader(_) => self.start = self.start.saturating_add(amount).min(self.end),
        }
        self.count(amount);
    }
}

/// One frame (zstd), member (gzip) or stream (xz, bzip2).
enum Frame {
    Gzip(Box<flate2::bufread::GzDecoder<Input>>),
    Zstd(Box<zstd::stream::read::Decoder<'static, Input>>),
    Xz(Box<liblzma::bufread::XzDecoder<Input>>),
    Bzip2(Box<bzip2::bufread::BzDecoder<Input>>),
}

impl Frame {
    fn new(input: Input, codec: Codec, limits: &Limits) -> io::Result<Frame> {
        Ok(match codec {
            Codec::Gzip => Frame::Gzip(Box::new(flate2::bufread::GzDecoder::new(input))),
            Codec::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(input)?.single_frame();
                // zstd knows windows from 2^10 to 2^31.
                decoder
                    .window_log_max(limits.max_window.checked_ilog2().unwrap_or(0).clamp(10, 31))?;
                Frame::Zstd(Box::new(decoder))
            }
            Codec::Xz => {
                // The dictionary, and room for the decoder itself.
                let memory = limits.max_window.saturating_add(16 << 20);
                let stream = liblzma::stream::Stream::new_stream_decoder(memory, 0)?;
                Frame::Xz(Box::new(liblzma::bufread::XzDecoder::new_stream(input, stream)))
            }
            Codec::Bzip2 => Frame::Bzip2(Box::new(bzip2::bufread::BzDecoder::new(input))),
        })
    }

    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self {
            Frame::Gzip(decoder) => decoder.read(out),
            Frame::Zstd(decoder) => decoder.read(out),
            Frame::Xz(decoder) => decoder.read(out),
            Frame::Bzip2(decoder) => decoder.read(out),
        }
    }

    fn input(&self) -> &Input {
        match self {
            Frame::Gzip(decoder) => decoder.get_ref(),
            Frame::Zstd(decoder) => decoder.get_ref(),
            Frame::Xz(decoder) => decoder.get_ref(),
            Frame::Bzip2(decoder) => decoder.get_ref(),
        }
    }

    fn into_input(self) -> Input {
        match self {
            Frame::Gzip(decoder) => decoder.into_inner(),
            Frame::Zstd(decoder) => decoder.into_inner(),
            Frame::Xz(decoder) => decoder.into_inner(),
            Frame::Bzip2(decoder) => decoder.into_inner(),
        }
    }
}

/// All frames of one compressed stream, one after the other.
struct Frames {
    codec: Codec,
    limits: Limits,
    report: Shared,
    frame: Option<Frame>,
}

impl Frames {
    fn new(input: Input, codec: Codec, limits: &Limits, report: Shared) -> io::Result<Self> {
        let frame = Some(Frame::new(input, codec, limits)?);
        Ok(Frames { codec, limits: *limits, report, frame })
    }

    /// The frame is complete: on to the next one, or to the end.
    fn next_frame(&mut self) -> io::Result<()> {
        let Some(frame) = self.frame.take() else { return Ok(()) };
        let mut input = frame.into_input();
        let padding = self.skip_padding(&mut input)?;
        let head = input.peek(10)?;
        if Codec::of(head) == Some(self.codec) {
            self.frame = Some(Frame::new(input, self.codec, &self.limits)?);
            return Ok(());
        }
        if head.is_empty() {
            return Ok(());
        }
        let offset = input.position().saturating_sub(padding);
        let mut count = padding;
        loop {
            let len = input.fill_buf()?.len();
            if len == 0 {
                break;
            }
            count = count.saturating_add(as_u64(len));
            input.consume(len);
        }
        lock(&self.report).trailing.push((self.codec, offset, count));
        Ok(())
    }

    /// Zeros after a frame are padding: tapes and xz have it.
    fn skip_padding(&self, input: &mut Input) -> io::Result<u64> {
        let mut skipped = 0_u64;
        loop {
            let ahead = input.fill_buf()?;
            let zeros = first_nonzero(ahead).unwrap_or(ahead.len());
            if zeros == 0 {
                return Ok(skipped);
            }
            skipped = skipped.saturating_add(as_u64(zeros));
            input.consume(zeros);
        }
    }
}

impl Read for Frames {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        while let Some(frame) = &mut self.frame {
            match frame.read(out) {
                Ok(0) => self.next_frame()?,
                Ok(count) => return Ok(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
                Err(error) => {
                    let failure = Failure {
                        codec: self.codec,
                        offset: frame.input().position(),
                        truncated: error.kind() == io::ErrorKind::UnexpectedEof,
                        reason: error.to_string(),
                    };
                    // The outer layer fails first, and what follows is its consequence.
                    lock(&self.report).failure.get_or_insert(failure);
                    self.frame = None;
                }
            }
        }
        Ok(0)
    }
}
