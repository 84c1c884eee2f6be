//! Checkpoints built byte by byte, for tests.
