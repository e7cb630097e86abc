//! What an act is set in, apart from when it happened and which processes took part: its
//! program, the service, the programs above it, the profile's word.
//!
//! Fields that are made of a setting depend on [`Grounds`] and on nothing else, and
//! verdicts are remembered on that: a setting must never be given more to look at than
//! [`Grounds::is_like`] compares.

use std::{
    borrow::Cow,
    cell::{Cell, OnceCell},
    sync::Arc,
};

use bstr::BStr;
use rsigma_eval::EventValue;

use super::{
    interactive,
    memo::is_same_program,
    preload,
    reading::{Reading, line},
    view::{Users, text},
};
use crate::{
    event::Program,
    lineage::{Act, Ancestor, Part, Service, Standing, Subject},
};

/// All that a [`Setting`] is made of. Everything in it is compared by
/// [`Grounds::is_like`].
#[derive(Clone, Copy)]
pub(super) struct Grounds<'s> {
    pub(super) users: &'s Arc<Users>,
    pub(super) program: &'s Arc<Program>,
    pub(super) own_image: bool,
    /// Real uid at the act.
    pub(super) uid: u32,
    pub(super) service: Option<&'s Arc<Service>>,
    pub(super) origin: Part,
    pub(super) depth: u32,
    pub(super) links: Links<'s>,
    pub(super) creator: Option<&'s Arc<Program>>,
    pub(super) previous: Option<&'s Arc<Program>>,
    pub(super) profile: Option<&'s Arc<Standing>>,
}

/// The processes from the root to the one that acts, without their ids.
#[derive(Clone, Copy)]
pub(super) struct Links<'s>(&'s [Ancestor]);

/// One of them.
#[derive(Clone, Copy)]
pub(super) struct Link<'s> {
    pub(super) program: Option<&'s Arc<Program>>,
    pub(super) chain: &'s [Arc<Program>],
    pub(super) part: Part,
}

impl<'s> Links<'s> {
    pub(super) const fn of(ancestors: &'s [Ancestor]) -> Self {
        Self(ancestors)
    }

    /// For who keeps them.
    pub(super) const fn ancestors(self) -> &'s [Ancestor] {
        self.0
    }

    fn iter(self) -> impl DoubleEndedIterator<Item = Link<'s>> + ExactSizeIterator {
        self.0.iter().map(|ancestor| Link {
            program: ancestor.program.as_ref(),
            chain: &ancestor.chain,
            part: ancestor.part,
        })
    }
}

impl<'s> Link<'s> {
    fn programs(self) -> impl Iterator<Item = &'s Arc<Program>> {
        self.chain.iter().chain(self.program)
    }
}

impl<'s> Grounds<'s> {
    pub(super) fn of(subject: &'s Subject, users: &'s Arc<Users>) -> Self {
        let uid = match &subject.act {
            Act::Exec | Act::Outlive | Act::Lose(_) => subject.program.cred.uid,
            Act::File(file) => file.uid,
            Act::Socket(socket) => socket.uid,
        };
        Self {
            users,
            program: &subject.program,
            own_image: subject.own_image,
            uid,
            service: subject.service.as_ref(),
            origin: subject.origin,
            depth: subject.depth,
            links: Links::of(&subject.lineage.ancestors),
            creator: subject.creator.as_ref().and_then(|it| it.program.as_ref()),
            previous: subject.previous.as_ref(),
            profile: subject.profile.as_ref(),
        }
    }

    /// Settings on these and on those are the same to every field.
    ///
    /// Programs are the same when they are one, or when they are alike byte by byte, as
    /// [`is_same_program`] says. Names are taken apart so that none can be forgotten.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let Self {
            users,
            program,
            own_image,
            uid,
            service,
            origin,
            depth,
            links: Links(links),
            creator,
            previous,
            profile,
        } = *self;
        if (own_image, uid, origin, depth, links.len())
            != (
                other.own_image,
                other.uid,
                other.origin,
                other.depth,
                other.links.0.len(),
            )
            || !Arc::ptr_eq(users, other.users)
            || !alike(service, other.service, Service::eq)
            || !alike(profile, other.profile, Standing::eq)
        {
            return false;
        }
        let pairs = Pairs::default();
        let same = |one: &Arc<Program>, two: &Arc<Program>| pairs.same(one, two);
        let both = |one: Option<&Arc<Program>>, two: Option<&Arc<Program>>| match (one, two) {
            (Some(one), Some(two)) => same(one, two),
            (one, two) => one.is_none() && two.is_none(),
        };
        // The first and the last programs are asked about more than once, so those in the
        // middle of a lineage do not come between them.
        both(creator, other.creator)
            && both(previous, other.previous)
            && same(program, other.program)
            && self.links.iter().zip(other.links.iter()).all(|(one, two)| {
                let Link {
                    program,
                    chain,
                    part,
                } = one;
                part == two.part
                    && both(program, two.program)
                    && chain.len() == two.chain.len()
                    && chain.iter().zip(two.chain).all(|(one, two)| same(one, two))
            })
    }
}

fn alike<T>(one: Option<&Arc<T>>, two: Option<&Arc<T>>, eq: impl Fn(&T, &T) -> bool) -> bool {
    match (one, two) {
        (Some(one), Some(two)) => Arc::ptr_eq(one, two) || eq(one, two),
        (one, two) => one.is_none() && two.is_none(),
    }
}

/// Programs that turned out to be the same within one comparison, by their addresses: both
/// are borrowed until it ends. A program stands in more than one place of a setting.
#[derive(Default)]
struct Pairs {
    known: [Cell<(usize, usize)>; 3],
    next: Cell<usize>,
}

impl Pairs {
    fn same(&self, one: &Arc<Program>, two: &Arc<Program>) -> bool {
        if Arc::ptr_eq(one, two) {
            return true;
        }
        let pair = (Arc::as_ptr(one).addr(), Arc::as_ptr(two).addr());
        if self.known.iter().any(|known| known.get() == pair) {
            return true;
        }
        let same = is_same_program(one, two);
        if same && let Some(place) = self.known.get(self.next.get()) {
            place.set(pair);
            self.next.set((self.next.get() + 1) % self.known.len());
        }
        same
    }
}

/// See the module.
pub(super) struct Setting<'s> {
    grounds: Grounds<'s>,
    /// What the program tells by itself.
    pub(super) reading: Reading<'s>,
    parent_command_line: OnceCell<Option<String>>,
}

impl<'s> Setting<'s> {
    /// `reading` is that of the subject's program.
    pub(super) fn new(subject: &'s Subject, users: &'s Arc<Users>, reading: Reading<'s>) -> Self {
        Self {
            grounds: Grounds::of(subject, users),
            reading,
            parent_command_line: OnceCell::new(),
        }
    }

    pub(super) const fn grounds(&self) -> &Grounds<'s> {
        &self.grounds
    }

    pub(super) fn program(&self) -> &'s Program {
        self.grounds.program
    }

    /// Program of the process that forked this one, at that fork.
    pub(super) fn parent(&self) -> Option<&'s Program> {
        self.grounds.creator.map(|it| &**it)
    }

    /// What this process ran before.
    pub(super) fn previous(&self) -> Option<&'s Program> {
        self.grounds.previous.map(|it| &**it)
    }

    pub(super) fn service(&self) -> Option<&'s Service> {
        self.grounds.service.map(|it| &**it)
    }

    pub(super) fn profile(&self) -> Option<&'s Standing> {
        self.grounds.profile.map(|it| &**it)
    }

    /// Real uid at the act.
    pub(super) const fn uid(&self) -> u32 {
        self.grounds.uid
    }

    pub(super) const fn depth(&self) -> u32 {
        self.grounds.depth
    }

    /// Name of the user.
    pub(super) fn user(&self) -> Cow<'s, str> {
        let uid = self.uid();
        self.grounds
            .users
            .get(&uid)
            .map_or_else(|| uid.to_string().into(), |name| name.as_str().into())
    }

    /// Part from which the branch left the service.
    pub(super) fn origin(&self) -> Option<Part> {
        self.service().map(|_| self.grounds.origin)
    }

    /// The branch left the service through a process that serves requests.
    pub(super) fn worker(&self) -> Option<bool> {
        let origin = self.origin()?;
        Some(matches!(origin, Part::Worker | Part::Both))
    }

    /// Part that the process itself has in its service.
    pub(super) fn part(&self) -> Option<Part> {
        self.service()?;
        self.grounds.links.iter().next_back().map(|own| own.part)
    }

    pub(super) fn parent_command_line(&self) -> Option<&str> {
        self.parent_command_line
            .get_or_init(|| self.parent().map(line))
            .as_deref()
    }

    /// Images of every ancestor and of what this process ran before, root first, each once.
    pub(super) fn lineage(&self) -> Vec<EventValue<'s>> {
        let mut links = self.grounds.links.iter();
        let mut images: Vec<&'s [u8]> = Vec::with_capacity(links.len() + 1);
        let mut push = |program: &'s Program| {
            let path: &[u8] = &program.image.path;
            if !images.contains(&path) {
                images.push(path);
            }
        };
        if let Some(own) = links.next_back() {
            for link in links {
                link.programs().for_each(|program| push(program));
            }
            let earlier = own.chain.len().saturating_sub(1);
            own.chain
                .iter()
                .take(earlier)
                .for_each(|program| push(program));
        }
        if let Some(previous) = self.previous() {
            push(previous);
        }
        images.into_iter().map(text).collect()
    }

    /// Images this very process has exec'ed, the current one last.
    pub(super) fn chain(&self) -> Vec<EventValue<'s>> {
        let own = self.grounds.links.iter().next_back();
        let mut chain: Vec<_> = own
            .into_iter()
            .flat_map(|own| own.chain)
            .map(|p| text(&p.image.path))
            .collect();
        if chain.is_empty() {
            chain.push(text(&self.program().image.path));
        }
        chain
    }

    /// A process above this one runs, or ran, a program of one of these names.
    pub(super) fn has_ancestor(&self, names: &[&str]) -> bool {
        let links = self.grounds.links.iter().rev().skip(1);
        let mut programs = links.flat_map(Link::programs);
        programs.any(|program| is_one_of(program.image.name(), names))
    }

    /// Variables that load something, new in this exec.
    pub(super) fn preloads(&self) -> Vec<&'s BStr> {
        preload::added(self.program(), [self.parent(), self.previous()])
    }

    /// A shell that takes its commands from where a person, or a program in his place, can
    /// type them.
    pub(super) fn is_interactive_shell(&self) -> bool {
        let program = self.program();
        self.reading.is_shell()
            && (interactive::is_typed_into(program, self.reading.name().as_bytes())
                || self.has_terminal())
    }

    /// A terminal that the service itself does not have: one was made for this.
    fn has_terminal(&self) -> bool {
        let root = self.grounds.links.iter().next();
        let root = root.and_then(|root| root.program);
        self.service().is_some()
            && interactive::has_tty(self.program())
            && !root.is_some_and(|root| interactive::has_tty(root))
    }
}

pub(super) fn is_one_of(name: &[u8], list: &[&str]) -> bool {
    list.iter().any(|known| known.as_bytes() == name)
}
