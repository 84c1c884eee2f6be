//! What findings and checks say, without secrets.

use std::borrow::Cow;

use ckpt_scan::secrets::Redactor;

use crate::triage::Finding;
use crate::verify::Check;

/// Redacts what findings say: their titles and evidence. Paths, addresses and members stay.
pub(crate) fn findings(redactor: &Redactor, findings: &mut [Finding]) {
    for finding in findings {
        redact(redactor, &mut finding.title);
        for seen in &mut finding.evidence {
            redact(redactor, &mut seen.what);
        }
    }
}

/// Redacts what checks say: what was expected and found, and what contradicts what.
pub(crate) fn checks(redactor: &Redactor, checks: &mut [Check]) {
    for check in checks {
        let texts = [&mut check.expected, &mut check.found, &mut check.why].into_iter().flatten();
        for text in texts.chain(check.troubles.iter_mut().map(|trouble| &mut trouble.what)) {
            redact(redactor, text);
        }
    }
}

fn redact(redactor: &Redactor, text: &mut String) {
    if let Cow::Owned(redacted) = redactor.text(text) {
        *text = redacted;
    }
}
