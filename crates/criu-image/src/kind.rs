//! The kinds of images: how they are named, which magic and message they have, what follows their records.
//!
//! Source: `criu/image-desc.c`, `criu/include/magic.h`, `criu/include/image-desc.h`. Kinds are told by *name*, never by
//! magic: raw images have none and several kinds share one.

use crate::messages::*;
use crate::schema::{Described, MessageSchema};

/// How the name of a kind is built: prefix, number, suffix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NamePattern {
    /// What it begins with.
    pub prefix: &'static str,
    /// What stands between prefix and suffix.
    pub number: Number,
    /// What it ends with.
    pub suffix: &'static str,
}

/// The number in a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Number {
    /// None: one file a dump.
    None,
    /// Decimal.
    Decimal,
    /// Lower-case hexadecimal without `0x`.
    Hexadecimal,
    /// Anything; several numbers of plugins.
    Other,
}

/// What stands before the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// Its magic alone, in every version.
    Inventory,
    /// The common magic and the kind's, or (V1.0) the kind's alone.
    Normal,
    /// The service magic and the kind's, or (V1.0) the kind's alone.
    Service,
    /// Nothing: a raw file.
    None,
}

/// What an image holds.
#[derive(Clone, Copy, Debug)]
pub enum Content {
    /// One record.
    Single(fn() -> &'static MessageSchema),
    /// Records to the end of the file.
    Array(fn() -> &'static MessageSchema),
    /// A pagemap head, then pagemap entries.
    Pagemap,
    /// No records: memory, text, archives, netlink messages. Says what.
    Raw(&'static str),
}

/// What follows the payload of each record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExtraRule {
    /// Nothing.
    None,
    /// Unread bytes of a pipe.
    PipeData,
    /// Bytes of a queued packet.
    Packet,
    /// Bytes of both queues of a TCP connection.
    TcpStream,
    /// Content of a ghost file.
    Ghost,
    /// Content of shared memory, unless it is in a pagemap.
    IpcShm,
    /// Messages of a queue.
    IpcMsg,
    /// Values of semaphores.
    IpcSem,
    /// Keys and values of a BPF map.
    BpfMap,
}

/// What is known of a kind.
#[derive(Debug)]
pub struct KindInfo {
    /// Stable name, that of the enum variant.
    pub name: &'static str,
    /// Names the file can have.
    pub patterns: &'static [NamePattern],
    /// Its magic; 0 of raw files.
    pub magic: u32,
    /// What stands before the records.
    pub header: Header,
    /// What it holds.
    pub content: Content,
    /// What follows each record.
    pub extra: ExtraRule,
    /// File type (see [`crate::names::FD_TYPES`]) whose records it holds in the layout before `files.img`.
    pub split_era_file_type: Option<u32>,
    /// False for what is recognised by name only: the content is not interpreted anywhere.
    pub analysed: bool,
}

macro_rules! kinds {
    ($(
        $(#[$meta:meta])*
        $kind:ident: $header:ident $magic:literal, $content:ident($($arg:tt)+),
            [$($base:ident $prefix:literal $($suffix:literal)?),+] $(, extra $extra:ident)? $(, split $split:literal)?
            $(=> $recognised:ident)?;
    )+) => {
        /// A kind of image file, from its name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum ImageKind {
            $(
                $(#[$meta])*
                #[doc = concat!("\n\nNames: ", $("`", $prefix, kinds!(@show $base), kinds!(@suffix $($suffix)?), "` ",)+ ".")]
                $kind,
            )+
        }

        impl ImageKind {
            /// All kinds.
            pub const ALL: &'static [Self] = &[$(Self::$kind),+];

            /// What is known of this kind.
            #[must_use]
            pub fn info(self) -> &'static KindInfo {
                match self {
                    $(Self::$kind => {
                        static INFO: KindInfo = KindInfo {
                            name: stringify!($kind),
                            patterns: &[$(NamePattern {
                                prefix: $prefix,
                                number: Number::$base,
                                suffix: kinds!(@suffix $($suffix)?),
                            }),+],
                            magic: $magic,
                            header: Header::$header,
                            content: kinds!(@content $content $($arg)+),
                            extra: kinds!(@extra $($extra)?),
                            split_era_file_type: kinds!(@split $($split)?),
                            analysed: kinds!(@analysed $($recognised)?),
                        };
                        &INFO
                    })+
                }
            }
        }
    };
    (@suffix) => { ".img" };
    (@suffix $suffix:literal) => { $suffix };
    (@show None) => { "" };
    (@show Decimal) => { "N" };
    (@show Hexadecimal) => { "X" };
    (@show Other) => { "…" };
    (@content single $message:ident) => { Content::Single(<$message as Described>::schema) };
    (@content array $message:ident) => { Content::Array(<$message as Described>::schema) };
    (@content pagemap entries) => { Content::Pagemap };
    (@content raw $what:literal) => { Content::Raw($what) };
    (@extra) => { ExtraRule::None };
    (@extra $extra:ident) => { ExtraRule::$extra };
    (@split) => { None };
    (@split $split:literal) => { Some($split) };
    (@analysed) => { true };
    (@analysed recognised) => { false };
}

kinds! {
    /// What kind of dump it is.
    Inventory: Inventory 0x5831_3116, single(InventoryEntry), [None "inventory"];
    /// The process tree.
    Pstree: Normal 0x5027_3030, array(PstreeEntry), [None "pstree"];
    /// A thread, by thread id.
    Core: Normal 0x5505_3847, single(CoreEntry), [Decimal "core-"];
    /// Shared objects and namespaces of a task, by pid.
    Ids: Normal 0x5443_2030, single(TaskKobjIdsEntry), [Decimal "ids-"];
    /// An address space, by pid.
    Mm: Normal 0x5749_2820, single(MmEntry), [Decimal "mm-"];
    /// Mappings, by pid; only with the oldest `mm-N.img`.
    Vmas: Normal 0x5412_3737, array(VmaEntry), [Decimal "vmas-"];
    /// Pages of a task, by pid.
    Pagemap: Normal 0x5608_4025, pagemap(entries), [Decimal "pagemap-"];
    /// Pages of shared memory, by its id.
    PagemapShmem: Normal 0x5608_4025, pagemap(entries), [Decimal "pagemap-shmem-"];
    /// Bytes of pages, by the number in a pagemap head.
    Pages: None 0, raw("memory pages"), [Decimal "pages-"];
    /// Bytes of shared memory before there were pagemaps.
    PagesShmem: None 0, raw("page stream of a CRIU before 1.0"), [Decimal "pages-shmem-"] => recognised;
    /// Compressed pages of the fork of CRIU for CRaC.
    PagesCompressed: None 0, raw("compressed pages of the CRaC fork"), [Decimal "pages-" ".comp.img"] => recognised;
    /// Directories of a task, by pid.
    Fs: Normal 0x5140_3912, single(FsEntry), [Decimal "fs-"];
    /// A descriptor table, by `files_id`.
    Fdinfo: Normal 0x5621_3732, array(FdinfoEntry), [Decimal "fdinfo-"];
    /// Open files of all types.
    Files: Normal 0x5630_3138, array(FileEntry), [None "files"];
    /// Regular files, before `files.img`.
    RegFiles: Normal 0x5036_3636, array(RegFileEntry), [None "reg-files"], split 1;
    /// Files of plugins, before `files.img`.
    ExtFiles: Normal 0x5925_5641, array(ExtFileEntry), [None "ext-files"], split 16;
    /// Namespace files, before `files.img`.
    NsFiles: Normal 0x6139_4011, array(NsFileEntry), [None "ns-files"], split 14;
    /// Eventfds, before `files.img`.
    Eventfd: Normal 0x4452_3722, array(EventfdFileEntry), [None "eventfd"], split 6;
    /// Epolls, before `files.img`.
    Eventpoll: Normal 0x4502_3858, array(EventpollFileEntry), [None "eventpoll"], split 7;
    /// What epolls watch, before it was inline.
    EventpollTfd: Normal 0x4443_3746, array(EventpollTfdEntry), [None "eventpoll-tfd"];
    /// Signalfds, before `files.img`.
    Signalfd: Normal 0x5732_3820, array(SignalfdEntry), [None "signalfd"], split 9;
    /// Inotify instances, before `files.img`.
    Inotify: Normal 0x4842_4431, array(InotifyFileEntry), [None "inotify"], split 8;
    /// What inotify watches, before it was inline.
    InotifyWd: Normal 0x5456_2009, array(InotifyWdEntry), [None "inotify-wd"];
    /// Fanotify instances, before `files.img`.
    Fanotify: Normal 0x5509_6122, array(FanotifyFileEntry), [None "fanotify"], split 12;
    /// What fanotify watches, before it was inline.
    FanotifyMark: Normal 0x5650_6035, array(FanotifyMarkEntry), [None "fanotify-mark"];
    /// Pipes, before `files.img`.
    Pipes: Normal 0x5651_3555, array(PipeEntry), [None "pipes"], split 2;
    /// Named pipes, before `files.img`.
    Fifo: Normal 0x5836_4939, array(FifoEntry), [None "fifo"], split 3;
    /// Unix sockets, before `files.img`.
    Unixsk: Normal 0x5437_3943, array(UnixSkEntry), [None "unixsk"], split 5;
    /// Internet sockets, before `files.img`.
    Inetsk: Normal 0x5644_3851, array(InetSkEntry), [None "inetsk"], split 4;
    /// Packet sockets, before `files.img`.
    Packetsk: Normal 0x6045_4618, array(PacketSockEntry), [None "packetsk"], split 10;
    /// Netlink sockets, before `files.img`.
    Netlinksk: Normal 0x5800_5614, array(NetlinkSkEntry), [None "netlinksk"], split 13;
    /// Terminals, before `files.img`.
    TtyFiles: Normal 0x5943_3025, array(TtyFileEntry), [None "tty"], split 11;
    /// TUN and TAP files, before `files.img`.
    Tunfile: Normal 0x5714_3751, array(TunfileEntry), [None "tunfile"], split 15;
    /// Timerfds, before `files.img`.
    Timerfd: Normal 0x5049_3712, array(TimerfdEntry), [None "timerfd"], split 17;
    /// BPF maps; no release wrote it.
    BpfmapFile: Normal 0x5750_6142, array(BpfmapFileEntry), [None "bpfmap-file"], split 19;
    /// Pidfds; no release wrote it.
    Pidfd: Normal 0x5443_5556, array(PidfdEntry), [None "pidfd"], split 20;
    /// Unread bytes of pipes.
    PipesData: Normal 0x5645_3709, array(PipeDataEntry), [None "pipes-data"], extra PipeData;
    /// Unread bytes of named pipes.
    FifoData: Normal 0x5933_3054, array(PipeDataEntry), [None "fifo-data"], extra PipeData;
    /// Queued packets of sockets.
    SkQueues: Normal 0x5626_4026, array(SkPacketEntry), [None "sk-queues"], extra Packet;
    /// A TCP connection, by socket inode in hexadecimal.
    TcpStream: Normal 0x5146_5506, single(TcpStreamEntry), [Hexadecimal "tcp-stream-"], extra TcpStream;
    /// A deleted file, by remap number in hexadecimal.
    GhostFile: Normal 0x5258_3605, single(GhostFileEntry), [Hexadecimal "ghost-file-"], extra Ghost;
    /// How deleted files are reached.
    RemapFpath: Normal 0x5913_3954, array(RemapFilePathEntry), [None "remap-fpath"];
    /// Memfds and shared anonymous memory.
    MemfdInode: Normal 0x4845_3499, array(MemfdInodeEntry), [None "memfd"];
    /// Terminals.
    TtyInfo: Normal 0x5945_3036, array(TtyInfoEntry), [None "tty-info"];
    /// Unread bytes of terminals.
    TtyData: Normal 0x5941_3026, array(TtyDataEntry), [None "tty-data"];
    /// File locks; one file a task in old dumps.
    FileLocks: Normal 0x5432_3616, array(FileLockEntry), [None "filelocks", Decimal "filelocks-"];
    /// Mounts of a mount namespace.
    Mountpoints: Normal 0x5556_3928, array(MntEntry), [Decimal "mountpoints-"];
    /// Devices of a network namespace.
    Netdev: Normal 0x5737_3951, array(NetDeviceEntry), [Decimal "netdev-"];
    /// A network namespace.
    Netns: Normal 0x5593_3752, single(NetnsEntry), [Decimal "netns-"];
    /// Addresses of a network namespace, saved by iproute2.
    Ifaddr: None 0, raw("netlink messages of iproute2"), [Decimal "ifaddr-"];
    /// IPv4 routes, saved by iproute2.
    Route: None 0, raw("netlink messages of iproute2"), [Decimal "route-"];
    /// IPv6 routes, saved by iproute2.
    Route6: None 0, raw("netlink messages of iproute2"), [Decimal "route6-"];
    /// Routing rules, saved by iproute2.
    Rule: None 0, raw("netlink messages of iproute2"), [Decimal "rule-"];
    /// IPv4 firewall, saved by `iptables-save`; often empty.
    Iptables: None 0, raw("text of iptables-save"), [Decimal "iptables-"];
    /// IPv6 firewall, saved by `ip6tables-save`; often empty.
    Ip6tables: None 0, raw("text of ip6tables-save"), [Decimal "ip6tables-"];
    /// Firewall, saved by `nft list ruleset`.
    Nftables: None 0, raw("text of nft"), [Decimal "nftables-"];
    /// Tracked connections.
    NetnsCt: None 0, raw("netlink messages of conntrack"), [Decimal "netns-ct-"];
    /// Expected connections.
    NetnsExp: None 0, raw("netlink messages of conntrack"), [Decimal "netns-exp-"];
    /// Content of a tmpfs, by its device number as one decimal.
    TmpfsDev: None 0, raw("gzip compressed tar"), [Decimal "tmpfs-dev-" ".tar.gz.img"];
    /// Content of a tmpfs, by mount id, in old dumps.
    TmpfsImg: None 0, raw("gzip compressed tar"), [Decimal "tmpfs-" ".tar.gz.img"];
    /// An autofs mount, by mount id.
    Autofs: Normal 0x4935_3943, single(AutofsEntry), [Decimal "autofs-"];
    /// Binary formats; by mount id in old dumps.
    BinfmtMisc: Normal 0x6734_3323, array(BinfmtMiscEntry), [None "binfmt-misc", Decimal "binfmt-misc-"];
    /// Host name.
    Utsns: Normal 0x5447_3203, single(UtsnsEntry), [Decimal "utsns-"];
    /// Limits of an IPC namespace.
    IpcVar: Normal 0x5311_5007, single(IpcVarEntry), [Decimal "ipcns-var-"];
    /// System V shared memory.
    IpcShm: Normal 0x4628_3044, array(IpcShmEntry), [Decimal "ipcns-shm-"], extra IpcShm;
    /// System V message queues.
    IpcMsg: Normal 0x5545_3737, array(IpcMsgEntry), [Decimal "ipcns-msg-"], extra IpcMsg;
    /// System V semaphores.
    IpcSem: Normal 0x5957_3019, array(IpcSemEntry), [Decimal "ipcns-sem-"], extra IpcSem;
    /// Id maps of a user namespace.
    Userns: Normal 0x5547_4906, single(UsernsEntry), [Decimal "userns-"];
    /// Clocks of a time namespace.
    Timens: Normal 0x4311_4433, single(TimensEntry), [Decimal "timens-"];
    /// A pid namespace from outside.
    Pidns: Normal 0x6115_7326, single(PidnsEntry), [Decimal "pidns-"];
    /// Cgroups.
    Cgroup: Normal 0x5938_3330, single(CgroupEntry), [None "cgroup"];
    /// Seccomp filters.
    Seccomp: Normal 0x6441_3049, single(SeccompEntry), [None "seccomp"];
    /// AppArmor policies.
    Apparmor: Normal 0x5942_3047, single(ApparmorEntry), [None "apparmor"];
    /// Processors of the host.
    Cpuinfo: Normal 0x6140_4013, single(CpuinfoEntry), [None "cpuinfo"];
    /// Content of BPF maps.
    BpfmapData: Normal 0x6432_4033, array(BpfmapDataEntry), [None "bpfmap-data"], extra BpfMap;
    /// Credentials of a thread, in old dumps.
    Creds: Normal 0x5402_3547, single(CredsEntry), [Decimal "creds-"];
    /// Signal handlers of a task, in old dumps.
    Sigacts: Normal 0x5534_4201, array(SaEntry), [Decimal "sigacts-"];
    /// Interval timers of a task, in old dumps.
    Itimers: Normal 0x5746_4056, array(ItimerEntry), [Decimal "itimers-"];
    /// POSIX timers of a task, in old dumps.
    PosixTimers: Normal 0x5260_3957, array(PosixTimerEntry), [Decimal "posix-timers-"];
    /// Resource limits of a task, in old dumps.
    Rlimit: Normal 0x5711_3925, array(RlimitEntry), [Decimal "rlimit-"];
    /// Pending signals of a task, in old dumps.
    SignalShared: Normal 0x5925_5647, array(SiginfoEntry), [Decimal "signal-s-"];
    /// Pending signals of a thread, in old dumps.
    SignalPrivate: Normal 0x5925_5647, array(SiginfoEntry), [Decimal "signal-p-"];
    /// Statistics of the dump.
    StatsDump: Service 0x5709_3306, single(StatsEntry), [None "stats-dump" ""];
    /// Statistics of a restore.
    StatsRestore: Service 0x5709_3306, single(StatsEntry), [None "stats-restore" ""];
    /// Paths of watched inodes.
    IrmapCache: Service 0x5700_4059, array(IrmapCacheEntry), [None "irmap-cache" ""];
    /// Key envelope of an encrypted dump: nothing else of it can be decoded.
    Cipher: None 0, raw("key envelope of an encrypted dump"), [None "cipher"] => recognised;
    /// Topology of AMD processors, by the plugin.
    AmdgpuKfd: None 0, raw("data of the amdgpu plugin"), [Decimal "amdgpu-kfd-"] => recognised;
    /// Render nodes of AMD processors, by the plugin.
    AmdgpuRenderD: None 0, raw("data of the amdgpu plugin"), [Decimal "amdgpu-renderD-"] => recognised;
    /// Shared buffers of AMD processors, by the plugin.
    AmdgpuDmabuf: None 0, raw("data of the amdgpu plugin"), [Decimal "amdgpu-dmabuf_"] => recognised;
    /// Memory of AMD processors, by the plugin.
    AmdgpuPages: None 0, raw("memory of the amdgpu plugin"), [Other "amdgpu-pages-"] => recognised;
    /// Memory of AMD processors, by the plugin.
    AmdgpuDrmPages: None 0, raw("memory of the amdgpu plugin"), [Other "amdgpu-drm-pages-"] => recognised;
}

impl ImageKind {
    /// Stable name of the kind.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.info().name
    }

    /// Its magic, 0 when it has none.
    #[must_use]
    pub fn magic(self) -> u32 {
        self.info().magic
    }

    /// True when the file has no header and no records.
    #[must_use]
    pub fn is_raw(self) -> bool {
        matches!(self.info().content, Content::Raw(_))
    }

    /// Schema of its first record; `None` for raw files.
    #[must_use]
    pub fn schema(self) -> Option<&'static MessageSchema> {
        match self.info().content {
            Content::Single(schema) | Content::Array(schema) => Some(schema()),
            Content::Pagemap => Some(PagemapHead::schema()),
            Content::Raw(_) => None,
        }
    }

    /// The name of the file of this kind with this number, by the first of its patterns that fits.
    #[must_use]
    pub fn file_name(self, id: Option<u64>) -> Option<String> {
        self.info().patterns.iter().find_map(|NamePattern { prefix, number, suffix }| {
            match (number, id) {
                (Number::None, None) => Some(format!("{prefix}{suffix}")),
                (Number::Decimal, Some(id)) => Some(format!("{prefix}{id}{suffix}")),
                (Number::Hexadecimal, Some(id)) => Some(format!("{prefix}{id:x}{suffix}")),
                _ => None,
            }
        })
    }
}

/// File type of the records of an image of the layout before `files.img`.
#[must_use]
pub fn split_era_file_type(kind: ImageKind) -> Option<u32> {
    kind.info().split_era_file_type
}
