//! Writes a checkpoint of any size, for benchmarks.
//!
//! ```text
//! cargo run --release -p ckpt-synth --example make -- [OPTIONS] OUT
//!
//!   --pages SIZE       bytes of memory in all: 4096, 64KiB, 512MiB, 4GiB      (default 64MiB)
//!   --processes N      how many processes share them                          (default 4)
//!   --format FORMAT    tar, tar.gz (level 6) or tar.zst (level 3)             (default: by OUT's name, or tar)
//!   --engine ENGINE    podman, crio or containerd                             (default podman)
//!   --lz4              pages as LZ4 blocks of 256 KiB, as CRIU after 4.2 writes them (holds them in memory)
//! ```
//!
//! The memory is made while it is written: half of it compressible, the same bytes every time. Each process has besides
//! the pages of every small process (stack, heap, data, vdso).

use std::fs::File;
use std::io::{BufWriter, Write};
use std::process::ExitCode;

use ckpt_synth::{Archive, BlockLayout, Compression, Dialect, Dump, Task, Vma};

const PAGE: u64 = 4096;
const REGION: u64 = 0x7000_0000_0000;
/// After so many pages one is missing, as untouched pages are, and a new pagemap entry begins.
const RUN: u64 = 255;

struct Options {
    pages: u64,
    processes: u32,
    format: Option<String>,
    engine: String,
    lz4: bool,
    out: String,
}

fn main() -> ExitCode {
    match options(std::env::args().skip(1)).and_then(|options| make(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            let _ = writeln!(std::io::stderr(), "make: {message}");
            ExitCode::FAILURE
        }
    }
}

fn options(mut args: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options {
        pages: 64 << 20,
        processes: 4,
        format: None,
        engine: "podman".to_owned(),
        lz4: false,
        out: String::new(),
    };
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} needs a value"));
        match arg.as_str() {
            "--pages" => options.pages = size(&value()?)?,
            "--processes" => {
                options.processes =
                    value()?.parse().map_err(|_| "--processes needs a number".to_owned())?;
            }
            "--format" => options.format = Some(value()?),
            "--engine" => options.engine = value()?,
            "--lz4" => options.lz4 = true,
            _ if arg.starts_with('-') => return Err(format!("unknown option {arg}")),
            _ => options.out = arg,
        }
    }
    if options.out.is_empty() {
        return Err("no output file".to_owned());
    }
    if options.processes == 0 {
        return Err("--processes needs at least 1".to_owned());
    }
    Ok(options)
}

/// A number with `KiB`, `MiB` or `GiB`.
fn size(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let shift = match unit {
        "" | "B" => 0,
        "K" | "KiB" => 10,
        "M" | "MiB" => 20,
        "G" | "GiB" => 30,
        _ => return Err(format!("unknown unit in {text}")),
    };
    let number: u64 = number.parse().map_err(|_| format!("no number in {text}"))?;
    number.checked_mul(1 << shift).ok_or(format!("{text} is too large"))
}

fn make(options: &Options) -> Result<(), String> {
    let mut dump = Dump::new();
    if options.lz4 {
        dump.dialect(Dialect::V12(Compression::region(BlockLayout::B, 256 << 10)));
    }
    let pages = options.pages / PAGE;
    let processes = u64::from(options.processes);
    for (index, pid) in (0..processes).zip(1..) {
        let ppid = if pid == 1 { 0 } else { 1 };
        // The first ones take what does not divide.
        let share = pages / processes + u64::from(index < pages % processes);
        let mut task = Task::new(pid, ppid)
            .exe(if pid == 1 { "/usr/bin/supervisor" } else { "/usr/bin/worker" })
            .argv(&[format!("worker-{pid}").as_str(), "--benchmark"])
            .env(&["PATH=/usr/bin:/bin", format!("WORKER={pid}").as_str()]);
        let mut left = share;
        let mut addr = REGION;
        while left > 0 {
            let run = left.min(RUN);
            task = task.noise(addr, run, addr ^ u64::from(pid));
            addr += (run + 1) * PAGE;
            left -= run;
        }
        if share > 0 {
            task = task.map(Vma::anon(REGION, addr - REGION));
        }
        dump.task(task);
    }
    let archive = match options.engine.as_str() {
        "podman" => Archive::podman(&dump),
        "crio" => Archive::crio(&dump),
        "containerd" => Archive::containerd(&dump),
        other => return Err(format!("unknown engine {other}")),
    };
    let by_name = ["tar.gz", "tar.zst"].into_iter().find(|end| options.out.ends_with(end));
    let format = options.format.as_deref().or(by_name).unwrap_or("tar");
    let failed = |error: std::io::Error| format!("{}: {error}", options.out);
    let mut out = BufWriter::with_capacity(1 << 20, File::create(&options.out).map_err(failed)?);
    match format {
        "tar" => archive.write_tar(&mut out),
        "tar.gz" => archive.write_tar_gz(&mut out),
        "tar.zst" => archive.write_tar_zst(&mut out),
        other => return Err(format!("unknown format {other}")),
    }
    .map_err(failed)?;
    out.flush().map_err(failed)
}
