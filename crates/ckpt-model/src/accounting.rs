//! Nothing in the evidence is dropped in silence: every member, and what was made of it.

use std::collections::HashSet;

use bytes::Bytes;
use criu_image::messages::{CgroupEntry, DumpStatsEntry, StatsEntry, UtsnsEntry};
use criu_image::wire::review;
use criu_image::{Classified, Image, ImageKind, PagemapRecord, classify};
use jiff::Timestamp;

use crate::checkpoint::{Checkpoint, dump_half};
use crate::container::{Container, Event, Moment};
use crate::defect::Defects;
use crate::images::{Images, decode, tell_review};
use crate::locate::{ImageDirectory, split};
use crate::{Text, text};

/// What was made of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Standing {
    /// Its meaning is known and shown.
    Parsed,
    /// Its name is known; nothing is made of its content.
    Recognised,
    /// Neither.
    Unknown,
    /// An image of an earlier dump.
    Stale,
}

impl Standing {
    /// The word in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Parsed => "parsed",
            Self::Recognised => "recognised",
            Self::Unknown => "unknown",
            Self::Stale => "stale",
        }
    }
}

/// A member with its standing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Path in the evidence.
    pub path: Text,
    /// Bytes.
    pub size: u64,
    /// What was made of it.
    pub standing: Standing,
}

/// Every regular member of the evidence, in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accounting {
    /// The members.
    pub members: Vec<Account>,
}

impl Accounting {
    /// The members of one standing.
    pub fn of(&self, standing: Standing) -> impl Iterator<Item = &Account> {
        self.members.iter().filter(move |account| account.standing == standing)
    }
}

/// Engine members whose content is read.
const PARSED: [&[u8]; 20] = [
    b"config.dump",
    b"spec.dump",
    b"spec.any",
    b"network.status",
    b"status",
    b"status.dump",
    b"runtime.name",
    b"config.v2.json",
    b"hostconfig.json",
    b"state.json",
    b"config.json",
    b"dump.log",
    b"stats-dump",
    b"rootfs-diff.tar",
    b"deleted.files",
    b"devshm-checkpoint.tar",
    b"ctr.log",
    b"container.log",
    b"bind.mounts",
    b"io.kubernetes.cri-o.LogPath",
];

/// Engine members that are known by name.
const RECOGNISED: [&[u8]; 15] = [
    b"descriptors.json",
    b"restore.log",
    b"criu.log",
    b"criu-dump.log",
    b"criu.conf",
    b"stats-restore",
    b"pod.options",
    b"pod.dump",
    b"hosts",
    b"hostname",
    b"resolv.conf",
    b"resolv.conf.hash",
    b"options.any",
    b"runtime-options.any",
    b"irmap-cache",
];

pub(crate) fn account(checkpoint: &Checkpoint) -> Accounting {
    let members = checkpoint.evidence().members().iter();
    let regular = members.filter(|member| {
        matches!(member.kind, ckpt_archive::MemberKind::File | ckpt_archive::MemberKind::HardLink)
    });
    let stale: HashSet<&Text> = checkpoint.stale().iter().map(|stale| &stale.path).collect();
    let accounts = regular.map(|member| {
        let (folder, name) = split(&member.path);
        let path = Text::from(member.path.as_slice());
        let standing = if stale.contains(&path) {
            Standing::Stale
        } else if let Classified::Image(image) = classify(name) {
            if image.kind.info().analysed { Standing::Parsed } else { Standing::Recognised }
        } else if PARSED.contains(&name) || is_volume_or_log(folder, name) {
            Standing::Parsed
        } else if RECOGNISED.contains(&name) {
            Standing::Recognised
        } else {
            Standing::Unknown
        };
        Account { path, size: member.size, standing }
    });
    Accounting { members: accounts.collect() }
}

fn is_volume_or_log(folder: &[u8], name: &[u8]) -> bool {
    let in_volumes = split(folder).1 == b"volumes" && name.ends_with(b".tar");
    in_volumes || name.ends_with(b"-json.log")
}

/// `stats-dump`, a service image without the ending of the others.
pub(crate) fn statistics(place: &str, bytes: Bytes, defects: &Defects) -> Option<DumpStatsEntry> {
    let record = Image::open(ImageKind::StatsDump, bytes)
        .and_then(|image| image.records().next().transpose());
    match record {
        Ok(Some(record)) => dump_half(decode::<StatsEntry>(place, &record, defects)?),
        Ok(None) => {
            defects.damaged(place, "no record in the statistics");
            None
        }
        Err(error) => {
            defects.damaged(place, error.to_string());
            None
        }
    }
}

/// The kernel release in `vm Linux 6.18.44 #1 SMP ... x86_64`: what follows the word `Linux`.
pub(crate) fn kernel_release(running_on: &Text) -> Option<String> {
    let mut words = running_on.as_bytes().split(|byte| *byte == b' ');
    words.find(|word| *word == b"Linux")?;
    let release = words.next().filter(|release| !release.is_empty())?;
    Some(Text::from(release).lossless().into_owned())
}

/// Fills in what engines leave out and images tell.
pub(crate) fn complete(
    container: &mut Container,
    images: &Images,
    directory: Option<&ImageDirectory>,
    defects: &Defects,
) {
    if container.hostname.is_none()
        && let Some(uts) = first_utsns(images, defects)
    {
        container.hostname = Some(Text(uts.nodename).lossless().into_owned());
    }
    if container.id.is_none() {
        container.id = id_in_cgroup(images, defects);
    }
    // The inventory is the last image that CRIU writes.
    let inventory = images.member(ImageKind::Inventory, None);
    if let Some(time) = inventory.and_then(|member| Timestamp::from_second(member.mtime.secs).ok())
        && inventory.is_some_and(|member| member.mtime.secs > 0)
    {
        let place = images.place(ImageKind::Inventory, None);
        let source = format!("{place}: modification time");
        container.times.push(Moment { event: Event::Checkpointed, time, source });
    } else if let Some(directory) = directory.filter(|directory| directory.modified > 0)
        && let Ok(time) = Timestamp::from_second(directory.modified)
    {
        let source = format!("{}: youngest image", directory.path);
        container.times.push(Moment { event: Event::Checkpointed, time, source });
    }
}

fn first_utsns(images: &Images, defects: &Defects) -> Option<UtsnsEntry> {
    let id = images.ids(ImageKind::Utsns).into_iter().next()?;
    images.one(ImageKind::Utsns, Some(id), defects)
}

/// The container id in the names of its cgroups: 64 hexadecimal digits (`libpod-<id>.scope`, `docker/<id>`).
fn id_in_cgroup(images: &Images, defects: &Defects) -> Option<String> {
    images.has(ImageKind::Cgroup, None).then_some(())?;
    let cgroup: CgroupEntry = images.one(ImageKind::Cgroup, None, defects)?;
    let paths = cgroup.sets.iter().flat_map(|set| &set.ctls).map(|ctl| &ctl.path);
    paths.into_iter().find_map(|path| {
        let mut words = path.split(|byte| !byte.is_ascii_hexdigit());
        let id = words.find(|word| word.len() == 64)?;
        Some(text::escape(id).into_owned())
    })
}

/// What is known of the CRIU that made the dump.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CriuFacts {
    /// Its version, where something in the archive states it.
    pub version: Option<String>,
    /// What the images tell of the version (`4.2 or later`), for archives that do not state it.
    pub inferred: Option<&'static str>,
    /// `inventory.img_version`: 1 is V1.0, 2 is V1.1, 3 is V1.2; 0 in a pre-dump.
    pub image_version: Option<u32>,
    /// UUID of the run (4.1 and later).
    pub run_id: Option<Text>,
    /// Plugins that took part (`cuda_plugin`, `amdgpu_plugin`).
    pub plugins: Vec<Text>,
    /// Page compression: 0 none, 1 a block per page, 2 blocks of several pages.
    pub compression: Option<u32>,
    /// Whether TCP connections were closed instead of dumped; `None` where nothing tells: CRIU before 3.16 that did not close
    /// any, and pre-dumps.
    pub tcp_close: Option<bool>,
    /// Security module: 0 none, 1 SELinux, 2 AppArmor.
    pub lsm: Option<u32>,
    /// Uptime of the host when the dump began, microseconds; recorded for incremental dumps only.
    pub uptime_us: Option<u64>,
}

impl Checkpoint {
    /// What is known of the CRIU that made the dump.
    pub fn criu(&self) -> CriuFacts {
        let mut facts =
            CriuFacts { version: self.container().host.criu.clone(), ..CriuFacts::default() };
        let Some(inventory) = self.inventory() else { return facts };
        facts.image_version = Some(inventory.img_version);
        facts.run_id = inventory.dump_criu_run_id.clone().map(Text);
        facts.plugins = inventory
            .plugins_entry
            .iter()
            .flat_map(|entry| &entry.plugins)
            .cloned()
            .map(Text)
            .collect();
        facts.compression = inventory.compress;
        // CRIU leaves it out when it did not close any. The way in which it locked the network, which came with the next
        // version, it always notes.
        facts.tcp_close = inventory.tcp_close.or(inventory.network_lock_method.map(|_| false));
        facts.lsm = inventory.lsmtype;
        facts.uptime_us = inventory.dump_uptime;
        facts.inferred = if self.counts_pages_in_field_5() {
            Some("4.2 or later")
        } else if inventory.dump_criu_run_id.is_some() || inventory.plugins_entry.is_some() {
            // A pre-dump has the second alone.
            Some("4.1")
        } else {
            Some("4.0 or earlier")
        };
        facts
    }

    /// CRIU 4.2 moved the page count of a pagemap entry from field 2 to field 5.
    fn counts_pages_in_field_5(&self) -> bool {
        let Some(images) = self.images() else { return false };
        let quiet = Defects::default();
        images.ids(ImageKind::Pagemap).into_iter().find_map(|id| {
            let records = images.records(ImageKind::Pagemap, Some(id), &quiet)?;
            let (_, entry) = records.into_iter().nth(1)?;
            Some(PagemapRecord::from_record(&entry).ok()?.entry.nr_pages.is_some())
        }) == Some(true)
    }

    /// Looks through every image for fields that this version does not know, and for broken records.
    pub fn look_for_unknown(&self) {
        let Some(images) = self.images() else { return };
        for (kind, id, _) in images.all() {
            if kind.is_raw() {
                continue;
            }
            let found = Defects::default();
            for (place, record) in images.records(kind, id, &found).into_iter().flatten() {
                tell_review(&review(&record.payload, record.schema), &place, self.told());
            }
            for defect in found.list() {
                self.tell(defect.kind, defect.place, defect.what);
            }
        }
    }
}
