//! An event: when, how exactly, what, and what tells of it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use ckpt_model::artifacts::Origin;
use jiff::{SignedDuration, Timestamp};

use super::{File, LogLine, Timer};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum What {
    /// The container was created.
    Created,
    /// Its first process was started.
    Started,
    /// It was checkpointed.
    Checkpointed,
    /// It was restored from an earlier checkpoint.
    Restored,
    /// The checkpoint was made an image.
    ImageCreated,
    /// The kubelet first saw the configuration of the pod.
    ConfigSeen,
    /// Somebody asked for new pods in place of the old ones.
    Rollout,
    /// The host booted.
    Booted,
    /// The first image of a dump was written.
    DumpBegan,
    /// The last image of a dump was written.
    DumpEnded,
    /// An image of an earlier dump was written.
    StaleImage,
    /// A member of the archive was last written.
    Written,
    /// A file was last modified.
    Modified,
    /// A file was last read.
    Accessed,
    /// The inode of a file last changed.
    Changed,
    /// The container wrote to its standard output or error.
    Log,
    /// A timer would have run out.
    TimerDue,
}

impl What {
    /// The word in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Started => "started",
            Self::Checkpointed => "checkpointed",
            Self::Restored => "restored",
            Self::ImageCreated => "image-created",
            Self::ConfigSeen => "config-seen",
            Self::Rollout => "rollout",
            Self::Booted => "booted",
            Self::DumpBegan => "dump-began",
            Self::DumpEnded => "dump-ended",
            Self::StaleImage => "stale-image",
            Self::Written => "written",
            Self::Modified => "modified",
            Self::Accessed => "accessed",
            Self::Changed => "changed",
            Self::Log => "log",
            Self::TimerDue => "timer-due",
        }
    }
}

/// What tells of an event. Events of one time are in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Source {
    /// The host's clock of uptime, as images hold it.
    Host,
    /// The engine's description of the container, and what the images say in its place.
    Container,
    /// Modification times of the images.
    Images,
    /// Modification times of what lies beside the images.
    Member,
    /// The container's log.
    Log,
    /// Files that were written in the root file system.
    RootfsDiff,
    /// Files of a tmpfs.
    Tmpfs,
    /// Files of `/dev/shm`.
    DevShm,
    /// Files of a named volume.
    Volume,
    /// Deleted files that were still open.
    Ghost,
    /// Timers of the processes.
    Timer,
}

impl Source {
    /// All of them, in their order.
    pub const ALL: [Self; 11] = [
        Self::Host,
        Self::Container,
        Self::Images,
        Self::Member,
        Self::Log,
        Self::RootfsDiff,
        Self::Tmpfs,
        Self::DevShm,
        Self::Volume,
        Self::Ghost,
        Self::Timer,
    ];

    /// The word in JSON and on the command line; that of [`Origin`] where there is one.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Container => "container",
            Self::Images => "images",
            Self::Member => "member",
            Self::Log => "log",
            Self::RootfsDiff => "rootfs-diff",
            Self::Tmpfs => "tmpfs",
            Self::DevShm => "dev-shm",
            Self::Volume => "volume",
            Self::Ghost => "ghost",
            Self::Timer => "timer",
        }
    }

    /// The source of files of that origin; `None` for what has no times.
    pub(super) fn of(origin: Origin) -> Option<Self> {
        match origin {
            Origin::RootfsDiff => Some(Self::RootfsDiff),
            Origin::Tmpfs => Some(Self::Tmpfs),
            Origin::DevShm => Some(Self::DevShm),
            Origin::Volume => Some(Self::Volume),
            Origin::Ghost => Some(Self::Ghost),
            _ => None,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|source| source.word() == text);
        known.ok_or_else(|| format!("one of {}", Self::ALL.map(Self::word).join(", ")))
    }
}

/// The last place of a time that means something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Precision {
    /// Seconds.
    Seconds,
    /// Microseconds.
    Micros,
    /// Nanoseconds.
    Nanos,
}

impl Precision {
    /// The word in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Seconds => "s",
            Self::Micros => "us",
            Self::Nanos => "ns",
        }
    }

    /// Of a time that may have been written with or without a fraction: a whole second proves nothing finer.
    pub(super) fn of(time: Timestamp) -> Self {
        match time.subsec_nanosecond() {
            0 => Self::Seconds,
            _ => Self::Nanos,
        }
    }
}

/// How a time was worked out that nothing in the archive states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Derivation {
    /// How far the truth may be away, earlier or later, as long as the clocks that went in are right.
    pub uncertainty: SignedDuration,
    /// Of what, as words.
    pub from: &'static str,
}

/// An event, as it is looked at.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Event<'a> {
    /// When.
    pub time: Timestamp,
    /// How exactly.
    pub precision: Precision,
    /// What happened.
    pub what: What,
    /// What tells of it.
    pub source: Source,
    /// Which member and what of it, safe for a terminal.
    pub place: &'a str,
    /// How the time was worked out; `None` where the archive states it.
    pub derived: Option<Derivation>,
    /// To what it happened.
    pub subject: Subject<'a>,
}

/// To what an event happened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Subject<'a> {
    /// The container as a whole, or its host.
    Container,
    /// What the place names; with a remark where there is one to make.
    Place(Option<&'a str>),
    /// A file in the container.
    File(&'a File),
    /// A timer.
    Timer(&'a Timer),
    /// A line of the container's log.
    Line(LogLine),
}

/// An event, as it is kept.
#[derive(Clone, Debug)]
pub(super) struct Dated {
    pub(super) time: Timestamp,
    pub(super) precision: Precision,
    pub(super) what: What,
    pub(super) source: Source,
    pub(super) place: Arc<str>,
    pub(super) derived: Option<Box<Derivation>>,
    pub(super) about: About,
}

/// [`Subject`] by number.
#[derive(Clone, Debug)]
pub(super) enum About {
    Container,
    Place(Option<Box<str>>),
    File(usize),
    Timer(usize),
}
