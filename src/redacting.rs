//! What findings and checks say, without secrets.

use ckpt::analysis::triage::Finding;
use ckpt::analysis::verify::Check;
use ckpt::model::Checkpoint;
use ckpt::scan::secrets::Redactor;

/// Redacts what findings say: their titles and evidence. Paths, addresses and members stay.
pub(crate) fn findings(checkpoint: &Checkpoint, findings: &mut [Finding]) {
    let redactor = Redactor::of(&checkpoint.processes().tasks);
    for finding in findings {
        redact(&redactor, &mut finding.title);
        for seen in &mut finding.evidence {
            redact(&redactor, &mut seen.what);
        }
    }
}

/// Redacts what checks say: what was expected and found, and what contradicts what.
pub(crate) fn checks(checkpoint: &Checkpoint, checks: &mut [Check]) {
    let redactor = Redactor::of(&checkpoint.processes().tasks);
    for check in checks {
        let texts = [&mut check.expected, &mut check.found, &mut check.why].into_iter().flatten();
        for text in texts.chain(check.troubles.iter_mut().map(|trouble| &mut trouble.what)) {
            redact(&redactor, text);
        }
    }
}

fn redact(redactor: &Redactor, text: &mut String) {
    if let std::borrow::Cow::Owned(redacted) = redactor.text(text) {
        *text = redacted;
    }
}
