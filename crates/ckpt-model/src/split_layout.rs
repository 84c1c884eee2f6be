//! Open files as CRIU wrote them before 3.4: an image for each type, where later ones have `files.img`.

use criu_image::messages::{
    EventfdFileEntry, EventpollFileEntry, ExtFileEntry, FanotifyFileEntry, FifoEntry, FileEntry,
    InetSkEntry, InotifyFileEntry, NetlinkSkEntry, NsFileEntry, PacketSockEntry, PipeEntry,
    RegFileEntry, SignalfdEntry, TimerfdEntry, TtyFileEntry, TunfileEntry, UnixSkEntry,
};
use criu_image::schema::Described;
use criu_image::{ImageKind, Message, split_era_file_type};

use crate::defect::Defects;
use crate::images::Images;

/// The files of all split images, as `files.img` would have them.
pub(crate) fn read(images: &Images, defects: &Defects) -> Vec<FileEntry> {
    let mut files = Files { images, defects, entries: Vec::new() };
    files.of::<RegFileEntry>(ImageKind::RegFiles, |file, reg| {
        file.id = reg.id;
        file.reg = Some(reg);
    });
    files.of::<PipeEntry>(ImageKind::Pipes, |file, pipe| {
        file.id = pipe.id;
        file.pipe = Some(pipe);
    });
    files.of::<FifoEntry>(ImageKind::Fifo, |file, fifo| {
        file.id = fifo.id;
        file.fifo = Some(fifo);
    });
    files.of::<InetSkEntry>(ImageKind::Inetsk, |file, socket| {
        file.id = socket.id;
        file.isk = Some(socket);
    });
    files.of::<UnixSkEntry>(ImageKind::Unixsk, |file, socket| {
        file.id = socket.id;
        file.usk = Some(socket);
    });
    files.of::<PacketSockEntry>(ImageKind::Packetsk, |file, socket| {
        file.id = socket.id;
        file.psk = Some(socket);
    });
    files.of::<NetlinkSkEntry>(ImageKind::Netlinksk, |file, socket| {
        file.id = socket.id;
        file.nlsk = Some(socket);
    });
    files.of::<EventfdFileEntry>(ImageKind::Eventfd, |file, event| {
        file.id = event.id;
        file.efd = Some(event);
    });
    files.of::<EventpollFileEntry>(ImageKind::Eventpoll, |file, epoll| {
        file.id = epoll.id;
        file.epfd = Some(epoll);
    });
    files.of::<SignalfdEntry>(ImageKind::Signalfd, |file, signal| {
        file.id = signal.id;
        file.sgfd = Some(signal);
    });
    files.of::<TimerfdEntry>(ImageKind::Timerfd, |file, timer| {
        file.id = timer.id;
        file.tfd = Some(timer);
    });
    files.of::<InotifyFileEntry>(ImageKind::Inotify, |file, inotify| {
        file.id = inotify.id;
        file.ify = Some(inotify);
    });
    files.of::<FanotifyFileEntry>(ImageKind::Fanotify, |file, fanotify| {
        file.id = fanotify.id;
        file.ffy = Some(fanotify);
    });
    files.of::<TtyFileEntry>(ImageKind::TtyFiles, |file, tty| {
        file.id = tty.id;
        file.tty = Some(tty);
    });
    files.of::<NsFileEntry>(ImageKind::NsFiles, |file, namespace| {
        file.id = namespace.id;
        file.nsf = Some(namespace);
    });
    files.of::<TunfileEntry>(ImageKind::Tunfile, |file, tun| {
        file.id = tun.id;
        file.tunf = Some(tun);
    });
    files.of::<ExtFileEntry>(ImageKind::ExtFiles, |file, external| {
        file.id = external.id;
        file.ext = Some(external);
    });
    files.entries
}

struct Files<'a> {
    images: &'a Images,
    defects: &'a Defects,
    entries: Vec<FileEntry>,
}

impl Files<'_> {
    fn of<M: Described + Message + Default>(
        &mut self,
        kind: ImageKind,
        put: fn(&mut FileEntry, M),
    ) {
        let Some(r#type) = split_era_file_type(kind) else { return };
        for message in self.images.many::<M>(kind, None, self.defects).into_iter().flatten() {
            let mut entry = FileEntry { r#type, ..FileEntry::default() };
            put(&mut entry, message);
            self.entries.push(entry);
        }
    }
}
