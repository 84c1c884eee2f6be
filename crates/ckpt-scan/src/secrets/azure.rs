//! Azure: keys of storage accounts and service buses, client secrets.

use data_encoding::BASE64;

use super::rule::{Confidence, Rule};
use super::value::{alnum, base64, looks_random};
use super::view::{Find, View};

/// `AccountKey=` of a connection string: 64 bytes in base 64.
pub(super) fn storage_key(view: &View<'_>, finds: &mut Vec<Find>) {
    key(view, "AccountKey=".len(), 64, Rule::AzureStorageKey, "AccountName=", finds);
}

/// `SharedAccessKey=` of a connection string: 32 bytes in base 64.
pub(super) fn shared_key(view: &View<'_>, finds: &mut Vec<Find>) {
    key(view, "SharedAccessKey=".len(), 32, Rule::AzureSharedKey, "SharedAccessKeyName=", finds);
}

/// Bytes before a key in which the name that belongs to it is sought.
const NAME_WITHIN: usize = 200;

/// Key of the storage emulator, which everybody has.
const EMULATOR: &[u8] =
    b"Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

fn key(view: &View<'_>, skip: usize, bytes: usize, rule: Rule, name: &str, finds: &mut Vec<Find>) {
    let start = view.at().saturating_add(skip);
    let letters = view.run(start, 129, base64);
    let filled = view.run(letters.end, 3, |byte| byte == b'=');
    let range = letters.start..filled.end;
    let text = view.bytes(range.clone());
    let decoded = if range.len() > 128 { None } else { BASE64.decode(text).ok() };
    let whole = decoded.is_some_and(|decoded| decoded.len() == bytes);
    if !whole || !looks_random(text) || text == EMULATOR {
        return;
    }
    let before = view.before(view.at(), NAME_WITHIN);
    let named =
        memchr::memmem::rfind(before, name.as_bytes()).map(|at| at.saturating_add(name.len()));
    let named = named.and_then(|at| before.get(at..)).map(|rest| {
        rest.iter().take_while(|byte| alnum(**byte) || matches!(**byte, b'-' | b'_')).take(64)
    });
    let name: String = named.into_iter().flatten().map(|byte| char::from(*byte)).collect();
    let find = Find::new(rule, Confidence::High, range);
    finds.push(if name.is_empty() { find } else { find.detail(format!("of {name}")) });
}

/// `…Q~…`, the form that client secrets have since 2021: three letters, a digit, `Q~`, 31 to 34 letters.
pub(super) fn client_secret(view: &View<'_>, finds: &mut Vec<Find>) {
    let letter = |byte: u8| alnum(byte) || matches!(byte, b'_' | b'.' | b'~' | b'-');
    let Some(start) = view.at().checked_sub(4) else { return };
    let head = view.bytes(start..view.at());
    let formed =
        head.iter().all(|byte| letter(*byte)) && head.last().is_some_and(u8::is_ascii_digit);
    if !formed {
        return;
    }
    let tail = view.run(view.at().saturating_add(2), 35, letter);
    let range = start..tail.end;
    if (31..=34).contains(&tail.len())
        && view.stands_alone(&range, letter)
        && looks_random(view.bytes(range.clone()))
    {
        finds.push(Find::new(Rule::AzureClientSecret, Confidence::High, range));
    }
}
