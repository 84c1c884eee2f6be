//! Address spaces of checkpointed processes: every byte with where it came from.
