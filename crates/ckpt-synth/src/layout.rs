//! The address space of a task: a default layout, its stack with the strings that the kernel puts there, and what the
//! test adds.

use crate::arch::Arch;
use crate::dialect::Dialect;
use crate::file::Backing;
use crate::memory::{Pages, Vma, map_flags, page_run, status};
use crate::task::{Exe, PageRequest, Task};

/// First address of the executable in the default layout.
pub const TEXT: u64 = 0x40_0000;
/// First address of the executable's data; one page is stored.
pub const DATA: u64 = 0x60_0000;
/// First address of the heap; two pages are stored. They begin with the text `heap of PID`.
pub const HEAP: u64 = 0x1a0_0000;

/// All that `mm-PID.img` and the pagemap tell.
#[derive(Clone, Debug)]
pub(crate) struct AddressSpace {
    pub(crate) vmas: Vec<Vma>,
    pub(crate) pages: Pages,
    pub(crate) code: (u64, u64),
    pub(crate) data: (u64, u64),
    pub(crate) brk: (u64, u64),
    pub(crate) start_stack: u64,
    pub(crate) args: (u64, u64),
    pub(crate) env: (u64, u64),
    pub(crate) auxv: Vec<u64>,
    /// Instruction and stack pointer of the leader, then of each thread.
    pub(crate) registers: Vec<(u64, u64)>,
}

/// The top of the stack, as `execve` leaves it.
struct Stack {
    start: u64,
    first_stored: u64,
    bytes: Vec<u8>,
    args: (u64, u64),
    env: (u64, u64),
    auxv: Vec<u64>,
}

pub(crate) fn address_space(task: &Task, arch: Arch, dialect: Dialect) -> AddressSpace {
    let page = arch.page_size();
    let stack = stack(task, arch);
    let mut vmas = Vec::new();
    let mut pages = Pages::default();
    let (mut code, mut data, mut brk) = ((TEXT, TEXT), (DATA, DATA), (HEAP, HEAP));
    if !task.bare_memory {
        code = (TEXT + page, TEXT + 5 * page);
        data = (DATA, DATA + 2 * page);
        brk = (HEAP, HEAP + 33 * page);
        vmas.push(exe_vma(task, TEXT, page, 0, 1));
        vmas.push(exe_vma(task, TEXT + page, 4 * page, page, 5));
        vmas.push(exe_vma(task, DATA, 2 * page, 5 * page, 3));
        vmas.push(
            Vma::anon(HEAP, 33 * page)
                .status(status::REGULAR | status::HEAP | status::ANON_PRIVATE),
        );
        let vvar = arch.mmap_base();
        let kernel = status::REGULAR | status::ANON_PRIVATE;
        vmas.push(Vma::anon(vvar, 2 * page).prot(1).status(kernel | status::VVAR).madv(0x1_0000));
        vmas.push(Vma::anon(vdso(arch), 2 * page).prot(5).status(kernel | status::VDSO));
        let variables = format!("data of {}\0", task.pid).into_bytes();
        pages.put(page_run(DATA, variables, page), page);
        let mut heap = format!("heap of {}\0", task.pid).into_bytes();
        heap.resize(usize::try_from(2 * page).unwrap_or_default(), b'h');
        pages.put(page_run(HEAP, heap, page), page);
        let mut elf = b"\x7fELF vdso".to_vec();
        elf.resize(usize::try_from(2 * page).unwrap_or_default(), 0);
        pages.put(page_run(vdso(arch), elf, page), page);
    }
    let top = arch.stack_top();
    let lowest = (top - 33 * page).min(stack.first_stored - page);
    vmas.push(
        Vma::anon(lowest, top - lowest)
            .flags(map_flags::PRIVATE | map_flags::ANON | map_flags::GROWSDOWN),
    );
    pages.put(page_run(stack.first_stored, stack.bytes, page), page);
    let (ip, sp) = task.registers.unwrap_or((code.0 + 0x120, stack.start - 0x100));
    let mut registers = vec![(ip, sp)];
    for (index, _) in (1u64..).zip(&task.threads) {
        let bottom = arch.mmap_base() - index * 0x40_0000;
        vmas.push(Vma::anon(bottom, 16 * page));
        let text = format!("thread stack {index} of {}\0", task.pid).into_bytes();
        pages.put(page_run(bottom + 15 * page, text, page), page);
        registers.push((code.0 + 0x200, bottom + 15 * page + 0x800));
    }
    if arch == Arch::X86_64 && !dialect.is_317() && !task.bare_memory {
        let vsyscall = Vma::anon(0xffff_ffff_ff60_0000, page).prot(4);
        vmas.push(vsyscall.status(status::VSYSCALL | status::ANON_PRIVATE));
    }
    vmas.extend(task.vmas.iter().cloned());
    // Guard entries follow the others; both keep the order of addresses.
    vmas.sort_by_key(|vma| (vma.status == status::GUARD, vma.start));
    for request in &task.pages {
        match request {
            PageRequest::Run(run) => pages.put(run.clone(), page),
            PageRequest::Bytes { addr, bytes, flags } => {
                let mut run = page_run(*addr, bytes.clone(), page);
                run.flags = *flags;
                pages.put(run, page);
            }
        }
    }
    AddressSpace {
        vmas,
        pages,
        code,
        data,
        brk,
        start_stack: stack.start,
        args: task.arg_range.unwrap_or(stack.args),
        env: task.env_range.unwrap_or(stack.env),
        auxv: stack.auxv,
        registers,
    }
}

fn vdso(arch: Arch) -> u64 {
    arch.mmap_base() + 2 * arch.page_size()
}

fn exe_vma(task: &Task, start: u64, len: u64, offset: u64, prot: u32) -> Vma {
    match &task.exe {
        Exe::Path { path, deleted } => Vma {
            backing: Backing::Path { path: path.clone(), deleted: deleted.clone() },
            ..Vma::file(start, len, Vec::new(), offset).prot(prot)
        },
        Exe::Memfd { name, .. } => Vma {
            backing: Backing::Memfd { name: name.clone() },
            ..Vma::file(start, len, Vec::new(), offset)
                .prot(prot)
                .status(status::REGULAR | status::FILE_PRIVATE | status::MEMFD)
        },
    }
}

fn stack(task: &Task, arch: Arch) -> Stack {
    let (page, top) = (arch.page_size(), arch.stack_top());
    let argv = joined(&task.argv);
    let env = joined(&task.env);
    let execfn = match &task.exe {
        Exe::Path { path, .. } => path.clone(),
        Exe::Memfd { .. } => b"/proc/self/fd/3".to_vec(),
    };
    let tail = execfn.len() as u64 + 1 + 8;
    let env_end = top - tail;
    let env_start = env_end - env.len() as u64;
    let arg_start = env_start - argv.len() as u64;
    let area = overwritten(task, &argv, &env);

    let platform = (arg_start - 64) & !15;
    let random = platform + 32;
    let auxv = auxv(task, arch, platform, random, env_end);
    let mut words = vec![task.argv.len() as u64];
    words.extend(starts(&task.argv, arg_start));
    words.push(0);
    words.extend(starts(&task.env, env_start));
    words.push(0);
    words.extend(&auxv);
    let start = (platform - 8 * words.len() as u64) & !15;

    let first_stored = (start - 0x180) / page * page;
    let mut bytes = Vec::new();
    let place = |addr: u64, what: &[u8], bytes: &mut Vec<u8>| {
        bytes.resize(usize::try_from(addr - first_stored).unwrap_or_default(), 0);
        bytes.extend(what);
    };
    let vector: Vec<u8> = words.iter().flat_map(|word| arch.byte_order().u64(*word)).collect();
    place(start, &vector, &mut bytes);
    place(platform, arch.name().as_bytes(), &mut bytes);
    place(random, &[0x5a; 16], &mut bytes);
    place(arg_start, &area, &mut bytes);
    place(env_end, &execfn, &mut bytes);
    place(top, &[], &mut bytes);
    let mut saved = auxv;
    if task.compat {
        let packed = |pair: &[u64]| pair.iter().rev().fold(0, |word, part| word << 32 | part);
        saved = saved.chunks_exact(2).map(packed).collect();
    }
    saved.resize(arch.auxv_words(), 0);
    Stack {
        start,
        first_stored,
        bytes,
        args: (arg_start, env_start),
        env: (env_start, env_end),
        auxv: saved,
    }
}

/// The strings with a NUL after each.
fn joined(strings: &[Vec<u8>]) -> Vec<u8> {
    strings.iter().flat_map(|s| s.iter().copied().chain([0])).collect()
}

fn starts(strings: &[Vec<u8>], mut addr: u64) -> Vec<u64> {
    strings
        .iter()
        .map(|s| {
            let start = addr;
            addr += s.len() as u64 + 1;
            start
        })
        .collect()
}

/// The argument and environment areas, with what the process itself wrote over them.
fn overwritten(task: &Task, argv: &[u8], env: &[u8]) -> Vec<u8> {
    let mut environ = env.to_vec();
    if let Some(garbage) = task.environ_bytes.as_ref().filter(|bytes| !bytes.is_empty()) {
        environ = garbage.iter().copied().cycle().take(env.len()).collect();
    }
    let Some(title) = &task.title else { return [argv, &environ].concat() };
    let mut area = title.clone();
    if title.len() < argv.len() {
        area.resize(argv.len(), 0);
        area.extend(environ);
    } else {
        area.resize(argv.len() + env.len(), 0);
    }
    area
}

fn auxv(task: &Task, arch: Arch, platform: u64, random: u64, execfn: u64) -> Vec<u64> {
    let pairs = [
        (33, vdso(arch)),             // AT_SYSINFO_EHDR
        (16, 0x178b_fbff),            // AT_HWCAP
        (6, arch.page_size()),        // AT_PAGESZ
        (17, 100),                    // AT_CLKTCK
        (3, TEXT + 64),               // AT_PHDR
        (4, 56),                      // AT_PHENT
        (5, 4),                       // AT_PHNUM
        (7, 0),                       // AT_BASE
        (8, 0),                       // AT_FLAGS
        (9, TEXT + arch.page_size()), // AT_ENTRY
        (11, u64::from(task.uid)),    // AT_UID
        (12, u64::from(task.uid)),    // AT_EUID
        (13, u64::from(task.gid)),    // AT_GID
        (14, u64::from(task.gid)),    // AT_EGID
        (23, 0),                      // AT_SECURE
        (25, random),                 // AT_RANDOM
        (26, 2),                      // AT_HWCAP2
        (31, execfn),                 // AT_EXECFN
        (15, platform),               // AT_PLATFORM
        (0, 0),                       // AT_NULL
    ];
    pairs.into_iter().flat_map(|(key, value)| [key, value]).collect()
}

#[cfg(test)]
mod tests {
    use super::{HEAP, address_space};
    use crate::{Arch, Dialect, Task};

    fn area(task: &Task) -> (Vec<u8>, Vec<u8>) {
        let space = address_space(task, Arch::X86_64, Dialect::Criu42);
        let content = |(from, to): (u64, u64)| {
            let run = space.pages.runs().iter().rfind(|run| run.start <= from).unwrap();
            let crate::memory::Source::Bytes(bytes) = &run.source else { unreachable!() };
            let at = |addr: u64| usize::try_from(addr - run.start).unwrap();
            bytes[at(from)..at(to)].to_vec()
        };
        (content(space.args), content(space.env))
    }

    #[test]
    fn strings_are_on_the_stack() {
        let task = Task::new(1, 0).argv(&["sh", "-c", "x"]).env(&["A=b", "C=d"]);
        assert_eq!(area(&task), (b"sh\0-c\0x\0".to_vec(), b"A=b\0C=d\0".to_vec()));
    }

    #[test]
    fn titles() {
        let task = Task::new(1, 0).argv(&["nginx", "-g", "x"]).env(&["A=b", "C=d"]);
        let (args, env) = area(&task.clone().title(b"work"));
        assert_eq!(
            (args.as_slice(), env.as_slice()),
            (&b"work\0\0\0\0\0\0\0"[..], &b"A=b\0C=d\0"[..])
        );
        let (args, env) = area(&task.clone().title(b"nginx: worker"));
        assert_eq!(
            (args.as_slice(), env.as_slice()),
            (&b"nginx: work"[..], &b"er\0\0\0\0\0\0"[..])
        );
        let (args, env) = area(&task.broken_environ(b"\xff\xfe="));
        assert_eq!(
            (args.as_slice(), env.as_slice()),
            (&b"nginx\0-g\0x\0"[..], &b"\xff\xfe=\xff\xfe=\xff\xfe"[..])
        );
    }

    #[test]
    fn long_arguments_grow_the_stack() {
        let long = vec![b'x'; 300_000];
        let space = address_space(&Task::new(1, 0).argv(&[long]), Arch::X86_64, Dialect::Criu42);
        let stack = space.vmas.iter().find(|vma| vma.end == Arch::X86_64.stack_top()).unwrap();
        assert!(stack.start <= space.start_stack && stack.start % 4096 == 0);
        assert!(space.args.1 - space.args.0 == 300_001);
    }

    #[test]
    fn large_pages_do_not_collide() {
        let arch = Arch::Aarch64 { page_size: 65536 };
        let space = address_space(&Task::new(1, 0).thread(2, "t"), arch, Dialect::Criu42);
        assert!(space.vmas.windows(2).all(|pair| pair[0].end <= pair[1].start));
        assert!(space.vmas.iter().all(|vma| vma.start % 65536 == 0));
        assert!(space.pages.runs().iter().any(|run| run.start == HEAP));
    }
}
