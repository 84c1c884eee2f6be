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

use super::apart::Engine;
use super::fragments::Cursor;
use super::matches::{Matched, Meta, Remark, RuleMatch};
use super::rules::Rules;
use super::target::{Contents, Target, Targets};

/// What a scan may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Threads, each with a target of its own.
    pub threads: usize,
    /// Time for one target and all rules, and where that is not enough for each rule by itself. Looked at between fragments and
    /// while conditions are evaluated.
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
    let engine = Engine::new(rules, limits);
    let alone = |deliver: &mut dyn FnMut(_, _, _) -> Result<(), E>| {
        targets.list.iter().try_for_each(|target| {
            let (matches, remarks) = one(&engine, target);
            deliver(target, matches, remarks)
        })
    };
    if limits.threads <= 1 {
        return alone(&mut deliver);
    }
    // Threads take targets in order and announce each with the channel on which it will come: results are waited for in
    // order, and no thread runs far ahead.
    let (announce, announced) = sync_channel(limits.threads.saturating_mul(2));
    let left = Mutex::new(Some((targets.list.iter(), announce)));
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let work_off = || {
            while let Some((target, out)) = take(&left, &stop) {
                let (matches, remarks) = one(&engine, target);
                // Nobody waits any more when the scan has ended.
                let _ = out.send((target, matches, remarks));
            }
        };
        let start = |_: &usize| thread::Builder::new().spawn_scoped(scope, work_off).is_ok();
        if (0..limits.threads).filter(start).count() == 0 {
            // Where no thread can be had, nobody has taken anything.
            return alone(&mut deliver);
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

/// A scanner that keeps to limits.
pub(super) fn with_limits(mut scanner: Scanner, limits: &Limits) -> Scanner {
    let events = CallbackEvents::RULE_MATCH
        | CallbackEvents::RULE_NO_MATCH
        | CallbackEvents::STRING_REACHED_MATCH_LIMIT;
    scanner.set_scan_params(
        ScanParams::default()
            .compute_full_matches(true)
            // A string may have too many matches for its rule to match.
            .include_not_matched_rules(true)
            .fragmented_scan_mode(FragmentedScanMode::legacy())
            // One more shows that there are more.
            .string_max_nb_matches(limits.matches.saturating_add(1))
            .match_max_length(limits.bytes)
            .timeout_duration(limits.timeout)
            .callback_events(events),
    );
    scanner
}

/// One target. The engine parses what an attacker wrote: should it panic, this target is told to have failed.
fn one(engine: &Engine<'_>, target: &Target<'_>) -> (Vec<RuleMatch>, Vec<Remark>) {
    let looked = catch_unwind(AssertUnwindSafe(|| {
        let contents = target.contents();
        let (matches, mut remarks) = engine.look(&contents);
        if matches!(contents, Contents::Parts(_)) {
            remarks.push(Remark::InParts);
        }
        remarks.sort();
        remarks.dedup();
        (matches, remarks)
    }));
    looked.unwrap_or_else(|_| (Vec::new(), vec![Remark::Failed]))
}

/// What a scanner finds, and whether it was stopped before it was done.
pub(super) fn gather(
    scanner: &Scanner,
    contents: &Contents<'_>,
    limits: &Limits,
) -> (Gathered, bool) {
    let mut gathered = Gathered::default();
    let late = Arc::new(AtomicBool::new(false));
    let deadline = limits.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let most = limits.matches;
    let done = match contents {
        Contents::File(bytes) => {
            scanner.scan_mem_with_callback(bytes, |event| gathered.take(scanner, most, event))
        }
        Contents::Memory(fragments) => {
            let mut scanner = scanner.clone();
            scanner.set_scan_params(scanner.scan_params().clone().process_memory(true));
            let cursor = Cursor::new(fragments, deadline, Arc::clone(&late));
            let take = |event: ScanEvent<'_, '_>| gathered.take(&scanner, most, event);
            scanner.scan_fragmented_with_callback(cursor, take)
        }
        Contents::Parts(fragments) => {
            let cursor = Cursor::new(fragments, deadline, Arc::clone(&late));
            let take = |event: ScanEvent<'_, '_>| gathered.take(scanner, most, event);
            scanner.scan_fragmented_with_callback(cursor, take)
        }
    };
    let late = done.is_err() || late.load(Ordering::Relaxed);
    (gathered, late)
}

/// What the engine tells while it scans.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) matches: Vec<RuleMatch>,
    pub(super) remarks: Vec<Remark>,
}

impl Gathered {
    fn take(
        &mut self,
        scanner: &Scanner,
        most: u32,
        event: ScanEvent<'_, '_>,
    ) -> ScanCallbackResult {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        match event {
            ScanEvent::RuleMatch(mut rule) => {
                self.cut(most, &mut rule);
                self.matches.push(rule_match(scanner, rule));
            }
            ScanEvent::RuleNoMatch(mut rule) => self.cut(most, &mut rule),
            // Of strings and rules that are private.
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

    /// Leaves of each string no more matches than are kept, and remarks where there were more.
    fn cut(&mut self, most: usize, rule: &mut EvaluatedRule<'_>) {
        for string in rule.matches.iter_mut().filter(|string| string.matches.len() > most) {
            string.matches.truncate(most);
            self.remarks.push(Remark::TooManyMatches {
                namespace: rule.namespace.to_owned(),
                rule: rule.name.to_owned(),
                string: format!("${}", string.name),
            });
        }
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
