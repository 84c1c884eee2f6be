//! The members of evidence, and its hashes.

use std::hint::black_box;
use std::io::{self, Read as _};

use ckpt_analysis::verify::custody::{About, Manifest};
use ckpt_archive::{Chunk, Evidence};

/// Reads every member, whole and in pieces, and holds the two readings against each other.
pub fn read(evidence: &Evidence) {
    for member in evidence.members() {
        black_box(evidence.get(&member.path));
        black_box(evidence.is_dir(&member.path));
        black_box(evidence.children(member.parent()).count());
        let Ok(content) = evidence.content(member) else { continue };
        let (mut length, mut data) = (0_u64, 0_u64);
        for chunk in content.chunks(0..u64::MAX) {
            length += chunk.len();
            if let Chunk::Data(bytes) = &chunk {
                data += black_box(bytes).len() as u64;
            }
        }
        assert_eq!(length, content.len(), "chunks leave gaps");
        black_box(data);
        if let Ok(bytes) = content.bytes() {
            assert_eq!(bytes.len() as u64, content.len(), "whole reading is short");
        }
        black_box(io::copy(&mut content.reader().take(1 << 20), &mut io::sink()).ok());
    }
    for defect in evidence.defects() {
        black_box((defect.place(), defect.to_string()));
    }
    black_box(evidence.trailing());
    black_box(evidence.kind());
    for blob in evidence.blobs() {
        black_box(evidence.check_blob(blob).ok());
    }
}

/// Hashes evidence while it passes by: the same listing as when it is served, and the same hashes, unless it is an image. A
/// manifest of it comes back as it was written.
pub fn hashes(input: &[u8]) {
    let reader = io::Cursor::new(input.to_vec());
    let hashed = Evidence::hash_reader("fuzz", reader, &crate::options());
    let served = crate::evidence(input);
    let (Ok(hashed), Some(served)) = (hashed, served) else { return };
    assert_eq!(hashed.sha256(), Some(ckpt_archive::sha256_bytes(input)), "the file's hash");
    let raw = served.outer().unwrap_or(&served);
    assert_eq!(hashed.members().len(), raw.members().len(), "the listings differ");
    for (hashed, member) in hashed.members().iter().zip(raw.members()) {
        assert_eq!(hashed.raw_path, member.raw_path, "the listings differ");
        if let Some(Ok(hash)) = hashed.sha256()
            && let Ok(content) = raw.content(member)
        {
            assert_eq!(ckpt_archive::sha256(&content).ok(), Some(hash), "hashes differ");
        }
    }
    let manifest = Manifest::of(&hashed, About::default());
    let mut json = Vec::new();
    manifest.write(&mut json).expect("a Vec takes all");
    assert_eq!(Manifest::parse(&json).as_ref(), Ok(&manifest), "the manifest is another one");
}
