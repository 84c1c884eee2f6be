//! Asks everything that can be asked, and throws the answers away.

use std::cmp::Reverse;
use std::hint::black_box;
use std::io::{self, Read as _};

use bytes::Bytes;
use ckpt_analysis::compare::{self, CompareOptions};
use ckpt_analysis::timeline::{self, Filter, Source, Timeline};
use ckpt_analysis::triage::{self, TriageOptions};
use ckpt_analysis::verify;
use ckpt_analysis::verify::custody::{self, About, Manifest, ManifestError};
use ckpt_archive::{Chunk, Evidence};
use ckpt_coredump::{Core, CoreOptions};
use ckpt_memory::{
    AddrRange, AddressSpace, Link, Mapping, PagemapImage, PagesFile, Span, VirtAddr,
};
use ckpt_model::artifacts::Artifact;
use ckpt_model::{
    ChangeFilter, ChangesOptions, Checkpoint, FillOptions, MemoryMap, MemorySizes, Need,
};
use ckpt_report::{bodyfile, human, json, timesketch};
use criu_image::netlink::NlRecords;
use criu_image::show::{ShowContext, ShowLimits, show_payload, show_record};
use criu_image::{
    ByteOrder, Extra, Image, ImageKind, ImageSummary, Message as _, PagemapRecord, Record, wire,
};

/// Reads every member, whole and in pieces, and holds the two readings against each other.
pub fn evidence(evidence: &Evidence) {
    for member in evidence.members() {
        black_box(evidence.get(&member.path));
        black_box(evidence.is_dir(&member.path));
        black_box(evidence.children(member.parent()).count());
        let Ok(content) = evidence.content(member) else { continue };
        let (mut length, mut data) = (0_u64, 0_u64);
        for chunk in content.chunks(0..u64::MAX) {
            length += chunk.len();
            if let Chunk::Data(bytes) = &chunk {
                data += black_box(bytes).len() as u64;
            }
        }
        assert_eq!(length, content.len(), "chunks leave gaps");
        black_box(data);
        if let Ok(bytes) = content.bytes() {
            assert_eq!(bytes.len() as u64, content.len(), "whole reading is short");
        }
        black_box(io::copy(&mut content.reader().take(1 << 20), &mut io::sink()).ok());
    }
    for defect in evidence.defects() {
        black_box((defect.place(), defect.to_string()));
    }
    black_box(evidence.trailing());
    black_box(evidence.kind());
    for blob in evidence.blobs() {
        black_box(evidence.check_blob(blob).ok());
    }
}

/// Hashes evidence while it passes by: the same listing as when it is served, and the same hashes, unless it is an image. A
/// manifest of it comes back as it was written.
pub fn hashes(input: &[u8]) {
    let reader = io::Cursor::new(input.to_vec());
    let hashed = Evidence::hash_reader("fuzz", reader, &crate::options());
    let served = crate::evidence(input);
    let (Ok(hashed), Some(served)) = (hashed, served) else { return };
    assert_eq!(hashed.sha256(), Some(ckpt_archive::sha256_bytes(input)), "the file's hash");
    let raw = served.outer().unwrap_or(&served);
    assert_eq!(hashed.members().len(), raw.members().len(), "the listings differ");
    for (hashed, member) in hashed.members().iter().zip(raw.members()) {
        assert_eq!(hashed.raw_path, member.raw_path, "the listings differ");
        if let Some(Ok(hash)) = hashed.sha256()
            && let Ok(content) = raw.content(member)
        {
            assert_eq!(ckpt_archive::sha256(&content).ok(), Some(hash), "hashes differ");
        }
    }
    let manifest = Manifest::of(&hashed, About::default());
    let mut json = Vec::new();
    manifest.write(&mut json).expect("a Vec takes all");
    assert_eq!(Manifest::parse(&json).as_ref(), Ok(&manifest), "the manifest is another one");
}

/// Reads a manifest. One that was changed is given the digest that it should have, as whoever forges it would do.
pub fn manifest(json: &[u8]) {
    let manifest = match Manifest::parse(json) {
        Err(ManifestError::Digest { expected, found }) => {
            let text = String::from_utf8_lossy(json).replace(&expected, &found);
            Manifest::parse(text.as_bytes())
        }
        other => other,
    };
    let Ok(manifest) = manifest else { return };
    let mut out = Vec::new();
    manifest.write(&mut out).expect("a Vec takes all");
    assert_eq!(Manifest::parse(&out).as_ref(), Ok(&manifest), "writing changes it");
    let comparison = custody::compare(&manifest, &manifest);
    assert!(comparison.is_same(), "it differs from itself");
    out.clear();
    let (layout, empty) =
        (human::Layout::default(), Manifest { members: Vec::new(), ..manifest.clone() });
    for (one, other) in [(&manifest, &empty), (&empty, &manifest)] {
        let comparison = custody::compare(one, other);
        human::custody_check(&mut out, "fuzz", one, other, &comparison, &layout)
            .expect("a Vec takes all");
        black_box(json::custody_check("fuzz", one, other, &comparison));
    }
    human::custody(&mut out, "fuzz", &manifest, &layout).expect("a Vec takes all");
    let text = std::str::from_utf8(&out).expect("text is UTF-8");
    let unfit = text.chars().find(|letter| letter.is_control() && *letter != '\n');
    assert_eq!(unfit, None, "a control character reaches the terminal");
}

/// Limits of a tree that fit the size of inputs.
const SHOW: ShowLimits = ShowLimits { depth: 16, nodes: 1 << 16 };

/// Reads an image in every way there is.
pub fn image(kind: ImageKind, bytes: &[u8]) {
    let Ok(image) = Image::open(kind, Bytes::copy_from_slice(bytes)) else { return };
    let context = ShowContext { limits: SHOW, ..ShowContext::of(&image) };
    let mut end = 0;
    for record in image.records() {
        match record {
            Ok(record) => {
                assert!(record.offset >= end, "records overlap");
                end = record.payload_offset() + record.payload.len() as u64;
                black_box(show_record(&record, &context));
                extra(&record.extra);
                reading(&record);
            }
            Err(error) => {
                black_box((error.to_string(), error.offset(), error.name()));
            }
        }
    }
    black_box(ImageSummary::of(&image));
}

fn extra(extra: &Extra) {
    match extra {
        Extra::GhostChunks(chunks) => black_box(chunks.iter().count()),
        Extra::Messages(messages) => black_box(messages.clone().count()),
        Extra::Semaphores(semaphores) => black_box(semaphores.values().count()),
        other => black_box(other.what().map_or(0, str::len)),
    };
}

/// What decodes, must encode and decode to the same again.
fn reading(record: &Record) {
    black_box(record.check().err());
    if let Ok(once) = record.schema.reencode(&record.payload) {
        let twice = record.schema.reencode(&once);
        assert_eq!(twice.as_ref(), Ok(&once), "encoding does not settle");
    }
}

/// Walks a payload without decoding it.
pub fn message(kind: ImageKind, payload: &[u8]) {
    let mut at = 0;
    for field in wire::walk(payload) {
        let Ok(field) = field else { break };
        assert!(
            field.offset == at && field.end > at && field.end <= payload.len(),
            "fields leave gaps"
        );
        at = field.end;
    }
    black_box(wire::packed(payload).count());
    let Some(schema) = kind.schema() else { return };
    let listed = wire::unknown_fields(payload, schema).len() as u64;
    let counted = wire::count_unknown(payload, schema);
    assert_eq!(listed, counted.min(wire::MAX_UNKNOWN as u64), "listing and counting differ");
    black_box(wire::missing_required(payload, schema));
    black_box(wire::check(payload, schema).err());
    let context = ShowContext {
        order: ByteOrder::Big,
        mtype: Some(u32::from(payload.len() as u8)),
        limits: SHOW,
    };
    black_box(show_payload(&Bytes::copy_from_slice(payload), schema, &context));
}

/// Reads netlink messages and the attributes in their attributes.
pub fn netlink(kind: ImageKind, bytes: &[u8]) {
    let bytes = Bytes::copy_from_slice(bytes);
    for order in [ByteOrder::Little, ByteOrder::Big] {
        let Ok(records) = NlRecords::open(kind, bytes.clone(), order) else { continue };
        for record in records.map_while(Result::ok) {
            for attribute in [4, 8, 12].into_iter().flat_map(|header| record.attributes(header)) {
                black_box(attribute.attributes(order).count());
            }
        }
    }
}

fn pagemap_image(bytes: &[u8]) -> PagemapImage {
    let mut pagemap = PagemapImage { pages_id: 1, ..PagemapImage::default() };
    if let Ok(image) = Image::open(ImageKind::Pagemap, Bytes::copy_from_slice(bytes)) {
        let records = image.records().map_while(Result::ok).skip(1);
        pagemap.entries =
            records.filter_map(|record| PagemapRecord::from_record(&record).ok()).collect();
    }
    pagemap
}

/// Lays out a pagemap. Runs must come out in order and apart from each other.
pub fn pagemap(bytes: &[u8]) {
    let pagemap = pagemap_image(bytes);
    black_box((pagemap.stored_pages(), pagemap.parent_pages()));
    black_box(ckpt_memory::derive_page_size([(&pagemap, bytes.len() as u64)], None, 4096));
    for page_size in [4096, 16_384, 65_536] {
        let layout = pagemap.layout(page_size);
        for run in &layout.runs {
            assert!(run.start < run.end, "an empty run");
        }
        assert!(layout.runs.windows(2).all(|pair| pair[0].end <= pair[1].start), "runs overlap");
    }
}

/// Reads an address space made of a memory map and of up to three dumps, each a pagemap and a pages file.
pub fn space(files: &[(&[u8], &[u8])]) {
    let Some(((_, mm), rest)) = files.split_first() else { return };
    let Ok(mm) = criu_image::messages::MmEntry::decode(*mm) else { return };
    let links = rest.chunks_exact(2).take(3).filter_map(|pair| {
        let tar = crate::tar::of([(&b"pages"[..], pair[1].1)]);
        let evidence = crate::evidence(&tar)?;
        let pages = PagesFile::Content(evidence.content(evidence.get(b"pages")?).ok()?);
        Some(Link { pagemap: pagemap_image(pair[0].1).layout(4096), pages })
    });
    let starts: Vec<u64> = mm.vmas.iter().map(|vma| vma.start).take(16).collect();
    let mappings = mm.vmas.into_iter().map(Mapping::new).collect();
    let space = AddressSpace::new(mappings, links.collect(), 4096);
    black_box(space.defects());
    for mapping in space.mappings().iter().chain(space.guards()) {
        assert!(mapping.start < mapping.end, "an empty mapping");
        black_box((space.tally(mapping), mapping.perms().to_string(), mapping.offset()));
    }
    for start in starts.into_iter().flat_map(|start| [start, start.wrapping_sub(8), start ^ 0x0fff])
    {
        read(&space, VirtAddr(start), 3 * 4096 + 17);
    }
    read(&space, VirtAddr(u64::MAX - 9000), u64::MAX);
}

/// Spans must cover what was asked for, without gaps; and reading must agree with them.
fn read(space: &AddressSpace, start: VirtAddr, len: u64) {
    let end = start.0.saturating_add(len);
    let (mut at, mut there) = (start.0, true);
    for span in space.spans(start, len) {
        let (from, len) = match &span {
            Span::Bytes { start, bytes, .. } => (start.0, bytes.len() as u64),
            Span::Zero { start, len } => (start.0, *len),
            Span::Missing { start, len, why } => {
                black_box(why.to_string());
                there = false;
                (start.0, *len)
            }
        };
        assert!(from == at && len > 0, "spans leave gaps");
        at += len;
    }
    assert_eq!(at, end, "spans end early");
    if len <= 1 << 20 {
        assert_eq!(space.read(start, len).is_ok(), there, "reading and spans differ");
    }
}

/// Asks a checkpoint everything.
pub fn checkpoint(tar: &[u8]) {
    black_box(answers(tar));
}

/// Asks a checkpoint everything, twice: the same input must give the same answers, byte for byte.
pub fn checkpoint_twice(tar: &[u8]) {
    assert!(answers(tar) == answers(tar), "the same input gave different output");
}

/// Lays out the core of every process, and writes those that are no larger than [`LARGEST_CORE`].
pub fn cores(tar: &[u8]) {
    let options = Checkpoint::options().archive(crate::options()).need(Need::Everything);
    let Some(checkpoint) =
        crate::evidence(tar).and_then(|evidence| options.open_evidence(evidence).ok())
    else {
        return;
    };
    for task in &checkpoint.processes().tasks {
        let Some(memory) = checkpoint.memory(task.pid) else { continue };
        let core = Core::of(task, &memory, &CoreOptions::of(&checkpoint));
        if core.size() <= LARGEST_CORE {
            let mut written = Vec::new();
            core.write_to(&mut written).expect("a Vec takes all, and the evidence stays");
            assert_eq!(written.len() as u64, core.size());
        }
        for lack in core.lacks() {
            black_box(lack.to_string());
        }
    }
}

/// Shared memory that is mapped a thousand times is a thousand times in a core.
const LARGEST_CORE: u64 = 16 << 20;

/// Memory maps, sizes, and what lies where mappings begin.
fn memory<'a>(
    checkpoint: &'a Checkpoint,
    options: &ckpt_archive::Options,
    out: &mut Vec<u8>,
) -> Vec<MemoryMap<'a>> {
    let layout = human::Layout::default();
    let files = checkpoint.file_sources(&FillOptions::default().archive(options.clone()));
    let files = files.expect("nothing is given that could fail");
    let tasks = checkpoint.processes().tasks.iter().take(8);
    let maps: Vec<MemoryMap<'a>> =
        tasks.filter_map(|task| checkpoint.memory_map(task.pid, &files)).collect();
    for modules in [false, true] {
        human::maps(out, checkpoint, &maps, |_, _| true, modules, &layout)
            .expect("a Vec takes all");
    }
    let sizes: Vec<_> = maps.iter().map(|map| (map.task, MemorySizes::of(&map.space))).collect();
    human::memory(out, &sizes, &layout).expect("a Vec takes all");
    for map in &maps {
        for mapping in map.space.mappings().iter().take(32) {
            let end = mapping.end.min(VirtAddr(mapping.start.0.saturating_add(1 << 14)));
            let range = AddrRange { start: mapping.start, end };
            human::hexdump(out, &map.space, range, &layout).expect("a Vec takes all");
        }
    }
    maps
}

/// Compares two checkpoints, twice: with the same answers, byte for byte. None of them differs from itself.
pub fn compare(a: &[u8], b: &[u8]) {
    let open = |tar: &[u8]| {
        let options = Checkpoint::options().archive(crate::options()).need(Need::Everything);
        options.open_evidence(crate::evidence(tar)?).ok()
    };
    let (Some(a), Some(b)) = (open(a), open(b)) else { return };
    assert!(differences(&a, &b).1 == differences(&a, &b).1, "the same input gave other output");
    assert!(!differences(&a, &a).0, "a checkpoint differs from itself");
    assert!(!differences(&b, &b).0, "a checkpoint differs from itself");
}

/// Everything that has a time, in every form: in order, and the same each time it is asked for.
pub fn timeline(tar: &[u8]) {
    let options = Checkpoint::options().archive(crate::options()).need(Need::Files);
    let Some(evidence) = crate::evidence(tar) else { return };
    let Ok(checkpoint) = options.open_evidence(evidence) else { return };
    let (found, all) = (timeline::timeline(&checkpoint, &crate::options()), Filter::default());
    let keys: Vec<_> = found.events(&all).map(|event| (event.time, event.source)).collect();
    assert!(keys.is_sorted(), "events are not in order");
    let mut logs = Filter::default();
    logs.sources = vec![Source::Log];
    assert_eq!(found.events(&logs).count() as u64, found.log_lines(), "lines are lost");
    assert!(forms(&checkpoint, &found) == forms(&checkpoint, &found), "other output");
}

/// A timeline in every form. What is text must be fit for a terminal.
fn forms(checkpoint: &Checkpoint, found: &Timeline) -> Vec<u8> {
    let all = Filter::default();
    let mut out = Vec::new();
    for width in [None, Some(40)] {
        let layout = human::Layout { width, color: false };
        human::timeline(&mut out, found, &all, &layout).expect("a Vec takes all");
    }
    bodyfile::write(&mut out, found, &all).expect("a Vec takes all");
    for defect in found.defects() {
        out.extend(defect.to_string().bytes());
    }
    let text = std::str::from_utf8(&out).expect("text is UTF-8");
    let unfit = text.chars().find(|letter| letter.is_control() && *letter != '\n');
    assert_eq!(unfit, None, "a control character reaches the terminal");
    timesketch::jsonl(&mut out, checkpoint, found, &all).expect("a Vec takes all");
    timesketch::csv(&mut out, checkpoint, found, &all).expect("a Vec takes all");
    json::write(&mut out, &json::timeline(checkpoint, found, &all)).expect("a Vec takes all");
    out
}

/// What is found, with one thread and with several: the most serious first, each resting on something.
pub fn triage(tar: &[u8]) {
    let options = Checkpoint::options().archive(crate::options()).need(Need::Everything);
    let Some(evidence) = crate::evidence(tar) else { return };
    let Ok(checkpoint) = options.open_evidence(evidence) else { return };
    let options = TriageOptions::default().archive(crate::options());
    let found = triage::triage(&checkpoint, &options).expect("there is no base");
    let severities: Vec<_> = found.findings.iter().map(|one| Reverse(one.severity)).collect();
    assert!(severities.is_sorted(), "findings are not in order");
    assert!(found.findings.iter().all(|one| !one.evidence.is_empty()), "one rests on nothing");
    let again = triage::triage(&checkpoint, &options.threads(3)).expect("there is no base");
    assert!(found.findings == again.findings, "several threads found something else");
    let mut out = Vec::new();
    for (explain, width) in [(false, None), (true, Some(40))] {
        let layout = human::Layout { width, color: false };
        human::triage(&mut out, &checkpoint, &found, explain, &layout).expect("a Vec takes all");
    }
    let text = std::str::from_utf8(&out).expect("text is UTF-8");
    let unfit = text.chars().find(|letter| letter.is_control() && *letter != '\n');
    assert_eq!(unfit, None, "a control character reaches the terminal");
    json::write(&mut out, &json::triage(&checkpoint, &found)).expect("a Vec takes all");
}

/// Whether two checkpoints differ, and all that can be said of it.
fn differences(a: &Checkpoint, b: &Checkpoint) -> (bool, Vec<u8>) {
    let options = CompareOptions::default().archive(crate::options());
    let found = compare::compare(a, b, &options).expect("no base to fail");
    let show = json::CompareShow { unchanged: true, rows: Some(16) };
    let mut out = Vec::new();
    for width in [None, Some(40), Some(100)] {
        let layout = human::Layout { width, color: false };
        human::compare(&mut out, &found, &show, &layout).expect("a Vec takes all");
    }
    let text = std::str::from_utf8(&out).expect("text is UTF-8");
    let unfit = text.chars().find(|letter| letter.is_control() && *letter != '\n');
    assert_eq!(unfit, None, "a control character reaches the terminal");
    json::write(&mut out, &json::compare(&found, &show)).expect("a Vec takes all");
    (found.differs(), out)
}

/// All that can be said of a checkpoint. What is text must be fit for a terminal.
fn answers(tar: &[u8]) -> Option<Vec<u8>> {
    let options = Checkpoint::options().archive(crate::options()).need(Need::Everything);
    let checkpoint = options.open_evidence(crate::evidence(tar)?).ok()?;
    let mut out = Vec::new();
    let layout = human::Layout::default();
    let details =
        human::TreeOptions { env: true, threads: true, creds: true, ns: true, pids: Vec::new() };
    human::tree(&mut out, &checkpoint, &details, &layout).expect("a Vec takes all");
    human::info(&mut out, &checkpoint, &layout).expect("a Vec takes all");
    let processes = json::FilesOptions::default();
    let lists = json::FilesOptions {
        sockets: true,
        mounts: true,
        locks: true,
        pipes: true,
        net: true,
        ipc: true,
        resolve_ports: true,
        ..json::FilesOptions::default()
    };
    for options in [&processes, &lists] {
        human::files(&mut out, &checkpoint, options, &layout).expect("a Vec takes all");
    }
    let inner = crate::options();
    let changes = checkpoint.changes(&ChangesOptions::default().archive(inner.clone()));
    let (changes, filter) = (changes.expect("no base to fail"), ChangeFilter::default());
    human::diff(&mut out, &changes, &filter, &layout).expect("a Vec takes all");
    let artifacts = checkpoint.artifacts(&inner);
    let list: Vec<&Artifact> = artifacts.list.iter().collect();
    human::extract(&mut out, &list, &layout).expect("a Vec takes all");
    let maps = memory(&checkpoint, &inner, &mut out);
    checkpoint.look_for_unknown();
    let verification = verify::verify(&checkpoint, &inner);
    human::verify(&mut out, &checkpoint, &verification, &layout).expect("a Vec takes all");
    for defect in checkpoint.defects() {
        out.extend(defect.to_string().bytes());
    }
    let text = std::str::from_utf8(&out).expect("text is UTF-8");
    let unfit = text.chars().find(|letter| letter.is_control() && *letter != '\n');
    assert_eq!(unfit, None, "a control character reaches the terminal");
    json::write(&mut out, &json::tree(&checkpoint, &[])).expect("a Vec takes all");
    json::write(&mut out, &json::info(&checkpoint)).expect("a Vec takes all");
    json::write(&mut out, &json::verify(&checkpoint, &verification)).expect("a Vec takes all");
    json::write(&mut out, &json::files(&checkpoint, &lists)).expect("a Vec takes all");
    json::write(&mut out, &json::diff(&checkpoint, &changes, &filter)).expect("a Vec takes all");
    json::write(&mut out, &json::maps(&checkpoint, &maps, |_, _| true, true))
        .expect("a Vec takes all");
    for content in list.iter().filter_map(|artifact| artifact.content()) {
        if content.size() <= 1 << 20 {
            out.extend(
                content.sha256().map(|digest| digest.to_string()).unwrap_or_default().bytes(),
            );
        }
    }
    black_box(checkpoint.accounting());
    black_box(checkpoint.sizes());
    for task in checkpoint.processes().tasks.iter().take(8) {
        let Some(space) = checkpoint.memory(task.pid) else { continue };
        for mapping in space.mappings().iter().take(32) {
            read(&space, mapping.start, mapping.len().min(1 << 16));
            black_box(space.tally(mapping));
        }
    }
    Some(out)
}
