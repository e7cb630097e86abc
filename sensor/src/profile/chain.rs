//! A chain: the programs that ran one after another from the service down to an exec,
//! whether each was a child of the last or took its place.

use std::fmt;

use sensor_common::record::fault;

use super::{
    Refusal,
    step::{Ran, Step},
    tool::Review,
};
use crate::{
    detect::{is_function, loads},
    event::Program,
    lineage::{Ancestor, Part, Provenance, Subject},
};

/// Most programs of a chain.
pub(super) const STEPS_MAX: usize = 16;

/// The programs of a subject, ready to be learnt or compared.
#[derive(Debug)]
pub(super) struct Trail<'s> {
    ran: Vec<Ran<'s>>,
    /// What finds the entries worth comparing.
    pub(super) route: Vec<u8>,
}

impl<'s> Trail<'s> {
    /// The programs from the service down to what the subject runs.
    ///
    /// # Errors
    /// When a part of it is not known, or may not be in a profile.
    pub(super) fn of(subject: &'s Subject) -> Result<Self, Refusal> {
        let lineage = &subject.lineage;
        let root = lineage
            .ancestors
            .first()
            .and_then(|it| it.program.as_deref());
        let root = root.ok_or(Refusal::Incomplete)?;
        if lineage.elided > 0 {
            return Err(Refusal::Incomplete);
        }
        if subject.script_written.is_some() {
            return Err(Refusal::Written);
        }
        let mut trail = Self {
            ran: Vec::new(),
            route: Vec::new(),
        };
        let below = lineage
            .ancestors
            .iter()
            .filter(|it| it.part == Part::Descendant);
        for ancestor in below {
            trail.follow(ancestor, root)?;
        }
        if trail.ran.is_empty() {
            return Err(Refusal::Incomplete);
        }
        Ok(trail)
    }

    /// A trail of programs without a service; for examples.
    pub(super) fn of_programs(programs: &'s [Program]) -> Result<Self, Refusal> {
        let mut trail = Self {
            ran: Vec::new(),
            route: Vec::new(),
        };
        for program in programs {
            trail.push(program)?;
        }
        Ok(trail)
    }

    fn push(&mut self, program: &'s Program) -> Result<(), Refusal> {
        if self.ran.len() == STEPS_MAX {
            return Err(Refusal::Deep);
        }
        let ran = Ran::new(program)?;
        ran.route(&mut self.route);
        self.ran.push(ran);
        Ok(())
    }

    fn follow(&mut self, ancestor: &'s Ancestor, root: &Program) -> Result<(), Refusal> {
        let lost = ancestor.program.is_none() || ancestor.provenance == Provenance::Lost;
        if lost || ancestor.chain_elided > 0 {
            return Err(Refusal::Incomplete);
        }
        for program in ancestor
            .chain
            .iter()
            .filter(|program| !is_launcher(program))
        {
            surroundings(program, root)?;
            self.push(program)?;
        }
        Ok(())
    }

    /// The chain of a trail seen once.
    ///
    /// # Errors
    /// When the command of a shell cannot be taken apart.
    pub(super) fn chain(&self) -> Result<Chain, Refusal> {
        let steps: Result<_, _> = self.ran.iter().map(Step::of).collect();
        steps.map(Chain)
    }
}

/// What JVMs start their children through: there or not, by a property of the JVM.
fn is_launcher(program: &Program) -> bool {
    let image = &program.image;
    image.owner == 0 && image.mode & 0o022 == 0 && image.path.ends_with(b"/lib/jspawnhelper")
}

/// The same names mean the same files, and nothing else is loaded than under the service.
fn surroundings(program: &Program, root: &Program) -> Result<(), Refusal> {
    let (own, service) = (program.ns.mount, root.ns.mount);
    if own != service && own != 0 && service != 0 {
        return Err(Refusal::Namespace);
    }
    let foreign = |variable: &&(_, _)| !root.env.contains(variable);
    let mut added = program.env.iter().filter(foreign);
    if added.any(|(name, value)| loads(name, value) || is_function(name, value)) {
        return Err(Refusal::Environment);
    }
    // What is cut from the environment of one and not of the other has been added.
    if program.faults.has(fault::ENV_CUT) && !root.faults.has(fault::ENV_CUT) {
        return Err(Refusal::Environment);
    }
    Ok(())
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Chain(Vec<Step>);

impl Chain {
    /// A chain of these steps.
    ///
    /// # Errors
    /// When there are none, or too many.
    pub fn new(steps: Vec<Step>) -> Result<Self, String> {
        if steps.is_empty() || steps.len() > STEPS_MAX {
            return Err(format!("expected 1 to {STEPS_MAX} steps"));
        }
        Ok(Self(steps))
    }

    /// Its steps.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// Route of the first `count` steps, as [`Trail::route`] has it.
    pub(super) fn route(&self, count: usize) -> Vec<u8> {
        let mut route = Vec::new();
        self.0
            .iter()
            .take(count)
            .for_each(|step| step.route(&mut route));
        route
    }

    /// The trail is the beginning of this, or all of it.
    pub(super) fn begins(&self, trail: &Trail<'_>) -> bool {
        self.0.len() >= trail.ran.len()
            && self
                .0
                .iter()
                .zip(&trail.ran)
                .all(|(step, ran)| step.matches(ran))
    }

    /// The trail is this.
    pub(super) fn matches(&self, trail: &Trail<'_>) -> bool {
        self.0.len() == trail.ran.len() && self.begins(trail)
    }

    /// This is the beginning of the trail, or all of it.
    pub(super) fn is_begun_by(&self, trail: &Trail<'_>) -> bool {
        self.0.len() <= trail.ran.len()
            && self
                .0
                .iter()
                .zip(&trail.ran)
                .all(|(step, ran)| step.matches(ran))
    }

    /// A chain of which both are part.
    #[must_use]
    pub fn join(&self, other: &Self) -> Option<Self> {
        if self.0.len() != other.0.len() {
            return None;
        }
        let pairs = self.0.iter().zip(&other.0);
        let steps: Option<_> = pairs.map(|(a, b)| a.join(b)).collect();
        steps.map(Self)
    }

    /// Whatever `other` stands for begins what this stands for.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.0.len() >= other.0.len()
            && self
                .0
                .iter()
                .zip(&other.0)
                .all(|(a, b)| a.join(b).as_ref() == Some(a))
    }

    /// What chains that can be joined share.
    pub(super) fn shape(&self) -> String {
        let mut shape = String::new();
        for step in &self.0 {
            step.shape(&mut shape);
        }
        shape
    }

    /// Where the trail first differs, and after how many steps.
    pub(super) fn difference(&self, trail: &Trail<'_>) -> (usize, String) {
        let pairs = self.0.iter().zip(&trail.ran).enumerate();
        for (index, (step, ran)) in pairs {
            if let Some(difference) = step.difference(ran) {
                return (index, difference);
            }
        }
        let next = trail.ran.get(self.0.len());
        let difference = next.map_or_else(String::new, |ran| format!("{} ran after it", ran.exe()));
        (self.0.len(), difference)
    }

    /// The first `count` steps have no placeholder.
    #[must_use]
    pub fn is_exact(&self, count: usize) -> bool {
        self.0.iter().take(count).all(Step::is_exact)
    }

    /// What a reviewer should look at, each once.
    #[must_use]
    pub fn reviews(&self) -> Vec<Review> {
        let mut reviews: Vec<_> = self.0.iter().flat_map(Step::reviews).collect();
        reviews.sort_unstable();
        reviews.dedup();
        reviews
    }
}

impl Trail<'_> {
    /// How many programs it has.
    pub(super) fn len(&self) -> usize {
        self.ran.len()
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(" -> ")?;
            }
            step.fmt(f)?;
        }
        Ok(())
    }
}
