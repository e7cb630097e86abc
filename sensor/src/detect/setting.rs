//! What an act is set in, apart from when it happened and which processes took part: its
//! program, the service, the programs above it, the profile's word.
//!
//! Fields that are made of a setting depend on [`Grounds`] and on nothing else, and
//! verdicts are remembered on that: a setting must never be given more to look at than
//! [`Grounds`] compares.

use std::{borrow::Cow, cell::OnceCell, num::NonZeroU64, sync::Arc};

use bstr::BStr;
use rsigma_eval::EventValue;

use super::{
    interactive, preload,
    reading::{Reading, line},
    view::{Users, text},
};
use crate::{
    event::{Program, pair},
    lineage::{Act, Ancestor, Part, Service, Standing, Subject},
};

/// All that a [`Setting`] is made of. Settings on two of these are the same to every field
/// when [`Grounds::write`] gives the same and [`Grounds::is_like`] says so: whatever is in
/// here must be in one of them.
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

    /// A process above the last runs, or ran, a program of one of these names.
    pub(super) fn have_above(self, names: &[&str]) -> bool {
        let above = self.iter().rev().skip(1);
        let mut programs = above.flat_map(Link::programs);
        programs.any(|program| is_one_of(program.image.name(), names))
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
    #[inline]
    pub(super) fn of(subject: &'s Subject, users: &'s Arc<Users>) -> Self {
        Self {
            users,
            program: &subject.program,
            own_image: subject.own_image,
            uid: uid(subject),
            service: subject.service.as_ref(),
            origin: subject.origin,
            depth: subject.depth,
            links: Links::of(&subject.lineage.ancestors),
            creator: subject.creator.as_ref().and_then(|it| it.program.as_ref()),
            previous: subject.previous.as_ref(),
            profile: subject.profile.as_ref(),
        }
    }

    /// Appends all of these but users, service and profile as numbers: two have the same
    /// when programs, parts and the like are, and no list of them begins as another does.
    /// `None` when a program has no number.
    ///
    /// Programs have the number of their kind ([`Program::kin`]). Names are taken apart so
    /// that none can be forgotten.
    #[inline]
    pub(super) fn write(&self, numbers: &mut Vec<u64>) -> Option<()> {
        let Self {
            users: _,
            program,
            own_image,
            uid,
            service: _,
            origin,
            depth,
            links: Links(links),
            creator,
            previous,
            profile: _,
        } = *self;
        let flags = u64::from(own_image) << 8 | origin as u64;
        numbers.extend_from_slice(&[
            pair(uid, depth),
            (links.len() as u64) << 16 | flags,
            number(program)?,
            perhaps(creator)?,
            perhaps(previous)?,
        ]);
        for link in self.links.iter() {
            let Link {
                program,
                chain,
                part,
            } = link;
            let own = perhaps(program)?;
            // What a process runs is mostly all that it has exec'ed: one number, then.
            let is_all = match (program, chain) {
                (Some(program), [only]) => Arc::ptr_eq(program, only) || number(only)? == own,
                _ => false,
            };
            let parts = u64::from(is_all) << 8 | part as u64;
            numbers.push(own << 16 | parts);
            if !is_all {
                numbers.push(chain.len() as u64);
                for each in chain {
                    numbers.push(number(each)?);
                }
            }
        }
        Some(())
    }

    /// The rest of them are the same to every field.
    #[inline]
    pub(super) fn is_like(&self, other: &Rest) -> bool {
        Arc::ptr_eq(self.users, &other.users)
            && alike(self.service, other.service.as_ref())
            && alike(self.profile, other.profile.as_ref())
    }

    pub(super) fn rest(&self) -> Rest {
        Rest {
            users: Arc::clone(self.users),
            service: self.service.cloned(),
            profile: self.profile.cloned(),
        }
    }
}

/// What of [`Grounds`] is no number, kept.
pub(super) struct Rest {
    users: Arc<Users>,
    pub(super) service: Option<Arc<Service>>,
    pub(super) profile: Option<Arc<Standing>>,
}

/// That of a program's kind, less than 2^48.
#[inline]
fn number(program: &Program) -> Option<u64> {
    let kin = program.kin().map(NonZeroU64::get);
    kin.filter(|kin| kin >> 48 == 0)
}

/// 0 for none, which no kind has.
#[inline]
fn perhaps(program: Option<&Arc<Program>>) -> Option<u64> {
    match program {
        Some(program) => number(program),
        None => Some(0),
    }
}

#[inline]
fn alike<T: PartialEq>(one: Option<&Arc<T>>, two: Option<&Arc<T>>) -> bool {
    match (one, two) {
        (Some(one), Some(two)) => Arc::ptr_eq(one, two) || **one == **two,
        (one, two) => one.is_none() && two.is_none(),
    }
}

/// Real uid at an act.
#[inline]
pub(super) fn uid(subject: &Subject) -> u32 {
    match &subject.act {
        Act::Exec | Act::Outlive | Act::Lose(_) => subject.program.cred.uid,
        Act::File(file) => file.uid,
        Act::Socket(socket) => socket.uid,
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
        self.grounds.links.have_above(names)
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
