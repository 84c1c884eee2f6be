//! An OCI layout in a directory: whole, or nothing of it.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow};
use ckpt::archive::Progress;
use ckpt::model::Checkpoint;
use ckpt::oci::{Compression, Image, Layer, Plan, Settings};

use crate::directory::{Directory, is_full};
use crate::progress::Bar;

/// Size of the buffer before the layer's file.
const BUFFER: usize = 1 << 20;

/// Writes the image of a checkpoint as a layout into a directory, which is made if it does not exist and has to be empty.
/// When something goes wrong the directory is left as it was.
pub(crate) fn write(
    to: &Path,
    checkpoint: &Checkpoint,
    plan: &Plan<'_>,
    compression: Compression,
    settings: &Settings,
    bar: Option<&Bar>,
) -> Result<Image> {
    let needed = if compression == Compression::None { plan.layer_size() } else { 0 };
    let mut target = Target::open(to, needed)?;
    let layer = target.layer(plan, compression, bar)?;
    let image = Image::new(checkpoint, layer, settings);
    for file in image.files() {
        target.file(file.path, file.bytes)?;
    }
    target.complete = true;
    Ok(image)
}

/// The directory while it is filled.
struct Target {
    path: PathBuf,
    root: Directory,
    /// Whether it was made here.
    made: bool,
    /// `blobs` and `blobs/sha256`, once they are made.
    folders: Vec<Directory>,
    /// Files so far: the folder they are in, by its place in `folders`, or none for the top; and their names.
    files: Vec<(Option<usize>, String)>,
    complete: bool,
}

/// The folders of a layout, each in the one before it.
const FOLDERS: [&str; 2] = ["blobs", "sha256"];

impl Target {
    fn open(path: &Path, needed: u64) -> Result<Self> {
        let (root, made) = Directory::open_empty(path, needed)?;
        let mut target = Self {
            path: path.to_owned(),
            root,
            made,
            folders: Vec::new(),
            files: Vec::new(),
            complete: false,
        };
        for name in FOLDERS {
            let parent = target.folders.last().unwrap_or(&target.root);
            let folder = parent
                .subdirectory(name)
                .with_context(|| format!("cannot make {name} in {}", path.display()))?;
            target.folders.push(folder);
        }
        Ok(target)
    }

    fn layer(
        &mut self,
        plan: &Plan<'_>,
        compression: Compression,
        bar: Option<&Bar>,
    ) -> Result<Layer> {
        let fill = |file: &mut File| {
            let out = BufWriter::with_capacity(BUFFER, file);
            let progress = bar.map(|bar| bar as &dyn Progress);
            let layer = plan.write_layer(compression, out, progress)?;
            Ok((layer.blob.digest.to_string(), layer))
        };
        let blobs = self.folders.last().unwrap_or(&self.root);
        let layer = blobs.place_as(fill);
        let layer = layer.map_err(|error| self.explain(error, plan, compression))?;
        self.files.push((Some(FOLDERS.len() - 1), layer.blob.digest.to_string()));
        Ok(layer)
    }

    fn file(&mut self, path: &str, bytes: &[u8]) -> Result<()> {
        let (folder, name) = match path.rsplit_once('/') {
            Some((_, name)) => (Some(FOLDERS.len() - 1), name),
            None => (None, path),
        };
        let directory = folder.and_then(|at| self.folders.get(at)).unwrap_or(&self.root);
        directory.write(name, bytes)?;
        self.files.push((folder, name.to_owned()));
        Ok(())
    }

    fn explain(
        &self,
        error: io::Error,
        plan: &Plan<'_>,
        compression: Compression,
    ) -> anyhow::Error {
        let path = self.path.display();
        if !is_full(&error) {
            return anyhow::Error::new(error).context(format!("cannot write the layer in {path}"));
        }
        let available = self.root.available().unwrap_or_default();
        let size = plan.layer_size();
        let unpacked = if compression == Compression::None { "" } else { " before compression" };
        anyhow!(
            "no room left in {path} for the layer, which has {size} bytes{unpacked}; {available} are available without it. Nothing was left there"
        )
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if self.complete {
            return;
        }
        for (folder, name) in &self.files {
            folder.and_then(|at| self.folders.get(at)).unwrap_or(&self.root).remove(name);
        }
        while self.folders.pop().is_some() {
            let parent = self.folders.last().unwrap_or(&self.root);
            parent.remove(FOLDERS.get(self.folders.len()).unwrap_or(&""));
        }
        if self.made {
            // Only if it is empty: nothing but what was written here is ever taken away.
            let _ = std::fs::remove_dir(&self.path);
        }
    }
}
