//! Asks everything that can be asked, and throws the answers away.

use std::hint::black_box;
use std::io::{self, Read as _};

use ckpt_archive::{Chunk, Evidence};

/// Reads every member, whole and in pieces, and holds the two readings against each other.
pub fn evidence(evidence: &Evidence) {
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
