//! Miners of crypto-currencies: several signs together.
//!
//! Memory is searched, in the same pass that looks for secrets, for what the protocol between miners and pools says on the
//! wire and what miners are told on their command lines. A single such word proves nothing: lists of rules have it.

use std::collections::{BTreeMap, HashMap};

use ckpt_model::{Pid, Socket, Strings, Task, escape};
use ckpt_scan::secrets::WordSpot;
use criu_image::ImageKind;
use memchr::memmem::find;

use super::finding::{Confidence, Finding, Rule, Seen, Severity};
use super::quote::quote;
use super::subject::{Subject, command_line, named, shortened};
use super::talk;

pub(super) static RULES: &[&Rule] = &[&MINER];

static MINER: Rule = Rule {
    id: "crypto-miner",
    title: "A process looks like a miner of crypto-currency",
    why: "Mining is what intruders do most with containers that they get into.",
    wrong: "Security tools carry lists with the same words; some mine on purpose.",
    check: "ckpt-inspect search -l stratum+ --pid PID EVIDENCE; ckpt-inspect files --sockets EVIDENCE",
    attack: &["T1496.001"],
};

/// What is looked for in memory.
pub(super) const WORDS: [&str; 9] = [
    "stratum+tcp://",
    "stratum+ssl://",
    "stratum+tls://",
    "stratum+udp://",
    "mining.subscribe",
    "mining.submit",
    "mining.set_",
    "donate-level",
    "\"rx/0\"",
];

/// What miners are told on their command line or in their environment.
const TOLD: [&[u8]; 12] = [
    b"stratum+tcp://",
    b"stratum+ssl://",
    b"stratum+tls://",
    b"stratum2+tcp://",
    b"stratum://",
    b"daemon+http://",
    b"--donate-level",
    b"--randomx-",
    b"--cpu-max-threads-hint",
    b"--rig-id",
    b"--coin=",
    b"--algo=rx/",
];

/// Ports that pools are known to listen on and hardly any other service.
const PORTS: [u32; 14] = [
    3333, 3334, 4444, 5555, 7777, 8333, 9999, 10_128, 14_433, 14_444, 45_560, 45_700, 20_580,
    13_531,
];

/// Bytes of what stands at a word that are shown.
const SHOWN: usize = 64;

/// What was found in the memory of a process, by what it means: the place that stands first.
type Words<'s> = BTreeMap<&'static str, &'s WordSpot>;

pub(super) fn look(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    // Of those who share a memory, who have the same arguments and environment, once.
    let mut known: HashMap<Pid, Option<String>> = HashMap::new();
    for task in &subject.tasks {
        let mut words = Words::new();
        for word in WORDS {
            if let Some(spot) = subject.searched.words.get(&(task.pid, word)) {
                let first = words.entry(meaning(word)).or_insert(spot);
                if spot.address < first.address {
                    *first = spot;
                }
            }
        }
        let told = match task.mm_owner {
            Some(owner) => known.entry(owner).or_insert_with(|| told(task)).clone(),
            None => told(task),
        };
        findings.extend(judge(subject, task, &words, told));
    }
}

fn judge(
    subject: &Subject<'_>,
    task: &Task,
    words: &Words<'_>,
    told: Option<String>,
) -> Option<Finding> {
    let protocol = words.keys().filter(|word| word.starts_with("mining.")).count();
    let pool = words.contains_key("a pool's address");
    let port = pool_port(subject, task);
    let foreign = subject.is_foreign(task);
    let points = [
        if told.is_some() { 3 } else { 0 },
        if protocol >= 2 { 2 } else { protocol },
        usize::from(pool),
        usize::from(words.contains_key("an option of miners")),
        usize::from(words.contains_key("an algorithm of miners")),
        usize::from(port.is_some()),
        usize::from(foreign),
    ];
    let setting = ["an option of miners", "an algorithm of miners"];
    let configured = pool && setting.iter().any(|word| words.contains_key(word));
    let points = points.iter().fold(0_usize, |sum, points| sum.saturating_add(*points));
    // Without a word of the trade, neither a port nor a deleted program makes a miner.
    let severity = match (told.is_some(), points) {
        (true, 4..) => Severity::High,
        (true, _) => Severity::Medium,
        (false, _) if words.is_empty() => return None,
        (false, 5..) if protocol > 0 && (port.is_some() || foreign) => Severity::High,
        // Pools of Monero speak another protocol; a file tells the miner whom to call.
        (false, _) if configured && foreign && talk::calls_out(subject, task) => Severity::High,
        (false, 3..) if port.is_some() || foreign => Severity::Medium,
        (false, 3..) => Severity::Low,
        _ => return None,
    };
    let confidence = if points >= 4 { Confidence::High } else { Confidence::Medium };
    let title = format!("{} looks like a miner of crypto-currency", named(task));
    let mut finding = Finding::new(&MINER, severity, confidence, title).of(task.pid);
    if let Some(exe) = subject.executable(task) {
        finding = finding.path(exe.path.clone());
        if foreign {
            finding.evidence.extend(exe.seen.iter().cloned());
        }
    }
    if let Some(told) = told {
        finding = finding.seen(Seen::new(told).member(subject.mm(task)));
    }
    if let Some(socket) = port {
        let what = format!("it has {}, a port of pools", talk::worded(socket));
        finding = finding.seen(Seen::new(what).member(subject.image(ImageKind::Files, None)));
    }
    let map = subject.map(task.pid);
    for (word, spot) in words {
        let what = format!("{word} in memory at {}: {}", spot.address, shown(&spot.text));
        finding = finding.seen(match map {
            Some(map) => subject.seen_in_memory(map, spot.address, what),
            None => Seen::new(what),
        });
    }
    if let Some(spot) = words.values().next() {
        finding = finding.at(spot.address);
    }
    Some(finding)
}

/// What the arguments or the environment tell a miner.
fn told(task: &Task) -> Option<String> {
    let speaks =
        |word: &[u8]| is_wallet(word) || TOLD.iter().any(|told| find(word, told).is_some());
    if let Some(argv) = task.argv.as_ref().filter(|argv| argv.iter().any(speaks)) {
        return Some(format!("arguments: {}", shortened(&command_line(argv))));
    }
    let mut env = task.env.iter().flat_map(Strings::iter);
    let variable = env.find(|variable| speaks(variable))?;
    Some(format!("environment: {}", quote(variable)))
}

/// Whether a word is, or ends in, an address of Monero: 95 or 106 letters and digits without those that look alike, a
/// label behind a dot left off.
fn is_wallet(word: &[u8]) -> bool {
    let word = word.rsplit(|byte| *byte == b'=').next().unwrap_or(word);
    let word = word.split(|byte| matches!(byte, b'.' | b'+')).next().unwrap_or(word);
    let base58 = |byte: &u8| byte.is_ascii_alphanumeric() && !b"0OIl".contains(byte);
    matches!(word.len(), 95 | 106)
        && matches!(word.first(), Some(b'4' | b'8'))
        && word.iter().all(base58)
}

/// A connection to somebody else's port of a pool.
fn pool_port<'s>(subject: &Subject<'s>, task: &Task) -> Option<&'s Socket> {
    let mut held = subject.sockets_of(task.pid).iter().map(|(_, socket)| *socket);
    held.find(|socket| {
        let remote = socket.remote.as_ref();
        let port = talk::port(remote).is_some_and(|port| PORTS.contains(&port));
        talk::is_conversation(socket) && port && !talk::is_loopback(remote)
    })
}

/// What a word says.
fn meaning(word: &str) -> &'static str {
    match word {
        "mining.subscribe" => "mining.subscribe",
        "mining.submit" => "mining.submit",
        "mining.set_" => "mining.set_difficulty",
        "donate-level" => "an option of miners",
        "\"rx/0\"" => "an algorithm of miners",
        _ => "a pool's address",
    }
}

/// The text that begins with a word, safe for a terminal.
fn shown(text: &[u8]) -> String {
    let printable = text.split(|byte| !matches!(byte, b' '..=b'~')).next().unwrap_or_default();
    escape(printable.get(..printable.len().min(SHOWN)).unwrap_or(printable)).into_owned()
}
