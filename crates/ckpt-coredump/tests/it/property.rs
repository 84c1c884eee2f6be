//! A core holds what the address space holds, and nothing else.

use ckpt_coredump::CoreOptions;
use ckpt_memory::{AddressSpace, Mapping, VirtAddr};
use criu_image::ByteOrder;
use criu_image::messages::{CoreEntry, ThreadInfoX86};
use proptest::prelude::*;

use crate::world::{ANON, FILE, PAGE, PARENT, PRESENT, VVAR, core, space, task, vma};

/// Pages up to which anything is.
const PAGES: u64 = 300;

/// Mappings with gaps between them.
fn mappings() -> impl Strategy<Value = Vec<Mapping>> {
    let kinds = prop::sample::select(vec![ANON, ANON, ANON, FILE, VVAR]);
    prop::collection::vec((0..3u64, 1..80u64, kinds, 0..8u32), 0..8).prop_map(|list| {
        let mut page = 1;
        let mappings = list.into_iter().map(|(gap, pages, status, prot)| {
            let start = page + gap;
            page = start + pages;
            vma(start * PAGE, pages, status, prot)
        });
        mappings.collect()
    })
}

/// Runs of pages in order, disjoint.
fn runs() -> impl Strategy<Value = Vec<(u64, u64, u32)>> {
    let flags = prop::sample::select(vec![PRESENT, PRESENT, PRESENT, PARENT]);
    prop::collection::vec((0..40u64, 1..10u64, flags), 0..20).prop_map(|list| {
        let mut page = 1;
        let runs = list.into_iter().map(|(gap, pages, flags)| {
            let start = page + gap;
            page = start + pages;
            (start * PAGE, pages, flags)
        });
        runs.collect()
    })
}

fn entry(mode: Option<u32>) -> CoreEntry {
    let mut info = ThreadInfoX86::default();
    info.gpregs.mode = mode;
    CoreEntry { mtype: 1, thread_info: Some(info), ..CoreEntry::default() }
}

/// Every byte there is as the address space reads it, and no byte there is that it has not.
fn same(space: &AddressSpace, mode: Option<u32>, big: bool, places: &[u64]) {
    let order = if big { ByteOrder::Big } else { ByteOrder::Little };
    let parsed = core(&task(7, entry(mode)), space, &CoreOptions::new().byte_order(order));
    assert_eq!((parsed.class, parsed.big), (if mode == Some(2) { 1 } else { 2 }, big));
    for page in 0..PAGES {
        for addr in places.iter().map(|place| page * PAGE + place) {
            let read = space.read(VirtAddr(addr), 1).ok().map(|bytes| bytes[0]);
            assert_eq!(parsed.byte(addr), read, "at {addr:#x}");
        }
    }
    for mapping in space.mappings() {
        let shown = parsed.loads.iter().any(|load| mapping.contains(VirtAddr(load.start)));
        assert!(shown, "nothing of the mapping at {}", mapping.start);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_core_is_the_address_space(
        mappings in mappings(),
        runs in runs(),
        mode in prop::sample::select(vec![None, Some(1), Some(2)]),
        big in any::<bool>(),
        place in 0..PAGE,
    ) {
        same(&space(mappings, &runs), mode, big, &[0, place, PAGE - 1]);
    }
}
