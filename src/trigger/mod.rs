//! What `trigger` does, step by step.

mod access;
mod commands;
mod destination;
mod document;
mod failure;
mod jobs;
mod session;
mod targets;
mod tell;

pub(crate) use session::run;
