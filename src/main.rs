//! Forensic reader of container checkpoints.
fn main() {}
