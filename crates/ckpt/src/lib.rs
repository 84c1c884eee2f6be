//! Facade: the public libraries of ckpt-inspect under one name.
