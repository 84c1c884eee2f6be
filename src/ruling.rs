//! YARA rules as the user names them, and holding them against a checkpoint. A build without the feature `yara` knows the
//! arguments and says that it has no YARA.

use std::path::PathBuf;

use anyhow::Result;
use ckpt::model::artifacts::Artifact;
use ckpt::model::{Checkpoint, Pid, Task};
use ckpt::scan::Place;
use ckpt::scan::yara::{Remark, RuleMatch};
use clap::{Args, ValueHint};

use crate::selecting::Selection;

/// Rules, and what they may cost.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Rules")]
pub(crate) struct RuleArgs {
    /// YARA rules: a file, or a directory with *.yar and *.yara below it; repeatable.
    #[arg(long, short = 'r', value_name = "FILE|DIR", value_hint = ValueHint::AnyPath)]
    rules: Vec<PathBuf>,

    /// An external variable of the rules; repeatable.
    #[arg(long, short = 'd', value_name = "NAME=VALUE", requires = "rules")]
    define: Vec<String>,

    /// Stop with a rule after so many seconds in one process or file, and tell so.
    #[arg(long, value_name = "SECONDS", requires = "rules")]
    timeout: Option<u64>,

    /// Matches of one string in one process or file that are looked at.
    #[arg(long, value_name = "N", default_value_t = 10_000, requires = "rules", value_parser = clap::value_parser!(u32).range(1..))]
    max_matches: u32,
}

impl RuleArgs {
    /// Whether there are any.
    pub(crate) fn any(&self) -> bool {
        !self.rules.is_empty()
    }
}

/// What rules are held against.
#[cfg_attr(not(feature = "yara"), expect(dead_code, reason = "nothing is held against it then"))]
pub(crate) struct What<'a> {
    pub(crate) checkpoint: &'a Checkpoint,
    /// The processes whose memory is meant.
    pub(crate) pids: &'a [Pid],
    /// Which of their mappings.
    pub(crate) selection: &'a Selection,
    pub(crate) artifacts: Vec<&'a Artifact>,
}

/// What rules found in the memory of a process, which others may share, or in an artifact.
pub(crate) struct Found<'f> {
    pub(crate) tasks: &'f [&'f Task],
    pub(crate) artifact: Option<&'f Artifact>,
    pub(crate) rules: &'f [RuleMatch],
    pub(crate) remarks: &'f [Remark],
    /// What lies at a position, and whether at more places than these.
    pub(crate) places: &'f dyn Fn(u64) -> (Vec<Place<'f>>, bool),
}

#[cfg(feature = "yara")]
pub(crate) use with::Ruling;
#[cfg(not(feature = "yara"))]
pub(crate) use without::Ruling;

#[cfg(feature = "yara")]
mod with {
    use std::time::Duration;

    use anyhow::anyhow;
    use ckpt::scan::yara::{Definition, Limits, Rules, Targets, scan};

    use super::{Found, Result, RuleArgs, What};
    use crate::output;

    impl RuleArgs {
        /// Compiles the rules; warnings go to standard error.
        pub(crate) fn compile(&self) -> Result<Ruling> {
            let definition = |text: &String| {
                let parsed: Result<Definition, String> = text.parse();
                parsed.map_err(|what| anyhow!("--define {}: {what}", text.escape_default()))
            };
            let definitions: Result<Vec<Definition>> = self.define.iter().map(definition).collect();
            let rules = Rules::compile(&self.rules, &definitions?)?;
            output::warn_lines(rules.warnings().iter().map(|text| escaped(text)));
            Ok(Ruling { rules })
        }
    }

    /// A report of several lines, safe for a terminal.
    fn escaped(text: &str) -> String {
        let lines: Vec<String> = text.split('\n').map(ckpt::report::human::escaped_once).collect();
        lines.join("\n")
    }

    /// Compiled rules.
    pub(crate) struct Ruling {
        rules: Rules,
    }

    impl Ruling {
        /// How many there are.
        pub(crate) fn count(&self) -> usize {
            self.rules.count()
        }

        /// Holds them against memory and artifacts, and hands on what matches, in order.
        pub(crate) fn hold(
            &self,
            args: &RuleArgs,
            what: &What<'_>,
            threads: usize,
            mut deliver: impl FnMut(&Found<'_>) -> Result<()>,
        ) -> Result<()> {
            let mut targets = Targets::new();
            targets.add_memory(what.checkpoint, what.pids, |mapping, task| {
                what.selection.has(mapping, task)
            });
            targets.add_artifacts(what.artifacts.iter().copied());
            let timeout = args.timeout.map(Duration::from_secs);
            let limits =
                Limits { threads, timeout, matches: args.max_matches, ..Limits::default() };
            scan(&targets, &self.rules, &limits, |target, rules, remarks| {
                let places = |position| {
                    let mut places = Vec::new();
                    let more = target.places(position, &mut places);
                    (places, more)
                };
                deliver(&Found {
                    tasks: target.tasks(),
                    artifact: target.artifact(),
                    rules: &rules,
                    remarks: &remarks,
                    places: &places,
                })
            })
        }
    }
}

#[cfg(not(feature = "yara"))]
mod without {
    use anyhow::bail;

    use super::{Found, Result, RuleArgs, What};

    impl RuleArgs {
        /// There is nothing that could compile them.
        pub(crate) fn compile(&self) -> Result<Ruling> {
            bail!("this build has no YARA: it was made without the feature `yara`")
        }
    }

    /// There are none.
    pub(crate) enum Ruling {}

    impl Ruling {
        pub(crate) fn count(&self) -> usize {
            match *self {}
        }

        pub(crate) fn hold(
            &self,
            _: &RuleArgs,
            _: &What<'_>,
            _: usize,
            _: impl FnMut(&Found<'_>) -> Result<()>,
        ) -> Result<()> {
            match *self {}
        }
    }
}
