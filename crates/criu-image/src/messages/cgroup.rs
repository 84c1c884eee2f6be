//! `cgroup.img`: cgroups of the tasks, with their properties.

use crate::message::message;

message! {
    /// Cgroups of the dump. Source: `criu/images/cgroup.proto`.
    CgroupEntry = "cgroup_entry" {
        /// Sets, the place of a task in every hierarchy.
        sets: repeated message(CgSetEntry) = 1,
        /// Hierarchies.
        controllers: repeated message(CgControllerEntry) = 2,
    }

    /// The place of a task in every hierarchy. Source: `criu/images/cgroup.proto`.
    CgSetEntry = "cg_set_entry" {
        /// Key, see `cg_set` of threads and tasks.
        id: required uint32 = 1,
        /// One place a hierarchy.
        ctls: repeated message(CgMemberEntry) = 2,
    }

    /// A place in one hierarchy. Source: `criu/images/cgroup.proto`.
    CgMemberEntry = "cg_member_entry" {
        /// Hierarchy: empty is cgroup v2, else `cpu,cpuacct` or `name=systemd`.
        name: required string = 1,
        /// Path on the host; holds the id that the engine gave the container.
        path: required string = 2,
        /// Bytes of the path that are outside of the cgroup namespace.
        cgns_prefix: optional uint32 = 3,
    }

    /// A hierarchy. Source: `criu/images/cgroup.proto`.
    CgControllerEntry = "cg_controller_entry" {
        /// Its controllers.
        cnames: repeated string = 1,
        /// Its directories.
        dirs: repeated message(CgroupDirEntry) = 2,
        /// Threaded cgroup v2.
        is_threaded: optional bool = 3,
    }

    /// A cgroup. Source: `criu/images/cgroup.proto`.
    CgroupDirEntry = "cgroup_dir_entry" {
        /// Name, with its path at the top.
        dir_name: required string = 1,
        /// Cgroups in it, to any depth.
        children: repeated message(CgroupDirEntry) = 2,
        /// Files with their content.
        properties: repeated message(CgroupPropEntry) = 3,
        /// Owner and mode.
        dir_perms: optional message(CgroupPerms) = 4,
    }

    /// A cgroup file. Source: `criu/images/cgroup.proto`.
    CgroupPropEntry = "cgroup_prop_entry" {
        /// File name, e.g. `memory.max`.
        name: required string = 1,
        /// Content.
        value: required string = 2,
        /// Owner and mode; may be uninitialised memory of CRIU.
        perms: optional message(CgroupPerms) = 3,
    }

    /// Owner and mode. Source: `criu/images/cgroup.proto`.
    CgroupPerms = "cgroup_perms" {
        /// `st_mode`.
        mode: required uint32 = 1 [octal],
        /// Owner.
        uid: required uint32 = 2,
        /// Group.
        gid: required uint32 = 3,
    }
}
