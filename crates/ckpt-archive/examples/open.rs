//! Lists the members of an archive, a directory or an image, and tells what is wrong with it.
//!
//! `cargo run --release -p ckpt-archive --example open -- FILE [SUFFIX...]` keeps only members whose names end in one of the
//! suffixes; without any it keeps everything.

#![allow(clippy::print_stdout)]

use std::path::Path;
use std::sync::Arc;

use ckpt_archive::{Escaped, Evidence, Kept, Member, Options, Select, Selection};

/// Keeps members by the end of their names.
struct Suffixes(Vec<String>);

impl Select for Suffixes {
    fn select(&self, member: &Member, _: &Kept<'_>) -> Selection {
        if self.0.iter().any(|suffix| member.path.ends_with(suffix.as_bytes())) {
            Selection::All
        } else {
            Selection::Nothing
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("which file?")?;
    let suffixes: Vec<String> = arguments.collect();
    let mut options = Options::default();
    if !suffixes.is_empty() {
        options = options.select(Arc::new(Suffixes(suffixes)));
    }
    let evidence = match path.as_str() {
        "-" => Evidence::from_reader("-", std::io::stdin(), &options)?,
        path => Evidence::open(Path::new(path), &options)?,
    };
    println!("{}: {}, {} bytes", evidence.name(), evidence.kind(), evidence.size());
    for member in evidence.members() {
        println!("{:>12} {} {}", member.size, member.kind, Escaped(&member.path));
    }
    for (key, value) in evidence.annotations() {
        println!("{key} = {}", Escaped(value.as_bytes()));
    }
    for defect in evidence.defects() {
        println!("{}: {defect}", defect.place());
    }
    Ok(())
}
