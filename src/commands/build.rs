//! `build`: the checkpoint as an OCI image layout.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Result, bail};
use ckpt::model::{Checkpoint, Engine, Need};
use ckpt::oci::{Compression, Plan, Settings, Tag};
use ckpt::report::{human, json};
use clap::{Args, ValueEnum, ValueHint};

use crate::cli::{EvidenceArgs, Format, OutputArgs};
use crate::context::Context;
use crate::exit::Outcome;
use crate::output::{self, Output};
use crate::{layout, moment};

/// The checkpoint as an OCI image that engines restore from
///
/// The image has one layer with the members of the checkpoint, and annotations by which podman, CRI-O and containerd know
/// it for a checkpoint. Members that would do harm when a layer is unpacked are left out and told: names with .., devices,
/// whiteouts, links that lead outside. The same evidence gives the same digests; the time in the image is the
/// checkpoint's own, or that of SOURCE_DATE_EPOCH.
///
/// A restored container runs on, with everything that was in its memory. Restore what may be compromised in a sandbox only.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ckpt-inspect build checkpoint.tar --to image
  ckpt-inspect build checkpoint.tar --to image --tag registry.example/web:checkpoint
  ckpt-inspect build checkpoint.tar.zst --to image --compress zstd --annotation org.example.case=7
  ckpt-inspect build checkpoint.tar --to image --format json | jq -r .manifest.digest
  skopeo copy oci:image docker://registry.example/web:checkpoint")]
pub(crate) struct BuildArgs {
    #[command(flatten)]
    evidence: EvidenceArgs,

    /// Write the layout to DIR, which is made if it does not exist and has to be empty.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Image")]
    to: PathBuf,

    /// Name of the image in the layout.
    #[arg(long, value_name = "NAME", help_heading = "Image")]
    tag: Option<Tag>,

    /// An annotation, in place of the checkpoint's own of that key; repeatable.
    #[arg(long, value_name = "KEY=VALUE", value_parser = annotation, help_heading = "Image")]
    annotation: Vec<(String, String)>,

    /// Compression of the layer.
    #[arg(long, value_enum, default_value_t, value_name = "HOW", help_heading = "Image")]
    compress: Compress,

    #[command(flatten)]
    output: OutputArgs,
}

/// How the layer is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Compress {
    /// Not at all.
    None,
    /// With gzip, which every engine reads.
    #[default]
    Gzip,
    /// With zstd: faster and smaller.
    Zstd,
}

impl From<Compress> for Compression {
    fn from(compress: Compress) -> Self {
        match compress {
            Compress::None => Self::None,
            Compress::Gzip => Self::Gzip,
            Compress::Zstd => Self::Zstd,
        }
    }
}

fn annotation(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() && !value.is_empty() => {
            Ok((key.to_owned(), value.to_owned()))
        }
        _ => Err("neither the key nor the value may be empty: KEY=VALUE".to_owned()),
    }
}

/// Runs `build`.
pub(crate) fn run(args: &BuildArgs, context: &Context) -> Result<Outcome> {
    let mut settings = Settings::default();
    settings.tag.clone_from(&args.tag);
    settings.annotations = annotations(&args.annotation)?;
    settings.created = moment::source_date()?;
    let mut out = Output::open(args.output.output.as_deref())?;
    let page = context.layout(out.is_file());
    let checkpoint = context.open(&args.evidence, Need::Everything)?;
    let plan = Plan::of(&checkpoint);
    let bar = context.progress();
    let compression = args.compress.into();
    let mut image =
        layout::write(&args.to, &checkpoint, &plan, compression, &settings, bar.as_ref())?;
    image.notes.extend(notes(&checkpoint));

    let mut defects = checkpoint.defects();
    defects.extend(plan.defects());
    defects.extend(image.layer.defects.iter().cloned());
    let directory = args.to.display().to_string();
    let document = json::build(&checkpoint, &image, &directory, &defects);
    match args.output.format {
        Format::Table => human::build(&mut out, &document, &page)?,
        Format::Json => json::write(&mut out, &document)?,
        Format::Jsonl => json::write_line(&mut out, &document)?,
    }
    out.finish()?;
    if args.output.format != Format::Table {
        return Ok(output::outcome(&defects));
    }
    image.notes.iter().for_each(output::note);
    Ok(output::warn(&defects))
}

fn annotations(given: &[(String, String)]) -> Result<BTreeMap<String, String>> {
    let mut map = BTreeMap::new();
    for (key, value) in given {
        if key == "org.opencontainers.image.ref.name" {
            bail!("the name of the image is given with --tag");
        }
        if map.insert(key.clone(), value.clone()).is_some() {
            bail!("--annotation {key} is given twice");
        }
    }
    Ok(map)
}

/// Why an engine will not restore from the image, as far as the checkpoint tells.
fn notes(checkpoint: &Checkpoint) -> Vec<String> {
    let mut notes = Vec::new();
    let folder = checkpoint.place().path.as_bytes();
    let has = |name: &[u8]| {
        let path = if folder.is_empty() { name.to_vec() } else { [folder, b"/", name].concat() };
        checkpoint.evidence().get(&path).is_some()
    };
    let engine = checkpoint.container().engine;
    let restores = matches!(engine, Engine::Podman | Engine::CriO | Engine::Containerd);
    if !restores || !has(b"config.dump") || !has(b"spec.dump") {
        notes.push(
            "no engine restores from this image: a checkpoint needs the config.dump and spec.dump of podman, CRI-O or containerd"
                .to_owned(),
        );
    }
    let incremental = checkpoint.directory().and_then(|directory| directory.parent.as_ref());
    if incremental.is_some_and(|parent| parent.found.is_none()) {
        notes.push(
            "the checkpoint is incremental, and the pages of its parent are not in the image"
                .to_owned(),
        );
    }
    notes
}
