//! Offsets of the kernel struct members the programs read.
//!
//! Rust has no CO-RE relocations: the agent finds each offset in the running
//! kernel's BTF and writes the whole table into read-only data before loading, where
//! the verifier folds each to a constant.

/// How the agent finds one offset.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Name used in errors and for `--override-offset`.
    pub name: &'static str,
    /// Kernel struct.
    pub structure: &'static str,
    /// Member, alternatives separated by `|`, oldest name last.
    pub member: &'static str,
    /// A missing required member is a refusal to start.
    pub required: bool,
}

/// Value of an optional member the running kernel lacks.
pub const ABSENT: u64 = u64::MAX;

macro_rules! offsets {
    ($($field:ident = $kind:ident $structure:literal . $member:literal),* $(,)?) => {
        /// Byte offsets; [`ABSENT`] for optional members the kernel lacks.
        #[derive(Clone, Copy, Debug)]
        #[repr(C)]
        pub struct Offsets { $(pub $field: u64),* }

        impl Offsets {
            /// The table before the agent has filled it.
            pub const UNSET: Self = Self { $($field: 0),* };

            /// How to find each offset, in field order.
            pub const SPECS: &'static [Spec] = &[$(Spec {
                name: stringify!($field),
                structure: $structure,
                member: $member,
                required: offsets!(@$kind),
            }),*];

            /// Builds the table from one value per entry of [`Self::SPECS`].
            pub fn from_fn(mut value: impl FnMut(&'static Spec) -> u64) -> Self {
                let mut specs = Self::SPECS.iter();
                // The struct and SPECS come from the same list, so they end together.
                Self { $($field: specs.next().map_or(ABSENT, &mut value)),* }
            }
        }
    };
    (@required) => { true };
    (@optional) => { false };
}

offsets! {
    task_pid = required "task_struct"."pid",
    task_tgid = required "task_struct"."tgid",
    task_real_parent = required "task_struct"."real_parent",
    task_group_leader = required "task_struct"."group_leader",
    task_start = required "task_struct"."start_boottime|real_start_time",
    task_exit_code = required "task_struct"."exit_code",
    task_signal = required "task_struct"."signal",
    task_mm = required "task_struct"."mm",
    task_cred = required "task_struct"."cred",
    task_nsproxy = required "task_struct"."nsproxy",
    task_thread_pid = required "task_struct"."thread_pid",
    task_fs = required "task_struct"."fs",
    task_files = required "task_struct"."files",
    task_cgroups = required "task_struct"."cgroups",
    task_loginuid = optional "task_struct"."loginuid",
    task_sessionid = optional "task_struct"."sessionid",
    signal_live = required "signal_struct"."live",
    signal_flags = required "signal_struct"."flags",
    signal_group_exit_code = required "signal_struct"."group_exit_code",
    mm_arg_start = required "mm_struct"."arg_start",
    mm_arg_end = required "mm_struct"."arg_end",
    mm_env_start = required "mm_struct"."env_start",
    mm_env_end = required "mm_struct"."env_end",
    mm_exe_file = required "mm_struct"."exe_file",
    cred_uid = required "cred"."uid",
    cred_gid = required "cred"."gid",
    cred_euid = required "cred"."euid",
    cred_egid = required "cred"."egid",
    nsproxy_mnt_ns = required "nsproxy"."mnt_ns",
    nsproxy_pid_ns = required "nsproxy"."pid_ns_for_children",
    mnt_ns_common = required "mnt_namespace"."ns",
    pid_ns_common = required "pid_namespace"."ns",
    ns_inum = required "ns_common"."inum",
    pid_level = required "pid"."level",
    pid_numbers = required "pid"."numbers",
    bprm_file = required "linux_binprm"."file",
    bprm_filename = required "linux_binprm"."filename",
    bprm_interp = required "linux_binprm"."interp",
    bprm_argc = required "linux_binprm"."argc",
    file_path = required "file"."f_path",
    file_inode = required "file"."f_inode",
    file_mode = required "file"."f_mode",
    file_flags = required "file"."f_flags",
    path_mnt = required "path"."mnt",
    path_dentry = required "path"."dentry",
    dentry_name = required "dentry"."d_name",
    dentry_parent = required "dentry"."d_parent",
    dentry_inode = required "dentry"."d_inode",
    vfsmount_root = required "vfsmount"."mnt_root",
    mount_mnt = required "mount"."mnt",
    mount_parent = required "mount"."mnt_parent",
    mount_mountpoint = required "mount"."mnt_mountpoint",
    mount_ns = optional "mount"."mnt_ns",
    fs_pwd = required "fs_struct"."pwd",
    fs_root = required "fs_struct"."root",
    inode_ino = required "inode"."i_ino",
    inode_mode = required "inode"."i_mode",
    inode_nlink = required "inode"."i_nlink",
    inode_uid = required "inode"."i_uid",
    inode_gid = required "inode"."i_gid",
    inode_size = required "inode"."i_size",
    inode_rdev = required "inode"."i_rdev",
    inode_sb = required "inode"."i_sb",
    inode_generation = optional "inode"."i_generation",
    inode_ctime_s = optional "inode"."i_ctime_sec|__i_ctime|i_ctime",
    inode_ctime_ns = optional "inode"."i_ctime_nsec",
    sb_dev = required "super_block"."s_dev",
    sb_magic = required "super_block"."s_magic",
    files_fdt = required "files_struct"."fdt",
    fdtable_fd = required "fdtable"."fd",
    fdtable_max = required "fdtable"."max_fds",
    css_set_dfl_cgrp = required "css_set"."dfl_cgrp",
    cgroup_kn = required "cgroup"."kn",
    kernfs_id = required "kernfs_node"."id",
    kernfs_name = required "kernfs_node"."name",
    kernfs_parent = required "kernfs_node"."__parent|parent",
    rename_old = optional "renamedata"."old_dentry",
    uring_opcode = optional "io_kiocb"."opcode",
    uring_open_dfd = optional "io_open"."dfd",
    uring_open_name = optional "io_open"."filename",
    uring_open_how = optional "io_open"."how",
    uring_rename_old_dfd = optional "io_rename"."old_dfd",
    uring_rename_new_dfd = optional "io_rename"."new_dfd",
    uring_rename_old = optional "io_rename"."oldpath",
    uring_rename_new = optional "io_rename"."newpath",
    uring_rename_flags = optional "io_rename"."flags",
    uring_link_old_dfd = optional "io_link"."old_dfd",
    uring_link_new_dfd = optional "io_link"."new_dfd",
    uring_link_old = optional "io_link"."oldpath",
    uring_link_new = optional "io_link"."newpath",
    filename_name = optional "filename"."name",
    ovl_inode_vfs = optional "ovl_inode"."vfs_inode",
    ovl_inode_upper = optional "ovl_inode"."__upperdentry",
}

const _: () = assert!(size_of::<Offsets>() == Offsets::SPECS.len() * 8);
