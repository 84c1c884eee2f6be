//! The report in a browser: nothing in it runs but its own script, nothing is asked for, and all of it can be used.
//!
//! Pictures of what was tested are left in `target/screenshots`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test ends where it meets what it does not expect"
)]

mod driver;
mod hostile;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use driver::Browser;

/// Writes the report on some evidence.
fn report(evidence: &Path, page: &Path) {
    let ran = Command::new(env!("CARGO_BIN_EXE_ckpt-inspect"))
        .arg("report")
        .arg(evidence)
        .arg("-o")
        .arg(page)
        .args(["--case", "<b>1</b>", "--note", "see </p> & \"this\""])
        .env("SOURCE_DATE_EPOCH", "1795400000")
        .output()
        .expect("the program runs");
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(matches!(ran.status.code(), Some(0 | 3)), "{said}");
}

/// Where pictures go.
fn pictures() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/screenshots");
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

fn world() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let (evidence, page) = (folder.path().join("cp.tar"), folder.path().join("report.html"));
    std::fs::write(&evidence, hostile::checkpoint().tar()).expect("written");
    report(&evidence, &page);
    (folder, page)
}

/// Nothing but the page itself was asked for, and nobody complained.
fn assert_quiet(browser: &Browser) {
    for url in browser.requests() {
        assert!(url.starts_with("file:///") || url.starts_with("data:"), "asked for {url}");
    }
    assert_eq!(browser.complaints(), Vec::<serde_json::Value>::new());
    assert_eq!(browser.dialog(), None);
}

#[test]
fn hostile_names_stay_text() {
    let Some(browser) = Browser::start("hostile_names_stay_text") else { return };
    let (_folder, page) = world();
    browser.resize(1400, 900, false);
    browser.open(&page);
    assert_eq!(browser.run("return window.owned === undefined"), true);
    let elements = "return ['script','style','img','iframe','svg[onload]','marquee','base','object','embed','form','b','i']\
        .map((name) => document.querySelectorAll(name).length)";
    assert_eq!(browser.run(elements), json!([1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
    let handlers = "return [...document.querySelectorAll('*')].flatMap((one) => [...one.attributes])\
        .filter((one) => one.name.startsWith('on') || /^\\s*javascript:/i.test(one.value) && one.name === 'href').length";
    assert_eq!(browser.run(handlers), 0);
    let away = "return [...document.links].map((link) => link.getAttribute('href')).filter((to) => !to.startsWith('#'))";
    assert_eq!(browser.run(away), json!([]));
    // The names are there, as they are.
    let text = browser.run("return document.body.textContent");
    let text = text.as_str().expect("text");
    for name in hostile::NAMES.iter().filter(|name| !name.contains('\u{202e}')) {
        assert!(text.contains(name), "no {name}");
    }
    assert!(text.contains("\\u{202e}lmth.exe") && !text.contains('\u{202e}'));
    assert!(!text.contains(hostile::SECRET) && text.contains("[redacted: 16 bytes, sha256 "));
    assert_eq!(
        browser.run("return document.title"),
        format!("{} – checkpoint report", hostile::SCRIPT)
    );
    // A script that is put into the page is stopped by its policy; what that complains about is expected.
    assert_quiet(&browser);
    browser.run("const made = document.createElement('script'); made.textContent = 'window.owned = 1'; document.body.append(made)");
    browser.run("const made = document.createElement('img'); made.src = 'http://127.0.0.1:9/x'; document.body.append(made)");
    assert_eq!(browser.run("return window.owned === undefined"), true);
    let complaints = browser.complaints();
    assert!(
        complaints.iter().all(|one| one["message"]
            .as_str()
            .is_some_and(|m| m.contains("Content Security Policy")))
    );
    assert!(complaints.len() >= 2, "{complaints:?}");
    browser.open(&page);
    browser.complaints();
    browser.screenshot(&pictures().join("hostile-desktop.png"), 6000.0);
}

#[test]
fn it_folds_filters_and_zooms() {
    let Some(browser) = Browser::start("it_folds_filters_and_zooms") else { return };
    let (_folder, page) = world();
    browser.resize(1400, 900, false);
    browser.open(&page);
    let is_open =
        |selector: &str| browser.run(&format!("return document.querySelector('{selector}').open"));

    assert_eq!(is_open("#p1"), false);
    browser.click("#p1 > summary");
    assert_eq!(is_open("#p1"), true);
    browser.click("#p1 > summary");
    assert_eq!(is_open("#p1"), false);
    // Processes deeper than can be drawn are in the tree all the same.
    assert_eq!(browser.run("return document.querySelectorAll('#processes .process').length"), 40);
    let deep = "return document.querySelector('#p39 summary').textContent.includes('level 38')";
    assert_eq!(browser.run(deep), true);
    browser.click("#processes .folds button");
    assert_eq!(
        browser.run("return document.querySelectorAll('#processes details:not([open])').length"),
        0
    );
    browser.click("#processes .folds button + button");
    assert_eq!(
        browser.run("return document.querySelectorAll('#processes .process[open]').length"),
        0
    );
    // A link to a process opens it.
    browser.click("#sockets td a.pid");
    let opened = "return document.querySelector(location.hash || '#none')?.open";
    assert_eq!(browser.run_until(opened, &true.into()), true);

    let rows = "return [...document.querySelectorAll('#changes table tbody')][0]\
        .querySelectorAll('tr:not([hidden])').length";
    let all = browser.run(rows);
    browser.type_into("#changes input", "iframe");
    assert_eq!(browser.run(rows), 1);
    assert_eq!(
        browser.run("return document.querySelector('#changes output').textContent"),
        format!("1 of {all}")
    );
    browser.type_into("#processes input", "level-39");
    let shown = "return document.querySelectorAll('#processes .tree li:not([hidden])').length";
    assert_eq!(browser.run(shown), 21, "it and the levels above it");

    let window = "return document.querySelector('#timeline output').textContent";
    let visible = "return document.querySelectorAll('.mark[visibility=visible]').length";
    let (before, marks) = (browser.run(window), browser.run(visible));
    browser.click("#timeline [aria-label='Zoom in']");
    assert_ne!(browser.run(window), before);
    browser.click("#timeline [aria-label='Zoom in']");
    browser.click("#timeline [aria-label='Later']");
    assert!(browser.run(visible).as_u64() < marks.as_u64());
    browser.click("#timeline [aria-label='All events']");
    let every = browser.run("return document.querySelectorAll('.mark').length");
    assert_eq!(browser.run(visible), every);
    browser.click("#timeline [aria-label='The life of the container']");
    assert_eq!((browser.run(window), browser.run(visible)), (before, marks.clone()));
    // With the keyboard too.
    browser.run("document.querySelector('#timeline .picture').focus()");
    browser.type_into("#timeline .picture", "+");
    assert!(browser.run(visible).as_u64() <= marks.as_u64());
    assert_quiet(&browser);
}

#[test]
fn on_paper_in_the_dark_and_on_a_telephone() {
    let test = "on_paper_in_the_dark_and_on_a_telephone";
    let Some(browser) = Browser::start(test) else { return };
    let (folder, page) = world();
    let mut pages = vec![("hostile".to_owned(), page)];
    if let Some(archives) = std::env::var_os("CKPT_ARCHIVES") {
        for case in ["02-shop-web", "05-postgres", "11-node"] {
            let page = folder.path().join(format!("{case}.html"));
            let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(&archives);
            report(&root.join(case).join("checkpoint.tar.zst"), &page);
            pages.push((case.to_owned(), page));
        }
    }
    let pictures = pictures();
    let background = "return getComputedStyle(document.body).backgroundColor";
    let width = "return document.documentElement.scrollWidth";
    for (name, page) in &pages {
        browser.resize(1400, 900, false);
        browser.open(page);
        assert_eq!(browser.run(background), "rgb(255, 255, 255)");
        browser.screenshot(&pictures.join(format!("{name}-desktop.png")), 6000.0);
        let printed = browser.print();
        assert!(printed.starts_with(b"%PDF-"), "{name}");
        std::fs::write(pictures.join(format!("{name}-print.pdf")), printed).expect("written");
        browser.dark(true);
        assert_ne!(browser.run(background), "rgb(255, 255, 255)");
        browser.screenshot(&pictures.join(format!("{name}-dark.png")), 6000.0);
        browser.dark(false);
        browser.resize(360, 740, true);
        browser.open(page);
        assert_eq!(browser.run(width), 360, "{name} is wider than a telephone");
        browser
            .run("document.querySelectorAll('details').forEach((fold) => { fold.open = true; })");
        assert_eq!(browser.run(width), 360, "{name} is wider than a telephone when it is unfolded");
        browser.open(page);
        browser.screenshot(&pictures.join(format!("{name}-phone.png")), 6000.0);
        assert_quiet(&browser);
    }
}

#[test]
fn without_its_script_it_is_whole() {
    let Some(browser) = Browser::start("without_its_script_it_is_whole") else { return };
    let (_folder, page) = world();
    browser.resize(1400, 900, false);
    browser.scripts(false);
    browser.open(&page);
    browser.scripts(true);
    assert_eq!(browser.run("return document.querySelectorAll('.tools').length"), 0);
    browser.click("#p1 > summary");
    assert_eq!(browser.run("return document.querySelector('#p1').open"), true);
    let marks =
        browser.run("return document.querySelectorAll('.mark:not([visibility=hidden])').length");
    assert!(marks.as_u64().is_some_and(|marks| marks > 5), "{marks}");
    assert_quiet(&browser);
}
