//! PAX extended headers: records of `LENGTH KEY=VALUE\n` that override header fields.
//!
//! Records are taken by their length, so values may hold newlines, as binary extended attributes do.

use std::collections::BTreeMap;

use crate::Timestamp;
use crate::sparse::Extent;

/// Bytes of text that a global header may set; honest ones hold a comment or an owner.
const MAX_GLOBAL: usize = 64 << 10;

/// What extended headers say about the next member (local), or about all that follow (global).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Pax {
    pub(crate) path: Option<Vec<u8>>,
    pub(crate) link_path: Option<Vec<u8>>,
    pub(crate) size: Option<u64>,
    pub(crate) uid: Option<u64>,
    pub(crate) gid: Option<u64>,
    pub(crate) uname: Option<Vec<u8>>,
    pub(crate) gname: Option<Vec<u8>>,
    pub(crate) mtime: Option<Timestamp>,
    pub(crate) atime: Option<Timestamp>,
    pub(crate) ctime: Option<Timestamp>,
    pub(crate) xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(crate) sparse: PaxSparse,
}

/// The `GNU.sparse.*` records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PaxSparse {
    pub(crate) major: Option<u64>,
    pub(crate) name: Option<Vec<u8>>,
    pub(crate) real_size: Option<u64>,
    /// The map of formats 0.0 and 0.1. `None` in the list for an entry that is no number.
    pub(crate) map: Option<Vec<Option<Extent>>>,
    offset: Option<u64>,
}

impl Pax {
    /// Applies the records in `data`. On damage, the records before it count; the error says where and what.
    pub(crate) fn apply(&mut self, mut data: &[u8], max_extents: usize) -> Result<(), String> {
        let whole = data.len();
        let mut bad_value = None;
        while !data.is_empty() {
            let at = whole.saturating_sub(data.len());
            // NULs fill up the last block, and some writers count them in the size.
            if data.iter().all(|byte| *byte == 0) {
                break;
            }
            let Some((key, value, rest)) = record(data) else {
                return Err(format!("no valid record at byte {at} of {whole}"));
            };
            if self.set(key, value, max_extents).is_none() && bad_value.is_none() {
                bad_value = Some(format!("bad value in the record at byte {at} of {whole}"));
            }
            data = rest;
        }
        bad_value.map_or(Ok(()), Err)
    }

    /// Bytes of text, roughly.
    fn weight(&self) -> usize {
        let texts = [&self.path, &self.link_path, &self.uname, &self.gname, &self.sparse.name];
        let texts = texts.into_iter().flatten().map(Vec::len);
        let attributes = self.xattrs.iter().flat_map(|(name, value)| [name.len(), value.len()]);
        texts.chain(attributes).fold(0, usize::saturating_add)
    }

    /// Applies a global header. It counts for every member that follows, so a large one would be multiplied by all of them:
    /// it is refused. Nor can a sparse map be meant for all members.
    pub(crate) fn apply_global(&mut self, data: &[u8]) -> Result<(), String> {
        let mut changed = self.clone();
        let result = changed.apply(data, 0);
        changed.sparse = PaxSparse::default();
        if changed.weight() > MAX_GLOBAL {
            return Err(format!("more than {MAX_GLOBAL} bytes for all members that follow"));
        }
        *self = changed;
        result
    }

    /// `None` if the value does not fit the key.
    fn set(&mut self, key: &[u8], value: &[u8], max_extents: usize) -> Option<()> {
        if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
            self.xattrs.insert(name.to_vec(), value.to_vec());
            return Some(());
        }
        // POSIX: an empty value takes back what an earlier record set.
        let text = || Some(value.to_vec()).filter(|value| !value.is_empty());
        fn number<T>(value: &[u8], parse: impl Fn(&[u8]) -> Option<T>) -> Option<Option<T>> {
            if value.is_empty() { Some(None) } else { parse(value).map(Some) }
        }
        match key {
            b"path" => self.path = text(),
            b"linkpath" => self.link_path = text(),
            b"uname" => self.uname = text(),
            b"gname" => self.gname = text(),
            b"size" => self.size = number(value, decimal)?,
            b"uid" => self.uid = number(value, decimal)?,
            b"gid" => self.gid = number(value, decimal)?,
            b"mtime" => self.mtime = number(value, time)?,
            b"atime" => self.atime = number(value, time)?,
            b"ctime" => self.ctime = number(value, time)?,
            b"GNU.sparse.major" => self.sparse.major = number(value, decimal)?,
            b"GNU.sparse.name" => self.sparse.name = text(),
            b"GNU.sparse.size" | b"GNU.sparse.realsize" => {
                self.sparse.real_size = number(value, decimal)?;
            }
            b"GNU.sparse.offset" => self.sparse.offset = number(value, decimal)?,
            b"GNU.sparse.numbytes" => {
                let extent = self.sparse.offset.take().zip(decimal(value));
                let map = self.sparse.map.get_or_insert_default();
                let full = map.len() >= max_extents;
                map.push(extent.filter(|_| !full).map(|(offset, len)| Extent { offset, len }));
                // One unreadable entry ends the map; more of them would only take memory.
                map.truncate(max_extents.saturating_add(1));
            }
            b"GNU.sparse.map" => self.sparse.map = Some(comma_map(value, max_extents)),
            // Everything else (charset, comment, GNU.sparse.minor, SCHILY.fflags and so on) changes nothing here.
            _ => {}
        }
        Some(())
    }
}

/// Splits off one record: key, value, what follows.
fn record(data: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = data.iter().take(20).position(|byte| *byte == b' ')?;
    let len = usize::try_from(decimal(data.get(..space)?)?).ok()?;
    let (record, rest) = data.split_at_checked(len)?;
    let body = record.get(space.checked_add(1)?..)?.strip_suffix(b"\n")?;
    let equals = body.iter().position(|byte| *byte == b'=')?;
    let (key, value) = body.split_at_checked(equals)?;
    Some((key, value.get(1..)?, rest))
}

fn decimal(bytes: &[u8]) -> Option<u64> {
    if !bytes.iter().all(u8::is_ascii_digit) {
        return None;
    }
    str::from_utf8(bytes).ok()?.parse().ok()
}

/// Seconds with an optional fraction, cut to nanoseconds. `-1.5` is half a second before `-1`.
fn time(bytes: &[u8]) -> Option<Timestamp> {
    let (negative, bytes) = match bytes.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, bytes),
    };
    let mut halves = bytes.splitn(2, |byte| *byte == b'.');
    let secs = i64::try_from(decimal(halves.next().filter(|whole| !whole.is_empty())?)?).ok()?;
    let fraction = halves.next().unwrap_or_default();
    if !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let mut nanos = 0_u32;
    for place in 0..9 {
        let digit = fraction.get(place).map_or(0, |digit| u32::from(digit.wrapping_sub(b'0')));
        nanos = nanos.saturating_mul(10).saturating_add(digit);
    }
    if !negative {
        return Some(Timestamp { secs, nanos });
    }
    let secs = secs.checked_neg()?;
    match nanos {
        0 => Some(Timestamp { secs, nanos }),
        _ => Some(Timestamp {
            secs: secs.checked_sub(1)?,
            nanos: 1_000_000_000_u32.checked_sub(nanos)?,
        }),
    }
}

/// The map of format 0.1: `offset,length,offset,length`.
fn comma_map(value: &[u8], max_extents: usize) -> Vec<Option<Extent>> {
    let mut map = Vec::new();
    let mut numbers = value.split(|byte| *byte == b',');
    while let Some(offset) = numbers.next().filter(|text| !text.is_empty()) {
        let len = numbers.next().unwrap_or_default();
        let extent = (!len.is_empty() && map.len() < max_extents)
            .then(|| Some(Extent { offset: decimal(offset)?, len: decimal(len)? }))
            .flatten();
        map.push(extent);
        if extent.is_none() {
            break;
        }
    }
    map
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(key: &str, value: &[u8]) -> Vec<u8> {
        let body = [b" ", key.as_bytes(), b"=", value, b"\n"].concat();
        let len = (1..9).find(|digits| (body.len() + digits).to_string().len() == *digits).unwrap();
        [(body.len() + len).to_string().as_bytes(), &body].concat()
    }

    #[test]
    fn values_may_hold_newlines_and_nuls() {
        let data = [line("SCHILY.xattr.user.x", b"a\n\0b=c"), line("path", b"p\nq")].concat();
        let mut pax = Pax::default();
        assert_eq!(pax.apply(&data, 10), Ok(()));
        assert_eq!(pax.path.as_deref(), Some(&b"p\nq"[..]));
        assert_eq!(&pax.xattrs[&b"user.x"[..]], b"a\n\0b=c");
    }

    #[test]
    fn times_have_fractions_and_signs() {
        let cases: [(&str, Option<(i64, u32)>); 8] = [
            ("1732319976.5", Some((1_732_319_976, 500_000_000))),
            ("0", Some((0, 0))),
            ("-1.5", Some((-2, 500_000_000))),
            ("-3", Some((-3, 0))),
            ("1.1234567899", Some((1, 123_456_789))),
            ("1.", Some((1, 0))),
            (".5", None),
            ("1.x", None),
        ];
        for (text, expected) in cases {
            let expected = expected.map(|(secs, nanos)| Timestamp { secs, nanos });
            assert_eq!(time(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn records_before_the_damage_count() {
        let mut data = [line("uid", b"7"), line("gid", b"x")].concat();
        data.extend_from_slice(b"99 path=cut");
        let mut pax = Pax::default();
        assert!(pax.apply(&data, 10).unwrap_err().contains("no valid record"));
        assert_eq!((pax.uid, pax.gid), (Some(7), None));
        for data in
            [&b"0 a=b\n"[..], b"5 a\n", b" a=b\n", b"18446744073709551615 a=b\n", b"7 a=b\n"]
        {
            assert!(Pax::default().apply(data, 10).is_err());
        }
    }

    #[test]
    fn sparse_maps_in_both_spellings() {
        let data = [
            line("GNU.sparse.offset", b"0"),
            line("GNU.sparse.numbytes", b"3"),
            line("GNU.sparse.offset", b"10"),
            line("GNU.sparse.numbytes", b"4"),
        ]
        .concat();
        let mut pax = Pax::default();
        assert_eq!(pax.apply(&data, 10), Ok(()));
        let expected =
            vec![Some(Extent { offset: 0, len: 3 }), Some(Extent { offset: 10, len: 4 })];
        assert_eq!(pax.sparse.map, Some(expected.clone()));
        let mut other = Pax::default();
        assert_eq!(other.apply(&line("GNU.sparse.map", b"0,3,10,4"), 10), Ok(()));
        assert_eq!(other.sparse.map, Some(expected));
        assert_eq!(comma_map(b"1,2,3", 10), [Some(Extent { offset: 1, len: 2 }), None]);
        assert_eq!(comma_map(b"1,2,3,4", 1), [Some(Extent { offset: 1, len: 2 }), None]);
    }
}
