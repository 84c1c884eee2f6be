//! `docs/findings.md` and the rules say the same.

use std::collections::BTreeSet;

use ckpt_analysis::triage::rules;

/// The parts that every section has.
const PARTS: [&str; 4] =
    ["**What it means.**", "**How it can be wrong.**", "**How to check.**", "**ATT&CK.**"];

fn document() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/findings.md");
    std::fs::read_to_string(path).expect("the document")
}

/// Sections by id.
fn sections(text: &str) -> Vec<(&str, &str)> {
    let parts = text.split("\n## ").skip(1);
    let named = parts.filter_map(|part| part.split_once('\n'));
    named.filter(|(name, _)| is_kebab(name)).collect()
}

fn is_kebab(name: &str) -> bool {
    let words = name.split('-');
    let sound = |word: &str| {
        !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    };
    name.contains('-') && words.into_iter().all(sound)
}

/// `T1070` or `T1070.004`.
fn is_technique(id: &str) -> bool {
    let digits = |text: &str, len| text.len() == len && text.chars().all(|c| c.is_ascii_digit());
    let Some(rest) = id.strip_prefix('T') else { return false };
    match rest.split_once('.') {
        Some((number, sub)) => digits(number, 4) && digits(sub, 3),
        None => digits(rest, 4),
    }
}

#[test]
fn ids_are_unique_words() {
    let rules = rules();
    let ids: BTreeSet<&str> = rules.iter().map(|rule| rule.id).collect();
    assert_eq!(ids.len(), rules.len(), "an id is there twice");
    for rule in rules {
        assert!(
            is_kebab(rule.id) || rule.id.chars().all(|c| c.is_ascii_lowercase()),
            "{}",
            rule.id
        );
        assert!(rule.attack.iter().all(|id| is_technique(id)), "{}: {:?}", rule.id, rule.attack);
        for text in [rule.title, rule.why, rule.wrong, rule.check] {
            assert!(!text.is_empty(), "{}: {text}", rule.id);
        }
        assert!(
            rule.check.contains("ckpt-inspect ") && rule.check.contains("EVIDENCE"),
            "{}",
            rule.id
        );
    }
}

#[test]
fn every_section_has_its_rule_and_its_parts() {
    let text = document();
    let rules = rules();
    for (id, section) in sections(&text) {
        let rule = rules.iter().find(|rule| rule.id == id);
        let rule = rule.unwrap_or_else(|| panic!("no rule is called {id}"));
        for part in PARTS {
            assert!(section.contains(part), "{id} lacks {part}");
        }
        let attack = section.split("**ATT&CK.**").nth(1).unwrap_or_default();
        for technique in rule.attack {
            assert!(attack.contains(technique), "{id} does not name {technique}");
        }
        assert!(text.contains(&format!("(#{id})")), "{id} is not in the table");
    }
}

#[test]
fn every_rule_has_its_section() {
    let text = document();
    let sections: BTreeSet<&str> = sections(&text).into_iter().map(|(id, _)| id).collect();
    let missing: Vec<_> =
        rules().iter().map(|rule| rule.id).filter(|id| !sections.contains(id)).collect();
    assert!(missing.is_empty(), "no section for {missing:?}");
}
