//! `show`: one image, decoded.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use bytes::Bytes;
use ckpt::archive::{Evidence, Member};
use ckpt::image::messages::CoreEntry;
use ckpt::image::{ByteOrder, Classified, Image, ImageKind, ShowContext, classify};
use ckpt::model::{Defect, DefectKind, Text, escape};
use ckpt::report::{human, json};
use clap::{Args, ValueHint};

use crate::cli::{Format, OutputArgs, SpoolArgs};
use crate::context::{Context, is_standard_input};
use crate::exit::Outcome;
use crate::output::{self, Output};

/// One CRIU image, decoded: every field, flags and addresses readable, unknown fields included
///
/// The image is a file (its name tells what it is), or a member of an archive or directory, named by its path or by the
/// end of it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ckpt-inspect show dump/core-1.img
  ckpt-inspect show checkpoint.tar pstree.img
  ckpt-inspect show checkpoint.tar.zst checkpoint/files.img --format json")]
pub(crate) struct ShowArgs {
    /// An image, or evidence that holds it (`-` for standard input).
    #[arg(value_name = "FILE|EVIDENCE", value_hint = ValueHint::AnyPath)]
    evidence: PathBuf,

    /// The image in the evidence.
    #[arg(value_name = "MEMBER")]
    member: Option<String>,

    #[command(flatten)]
    spool: SpoolArgs,

    #[command(flatten)]
    output: OutputArgs,
}

/// An image with what is needed to show it.
struct Found {
    evidence: String,
    evidence_bytes: Option<Vec<u8>>,
    kind: String,
    name: String,
    image: Image,
    machine: Option<Machine>,
    defects: Vec<Defect>,
}

/// Runs `show`.
pub(crate) fn run(args: &ShowArgs, context: &Context) -> Result<Outcome> {
    let mut out = Output::open(args.output.output.as_deref())?;
    let layout = context.layout(out.is_file());
    let found = match &args.member {
        None => lone(&args.evidence)?,
        Some(member) => inside(args, member, context)?,
    };
    let mut show = ShowContext::of(&found.image);
    if let Some(machine) = found.machine {
        show = show.with_mtype(Some(machine.mtype));
        // Raw images do not tell their byte order.
        show.order = found.image.order().unwrap_or(machine.order);
    }
    let mut defects = found.defects;
    defects.extend(broken_records(&found.name, &found.image));
    match args.output.format {
        Format::Table => {
            human::show(&mut out, &found.name, &found.image, &show, &layout)?;
        }
        format => {
            let evidence = json::EvidenceRecord::new(
                &found.evidence,
                found.evidence_bytes.as_deref(),
                found.kind,
            );
            let document = json::show(evidence, &found.name, &found.image, &show, &defects);
            match format {
                Format::Jsonl => json::write_lines(&mut out, document.records)?,
                _ => json::write(&mut out, &document)?,
            }
        }
    }
    out.finish()?;
    Ok(match args.output.format {
        Format::Json => output::outcome(&defects),
        _ => output::warn(&defects),
    })
}

/// Largest image that is read as a file by itself, bytes. Only pages are larger, and they have no records.
const LARGEST: u64 = 1 << 30;

/// An image that is a file by itself.
fn lone(path: &Path) -> Result<Found> {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    let cannot_read = || format!("cannot read {}", path.display());
    let size = fs::metadata(path).with_context(cannot_read)?.len();
    let Classified::Image(image) = classify(name) else {
        bail!(
            "{}: not named like a CRIU image (such as core-1.img); to show an image of an archive, name it: show ARCHIVE MEMBER",
            path.display()
        );
    };
    if size > LARGEST {
        bail!("{}: {size} bytes, too large for an image with records", path.display());
    }
    let bytes = fs::read(path).with_context(cannot_read)?;
    let shown = Text::from(path.as_os_str().as_encoded_bytes()).lossless().into_owned();
    Ok(Found {
        image: open(image.kind, bytes.into(), &shown)?,
        evidence: shown.clone(),
        evidence_bytes: Some(path.as_os_str().as_encoded_bytes().to_vec()),
        kind: "image".to_owned(),
        name: shown,
        machine: None,
        defects: Vec::new(),
    })
}

/// An image in evidence.
fn inside(args: &ShowArgs, wanted: &str, context: &Context) -> Result<Found> {
    let options = context.archive_options(&args.spool);
    let evidence = if is_standard_input(&args.evidence) {
        Evidence::from_reader("-", std::io::stdin(), &options)
    } else {
        Evidence::open(&args.evidence, &options)
    };
    let evidence = evidence.context("cannot open the evidence")?;
    let member = find(&evidence, wanted)?;
    let name = escape(&member.path).into_owned();
    let Classified::Image(image) = classify(member.file_name()) else {
        bail!("{name}: not named like a CRIU image");
    };
    let content = evidence.content(member).with_context(|| name.clone())?;
    let bytes = content.slice(0..content.captured_len()).with_context(|| name.clone())?;
    let damage = |defect: &ckpt::archive::Defect| Defect {
        place: defect.place(),
        what: defect.to_string(),
        kind: DefectKind::Damaged,
    };
    Ok(Found {
        image: open(image.kind, bytes, &name)?,
        evidence: evidence.name().to_owned(),
        evidence_bytes: evidence.name_bytes().map(<[u8]>::to_vec),
        kind: evidence.kind(),
        machine: machine(&evidence, member.parent()),
        defects: evidence.defects().iter().map(damage).collect(),
        name,
    })
}

/// The member of that path, or the only one whose path ends so.
fn find<'a>(evidence: &'a Evidence, wanted: &str) -> Result<&'a Member> {
    let wanted = wanted.trim_start_matches("./").trim_start_matches('/');
    if let Some(member) = evidence.get(wanted.as_bytes()) {
        return Ok(member);
    }
    let ends = |member: &&Member| {
        let rest = member.path.strip_suffix(wanted.as_bytes());
        rest.is_some_and(|rest| rest.ends_with(b"/")) && !wanted.is_empty()
    };
    let found: Vec<&Member> = evidence.members().iter().filter(ends).collect();
    match found.as_slice() {
        [only] => Ok(only),
        [] => {
            let images = evidence
                .members()
                .iter()
                .filter(|member| matches!(classify(member.file_name()), Classified::Image(_)));
            let some: Vec<_> =
                images.take(12).map(|member| escape(&member.path).into_owned()).collect();
            Err(anyhow!("no member `{wanted}`; images are for example {}", some.join(", ")))
        }
        several => {
            let all: Vec<_> =
                several.iter().take(12).map(|member| escape(&member.path).into_owned()).collect();
            Err(anyhow!("`{wanted}` is the end of several paths: {}", all.join(", ")))
        }
    }
}

fn open(kind: ImageKind, bytes: Bytes, name: &str) -> Result<Image> {
    Image::open(kind, bytes).with_context(|| name.to_owned())
}

/// The machine that was dumped: names of flags and signals depend on it.
#[derive(Clone, Copy)]
struct Machine {
    mtype: u32,
    order: ByteOrder,
}

/// The machine, from a core image of the same directory.
fn machine(evidence: &Evidence, folder: &[u8]) -> Option<Machine> {
    let cores = evidence.members().iter().filter(|member| {
        let core = matches!(classify(member.file_name()), Classified::Image(image) if image.kind == ImageKind::Core);
        core && member.parent() == folder
    });
    cores.into_iter().find_map(|member| {
        let bytes = evidence.content(member).ok()?.bytes().ok()?;
        let image = Image::open(ImageKind::Core, bytes).ok()?;
        let core: CoreEntry = image.single().ok()??;
        Some(Machine { mtype: core.mtype, order: image.order()? })
    })
}

/// What is wrong with the records of an image.
fn broken_records(name: &str, image: &Image) -> Vec<Defect> {
    let problem = |what: String| Defect { place: name.to_owned(), what, kind: DefectKind::Damaged };
    let mut defects = Vec::new();
    for record in image.records() {
        match record {
            Ok(record) => {
                defects.extend(record.check().err().map(|error| problem(error.to_string())));
            }
            Err(error) => defects.push(problem(error.to_string())),
        }
    }
    defects
}
