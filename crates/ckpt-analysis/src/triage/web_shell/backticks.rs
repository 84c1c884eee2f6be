//! What stands between backticks: a command in PHP, Perl, Ruby and shells.
//!
//! A backtick in a string of PHP is one of MySQL's, and an apostrophe in the HTML around it opens no string: what is read
//! is the text as it stands, with its strings and comments.

use memchr::memmem;

use super::languages::Language;

/// Most commands of a page that are judged.
const MOST: usize = 500;

/// The commands of a page, as they stand.
pub(super) fn commands<'a>(language: &Language, text: &'a [u8]) -> Vec<&'a [u8]> {
    if !language.backticks || memchr::memchr(b'`', text).is_none() {
        return Vec::new();
    }
    if language.sigil.is_some() { of_php(text) } else { of_lines(text) }
}

/// Of a script: pairs in one line, but in strings that are taken as they are.
fn of_lines(text: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    for line in text.split(|byte| *byte == b'\n').filter(|line| line.contains(&b'`')) {
        let line = line.trim_ascii();
        if line.starts_with(b"#") {
            continue;
        }
        // Before, between, after: the second, fourth and so on are commands.
        let parts: Vec<&[u8]> = line.split(|byte| *byte == b'`').collect();
        let closed = parts.len().saturating_sub(1);
        found.extend(parts.iter().take(closed).skip(1).step_by(2));
        if found.len() >= MOST {
            found.truncate(MOST);
            break;
        }
    }
    found
}

/// Of the code between `<?` and `?>`.
fn of_php(text: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    let mut at = 0_usize;
    let after = |at: usize, sign: &[u8]| {
        let rest = text.get(at..).unwrap_or_default();
        memmem::find(rest, sign)
            .map_or(text.len(), |end| at.saturating_add(end).saturating_add(sign.len()))
    };
    let mut code = false;
    while at < text.len() && found.len() < MOST {
        let rest = text.get(at..).unwrap_or_default();
        if !code {
            at = after(at, b"<?");
            code = true;
            continue;
        }
        let next = at.saturating_add(1);
        at = match rest {
            [b'?', b'>', ..] => {
                code = false;
                next.saturating_add(1)
            }
            [b'/', b'*', ..] => after(at.saturating_add(2), b"*/"),
            [b'/', b'/', ..] | [b'#', ..] => next.saturating_add(comment(rest)),
            [mark @ (b'\'' | b'"' | b'`'), inner @ ..] => {
                let len = string(inner, *mark);
                if *mark == b'`' {
                    found.extend(inner.get(..len));
                }
                next.saturating_add(len).saturating_add(1)
            }
            [b'<', b'<', b'<', here @ ..] => {
                next.saturating_add(2).saturating_add(here_document(here))
            }
            _ => next,
        };
    }
    found
}

/// Bytes of a comment: to the end of the line or of the code.
fn comment(text: &[u8]) -> usize {
    let line = memchr::memchr(b'\n', text).unwrap_or(text.len());
    let line = text.get(..line).unwrap_or(text);
    memmem::find(line, b"?>").unwrap_or(line.len()).saturating_sub(1)
}

/// Bytes to the mark that ends a string.
fn string(text: &[u8], mark: u8) -> usize {
    let mut escaped = false;
    let end = text.iter().position(|byte| {
        let ends = *byte == mark && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    });
    end.unwrap_or(text.len())
}

/// Bytes of `<<<WORD` to the line of that word.
fn here_document(text: &[u8]) -> usize {
    let word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let Some(from) = text.iter().take(8).position(word) else { return 0 };
    let name = text.get(from..).unwrap_or_default();
    let end = name.iter().position(|byte| !word(byte)).unwrap_or(name.len());
    let name = name.get(..end).unwrap_or_default();
    memmem::find(text, &[b"\n", name].concat())
        .map_or(text.len(), |at| at.saturating_add(name.len()).saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::triage::web_shell::languages::{PHP, PYTHON, SCRIPT};

    fn of(language: &Language, text: &str) -> Vec<String> {
        let all = commands(language, text.as_bytes());
        all.into_iter().map(|one| String::from_utf8_lossy(one).into_owned()).collect()
    }

    #[test]
    fn commands_and_names() {
        assert_eq!(of(&PHP, "<p>don't</p><?php echo `ls $x`; ?> `no`"), ["ls $x"]);
        assert!(of(&PHP, "<?php $q = \"UPDATE `u` SET a='\" . $a . \"' WHERE `b`=1\";").is_empty());
        assert!(of(&PHP, "<?php // it's `x`\n/* `y` */ # `z`\n echo 'a\\'`b`';").is_empty());
        assert!(of(&PHP, "<?php $a = <<<SQL\nSELECT `a` it's\nSQL;\n").is_empty());
        assert_eq!(of(&PHP, "<?php // `x` ?><?= `id` ?>"), ["id"]);
        assert_eq!(of(&SCRIPT, "a=`one`; b=`two`\n# `three`\n"), ["one", "two"]);
        assert!(of(&SCRIPT, "it is a ` alone\n").is_empty());
        assert!(of(&PYTHON, "\"\"\"`request.args` is\"\"\"").is_empty());
    }

    #[test]
    fn hostile_texts_end() {
        for text in ["<?`", "<?'", "<?/*", "<?<<<", "<?<<<A\nA<<<A", "`", "<?//", "<?#?><?#"] {
            of(&PHP, text);
            of(&PHP, &text.repeat(20_000));
        }
    }
}
