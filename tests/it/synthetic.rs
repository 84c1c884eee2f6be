//! What the program prints of checkpoints built for one purpose each.

use ckpt_synth::{Archive, stories};

use crate::world::run_in;

fn print(archive: &Archive, args: &[&str]) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("checkpoint.tar"), archive.tar()).expect("written");
    let mut all = vec![args[0], "checkpoint.tar"];
    all.extend(&args[1..]);
    run_in(folder.path(), &all).transcript()
}

#[test]
fn trees() {
    let stories = [
        ("zombies", Archive::podman(&stories::zombies())),
        ("orphan", Archive::podman(&stories::orphan())),
        ("two-roots", Archive::podman(&stories::two_roots())),
        ("ppid-loop", Archive::podman(&stories::ppid_loop())),
        ("duplicate-pid", Archive::podman(&stories::duplicate_pid())),
        ("titles", Archive::podman(&stories::titles())),
        ("sharing", Archive::podman(&stories::sharing())),
        ("kworker", Archive::podman(&stories::kworker())),
        ("control-bytes", Archive::podman(&stories::control_bytes())),
        ("broken-environ", Archive::podman(&stories::broken_environ())),
        ("unseen-process", stories::unseen_process()),
        ("stale-images", stories::stale_images()),
        ("aborted", Archive::bare(&stories::aborted(), "image/")),
    ];
    for (name, archive) in stories {
        insta::assert_snapshot!(format!("tree-{name}"), print(&archive, &["tree"]));
    }
    let all = ["tree", "--env", "--threads", "--creds", "--ns"];
    insta::assert_snapshot!(
        "tree-credentials-all",
        print(&Archive::podman(&stories::credentials()), &all)
    );
    insta::assert_snapshot!(
        "tree-control-bytes-json",
        print(&Archive::podman(&stories::control_bytes()), &["tree", "--format", "json"])
    );
}

#[test]
fn several_containers() {
    insta::assert_snapshot!("pod-ambiguous", print(&stories::pod_archive(), &["tree"]));
}
