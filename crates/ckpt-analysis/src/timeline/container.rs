//! What the engine says of the container, and when its files were written.

use std::sync::Arc;

use ckpt_archive::Member;
use ckpt_model::{Event as Happened, Text};
use criu_image::{Classified, classify};

use super::event::{About, Dated};
use super::{Building, Precision, Source, What};

/// Created, started, checkpointed: each as often as something tells it.
pub(super) fn moments(building: &mut Building<'_>) {
    for moment in &building.checkpoint.container().times {
        let what = match moment.event {
            Happened::Created => What::Created,
            Happened::Started => What::Started,
            Happened::Checkpointed => What::Checkpointed,
            Happened::Restored => What::Restored,
            Happened::ImageCreated => What::ImageCreated,
            Happened::ConfigSeen => What::ConfigSeen,
            Happened::Rollout => What::Rollout,
            _ => continue,
        };
        building.push(Dated {
            time: moment.time,
            precision: Precision::of(moment.time),
            what,
            source: Source::Container,
            place: Arc::from(moment.source.as_str()),
            derived: None,
            about: About::Container,
        });
    }
}

/// Files of the container's folder and its volumes; the images have their own events.
pub(super) fn members(building: &mut Building<'_>) {
    let evidence = building.checkpoint.evidence();
    let place = building.checkpoint.place();
    let folder = place.path.as_bytes();
    let volumes = [folder, b"volumes"].into_iter().filter(|part| !part.is_empty());
    let volumes = volumes.collect::<Vec<_>>().join(&b'/');
    let holds_images = |member: &Member| {
        place.directories.iter().any(|directory| directory.path.as_bytes() == member.parent())
    };
    let written: Vec<&Member> = evidence
        .children(folder)
        .chain(evidence.children(&volumes))
        .filter(|member| {
            let image = matches!(classify(member.file_name()), Classified::Image(_));
            member.is_file() && !(image && holds_images(member))
        })
        // Archives write 0 for a time that is not known.
        .filter(|member| member.mtime != ckpt_archive::Timestamp::default())
        .collect();
    for member in written {
        let place = Text::from(member.path.as_slice()).escaped().into_owned();
        let Some(time) = building.stamp(member.mtime, &place) else { continue };
        building.push(Dated {
            time,
            precision: Precision::of(time),
            what: What::Written,
            source: Source::Member,
            place: Arc::from(place),
            derived: None,
            about: About::Place(None),
        });
    }
}
