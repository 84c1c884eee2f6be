//! Evidence against a manifest: exactly what differs.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::manifest::Manifest;
use super::record::{DefectRecord, MemberRecord};

/// A value that is another one than it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Its key in the manifest.
    pub name: &'static str,
    /// What the manifest says; `None` where it has none.
    pub expected: Option<String>,
    /// What the evidence has.
    pub found: Option<String>,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference<'a> {
    /// The evidence as a whole: its kind, size or hash.
    Evidence(Fact),
    /// Something that is wrong with the archive now and was not, or was and is not: place and sentence, on one side.
    Defect(Fact),
    /// A member that is another one than it was.
    Changed {
        /// As it is.
        member: &'a MemberRecord,
        /// What differs.
        facts: Vec<Fact>,
    },
    /// A member that the manifest does not have.
    Added(&'a MemberRecord),
    /// A member that only the manifest has.
    Removed(&'a MemberRecord),
    /// A file of the same bytes that has another path.
    Renamed {
        /// As it was.
        from: &'a MemberRecord,
        /// As it is.
        to: &'a MemberRecord,
    },
    /// The same members in another order.
    Order,
}

impl Difference<'_> {
    /// The word in JSON.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Evidence(_) => "evidence",
            Self::Defect(_) => "defect",
            Self::Changed { .. } => "changed",
            Self::Added(_) => "added",
            Self::Removed(_) => "removed",
            Self::Renamed { .. } => "renamed",
            Self::Order => "order",
        }
    }
}

/// What came out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Comparison<'a> {
    /// The differences: the evidence as a whole, what is wrong with it, then members by path.
    pub differences: Vec<Difference<'a>>,
    /// Members that are the same.
    pub same: usize,
    /// Those of them that are files without a hash, of which only the rest could be compared.
    pub unhashed: usize,
}

impl Comparison<'_> {
    /// Whether nothing differs.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.differences.is_empty()
    }

    /// Whether all members are the same, and only what is around them differs: padding, the end, the order, the
    /// compression, or what headers have that is not in a manifest.
    #[must_use]
    pub fn is_around(&self) -> bool {
        let around = |d: &Difference<'_>| {
            matches!(d, Difference::Evidence(_) | Difference::Defect(_) | Difference::Order)
        };
        !self.is_same() && self.differences.iter().all(around)
    }

    /// Whether all members are the same, and the archive was packed again: they stand in another order, or it is of another
    /// kind. Other bytes around them prove no packing.
    #[must_use]
    pub fn is_repacked(&self) -> bool {
        let mut all = self.differences.iter();
        let defect = all.any(|difference| matches!(difference, Difference::Defect(_)));
        let mut all = self.differences.iter();
        let packed = all.any(|difference| match difference {
            Difference::Order => true,
            Difference::Evidence(fact) => fact.name == KIND,
            _ => false,
        });
        self.is_around() && packed && !defect
    }
}

const KIND: &str = "kind";

type Key = (Vec<u8>, u64);

fn key(member: &MemberRecord) -> Key {
    (member.path_bytes(), member.copy)
}

/// Holds `found`, made of the evidence now, against `expected`. What does not belong to the evidence is not compared:
/// who made the manifests, when, and the path that the evidence had.
#[must_use]
pub fn compare<'a>(expected: &'a Manifest, found: &'a Manifest) -> Comparison<'a> {
    let (old, new) = (&expected.evidence, &found.evidence);
    let mut facts = Vec::new();
    fact(&mut facts, KIND, &Some(&old.kind), &Some(&new.kind));
    fact(&mut facts, "size", &Some(old.size), &Some(new.size));
    // A directory has no hash of its own: its files have.
    fact(&mut facts, "sha256", &old.sha256, &new.sha256);
    let mut differences: Vec<Difference<'a>> =
        facts.into_iter().map(Difference::Evidence).collect();
    differences.extend(defects(expected, found).into_iter().map(Difference::Defect));

    let before: BTreeMap<Key, &MemberRecord> =
        expected.members.iter().map(|member| (key(member), member)).collect();
    let after: BTreeMap<Key, &MemberRecord> =
        found.members.iter().map(|member| (key(member), member)).collect();
    let removed = before.iter().filter(|(key, _)| !after.contains_key(*key));
    let mut removed: Vec<&MemberRecord> = removed.map(|(_, member)| *member).collect();
    let mut members: BTreeMap<Key, Difference<'a>> = BTreeMap::new();
    let mut moved = Moved::of(&removed);
    let (mut same, mut unhashed) = (0_usize, 0_usize);
    for (key, member) in &after {
        let difference = match before.get(key) {
            Some(old) => {
                let facts = changed(old, member);
                if facts.is_empty() {
                    unhashed = unhashed.saturating_add(usize::from(member.unhashed.is_some()));
                    same = same.saturating_add(1);
                    continue;
                }
                Difference::Changed { member, facts }
            }
            None => match moved.take(member) {
                Some(from) => Difference::Renamed { from, to: member },
                None => Difference::Added(member),
            },
        };
        members.insert(key.clone(), difference);
    }
    removed.retain(|member| !moved.taken.contains(&key(member)));
    members.extend(removed.into_iter().map(|member| (key(member), Difference::Removed(member))));
    let set = members.values().all(|difference| matches!(difference, Difference::Changed { .. }));
    differences.extend(members.into_values());
    let keys = |manifest: &'a Manifest| manifest.members.iter().map(key);
    if set && !keys(expected).eq(keys(found)) {
        differences.push(Difference::Order);
    }
    Comparison { differences, same, unhashed }
}

/// What is wrong on one side alone. Of the same bytes nothing else can be wrong: another version has other words.
fn defects(expected: &Manifest, found: &Manifest) -> Vec<Fact> {
    let (old, new) = (&expected.evidence.sha256, &found.evidence.sha256);
    let same_bytes = old.is_some() && old == new;
    if same_bytes || (old.is_none() && new.is_none() && expected.tool != found.tool) {
        return Vec::new();
    }
    let mut left: HashMap<&DefectRecord, usize> = HashMap::new();
    for defect in &expected.defects {
        let count = left.entry(defect).or_default();
        *count = count.saturating_add(1);
    }
    let text = |defect: &DefectRecord| Some(format!("{}: {}", defect.place, defect.what));
    let mut came = Vec::new();
    for defect in &found.defects {
        match left.get_mut(defect).filter(|count| **count > 0) {
            Some(count) => *count = count.saturating_sub(1),
            None => came.push(Fact { name: DEFECT, expected: None, found: text(defect) }),
        }
    }
    let mut went = Vec::new();
    for defect in expected.defects.iter().rev() {
        if let Some(count) = left.get_mut(defect).filter(|count| **count > 0) {
            *count = count.saturating_sub(1);
            went.push(Fact { name: DEFECT, expected: text(defect), found: None });
        }
    }
    went.reverse();
    came.extend(went);
    came
}

const DEFECT: &str = "defect";

/// Removed files by what they hold: a member that appears with the same bytes is one of them under another path.
struct Moved<'a> {
    by_content: HashMap<(&'a str, u64), Vec<&'a MemberRecord>>,
    taken: HashSet<Key>,
}

impl<'a> Moved<'a> {
    fn of(removed: &[&'a MemberRecord]) -> Self {
        let mut by_content: HashMap<(&str, u64), Vec<&MemberRecord>> = HashMap::new();
        // The first one is taken first, from the end.
        for member in removed.iter().rev() {
            // Empty files are all alike.
            if let Some(sha256) = member.sha256.as_deref().filter(|_| member.size > 0) {
                by_content.entry((sha256, member.size)).or_default().push(member);
            }
        }
        Self { by_content, taken: HashSet::new() }
    }

    fn take(&mut self, member: &'a MemberRecord) -> Option<&'a MemberRecord> {
        let from = self.by_content.get_mut(&(member.sha256.as_deref()?, member.size))?.pop()?;
        self.taken.insert(key(from));
        Some(from)
    }
}

/// What differs between two members of one path.
fn changed(old: &MemberRecord, new: &MemberRecord) -> Vec<Fact> {
    let mut facts = Vec::new();
    fact(&mut facts, "kind", &Some(&old.kind), &Some(&new.kind));
    fact(&mut facts, "size", &Some(old.size), &Some(new.size));
    fact(&mut facts, "sha256", &old.sha256, &new.sha256);
    // The reason may name the place where the evidence was.
    if old.unhashed.is_some() != new.unhashed.is_some() {
        fact(&mut facts, "unhashed", &old.unhashed, &new.unhashed);
    }
    fact(&mut facts, "mode", &Some(&old.mode), &Some(&new.mode));
    fact(&mut facts, "uid", &Some(old.uid), &Some(new.uid));
    fact(&mut facts, "gid", &Some(old.gid), &Some(new.gid));
    // Manifests of earlier versions have no names.
    if old.uname.is_some() {
        fact(&mut facts, "uname", &old.uname, &new.uname);
    }
    if old.gname.is_some() {
        fact(&mut facts, "gname", &old.gname, &new.gname);
    }
    fact(&mut facts, "mtime", &Some(&old.mtime), &Some(&new.mtime));
    fact(&mut facts, "target", &old.target, &new.target);
    fact(&mut facts, "target_base64", &old.target_base64, &new.target_base64);
    fact(&mut facts, "device", &old.device, &new.device);
    facts
}

fn fact<T: PartialEq + ToString>(
    facts: &mut Vec<Fact>,
    name: &'static str,
    expected: &Option<T>,
    found: &Option<T>,
) {
    if expected != found {
        let text = |value: &Option<T>| value.as_ref().map(ToString::to_string);
        facts.push(Fact { name, expected: text(expected), found: text(found) });
    }
}
