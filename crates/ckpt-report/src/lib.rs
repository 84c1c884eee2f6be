//! How a checkpoint looks: JSON, trees, tables.
