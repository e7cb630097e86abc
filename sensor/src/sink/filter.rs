//! Which documents a sink gets.

use crate::alert::{Document, Level};

/// Kind of what is in no service.
pub const NO_SERVICE: &str = "none";

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Least level.
    pub level: Level,
    /// Ids of rules, with `*` at the end for any; empty for all. A notice is of no rule.
    pub rules: Vec<String>,
    /// Kinds of services, or names by which they are declared; empty for all.
    pub services: Vec<String>,
    /// Notices about incidents too; not where the form has no words for them.
    pub notices: bool,
}

impl Filter {
    /// Everything from this level on.
    #[must_use]
    pub const fn from(level: Level) -> Self {
        Self {
            level,
            rules: Vec::new(),
            services: Vec::new(),
            notices: true,
        }
    }

    /// The document is wanted.
    #[must_use]
    pub fn wants(&self, document: &Document) -> bool {
        let (rule, service) = match document {
            Document::Alert(alert) => (Some(&alert.rule.id), &alert.service),
            Document::Notice(notice) => (None, &notice.service),
        };
        let kind = service.as_ref().map_or(NO_SERVICE, |service| service.kind);
        let name = service.as_ref().and_then(|service| service.name.as_deref());
        let of_service = |it: &String| it == kind || name == Some(it);
        let of_rule = |rule: &String| self.rules.iter().any(|pattern| fits(pattern, rule));
        document.weight() >= self.level
            && (self.notices || rule.is_some())
            && (self.services.is_empty() || self.services.iter().any(of_service))
            && (self.rules.is_empty() || rule.is_some_and(of_rule))
    }
}

fn fits(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(begin) => name.starts_with(begin),
        None => pattern == name,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::alert::sample::{closed, sample};

    #[test]
    fn level_rules_and_services_all_count() {
        let alert = sample().alert();
        let (rule, kind) = (alert.rule.id.clone(), alert.service.as_ref().unwrap().kind);
        let alert = Document::Alert(Arc::new(alert));
        let filter = |rules: &[&str], services: &[&str]| Filter {
            rules: rules.iter().map(|&it| it.to_owned()).collect(),
            services: services.iter().map(|&it| it.to_owned()).collect(),
            ..Filter::from(Level::Low)
        };
        assert!(filter(&[], &[]).wants(&alert));
        assert!(filter(&["other", &rule], &[kind]).wants(&alert));
        assert!(filter(&[&format!("{}*", &rule[..3])], &[]).wants(&alert));
        assert!(!filter(&["other"], &[]).wants(&alert));
        assert!(!filter(&[&rule[..3]], &[]).wants(&alert));
        assert!(!filter(&[], &["nobody"]).wants(&alert));
        let mut declared = sample().alert();
        declared.service.as_mut().unwrap().name = Some("shop".to_owned());
        let declared = Document::Alert(Arc::new(declared));
        assert!(filter(&[], &["shop"]).wants(&declared));
        assert!(filter(&[], &[kind]).wants(&declared));
        assert!(!filter(&[], &["shop"]).wants(&alert));
        let notice = Document::Notice(closed());
        let alerts = Filter {
            notices: false,
            ..filter(&[], &[])
        };
        assert!(filter(&[], &[]).wants(&notice) && alerts.wants(&alert));
        assert!(!alerts.wants(&notice) && !filter(&["*"], &[]).wants(&notice));
        let high = Filter::from(Level::Critical);
        assert_eq!(high.wants(&alert), alert.weight() >= Level::Critical);
    }
}
