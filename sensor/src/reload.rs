//! What takes the place of the running rules, profiles and services, as one input.
//!
//! Read and compiled outside the loop, by [`Reload::new`]; a recording keeps the texts it
//! was made of, from which [`Reload::unpack`] makes the same parts again. Either all of it
//! is in force, or none.

#[cfg(test)]
mod tests;

use std::{fmt, io::Read as _};

use serde::{Deserialize, Serialize};

use crate::{
    config::{Config, ConfigError},
    detect::{Exception, LoadError, RuleSet, Source},
    profile::{Lock, Profiles},
    service::Catalogue,
};

/// Most bytes of the texts of a recorded reload: what is read is not trusted.
const TEXT_MAX: u64 = 64 << 20;
/// Level of compression: YAML gets small at any.
const ZSTD: i32 = 3;

/// What the core goes on with.
#[derive(Debug)]
pub struct Parts {
    /// Rules, adjusted.
    pub rules: RuleSet,
    /// What they shall not alert on.
    pub exceptions: Vec<Exception>,
    /// What services may spawn, and the modes.
    pub profiles: Profiles,
    /// What counts as a server.
    pub catalogue: Catalogue,
}

impl Parts {
    /// Of what the configuration says this uses what [`Config::core_yaml`] writes and
    /// nothing else: a recording holds no more.
    #[must_use]
    pub fn new(config: &Config, rules: RuleSet, lock: &Lock) -> Self {
        Self {
            rules: rules.adjusted(&config.rules.adjust),
            exceptions: config.rules.exceptions.clone(),
            profiles: Profiles::new(config.profiles.policy(), lock),
            catalogue: catalogue(config),
        }
    }
}

/// The list of servers, with those that the configuration adds.
#[must_use]
pub fn catalogue(config: &Config) -> Catalogue {
    let declared = config.services.declare.clone();
    Catalogue::new(&config.services.java.main_classes).declare(declared)
}

/// Texts from which the parts can be made again.
#[derive(Debug, Serialize, Deserialize)]
struct Texts {
    config: String,
    rules: Vec<Source>,
    lock: String,
}

/// See the module.
#[derive(Serialize, Deserialize)]
pub struct Reload {
    /// [`Texts`], compressed: rule files are long, and all alike.
    packed: Vec<u8>,
    /// Absent in what was read from a recording.
    #[serde(skip)]
    parts: Option<Parts>,
}

/// Why a recorded reload cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// Bytes that were never written so.
    #[error("a reload that cannot be read: {0}")]
    Corrupt(String),
    /// This sensor takes no such configuration.
    #[error("the configuration of a reload: {0}")]
    Config(#[from] ConfigError),
    /// This sensor takes no such rules.
    #[error("the rules of a reload: {0}")]
    Rules(#[from] LoadError),
    /// This sensor takes no such profile.
    #[error("the profile of a reload: {0}")]
    Lock(String),
}

impl Reload {
    /// A reload of `config`, the shipped rules with those in `sources`, of which `rules`
    /// was made, and `lock`.
    ///
    /// # Errors
    /// When the texts cannot be packed.
    pub fn new(
        config: &Config,
        (rules, sources): (RuleSet, Vec<Source>),
        lock: &Lock,
    ) -> Result<Self, ReloadError> {
        let texts = Texts {
            config: config.core_yaml(),
            rules: sources,
            lock: lock.to_yaml(),
        };
        let corrupt = |error: &dyn fmt::Display| ReloadError::Corrupt(error.to_string());
        let bytes = postcard::to_allocvec(&texts).map_err(|error| corrupt(&error))?;
        let packed = zstd::encode_all(bytes.as_slice(), ZSTD).map_err(|error| corrupt(&error))?;
        let parts = Some(Parts::new(config, rules, lock));
        Ok(Self { packed, parts })
    }

    /// Makes the parts of one that was read from a recording.
    ///
    /// # Errors
    /// When this sensor cannot use it.
    pub fn unpack(&mut self) -> Result<(), ReloadError> {
        if self.parts.is_some() {
            return Ok(());
        }
        let corrupt = |error: &dyn fmt::Display| ReloadError::Corrupt(error.to_string());
        let mut bytes = Vec::new();
        zstd::Decoder::new(self.packed.as_slice())
            .and_then(|stream| stream.take(TEXT_MAX).read_to_end(&mut bytes))
            .map_err(|error| corrupt(&error))?;
        let texts: Texts = postcard::from_bytes(&bytes).map_err(|error| corrupt(&error))?;
        let config = Config::from_core_yaml(&texts.config)?;
        let rules = RuleSet::of(texts.rules)?;
        let lock = Lock::parse(&texts.lock).map_err(ReloadError::Lock)?;
        self.parts = Some(Parts::new(&config, rules, &lock));
        Ok(())
    }

    /// What is to be in force; `None` when it was not unpacked.
    #[must_use]
    pub fn into_parts(self) -> Option<Parts> {
        self.parts
    }
}

/// Only what it is made of: how far it is made plays no part.
impl fmt::Debug for Reload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sum = crc32fast::hash(&self.packed);
        write!(f, "Reload({} bytes, {sum:08x})", self.packed.len())
    }
}
