//! Credentials, signal handlers, pending signals, one resource limit.

use crate::message::message;
use crate::names;

message! {
    /// Credentials as seen inside the user namespace of the task. Source: `criu/images/creds.proto`.
    ///
    /// Capability sets are words of 32 bits, low word first; see [`names::capability_names`].
    CredsEntry = "creds_entry" {
        /// Real user.
        uid: required uint32 = 1,
        /// Real group.
        gid: required uint32 = 2,
        /// Effective user.
        euid: required uint32 = 3,
        /// Effective group.
        egid: required uint32 = 4,
        /// Saved user.
        suid: required uint32 = 5,
        /// Saved group.
        sgid: required uint32 = 6,
        /// User for file access.
        fsuid: required uint32 = 7,
        /// Group for file access.
        fsgid: required uint32 = 8,
        /// Inheritable capabilities.
        cap_inh: repeated uint32 = 9 [hex],
        /// Permitted capabilities.
        cap_prm: repeated uint32 = 10 [hex],
        /// Effective capabilities.
        cap_eff: repeated uint32 = 11 [hex],
        /// Capability bounding set.
        cap_bnd: repeated uint32 = 12 [hex],
        /// `SECBIT_*`.
        secbits: required uint32 = 13 [flags(&names::SECBITS)],
        /// Supplementary groups.
        groups: repeated uint32 = 14,
        /// SELinux context or AppArmor profile.
        lsm_profile: optional string = 15,
        /// SELinux context for new sockets.
        lsm_sockcreate: optional string = 16,
        /// Additional data of AppArmor.
        apparmor_data: optional bytes = 17,
        /// No privileges can be gained by exec. Not recorded by old CRIU: absent is not "off".
        no_new_privs: optional uint32 = 18,
        /// Ambient capabilities (since 4.1).
        cap_amb: repeated uint32 = 19 [hex],
    }

    /// One resource limit; 18446744073709551615 is unlimited. Source: `criu/images/rlimit.proto`.
    RlimitEntry = "rlimit_entry" {
        /// Soft limit.
        cur: required uint64 = 1,
        /// Hard limit.
        max: required uint64 = 2,
    }

    /// One signal handler. Source: `criu/images/sa.proto`.
    SaEntry = "sa_entry" {
        /// Address of the handler; 0 is the default action, 1 ignores.
        sigaction: required uint64 = 1 [hex],
        /// `SA_*` flags.
        flags: required uint64 = 2 [flags(&names::SIGACTION_FLAGS)],
        /// Return trampoline; meaningful only with `SA_RESTORER`.
        restorer: required uint64 = 3 [hex],
        /// Signals blocked in the handler.
        mask: required uint64 = 4 [signal_set],
        /// Set by a 32-bit task.
        compat_sigaction: optional bool = 5,
        /// Blocked signals 65 to 128 (MIPS).
        mask_extended: optional uint64 = 6 [hex],
    }

    /// Pending signals in order. Source: `criu/images/siginfo.proto`.
    SignalQueueEntry = "signal_queue_entry" {
        /// The signals.
        signals: repeated message(SiginfoEntry) = 1,
    }

    /// One pending signal. Source: `criu/images/siginfo.proto`.
    SiginfoEntry = "siginfo_entry" {
        /// The kernel's `siginfo_t`, 128 bytes in the byte order and layout of the dumped machine.
        siginfo: required bytes = 1,
    }
}
