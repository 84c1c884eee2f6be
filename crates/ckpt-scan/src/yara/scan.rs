//! Holding rules against targets, several at once, and telling what matches in order.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::slice::Iter;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use boreal::scanner::{
    CallbackEvents, EvaluatedRule, FragmentedScanMode, ScanCallbackResult, ScanEvent, ScanParams,
};
use boreal::{MetadataValue, Scanner};

use super::fragments::Cursor;
use super::matches::{Matched, Meta, Remark, RuleMatch};
use super::rules::Rules;
use super::target::{Contents, Target, Targets};

/// What a scan may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Threads, each with a target of its own.
    pub threads: usize,
    /// Time for one target. Looked at between fragments and while conditions are evaluated.
    pub timeout: Option<Duration>,
    /// Most matches of one string in one target. Conditions do not see further ones either.
    pub matches: u32,
    /// Most bytes of a match that are kept.
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { threads: 1, timeout: None, matches: 10_000, bytes: 256 }
    }
}

/// Holds rules against targets, and tells `deliver` of each in their order.
///
/// # Errors
///
/// The first error of `deliver`; the scan ends with it.
pub fn scan<'t, 'a, E>(
    targets: &'t Targets<'a>,
    rules: &Rules,
    limits: &Limits,
    mut deliver: impl FnMut(&'t Target<'a>, Vec<RuleMatch>, Vec<Remark>) -> Result<(), E>,
) -> Result<(), E> {
    let scanner = scanner(rules, limits);
    if limits.threads <= 1 {
        return targets.list.iter().try_for_each(|target| {
            let (matches, remarks) = one(&scanner, target, limits);
            deliver(target, matches, remarks)
        });
    }
    // Threads take targets in order and announce each with the channel on which it will come: results are waited for in
    // order, and no thread runs far ahead.
    let (announce, announced) = sync_channel(limits.threads.saturating_mul(2));
    let left = Mutex::new(Some((targets.list.iter(), announce)));
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..limits.threads {
            scope.spawn(|| {
                while let Some((target, out)) = take(&left, &stop) {
                    let (matches, remarks) = one(&scanner, target, limits);
                    // Nobody waits any more when the scan has ended.
                    let _ = out.send((target, matches, remarks));
                }
            });
        }
        let told = announced
            .iter()
            .flatten()
            .try_for_each(|(target, matches, remarks)| deliver(target, matches, remarks));
        if told.is_err() {
            stop.store(true, Ordering::Relaxed);
        }
        // Threads that wait to announce something wake up.
        drop(announced);
        told
    })
}

/// A target, and what is to be told of it.
type Told<'t, 'a> = (&'t Target<'a>, Vec<RuleMatch>, Vec<Remark>);

/// Tells the caller, in order, where results will come from.
type Announce<'t, 'a> = SyncSender<Receiver<Told<'t, 'a>>>;

/// The targets that are left; nothing when there are no more.
type Left<'t, 'a> = Mutex<Option<(Iter<'t, Target<'a>>, Announce<'t, 'a>)>>;

/// The next target, and where its result goes.
fn take<'t, 'a>(
    left: &Left<'t, 'a>,
    stop: &AtomicBool,
) -> Option<(&'t Target<'a>, SyncSender<Told<'t, 'a>>)> {
    let mut left = left.lock().unwrap_or_else(PoisonError::into_inner);
    let taken =
        left.as_mut().filter(|_| !stop.load(Ordering::Relaxed)).and_then(|(targets, announce)| {
            let target = targets.next()?;
            let (out, result) = sync_channel(1);
            announce.send(result).ok()?;
            Some((target, out))
        });
    if taken.is_none() {
        *left = None;
    }
    taken
}

fn scanner(rules: &Rules, limits: &Limits) -> Scanner {
    let mut scanner = rules.scanner();
    let events = CallbackEvents::RULE_MATCH | CallbackEvents::STRING_REACHED_MATCH_LIMIT;
    scanner.set_scan_params(
        ScanParams::default()
            .compute_full_matches(true)
            .fragmented_scan_mode(FragmentedScanMode::legacy())
            .string_max_nb_matches(limits.matches)
            .match_max_length(limits.bytes)
            .timeout_duration(limits.timeout)
            .callback_events(events),
    );
    scanner
}

/// One target. The engine parses what an attacker wrote: should it panic, this target is told to have failed.
fn one(scanner: &Scanner, target: &Target<'_>, limits: &Limits) -> (Vec<RuleMatch>, Vec<Remark>) {
    let scanned = catch_unwind(AssertUnwindSafe(|| look(scanner, target, limits)));
    scanned.unwrap_or_else(|_| (Vec::new(), vec![Remark::Failed]))
}

fn look(scanner: &Scanner, target: &Target<'_>, limits: &Limits) -> (Vec<RuleMatch>, Vec<Remark>) {
    let mut gathered = Gathered::default();
    let late = Arc::new(AtomicBool::new(false));
    let deadline = limits.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let contents = target.contents();
    let done = match &contents {
        Contents::File(bytes) => {
            scanner.scan_mem_with_callback(bytes, |event| gathered.take(scanner, event))
        }
        Contents::Memory(fragments) => {
            let mut scanner = scanner.clone();
            scanner.set_scan_params(scanner.scan_params().clone().process_memory(true));
            let cursor = Cursor::new(fragments, deadline, Arc::clone(&late));
            let take = |event: ScanEvent<'_, '_>| gathered.take(&scanner, event);
            scanner.scan_fragmented_with_callback(cursor, take)
        }
        Contents::Parts(fragments) => {
            gathered.remarks.push(Remark::InParts);
            let cursor = Cursor::new(fragments, deadline, Arc::clone(&late));
            scanner.scan_fragmented_with_callback(cursor, |event| gathered.take(scanner, event))
        }
    };
    if done.is_err() || late.load(Ordering::Relaxed) {
        gathered.remarks.push(Remark::TimedOut);
    }
    gathered.remarks.sort();
    (gathered.matches, gathered.remarks)
}

/// What the engine tells while it scans.
#[derive(Debug, Default)]
struct Gathered {
    matches: Vec<RuleMatch>,
    remarks: Vec<Remark>,
}

impl Gathered {
    fn take(&mut self, scanner: &Scanner, event: ScanEvent<'_, '_>) -> ScanCallbackResult {
        match event {
            ScanEvent::RuleMatch(rule) => self.matches.push(rule_match(scanner, rule)),
            ScanEvent::StringReachedMatchLimit(string) => {
                self.remarks.push(Remark::TooManyMatches {
                    namespace: string.rule_namespace.to_owned(),
                    rule: string.rule_name.to_owned(),
                    string: format!("${}", string.string_name),
                });
            }
            _ => {}
        }
        ScanCallbackResult::Continue
    }
}

fn rule_match(scanner: &Scanner, rule: EvaluatedRule<'_>) -> RuleMatch {
    let text = |symbol| scanner.get_string_symbol(symbol).to_owned();
    let meta = rule.metadatas.iter().map(|meta| {
        let value = match meta.value {
            MetadataValue::Bytes(symbol) => Meta::Bytes(scanner.get_bytes_symbol(symbol).to_vec()),
            MetadataValue::Integer(number) => Meta::Integer(number),
            MetadataValue::Boolean(boolean) => Meta::Boolean(boolean),
        };
        (text(meta.name), value)
    });
    let mut matched = Vec::new();
    for string in rule.matches {
        let name = format!("${}", string.name);
        matched.extend(string.matches.into_iter().map(|one| Matched {
            string: name.clone(),
            position: (one.base as u64).saturating_add(one.offset as u64),
            length: one.length as u64,
            bytes: one.data,
            xor_key: one.xor_key,
        }));
    }
    RuleMatch {
        rule: rule.name.to_owned(),
        namespace: rule.namespace.to_owned(),
        tags: rule.tags.iter().map(|tag| text(*tag)).collect(),
        meta: meta.collect(),
        matched,
    }
}
