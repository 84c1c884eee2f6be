//! Tests of the program as its users run it.

mod cli;
mod hostile;
mod real;
mod synthetic;
mod world;
