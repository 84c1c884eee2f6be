//! Other CRIU versions and machines.

use ckpt_memory::PageSizeSource;
use ckpt_model::Arch as ModelArch;
use ckpt_synth::{Arch, Archive, BlockLayout, Chain, Compression, Dialect, Dump, Framing, Task};

use crate::{argv, assert_told, env, open, open_with, task, told};

fn family(dump: &mut Dump) {
    dump.task(
        Task::new(1, 0).comm("sh").argv(&["sh", "-c", "loop"]).env(&["TOKEN=abc"]).exe("/bin/sh"),
    )
    .task(
        Task::new(4, 1).comm("sleep").argv(&["sleep", "3600"]).env(&["TOKEN=abc"]).thread(5, "aux"),
    )
    .zombie(6, 1, 9, "dead");
}

fn assert_family(archive: &Archive) -> ckpt_model::Checkpoint {
    let checkpoint = open(archive);
    assert_eq!(told(&checkpoint), Vec::<String>::new());
    assert_eq!(argv(&checkpoint, 1), ["sh", "-c", "loop"]);
    assert_eq!(argv(&checkpoint, 4), ["sleep", "3600"]);
    assert_eq!(env(&checkpoint, 4), ["TOKEN=abc"]);
    assert_eq!(task(&checkpoint, 6).exit_code, Some(9));
    assert_eq!(
        task(&checkpoint, 1).exe.as_ref().map(|exe| exe.path.to_string()),
        Some("/bin/sh".into())
    );
    assert!(
        task(&checkpoint, 4)
            .threads
            .iter()
            .all(|thread| thread.sp.is_some() && thread.ip.is_some())
    );
    checkpoint
}

#[test]
fn page_counts_in_either_field() {
    for dialect in [Dialect::Criu317, Dialect::Criu41, Dialect::Criu42] {
        let mut dump = Dump::new();
        dump.dialect(dialect);
        family(&mut dump);
        let checkpoint = assert_family(&Archive::podman(&dump));
        let privileges =
            task(&checkpoint, 1).credentials.as_ref().and_then(|creds| creds.no_new_privs);
        let recorded = dialect != Dialect::Criu317;
        assert_eq!(privileges, recorded.then_some(false), "{dialect:?}");
    }
}

#[test]
fn compressed_pages_in_both_layouts() {
    for layout in [BlockLayout::A, BlockLayout::B] {
        let forms = [
            Compression::per_page(layout),
            Compression::region(layout, 64 << 10),
            Compression::region(layout, 64 << 10).aligned(),
            Compression::region(layout, 64 << 10).unpacked(),
        ];
        let padded = Compression::region(layout, 64 << 10).padded();
        let forms = forms.into_iter().chain((layout == BlockLayout::B).then_some(padded));
        for form in forms {
            let mut dump = Dump::new();
            dump.dialect(Dialect::V12(form));
            family(&mut dump);
            let checkpoint = assert_family(&Archive::podman(&dump));
            assert_eq!(checkpoint.criu().image_version, Some(3), "{form:?}");
        }
    }
}

#[test]
fn a_big_endian_machine() {
    let mut dump = Dump::new();
    dump.arch(Arch::S390x);
    family(&mut dump);
    let checkpoint = assert_family(&Archive::podman(&dump));
    assert_eq!(checkpoint.byte_order(), criu_image::ByteOrder::Big);
    assert_eq!(checkpoint.arch(), Some(ModelArch::S390));
}

#[test]
fn pages_of_every_size() {
    for page_size in [4096, 16384, 65536] {
        let mut dump = Dump::new();
        dump.arch(Arch::Aarch64 { page_size });
        family(&mut dump);
        let checkpoint = assert_family(&Archive::podman(&dump));
        assert_eq!(checkpoint.page_size(), (page_size, PageSizeSource::PagesFile));
    }
}

#[test]
fn the_split_layout_of_old() {
    for framing in [Framing::V1_0, Framing::V1_1] {
        let mut dump = Dump::new();
        dump.split_layout().framing(framing);
        family(&mut dump);
        let checkpoint = assert_family(&Archive::bare(&dump, ""));
        let creds = task(&checkpoint, 4).credentials.as_ref().expect("credentials");
        assert_eq!(creds.uids, [0; 4]);
        assert!(!task(&checkpoint, 4).rlimits.is_empty());
        assert_eq!(task(&checkpoint, 4).sigign, Some(1 << 12));
    }
}

#[test]
fn a_chain_is_followed_to_its_end() {
    let task_of = |dump: &mut Dump, stack_in_parent: bool| {
        let mut init = Task::new(1, 0).argv(&["chained"]).env(&["LINK=1"]);
        if stack_in_parent {
            init = init.pages_in_parent(stack_page(), 1);
        }
        dump.task(init);
    };
    let mut first = Dump::new();
    task_of(&mut first, false);
    let mut second = Dump::new();
    task_of(&mut second, true);
    let mut third = Dump::new();
    task_of(&mut third, true);
    let whole = Chain::new().link(first.clone()).link(second).link(third.clone());
    let checkpoint = open(&whole.archive());
    assert_eq!(checkpoint.directory().map(|d| d.path.to_string()), Some("chain/3".into()));
    assert_eq!(checkpoint.parents().len(), 2);
    assert_eq!(argv(&checkpoint, 1), ["chained"]);
    assert_eq!(told(&checkpoint), Vec::<String>::new());

    let options = ckpt_model::Checkpoint::options().images("1");
    let earlier = open_with(&whole.archive(), &options).expect("the first link");
    assert_eq!(earlier.directory().map(|d| d.path.to_string()), Some("chain/1".into()));

    let mut alone = third;
    alone.parent("../pre-checkpoint");
    let checkpoint = open(&Archive::podman(&alone));
    assert!(task(&checkpoint, 1).argv.is_none());
    assert_told(&checkpoint, "in the parent checkpoint");
    assert_told(&checkpoint, "pages are in a parent checkpoint that is not here");
}

/// The page that holds arguments and environment in the default layout.
fn stack_page() -> u64 {
    Arch::X86_64.stack_top() - 4096
}

#[test]
fn a_ring_of_parents_is_told_and_ends() {
    let dump = |in_parent: bool| {
        let mut dump = Dump::new();
        let init = Task::new(1, 0).argv(&["ring"]);
        dump.task(if in_parent { init.pages_in_parent(stack_page(), 1) } else { init });
        dump
    };
    let checkpoint = open(&Chain::new().link(dump(true)).link(dump(true)).cycle().archive());
    let _ = checkpoint.processes();
    assert_told(&checkpoint, "the chain of parents comes back");
    assert!(task(&checkpoint, 1).argv.is_none());
}
