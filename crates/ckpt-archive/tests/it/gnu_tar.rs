//! Archives that GNU tar writes, in all its formats. Skipped where it is not installed.

use std::fs::File;
use std::os::unix::fs::{FileExt, symlink};
use std::path::Path;
use std::process::Command;

use ckpt_archive::{Evidence, MemberKind, Options};

use crate::writer::{codes, noise};

fn tar(dir: &Path, arguments: &[&str]) -> Option<Vec<u8>> {
    let output = Command::new("tar").current_dir(dir).args(arguments).arg("-cf-").arg(".").output();
    let output = output.ok().filter(|output| output.status.success());
    if output.is_none() {
        eprintln!("skipped: tar {arguments:?} does not run here");
    }
    output.map(|output| output.stdout)
}

#[test]
fn all_formats_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let long = format!("{}/{}", "d".repeat(90), "n".repeat(120));
    std::fs::create_dir(dir.path().join("d".repeat(90))).unwrap();
    std::fs::write(dir.path().join(&long), noise(5000, 1)).unwrap();
    std::fs::hard_link(dir.path().join(&long), dir.path().join("hard")).unwrap();
    symlink("t".repeat(150), dir.path().join("sym")).unwrap();
    // Many pieces, beginning with a hole, as in a pages file into which holes were punched.
    let sparse = File::create(dir.path().join("sparse")).unwrap();
    let mut expected = vec![0; 3 << 20];
    for index in 1..40_usize {
        let at = index * 65536;
        sparse.write_all_at(&noise(4096, index as u64), at as u64).unwrap();
        expected[at..at + 4096].copy_from_slice(&noise(4096, index as u64));
    }
    sparse.set_len(3 << 20).unwrap();
    drop(sparse);
    for arguments in [
        &["--format=gnu", "-S"][..],
        &["--format=posix", "-S", "--sparse-version=0.0"],
        &["--format=posix", "-S", "--sparse-version=0.1"],
        &["--format=posix", "-S", "--sparse-version=1.0"],
        &["--format=oldgnu", "-S"],
        &["--format=gnu"],
        &["--format=posix"],
    ] {
        let Some(bytes) = tar(dir.path(), arguments) else { continue };
        let evidence = Evidence::from_bytes("gnu", bytes.into(), &Options::default()).unwrap();
        assert_eq!(codes(&evidence), [""; 0], "{arguments:?}");
        let member = evidence.get(b"sparse").unwrap();
        let content = evidence.content(member).unwrap();
        assert_eq!(content.bytes().unwrap(), expected, "{arguments:?}");
        assert_eq!(member.is_sparse(), arguments.contains(&"-S"), "{arguments:?}");
        for name in [long.as_bytes(), b"hard"] {
            let member = evidence.get(name).unwrap();
            assert_eq!(evidence.content(member).unwrap().bytes().unwrap(), noise(5000, 1));
        }
        let sym = evidence.get(b"sym").unwrap();
        assert_eq!(
            (sym.kind, sym.link_target.clone()),
            (MemberKind::Symlink, Some(vec![b't'; 150]))
        );
        // Times with fractions only where the format has them.
        let fraction = evidence.members().iter().any(|member| member.mtime.nanos != 0);
        assert_eq!(fraction, arguments[0] == "--format=posix", "{arguments:?}");
    }
}
