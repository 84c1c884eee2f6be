//! Arguments and environment, read out of memory by the kernel's own rules.

use ckpt_memory::{AddressSpace, Missing, VirtAddr};
use criu_image::messages::MmEntry;

use crate::defect::DefectKind;
use crate::text::Strings;

/// Most bytes of arguments, and as many of environment, that are read of one process. Linux allows 6 MiB of both
/// together under the usual stack limit; a program can claim any range with `prctl(PR_SET_MM)`.
pub(crate) const MAX_AREA: u64 = 8 << 20;

/// An area of strings, and what was wrong with it.
#[derive(Debug, Default)]
pub(crate) struct Area {
    /// What could be read; `None` when not a byte could.
    pub(crate) strings: Option<Strings>,
    /// Why it is not whole.
    pub(crate) problem: Option<(DefectKind, String)>,
}

/// `/proc/PID/cmdline`.
///
/// A program may write its title over its arguments and, past them, over its environment: when the last byte of the
/// argument area is not NUL any more, the kernel shows one string from its start, at most a page long.
///
/// Source: `fs/proc/base.c`, `get_mm_cmdline` and `get_mm_proctitle` (Linux 6.12).
pub(crate) fn argv(space: &AddressSpace, mm: &MmEntry) -> Area {
    let (start, end) = (mm.mm_arg_start, mm.mm_arg_end);
    if start >= end {
        return without_bytes(start, end, "arguments");
    }
    let last = space.read_prefix(VirtAddr(end.saturating_sub(1)), 1).0;
    if last.first().is_none_or(|byte| *byte == 0) {
        return area(space, start, end, "arguments");
    }
    let (env_start, env_end) = (mm.mm_env_start, mm.mm_env_end);
    let adjacent = env_start == end && env_end >= env_start;
    let limit = if adjacent { env_end } else { end };
    let limit = limit.min(start.saturating_add(space.page_size()));
    let mut title = area(space, start, limit, "title");
    if let Some(Strings(bytes)) = &mut title.strings
        && let Some(nul) = bytes.iter().position(|byte| *byte == 0)
    {
        bytes.truncate(nul.saturating_add(1));
        // What lies behind the title's end is not part of it, whatever happened there.
        title.problem = None;
    }
    title
}

/// `/proc/PID/environ`: the area as it is, whatever the program has written over it.
pub(crate) fn environ(space: &AddressSpace, mm: &MmEntry) -> Area {
    if mm.mm_env_start >= mm.mm_env_end {
        return without_bytes(mm.mm_env_start, mm.mm_env_end, "environment");
    }
    area(space, mm.mm_env_start, mm.mm_env_end, "environment")
}

/// An area that ends where it begins is an empty one; the kernel lets none end before that.
///
/// Source: `kernel/sys.c`, `validate_prctl_map_addr` (Linux 6.12).
fn without_bytes(start: u64, end: u64, what: &str) -> Area {
    if start == end {
        return Area { strings: Some(Strings::default()), problem: None };
    }
    let (start, end) = (VirtAddr(start), VirtAddr(end));
    let problem = format!("{what} end at {end}, before they begin at {start}");
    Area { strings: None, problem: Some((DefectKind::Damaged, problem)) }
}

fn area(space: &AddressSpace, start: u64, end: u64, what: &str) -> Area {
    let len = end.saturating_sub(start);
    let read = len.min(MAX_AREA);
    let (bytes, missing) = space.read_prefix(VirtAddr(start), read);
    let problem = match missing {
        Some(why) => Some((DefectKind::Missing, told(what, start, len, bytes.len() as u64, why))),
        None if read < len => Some((
            DefectKind::Missing,
            format!("{what} at {} claim {len} bytes; the first {read} are shown", VirtAddr(start)),
        )),
        None => None,
    };
    let strings = (!bytes.is_empty()).then_some(Strings(bytes.into()));
    Area { strings, problem }
}

fn told(what: &str, start: u64, len: u64, read: u64, why: Missing) -> String {
    let at = VirtAddr(start.saturating_add(read));
    format!("{what}: {} of {len} bytes, from {at} on, are {why}", len.saturating_sub(read))
}
