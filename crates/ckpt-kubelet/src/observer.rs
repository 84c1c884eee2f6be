//! What happens on the way, for whoever wants to tell a user.

use std::fmt;
use std::time::Duration;

use crate::error::Error;
use crate::name::Target;

/// Something that happened.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A request goes out. It never holds credentials.
    Request {
        /// The method and where to, such as `POST https://10.0.0.7:10250/checkpoint/…`.
        what: &'a str,
        /// How we identify ourselves, in words: `bearer token`, `client certificate`, `nothing`.
        credentials: &'a str,
    },
    /// The request is on its way, or through the API server may be: from now on the node may do something.
    Sent,
    /// An answer came.
    Answered {
        /// The HTTP status.
        status: u16,
    },
    /// A passing error; the request will be sent again.
    Retry {
        /// The error.
        error: &'a Error,
        /// After how long.
        after: Duration,
    },
    /// A helper pod is being created; it is deleted again in any case.
    HelperCreated {
        /// Its namespace.
        namespace: &'a str,
        /// Its name.
        pod: &'a str,
        /// Its node.
        node: &'a str,
    },
    /// The helper pod runs.
    HelperReady,
    /// The archive's size and hash on the node are known; bytes follow.
    Measured {
        /// The size in bytes.
        size: u64,
    },
    /// Bytes of the archive came.
    Received {
        /// How many since the last time.
        bytes: u64,
    },
    /// The stream broke and is taken up again.
    Resumed {
        /// From which byte.
        offset: u64,
        /// What broke it.
        why: &'a str,
    },
    /// The archive is here, and its hash is that on the node.
    Verified,
    /// The archive on the node was deleted, as asked.
    Removed,
    /// The helper pod is gone.
    HelperDeleted {
        /// Its name.
        pod: &'a str,
    },
}

/// Is told what happens.
pub trait Observer: Send + Sync {
    /// Something happened to a container's checkpoint.
    fn event(&self, target: &Target, event: &Event<'_>);
}

/// Does not care.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn event(&self, _: &Target, _: &Event<'_>) {}
}

impl fmt::Debug for dyn Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Observer")
    }
}
