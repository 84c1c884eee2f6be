//! The page that `report` makes.

#[path = "../../crates/ckpt-report/tests/it/page.rs"]
mod page;

use ckpt_analysis::timeline::timeline;
use ckpt_analysis::triage::{TriageOptions, triage};
use ckpt_analysis::verify::verify;
use ckpt_model::{ChangeFilter, ChangesOptions, FileSources, Need, Pid};
use ckpt_report::html::{About, Limits, Sources, write};
use ckpt_report::json::{self, Examined, FilesOptions};
use ckpt_scan::secrets::Redactor;

use page::{assert_no_control_bytes, parse};

/// Whatever a checkpoint holds is text of the page: there is no tag, attribute or script in it but those of the templates. So
/// it is with secrets redacted and with secrets shown.
pub fn page(tar: &[u8]) {
    let Some(checkpoint) = crate::open(tar, Need::Everything) else { return };
    let options = crate::options();
    let looking = TriageOptions::default().archive(options.clone());
    let found = triage(&checkpoint, &looking).expect("there is no base");
    let changed = ChangesOptions::default().archive(options.clone());
    let changes = checkpoint.changes(&changed).expect("there is no base");
    let times = timeline(&checkpoint, &options);
    let artifacts = checkpoint.artifacts(&options);
    let verification = verify(&checkpoint, &options);
    let secrets = Redactor::of(&checkpoint.processes().tasks);
    let (files, limits) = (FileSources::default(), Limits::default());
    let tasks = checkpoint.processes().tasks.iter().take(limits.mapped);
    let pids: Vec<Pid> = tasks.map(|task| task.pid).collect();
    let sockets = FilesOptions { sockets: true, ..FilesOptions::default() };
    for reveal in [false, true] {
        let unhashed =
            |artifact| Examined { artifact, sha256: Err("not hashed".to_owned()), file: None };
        let sources = Sources {
            info: json::info(&checkpoint),
            triage: json::triage(&checkpoint, &found),
            tree: json::tree(&checkpoint, &[]),
            files: json::files(&checkpoint, &sockets),
            maps: json::maps(&checkpoint, &pids, &files, |_, _| true, false),
            diff: Some(json::diff(&checkpoint, &changes, &ChangeFilter::default())),
            timeline: &times,
            secrets: &secrets,
            extract: json::extract(&checkpoint, artifacts.list.iter().map(unhashed), "tool"),
            verify: json::verify(&checkpoint, &verification),
            about: About { reveal, ..About::default() },
        };
        let mut out = Vec::new();
        write(&mut out, &sources, &limits).expect("a Vec takes all");
        let page = String::from_utf8(out).expect("UTF-8");
        parse(&page);
        assert_no_control_bytes(&page);
    }
}
