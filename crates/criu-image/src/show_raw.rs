//! What raw images show: netlink messages as trees, text as text.
//!
//! Sources of the numbers: Linux `include/uapi/linux/{rtnetlink,if_addr,fib_rules}.h`.

use std::net::{Ipv4Addr, Ipv6Addr};

use bytes::Bytes;

use crate::error::ImageError;
use crate::frame::{ByteOrder, Image};
use crate::kind::ImageKind;
use crate::netlink::{NlAttribute, NlRecord, NlRecords};
use crate::show::{FieldLabel, Shown, escape};

/// What a raw image shows.
#[derive(Debug)]
pub enum RawShown {
    /// Netlink messages, and why reading ended early.
    Messages(Vec<MessageShown>, Option<ImageError>),
    /// Text of a tool.
    Text(Bytes),
    /// Bytes that are not shown here: pages, archives, data of plugins.
    Opaque,
}

/// A netlink message.
#[derive(Clone, Debug)]
pub struct MessageShown {
    /// Where it is in the file.
    pub offset: u64,
    /// Name of its type.
    pub name: &'static str,
    /// Its fields and attributes.
    pub message: Shown,
}

/// How an attribute's data is read.
#[derive(Clone, Copy)]
enum Form {
    /// An IPv4 or IPv6 address, by its length.
    Address,
    /// A C string.
    Name,
    /// A 32-bit number.
    Number,
    /// Anything else.
    Bytes,
}

/// A type of message: number, name, fields of its family header in bytes, attributes.
struct MessageType {
    kind: u16,
    name: &'static str,
    header: &'static [(&'static str, usize)],
    attributes: &'static [(u16, &'static str, Form)],
}

const TYPES: [MessageType; 3] = [
    MessageType {
        kind: 20,
        name: "RTM_NEWADDR",
        header: &[("family", 1), ("prefixlen", 1), ("flags", 1), ("scope", 1), ("index", 4)],
        attributes: &[
            (1, "IFA_ADDRESS", Form::Address),
            (2, "IFA_LOCAL", Form::Address),
            (3, "IFA_LABEL", Form::Name),
            (4, "IFA_BROADCAST", Form::Address),
            (5, "IFA_ANYCAST", Form::Address),
            (6, "IFA_CACHEINFO", Form::Bytes),
            (7, "IFA_MULTICAST", Form::Address),
            (8, "IFA_FLAGS", Form::Number),
            (9, "IFA_RT_PRIORITY", Form::Number),
            (11, "IFA_PROTO", Form::Number),
        ],
    },
    MessageType {
        kind: 24,
        name: "RTM_NEWROUTE",
        header: &[
            ("family", 1),
            ("dst_len", 1),
            ("src_len", 1),
            ("tos", 1),
            ("table", 1),
            ("protocol", 1),
            ("scope", 1),
            ("type", 1),
            ("flags", 4),
        ],
        attributes: &[
            (1, "RTA_DST", Form::Address),
            (2, "RTA_SRC", Form::Address),
            (3, "RTA_IIF", Form::Number),
            (4, "RTA_OIF", Form::Number),
            (5, "RTA_GATEWAY", Form::Address),
            (6, "RTA_PRIORITY", Form::Number),
            (7, "RTA_PREFSRC", Form::Address),
            (8, "RTA_METRICS", Form::Bytes),
            (9, "RTA_MULTIPATH", Form::Bytes),
            (12, "RTA_CACHEINFO", Form::Bytes),
            (15, "RTA_TABLE", Form::Number),
            (16, "RTA_MARK", Form::Number),
        ],
    },
    MessageType {
        kind: 32,
        name: "RTM_NEWRULE",
        header: &[
            ("family", 1),
            ("dst_len", 1),
            ("src_len", 1),
            ("tos", 1),
            ("table", 1),
            ("reserved", 2),
            ("action", 1),
            ("flags", 4),
        ],
        attributes: &[
            (1, "FRA_DST", Form::Address),
            (2, "FRA_SRC", Form::Address),
            (3, "FRA_IIFNAME", Form::Name),
            (4, "FRA_GOTO", Form::Number),
            (6, "FRA_PRIORITY", Form::Number),
            (10, "FRA_FWMARK", Form::Number),
            (13, "FRA_SUPPRESS_IFGROUP", Form::Number),
            (14, "FRA_SUPPRESS_PREFIXLEN", Form::Number),
            (15, "FRA_TABLE", Form::Number),
            (16, "FRA_FWMASK", Form::Number),
            (17, "FRA_OIFNAME", Form::Name),
            (21, "FRA_PROTOCOL", Form::Number),
        ],
    },
];

/// Bytes of the family header of conntrack messages (`struct nfgenmsg`).
const NFGENMSG: usize = 4;

/// Shows a raw image; `order` is the byte order of the dump.
#[must_use]
pub fn show_raw(image: &Image, order: ByteOrder) -> RawShown {
    match image.kind() {
        ImageKind::Iptables | ImageKind::Ip6tables | ImageKind::Nftables => {
            RawShown::Text(image.body())
        }
        kind @ (ImageKind::Ifaddr
        | ImageKind::Route
        | ImageKind::Route6
        | ImageKind::Rule
        | ImageKind::NetnsCt
        | ImageKind::NetnsExp) => {
            let records = match NlRecords::open(kind, image.body(), order) {
                Ok(records) => records,
                Err(error) => return RawShown::Messages(Vec::new(), Some(error)),
            };
            let mut messages = Vec::new();
            for record in records {
                match record {
                    Ok(record) => messages.push(show_message(&record, order)),
                    Err(error) => return RawShown::Messages(messages, Some(error)),
                }
            }
            RawShown::Messages(messages, None)
        }
        _ => RawShown::Opaque,
    }
}

fn show_message(record: &NlRecord, order: ByteOrder) -> MessageShown {
    let known = TYPES.iter().find(|known| known.kind == record.kind);
    let property = |name, number: u64| (FieldLabel::Property(name), Shown::Number(number));
    let mut fields = vec![
        property("nlmsg_type", record.kind.into()),
        property("nlmsg_flags", record.flags.into()),
    ];
    let mut at = 0usize;
    for (name, size) in known.map_or(&[][..], |known| known.header) {
        let end = at.saturating_add(*size);
        if let Some(number) = record.payload.get(at..end).and_then(|bytes| number(bytes, order)) {
            fields.push(property(name, number));
        }
        at = end;
    }
    let header = if known.is_some() { at } else { NFGENMSG };
    for attribute in record.attributes(header) {
        let names = known.map_or(&[][..], |known| known.attributes);
        match names.iter().find(|(kind, ..)| *kind == attribute.kind) {
            Some((_, name, form)) => {
                fields.push((FieldLabel::Property(name), value(&attribute, *form, order)));
            }
            None => {
                let kind = property("type", attribute.kind.into());
                let data = (FieldLabel::Property("data"), Shown::Bytes(attribute.data));
                fields.push((FieldLabel::Property("attribute"), Shown::Message(vec![kind, data])));
            }
        }
    }
    let name = known.map_or("netlink message", |known| known.name);
    MessageShown { offset: record.offset, name, message: Shown::Message(fields) }
}

fn number(bytes: &[u8], order: ByteOrder) -> Option<u64> {
    match *bytes {
        [byte] => Some(byte.into()),
        [a, b] => Some(order.u16([a, b]).into()),
        [a, b, c, d] => Some(order.u32([a, b, c, d]).into()),
        _ => None,
    }
}

fn value(attribute: &NlAttribute, form: Form, order: ByteOrder) -> Shown {
    let data = &attribute.data;
    let bytes = || Shown::Bytes(data.clone());
    match form {
        Form::Address => match (<[u8; 4]>::try_from(&data[..]), <[u8; 16]>::try_from(&data[..])) {
            (Ok(v4), _) => Shown::Derived(Ipv4Addr::from(v4).to_string()),
            (_, Ok(v6)) => Shown::Derived(Ipv6Addr::from(v6).to_string()),
            _ => bytes(),
        },
        Form::Name => {
            let raw = match data.strip_suffix(&[0]) {
                Some(name) => data.slice(..name.len()),
                None => data.clone(),
            };
            Shown::Text { text: escape(&raw), raw }
        }
        Form::Number => number(data, order).map_or_else(bytes, Shown::Number),
        Form::Bytes => bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_either_byte_order() {
        for (order, big) in [(ByteOrder::Little, false), (ByteOrder::Big, true)] {
            let word = |n: u32| if big { n.to_be_bytes() } else { n.to_le_bytes() };
            let half = |n: u16| if big { n.to_be_bytes() } else { n.to_le_bytes() };
            let mut image = word(crate::netlink::MAGIC_IFADDR).to_vec();
            image.extend(word(40));
            image.extend(half(20));
            image.extend(half(2));
            image.extend([0; 8]);
            image.extend([2, 8, 0x80, 254]);
            image.extend(word(1));
            image.extend(half(8));
            image.extend(half(2));
            image.extend([127, 0, 0, 1]);
            image.extend(half(7));
            image.extend(half(3));
            image.extend(b"lo\0\0");
            let image = Image::open(ImageKind::Ifaddr, image.into()).unwrap();
            let RawShown::Messages(messages, None) = show_raw(&image, order) else { panic!() };
            assert_eq!(messages[0].name, "RTM_NEWADDR");
            let text = format!("{:?}", messages[0].message);
            assert!(text.contains("127.0.0.1") && text.contains("\"lo\""), "{text}");
        }
    }

    #[test]
    fn a_cut_file_shows_what_is_there() {
        let image = Image::open(ImageKind::Rule, Bytes::from_static(b"\x86\x69\x70\x71\x10\0\0\0"))
            .unwrap();
        let RawShown::Messages(messages, Some(_)) = show_raw(&image, ByteOrder::Little) else {
            panic!()
        };
        assert!(messages.is_empty());
    }
}
