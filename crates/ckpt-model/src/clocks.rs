//! The clocks of the images: when they were written, and what uptime the host had.
//!
//! No image holds the time of day. But each is a file with a modification time, and two of them read the host's uptime:
//! `inventory.img` when the dump is one of a chain, `timens-0.img` as a rule.

use criu_image::ImageKind;
use criu_image::messages::{InventoryEntry, TimensEntry, Timespec};

use crate::defect::Defects;
use crate::images::Images;
use crate::{Checkpoint, Text};

/// The clocks in one image directory.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImageClocks {
    /// Its path in the evidence.
    pub directory: Text,
    /// The image that was written first, as far as modification times tell; `None` when no image has one.
    pub oldest: Option<Written>,
    /// The image that was written last.
    pub youngest: Option<Written>,
    /// Readings of the host's uptime.
    pub uptimes: Vec<Uptime>,
}

/// An image and when it was last written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The image, safe for a terminal.
    pub place: String,
    /// Its modification time.
    pub time: ckpt_archive::Timestamp,
}

/// How long the host had been up, suspended or not.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Uptime {
    /// Image and field, safe for a terminal.
    pub place: String,
    /// The uptime, nanoseconds. What the image claims: it can be longer than any calendar.
    pub nanos: u128,
    /// Which clock was read.
    pub clock: UptimeClock,
    /// Modification time of the image; `None` when it has none.
    pub written: Option<ckpt_archive::Timestamp>,
}

/// Where an uptime comes from, and with it the moment at which it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UptimeClock {
    /// `CLOCK_BOOTTIME`, read just before `timens-0.img` was written. Source: `criu/timens.c`.
    Boottime,
    /// `/proc/uptime`, hundredths of a second, read when the dump began. Source: `criu/cr-dump.c`, `criu/util.c`.
    ProcUptime,
}

impl Checkpoint {
    /// The clocks of the images that are shown, and of their parents, nearest first. Left-overs of earlier dumps have none.
    #[must_use]
    pub fn image_clocks(&self) -> Vec<ImageClocks> {
        self.images().into_iter().chain(self.parents()).map(|images| self.clocks(images)).collect()
    }

    fn clocks(&self, images: &Images) -> ImageClocks {
        let written: Vec<Written> = images
            .all()
            .into_iter()
            .filter_map(|(kind, id, member)| {
                let time = known(member.mtime)?;
                Some(Written { place: images.place(kind, id), time })
            })
            .collect();
        // Of images of one second the first and the last in the archive.
        let oldest = written.iter().min_by_key(|image| image.time).cloned();
        let youngest = written.iter().max_by_key(|image| image.time).cloned();
        ImageClocks {
            directory: images.path().clone(),
            oldest,
            youngest,
            uptimes: self.uptimes(images),
        }
    }

    fn uptimes(&self, images: &Images) -> Vec<Uptime> {
        let mut uptimes = Vec::new();
        // What is wrong with the image is told where it is shown.
        let quiet = Defects::default();
        let written = |kind, id| images.member(kind, id).and_then(|member| known(member.mtime));
        for id in images.ids(ImageKind::Timens) {
            let kind = ImageKind::Timens;
            if let Some(entry) = images.one::<TimensEntry>(kind, Some(id), self.told()) {
                uptimes.push(Uptime {
                    place: format!("{}: boottime", images.place(kind, Some(id))),
                    nanos: nanos(&entry.boottime),
                    clock: UptimeClock::Boottime,
                    written: written(kind, Some(id)),
                });
            }
        }
        let kind = ImageKind::Inventory;
        if images.has(kind, None)
            && let Some(inventory) = images.one::<InventoryEntry>(kind, None, &quiet)
            && let Some(micros) = inventory.dump_uptime
        {
            uptimes.push(Uptime {
                place: format!("{}: dump_uptime", images.place(kind, None)),
                nanos: u128::from(micros).saturating_mul(1000),
                clock: UptimeClock::ProcUptime,
                written: written(kind, None),
            });
        }
        uptimes
    }
}

/// Archives write 0 for a time that is not known.
fn known(time: ckpt_archive::Timestamp) -> Option<ckpt_archive::Timestamp> {
    (time != ckpt_archive::Timestamp::default()).then_some(time)
}

fn nanos(time: &Timespec) -> u128 {
    let whole = u128::from(time.tv_sec).saturating_mul(1_000_000_000);
    whole.saturating_add(u128::from(time.tv_nsec))
}
