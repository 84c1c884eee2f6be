//! A checkpoint whose every name wants to be more than text.

use ckpt_synth::{Archive, Container, Dump, File, Member, Task, Vma};

/// What would set `window.owned`, if it ever ran.
pub(crate) const SCRIPT: &str = "<script>window.owned=1</script>";

/// A secret that must not be in the page.
pub(crate) const SECRET: &str = "hunter2-and-more";

/// Names that break out of text, attributes, scripts, comments and URLs where they are not escaped.
pub(crate) const NAMES: [&str; 9] = [
    SCRIPT,
    "\"><img src=x onerror=window.owned=1>",
    "' onload='window.owned=1",
    "</title></style></script><svg onload=window.owned=1>",
    "javascript:window.owned=1",
    "--><iframe src=//owned.invalid></iframe>",
    "{{ 7 * 7 }}{% raw %}",
    "\u{202e}lmth.exe",
    "&lt;b&gt;&#60;b&#62;",
];

/// The archive.
pub(crate) fn checkpoint() -> Archive {
    let mut dump = Dump::new();
    let mut container = Container::new(SCRIPT).image(NAMES[1]).command(&NAMES);
    container = container.hostname(NAMES[2]).env(&["API_TOKEN=hunter2-and-more"]);
    dump.container(container);
    let mut first = Task::new(1, 0)
        .comm("<script>x()")
        .argv(&[&NAMES[..], &["--password", SECRET, "postgres://a:hunter2-and-more@db/x"]].concat())
        .env(&["<b>=<i>", "DB_PASSWORD=hunter2-and-more", "U=\"onload=\"", "=", "\u{1b}[31m=\0"])
        .exe(NAMES[3])
        .cwd("/<marquee>");
    for (fd, name) in (3..).zip(NAMES) {
        first = first.fd(fd, File::path(format!("/tmp/{name}")));
    }
    first = first
        .fd(20, File::unix_listen(71, "/run/<script>window.owned=1</script>"))
        .fd(21, File::tcp_listen(72, ([0, 0, 0, 0], 8080)))
        .fd(22, File::tcp(73, ([10, 0, 0, 1], 80), ([203, 0, 113, 9], 4444), &b"abc"[..], &b""[..]))
        .fd(23, File::unix_pair(74, 75, vec![b"waiting".to_vec()]))
        .fd(24, File::deleted("/tmp/<b>gone", b"content"))
        .map(Vma::file(0x7000_0000_0000, 0x4000, NAMES[1], 0).prot(7));
    dump.task(first);
    dump.task(Task::new(2, 1).comm(&b"a\xff\x00\x1b"[..]).fd(3, File::unix_pair(75, 74, vec![])));
    for pid in 3..40 {
        dump.task(Task::new(pid, pid - 1).comm(format!("level-{pid}")).argv(&["x", "y"]));
    }
    dump.zombie(41, 1, 9, "<i>dead");
    let mut diff = Archive::new();
    for (number, name) in (0..).zip(NAMES) {
        let path = format!("tmp/{number}/{}", name.replace('/', "|"));
        diff.push(Member::file(path, b"x").mode(0o4755).mtime(1_795_398_000 + number));
    }
    diff.symlink("link", NAMES[3]);
    let mut log = Vec::new();
    for (second, name) in (10..).zip(NAMES) {
        log.extend(
            format!("2026-11-23T01:42:{second}.5Z stdout F {name} password={SECRET}\n").bytes(),
        );
    }
    let mut archive = Archive::podman(&dump);
    archive.replace("rootfs-diff.tar", diff.tar()).replace("ctr.log", log);
    archive.member("<img src=x onerror=window.owned=1>", b"unknown");
    archive
}
