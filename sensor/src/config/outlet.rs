//! The part of the configuration that the outlet needs: where alerts go, who may ask, and
//! whether and how pods are followed. It is handed over as the YAML that a configuration file
//! would have.

use std::path::Path;

use super::{Config, ConfigError, effective::render, key::KEYS, yaml};

/// Keys, and sections ending with a dot, that concern the outlet.
const OUTLET: &[&str] = &[
    "output.",
    "sinks",
    "http.",
    "control.",
    "history.",
    "log.",
    "kubernetes.watch",
    "kubernetes.node",
    "kubernetes.labels",
    "kubernetes.api",
    "kubernetes.token_file",
    "kubernetes.ca_file",
];

/// Named in errors about a text that came from the collector.
const HANDED: &str = "configuration from the collector";

impl Config {
    /// What concerns the outlet, as YAML. Holds secrets.
    #[must_use]
    pub fn outlet_yaml(&self) -> String {
        let keys = KEYS.iter().filter(|key| {
            let mut mine = OUTLET.iter();
            mine.any(|mine| *mine == key.path || mine.ends_with('.') && key.path.starts_with(mine))
        });
        render(self, keys, |_| None)
    }

    /// Takes what [`Config::outlet_yaml`] wrote; everything else keeps its default.
    ///
    /// # Errors
    /// When the text is nothing a configuration file may hold.
    pub fn from_outlet_yaml(text: &str) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        yaml::apply(text, Path::new(HANDED), &mut config)?;
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{
        Format, Level, Scope,
        kubernetes::{Api, Labels, Node},
        sinks::{Sink, Type},
    };

    #[test]
    fn what_the_outlet_needs_survives_and_nothing_else_is_told() {
        let mut config = Config {
            scope: Scope::Host,
            ..Config::default()
        };
        config.output.format = Format::Json;
        config.output.level = Level::Low;
        config.http.enabled = false;
        config.control.socket = "/somewhere/else".into();
        config.history.path = "/elsewhere".into();
        config.sinks = vec![Sink {
            name: "out".to_owned(),
            r#type: Type::Webhook,
            url: "https://example.org/hook".to_owned(),
            headers: vec!["X-Key: 'secret' # no comment".to_owned()],
            ..Sink::default()
        }];
        config.kubernetes.watch = true;
        config.kubernetes.node = Node("node-1".to_owned());
        config.kubernetes.labels = Labels(vec!["team".to_owned()]);
        config.kubernetes.api = Api("https://10.0.0.1".to_owned());
        config.kubernetes.token_file = "/token".into();
        config.kubernetes.ca_file = "/ca".into();
        let back = Config::from_outlet_yaml(&config.outlet_yaml()).unwrap();
        assert_eq!(back.scope, Scope::Services);
        config.scope = Scope::Services;
        assert_eq!(back, config);
    }
}
