//! Rules apart from others that take too long.
//!
//! The engine has one deadline for all rules. Where it passes, the rules are held against the target in halves, each with a
//! deadline of its own, and halves of those for which it passes once more, until the slow rules are alone. From then on
//! they are held against every target by themselves, and the others together.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use boreal::Scanner;

use super::matches::{Remark, RuleMatch};
use super::rules::Rules;
use super::scan::{Gathered, Limits, gather, with_limits};
use super::target::Contents;

/// Most looks at one target: what is left then is told not to have been looked at.
const MOST_LOOKS: usize = 256;

/// Rules, and what is known of their speed.
pub(super) struct Engine<'r> {
    rules: &'r Rules,
    limits: &'r Limits,
    whole: Scanner,
    /// Of the rules that are told, those that are global, by place in the set.
    global: Vec<usize>,
    /// The others.
    plain: Vec<usize>,
    slow: Mutex<Slow>,
}

/// What was learnt.
#[derive(Default)]
struct Slow {
    /// Rules that were too slow for some target.
    rules: BTreeSet<usize>,
    /// The groups that this makes, with their scanners.
    groups: Vec<Group>,
}

/// Some rules.
#[derive(Clone)]
struct Group {
    rules: Vec<usize>,
    /// `None` until they are looked with.
    scanner: Option<Scanner>,
}

/// What a look at a target with some rules brought.
struct Look {
    found: Gathered,
    /// Whether something may be missing.
    late: bool,
    /// Whether it took longer than it may; the engine does not always stop then.
    slow: bool,
}

impl<'r> Engine<'r> {
    pub(super) fn new(rules: &'r Rules, limits: &'r Limits) -> Self {
        let (mut global, mut plain) = (Vec::new(), Vec::new());
        for (at, item) in rules.set().items.iter().enumerate() {
            if item.told().is_some() {
                if item.is_global() { &mut global } else { &mut plain }.push(at);
            }
        }
        let whole = with_limits(rules.scanner(), limits);
        Self { rules, limits, whole, global, plain, slow: Mutex::default() }
    }

    /// Holds all rules against a target.
    pub(super) fn look(&self, contents: &Contents<'_>) -> (Vec<RuleMatch>, Vec<Remark>) {
        let known = self.known();
        if known.is_empty() {
            let look = self.look_with(&self.whole, contents);
            if !look.late {
                return (look.found.matches, look.found.remarks);
            }
        }
        self.look_apart(contents, known)
    }

    /// The groups that are known to be better looked with apart.
    fn known(&self) -> Vec<Group> {
        self.slow.lock().unwrap_or_else(PoisonError::into_inner).groups.clone()
    }

    fn look_apart(
        &self,
        contents: &Contents<'_>,
        known: Vec<Group>,
    ) -> (Vec<RuleMatch>, Vec<Remark>) {
        let mut all = Gathered::default();
        let mut open = if known.is_empty() { self.first() } else { known };
        open.reverse();
        let mut slow = Vec::new();
        for _ in 0..MOST_LOOKS {
            let Some(group) = open.pop() else { break };
            let is_global = group.rules == self.global;
            let Some(scanner) = group.scanner.or_else(|| self.scanner(&group.rules)) else {
                all.remarks.push(Remark::Failed);
                continue;
            };
            let look = self.look_with(&scanner, contents);
            if look.late && group.rules.len() > 1 && !is_global {
                let half = group.rules.len() / 2;
                let (first, second) = group.rules.split_at_checked(half).unwrap_or_default();
                open.extend(
                    [second, first].map(|rules| Group { rules: rules.to_vec(), scanner: None }),
                );
                continue;
            }
            if look.late {
                all.remarks.extend(group.rules.iter().filter_map(|rule| self.timed_out(*rule)));
            }
            if let [rule] = group.rules.as_slice()
                && look.slow
                && !is_global
            {
                slow.push(*rule);
            }
            let late = look.late;
            self.keep(&group.rules, look.found, &mut all);
            if late && is_global {
                // They hold for the others too, of which nothing can be said.
                break;
            }
        }
        if !open.is_empty() {
            all.remarks.push(Remark::TimedOut);
        }
        self.learn(&slow);
        let places = self.places();
        all.matches.sort_by_cached_key(|one| places.get(&(&*one.namespace, &*one.rule)).copied());
        (all.matches, all.remarks)
    }

    /// The groups to begin with: the global rules, and halves of the others.
    fn first(&self) -> Vec<Group> {
        let (first, second) = self.plain.split_at_checked(self.plain.len() / 2).unwrap_or_default();
        let groups = [&self.global, first, second].into_iter().filter(|rules| !rules.is_empty());
        groups.map(|rules| Group { rules: rules.to_vec(), scanner: None }).collect()
    }

    /// Remembers rules that were slow, and makes groups in which they are alone.
    fn learn(&self, slow: &[usize]) {
        let mut known = self.slow.lock().unwrap_or_else(PoisonError::into_inner);
        let before = known.rules.len();
        known.rules.extend(slow);
        if known.rules.len() == before {
            return;
        }
        let rest = self.plain.iter().filter(|rule| !known.rules.contains(rule)).copied().collect();
        let alone = known.rules.iter().map(|rule| vec![*rule]);
        let groups = [self.global.clone(), rest].into_iter().chain(alone);
        let groups = groups.filter(|rules| !rules.is_empty()).map(|rules| {
            let scanner = self.scanner(&rules);
            Group { rules, scanner }
        });
        known.groups = groups.collect();
    }

    fn scanner(&self, rules: &[usize]) -> Option<Scanner> {
        self.rules.set().scanner(rules).map(|scanner| with_limits(scanner, self.limits))
    }

    fn look_with(&self, scanner: &Scanner, contents: &Contents<'_>) -> Look {
        let begun = Instant::now();
        let (found, late) = gather(scanner, contents, self.limits);
        let slow = self.limits.timeout.is_some_and(|timeout| begun.elapsed() >= timeout);
        Look { found, late, slow: late || slow }
    }

    /// Keeps what is about these rules; others were only needed for them.
    fn keep(&self, rules: &[usize], found: Gathered, all: &mut Gathered) {
        let items = rules.iter().filter_map(|at| self.rules.set().items.get(*at));
        let own: BTreeSet<(&str, &str)> = items.filter_map(|item| item.told()).collect();
        let is_own = |namespace: &str, rule: &str| own.contains(&(namespace, rule));
        all.matches
            .extend(found.matches.into_iter().filter(|one| is_own(&one.namespace, &one.rule)));
        all.remarks.extend(found.remarks.into_iter().filter(|remark| match remark {
            Remark::TooManyMatches { namespace, rule, .. } => is_own(namespace, rule),
            _ => true,
        }));
    }

    fn timed_out(&self, rule: usize) -> Option<Remark> {
        let (namespace, rule) = self.rules.set().items.get(rule)?.told()?;
        Some(Remark::RuleTimedOut { namespace: namespace.to_owned(), rule: rule.to_owned() })
    }

    /// In which order the engine tells rules.
    fn places(&self) -> HashMap<(&str, &str), usize> {
        let items = &self.rules.set().items;
        let told = self.global.iter().chain(&self.plain).filter_map(|at| items.get(*at)?.told());
        told.enumerate().map(|(place, name)| (name, place)).collect()
    }
}

impl fmt::Debug for Engine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("limits", self.limits).finish_non_exhaustive()
    }
}
