//! `deleted.files`: a JSON list of absolute paths.
//!
//! Go writes bytes that are not UTF-8 as U+FFFD there, so that such a name is lost.

use std::fmt;

use ckpt_archive::{NameRisk, normalise};
use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::change::ChangeSource;
use super::gather::{Gathered, MAX_DELETED};
use crate::defect::{DefectKind, Defects};
use crate::metadata::Metadata;
use crate::text::escape;

pub(super) fn read(metadata: &Metadata<'_>, found: &mut Gathered, defects: &Defects) {
    let Some((place, json)) = metadata.find(&["deleted.files"]) else { return };
    let list: Deleted = match serde_json::from_slice(&json) {
        Ok(list) => list,
        Err(error) => {
            let error = error.to_string();
            defects.damaged(place, format!("not a list of paths: {}", escape(error.as_bytes())));
            return;
        }
    };
    for path in &list.paths {
        let (normal, risk) = normalise(path.as_bytes());
        // Every path of this list is absolute; that says nothing.
        let risk = risk.filter(|risk| *risk != NameRisk::Absolute);
        let shown = || escape(path.as_bytes()).into_owned();
        if normal.is_empty() {
            defects.suspect(place.as_str(), format!("`{}` names no file", shown()));
            continue;
        }
        if let Some(risk) = risk {
            let what = format!("{risk}: `{}`; dangerous to delete", shown());
            defects.suspect(place.as_str(), what);
        }
        found.delete(normal, ChangeSource::DeletedFiles).risk = risk;
    }
    if list.strange > 0 {
        let what = format!("{} element(s) of the list are no text", list.strange);
        defects.tell(DefectKind::Unknown, place.as_str(), what);
    }
    if list.more > 0 {
        let what = format!("{} paths more than the {MAX_DELETED} that are listed", list.more);
        defects.damaged(place, what);
    }
}

/// The list, bounded.
#[derive(Debug, Default)]
struct Deleted {
    paths: Vec<String>,
    /// Elements that are no strings.
    strange: u64,
    /// Paths beyond the bound.
    more: u64,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Element {
    Path(String),
    Strange(IgnoredAny),
}

impl<'de> Deserialize<'de> for Deleted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Go writes an empty list as null.
        let list = deserializer.deserialize_option(List)?;
        Ok(list)
    }
}

struct List;

impl<'de> Visitor<'de> for List {
    type Value = Deleted;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_none<E>(self) -> Result<Deleted, E> {
        Ok(Deleted::default())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Deleted, D::Error> {
        deserializer.deserialize_seq(List)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Deleted, A::Error> {
        let mut list = Deleted::default();
        while let Some(element) = elements.next_element()? {
            match element {
                Element::Path(path) if list.paths.len() < MAX_DELETED => list.paths.push(path),
                Element::Path(_) => list.more = list.more.saturating_add(1),
                Element::Strange(_) => list.strange = list.strange.saturating_add(1),
            }
        }
        Ok(list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_as_go_writes_them() {
        let list: Deleted =
            serde_json::from_str("[\n  \"/etc/issue\",\n  \"/a\\u0026b\"\n]").unwrap();
        assert_eq!(list.paths, ["/etc/issue", "/a&b"]);
        let list: Deleted = serde_json::from_str("null").unwrap();
        assert!(list.paths.is_empty());
        let list: Deleted = serde_json::from_str("[1, {\"a\": [2]}, \"x\"]").unwrap();
        assert_eq!((list.paths, list.strange), (vec!["x".to_owned()], 2));
        assert!(serde_json::from_str::<Deleted>("{}").is_err());
    }
}
