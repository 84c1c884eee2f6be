//! Archives that pass by once: compressed, or from a reader.

use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use ckpt_archive::{
    ContentError, DefectKind, Error, Evidence, Kept, Limits, Member, Options, Progress, Select,
    Selection, Watch,
};

use crate::writer::{Tar, codes, files, noise, open, open_with};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zst(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    liblzma::bufread::XzEncoder::new(bytes, 1).read_to_end(&mut out).unwrap();
    out
}

fn bz2(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    bzip2::bufread::BzEncoder::new(bytes, bzip2::Compression::fast())
        .read_to_end(&mut out)
        .unwrap();
    out
}

type Codec = fn(&[u8]) -> Vec<u8>;

const CODECS: [(&str, Codec); 4] = [("gz", gzip), ("zst", zst), ("xz", xz), ("bz2", bz2)];

fn sample() -> Vec<u8> {
    let text = b"the quick brown fox ".repeat(5000);
    let mut archive =
        Tar::default().file("a", b"hello").file("big", &noise(1_500_000, 1)).file("text", &text);
    for index in 0..50_u16 {
        archive = archive
            .file(&format!("small/{index}"), &noise(usize::from(index) * 37, u64::from(index)));
    }
    archive.link("hard", b'1', "a").end()
}

#[test]
fn every_compression_gives_what_plain_gives() {
    let plain = sample();
    let expected = files(&open(plain.clone()));
    for (name, compress) in CODECS {
        let packed = compress(&plain);
        let size = packed.len() as u64;
        let evidence = open(packed.clone());
        assert_eq!((evidence.kind(), evidence.size()), (format!("tar.{name}"), size));
        assert_eq!(files(&evidence), expected);
        assert_eq!(codes(&evidence), [""; 0]);
        let hard = evidence.get(b"hard").unwrap();
        assert_eq!(evidence.content(hard).unwrap().bytes().unwrap(), &b"hello"[..]);

        let reader =
            Evidence::from_reader("-", io::Cursor::new(packed.clone()), &Options::default())
                .unwrap();
        assert_eq!((reader.kind(), reader.size()), (format!("tar.{name}"), size));
        assert_eq!(files(&reader), expected);

        // Several frames in a row, cut anywhere.
        let (first, second) = plain.split_at(700_001);
        let frames = [compress(first), compress(second)].concat();
        assert_eq!(files(&open(frames)), expected);

        for (outer_name, outer) in CODECS {
            let nested = open(outer(&packed));
            assert_eq!(nested.kind(), format!("tar.{name}.{outer_name}"));
            assert_eq!(nested.members().len(), expected.len() + 1);
        }
    }
    let reader = Evidence::from_reader("-", io::Cursor::new(plain), &Options::default()).unwrap();
    assert_eq!((reader.kind().as_str(), files(&reader)), ("tar", expected));
}

/// Gives one byte at a time, and now and then is interrupted.
struct Trickle(io::Cursor<Vec<u8>>, u32);

impl Read for Trickle {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.1 = self.1.wrapping_add(1);
        if self.1.is_multiple_of(7) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let len = out.len().min(1 + (self.1 as usize % 3));
        self.0.read(&mut out[..len])
    }
}

#[test]
fn readers_may_give_little_at_a_time() {
    let plain = Tar::default().file("a", &noise(3000, 1)).file("b", b"x").end();
    let expected = files(&open(plain.clone()));
    for bytes in [plain.clone(), gzip(&plain), zst(&plain), gzip(&zst(&plain))] {
        let evidence =
            Evidence::from_reader("-", Trickle(io::Cursor::new(bytes), 0), &Options::default());
        assert_eq!(files(&evidence.unwrap()), expected);
    }
}

#[test]
fn a_reader_that_fails_is_an_error() {
    struct Failing(u32);
    impl Read for Failing {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            self.0 += 1;
            out.fill(b'x');
            if self.0 < 3 { Ok(out.len().min(1000)) } else { Err(io::Error::other("gone")) }
        }
    }
    let error = Evidence::from_reader("-", Failing(0), &Options::default()).unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error}");
}

#[test]
fn bytes_behind_the_archive_and_behind_the_stream_are_told_apart() {
    let plain = Tar::default().file("a", b"hello").end();
    let len = plain.len() as u64;
    for (name, compress) in CODECS {
        let inside = open(compress(&[&plain[..], &[0; 700], b"old bytes"].concat()));
        assert_eq!(
            inside.defects()[0].kind,
            DefectKind::TrailingBytes { offset: len + 700, count: 9 }
        );
        assert_eq!(inside.trailing().unwrap().bytes().unwrap(), &b"old bytes"[..]);

        let packed = compress(&plain);
        let end = packed.len() as u64;
        let behind = open([&packed[..], b"old bytes"].concat());
        let DefectKind::CompressedTrailing { codec, offset, count } = behind.defects()[0].kind
        else {
            panic!()
        };
        assert_eq!((codec, offset, count), (name, end, 9));
        assert_eq!(files(&behind), [("a".to_owned(), b"hello".to_vec())]);

        let padded = open([&packed[..], &[0; 4096]].concat());
        assert_eq!(codes(&padded), [""; 0]);
    }
}

#[test]
fn skippable_frames_are_skipped() {
    let plain = Tar::default().file("a", b"hello").end();
    let skip = b"\x50\x2a\x4d\x18\x04\0\0\0abcd";
    let evidence = open([&skip[..], &zst(&plain), skip].concat());
    assert_eq!((files(&evidence).len(), codes(&evidence).len()), (1, 0));
}

/// Members agree with those of the whole archive as far as they go.
fn assert_prefix(cut: &Evidence, whole: &Evidence) {
    for (member, full) in cut.members().iter().zip(whole.members()) {
        assert_eq!((&member.path, member.size), (&full.path, full.size));
        let (Ok(content), Ok(expected)) = (cut.content(member), whole.content(full)) else {
            continue;
        };
        let there = content.captured_len();
        assert_eq!(content.slice(0..there).unwrap(), expected.slice(0..there).unwrap());
    }
}

#[test]
fn a_cut_stream_serves_what_came_before() {
    let plain = sample();
    let whole = open(plain.clone());
    for (name, compress) in CODECS {
        let packed = compress(&plain);
        let mut most = 0;
        for cut in
            (1..packed.len()).step_by(if name == "gz" || name == "zst" { 4096 } else { 65536 })
        {
            let Ok(evidence) = open_with(packed[..cut].to_vec(), &Options::default()) else {
                continue;
            };
            assert_prefix(&evidence, &whole);
            assert!(codes(&evidence).contains(&"compressed-truncated"), "{name} at {cut}");
            assert!(!codes(&evidence).contains(&"no-end-of-archive"));
            most = most.max(evidence.members().len());
        }
        assert!(most > 1, "{name}");
    }
}

#[test]
fn a_damaged_stream_never_panics_and_is_told() {
    let plain = sample();
    for (name, compress) in CODECS {
        let packed = compress(&plain);
        for index in 0..40 {
            let mut bytes = packed.clone();
            let at = packed.len() * index / 40;
            bytes[at] ^= 0x55;
            // Checksums find what decoders do not.
            if let Ok(evidence) = open_with(bytes, &Options::default()) {
                assert!(!evidence.defects().is_empty() || name == "zst", "{name} at {at}");
            }
        }
    }
}

/// Keeps what a rule says, and writes down what it was asked.
struct Rule<F>(F, Mutex<Vec<String>>);

impl<F: Fn(&Member, &Kept<'_>) -> Selection + Send + Sync> Select for Rule<F> {
    fn select(&self, member: &Member, kept: &Kept<'_>) -> Selection {
        self.1.lock().unwrap().push(String::from_utf8_lossy(&member.path).into_owned());
        (self.0)(member, kept)
    }
}

#[test]
#[allow(clippy::single_range_in_vec_init)]
fn only_what_is_selected_is_kept() {
    let plain = sample();
    let big = noise(1_500_000, 1);
    let rule = Rule(
        |member: &Member, kept: &Kept<'_>| match member.path.as_slice() {
            b"a" => Selection::All,
            b"big" => {
                // What was kept before is at hand, what was not is not.
                assert_eq!(kept.get(b"a").unwrap(), &b"hello"[..]);
                assert_eq!(kept.members().len(), 1);
                Selection::Ranges(vec![
                    900_000..1_000_000,
                    10..20,
                    15..4096,
                    1_499_999..u64::MAX,
                    7..7,
                ])
            }
            b"text" => {
                assert_eq!(kept.get(b"big"), None);
                Selection::Nothing
            }
            _ => Selection::Ranges(vec![0..u64::MAX]),
        },
        Mutex::default(),
    );
    let rule = Arc::new(rule);
    let select: Arc<dyn Select> = rule.clone();
    let evidence = open_with(zst(&plain), &Options::default().select(select)).unwrap();
    let asked = rule.1.lock().unwrap().len();
    assert_eq!(asked, evidence.members().iter().filter(|member| member.is_file()).count());

    let content = evidence.content(evidence.get(b"big").unwrap()).unwrap();
    assert_eq!((content.len(), content.captured_len()), (1_500_000, 1_500_000));
    assert_eq!(content.slice(10..4096).unwrap(), big[10..4096]);
    assert_eq!(content.slice(900_000..1_000_000).unwrap(), big[900_000..1_000_000]);
    assert_eq!(content.slice(1_499_999..1_500_000).unwrap(), big[1_499_999..]);
    assert!(matches!(content.slice(9..11), Err(ContentError::NotKept { offset: 9 })));
    assert!(matches!(content.slice(4000..5000), Err(ContentError::NotKept { offset: 4096 })));
    let text = evidence.content(evidence.get(b"text").unwrap()).unwrap();
    assert!(matches!(text.bytes(), Err(ContentError::NotKept { offset: 0 })));
    let small = evidence.content(evidence.get(b"small/49").unwrap()).unwrap();
    assert_eq!(small.bytes().unwrap(), noise(49 * 37, 49));
}

#[test]
#[allow(clippy::single_range_in_vec_init)]
fn ranges_of_sparse_members_are_logical() {
    let plain = Tar::default()
        .pax(b'x', &[("GNU.sparse.size", b"9000"), ("GNU.sparse.map", b"1000,3,5000,4")])
        .file("s", b"abcdefg")
        .end();
    let rule =
        Rule(|_: &Member, _: &Kept<'_>| Selection::Ranges(vec![4000..5002]), Mutex::default());
    let evidence = open_with(gzip(&plain), &Options::default().select(Arc::new(rule))).unwrap();
    let content = evidence.content(&evidence.members()[0]).unwrap();
    assert_eq!(content.slice(4998..5002).unwrap(), &b"\0\0de"[..]);
    assert!(matches!(content.slice(1000..1001), Err(ContentError::NotKept { offset: 1000 })));
    assert_eq!(content.slice(8000..9000).unwrap(), vec![0; 1000]);
}

#[derive(Default)]
struct Counter {
    begun: Mutex<Vec<(String, Option<u64>)>>,
    advanced: AtomicU64,
    ended: AtomicU64,
}

impl Progress for Counter {
    fn begin(&self, what: &str, total: Option<u64>) {
        self.begun.lock().unwrap().push((what.to_owned(), total));
    }
    fn advance(&self, bytes: u64) {
        self.advanced.fetch_add(bytes, Ordering::Relaxed);
    }
    fn end(&self) {
        self.ended.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn progress_counts_compressed_bytes() {
    let packed = zst(&sample());
    let counter = Arc::new(Counter::default());
    let size = packed.len() as u64;
    open_with(packed, &Options::default().progress(counter.clone())).unwrap();
    assert_eq!(*counter.begun.lock().unwrap(), [("test".to_owned(), Some(size))]);
    assert_eq!(counter.advanced.load(Ordering::Relaxed), size);
    open_with(gzip(b"no archive"), &Options::default().progress(counter.clone())).unwrap_err();
    assert_eq!(counter.ended.load(Ordering::Relaxed), 2);
}

/// Keeps what passes by.
#[derive(Default)]
struct Passed(Mutex<Vec<u8>>);

impl Watch for Passed {
    fn pass(&self, position: u64, bytes: &[u8]) {
        let mut passed = self.0.lock().unwrap();
        assert_eq!(position, passed.len() as u64);
        passed.extend_from_slice(bytes);
    }
}

#[test]
fn what_is_kept_is_seen_as_it_passes_by() {
    let inner = Tar::default().file("deep", &noise(100_000, 3)).end();
    let plain = Tar::default()
        .file("a", b"hello")
        .file("big", &noise(1_500_000, 1))
        .file("not kept", &noise(3000, 2))
        .file("inner.tar.gz", &gzip(&inner))
        .end();
    struct ButOne;
    impl Select for ButOne {
        fn select(&self, member: &Member, _: &Kept<'_>) -> Selection {
            if member.path == b"not kept" { Selection::Nothing } else { Selection::All }
        }
    }
    let passed = Arc::new(Passed::default());
    let options = Options::default().select(Arc::new(ButOne)).watch(passed.clone());
    let evidence = open_with(zst(&plain), &options).unwrap();
    // An archive within has a spool of its own, and would begin at 0 again.
    let nested = evidence.nested(evidence.get(b"inner.tar.gz").unwrap(), &options).unwrap();
    let deep = nested.content(nested.get(b"deep").unwrap()).unwrap().slice(0..100_000).unwrap();
    assert_eq!((nested.passed_at(&deep), evidence.passed_at(&deep)), (None, None));

    let passed = passed.0.lock().unwrap();
    for (name, size) in [("a", 5), ("big", 1_500_000)] {
        let content = evidence.content(evidence.get(name.as_bytes()).unwrap()).unwrap();
        let bytes = content.slice(1..size).unwrap();
        let at = usize::try_from(evidence.passed_at(&bytes).unwrap()).unwrap();
        assert_eq!(passed[at..at + bytes.len()], bytes[..], "{name}");
    }
    assert_eq!(evidence.passed_at(b"elsewhere"), None);
    assert!(passed.len() < plain.len() - 3000);
    // What is mapped as it lies there passes nobody.
    let (passed, options) = (Arc::new(Passed::default()), Options::default());
    let evidence = open_with(plain, &options.watch(passed.clone())).unwrap();
    let content = evidence.content(evidence.get(b"a").unwrap()).unwrap();
    assert_eq!(evidence.passed_at(&content.slice(0..5).unwrap()), None);
    assert!(passed.0.lock().unwrap().is_empty());
}

#[test]
fn compressed_junk_is_refused_with_both_names() {
    for (name, compress) in CODECS {
        let error =
            open_with(compress(b"just a note\n"), &Options::default()).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains("plain text"), "{error}");
        let empty = open_with(compress(b""), &Options::default()).unwrap_err();
        assert!(matches!(empty, Error::NotAnArchive { .. }), "{empty}");
    }
}

#[test]
fn unpacking_has_limits() {
    let bomb = zst(&Tar::default().file("zeros", &vec![0; 8 << 20]).end());
    let mut limits = Limits::default();
    limits.max_unpacked = 1 << 20;
    let error = open_with(bomb, &Options::default().limits(limits)).unwrap_err();
    assert!(matches!(error, Error::Limit { what: "unpacked bytes", .. }), "{error}");

    let mut layers = Tar::default().file("a", b"x").end();
    for _ in 0..9 {
        layers = gzip(&layers);
    }
    assert!(matches!(open_with(layers, &Options::default()), Err(Error::Nesting { limit: 8, .. })));

    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(25).unwrap();
    encoder.write_all(&sample()).unwrap();
    let wide = encoder.finish().unwrap();
    assert!(open_with(wide.clone(), &Options::default()).is_ok());
    limits = Limits::default();
    limits.max_window = 1 << 20;
    assert!(open_with(wide, &Options::default().limits(limits)).is_err());
}

#[test]
fn nested_archives_may_be_compressed() {
    let inner = Tar::default().file("x", b"deep").end();
    let archive =
        Tar::default().file("rootfs-diff.tar", &gzip(&inner)).file("plain.tar", &inner).end();
    for outer in [archive.clone(), zst(&archive)] {
        let evidence = open(outer);
        for (name, kind) in [("rootfs-diff.tar", "tar.gz"), ("plain.tar", "tar")] {
            let member = evidence.get(name.as_bytes()).unwrap();
            let nested = evidence.nested(member, &Options::default()).unwrap();
            assert_eq!(nested.kind(), kind);
            assert_eq!(nested.name(), format!("test:{name}"));
            assert_eq!(files(&nested), [("x".to_owned(), b"deep".to_vec())]);
        }
    }
}

#[test]
fn an_unusable_spool_directory_is_named() {
    let options = Options::default().spool_dir("/nonexistent/spool");
    let error = open_with(zst(&sample()), &options).unwrap_err();
    assert!(error.to_string().contains("/nonexistent/spool"), "{error}");
    // Nothing to keep needs no spool.
    let rule = Rule(|_: &Member, _: &Kept<'_>| Selection::Nothing, Mutex::default());
    assert!(open_with(zst(&sample()), &options.select(Arc::new(rule))).is_ok());
}
