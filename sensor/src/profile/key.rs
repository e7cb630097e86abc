//! Which service a chain belongs to: kind, unit (or executable) and uid. Titles that
//! processes give themselves play no part.

use std::fmt;

use crate::{
    lineage::{Part, ServiceKind, Subject},
    printable::escape,
};

/// Where the server is installed, as far as that is stable over restarts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// Name by which the configuration declares it.
    Name(String),
    /// systemd unit.
    Unit(String),
    /// Path of its executable, when it is in no unit.
    Exe(String),
}

impl Place {
    /// Key and value in a file.
    #[must_use]
    pub fn pair(&self) -> (&'static str, &str) {
        match self {
            Self::Name(name) => ("name", name),
            Self::Unit(unit) => ("unit", unit),
            Self::Exe(exe) => ("exe", exe),
        }
    }
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// Kind of server.
    pub kind: &'static str,
    /// Which one.
    pub place: Place,
    /// Real uid as which the first program of the chain was executed.
    pub uid: u32,
}

impl Key {
    /// The key of what happened under a service; `None` outside every service.
    #[must_use]
    pub fn of(subject: &Subject) -> Option<Self> {
        let service = subject.service.as_deref()?;
        let lineage = &subject.lineage.ancestors;
        let root = lineage.first()?;
        // As whom it was spawned. A worker takes its user after its fork, which shows only
        // in what it executes.
        let mut below = lineage.iter().skip_while(|it| it.part != Part::Descendant);
        let spawned = below.find_map(|it| it.chain.first());
        let uid = spawned.map_or(root.uid, |program| program.cred.uid);
        let place = if let Some(name) = &service.name {
            Place::Name(name.to_string())
        } else if service.unit.is_empty() {
            let program = root.program.as_deref();
            let path = program.map(|program| program.image.path.to_string());
            Place::Exe(path.unwrap_or_default())
        } else {
            Place::Unit(service.unit.clone())
        };
        Some(Self {
            kind: service.kind.name(),
            place,
            uid,
        })
    }

    /// The word of a kind, when there is such a kind.
    #[must_use]
    pub fn kind(word: &str) -> Option<&'static str> {
        let mut kinds = ServiceKind::ALL.iter().map(|kind| kind.name());
        kinds.find(|kind| *kind == word)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (_, place) = self.place.pair();
        write!(f, "{} {} uid {}", self.kind, escape(place), self.uid)
    }
}
