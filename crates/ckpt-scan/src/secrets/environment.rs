//! Secrets in the environment of processes: those that a rule knows, and the values of password-like names.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use ckpt_memory::VirtAddr;
use ckpt_model::{Pid, Task, Text};

use super::rule::{Confidence, Rule};
use super::scanner::{Known, SecretScanner};
use super::secret::Secret;
use super::value::{is_placeholder, looks_random};
use crate::haystack::MOST_PLACES;

/// Most variables that are kept.
const MOST: usize = 1 << 16;

/// Most bytes of a name that are kept.
const LONGEST_NAME: usize = 4 << 10;

/// A variable that holds a secret.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Variable {
    /// The process.
    pub pid: Pid,
    /// Its name; of one that is longer, the first 4096 bytes.
    pub name: Text,
    /// Address of the secret; `None` where the memory map does not say where the environment lies.
    pub address: Option<VirtAddr>,
    /// The secret.
    pub secret: Secret,
    /// It is told of the last process that is told of; more have the same memory.
    pub more_places: bool,
}

/// The secrets in the environment of some tasks, by task and place.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Environment {
    /// The variables.
    pub variables: Vec<Variable>,
    /// How many more there are.
    pub left_out: u64,
    /// Places in `variables`, by the owner of the memory and address.
    places: HashMap<(Pid, VirtAddr), usize>,
    /// Whose memory each process has that is told of.
    owners: HashMap<Pid, Pid>,
}

/// The variables of a memory that was read.
struct Read {
    /// Of the first process with it.
    variables: Range<usize>,
    left_out: u64,
    /// Processes with it so far.
    tasks: usize,
    /// Those of the last process that is told of.
    last: Range<usize>,
}

impl Environment {
    /// Of tasks.
    pub fn of<'a>(tasks: impl IntoIterator<Item = &'a Task>) -> Self {
        let scanner = SecretScanner::shared();
        let mut all = Self::default();
        let mut memories: HashMap<Pid, Read> = HashMap::new();
        for task in tasks {
            let Some(env) = &task.env else { continue };
            let owner = owner(task);
            if let Some(read) = memories.get_mut(&owner) {
                all.again(task.pid, owner, read);
                continue;
            }
            all.owners.insert(task.pid, owner);
            let (first, left_out) = (all.variables.len(), all.left_out);
            let start = task.mm.as_ref().map(|mm| mm.mm_env_start);
            let mut offset = 0_u64;
            for line in env.iter() {
                let here = start.and_then(|start| start.checked_add(offset));
                all.line(scanner, task.pid, line, here);
                offset = offset.saturating_add(line.len() as u64).saturating_add(1);
            }
            let variables = first..all.variables.len();
            let left_out = all.left_out.saturating_sub(left_out);
            let last = variables.clone();
            memories.insert(owner, Read { variables, left_out, tasks: 1, last });
        }
        all.index();
        all
    }

    /// The same variables once more, for another process with the same memory.
    fn again(&mut self, pid: Pid, owner: Pid, read: &mut Read) {
        read.tasks = read.tasks.saturating_add(1);
        if read.tasks > MOST_PLACES {
            for variable in self.variables.get_mut(read.last.clone()).into_iter().flatten() {
                variable.more_places = true;
            }
            return;
        }
        self.owners.insert(pid, owner);
        let first = self.variables.len();
        let room = MOST.saturating_sub(first);
        let same = self.variables.get(read.variables.clone()).unwrap_or_default();
        let left_out = same.len().saturating_sub(room) as u64;
        let same: Vec<Variable> =
            same.iter().take(room).map(|one| Variable { pid, ..one.clone() }).collect();
        self.variables.extend(same);
        self.left_out = self.left_out.saturating_add(read.left_out).saturating_add(left_out);
        read.last = first..self.variables.len();
    }

    fn line(&mut self, scanner: &SecretScanner, pid: Pid, line: &[u8], at: Option<u64>) {
        let Some(equals) = memchr::memchr(b'=', line) else { return };
        let (name, value) = (line.get(..equals).unwrap_or_default(), equals.saturating_add(1));
        let mut found = scanner.in_bytes(line);
        found.retain(|(offset, secret)| {
            // Of what a name assigns, more is known here.
            *offset >= value
                && secret.confidence() >= Confidence::Medium
                && secret.kind() != Rule::ConfigSecret
        });
        if found.is_empty()
            && let Some(secret) = named(name, line.get(value..).unwrap_or_default())
        {
            found.push((value, secret));
        }
        for (offset, secret) in found {
            if self.variables.len() >= MOST {
                self.left_out = self.left_out.saturating_add(1);
                continue;
            }
            let address = at.and_then(|at| at.checked_add(offset as u64)).map(VirtAddr);
            let name = Text::from(name.get(..LONGEST_NAME).unwrap_or(name));
            self.variables.push(Variable { pid, name, address, secret, more_places: false });
        }
    }

    /// Leaves out variables for which `keep` does not hold.
    pub fn retain(&mut self, keep: impl FnMut(&Variable) -> bool) {
        self.variables.retain(keep);
        self.index();
    }

    fn index(&mut self) {
        self.places.clear();
        for (index, one) in self.variables.iter().enumerate() {
            if let Some(address) = one.address {
                let owner = self.owners.get(&one.pid).copied().unwrap_or(one.pid);
                self.places.entry((owner, address)).or_insert(index);
            }
        }
    }

    /// A scanner that also finds these values wherever else they stand.
    #[must_use]
    pub fn scanner(&self) -> SecretScanner {
        self.scanner_with(&[])
    }

    /// As [`scanner`](Self::scanner); it tells in the same pass where some words stand, see [`SecretScanner::word`].
    #[must_use]
    pub fn scanner_with(&self, words: &[&str]) -> SecretScanner {
        let mut known: BTreeMap<&[u8], Known> = BTreeMap::new();
        for Variable { name, secret, .. } in &self.variables {
            known.entry(secret.value()).or_insert_with(|| Known {
                value: secret.value().to_vec(),
                rule: secret.kind(),
                confidence: secret.confidence(),
                detail: format!("value of {}", name.lossless()).into(),
            });
        }
        SecretScanner::with(known.into_values().collect(), words)
    }

    /// The variable that holds a secret at an address: that of the first process with the memory.
    #[must_use]
    pub fn at(&self, task: &Task, address: VirtAddr) -> Option<&Variable> {
        self.variables.get(*self.places.get(&(owner(task), address))?)
    }
}

/// Whose memory a task has.
fn owner(task: &Task) -> Pid {
    task.mm_owner.unwrap_or(task.pid)
}

/// The value of a password-like name.
fn named(name: &[u8], value: &[u8]) -> Option<Secret> {
    let kind = kind(name)?;
    if value.len() < 4 || is_placeholder(value) || is_reference(value) {
        return None;
    }
    let random = looks_random(value);
    let confidence = match kind {
        Kind::Password if random && value.len() >= 8 => Confidence::High,
        Kind::Password => Confidence::Medium,
        Kind::Key if !random || value.len() < 12 => return None,
        Kind::Key if value.len() >= 20 => Confidence::High,
        Kind::Key => Confidence::Medium,
    };
    let detail = format!("value of {}", String::from_utf8_lossy(name));
    Some(Secret::new(Rule::EnvSecret, confidence, Some(detail.into()), value, value))
}

enum Kind {
    /// What people choose.
    Password,
    /// What is drawn at random.
    Key,
}

/// Names whose value is a secret.
fn kind(name: &[u8]) -> Option<Kind> {
    let name = std::str::from_utf8(name).ok()?.to_ascii_uppercase();
    let words: Vec<&str> = name.split(['_', '-', '.']).filter(|word| !word.is_empty()).collect();
    let last = *words.last()?;
    if ABOUT.contains(&last) || matches!(name.as_str(), "PWD" | "OLDPWD") {
        return None;
    }
    let ends = |ends: &[&str]| words.iter().any(|word| ends.iter().any(|end| word.ends_with(end)));
    if ends(&["PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "SECRETS"])
        || matches!(last, "PASS" | "PWD" | "PW" | "AUTH")
    {
        return Some(Kind::Password);
    }
    let public = ["PUBLIC", "GPG", "PGP", "HOST", "SORT", "PRIMARY", "CACHE", "PARTITION", "KNOWN"];
    let is_public = words.iter().any(|word| public.contains(word));
    let key =
        ends(&["TOKEN", "APIKEY", "CREDENTIAL", "CREDENTIALS"]) || matches!(last, "KEY" | "KEYS");
    (key && !is_public).then_some(Kind::Key)
}

/// Last words of names that tell something about a secret: where it is, how long it lives.
const ABOUT: [&str; 32] = [
    "FILE",
    "PATH",
    "DIR",
    "URL",
    "URI",
    "NAME",
    "ID",
    "IDS",
    "HOST",
    "PORT",
    "USER",
    "USERNAME",
    "TTL",
    "LENGTH",
    "EXPIRY",
    "EXPIRES",
    "EXPIRATION",
    "TIMEOUT",
    "TYPE",
    "POLICY",
    "ENABLED",
    "ALGORITHM",
    "FORMAT",
    "PREFIX",
    "VERSION",
    "COUNT",
    "MIN",
    "MAX",
    "AGE",
    "ISSUER",
    "ENDPOINT",
    "SOCK",
];

/// Whether a value says where something is, or is a flag or a number.
fn is_reference(value: &[u8]) -> bool {
    let path = value.starts_with(b"/") || value.starts_with(b"./") || value.starts_with(b"file:");
    let small = value.len() < 6 && value.iter().all(u8::is_ascii_digit);
    path || small
}
