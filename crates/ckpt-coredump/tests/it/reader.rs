//! Just enough of ELF to read a core: headers, notes, memory by address.

/// A core, parsed.
pub(crate) struct Parsed {
    pub(crate) bytes: Vec<u8>,
    pub(crate) class: u8,
    pub(crate) big: bool,
    pub(crate) machine: u16,
    pub(crate) flags: u32,
    pub(crate) notes: Vec<Noted>,
    pub(crate) loads: Vec<Load>,
}

/// A note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Noted {
    pub(crate) owner: String,
    pub(crate) kind: u32,
    pub(crate) content: Vec<u8>,
}

/// A `PT_LOAD`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) flags: u32,
    pub(crate) offset: u64,
    pub(crate) start: u64,
    pub(crate) file: u64,
    pub(crate) memory: u64,
    pub(crate) align: u64,
}

/// Numbers at offsets, in the byte order of the core.
pub(crate) struct At<'a> {
    bytes: &'a [u8],
    big: bool,
}

impl At<'_> {
    pub(crate) fn u16(&self, at: usize) -> u16 {
        let raw = self.bytes[at..at + 2].try_into().unwrap();
        if self.big { u16::from_be_bytes(raw) } else { u16::from_le_bytes(raw) }
    }

    pub(crate) fn u32(&self, at: usize) -> u32 {
        let raw = self.bytes[at..at + 4].try_into().unwrap();
        if self.big { u32::from_be_bytes(raw) } else { u32::from_le_bytes(raw) }
    }

    pub(crate) fn u64(&self, at: usize) -> u64 {
        let raw = self.bytes[at..at + 8].try_into().unwrap();
        if self.big { u64::from_be_bytes(raw) } else { u64::from_le_bytes(raw) }
    }

    /// So many words of 8 bytes from an offset on.
    pub(crate) fn words(&self, at: usize, count: usize) -> Vec<u64> {
        (0..count).map(|index| self.u64(at + 8 * index)).collect()
    }

    /// So many words of 4 bytes from an offset on.
    pub(crate) fn words32(&self, at: usize, count: usize) -> Vec<u32> {
        (0..count).map(|index| self.u32(at + 4 * index)).collect()
    }
}

impl Parsed {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        assert_eq!(&bytes[..4], b"\x7fELF");
        let (class, big) = (bytes[4], bytes[5] == 2);
        assert!(class == 1 || class == 2);
        assert_eq!(bytes[6..16], [1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        let wide = class == 2;
        let at = At { bytes: &bytes, big };
        assert_eq!((at.u16(16), at.u32(20)), (4, 1), "ET_CORE, EV_CURRENT");
        let machine = at.u16(18);
        let (phoff, shoff) =
            if wide { (at.u64(32), at.u64(40)) } else { (at.u32(28).into(), at.u32(32).into()) };
        let tail = if wide { 48 } else { 36 };
        let flags = at.u32(tail);
        let (ehsize, phentsize) = (at.u16(tail + 4), at.u16(tail + 6));
        assert_eq!((ehsize, phentsize), if wide { (64, 56) } else { (52, 32) });
        let mut count = u32::from(at.u16(tail + 8));
        if count == 0xffff {
            assert_eq!(at.u16(tail + 10), if wide { 64 } else { 40 }, "e_shentsize");
            assert_eq!(at.u16(tail + 12), 1, "e_shnum");
            let section = shoff as usize;
            assert_eq!(at.u32(section + 4), 0, "SHT_NULL");
            count = at.u32(section + if wide { 44 } else { 28 });
            assert!(count >= 0xffff);
        } else {
            assert_eq!((shoff, at.u16(tail + 10), at.u16(tail + 12)), (0, 0, 0));
        }
        let (mut notes, mut loads) = (Vec::new(), Vec::new());
        for index in 0..count as usize {
            let header = phoff as usize + index * usize::from(phentsize);
            let word = |field: usize| {
                if wide { at.u64(header + 8 * field) } else { at.u32(header + 4 * field).into() }
            };
            let kind = at.u32(header);
            let load = Load {
                flags: at.u32(header + if wide { 4 } else { 24 }),
                offset: word(1),
                start: word(2),
                file: word(4),
                memory: word(5),
                align: word(if wide { 6 } else { 7 }),
            };
            match kind {
                1 => loads.push(load),
                4 => notes = read_notes(&bytes, big, load.offset as usize, load.file as usize),
                other => panic!("program header of type {other}"),
            }
        }
        for load in &loads {
            assert!(load.file <= load.memory);
            assert!(load.offset + load.file <= bytes.len() as u64);
            assert!(load.align > 0 && load.offset.abs_diff(load.start).is_multiple_of(load.align));
        }
        assert!(loads.windows(2).all(|pair| pair[0].start + pair[0].memory <= pair[1].start));
        Self { class, big, machine, flags, notes, loads, bytes }
    }

    pub(crate) fn at<'a>(&self, bytes: &'a [u8]) -> At<'a> {
        At { bytes, big: self.big }
    }

    /// The only note of a type.
    pub(crate) fn note(&self, kind: u32) -> &[u8] {
        match self.all(kind).as_slice() {
            [only] => only,
            others => panic!("{} notes of type {kind:#x}", others.len()),
        }
    }

    /// Every note of a type.
    pub(crate) fn all(&self, kind: u32) -> Vec<&[u8]> {
        let notes = self.notes.iter().filter(|note| note.kind == kind);
        notes.map(|note| note.content.as_slice()).collect()
    }

    /// Owner and type of every note.
    pub(crate) fn kinds(&self) -> Vec<(&str, u32)> {
        self.notes.iter().map(|note| (note.owner.as_str(), note.kind)).collect()
    }

    /// The segment that an address lies in.
    pub(crate) fn load_at(&self, addr: u64) -> Option<&Load> {
        let after = self.loads.partition_point(|load| load.start <= addr);
        // Segments of no size stand at the beginning of what is not there.
        let load = self.loads[..after].iter().rev().find(|load| load.memory > 0)?;
        (addr - load.start < load.memory).then_some(load)
    }

    /// A byte: of the file part of a segment, or zero behind it; `None` where there is no segment.
    pub(crate) fn byte(&self, addr: u64) -> Option<u8> {
        let load = self.load_at(addr)?;
        let apart = addr - load.start;
        Some(if apart < load.file { self.bytes[(load.offset + apart) as usize] } else { 0 })
    }

    /// Bytes, all or none.
    pub(crate) fn memory(&self, addr: u64, len: u64) -> Option<Vec<u8>> {
        (addr..addr + len).map(|addr| self.byte(addr)).collect()
    }
}

fn read_notes(bytes: &[u8], big: bool, start: usize, len: usize) -> Vec<Noted> {
    let at = At { bytes, big };
    let (mut place, mut notes) = (start, Vec::new());
    while place < start + len {
        let (name, size, kind) = (at.u32(place), at.u32(place + 4), at.u32(place + 8));
        let name_at = place + 12;
        let content_at = name_at + (name as usize).next_multiple_of(4);
        let owner = &bytes[name_at..name_at + name as usize];
        assert_eq!(owner.last(), Some(&0));
        notes.push(Noted {
            owner: String::from_utf8(owner[..owner.len() - 1].to_vec()).unwrap(),
            kind,
            content: bytes[content_at..content_at + size as usize].to_vec(),
        });
        place = content_at + (size as usize).next_multiple_of(4);
    }
    assert_eq!(place, start + len);
    notes
}
