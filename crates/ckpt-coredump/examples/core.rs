//! Writes the cores of a checkpoint's tasks: `core EVIDENCE FOLDER [PARENT]`, as `FOLDER/core.PID`.

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::fs::File;
use std::path::Path;

use ckpt_coredump::{Core, CoreOptions};
use ckpt_model::Checkpoint;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args_os().skip(1);
    let (Some(evidence), Some(folder)) = (args.next(), args.next()) else {
        return Err("core EVIDENCE FOLDER [PARENT]".into());
    };
    let options = args.fold(Checkpoint::options(), |options, parent| options.parent(parent));
    let checkpoint = options.open(evidence)?;
    for task in &checkpoint.processes().tasks {
        let Some(memory) = checkpoint.memory(task.pid) else { continue };
        let core = Core::of(task, &memory, &CoreOptions::of(&checkpoint));
        let path = Path::new(&folder).join(format!("core.{}", task.pid));
        core.write_sparse_to(&mut File::create(&path)?)?;
        println!("{}: {} bytes, {} segments", path.display(), core.size(), core.segments());
        for lack in core.lacks() {
            println!("  {lack}");
        }
    }
    Ok(())
}
