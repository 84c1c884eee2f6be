//! What confines the container, and what leads out of it.

pub(super) mod confinement;
pub(super) mod mounts;
pub(super) mod namespaces;
pub(super) mod rights;
pub(super) mod sockets;
