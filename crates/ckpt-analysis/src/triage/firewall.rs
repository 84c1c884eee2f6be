//! Firewalls in the container's network namespaces that redirect or drop packets.

use ckpt_model::{Firewall, Network};
use criu_image::ImageKind;

use super::finding::{Confidence, Finding, Rule, Seen, Severity};
use super::group::bounded;
use super::quote::quote;
use super::subject::Subject;

const FIREWALL_RULES: Rule = Rule {
    id: "firewall-rules",
    title: "Packets are redirected or dropped",
    why: "Rules in the container's own network namespace can send its traffic elsewhere, or keep somebody out.",
    wrong: "Service meshes redirect everything by such rules; `docker` inside of containers and VPNs make their own. CRIU's own lock is left out.",
    check: "ckpt-inspect files --net EVIDENCE",
    attack: &["T1562.004"],
};

pub(super) const RULES: &[&Rule] = &[&FIREWALL_RULES];

/// Most bytes of the rules of one firewall that are read.
const MOST: usize = 1 << 20;

/// What rules do, in the languages of iptables-save and nft.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Does {
    Drops,
    Redirects,
}

pub(super) fn look(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let networks = subject.checkpoint.networks().iter();
    findings.extend(networks.filter_map(|network| judge(subject, network)));
}

fn judge(subject: &Subject<'_>, network: &Network) -> Option<Finding> {
    let mut worst: Option<Does> = None;
    let mut seen = Vec::new();
    for firewall in &network.firewalls {
        for (does, line) in rules(firewall) {
            worst = worst.max(Some(does));
            let kind = match firewall.program {
                "iptables" => ImageKind::Iptables,
                "ip6tables" => ImageKind::Ip6tables,
                _ => ImageKind::Nftables,
            };
            let what = format!("{}: {}", firewall.program, quote(line));
            seen.push(Seen::new(what).member(subject.image(kind, u64::from(network.ns))));
        }
    }
    let (severity, what) = match worst? {
        Does::Redirects => (Severity::Low, "packets are redirected"),
        Does::Drops => (Severity::Info, "packets are dropped"),
    };
    let number = seen.len();
    let title = format!("{what}: {number} rules");
    let mut finding = Finding::new(&FIREWALL_RULES, severity, Confidence::High, title);
    finding.evidence = bounded(seen);
    Some(finding)
}

/// The rules that redirect or drop; those of CRIU's own lock are left out.
fn rules(firewall: &Firewall) -> Vec<(Does, &[u8])> {
    let text = firewall.text.as_bytes();
    let text = text.get(..text.len().min(MOST)).unwrap_or(text);
    let mut own = false;
    let mut found = Vec::new();
    for line in text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii) {
        let has = |word: &[u8]| line.windows(word.len()).any(|window| window == word);
        // A table of nft that CRIU made, to its end.
        if line.starts_with(b"table ") || line.starts_with(b"chain ") {
            own = has(b"CRIU");
        }
        if own || has(b"CRIU") || has(b"0xc114") || has(b"policy ") || line.starts_with(b":") {
            continue;
        }
        let nft = !line.starts_with(b"-");
        let redirects: [&[u8]; 4] = [b"-j REDIRECT", b"-j DNAT", b"-j TPROXY", b"-j MARK"];
        let drops: [&[u8]; 2] = [b"-j DROP", b"-j REJECT"];
        let word = |wanted: &[u8]| line.split(|b| *b == b' ').any(|word| word == wanted);
        if redirects.iter().any(|rule| has(rule))
            || (nft && (word(b"dnat") || word(b"redirect") || word(b"tproxy")))
        {
            found.push((Does::Redirects, line));
        } else if drops.iter().any(|rule| has(rule)) || (nft && (word(b"drop") || word(b"reject")))
        {
            found.push((Does::Drops, line));
        }
    }
    found
}
