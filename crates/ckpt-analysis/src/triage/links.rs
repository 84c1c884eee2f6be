//! Who is linked to whom: parents and children, both ends of pipes, sockets and terminals. Found out once, because
//! hostile images have thousands of each.

use std::collections::{HashMap, HashSet};

use ckpt_model::{Checkpoint, Family, MemoryMap, Pid, Pipe, Socket, Task, fd_type};

use super::talk::{is_listener, is_loopback, port};

/// The links between the processes of a dump.
#[derive(Debug, Default)]
pub(super) struct Links<'a> {
    /// Places in the list of tasks.
    tasks: HashMap<Pid, usize>,
    /// Places in the list of memory maps.
    maps: HashMap<Pid, usize>,
    /// Places in the list of tasks, by parent.
    children: HashMap<Pid, Vec<usize>>,
    /// Sockets of the dump by inode.
    sockets: HashMap<u32, &'a Socket>,
    /// The sockets that processes have open, by descriptor.
    held: HashMap<Pid, Vec<(u32, &'a Socket)>>,
    /// Ports of the listeners.
    listening: HashSet<u32>,
    /// Some listener can be reached from outside of the container.
    pub(super) reached: bool,
    /// Pipes by the ids of their open files.
    pipes: HashMap<u32, &'a Pipe>,
    /// Open files of the masters of pseudo terminals, by N of `/dev/pts/N`.
    masters: HashMap<u32, Vec<u32>>,
}

impl<'a> Links<'a> {
    /// Of the tasks that run and the memory maps of those that have one.
    pub(super) fn of(checkpoint: &'a Checkpoint, tasks: &[&Task], maps: &[MemoryMap<'_>]) -> Self {
        let mut links = Self::default();
        for (at, task) in tasks.iter().enumerate() {
            links.tasks.entry(task.pid).or_insert(at);
            if let Some(ppid) = task.ppid.filter(|ppid| *ppid != task.pid) {
                links.children.entry(ppid).or_default().push(at);
            }
        }
        for (at, map) in maps.iter().enumerate() {
            links.maps.entry(map.task.pid).or_insert(at);
        }
        for task in tasks {
            if let Some(at) = task.mm_owner.and_then(|owner| links.map(owner)) {
                links.maps.entry(task.pid).or_insert(at);
            }
        }
        for socket in checkpoint.sockets() {
            if let Some(ino) = socket.ino.filter(|_| !socket.external) {
                links.sockets.entry(ino).or_insert(socket);
            }
            for holder in &socket.holders {
                links.held.entry(holder.pid).or_default().push((holder.fd, socket));
            }
            if is_listener(socket) {
                links.listening.extend(port(socket.local.as_ref()));
                links.reached |= !is_loopback(socket.local.as_ref());
            }
        }
        links.held.values_mut().for_each(|held| held.sort_by_key(|(fd, _)| *fd));
        for pipe in checkpoint.pipes() {
            links.pipes.extend(pipe.files.iter().map(|file| (*file, pipe)));
        }
        links.find_masters(checkpoint);
        links
    }

    fn find_masters(&mut self, checkpoint: &Checkpoint) {
        let files = checkpoint.files();
        for file in files.all() {
            let tty = file.tty.as_ref().filter(|_| file.r#type == fd_type::TTY);
            let Some(info) = tty.and_then(|tty| files.terminal(tty.tty_info_id)) else { continue };
            if let Some(pty) = info.pty.as_ref().filter(|_| is_master(info.rdev)) {
                self.masters.entry(pty.index).or_default().push(file.id);
            }
        }
    }

    /// Place of a task in the list.
    pub(super) fn task(&self, pid: Pid) -> Option<usize> {
        self.tasks.get(&pid).copied()
    }

    /// Place of the memory map of a task in the list.
    pub(super) fn map(&self, pid: Pid) -> Option<usize> {
        self.maps.get(&pid).copied()
    }

    /// Places of the children of a task in the list.
    pub(super) fn children(&self, pid: Pid) -> &[usize] {
        self.children.get(&pid).map(Vec::as_slice).unwrap_or_default()
    }

    /// The sockets that a process has open, by descriptor.
    pub(super) fn held(&self, pid: Pid) -> &[(u32, &'a Socket)] {
        self.held.get(&pid).map(Vec::as_slice).unwrap_or_default()
    }

    /// The other end of a socket, when it is in the dump.
    pub(super) fn peer(&self, socket: &Socket) -> Option<&'a Socket> {
        self.sockets.get(&socket.peer_ino?).copied()
    }

    /// Whether some process listens on the port that a socket has here.
    pub(super) fn listens_at_port_of(&self, socket: &Socket) -> bool {
        port(socket.local.as_ref()).is_some_and(|port| self.listening.contains(&port))
    }

    /// The pipe that an open file is an end of.
    pub(super) fn pipe(&self, file_id: u32) -> Option<&'a Pipe> {
        self.pipes.get(&file_id).copied()
    }

    /// The processes at the other end of the unix socket that is a descriptor of a process.
    pub(super) fn peers(&self, pid: Pid, fd: u32) -> Vec<Pid> {
        let mut held = self.held(pid).iter();
        let own = held.find(|(held, socket)| *held == fd && socket.family == Family::Unix);
        let peer = own.and_then(|(_, socket)| self.peer(socket));
        peer.into_iter().flat_map(|peer| &peer.holders).map(|holder| holder.pid).collect()
    }

    /// The processes that hold the master of the pseudo terminal whose slave is an open file.
    pub(super) fn masters(&self, checkpoint: &Checkpoint, slave: u32) -> Vec<Pid> {
        let files = checkpoint.files();
        let tty = files.get(fd_type::TTY, slave).and_then(|file| file.tty.as_ref());
        let info = tty.and_then(|tty| files.terminal(tty.tty_info_id));
        let masters =
            info.and_then(|info| info.pty.as_ref()).and_then(|pty| self.masters.get(&pty.index));
        let holders = masters
            .into_iter()
            .flatten()
            .flat_map(|file| checkpoint.descriptors().holders(fd_type::TTY, *file));
        holders.map(|holder| holder.pid).collect()
    }
}

/// Whether it is the number of `/dev/ptmx`, 5:2, as the kernel packs it (`include/linux/kdev_t.h`, `new_encode_dev`).
fn is_master(rdev: u32) -> bool {
    rdev == 0x502
}
