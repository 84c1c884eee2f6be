//! Coverage-guided fuzzing on a stable toolchain: the instrumentation of LLVM, without the nightly-only flags around it.

use std::path::{Path, PathBuf};
use std::{env, fs, process};

use anyhow::{Context, Result, bail, ensure};

/// What `cargo fuzz --sanitizer none` would ask of the compiler, spelled out, so that stable accepts it.
const INSTRUMENTATION: [&str; 7] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "--cfg",
    "fuzzing",
];

/// Inputs that take longer (seconds) or more memory (MiB) are reported as bugs.
const LIMITS: [&str; 3] = ["-timeout=10", "-rss_limit_mb=2048", "-malloc_limit_mb=1024"];

/// What `cargo xtask fuzz` was asked to do.
pub(crate) enum Command {
    Run { target: String, seconds: Option<u32>, libfuzzer: Vec<String> },
    List,
    Build,
    Seed,
}

impl Command {
    pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut arguments = arguments;
        let (mut target, mut seconds) = (None, None);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--list" => return Ok(Self::List),
                "--build" => return Ok(Self::Build),
                "--seed" => return Ok(Self::Seed),
                "--seconds" => {
                    let value = arguments.next().context("--seconds needs a number")?;
                    seconds = Some(value.parse().with_context(|| format!("--seconds {value}"))?);
                }
                "--" => break,
                option if option.starts_with('-') => bail!("no option `{option}`"),
                _ if target.is_some() => bail!("one target at a time"),
                _ => target = Some(argument),
            }
        }
        let target = target.context("which target? `cargo xtask fuzz --list` knows them")?;
        Ok(Self::Run { target, seconds, libfuzzer: arguments.collect() })
    }

    pub(crate) fn run(&self) -> Result<()> {
        let fuzz = Workspace::find()?;
        match self {
            Self::List => {
                for target in fuzz.targets()? {
                    println!("{target}");
                }
                Ok(())
            }
            Self::Build => fuzz.build(&["--bins"]),
            Self::Seed => fuzz.seed(),
            Self::Run { target, seconds, libfuzzer } => {
                let known = fuzz.targets()?;
                ensure!(
                    known.contains(target),
                    "no target `{target}`; there are: {}",
                    known.join(", ")
                );
                fuzz.build(&["--bin", target])?;
                fuzz.fuzz(target, *seconds, libfuzzer)
            }
        }
    }
}

/// The workspace in `fuzz/`.
struct Workspace {
    root: PathBuf,
    target_dir: PathBuf,
    triple: String,
}

impl Workspace {
    fn find() -> Result<Self> {
        // Set by `cargo run`: where this xtask was built from says nothing when target directories are shared.
        let xtask = env::var_os("CARGO_MANIFEST_DIR").context("run it as `cargo xtask`")?;
        let root = Path::new(&xtask).parent().context("xtask lies in the project")?.join("fuzz");
        // Apart from the project's own build: the flags differ, and neither should rebuild the other.
        let target_dir = match env::var_os("CARGO_TARGET_DIR") {
            Some(shared) => PathBuf::from(shared).join("fuzz"),
            None => root.join("target"),
        };
        Ok(Self { root, target_dir, triple: host_triple()? })
    }

    /// The targets are the files in `fuzz_targets/`.
    fn targets(&self) -> Result<Vec<String>> {
        let directory = self.root.join("fuzz_targets");
        let mut names = Vec::new();
        for entry in fs::read_dir(&directory).with_context(|| directory.display().to_string())? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "rs") {
                names.extend(path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned));
            }
        }
        names.sort();
        Ok(names)
    }

    fn cargo(&self, verb: &str) -> process::Command {
        let mut cargo =
            process::Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .current_dir(&self.root)
            .args([verb, "--release", "--target-dir"])
            .arg(&self.target_dir);
        cargo.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
        cargo
    }

    fn build(&self, what: &[&str]) -> Result<()> {
        let mut cargo = self.cargo("build");
        cargo.env("CARGO_ENCODED_RUSTFLAGS", INSTRUMENTATION.join("\x1f"));
        // Naming the target, even though it is the host, keeps build scripts and derives free of the instrumentation.
        cargo.args(["--target", &self.triple]).args(what);
        succeed(&mut cargo)
    }

    /// Real checkpoints come from `fixtures/real`; the seeding program makes the synthetic ones itself.
    fn seed(&self) -> Result<()> {
        let fixtures = self.root.join("../fixtures/real");
        let mut evidence = Vec::new();
        for entry in fs::read_dir(&fixtures).with_context(|| fixtures.display().to_string())? {
            let path = entry?.path();
            evidence.extend(path.to_string_lossy().contains(".tar").then_some(path));
        }
        evidence.sort();
        let corpus = self.root.join("corpus");
        succeed(self.cargo("run").args(["--package", "seed", "--"]).arg(corpus).args(evidence))
    }

    fn fuzz(&self, target: &str, seconds: Option<u32>, libfuzzer: &[String]) -> Result<()> {
        let corpus = self.root.join("corpus").join(target);
        let artifacts = self.root.join("artifacts").join(target);
        for directory in [&corpus, &artifacts] {
            fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
        }
        let mut run =
            process::Command::new(self.target_dir.join(&self.triple).join("release").join(target));
        run.args(LIMITS).arg(format!("-artifact_prefix={}/", artifacts.display()));
        let dictionary = self.root.join("dictionaries").join(format!("{target}.dict"));
        if dictionary.is_file() {
            run.arg(format!("-dict={}", dictionary.display()));
        }
        run.args(seconds.map(|seconds| format!("-max_total_time={seconds}"))).args(libfuzzer);
        // A file named after `--` is an input to replay; then the corpus stays out of it.
        if !libfuzzer.iter().any(|argument| Path::new(argument).is_file()) {
            run.arg(&corpus);
        }
        succeed(&mut run)
    }
}

fn host_triple() -> Result<String> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = process::Command::new(rustc).arg("-vV").output().context("rustc -vV")?;
    let text = String::from_utf8(output.stdout).context("rustc -vV")?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc -vV names no host")?.to_owned())
}

fn succeed(command: &mut process::Command) -> Result<()> {
    let program = command.get_program().display().to_string();
    let status = command.status().with_context(|| program.clone())?;
    ensure!(status.success(), "{program}: {status}");
    Ok(())
}
