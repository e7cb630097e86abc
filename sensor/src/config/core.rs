//! The part of the configuration that decides what the core makes of its inputs. It
//! goes into recordings, so nothing that tells where alerts are sent belongs here.

use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::{Config, ConfigError, effective::render, key::KEYS, yaml};

/// Keys, and sections ending with a dot, that reach the core.
const CORE: &[&str] = &[
    "scope",
    "services.",
    "limits.",
    "rules.adjust",
    "rules.exceptions",
    "profiles.mode",
    "profiles.products",
    "profiles.expire_days",
    "profiles.services",
];

/// Named in errors about a text that came with a recording.
const RECORDED: &str = "configuration in the recording";

impl Config {
    /// What reaches the core, as YAML.
    #[must_use]
    pub fn core_yaml(&self) -> String {
        let keys = KEYS.iter().filter(|key| {
            let mut core = CORE.iter();
            core.any(|core| *core == key.path || core.ends_with('.') && key.path.starts_with(core))
        });
        render(self, keys, |_| None)
    }

    /// Takes what [`Config::core_yaml`] wrote; everything else keeps its default.
    ///
    /// # Errors
    /// When the text is nothing a configuration file may hold.
    pub fn from_core_yaml(text: &str) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        yaml::apply(text, Path::new(RECORDED), &mut config)?;
        Ok(config)
    }

    /// SHA-256 of [`Config::core_yaml`], in hex.
    #[must_use]
    pub fn core_hash(&self) -> String {
        format!("{:x}", Sha256::digest(self.core_yaml()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Bounded, Scope};

    #[test]
    fn what_the_core_needs_survives_and_nothing_else_is_told() {
        let mut config = Config {
            scope: Scope::Host,
            ..Config::default()
        };
        config.limits.processes = Bounded::new(2_048);
        config.services.java.main_classes = vec!["a: 'b'".to_owned()];
        config.control.socket = "/secret".into();
        let text = config.core_yaml();
        assert!(!text.contains("secret"), "{text}");
        let back = Config::from_core_yaml(&text).unwrap();
        assert_eq!(back.core_hash(), config.core_hash());
        assert_ne!(back.core_hash(), Config::default().core_hash());
        assert_eq!((back.scope, back.limits), (config.scope, config.limits));
        assert_eq!(back.services, config.services);
        assert!(Config::from_core_yaml("limits: {processes: 1}").is_err());
    }
}
