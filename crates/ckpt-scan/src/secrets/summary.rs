//! All secrets of a checkpoint in one call, and words that a caller looks for in the same pass.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ops::ControlFlow;

use ckpt_memory::{Mapping, MappingKind, VirtAddr};
use ckpt_model::artifacts::Artifact;
use ckpt_model::{Checkpoint, Pid};

use super::environment::Environment;
use super::folding::{FoldedSecret, Folding, Spot};
use super::rule::Confidence;
use super::scanner::SecretScanner;
use super::secret::Secret;
use crate::driver::{Hit, Sink, Work, run};
use crate::haystack::{Haystack, Place};
use crate::strings::Encoding;

/// Secrets, or words, that are handed on together.
const BATCH: usize = 256;

/// Bytes of what stands at a word.
const TEXT: usize = 96;

/// A secret at the places that share the memory or the file in which it was found.
#[derive(Debug)]
#[non_exhaustive]
pub struct Sighting<'a> {
    /// The secret.
    pub secret: Secret,
    /// How its bytes are to be read.
    pub encoding: Encoding,
    /// Where it is.
    pub places: Vec<Place<'a>>,
}

/// Makes sightings of hits, in the threads that find them.
#[derive(Debug)]
pub struct Sightings<'a> {
    haystack: &'a Haystack<'a>,
    scanner: &'a SecretScanner,
    environment: &'a Environment,
    least: Confidence,
}

impl<'a> Sightings<'a> {
    /// Of hits of a scanner in a haystack, from `least` on, without those that are the value of a variable.
    #[must_use]
    pub fn new(
        haystack: &'a Haystack<'a>,
        scanner: &'a SecretScanner,
        environment: &'a Environment,
        least: Confidence,
    ) -> Self {
        Self { haystack, scanner, environment, least }
    }
}

impl<'a> Sink for Sightings<'a> {
    type Batch = Vec<Sighting<'a>>;

    fn add(&self, batch: &mut Self::Batch, hit: &Hit<'_>) -> ControlFlow<()> {
        let Some(secret) = self.scanner.secret(hit) else { return ControlFlow::Continue(()) };
        if secret.confidence() < self.least {
            return ControlFlow::Continue(());
        }
        let mut places = Vec::new();
        self.haystack.places(hit.part.region(), &hit.found.range, &mut places);
        places.retain(|place| match place {
            Place::Memory { task, address, .. } => self.environment.at(task, *address).is_none(),
            Place::Artifact { .. } => true,
        });
        if !places.is_empty() {
            batch.push(Sighting { secret, encoding: hit.found.encoding, places });
        }
        if batch.len() >= BATCH { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// The secrets of a checkpoint.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Summary {
    /// Each once, the surest first.
    pub secrets: Vec<FoldedSecret>,
    /// Sightings of further secrets, beyond what is kept.
    pub left_out: u64,
    /// The variables that hold secrets, whatever their confidence.
    pub environment: Environment,
    /// The words that were found: the first place in the memory of each process.
    pub words: BTreeMap<(Pid, &'static str), WordSpot>,
}

/// Where a word stands in the memory of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WordSpot {
    /// Address of its first byte.
    pub address: VirtAddr,
    /// The bytes there: the word, and what follows it.
    pub text: Vec<u8>,
}

/// Looks for secrets that are at least so sure in the environment and memory of all processes and in artifacts, and for
/// `words` in memory that is the processes' own: what is in a file is no more theirs than the file is.
///
/// Memory is read once; what is kept is bounded whatever the number of hits.
#[must_use]
pub fn summary<'a>(
    checkpoint: &'a Checkpoint,
    artifacts: impl IntoIterator<Item = &'a Artifact>,
    words: &[&'static str],
    least: Confidence,
    work: Work,
) -> Summary {
    let tasks = checkpoint.processes().by_pid();
    let environment = Environment::of(tasks.iter().copied());
    let scanner = environment.scanner_with(words);
    let pids: Vec<Pid> = tasks.iter().map(|task| task.pid).collect();
    let mut haystack = Haystack::new();
    haystack.add_memory(checkpoint, &pids, |_, _| true);
    haystack.add_artifacts(artifacts);
    let mut folding = Folding::default();
    for variable in environment.variables.iter().filter(|one| one.secret.confidence() >= least) {
        folding.add(variable.secret.clone(), [Spot::variable(variable)]);
    }
    let sink =
        Finder { words, sightings: Sightings::new(&haystack, &scanner, &environment, least) };
    let mut found = BTreeMap::new();
    let done: Result<(), Infallible> = run(haystack.pieces(), &scanner, &sink, work, |batch| {
        for Sighting { secret, places, .. } in batch.secrets {
            folding.add(secret, places.iter().map(Spot::of));
        }
        for (pid, word, spot) in batch.words {
            found.entry((pid, word)).or_insert(spot);
        }
        Ok(())
    });
    done.unwrap_or_else(|never| match never {});
    let (secrets, left_out) = folding.finish();
    let left_out = left_out.saturating_add(environment.left_out);
    Summary { secrets, left_out, environment, words: found }
}

/// Tells secrets and words apart.
struct Finder<'a, 'w> {
    words: &'w [&'static str],
    sightings: Sightings<'a>,
}

#[derive(Default)]
struct Batch<'a> {
    secrets: Vec<Sighting<'a>>,
    words: Vec<(Pid, &'static str, WordSpot)>,
}

impl<'a> Sink for Finder<'a, '_> {
    type Batch = Batch<'a>;

    fn add(&self, batch: &mut Self::Batch, hit: &Hit<'_>) -> ControlFlow<()> {
        let Self { words, sightings } = self;
        let Some(number) = sightings.scanner.word(hit) else {
            return sightings.add(&mut batch.secrets, hit);
        };
        let Some(word) = words.get(number) else { return ControlFlow::Continue(()) };
        let mut places = Vec::new();
        sightings.haystack.places(hit.part.region(), &hit.found.range, &mut places);
        for place in places.iter().take(BATCH) {
            if let Place::Memory { task, address, mapping } = place
                && is_own(mapping)
            {
                let end = hit.found.range.start.saturating_add(TEXT as u64);
                let mut copy = Vec::new();
                let text = hit.part.bytes(hit.found.range.start..end, &mut copy).to_vec();
                batch.words.push((task.pid, word, WordSpot { address: *address, text }));
            }
        }
        let full = batch.words.len() >= BATCH;
        if full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// Whether what stands in a mapping is the process's: pages of files count where they were written.
fn is_own(mapping: &Mapping) -> bool {
    mapping.readable() && mapping.kind != MappingKind::FileShared
}
