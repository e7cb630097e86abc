//! The rules in force: parsed, named, compiled into one engine per stream of acts and
//! role.
//!
//! A rule goes into every engine of its category except those whose role or act it
//! provably never matches. Rules that wait for a fact stand in an engine of their own,
//! so that no other waits.

mod engines;
mod place;

use std::{cell::RefCell, collections::HashMap, fmt, path::PathBuf, sync::Arc};

use rsigma_eval::CompiledRule;
use rsigma_parser::{LogSource, SigmaCollection, SigmaRule, Status};

pub(super) use self::{
    engines::Fields,
    place::{Place, Stage},
};
use self::{
    engines::{Engines, engines},
    place::slot,
};
use super::{
    analysis,
    category::{Category, Stream},
    check, dialect,
    hook::Shortage,
    memo::{Memo, MemoStats, Verdict},
    past::Past,
    rule::Rule,
    setting::Grounds,
    source::{self, Problem, Source},
    tuning::Adjustment,
    view::View,
};
use crate::{lineage::Role, near};

/// A rule that is valid but not for this sensor, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// File it is in.
    pub file: String,
    /// Its title.
    pub rule: String,
    /// Why it is left out.
    pub reason: String,
}

/// Rules that could not be loaded; nothing was.
#[derive(Clone, Debug, thiserror::Error)]
pub struct LoadError(pub Vec<Problem>);

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            write!(f, "{}{problem}", if index > 0 { "\n" } else { "" })?;
        }
        Ok(())
    }
}

/// A parsed rule on its way into a set.
pub(super) struct Candidate {
    pub(super) rule: Rule,
    pub(super) sigma: SigmaRule,
    compiled: CompiledRule,
}

/// What a number of sources hold.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) candidates: Vec<Candidate>,
    pub(super) skipped: Vec<Skipped>,
    pub(super) problems: Vec<Problem>,
}

impl Gathered {
    /// Parses `sources`; what is wrong is recorded and left out.
    pub(super) fn new(sources: impl IntoIterator<Item = Source>) -> Self {
        let mut gathered = Self::default();
        for source in sources {
            match rsigma_parser::parse_sigma_yaml(&source.text) {
                Ok(collection) => gathered.take(&source.file, collection),
                Err(error) => gathered.problem(&source.file, None, error.to_string()),
            }
        }
        gathered.refuse_duplicates();
        gathered
    }

    fn take(&mut self, file: &str, collection: SigmaCollection) {
        for error in &collection.errors {
            self.problem(file, None, error);
        }
        let correlations = collection
            .correlations
            .iter()
            .map(|c| (&c.title, "a correlation rule"));
        let filters = collection
            .filters
            .iter()
            .map(|filter| (&filter.title, "a filter"));
        for (title, what) in correlations.chain(filters) {
            self.skip(
                file,
                title,
                format!("{what}, which the sensor does not evaluate"),
            );
        }
        let empty = collection.errors.is_empty() && collection.is_empty();
        if empty {
            self.problem(file, None, "holds no rule");
        }
        for sigma in collection.rules {
            self.take_rule(file, sigma);
        }
    }

    fn take_rule(&mut self, file: &str, sigma: SigmaRule) {
        if let Some(reason) = not_ours(&sigma) {
            return self.skip(file, &sigma.title, reason);
        }
        let missing = analysis::undefined(&sigma);
        if !missing.is_empty() {
            let reason = format!(
                "the condition names `{}`, which is not defined",
                missing.join("`, `")
            );
            return self.problem(file, Some(&sigma.title), reason);
        }
        let rule = match Rule::from_sigma(&sigma, file) {
            Ok(rule) => rule,
            Err(reason) => return self.problem(file, Some(&sigma.title), reason),
        };
        match rsigma_eval::compile_rule(&bare(&sigma)) {
            Ok(compiled) => self.candidates.push(Candidate {
                rule,
                sigma,
                compiled,
            }),
            Err(error) => self.problem(file, Some(&rule.name), error.to_string()),
        }
    }

    fn refuse_duplicates(&mut self) {
        let mut problems = Vec::new();
        let mut seen: HashMap<String, String> = HashMap::new();
        for Candidate { rule, .. } in &self.candidates {
            for (what, key) in [("id", &rule.id), ("name", &rule.name)] {
                if let Some(other) = seen.insert(format!("{what} {key}"), rule.file.clone()) {
                    let reason = format!("{what} `{key}` is already used by {other}");
                    problems.push(Problem::new(&rule.file, Some(&rule.name), reason));
                }
            }
        }
        self.problems.extend(problems);
    }

    /// One rule of what was gathered.
    pub(super) fn only(mut self, name: &str) -> Self {
        self.candidates
            .retain(|candidate| candidate.rule.name == name);
        self
    }

    fn problem(&mut self, file: &str, rule: Option<&str>, reason: impl Into<String>) {
        self.problems.push(Problem::new(file, rule, reason));
    }

    fn skip(&mut self, file: &str, rule: &str, reason: impl Into<String>) {
        let (file, rule, reason) = (file.to_owned(), rule.to_owned(), reason.into());
        self.skipped.push(Skipped { file, rule, reason });
    }
}

/// Why a valid rule is not evaluated here.
fn not_ours(sigma: &SigmaRule) -> Option<String> {
    let LogSource {
        category,
        product,
        service,
        ..
    } = &sigma.logsource;
    if let Some(product) = product
        .as_ref()
        .filter(|product| !product.eq_ignore_ascii_case("linux"))
    {
        return Some(format!("for product {product}"));
    }
    if let Some(service) = service {
        return Some(format!("for the log of service {service}"));
    }
    match category.as_deref() {
        Some(category) if Category::parse(category).is_some() => {}
        Some(category) => return Some(format!("of category {category}")),
        None => return Some("of no category".to_owned()),
    }
    match sigma.status {
        Some(Status::Deprecated) => Some("deprecated".to_owned()),
        Some(Status::Unsupported) => Some("unsupported".to_owned()),
        _ => None,
    }
}

/// The conditions alone, as rsigma has to be told them: an engine need not carry texts, nor
/// an order to put whole events into its results.
fn bare(sigma: &SigmaRule) -> SigmaRule {
    let mut bare = sigma.clone();
    bare.custom_attributes.clear();
    bare.description = None;
    bare.falsepositives.clear();
    bare.tags.clear();
    dialect::mend(&mut bare);
    bare
}

/// The rules in force.
pub struct RuleSet {
    /// As the engines number them; `None` when switched off.
    rules: Vec<Option<Arc<Rule>>>,
    listed: Vec<Arc<Rule>>,
    /// By [`slot`].
    engines: Vec<Engines>,
    /// Verdicts on execs. In here because other rules are another memo; in a cell because
    /// to remember changes nothing that can be seen from outside.
    memo: RefCell<Memo>,
    skipped: Vec<Skipped>,
    unserved: Vec<Problem>,
    /// Levels were changed: the order of the engines is not that of `listed`.
    reordered: bool,
    hash: String,
}

impl RuleSet {
    /// The shipped rules and those under `directories`.
    ///
    /// # Errors
    /// Every file or rule that is unreadable, invalid, unsafe or used twice.
    pub fn load(directories: &[PathBuf]) -> Result<Self, LoadError> {
        Self::load_with_text(directories).map(|(rules, _)| rules)
    }

    /// [`RuleSet::load`], with the text of what is under `directories`.
    ///
    /// # Errors
    /// Like [`RuleSet::load`].
    pub fn load_with_text(directories: &[PathBuf]) -> Result<(Self, Vec<Source>), LoadError> {
        let mut sources = Vec::new();
        let mut problems = Vec::new();
        for directory in directories {
            let (found, wrong) = source::read(directory);
            sources.extend(found);
            problems.extend(wrong);
        }
        let rules = Self::compile(sources.clone(), problems)?;
        Ok((rules, sources))
    }

    /// The shipped rules and those of these texts.
    ///
    /// # Errors
    /// Every file or rule that is invalid, unsafe or used twice.
    pub fn of(sources: Vec<Source>) -> Result<Self, LoadError> {
        Self::compile(sources, Vec::new())
    }

    fn compile(sources: Vec<Source>, mut problems: Vec<Problem>) -> Result<Self, LoadError> {
        let sources: Vec<_> = source::shipped().chain(sources).collect();
        let hash = source::hash(&sources);
        let gathered = Gathered::new(sources);
        problems.extend(gathered.problems.iter().cloned());
        if problems.is_empty() {
            let mut rules = Self::build(gathered);
            rules.hash = hash;
            Ok(rules)
        } else {
            Err(LoadError(problems))
        }
    }

    /// A set of what `gathered` holds, whatever was wrong with the rest.
    pub(super) fn build(mut gathered: Gathered) -> Self {
        gathered
            .candidates
            .sort_by(|a, b| a.rule.rank().cmp(&b.rule.rank()));
        let roles = Role::ALL.into_iter().map(Some).chain([None]);
        let keys = roles.flat_map(|role| Stream::ALL.iter().map(move |&stream| (stream, role)));
        let engines = keys.map(|key| engines(&gathered.candidates, key));
        let unserved = gathered.candidates.iter().flat_map(check::unserved);
        let unserved = unserved.collect();
        let engines = engines.collect();
        let all = gathered.candidates.into_iter();
        let all: Vec<_> = all.map(|c| Arc::new(c.rule)).collect();
        Self {
            engines,
            memo: RefCell::default(),
            listed: all.clone(),
            rules: all.into_iter().map(Some).collect(),
            skipped: gathered.skipped,
            unserved,
            reordered: false,
            hash: String::new(),
        }
    }

    /// SHA-256 of the text of every rule file, in hex; empty for a set made in memory.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The same rules with some switched off and some at another level. What names no
    /// rule changes nothing: see [`RuleSet::unknown`].
    #[must_use]
    pub fn adjusted(mut self, adjustments: &[Adjustment]) -> Self {
        for adjustment in adjustments {
            let named = |rule: &&mut Option<Arc<Rule>>| {
                rule.as_ref()
                    .is_some_and(|rule| rule.name == adjustment.rule)
            };
            let Some(slot) = self.rules.iter_mut().find(named) else {
                continue;
            };
            if let (Some(rule), Some(level)) = (slot.as_mut(), adjustment.level) {
                Arc::make_mut(rule).level = level;
            }
            if !adjustment.enabled {
                *slot = None;
            }
        }
        self.listed = self.rules.iter().flatten().cloned().collect();
        self.reordered = true;
        self.listed.sort_by(|a, b| a.rank().cmp(&b.rank()));
        self
    }

    /// The name most like `name` when there is no rule of that name; empty when none is
    /// like it.
    #[must_use]
    pub fn unknown(&self, name: &str) -> Option<&str> {
        let names = || self.listed.iter().map(|rule| rule.name.as_str());
        if names().any(|known| known == name) {
            return None;
        }
        Some(near::nearest(name, names()).unwrap_or_default())
    }

    /// Every rule in force, most severe first, then by name.
    #[must_use]
    pub fn list(&self) -> &[Arc<Rule>] {
        &self.listed
    }

    /// Valid rules that are not for this sensor.
    #[must_use]
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// What these rules lose when the hooks `missing` are not attached.
    #[must_use]
    pub fn without(&self, missing: &[&str]) -> Option<Shortage> {
        let rules = self.list().iter();
        Shortage::of(rules.map(|rule| (&*rule.name, &rule.hooks)), missing)
    }

    /// One sentence for each thing that was loaded and does nothing, or not all its author
    /// thinks: rules left out, and fields that never have a value. May hold text from
    /// outside.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let skipped = self
            .skipped
            .iter()
            .map(|Skipped { file, rule, reason }| format!("{file}: {rule}: skipped: {reason}"));
        let unserved = self.unserved.iter().map(ToString::to_string);
        skipped.chain(unserved).collect()
    }

    /// The same rules with no memory of verdicts: each is come to anew.
    #[must_use]
    pub fn without_memo(self) -> Self {
        self.with_memo(0)
    }

    /// The same rules with a memo of so many bytes.
    pub(super) fn with_memo(self, bytes: usize) -> Self {
        Self {
            memo: RefCell::new(Memo::new(bytes)),
            ..self
        }
    }

    /// How the memo of verdicts has served so far.
    #[must_use]
    pub fn memo(&self) -> MemoStats {
        self.memo.borrow().stats()
    }

    /// Where the rules stand that may match an act of this stream under this role; `None`
    /// when there are none.
    #[inline]
    pub(super) fn place(&self, stream: Stream, role: Option<Role>) -> Option<Place<'_>> {
        let slot = slot(stream, role);
        let engines = self.engines.get(slot)?;
        let is_exec = stream == Stream::Exec;
        engines.any.then_some(Place {
            engines,
            slot,
            is_exec,
        })
    }

    /// What `tell` makes of what rules of some stages said of an act when it came before;
    /// `None` when that is not known, or not so quickly. `tell` may ask for no verdict.
    #[inline]
    pub(super) fn recall<T>(
        &self,
        (place, stages): (Place<'_>, &[Stage]),
        act: (&Grounds<'_>, &Past),
        tell: impl FnOnce(&Verdict) -> T,
    ) -> Option<T> {
        let basis = &place.engines.basis;
        let mut memo = self.memo.borrow_mut();
        memo.recall(place.number(stages), basis, act, tell)
    }

    /// What rules of some stages say of an act that [`RuleSet::recall`] does not know.
    pub(super) fn judge(&self, place: Place<'_>, stages: &[Stage], view: &View<'_>) -> Verdict {
        let engines = place.engines;
        if !place.is_exec {
            return engines.evaluate(view, stages);
        }
        let mut memo = self.memo.borrow_mut();
        memo.verdict(place.number(stages), &engines.basis, view, |event| {
            engines.evaluate(event, stages)
        })
    }

    /// The rules of a verdict that are in force, in order of the engines.
    pub(super) fn named<'v>(
        &'v self,
        verdict: &'v Verdict,
    ) -> impl Iterator<Item = (&'v Arc<Rule>, &'v Fields)> {
        verdict.iter().filter_map(|(index, fields)| {
            let found = self.rules.get(*index)?.as_ref()?;
            Some((found, fields))
        })
    }

    /// The order of the engines is not that of [`RuleSet::list`]: levels were changed.
    pub(super) const fn is_reordered(&self) -> bool {
        self.reordered
    }
}

impl fmt::Display for RuleSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for rule in &self.listed {
            writeln!(f, "{rule}")?;
        }
        write!(
            f,
            "{}, {} skipped",
            check::count(self.listed.len(), "rule"),
            self.skipped.len()
        )
    }
}

impl fmt::Debug for RuleSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RuleSet")
            .field("rules", &self.listed)
            .finish_non_exhaustive()
    }
}
