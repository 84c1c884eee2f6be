//! What the scanners find in parts, held against what they find in one look, and strings against the model of the tests.

use std::convert::Infallible;
use std::ops::ControlFlow;

use bytes::Bytes;
use ckpt_scan::search::Search;
use ckpt_scan::secrets::SecretScanner;
use ckpt_scan::strings::{Encoding, Encodings, Options, Strings};
use ckpt_scan::{Hit, Piece, Scanner, Sink, Work, run};

#[path = "../../crates/ckpt-scan/tests/it/model.rs"]
mod model;

/// Position, bytes, encoding, pattern.
type Seen = (u64, Vec<u8>, Encoding, usize);

struct Keep;

impl Sink for Keep {
    type Batch = Vec<Seen>;

    fn add(&self, batch: &mut Vec<Seen>, hit: &Hit<'_>) -> ControlFlow<()> {
        let found = hit.found;
        batch.push((found.range.start, hit.bytes.to_vec(), found.encoding, found.pattern));
        ControlFlow::Continue(())
    }
}

/// Scans memory that begins at `start`, in pieces of `cut` bytes and parts of `chunk` bytes.
fn scan<S: Scanner>(memory: &[u8], start: u64, cut: usize, chunk: usize, scanner: &S) -> Vec<Seen> {
    let pieces = memory.chunks(cut.max(1)).scan(start, |at, bytes| {
        let piece = Piece { region: 0, start: *at, bytes: Bytes::copy_from_slice(bytes) };
        *at += bytes.len() as u64;
        Some(piece)
    });
    let pieces: Vec<Piece> = pieces.collect();
    let mut all = Vec::new();
    let work = Work { threads: 1, chunk };
    let Ok(()) = run(pieces.into_iter(), scanner, &Keep, work, |mut batch| {
        all.append(&mut batch);
        Ok::<(), Infallible>(())
    });
    all
}

/// Three bytes say how, the rest is memory.
pub fn strings(input: &[u8]) {
    let [how, cut, chunk, memory @ ..] = input else { return };
    let all =
        [(1, Encoding::Ascii), (2, Encoding::Utf8), (4, Encoding::Utf16Le), (8, Encoding::Utf16Be)];
    let some: Vec<Encoding> =
        all.iter().filter(|(bit, _)| how & bit != 0).map(|(_, encoding)| *encoding).collect();
    let encodings = if some.is_empty() { Encodings::ALL } else { Encodings::of(&some) };
    let min_length = usize::from(how >> 5) + 1;
    let start = 0x1000 + u64::from(how >> 4 & 1);
    let options = Options { min_length, encodings, ..Options::default() };
    let found =
        scan(memory, start, usize::from(*cut), usize::from(*chunk) + 1, &Strings::new(options));
    let found: Vec<model::Naive> =
        found.into_iter().map(|(at, bytes, e, _)| (at, bytes, e)).collect();
    assert_eq!(found, model::strings(memory, start, &options));
}

/// Three bytes say how, then comes a pattern up to a line feed; the rest is memory.
pub fn search(input: &[u8]) {
    let [how, cut, chunk, rest @ ..] = input else { return };
    let Some(end) = rest.iter().position(|byte| *byte == b'\n') else { return };
    let Ok(pattern) = std::str::from_utf8(&rest[..end]) else { return };
    let memory = &rest[end + 1..];
    let builder = Search::builder().ignore_case(how & 4 != 0).utf16(how & 8 != 0);
    let builder = match how & 3 {
        0 => builder.literal(pattern),
        1 => builder.hex(pattern),
        // What compiles to megabytes is slow, and says nothing of the scanner.
        _ if pattern.len() > 64 => return,
        _ => builder.regex(pattern),
    };
    let search = match builder.build() {
        Ok(search) => search,
        Err(error) => {
            let text = error.to_string();
            assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
            return;
        }
    };
    let whole = scan(memory, 0x1000, memory.len(), memory.len().max(1), &search);
    let parts = scan(memory, 0x1000, usize::from(*cut), usize::from(*chunk) + 1, &search);
    assert_eq!(whole, parts);
}

/// Two bytes say how, the rest is memory: what is a secret does not depend on where it is cut, and what is shown of one is not
/// the secret.
pub fn secrets(input: &[u8]) {
    struct Shown<'a>(&'a SecretScanner);
    impl Sink for Shown<'_> {
        type Batch = ();

        fn add(&self, (): &mut (), hit: &Hit<'_>) -> ControlFlow<()> {
            let secret = self.0.secret(hit).expect("what was found is found again");
            let (first, step) = match hit.found.encoding {
                Encoding::Utf16Le => (0, 2),
                Encoding::Utf16Be => (1, 2),
                _ => (0, 1),
            };
            let text = hit.bytes.iter().skip(first).step_by(step);
            assert!(text.eq(secret.value()), "what is told is what stands there");
            let redacted = secret.redacted();
            assert!(redacted.chars().all(|c| !c.is_control()), "{redacted:?}");
            let (ends, _) = redacted.split_once(" (").expect("a length behind it");
            assert!(secret.value().len() >= 16 || ends == "…", "{redacted:?}");
            ControlFlow::Continue(())
        }
    }
    let [cut, chunk, memory @ ..] = input else { return };
    for scanner in [SecretScanner::new(), SecretScanner::new().utf16()] {
        let whole = scan(memory, 0x1000, memory.len(), memory.len().max(1), &scanner);
        let parts = scan(memory, 0x1000, usize::from(*cut), usize::from(*chunk) + 1, &scanner);
        assert_eq!(whole, parts);
        let piece = Piece { region: 0, start: 0, bytes: Bytes::copy_from_slice(memory) };
        let never = |()| Ok::<(), Infallible>(());
        let Ok(()) = run([piece].into_iter(), &scanner, &Shown(&scanner), Work::default(), never);
    }
}
