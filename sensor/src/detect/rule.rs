//! What the sensor knows of a rule besides its conditions.

use std::fmt;

pub use rsigma_parser::Level;
use rsigma_parser::SigmaRule;

use super::{
    category::Category,
    hook::{self, Hooks},
};

/// A fact a rule may wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// SHA-256 of the executable.
    Hash,
}

impl Need {
    /// Word used under `needs:` and in `incomplete`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hash => "hash",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        (word == Self::Hash.name()).then_some(Self::Hash)
    }
}

/// Which profiles silence a rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Learnable {
    /// None.
    #[default]
    Never,
    /// One that knows the chain with every argument, without a placeholder.
    Exact,
    /// One that knows the chain.
    Chain,
}

impl Learnable {
    /// Word used under `learnable:`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Exact => "exact",
            Self::Chain => "chain",
        }
    }

    /// A profile speaks of execs, so that only rules about them can be learnt.
    fn of(sigma: &SigmaRule, category: Category) -> Result<Self, String> {
        let Some(value) = sigma.custom_attributes.get("learnable") else {
            return Ok(Self::Never);
        };
        let all = [Self::Never, Self::Exact, Self::Chain];
        let word = value.as_str().unwrap_or_default();
        let found = all.into_iter().find(|one| one.name() == word);
        let found = found.ok_or("learnable is none of never, exact, chain")?;
        if found != Self::Never && category != Category::Process {
            return Err(format!("learnable is never for {}", category.name()));
        }
        Ok(found)
    }
}

/// Metadata of a loaded rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Acts it sees.
    pub category: Category,
    /// UUID.
    pub id: String,
    /// Stable slug: `rule.id` of alerts.
    pub name: String,
    /// One line for people.
    pub title: String,
    /// Severity.
    pub level: Level,
    /// ATT&CK techniques: `T1505.003`.
    pub techniques: Vec<String>,
    /// What it looks for and why.
    pub description: String,
    /// Known benign causes.
    pub falsepositives: Vec<String>,
    /// What to do when it fires.
    pub triage: String,
    /// Row of the catalogue in `detection.md`.
    pub catalogue: Option<String>,
    /// Which profiles silence it.
    pub learnable: Learnable,
    /// Facts it waits for.
    pub needs: Vec<Need>,
    /// Capture hooks it needs.
    pub hooks: Hooks,
    /// File it came from.
    pub file: String,
    pub(super) examples: Option<yaml_serde::Value>,
}

impl Rule {
    /// Metadata of a parsed rule, or why it cannot be used.
    pub(super) fn from_sigma(sigma: &SigmaRule, file: &str) -> Result<Self, String> {
        let id = sigma.id.clone().ok_or("no id: give it a UUID of its own")?;
        if !is_uuid(&id) {
            return Err(format!("id `{id}` is not a UUID"));
        }
        let name = sigma.name.clone().unwrap_or_else(|| slug(&sigma.title));
        if name.is_empty() || name != slug(&name) {
            return Err(format!(
                "name `{name}` is not a slug: lower case, digits, underscores"
            ));
        }
        let category = sigma.logsource.category.as_deref();
        let category = category.and_then(Category::parse).ok_or("no category")?;
        let needs = needs(sigma)?;
        if !needs.is_empty() && category != Category::Process {
            return Err(format!(
                "needs are for process_creation, not {}",
                category.name()
            ));
        }
        Ok(Self {
            learnable: Learnable::of(sigma, category)?,
            category,
            name,
            id: id.to_lowercase(),
            title: sigma.title.clone(),
            level: sigma.level.ok_or("no level")?,
            techniques: sigma.tags.iter().filter_map(|tag| technique(tag)).collect(),
            description: sigma.description.clone().unwrap_or_default(),
            falsepositives: sigma.falsepositives.clone(),
            triage: attribute(sigma, "triage").unwrap_or_default(),
            catalogue: attribute(sigma, "catalogue"),
            needs,
            hooks: hook::hooks(category, sigma),
            file: file.to_owned(),
            examples: sigma.custom_attributes.get("examples").cloned(),
        })
    }

    /// `true` for a rule that comes with the sensor.
    #[must_use]
    pub fn is_shipped(&self) -> bool {
        self.file.starts_with(super::source::BUILTIN)
    }

    /// `true` when the rule waits for a fact.
    #[must_use]
    pub fn waits(&self) -> bool {
        !self.needs.is_empty()
    }

    /// Rules in order of severity, then name.
    pub(super) fn rank(&self) -> (std::cmp::Reverse<u8>, &str) {
        (std::cmp::Reverse(self.level as u8), &self.name)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = self.level.as_str();
        write!(
            f,
            "{level:<13} {:<36} {:<18} {:<24} {}",
            self.name,
            self.category.name(),
            self.techniques.join(","),
            self.title
        )
    }
}

fn attribute(sigma: &SigmaRule, key: &str) -> Option<String> {
    sigma
        .custom_attributes
        .get(key)?
        .as_str()
        .map(|text| text.trim().to_owned())
}

fn needs(sigma: &SigmaRule) -> Result<Vec<Need>, String> {
    let Some(value) = sigma.custom_attributes.get("needs") else {
        return Ok(Vec::new());
    };
    let words = value.as_sequence().ok_or("needs is not a list")?;
    let mut needs = Vec::new();
    for word in words {
        let word = word.as_str().ok_or("needs is not a list of words")?;
        let need = Need::parse(word)
            .ok_or_else(|| format!("needs `{word}`, which is no fact; known: hash"))?;
        if !needs.contains(&need) {
            needs.push(need);
        }
    }
    Ok(needs)
}

/// `attack.t1505.003` is `T1505.003`; tactics and other tags are none.
fn technique(tag: &str) -> Option<String> {
    let id = tag.strip_prefix("attack.")?;
    let digits = id.strip_prefix(['t', 'T'])?;
    let valid = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    valid.then(|| format!("T{digits}"))
}

fn is_uuid(id: &str) -> bool {
    let groups: Vec<&str> = id.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups
            .iter()
            .all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Lower-case words joined by underscores.
fn slug(title: &str) -> String {
    let words = title
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("_").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn techniques_come_from_tags() {
        assert_eq!(technique("attack.t1505.003"), Some("T1505.003".into()));
        assert_eq!(technique("attack.T1620"), Some("T1620".into()));
        assert_eq!(technique("attack.persistence"), None);
        assert_eq!(technique("attack.theft"), None);
        assert_eq!(technique("cve.2021.44228"), None);
    }

    #[test]
    fn ids_and_slugs() {
        assert!(is_uuid("9220abe0-6e99-40f6-8c18-902224d5f5e7"));
        assert!(!is_uuid("9220abe0-6e99-40f6-8c18"));
        assert_eq!(slug("Shell under /dev/tcp!"), "shell_under_dev_tcp");
        assert_eq!(slug("a_b"), "a_b");
    }
}
