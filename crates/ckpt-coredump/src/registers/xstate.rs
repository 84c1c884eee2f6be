//! The `XSAVE` area of x86.

use criu_image::messages::UserX86FpregsEntry;

use super::x86_64::fxsave;
use crate::machine::Machine;

/// Where debuggers look for XCR0, the components that the system had switched on: among the bytes of the `FXSAVE` area
/// that are left to software.
///
/// Source: `arch/x86/include/uapi/asm/sigcontext.h`, `struct _fpx_sw_bytes`.
const XCR0: usize = 464;
/// Where the `XSAVE` header begins, with the components that are not in their initial state.
const XSTATE_BV: usize = 512;
/// x87 and SSE, which every area has.
const LEGACY: u64 = 3;
/// Bytes of the `FXSAVE` area and the header.
const LEGACY_BYTES: usize = 576;

/// A component: its bit in XCR0, its place and size in bytes, and the size of an area that ends with it.
struct Component {
    bit: u32,
    at: usize,
    bytes: usize,
    area: usize,
}

/// The standard, not compacted format as Intel's processors with AVX-512 have it.
///
/// CRIU keeps the components and not their places. gdb knows this layout by the size of the area and XCR0, in every
/// version; a processor of another layout (AMD) gives the same registers in other places. Sizes count both components
/// of MPX, and all three of AVX-512, whichever is there.
///
/// Source: Intel SDM volume 1, 13.4; `gdbsupport/x86-xstate.h`.
const COMPONENTS: [Component; 7] = [
    Component { bit: 2, at: 576, bytes: 256, area: 832 }, // AVX: upper halves of ymm
    Component { bit: 3, at: 960, bytes: 64, area: 1088 }, // MPX: bounds
    Component { bit: 4, at: 1024, bytes: 64, area: 1088 }, // MPX: configuration
    Component { bit: 5, at: 1088, bytes: 64, area: 2688 }, // AVX-512: masks
    Component { bit: 6, at: 1152, bytes: 512, area: 2688 }, // AVX-512: upper halves of zmm0 to zmm15
    Component { bit: 7, at: 1664, bytes: 1024, area: 2688 }, // AVX-512: zmm16 to zmm31
    Component { bit: 9, at: 2688, bytes: 8, area: 2696 },   // protection keys
];

/// `NT_X86_XSTATE`; `None` where CRIU found no `XSAVE`.
///
/// Shadow stacks and whatever else a processor has are not in it.
pub(super) fn area(fp: &UserX86FpregsEntry, machine: &Machine) -> Option<Vec<u8>> {
    let xsave = fp.xsave.as_ref()?;
    let of32 = |list: &[u32]| machine.words().list32(list, list.len()).take();
    let of64 = |list: &[u64]| machine.words().list64(list, list.len()).take();
    let contents = [
        of32(&xsave.ymmh_space),
        of64(&xsave.bndreg_state),
        of64(&xsave.bndcsr_state),
        of64(&xsave.opmask_reg),
        of64(&xsave.zmm_upper),
        of64(&xsave.hi16_zmm),
        of32(&xsave.pkru),
    ];
    let there = || COMPONENTS.iter().zip(&contents).filter(|(_, content)| !content.is_empty());
    let xcr0 = there().fold(LEGACY, |bits, (component, _)| bits | 1 << component.bit);
    let size = there().map(|(component, _)| component.area).max().unwrap_or(LEGACY_BYTES);
    let mut area = vec![0; size];
    put(&mut area, 0, &fxsave(fp, machine));
    put(&mut area, XCR0, &xcr0.to_le_bytes());
    put(&mut area, XSTATE_BV, &(xsave.xstate_bv & xcr0).to_le_bytes());
    for (component, content) in there() {
        put(&mut area, component.at, content.get(..component.bytes).unwrap_or(content));
    }
    Some(area)
}

fn put(area: &mut [u8], at: usize, content: &[u8]) {
    let place = area.get_mut(at..).and_then(|rest| rest.get_mut(..content.len()));
    if let Some(place) = place {
        place.copy_from_slice(content);
    }
}
