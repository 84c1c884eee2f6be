//! What compiles code while it runs, and so has executable memory that no file is behind.
//!
//! A compiler is known by its program or by a library that is mapped, provided that these are of the image: a name costs
//! an intruder nothing.

use ckpt_memory::{Mapping, MappingKind};
use ckpt_model::{Arch, FileRef, MemoryMap, Text};

use super::code::SMALL;
use super::programs::{program, stem};
use super::provenance::Provenance;
use super::subject::{Subject, base_name};

/// Something that compiles while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Compiler {
    /// Its name for people.
    pub(super) name: &'static str,
    /// Whether all code without a file may be its own; otherwise only a little.
    pub(super) whole: bool,
    /// How it was recognised.
    pub(super) because: &'static str,
}

const PROGRAM: &str = "the program is known to";
const MODULE: &str = "its library is mapped";
const CLOSURES: &str = "its library is mapped, and the code is its closures";

const REGULAR: &str = "regular expressions (PCRE)";

/// Programs, without version.
const PROGRAMS: [(&[u8], &str); 32] = [
    (b"node", "V8"),
    (b"nodejs", "V8"),
    (b"deno", "V8"),
    (b"electron", "V8"),
    (b"chrome", "V8"),
    (b"chromium", "V8"),
    (b"headless_shell", "V8"),
    (b"chrome-headless-shell", "V8"),
    (b"mongod", "SpiderMonkey"),
    (b"mongo", "SpiderMonkey"),
    (b"firefox", "SpiderMonkey"),
    (b"couchjs", "SpiderMonkey"),
    (b"bun", "JavaScriptCore"),
    (b"java", "the Java virtual machine"),
    (b"dotnet", ".NET"),
    (b"mono", "Mono"),
    (b"mono-sgen", "Mono"),
    (b"pwsh", ".NET"),
    (b"pypy", "PyPy"),
    (b"ruby", "Ruby's YJIT"),
    (b"luajit", "LuaJIT"),
    (b"julia", "Julia"),
    (b"beam.smp", "the Erlang machine"),
    (b"wasmtime", "Wasmtime"),
    (b"wasmer", "Wasmer"),
    (b"wasmedge", "WasmEdge"),
    (b"racket", "Racket"),
    (b"sbcl", "SBCL"),
    (b"clickhouse", "LLVM"),
    (b"hhvm", "HHVM"),
    (b"qemu-system-x86_64", "QEMU"),
    (b"qemu-user", "QEMU"),
];

/// Programs that may have a library of [`LIBRARIES`] within them that needs a little code.
const BUNDLES: [&[u8]; 4] = [b"php", b"php-fpm", b"php-cgi", b"frankenphp"];

/// Libraries, by how their names begin.
const LIBRARIES: [(&[u8], &str, bool); 40] = [
    (b"libjvm.so", "the Java virtual machine", true),
    (b"libj9jit", "the Java virtual machine", true),
    (b"libcoreclr.so", ".NET", true),
    (b"libclrjit.so", ".NET", true),
    (b"libmonosgen", "Mono", true),
    (b"libnode.so", "V8", true),
    (b"libv8", "V8", true),
    (b"libcef.so", "V8", true),
    (b"libmozjs", "SpiderMonkey", true),
    (b"libjavascriptcoregtk", "JavaScriptCore", true),
    (b"libpypy", "PyPy", true),
    (b"libluajit", "LuaJIT", true),
    (b"libruby", "Ruby's YJIT", true),
    (b"opcache.so", "PHP's compiler", true),
    (b"libjulia", "Julia", true),
    (b"libwasmtime", "Wasmtime", true),
    (b"libwasmer", "Wasmer", true),
    (b"libwasmedge", "WasmEdge", true),
    (b"libLLVM", "LLVM", true),
    (b"libllvmlite", "LLVM", true),
    (b"llvmjit.so", "LLVM", true),
    (b"libtorch", "PyTorch", true),
    (b"libonnxruntime", "ONNX Runtime", true),
    (b"libdnnl", "oneDNN", true),
    (b"libmkldnn", "oneDNN", true),
    (b"libtensorflow", "TensorFlow", true),
    (b"libjax_common", "XLA", true),
    (b"xla_extension", "XLA", true),
    (b"libopenvino", "OpenVINO", true),
    (b"libgccjit", "GCC", true),
    (b"libtcc.so", "TCC", true),
    (b"libQt5Qml", "Qt", true),
    (b"libQt6Qml", "Qt", true),
    (b"libgallium", "Mesa", true),
    (b"swrast_dri.so", "Mesa", true),
    (b"liborc-0", "ORC", true),
    (b"libpcre", REGULAR, false),
    (b"libffi", "foreign function calls (libffi)", false),
    (b"_cffi_backend", "foreign function calls (libffi)", false),
    (b"_ctypes", "foreign function calls (libffi)", false),
];

/// What the compiler of PCRE takes from the system at once, bytes.
///
/// Source: `pcre2/deps/sljit/sljit_src/allocator_src/sljitExecAllocatorCore.c`, `CHUNK_SIZE`.
const CHUNK: u64 = 64 << 10;

/// How closures of libffi begin on x86-64, with and without `endbr64`.
///
/// Source: `libffi/src/x86/ffi64.c`, `ffi_prep_closure_loc`.
const CLOSURE_X86: [&[u8]; 3] =
    [b"\xf3\x0f\x1e\xfa\x4c\x8d\x15", b"\x4c\x8d\x15\xf9\xff\xff\xff", b"\x49\xbb"];

/// What compiles in a process while it runs; `None` when nothing is known that would.
pub(super) fn of(subject: &Subject<'_>, map: &MemoryMap<'_>) -> Option<Compiler> {
    if subject.is_foreign(map.task) {
        return None;
    }
    let program = program(map.task);
    let known = PROGRAMS.iter().find(|(name, _)| *name == program || *name == stem(program));
    if let Some((_, name)) = known {
        return Some(Compiler { name, whole: true, because: PROGRAM });
    }
    let emulator = program.starts_with(b"qemu-");
    if emulator {
        return Some(Compiler { name: "QEMU", whole: true, because: PROGRAM });
    }
    let mut small = None;
    for mapping in map.space.mappings().iter().filter(|mapping| mapping.kind.is_file()) {
        let Some(path) = mapping.name.as_deref() else { continue };
        let name = base_name(path);
        let Some((_, called, whole)) = LIBRARIES.iter().find(|(start, ..)| name.starts_with(start))
        else {
            continue;
        };
        if !is_of_image(subject, mapping, path) {
            continue;
        }
        if *whole {
            return Some(Compiler { name: called, whole: true, because: MODULE });
        }
        let closures = called.contains("libffi");
        let fits = if closures { holds_closures(subject, map) } else { is_of_chunks(map) };
        if small.is_none() && is_little(map) && fits {
            let because = if closures { CLOSURES } else { MODULE };
            small = Some(Compiler { name: called, whole: false, because });
        }
    }
    let bundles = BUNDLES.contains(&program) || BUNDLES.contains(&stem(program));
    small.or_else(|| {
        let regular = bundles && is_little(map) && is_of_chunks(map);
        regular.then_some(Compiler { name: REGULAR, whole: false, because: PROGRAM })
    })
}

fn is_of_image(subject: &Subject<'_>, mapping: &Mapping, path: &[u8]) -> bool {
    let Ok(file_id) = u32::try_from(mapping.vma.shmid) else { return false };
    let file = FileRef { path: Text::from(path), deleted: mapping.deleted, memfd: false, file_id };
    !Provenance::of_file(subject, &file).is_foreign()
}

/// Whether no code of a file is mapped but the program's own.
pub(super) fn is_alone(map: &MemoryMap<'_>) -> bool {
    let exe = map.task.exe.as_ref().map(|exe| exe.path.as_bytes());
    let mut code = map.space.mappings().iter().filter(|mapping| mapping.executable());
    code.all(|mapping| !mapping.kind.is_file() || mapping.name.as_deref() == exe)
}

/// Executable memory without a file.
fn unexplained<'m>(map: &'m MemoryMap<'_>) -> impl Iterator<Item = &'m Mapping> {
    map.space.mappings().iter().filter(|mapping| {
        let without = mapping.kind.is_anonymous() || mapping.kind == MappingKind::AnonShared;
        mapping.executable() && without
    })
}

fn is_little(map: &MemoryMap<'_>) -> bool {
    unexplained(map).fold(0_u64, |sum, mapping| sum.saturating_add(mapping.len())) <= SMALL
}

/// Whether all of it is as long as the compiler of PCRE would have it.
fn is_of_chunks(map: &MemoryMap<'_>) -> bool {
    unexplained(map).all(|mapping| mapping.len().checked_rem(CHUNK) == Some(0))
}

/// Whether all of it begins as closures do; on other machines than x86-64 that there is little of it is enough.
fn holds_closures(subject: &Subject<'_>, map: &MemoryMap<'_>) -> bool {
    if subject.checkpoint.arch() != Some(Arch::X86_64) {
        return true;
    }
    unexplained(map).all(|mapping| {
        // Before the first closure the allocator keeps words of its own.
        let (bytes, _) = map.space.read_prefix(mapping.start, 64);
        let mut places = bytes.chunks(8).enumerate().map(|(at, _)| at.saturating_mul(8));
        let closure = |at| {
            let rest = bytes.get(at..).unwrap_or_default();
            CLOSURE_X86.iter().any(|start| rest.starts_with(start))
        };
        bytes.iter().all(|byte| *byte == 0) || places.any(closure)
    })
}
