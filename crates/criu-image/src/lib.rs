//! The CRIU image format: framing, messages, names; bytes in, messages out.
