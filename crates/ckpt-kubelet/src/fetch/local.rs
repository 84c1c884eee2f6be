//! The archive read on the node itself.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use super::streams::{Fetched, Hashing};
use crate::error::Error;

/// Copies an archive that is a file of this machine, and hashes it on the way.
///
/// # Errors
///
/// It cannot be read, which only root may, or not be written here.
pub fn copy_local(
    path: &Path,
    into: &mut (dyn Write + Send),
    mut progress: impl FnMut(u64),
) -> Result<Fetched, Error> {
    let failed = |error: &io::Error| {
        let denied = error.kind() == io::ErrorKind::PermissionDenied;
        Error::Fetch {
            path: path.display().to_string(),
            node: "this machine".into(),
            why: error.to_string(),
            remedy: if denied {
                "archives belong to root: run this as root".into()
            } else {
                "look at the file and at the disk".into()
            },
        }
    };
    let mut file = File::open(path).map_err(|error| failed(&error))?;
    let mut sink = Hashing::new(into);
    let mut buffer = vec![0; 1 << 20];
    loop {
        let len = match file.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read.map_err(|error| failed(&error))?,
        };
        let bytes = buffer.get(..len).unwrap_or_default();
        if bytes.is_empty() {
            return Ok(sink.finish());
        }
        sink.write_all(bytes).map_err(|error| failed(&error))?;
        progress(u64::try_from(len).unwrap_or_default());
    }
}
