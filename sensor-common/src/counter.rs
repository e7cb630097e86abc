//! Kernel counters: one list, used by the programs, the metrics and the documents.

macro_rules! counters {
    ($($(#[$doc:meta])* $variant:ident = $name:literal),* $(,)?) => {
        /// A per-CPU counter kept by the kernel programs, in events since load.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u32)]
        pub enum Counter { $($(#[$doc])* $variant),* }

        impl Counter {
            /// All counters, in index order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Value of the metric label.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// Index in the counter map.
            #[must_use]
            pub const fn index(self) -> u32 {
                self as u32
            }
        }
    };
}

counters! {
    /// Exec records written to the ring.
    ExecEmitted = "exec",
    /// Fork records written to the ring.
    ForkEmitted = "fork",
    /// Exit records written to the ring.
    ExitEmitted = "exit",
    /// File records written to the file ring.
    FileEmitted = "file",
    /// Socket records written to either ring.
    SocketEmitted = "socket",
    /// Records lost because the lifecycle ring had no room.
    RingFull = "ring_full",
    /// Records lost because the file ring had no room.
    FileRingFull = "file_ring_full",
    /// Reads not recorded because the same file was reported a moment ago.
    ReadRepeated = "read_repeated",
    /// Lineage entries lost because the map had no room: descendants are unknown.
    MapFull = "map_full",
    /// Reads of kernel or user memory that failed: the record lacks a field.
    ReadFault = "read_fault",
    /// Lineage entries that belonged to an earlier process of the same pid.
    StaleEntry = "stale_entry",
}

/// Number of counters, the size of the map value.
pub const COUNTERS: usize = Counter::ALL.len();
