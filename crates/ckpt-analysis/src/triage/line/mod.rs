//! Lines of shells: what is in a script, a job or a startup file, and what a shell is told by its arguments.
//!
//! [`parse`] knows words, quotes, pipes, redirections, assignments and substitutions; [`call`] what the words of a command
//! run, by what [`programs`](super::programs) knows of programs; [`flow`] whether what some command brings is run by
//! another.
//!
//! # Limits
//!
//! Texts that are no shell's are read as if they were: an apostrophe in prose opens no quote, and what cannot be read is a
//! word. Functions, loops and conditions are not followed: each command of a line is taken to run, in the order in which it
//! stands. Of variables only those count that a line itself gives a value to.

pub(super) mod call;
pub(super) mod flow;
pub(super) mod parse;

pub(super) use parse::{Command, parse};
