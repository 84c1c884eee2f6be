//! One line of a container's log.
//!
//! | format | writers | line |
//! |---|---|---|
//! | CRI | containerd, CRI-O, podman's k8s-file and json-file | `TIME stdout|stderr F|P[:TAG...] TEXT` |
//! | json-file | docker | `{"log":"TEXT\n","stream":"stdout","time":"TIME"}` |
//!
//! Source: `cri-api/pkg/apis/runtime/v1` and `kubernetes/pkg/kubelet/kuberuntime/logs`, `conmon/src/ctr_logging.c`,
//! `moby/daemon/logger/jsonfilelog`. Both carry RFC 3339 times with nanoseconds, whose zeros at the end are left away.

use std::borrow::Cow;

use bytes::Bytes;
use jiff::Timestamp;
use serde::Deserialize;

use super::super::Precision;

/// Longest line in JSON that is decoded, bytes; docker cuts the text at 16 KiB. A longer one is no line.
pub const MAX_LINE: usize = 1 << 20;

/// Most bytes of a line's text that are shown; engines cut theirs at 16 KiB or less.
pub const MAX_TEXT: usize = 64 << 10;

/// Longest text of a time that is looked at, bytes.
const MAX_TIME: usize = 64;

/// A line.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogLine {
    /// When the engine read it from the container.
    pub time: Timestamp,
    /// How exactly.
    pub precision: Precision,
    /// Where the container wrote it; `None` where the line does not say.
    pub stream: Option<Stream>,
    /// Whether the text goes on in the next line of the stream: the engine had to cut it.
    pub partial: bool,
    /// Whether the log ends before the line does.
    pub cut: bool,
    /// What the container wrote, without the newline; at most [`MAX_TEXT`] bytes.
    pub text: Bytes,
    /// Bytes that it wrote.
    pub size: u64,
    /// Form of the line.
    pub format: LogFormat,
}

/// Where a container wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stream {
    /// Standard output; everything of a container with a terminal.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    /// The word in logs and in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }

    fn parse(word: &[u8]) -> Option<Self> {
        match word {
            b"stdout" => Some(Self::Stdout),
            b"stderr" => Some(Self::Stderr),
            _ => None,
        }
    }
}

/// The form of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum LogFormat {
    /// The one of the Container Runtime Interface.
    Cri,
    /// docker's.
    JsonFile,
}

impl LogFormat {
    /// The word in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Cri => "cri",
            Self::JsonFile => "json-file",
        }
    }
}

/// Why bytes are no line of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum LineDefect {
    /// Neither form.
    Unknown,
    /// One of the forms, with a time that is none.
    Time,
    /// Broken JSON.
    Json,
    /// JSON of more than [`MAX_LINE`] bytes.
    TooLong,
}

impl LineDefect {
    /// What is wrong, for `N line(s): ...`.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Unknown => "neither CRI nor json-file",
            Self::Time => "no valid time",
            Self::Json => "broken JSON",
            Self::TooLong => "JSON of more than 1 MiB",
        }
    }
}

/// Takes a line apart; `bytes` are without the newline. What follows the text of a line is not known from it alone, so that
/// [`LogLine::cut`] is false.
///
/// # Errors
///
/// When it is no line of a log.
pub fn parse(bytes: &Bytes) -> Result<LogLine, LineDefect> {
    if bytes.first() == Some(&b'{') { json(bytes) } else { cri(bytes) }
}

fn cri(bytes: &Bytes) -> Result<LogLine, LineDefect> {
    let (time, rest) = word(bytes);
    let (stream, rest) = word(rest.ok_or(LineDefect::Unknown)?);
    let (tags, text) = word(rest.ok_or(LineDefect::Unknown)?);
    let stream = Stream::parse(stream).ok_or(LineDefect::Unknown)?;
    let partial = match tags.split(|byte| *byte == b':').next() {
        Some(b"F") => false,
        Some(b"P") => true,
        _ => return Err(LineDefect::Unknown),
    };
    let (time, precision) = stamp(time).ok_or(LineDefect::Time)?;
    let text = text.unwrap_or_default();
    Ok(LogLine {
        time,
        precision,
        stream: Some(stream),
        partial,
        cut: false,
        text: bytes.slice_ref(shown(text)),
        size: text.len() as u64,
        format: LogFormat::Cri,
    })
}

/// Splits at the first space; nothing follows where there is none.
fn word(bytes: &[u8]) -> (&[u8], Option<&[u8]>) {
    let mut parts = bytes.splitn(2, |byte| *byte == b' ');
    (parts.next().unwrap_or_default(), parts.next())
}

#[derive(Deserialize)]
struct JsonLine<'a> {
    #[serde(borrow, default)]
    log: Cow<'a, str>,
    #[serde(borrow)]
    stream: Option<Cow<'a, str>>,
    #[serde(borrow)]
    time: Option<Cow<'a, str>>,
}

fn json(bytes: &Bytes) -> Result<LogLine, LineDefect> {
    if bytes.len() > MAX_LINE {
        return Err(LineDefect::TooLong);
    }
    let line: JsonLine<'_> = serde_json::from_slice(bytes).map_err(|_| LineDefect::Json)?;
    let time = line.time.as_deref().unwrap_or_default();
    let (time, precision) = stamp(time.as_bytes()).ok_or(LineDefect::Time)?;
    let (text, whole) = match line.log.strip_suffix('\n') {
        Some(text) => (text, true),
        None => (&*line.log, false),
    };
    Ok(LogLine {
        time,
        precision,
        stream: line.stream.and_then(|word| Stream::parse(word.as_bytes())),
        partial: !whole,
        cut: false,
        text: match &line.log {
            Cow::Borrowed(_) => bytes.slice_ref(shown(text.as_bytes())),
            Cow::Owned(_) => Bytes::copy_from_slice(shown(text.as_bytes())),
        },
        size: text.len() as u64,
        format: LogFormat::JsonFile,
    })
}

fn shown(text: &[u8]) -> &[u8] {
    text.get(..MAX_TEXT).unwrap_or(text)
}

/// An RFC 3339 time. Zeros at the end of a fraction are left away by those who write it, so that any fraction stands for
/// nanoseconds.
fn stamp(text: &[u8]) -> Option<(Timestamp, Precision)> {
    let text = std::str::from_utf8(text).ok().filter(|text| text.len() <= MAX_TIME)?;
    let time = text.parse().ok()?;
    let fraction = text.bytes().any(|byte| byte == b'.');
    Some((time, if fraction { Precision::Nanos } else { Precision::Seconds }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &[u8]) -> Result<LogLine, LineDefect> {
        parse(&Bytes::copy_from_slice(line))
    }

    #[test]
    fn lines_of_every_engine() {
        let line = parsed(b"2026-11-23T00:09:41.949628120+01:00 stderr F a b \xff").unwrap();
        assert_eq!(line.time.to_string(), "2026-11-22T23:09:41.94962812Z");
        assert_eq!((line.stream, line.partial), (Some(Stream::Stderr), false));
        assert_eq!((&*line.text, line.size), (&b"a b \xff"[..], 5));
        assert_eq!(line.precision, Precision::Nanos);
        let line = parsed(b"2026-11-23T00:16:56Z stdout P:x ").unwrap();
        assert!(line.partial && line.text.is_empty());
        assert_eq!(line.precision, Precision::Seconds);
        assert!(parsed(b"2026-11-23T00:16:56Z stdout F").unwrap().text.is_empty());
        let line =
            parsed(br#"{"log":"a \u001b[0m\n","stream":"stdout","time":"2026-11-23T00:31:13.9Z"}"#);
        let line = line.unwrap();
        assert_eq!((&*line.text, line.partial), (&b"a \x1b[0m"[..], false));
        assert_eq!(line.format, LogFormat::JsonFile);
        let line =
            parsed(br#"{"log":"cut","attrs":{"a":"b"},"time":"2026-11-23T00:31:13.9Z"}"#).unwrap();
        assert_eq!((line.partial, line.stream), (true, None));
    }

    #[test]
    fn what_is_no_line() {
        for (line, defect) in [
            (&b""[..], LineDefect::Unknown),
            (b"hello", LineDefect::Unknown),
            (b"2026-11-23T00:16:56Z stdlog F x", LineDefect::Unknown),
            (b"2026-11-23T00:16:56Z stdout Q x", LineDefect::Unknown),
            (b"2026-11-23T00:16:56Z stdout", LineDefect::Unknown),
            (b"2026-13-23T00:16:56Z stdout F x", LineDefect::Time),
            (b"292277026596-12-04T15:30:07Z stdout F x", LineDefect::Time),
            (b" stdout F x", LineDefect::Time),
            (b"{\"log\":\"x\",\"time\":\"NaN\"}", LineDefect::Time),
            (b"{\"log\":\"x\"}", LineDefect::Time),
            (b"{\"log\":\"x", LineDefect::Json),
            (b"{\"log\":\"\xff\"}", LineDefect::Json),
        ] {
            assert_eq!(parsed(line), Err(defect), "{}", line.escape_ascii());
        }
        let long = [b"{\"log\":\"".as_slice(), &vec![b'a'; MAX_LINE]].concat();
        assert_eq!(parsed(&long), Err(LineDefect::TooLong));
    }

    #[test]
    fn long_texts_are_cut() {
        let line =
            [b"2026-11-23T00:16:56Z stdout F ".as_slice(), &vec![b'a'; MAX_TEXT + 5]].concat();
        let line = parsed(&line).unwrap();
        assert_eq!((line.text.len(), line.size), (MAX_TEXT, MAX_TEXT as u64 + 5));
    }
}
