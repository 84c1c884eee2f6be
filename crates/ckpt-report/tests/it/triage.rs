//! Findings for people: they fit the width, in colour and without.

use ckpt_analysis::triage::{TriageOptions, rules, triage};
use ckpt_archive::{Evidence, Options};
use ckpt_model::Checkpoint;
use ckpt_report::human::{self, Layout};
use ckpt_synth::{Archive, stories};

fn shown(archive: &Archive, layout: Layout) -> String {
    let evidence = Evidence::from_bytes("synthetic", archive.tar().into(), &Options::default());
    let checkpoint = Checkpoint::options().open_evidence(evidence.expect("evidence"));
    let checkpoint = checkpoint.expect("a checkpoint");
    let found = triage(&checkpoint, &TriageOptions::default()).expect("there is no base");
    let mut out = Vec::new();
    human::triage(&mut out, &checkpoint, &found, true, &layout).expect("a Vec takes all");
    human::rules(&mut out, &rules(), true, &layout).expect("a Vec takes all");
    String::from_utf8(out).expect("UTF-8")
}

#[test]
fn it_fits_the_width() {
    for dump in [stories::kworker(), stories::deleted_exe(), stories::control_bytes()] {
        let archive = Archive::podman(&dump);
        for width in [50, 80, 120] {
            let text = shown(&archive, Layout { width: Some(width), color: false });
            let long = text.lines().find(|line| line.chars().count() > width);
            assert_eq!(long, None, "{width} columns");
        }
        let plain = shown(&archive, Layout::default());
        assert!(!plain.contains('\u{1b}'));
        let colored = shown(&archive, Layout { width: None, color: true });
        assert_eq!(strip(&colored), plain);
    }
}

/// A text without the codes that set colours.
fn strip(text: &str) -> String {
    let mut parts = text.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or("", |(_, rest)| rest))
}
