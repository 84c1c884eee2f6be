//! CRIU, runc or crun called by hand: the bundle's `config.json` and `state.json` where someone kept them.
//!
//! Source: `runtime-spec/config.md`, `runtime-spec/runtime.md` (state).

use super::{moment, text};
use crate::container::{Container, Event};
use crate::defect::Defects;
use crate::metadata::Metadata;
use crate::spec::{self, object};

pub(super) fn describe(metadata: &Metadata<'_>, container: &mut Container, defects: &Defects) {
    if let Some((place, json)) = metadata.find(&["state.json"])
        && let Some(state) = object(&place, &json, defects)
    {
        container.id = text(&state, "id");
        container.rootfs = text(&state, "rootfs");
        moment(&state, "created", Event::Created, &place, container, defects);
    }
    // docker keeps the checkpoint's own description under the same name: `{"created":..,"name":..}`.
    if let Some((place, json)) = metadata.find(&["config.json"])
        && let Some(config) = object(&place, &json, defects)
        && config.contains_key("ociVersion")
        && let Some(spec) = spec::parse(&place, &json, defects)
    {
        let rootfs = container.rootfs.take();
        spec::describe(&place, &spec, container);
        container.rootfs = rootfs.or(container.rootfs.take());
    }
}
