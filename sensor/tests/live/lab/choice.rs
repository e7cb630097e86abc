//! Which cases are played: all, or those of `cargo xtask lab --only ID --stack NAME`.

use std::collections::BTreeSet;

use super::{
    attack, benign,
    case::{Attack, Benign, Expected, Impossible, Row},
};

/// What was asked for.
#[derive(Debug, Default)]
pub(crate) struct Choice {
    only: Option<String>,
    stack: Option<String>,
    /// The table as JSON.
    pub(crate) json: bool,
}

impl Choice {
    /// `LINEAGE_LAB_ONLY`, `LINEAGE_LAB_STACK`, `LINEAGE_LAB_JSON`.
    #[expect(
        clippy::disallowed_methods,
        reason = "switches of the test, no settings of the sensor"
    )]
    pub(crate) fn of_the_environment() -> Self {
        let variable = |name: &str| {
            let value = std::env::var(format!("LINEAGE_LAB_{name}")).ok();
            value.filter(|value| !value.is_empty())
        };
        Self {
            only: variable("ONLY"),
            stack: variable("STACK"),
            json: variable("JSON").is_some(),
        }
    }

    /// Nothing is left out.
    pub(crate) fn whole(&self) -> bool {
        self.only.is_none() && self.stack.is_none()
    }

    /// A case of this id on a stack of this name is played.
    pub(crate) fn wants(&self, id: &str, stack: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == id)
            && self
                .stack
                .as_deref()
                .is_none_or(|part| stack.contains(part))
    }

    pub(crate) fn attacks(&self, all: Vec<Attack>) -> Vec<Attack> {
        let all = all.into_iter();
        all.filter(|case| self.wants(case.id, case.stack.name()))
            .collect()
    }

    pub(crate) fn benign(&self, all: Vec<Benign>) -> Vec<Benign> {
        let all = all.into_iter();
        all.filter(|case| self.wants(case.id, case.stack)).collect()
    }

    /// Rows of what cannot be done here.
    pub(crate) fn impossible(&self) -> Vec<Row> {
        let all = attack::IMPOSSIBLE.iter().chain(benign::IMPOSSIBLE);
        all.filter(|case| self.wants(case.id, ""))
            .map(row)
            .collect()
    }

    /// Ids of the lists that no row stands for which was played.
    pub(crate) fn missing(&self, rows: &[Row]) -> Option<String> {
        let wanted = attack::ids().chain(benign::ids());
        let played = |row: &&Row| row.expected != Expected::Nothing;
        let played: BTreeSet<&str> = rows.iter().filter(played).map(|row| row.id).collect();
        let missing = wanted.filter(|id| !played.contains(id.as_str()));
        let missing: Vec<String> = missing.collect();
        (self.whole() && !missing.is_empty()).then(|| format!("no row for {missing:?}"))
    }
}

fn row(case: &Impossible) -> Row {
    Row {
        id: case.id,
        stack: String::new(),
        order: None,
        what: case.what.to_owned(),
        expected: Expected::Nothing,
        wanted: case.why.to_owned(),
        fired: Vec::new(),
        root: String::new(),
        alerts: Vec::new(),
        proofs: Vec::new(),
        failure: None,
    }
}
