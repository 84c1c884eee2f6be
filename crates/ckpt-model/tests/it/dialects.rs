//! Other CRIU versions and machines.

use ckpt_memory::PageSizeSource;
use ckpt_model::Arch as ModelArch;
use ckpt_synth::{
    Arch, Archive, BlockLayout, Chain, Compression, Dialect, Dump, Framing, Message, Task, Vma,
    magic,
};

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

/// A pre-dump has no id of the run; that CRIU lists its plugins tells as much.
#[test]
fn a_pre_dump_tells_its_dialect_and_nothing_of_connections() {
    for (dialect, inferred) in [
        (Dialect::Criu317, "4.0 or earlier"),
        (Dialect::Criu41, "4.1"),
        (Dialect::Criu42, "4.2 or later"),
    ] {
        let mut dump = Dump::new();
        dump.dialect(dialect).pre_dump();
        family(&mut dump);
        let facts = open(&Archive::bare(&dump, "")).criu();
        assert_eq!((facts.inferred, facts.tcp_close), (Some(inferred), None), "{dialect:?}");
    }
    let closed = |fields: Message| {
        let mut dump = Dump::new();
        family(&mut dump);
        // img_version, fdinfo_per_id
        let inventory = Message::new().uint(1, 2u32).bool(2, true).and(&fields);
        dump.image("inventory.img", magic::INVENTORY, &[inventory]);
        open(&Archive::bare(&dump, "")).criu().tcp_close
    };
    assert_eq!(closed(Message::new()), None, "CRIU before 3.15");
    assert_eq!(closed(Message::new().uint(11, 0u32)), Some(false));
    assert_eq!(closed(Message::new().bool(10, true).uint(11, 0u32)), Some(true));
}

#[test]
fn a_machine_has_the_name_that_its_kernel_gives_it() {
    use criu_image::ByteOrder::{Big, Little};
    assert_eq!(ModelArch::Ppc64.machine(Little), "ppc64le");
    assert_eq!(ModelArch::Ppc64.machine(Big), "ppc64");
    assert_eq!(ModelArch::S390.machine(Big), "s390x");
    assert_eq!(ModelArch::Mips.machine(Big), "mips64");
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

/// A failed dump has no inventory, and every other image tells the byte order as well.
#[test]
fn a_failed_dump_of_a_big_endian_machine() {
    let mut dump = Dump::new();
    let mut raw: Vec<u8> = [34u32, 0, u32::MAX, 0, 4, 33].map(u32::to_be_bytes).concat();
    raw.extend(99u64.to_be_bytes());
    raw.resize(128, 0);
    let queue = Message::new().message(1, &Message::new().bytes(1, raw)); // signals: siginfo
    dump.arch(Arch::S390x)
        .task(Task::new(1, 0).tc_extra(&Message::new().message(10, &queue)))
        .without("inventory.img")
        .without("pstree.img");
    let checkpoint = open(&Archive::bare(&dump, ""));
    assert_eq!(checkpoint.byte_order(), criu_image::ByteOrder::Big);
    let [signal] = task(&checkpoint, 1).pending.as_slice() else { panic!("no signal") };
    assert_eq!((signal.signo, signal.value), (34, Some(99)));
    assert_eq!((signal.pid.map(|pid| pid.0), signal.uid), (Some(4), Some(33)));
}

#[test]
fn a_32_bit_program_tells_the_page_size_in_words_of_its_own() {
    let mut dump = Dump::new();
    dump.task(Task::new(1, 0).compat().argv(&["i386"])).without("pages-1.img");
    let checkpoint = open(&Archive::bare(&dump, ""));
    assert_eq!(checkpoint.page_size(), (4096, PageSizeSource::Auxv));
}

/// A pre-dump has no memory map with an auxiliary vector, and in a compressed one the pages files tell nothing.
#[test]
fn the_page_size_is_told_by_what_addresses_are_multiples_of() {
    let compressed = Dialect::V12(Compression::per_page(BlockLayout::B));
    let mut dump = Dump::new();
    let runs = (0..20u64).map(|n| 0x7000_0000_0000 + n * 3 * 0x4000);
    let task =
        runs.fold(Task::new(1, 0), |task, at| task.map(Vma::anon(at, 0x4000)).noise(at, 1, 7));
    dump.dialect(compressed).arch(Arch::Aarch64 { page_size: 16384 }).task(task).pre_dump();
    let checkpoint = open(&Archive::bare(&dump, ""));
    assert_eq!(checkpoint.page_size(), (16384, PageSizeSource::Alignment));

    // The usual one of a machine is not believed against addresses that are no multiples of it.
    let mut dump = Dump::new();
    let task = Task::new(1, 0).map(Vma::anon(0x7000_0000_1000, 4096)).noise(0x7000_0000_1000, 1, 7);
    dump.dialect(compressed).arch(Arch::Ppc64le { page_size: 4096 }).task(task).without("mm-1.img");
    let checkpoint = open(&Archive::bare(&dump, ""));
    assert_eq!(checkpoint.page_size(), (4096, PageSizeSource::Alignment));
}

#[test]
fn forms_of_the_images_that_are_not_known_are_told() {
    let mut dump = Dump::new();
    family(&mut dump);
    // img_version, fdinfo_per_id, compress
    let inventory = Message::new().uint(1, 9u32).bool(2, true).uint(15, 7u32);
    dump.image("inventory.img", magic::INVENTORY, &[inventory]);
    let checkpoint = open(&Archive::podman(&dump));
    assert_told(&checkpoint, "version 9 of the images is not known");
    assert_told(&checkpoint, "compression 7 of the pages is not known");
    assert_eq!(argv(&checkpoint, 4), ["sleep", "3600"]);

    let mut dump = Dump::new();
    family(&mut dump);
    dump.raw("cipher.img", *b"an envelope");
    let checkpoint = open(&Archive::podman(&dump));
    assert_told(&checkpoint, "the dump is encrypted (cipher.img)");
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
