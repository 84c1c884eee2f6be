//! The walk over a tar stream: headers become members, oddities become defects, data passes by untouched.

use std::sync::Arc;

use crate::Error;
use crate::content::as_u64;
use crate::defect::{Defect, DefectKind, DefectList};
use crate::header::{BLOCK, BLOCK_BYTES, Block, Header, sparse_extension};
use crate::limits::Limits;
use crate::member::{Member, MemberKind, Stored, Timestamp};
use crate::name::normalise;
use crate::pax::Pax;
use crate::sparse::{Extent, MapReader, SparseMap};
use crate::tape::{Rest, Tape, first_nonzero};

/// Everything that one tar stream holds.
#[derive(Debug)]
pub(crate) struct Listing {
    pub(crate) members: Vec<Member>,
    pub(crate) defects: DefectList,
    /// What follows the end of the archive, if it is not all zeros.
    pub(crate) trailing: Option<Stored>,
}

/// Lists the archive on `tape`. Paths and hard link targets get `prefix` before them.
pub(crate) fn walk<T: Tape>(
    tape: &mut T,
    limits: &Limits,
    prefix: &[u8],
) -> Result<Listing, Error> {
    let mut walk = Walk {
        tape,
        limits,
        prefix,
        members: Vec::new(),
        defects: DefectList::new(limits.max_defects),
        metadata: 0,
        global: Pax::default(),
        pending: Pending::default(),
        owners: [None, None],
    };
    let rest = walk.run()?;
    if let Some(at) = walk.pending.start {
        walk.tell_extension(at, "no member follows it".to_owned());
    }
    if let Some(offset) = rest.first {
        let count = rest.end.saturating_sub(offset);
        walk.tell(DefectKind::TrailingBytes { offset, count }, offset);
    }
    Ok(Listing { members: walk.members, defects: walk.defects, trailing: rest.stored })
}

struct Walk<'a, T> {
    tape: &'a mut T,
    limits: &'a Limits,
    prefix: &'a [u8],
    members: Vec<Member>,
    defects: DefectList,
    /// Bytes held for the listing so far.
    metadata: u64,
    global: Pax,
    pending: Pending,
    /// The last user and group name: they rarely change, so that members can share them.
    owners: [Option<Arc<[u8]>>; 2],
}

/// Extended headers that wait for their member.
#[derive(Debug, Default)]
struct Pending {
    /// Offset of the first of them.
    start: Option<u64>,
    pax: Option<Pax>,
    long_name: Option<Vec<u8>>,
    long_link: Option<Vec<u8>>,
}

/// Whether the walk goes on.
enum Flow {
    Continue,
    /// The stream is cut, or a limit is met.
    Stop,
    /// The header cannot be used.
    Damaged(&'static str),
}

impl<T: Tape> Walk<'_, T> {
    fn run(&mut self) -> Result<Rest, Error> {
        let mut block: Block = [0; BLOCK];
        let mut lone_zero = None;
        // Whether `block` holds a good header already, found while looking for one.
        let mut found = false;
        loop {
            let at = if found {
                self.tape.position().saturating_sub(BLOCK_BYTES)
            } else {
                let at = self.tape.position();
                let got = self.tape.fill(&mut block)?;
                if got < BLOCK {
                    self.tell_early_end(at, block.get(..got).unwrap_or_default());
                    return Ok(Rest::default());
                }
                at
            };
            found = false;
            if block == [0; BLOCK] {
                // Two zero blocks end an archive.
                if lone_zero.is_some() {
                    return self.tape.rest();
                }
                lone_zero = Some(at);
                continue;
            }
            let flow = match Header::checked(&block) {
                Some(header) => {
                    if let Some(zero) = lone_zero.take() {
                        self.tell(DefectKind::LoneZeroBlock, zero);
                    }
                    self.entry(header, at)?
                }
                // Some writers end with one zero block; what follows is no damaged header then.
                None if lone_zero.is_some() => return self.rest_from(at, &block),
                None => Flow::Damaged("wrong checksum"),
            };
            match flow {
                Flow::Continue => {}
                Flow::Stop => return Ok(Rest::default()),
                Flow::Damaged(reason) => {
                    found = self.resync(&mut block)?;
                    let next = self.tape.position().saturating_sub(BLOCK_BYTES);
                    let resumed = found.then_some(next);
                    self.tell(DefectKind::DamagedHeader { reason, resumed }, at);
                    self.pending = Pending::default();
                    if !found {
                        return Ok(Rest::default());
                    }
                }
            }
        }
    }

    /// Looks for the next block with a good checksum. Blocks of zeros do not end the search: damaged archives of memory are
    /// full of them. What is found may be a member of an archive inside this one; nothing can tell them apart.
    fn resync(&mut self, block: &mut Block) -> Result<bool, Error> {
        while self.tape.fill(block)? == BLOCK {
            if Header::checked(block).is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The archive's end, with a block behind it that was read already.
    fn rest_from(&mut self, at: u64, block: &Block) -> Result<Rest, Error> {
        let mut rest = self.tape.rest()?;
        if let Some(first) = first_nonzero(block) {
            rest.first = Some(at.saturating_add(as_u64(first)));
            rest.end = self.tape.position();
        }
        Ok(rest)
    }

    fn tell_early_end(&mut self, at: u64, partial: &[u8]) {
        if first_nonzero(partial).is_some() {
            let found = as_u64(partial.len());
            self.tell(DefectKind::Truncated { expected: BLOCK_BYTES, found }, at);
        } else if !self.tape.is_broken() {
            self.tell(DefectKind::NoEnd, at);
        }
    }

    /// One header: an extension for the member to come, or a member.
    fn entry(&mut self, header: Header<'_>, at: u64) -> Result<Flow, Error> {
        let flag = header.type_flag();
        if !matches!(flag, b'L' | b'K' | b'x' | b'X' | b'g') {
            return self.member(header, at);
        }
        let Some(size) = header.size() else {
            return Ok(Flow::Damaged("the size is not a number"));
        };
        let limit = match flag {
            // One more than the name for its closing NUL.
            b'L' | b'K' => as_u64(self.limits.max_name).saturating_add(1),
            _ => self.limits.max_pax,
        };
        let data = match usize::try_from(size) {
            Ok(len) if size <= limit => {
                let mut data = vec![0; len];
                let got = self.tape.fill(&mut data)?;
                if got < len {
                    let found = as_u64(got);
                    self.tell(DefectKind::Truncated { expected: size, found }, at);
                    return Ok(Flow::Stop);
                }
                Some(data)
            }
            _ => {
                let found = self.tape.skip(size)?;
                if found < size {
                    self.tell(DefectKind::Truncated { expected: size, found }, at);
                    return Ok(Flow::Stop);
                }
                let reason = format!("its {size} bytes are more than the limit of {limit}");
                self.tell_extension(at, reason);
                None
            }
        };
        self.skip_padding(size)?;
        if let Some(data) = data {
            self.extension(flag, data, at);
        }
        Ok(Flow::Continue)
    }

    fn extension(&mut self, flag: u8, mut data: Vec<u8>, at: u64) {
        let max_extents = self.limits.max_extents;
        if flag == b'g' {
            if let Err(reason) = self.global.apply_global(&data) {
                self.tell_extension(at, reason);
            }
            return;
        }
        self.pending.start.get_or_insert(at);
        match flag {
            b'L' | b'K' => {
                // GNU writes the closing NUL into the data.
                data.truncate(data.iter().position(|byte| *byte == 0).unwrap_or(data.len()));
                let slot = match flag {
                    b'L' => &mut self.pending.long_name,
                    _ => &mut self.pending.long_link,
                };
                *slot = Some(data);
            }
            _ => {
                let pax = self.pending.pax.get_or_insert_with(|| self.global.clone());
                if let Err(reason) = pax.apply(&data, max_extents) {
                    self.tell_extension(at, reason);
                }
            }
        }
    }

    fn member(&mut self, header: Header<'_>, at: u64) -> Result<Flow, Error> {
        let Pending { start, pax, long_name, long_link } = std::mem::take(&mut self.pending);
        let mut pax = pax.unwrap_or_else(|| self.global.clone());
        let Some(size) = pax.size.or(header.size()) else {
            return Ok(Flow::Damaged("the size is not a number"));
        };
        if self.members.len() >= self.limits.max_members {
            let limit = as_u64(self.limits.max_members);
            self.tell(DefectKind::Limit { what: "members", limit }, at);
            return Ok(Flow::Stop);
        }
        let named = pax.sparse.name.take().or(pax.path.take()).or(long_name);
        let mut raw_path = named.unwrap_or_else(|| header.path());
        let mut raw_link = pax.link_path.take().or(long_link).unwrap_or_else(|| header.link_name());
        for text in [&mut raw_path, &mut raw_link] {
            if text.len() > self.limits.max_name {
                let reason = format!("a name of {} bytes is cut to the limit", text.len());
                self.tell_extension(start.unwrap_or(at), reason);
                text.truncate(self.limits.max_name);
            }
        }
        let kind = kind(&header, &raw_path);
        let (own_path, unsafe_name) = normalise(&raw_path);
        let linked = matches!(kind, MemberKind::Symlink | MemberKind::HardLink);
        let mut member = Member {
            path: [self.prefix, &own_path].concat(),
            raw_path,
            kind,
            size: 0,
            mode: 0,
            uid: 0,
            gid: 0,
            uname: self.owner(0, pax.uname.as_deref().unwrap_or(header.uname())),
            gname: self.owner(1, pax.gname.as_deref().unwrap_or(header.gname())),
            mtime: Timestamp::default(),
            atime: pax.atime.or(header.atime()),
            ctime: pax.ctime.or(header.ctime()),
            link_target: linked.then_some(raw_link),
            header_offset: start.unwrap_or(at),
            xattrs: std::mem::take(&mut pax.xattrs),
            unsafe_name,
            id: u32::try_from(self.members.len()).unwrap_or(u32::MAX),
            sparse: None,
            stored: Stored::default(),
        };
        let path = member.path.clone();
        member.mode = self.required(header.mode(), "mode", &path, at);
        member.uid = self.required(pax.uid.or(header.uid()), "owner", &path, at);
        member.gid = self.required(pax.gid.or(header.gid()), "group", &path, at);
        member.mtime = self.required(pax.mtime.or(header.mtime()), "time", &path, at);
        if let Some(risk) = unsafe_name {
            self.tell_member(DefectKind::UnsafeName { risk }, &path, at);
        }
        if let MemberKind::Other(flag) = kind {
            self.tell_member(DefectKind::UnsupportedType { flag }, &path, at);
        }
        // As POSIX and Go have it: links, devices and directories carry no data, whatever their size field says.
        let packed = match kind {
            MemberKind::File | MemberKind::Other(_) => size,
            _ => 0,
        };
        self.content(member, header, &pax, packed, at)
    }

    /// Passes over the member's sparse map and data, and lists it.
    fn content(
        &mut self,
        mut member: Member,
        header: Header<'_>,
        pax: &Pax,
        size: u64,
        at: u64,
    ) -> Result<Flow, Error> {
        let mut packed = size;
        member.size = size;
        let extents = match self.sparse_extents(&member, header, pax, &mut packed)? {
            SparseExtents::None => None,
            SparseExtents::Map(extents, real_size) => {
                member.size = real_size;
                Some(extents)
            }
            SparseExtents::Cut(real_size) => {
                let kind = DefectKind::Truncated { expected: size, found: 0 };
                self.tell_member(kind, &member.path, at);
                // Without its map, all of the member is missing.
                member.size = real_size;
                member.stored.packed = real_size;
                self.list(member, at);
                return Ok(Flow::Stop);
            }
        };
        if let Some(extents) = extents {
            let (map, fault) = SparseMap::new(&extents, member.size, packed);
            if let Some(reason) = fault {
                self.tell_member(DefectKind::DamagedSparseMap { reason }, &member.path, at);
            }
            member.sparse = Some(Box::new(map));
        }
        let data_at = self.tape.position();
        member.stored = self.tape.store(&member, packed, &self.members)?;
        let found = member.stored.captured;
        if found < packed {
            let kind = DefectKind::Truncated { expected: packed, found };
            self.tell_member(kind, &member.path, data_at.saturating_add(found));
            self.list(member, at);
            return Ok(Flow::Stop);
        }
        self.skip_padding(packed)?;
        Ok(if self.list(member, at) { Flow::Continue } else { Flow::Stop })
    }

    /// Lists the member; `false` when the listing has become too large.
    fn list(&mut self, member: Member, at: u64) -> bool {
        self.metadata = self.metadata.saturating_add(member.weight());
        self.members.push(member);
        let limit = self.limits.max_metadata;
        if self.metadata > limit {
            self.tell(DefectKind::Limit { what: "bytes of metadata", limit }, at);
        }
        self.metadata <= limit
    }

    /// The sparse map in whichever notation there is. Takes what lies between header and data off the tape, and what a PAX 1.0
    /// map uses of the data off `packed`.
    fn sparse_extents(
        &mut self,
        member: &Member,
        header: Header<'_>,
        pax: &Pax,
        packed: &mut u64,
    ) -> Result<SparseExtents, Error> {
        let mut block: Block = [0; BLOCK];
        if header.type_flag() == b'S' {
            let size = header.sparse_size().unwrap_or(member.size);
            let mut extents = header.sparse_extents();
            let mut more = header.sparse_continues();
            while more {
                if self.tape.fill(&mut block)? < BLOCK {
                    return Ok(SparseExtents::Cut(size));
                }
                let (next, continues) = sparse_extension(&block);
                if extents.len() < self.limits.max_extents {
                    extents.extend(next);
                } else {
                    extents.truncate(self.limits.max_extents);
                    extents.push(None);
                }
                more = continues;
            }
            return Ok(SparseExtents::Map(extents, size));
        }
        let size = pax.sparse.real_size;
        if pax.sparse.major == Some(1) && member.kind == MemberKind::File {
            let mut reader = MapReader::default();
            while !reader.finished() && *packed >= BLOCK_BYTES {
                if self.tape.fill(&mut block)? < BLOCK {
                    return Ok(SparseExtents::Cut(size.unwrap_or(member.size)));
                }
                *packed = packed.saturating_sub(BLOCK_BYTES);
                reader.feed(&block, self.limits.max_extents);
            }
            return Ok(SparseExtents::Map(reader.into_extents(), size.unwrap_or(*packed)));
        }
        Ok(match &pax.sparse.map {
            Some(extents) if member.kind == MemberKind::File => {
                SparseExtents::Map(extents.clone(), size.unwrap_or(*packed))
            }
            _ => SparseExtents::None,
        })
    }

    fn skip_padding(&mut self, size: u64) -> Result<(), Error> {
        let padding = BLOCK_BYTES.saturating_sub(size % BLOCK_BYTES) % BLOCK_BYTES;
        // A cut within padding shows at the next header.
        self.tape.skip(padding).map(drop)
    }

    fn required<V: Default>(
        &mut self,
        value: Option<V>,
        field: &'static str,
        path: &[u8],
        at: u64,
    ) -> V {
        value.unwrap_or_else(|| {
            self.tell_member(DefectKind::DamagedField { field }, path, at);
            V::default()
        })
    }

    fn owner(&mut self, slot: usize, name: &[u8]) -> Option<Arc<[u8]>> {
        if name.is_empty() {
            return None;
        }
        let last = self.owners.get_mut(slot)?;
        if last.as_deref() != Some(name) {
            *last = Some(name.into());
        }
        last.clone()
    }

    fn tell(&mut self, kind: DefectKind, at: u64) {
        self.defects.push(Defect::archive(kind, Some(at)));
    }

    fn tell_member(&mut self, kind: DefectKind, path: &[u8], at: u64) {
        self.defects.push(Defect::member(kind, path, Some(at)));
    }

    fn tell_extension(&mut self, at: u64, reason: String) {
        self.tell(DefectKind::DamagedExtension { reason }, at);
    }
}

enum SparseExtents {
    None,
    /// Extents as read, and the logical size.
    Map(Vec<Option<Extent>>, u64),
    /// The stream ends within the map; the logical size.
    Cut(u64),
}

fn kind(header: &Header<'_>, raw_path: &[u8]) -> MemberKind {
    match header.type_flag() {
        // Before ustar, a directory was a file whose name ends in a slash; some writers still do so.
        b'0' | 0 if raw_path.last() == Some(&b'/') => MemberKind::Directory,
        b'0' | 0 | b'7' | b'S' => MemberKind::File,
        b'1' => MemberKind::HardLink,
        b'2' => MemberKind::Symlink,
        b'3' => {
            let (major, minor) = header.device();
            MemberKind::CharDevice { major, minor }
        }
        b'4' => {
            let (major, minor) = header.device();
            MemberKind::BlockDevice { major, minor }
        }
        b'5' => MemberKind::Directory,
        b'6' => MemberKind::Fifo,
        other => MemberKind::Other(other),
    }
}
