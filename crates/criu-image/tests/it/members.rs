//! Reading the members of real archives.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Archives in a folder, sorted.
pub(crate) fn archives(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_some_and(|name| name.to_string_lossy().contains(".tar")) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Calls back with path and bytes of every file of an archive that `wanted` asks for.
pub(crate) fn each_member(
    archive: &Path,
    wanted: impl Fn(&Path) -> bool,
    mut each: impl FnMut(&Path, Vec<u8>),
) {
    let mut file = File::open(archive).unwrap();
    let mut magic = [0; 4];
    let got = file.read(&mut magic).unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    let file = BufReader::new(file);
    let reader: Box<dyn Read> = match magic.get(..got).unwrap() {
        [0x28, 0xb5, 0x2f, 0xfd] => Box::new(zstd::Decoder::new(file).unwrap()),
        [0x1f, 0x8b, ..] => Box::new(flate2::read::GzDecoder::new(file)),
        _ => Box::new(file),
    };
    let mut tar = tar::Archive::new(reader);
    for entry in tar.entries().unwrap() {
        let Ok(mut entry) = entry else { break };
        let path = entry.path().unwrap().into_owned();
        if entry.header().entry_type().is_file() && wanted(&path) {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            each(&path, bytes);
        }
    }
}
