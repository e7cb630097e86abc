//! Which acts a rule sees: its Sigma category, and the stream an act comes in.
//!
//! Sigma's `file_event` means that a file came to be or was changed. Reads and changes of
//! mode, which this sensor reports as well, therefore reach only rules that name
//! [`ACTION`]: a public rule about a file's creation must not fire when it is read.

use crate::{event::FileAction, lineage::Act};

/// Field by which a rule asks for reads and changes of mode.
pub(super) const ACTION: &str = "Target.Action";

/// Sigma categories that are evaluated; the last two are our own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Category {
    /// Execs.
    Process,
    /// Acts on files.
    File,
    /// Connects.
    Network,
    /// What outlives the request that started it.
    Survival,
    /// What the sensor itself could not see.
    Sensor,
}

impl Category {
    /// Every category.
    pub const ALL: &'static [Self] = &[
        Self::Process,
        Self::File,
        Self::Network,
        Self::Survival,
        Self::Sensor,
    ];

    /// Word used in rules.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Process => "process_creation",
            Self::File => "file_event",
            Self::Network => "network_connection",
            Self::Survival => "process_survival",
            Self::Sensor => "sensor_status",
        }
    }

    /// The category a rule names.
    pub(super) fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|each| each.name() == word)
    }
}

/// Acts that meet the same rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Stream {
    /// An exec.
    Exec,
    /// An act on a file.
    File(FileAction),
    /// A connect.
    Connect,
    /// A process that goes on.
    Outlive,
    /// Records are missing.
    Lose,
}

impl Stream {
    /// Every stream.
    pub(super) const ALL: &'static [Self] = &[
        Self::Exec,
        Self::File(FileAction::Write),
        Self::File(FileAction::Read),
        Self::File(FileAction::Rename),
        Self::File(FileAction::Exchange),
        Self::File(FileAction::Link),
        Self::File(FileAction::Symlink),
        Self::File(FileAction::Chmod),
        Self::Connect,
        Self::Outlive,
        Self::Lose,
    ];

    /// Its place in [`Stream::ALL`].
    pub(super) const fn place(self) -> usize {
        match self {
            Self::Exec => 0,
            Self::File(FileAction::Write) => 1,
            Self::File(FileAction::Read) => 2,
            Self::File(FileAction::Rename) => 3,
            Self::File(FileAction::Exchange) => 4,
            Self::File(FileAction::Link) => 5,
            Self::File(FileAction::Symlink) => 6,
            Self::File(FileAction::Chmod) => 7,
            Self::Connect => 8,
            Self::Outlive => 9,
            Self::Lose => 10,
        }
    }

    /// The stream an act comes in.
    pub(super) fn of(act: &Act) -> Self {
        match act {
            Act::Exec => Self::Exec,
            Act::File(file) => Self::File(file.action),
            Act::Socket(_) => Self::Connect,
            Act::Outlive => Self::Outlive,
            Act::Lose(_) => Self::Lose,
        }
    }

    /// Its category.
    pub(super) const fn category(self) -> Category {
        match self {
            Self::Exec => Category::Process,
            Self::File(_) => Category::File,
            Self::Connect => Category::Network,
            Self::Outlive => Category::Survival,
            Self::Lose => Category::Sensor,
        }
    }

    /// Value of [`ACTION`].
    pub(super) const fn action(self) -> Option<&'static str> {
        match self {
            Self::File(action) => Some(name(action)),
            Self::Exec | Self::Connect | Self::Outlive | Self::Lose => None,
        }
    }

    /// Only rules that name [`ACTION`] see it.
    pub(super) const fn is_extra(self) -> bool {
        matches!(self, Self::File(FileAction::Read | FileAction::Chmod))
    }
}

/// Word for what was done to a file, in rules and alerts.
pub(crate) const fn name(action: FileAction) -> &'static str {
    match action {
        FileAction::Write => "write",
        FileAction::Read => "read",
        FileAction::Rename => "rename",
        FileAction::Exchange => "exchange",
        FileAction::Link => "link",
        FileAction::Symlink => "symlink",
        FileAction::Chmod => "chmod",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lineage::Role;

    #[test]
    fn places_are_those_in_the_lists() {
        for (place, stream) in Stream::ALL.iter().enumerate() {
            assert_eq!(stream.place(), place);
        }
        for (place, role) in Role::ALL.into_iter().enumerate() {
            assert_eq!(role as usize, place);
        }
    }
}
