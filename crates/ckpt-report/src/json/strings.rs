//! `strings`: text in memory and in files.

use std::borrow::Cow;

use ckpt_scan::Found;
use serde::Serialize;

use super::hits::{PlaceRecord, hit_text};

/// A string at one of its places: a line of `ckpt-inspect/strings/1`.
#[derive(Clone, Debug, Serialize)]
pub struct StringRecord<'a> {
    /// Where it is.
    #[serde(flatten)]
    pub place: PlaceRecord<'a>,
    /// The string; of UTF-16, decoded.
    pub text: Cow<'a, str>,
    /// Its bytes, when it is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_base64: Option<String>,
    /// `ascii`, `utf8`, `utf16le`, `utf16be`.
    pub encoding: &'static str,
    /// It is a part of a longer string, which began before it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub continued: bool,
    /// It is a part of a longer string, which goes on behind it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub continues: bool,
    /// With `--unique`: how often it is there, at all places together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
}

impl<'a> StringRecord<'a> {
    /// Of a string, its bytes and a place where it is.
    #[must_use]
    pub fn new(found: &Found, bytes: &'a [u8], place: PlaceRecord<'a>, count: Option<u64>) -> Self {
        let (text, text_base64) = hit_text(bytes, found.encoding);
        Self {
            place,
            text,
            text_base64,
            encoding: found.encoding.word(),
            continued: found.continued,
            continues: found.continues,
            count,
        }
    }
}
