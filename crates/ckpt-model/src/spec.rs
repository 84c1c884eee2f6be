//! `spec.dump`: the OCI runtime spec that the container was started with.

use std::collections::BTreeMap;

use oci_spec::runtime::Spec;
use serde_json::{Map, Value};

use crate::confinement::Confinement;
use crate::container::{Container, SpecMount};
use crate::defect::Defects;

/// Keys that are dropped one after another when the spec as a whole is newer than the types that read it: the least
/// telling first.
const DROPPED: [&str; 8] =
    ["linux", "hooks", "vm", "solaris", "windows", "zos", "mounts", "process"];

/// Reads a spec; one that the typed reader refuses is read without its least telling parts, and the defect says so.
pub(crate) fn parse(place: &str, json: &[u8], defects: &Defects) -> Option<Spec> {
    let error = match serde_json::from_slice::<Spec>(json) {
        Ok(spec) => return Some(spec),
        Err(error) => error,
    };
    let Ok(Value::Object(mut keys)) = serde_json::from_slice::<Value>(json) else {
        defects.damaged(
            place,
            format!("not a runtime spec: {}", crate::text::escape(error.to_string().as_bytes())),
        );
        return None;
    };
    let mut left_out = Vec::new();
    for key in DROPPED {
        if keys.remove(key).is_some() {
            left_out.push(key);
        }
        if let Ok(spec) = serde_json::from_value::<Spec>(Value::Object(keys.clone())) {
            let error = crate::text::escape(error.to_string().as_bytes()).into_owned();
            let what =
                format!("ahead of this reader ({error}); read without {}", left_out.join(", "));
            defects.tell(crate::DefectKind::Unknown, place, what);
            return Some(spec);
        }
    }
    defects.damaged(
        place,
        format!("not a runtime spec: {}", crate::text::escape(error.to_string().as_bytes())),
    );
    None
}

/// Takes over what the spec in the member `place` tells of a container.
pub(crate) fn describe(place: &str, spec: &Spec, container: &mut Container) {
    container.confinement = Confinement::of(spec, place);
    if let Some(process) = spec.process() {
        container.command = process.args().clone().unwrap_or_default();
        container.env = process.env().clone().unwrap_or_default();
        container.cwd = Some(process.cwd().to_string_lossy().into_owned());
    }
    container.hostname = spec.hostname().clone().filter(|name| !name.is_empty());
    container.rootfs = spec.root().as_ref().map(|root| root.path().to_string_lossy().into_owned());
    if let Some(annotations) = spec.annotations() {
        container.annotations.extend(annotations.iter().map(|(k, v)| (k.clone(), v.clone())));
    }
    let cgroups = spec.linux().as_ref().and_then(|linux| linux.cgroups_path().as_ref());
    container.cgroups_path = cgroups.map(|path| path.to_string_lossy().into_owned());
    container.mounts = spec.mounts().iter().flatten().map(mount).collect();
}

fn mount(mount: &oci_spec::runtime::Mount) -> SpecMount {
    SpecMount {
        destination: mount.destination().to_string_lossy().into_owned(),
        kind: mount.typ().clone(),
        source: mount.source().as_ref().map(|source| source.to_string_lossy().into_owned()),
        options: mount.options().clone().unwrap_or_default(),
    }
}

/// The annotations alone, which tell the engine.
pub(crate) fn annotations(spec: &Spec) -> BTreeMap<&str, &str> {
    spec.annotations().iter().flatten().map(|(k, v)| (k.as_str(), v.as_str())).collect()
}

/// The JSON object in a member, or a defect.
pub(crate) fn object(place: &str, json: &[u8], defects: &Defects) -> Option<Map<String, Value>> {
    match serde_json::from_slice(json) {
        Ok(Value::Object(object)) => Some(object),
        Ok(_) => {
            defects.damaged(place, "not a JSON object");
            None
        }
        Err(error) => {
            defects.damaged(
                place,
                format!("not JSON: {}", crate::text::escape(error.to_string().as_bytes())),
            );
            None
        }
    }
}
