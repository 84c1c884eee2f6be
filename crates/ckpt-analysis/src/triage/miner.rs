//! Miners of crypto-currencies: several signs together.
//!
//! Memory is searched once, for all processes and with all threads, for what the protocol between miners and pools says on
//! the wire and what miners are told on their command lines. A single such word proves nothing: lists of rules have it.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ops::ControlFlow;

use ckpt_memory::{MappingKind, VirtAddr};
use ckpt_model::{Pid, Socket, Strings, Task, escape};
use ckpt_scan::search::Search;
use ckpt_scan::{Haystack, Hit, Place, Sink, Work, run};
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

/// What is looked for in memory. Four literals are looked for one by one, each as fast as memory can be read.
const WORDS: [&str; 4] = ["stratum+", "mining.s", "donate-level", "\"rx/0\""];

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

/// Hits in one process that are looked into.
const MOST_HITS: usize = 64;

/// Hits in all that are looked into.
const MOST_IN_ALL: usize = 100_000;

/// Bytes behind a hit that tell what it is.
const CONTEXT: usize = 96;

/// What was found in the memory of a process: the first place of each word.
type Words = BTreeMap<&'static str, (VirtAddr, String)>;

pub(super) fn look(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let memory = search(subject);
    let nothing = Words::new();
    for task in &subject.tasks {
        let words = memory.get(&task.pid).unwrap_or(&nothing);
        findings.extend(judge(subject, task, words));
    }
}

fn judge(subject: &Subject<'_>, task: &Task, words: &Words) -> Option<Finding> {
    let told = told(task);
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
    let points = points.iter().fold(0_usize, |sum, points| sum.saturating_add(*points));
    // Without a word of the trade, neither a port nor a deleted program makes a miner.
    let severity = match (told.is_some(), points) {
        (true, 4..) => Severity::High,
        (true, _) => Severity::Medium,
        (false, _) if words.is_empty() => return None,
        (false, 5..) if protocol > 0 && (port.is_some() || foreign) => Severity::High,
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
    for (word, (address, text)) in words {
        let what = format!("{word} in memory at {address}: {text}");
        finding = finding.seen(match map {
            Some(map) => subject.seen_in_memory(map, *address, what),
            None => Seen::new(what),
        });
    }
    if let Some((address, _)) = words.values().next() {
        finding = finding.at(*address);
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

/// Searches the memory of all processes once.
fn search(subject: &Subject<'_>) -> BTreeMap<Pid, Words> {
    let mut found: BTreeMap<Pid, Words> = BTreeMap::new();
    let builder = WORDS.iter().fold(Search::builder(), |builder, word| builder.literal(*word));
    let Ok(scanner) = builder.context(CONTEXT).build() else { return found };
    let mut haystack = Haystack::new();
    let pids: Vec<Pid> = subject.tasks.iter().map(|task| task.pid).collect();
    // What is in a file is no more the process's than the file is: pages of files count where they were written.
    haystack.add_memory(subject.checkpoint, &pids, |mapping, _| {
        mapping.readable() && mapping.kind != MappingKind::FileShared
    });
    let sink = Hits { haystack: &haystack };
    let work = Work { threads: subject.options.threads.max(1), ..Work::default() };
    let mut all = 0_usize;
    let deliver = |batch: Batch| -> Result<(), Enough> {
        for (pid, address, word, text) in batch.hits {
            found.entry(pid).or_default().entry(word).or_insert((address, text));
        }
        all = all.saturating_add(batch.looked_into);
        if all > MOST_IN_ALL { Err(Enough) } else { Ok(()) }
    };
    // That there was enough is no error: what is found is found in the order of memory, with any number of threads.
    let _ = run(haystack.pieces(), &scanner, &sink, work, deliver);
    found
}

/// More was found than is looked into.
#[derive(Debug)]
struct Enough;

impl From<Infallible> for Enough {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// Makes words of hits, in the threads that find them.
struct Hits<'h> {
    haystack: &'h Haystack<'h>,
}

#[derive(Debug, Default)]
struct Batch {
    hits: Vec<(Pid, VirtAddr, &'static str, String)>,
    looked_into: usize,
}

impl Sink for Hits<'_> {
    type Batch = Batch;

    fn add(&self, batch: &mut Batch, hit: &Hit<'_>) -> ControlFlow<()> {
        batch.looked_into = batch.looked_into.saturating_add(1);
        let range = &hit.found.range;
        let mut copy = Vec::new();
        let end = range.end.saturating_add(CONTEXT as u64);
        let text = hit.part.bytes(range.start..end, &mut copy);
        if let Some(word) = meaning(text) {
            let mut places = Vec::new();
            self.haystack.places(hit.part.region(), range, &mut places);
            let shown = text.split(|byte| !matches!(byte, b' '..=b'~')).next().unwrap_or_default();
            let shown = escape(shown.get(..shown.len().min(64)).unwrap_or(shown)).into_owned();
            for place in places.iter().take(MOST_HITS) {
                if let Place::Memory { task, address, .. } = place {
                    batch.hits.push((task.pid, *address, word, shown.clone()));
                }
            }
        }
        let full = batch.looked_into >= MOST_HITS;
        if full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// What a place in memory says, from the first byte of a hit on.
fn meaning(text: &[u8]) -> Option<&'static str> {
    let begins = |any: &[&[u8]]| any.iter().any(|start| text.starts_with(start));
    let pool: [&[u8]; 4] =
        [b"stratum+tcp://", b"stratum+ssl://", b"stratum+tls://", b"stratum+udp://"];
    Some(match () {
        () if begins(&pool) => "a pool's address",
        () if begins(&[b"mining.subscribe"]) => "mining.subscribe",
        () if begins(&[b"mining.submit"]) => "mining.submit",
        () if begins(&[b"mining.set_"]) => "mining.set_difficulty",
        () if begins(&[b"donate-level"]) => "an option of miners",
        () if begins(&[b"\"rx/0\""]) => "an algorithm of miners",
        () => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_trade() {
        assert_eq!(meaning(b"stratum+tcp://pool:3333"), Some("a pool's address"));
        assert_eq!(meaning(b"stratum+x"), None);
        assert_eq!(meaning(b"mining.set_difficulty"), Some("mining.set_difficulty"));
        assert_eq!(meaning(b"mining.stuff"), None);
    }
}
