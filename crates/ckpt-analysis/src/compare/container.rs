//! Facts about the containers and where they ran.
//!
//! Engines write one fact in several ways: an image's id with and without `sha256:`, its name with and without the registry
//! that is meant, a runtime by its name or by that of its shim. Facts are compared by what they mean, and told as they are.

use std::collections::HashSet;

use ckpt_model::{Checkpoint, Container, Event};

use super::meaning;

/// A fact and what each side says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fact {
    /// What it is.
    pub what: &'static str,
    /// In the first; `None` where it is not told.
    pub a: Option<String>,
    /// In the second.
    pub b: Option<String>,
}

impl Fact {
    /// Whether the two differ in what they mean; what one does not tell may be the same.
    #[must_use]
    pub fn differs(&self) -> bool {
        match (&self.a, &self.b) {
            (Some(a), Some(b)) => a != b && !self.means_the_same(a, b),
            _ => false,
        }
    }

    fn means_the_same(&self, a: &str, b: &str) -> bool {
        match self.what {
            IMAGE => meaning::image(a) == meaning::image(b),
            IMAGE_ID => meaning::digest(a) == meaning::digest(b),
            RUNTIME => meaning::runtime(a) == meaning::runtime(b),
            ADDRESSES => meaning::addresses(a, b),
            _ => false,
        }
    }

    /// Whether one side alone tells.
    #[must_use]
    pub fn one_sided(&self) -> bool {
        self.a.is_some() != self.b.is_some()
    }

    /// Whether two checkpoints of one container always differ in it.
    #[must_use]
    pub fn always_differs(&self) -> bool {
        self.what == CHECKPOINTED
    }
}

const ADDRESSES: &str = "addresses";
const ENV: &str = "env";
const IMAGE: &str = "image";
const IMAGE_ID: &str = "image_id";
const RUNTIME: &str = "runtime";
const CHECKPOINTED: &str = "checkpointed_at";

/// Every fact that at least one side tells, in a fixed order.
pub(super) fn facts(a: &Checkpoint, b: &Checkpoint) -> Vec<Fact> {
    let (one, other) = (list(a), list(b));
    let both = one.into_iter().zip(other);
    let facts = both.map(|((what, a), (_, b))| Fact { what, a, b });
    let env = (&a.container().env, &b.container().env);
    facts
        .map(|fact| if fact.what == ENV && fact.differs() { only_differing(env) } else { fact })
        .filter(|fact| fact.a.is_some() || fact.b.is_some())
        .collect()
}

/// The variables that the other side does not have; in another order all of them.
fn only_differing((a, b): (&Vec<String>, &Vec<String>)) -> Fact {
    let lacking = |of: &[String], other: &[String]| {
        let other: HashSet<&String> = other.iter().collect();
        let only: Vec<String> = of.iter().filter(|one| !other.contains(one)).cloned().collect();
        only.join(" ")
    };
    let (one, other) = (lacking(a, b), lacking(b, a));
    if one == other {
        return Fact { what: ENV, a: joined(a), b: joined(b) };
    }
    Fact { what: ENV, a: Some(one), b: Some(other) }
}

fn list(checkpoint: &Checkpoint) -> Vec<(&'static str, Option<String>)> {
    let container = checkpoint.container();
    let time = |event| container.time(event).map(|moment| moment.time.to_string());
    let pod = container.pod.as_ref();
    let page_size = checkpoint.images().map(|_| checkpoint.page_size().0.to_string());
    vec![
        ("name", container.name.clone()),
        ("id", container.id.clone()),
        (IMAGE, container.image.clone()),
        (IMAGE_ID, container.image_id.clone()),
        ("engine", Some(container.engine.word().to_owned())),
        ("engine_version", container.engine_version.clone()),
        (RUNTIME, container.runtime.clone()),
        ("runtime_version", container.runtime_version.clone()),
        ("hostname", container.hostname.clone()),
        ("pod", pod.and_then(|pod| pod.name.clone())),
        ("pod_namespace", pod.and_then(|pod| pod.namespace.clone())),
        ("pod_uid", pod.and_then(|pod| pod.uid.clone())),
        ("command", joined(&container.command)),
        (ENV, joined(&container.env)),
        ("cwd", container.cwd.clone()),
        ("privileged", container.privileged.map(|yes| yes.to_string())),
        (ADDRESSES, addresses(container)),
        ("kernel", container.host.kernel.clone()),
        ("criu", container.host.criu.clone()),
        ("arch", checkpoint.arch().map(|arch| arch.machine(checkpoint.byte_order()))),
        ("page_size", page_size),
        ("created", time(Event::Created)),
        ("started", time(Event::Started)),
        ("restored", time(Event::Restored)),
        (CHECKPOINTED, time(Event::Checkpointed)),
    ]
}

fn joined(words: &[String]) -> Option<String> {
    (!words.is_empty()).then(|| words.join(" "))
}

fn addresses(container: &Container) -> Option<String> {
    let all: Vec<String> =
        container.network.iter().flat_map(|one| one.addresses.iter().cloned()).collect();
    joined(&all)
}
