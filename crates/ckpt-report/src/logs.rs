//! Members that are logs, by name.

use ckpt_model::{Account, Accounting};

/// What engines and CRIU call their logs.
const LOGS: [&[u8]; 7] = [
    b"ctr.log",
    b"container.log",
    b"io.kubernetes.cri-o.LogPath",
    b"dump.log",
    b"criu.log",
    b"criu-dump.log",
    b"restore.log",
];

/// The logs, in the order of the evidence.
pub(crate) fn logs(accounting: &Accounting) -> impl Iterator<Item = &Account> {
    accounting.members.iter().filter(|account| is_log(account.path.as_bytes()))
}

fn is_log(path: &[u8]) -> bool {
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    LOGS.contains(&name) || name.ends_with(b"-json.log")
}

#[cfg(test)]
mod tests {
    use super::is_log;

    #[test]
    fn logs_are_known_by_name() {
        assert!(
            is_log(b"ctr.log") && is_log(b"a/b/0123-json.log") && is_log(b"checkpoint/dump.log")
        );
        assert!(!is_log(b"ctr.log/x") && !is_log(b"log"));
    }
}
