//! The archive brought here: read on the node itself, or streamed through a short-lived pod.
//!
//! The kubelet has no way to hand out what it wrote. On the node the file is simply read ([`copy_local`]); from elsewhere a
//! [`Fetcher`] lets a pod run on that node which does nothing but sleep, has the directory of the archive mounted read-only,
//! and is asked over `exec` for the file's size and hash and then for its bytes. Whatever happens, the pod is deleted.

mod exec;
mod fetcher;
mod helper;
mod local;
mod manifest;
mod place;
mod readiness;
mod streams;

pub use fetcher::Fetcher;
pub use helper::Helper;
pub use local::copy_local;
pub use manifest::{HelperSpec, MOUNT};
pub use streams::Fetched;
