//! System V IPC: shared memory, message queues, semaphores.

use criu_image::messages::{IpcDescEntry, IpcMsgEntry, IpcSemEntry, IpcShmEntry};
use criu_image::{Extra, ImageKind, IpcMessage};

use crate::Checkpoint;
use crate::images::decode;

/// The System V objects of an IPC namespace.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct IpcNamespace {
    /// CRIU's small id of the namespace.
    pub ns: u32,
    /// Shared memory segments, attached or not.
    pub segments: Vec<IpcShmEntry>,
    /// Message queues.
    pub queues: Vec<MessageQueue>,
    /// Semaphore sets.
    pub semaphores: Vec<SemaphoreSet>,
}

/// A message queue.
#[derive(Clone, Debug)]
pub struct MessageQueue {
    /// Key, id, owner, mode.
    pub desc: IpcDescEntry,
    /// Bytes that it may hold.
    pub limit: u32,
    /// The messages, oldest first.
    pub messages: Vec<IpcMessage>,
}

/// A semaphore set.
#[derive(Clone, Debug)]
pub struct SemaphoreSet {
    /// Key, id, owner, mode.
    pub desc: IpcDescEntry,
    /// The values.
    pub values: Vec<u16>,
}

impl Checkpoint {
    /// The System V objects, by namespace. Messages are slices of their image.
    #[must_use]
    pub fn ipc(&self) -> Vec<IpcNamespace> {
        let Some(images) = self.images() else { return Vec::new() };
        let kinds = [ImageKind::IpcShm, ImageKind::IpcMsg, ImageKind::IpcSem];
        let mut ids: Vec<u64> = kinds.iter().flat_map(|kind| images.ids(*kind)).collect();
        ids.sort_unstable();
        ids.dedup();
        let namespaces = ids.into_iter().filter_map(|id| u32::try_from(id).ok());
        namespaces.map(|ns| self.ipc_namespace(ns)).filter(|ns| !ns.is_empty()).collect()
    }

    fn ipc_namespace(&self, ns: u32) -> IpcNamespace {
        let mut namespace = IpcNamespace { ns, ..IpcNamespace::default() };
        let Some(images) = self.images() else { return namespace };
        let (id, told) = (Some(u64::from(ns)), self.told());
        namespace.segments = images.many(ImageKind::IpcShm, id, told).unwrap_or_default();
        for (place, record) in images.records(ImageKind::IpcMsg, id, told).into_iter().flatten() {
            let Some(entry) = decode::<IpcMsgEntry>(&place, &record, told) else { continue };
            let Extra::Messages(messages) = &record.extra else { continue };
            let messages = messages.clone().filter_map(Result::ok).collect();
            namespace.queues.push(MessageQueue { desc: entry.desc, limit: entry.qbytes, messages });
        }
        for (place, record) in images.records(ImageKind::IpcSem, id, told).into_iter().flatten() {
            let Some(entry) = decode::<IpcSemEntry>(&place, &record, told) else { continue };
            let Extra::Semaphores(values) = &record.extra else { continue };
            namespace
                .semaphores
                .push(SemaphoreSet { desc: entry.desc, values: values.values().collect() });
        }
        namespace
    }
}

impl IpcNamespace {
    fn is_empty(&self) -> bool {
        self.segments.is_empty() && self.queues.is_empty() && self.semaphores.is_empty()
    }
}
