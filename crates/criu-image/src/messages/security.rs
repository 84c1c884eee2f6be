//! Seccomp filters, AppArmor policies, processor features.

use crate::message::message;
use crate::names;

message! {
    /// Seccomp filters of all tasks. Source: `criu/images/seccomp.proto`.
    SeccompEntry = "seccomp_entry" {
        /// Filters; tasks have their own copies of what they inherited.
        seccomp_filters: repeated message(SeccompFilter) = 1,
    }

    /// One filter. Source: `criu/images/seccomp.proto`.
    SeccompFilter = "seccomp_filter" {
        /// Classic BPF: `struct sock_filter` of 8 bytes each, in the dumping host's byte order.
        filter: required bytes = 1,
        /// Index of the filter installed before it.
        prev: optional uint32 = 2,
        /// Flags of its installation.
        flags: optional uint32 = 3 [flags(&names::SECCOMP_FILTER_FLAGS)],
    }

    /// AppArmor policies of nested namespaces. Source: `criu/images/apparmor.proto`.
    ApparmorEntry = "apparmor_entry" {
        /// Namespaces.
        namespaces: repeated message(AaNamespace) = 1,
    }

    /// An AppArmor namespace. Source: `criu/images/apparmor.proto`.
    AaNamespace = "aa_namespace" {
        /// Name.
        name: required string = 1,
        /// Policies.
        policies: repeated message(AaPolicy) = 2,
        /// Namespaces in it, to any depth.
        namespaces: repeated message(AaNamespace) = 3,
    }

    /// An AppArmor policy. Source: `criu/images/apparmor.proto`.
    AaPolicy = "aa_policy" {
        /// Name.
        name: required string = 1,
        /// Compiled policy.
        blob: required bytes = 2,
    }

    /// Processors of the dumping host. Source: `criu/images/cpuinfo.proto`.
    CpuinfoEntry = "cpuinfo_entry" {
        /// x86.
        x86_entry: repeated message(CpuinfoX86Entry) = 1,
        /// ppc64.
        ppc64_entry: repeated message(CpuinfoPpc64Entry) = 2,
        /// s390x.
        s390_entry: repeated message(CpuinfoS390Entry) = 3,
    }

    /// An x86 processor. Source: `criu/images/cpuinfo.proto`.
    CpuinfoX86Entry = "cpuinfo_x86_entry" {
        /// Vendor.
        vendor_id: required uint32 = 1 [names(&names::X86_VENDORS)],
        /// Family.
        cpu_family: required uint32 = 2,
        /// Model.
        model: required uint32 = 3,
        /// Stepping.
        stepping: required uint32 = 4,
        /// Version of the feature words.
        capability_ver: required uint32 = 5,
        /// Feature words.
        capability: repeated uint32 = 6 [hex],
        /// Model name.
        model_id: optional string = 7,
        /// Extended state components.
        xfeatures_mask: optional uint64 = 8 [hex],
        /// Bytes of the extended state in use.
        xsave_size: optional uint32 = 9,
        /// Bytes of the extended state at most.
        xsave_size_max: optional uint32 = 10,
    }

    /// A ppc64 processor. Source: `criu/images/cpuinfo.proto`.
    CpuinfoPpc64Entry = "cpuinfo_ppc64_entry" {
        /// Byte order.
        endian: required uint32 = 1 [names(&names::PPC64_ENDIANNESS)],
        /// Hardware capabilities.
        hwcap: repeated uint64 = 2 [hex],
    }

    /// An s390x processor. Source: `criu/images/cpuinfo.proto`.
    CpuinfoS390Entry = "cpuinfo_s390_entry" {
        /// Hardware capabilities.
        hwcap: repeated uint64 = 2 [hex],
    }
}
