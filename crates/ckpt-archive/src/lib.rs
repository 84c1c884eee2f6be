//! Checkpoint evidence as members and byte ranges: tar, compressed tar, directory, OCI image.
