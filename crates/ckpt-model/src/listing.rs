//! The checkpoints in a directory, such as a kubelet's.

use std::path::{Path, PathBuf};

use crate::checkpoint::Checkpoint;
use crate::opening::{OpenError, OpenOptions};
use crate::select::Need;

/// Where the kubelet puts checkpoints.
pub const KUBELET_CHECKPOINTS: &str = "/var/lib/kubelet/checkpoints";

/// One file or directory, opened as a checkpoint.
#[derive(Debug)]
pub struct Listed {
    /// Its path.
    pub path: PathBuf,
    /// The checkpoint, or why it is none.
    pub checkpoint: Result<Checkpoint, OpenError>,
}

/// Opens every entry of a directory as a checkpoint, one after another, in the order of their names. Hidden files and
/// symbolic links are passed over.
///
/// # Errors
///
/// When the directory cannot be listed.
pub fn list(
    directory: &Path,
    options: &OpenOptions,
) -> std::io::Result<impl Iterator<Item = Listed>> {
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if !hidden && (kind.is_file() || kind.is_dir()) {
            entries.push(entry.path());
        }
    }
    entries.sort();
    let options = options.clone().need(Need::Facts);
    Ok(entries.into_iter().map(move |path| {
        let checkpoint = options.open(&path);
        Listed { path, checkpoint }
    }))
}
