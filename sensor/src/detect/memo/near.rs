//! What comes again and again, found without a key being written.
//!
//! Stands before the verdicts by key and never knows more than they do. An entry holds
//! what its act was set in ([`Grounds`]): programs above it and its service are mostly the
//! very ones that the tree holds, which one look at their addresses tells, and as the
//! entry keeps them they cannot have become others. What is not the same object is
//! compared byte by byte. The fields that depend on more than that (time, processes,
//! earlier acts) are few, and an entry holds their values. The hash only finds the entry.
//!
//! Bounded in entries and bytes, all programs that an entry keeps alive counted.

use std::{
    hash::{BuildHasher as _, BuildHasherDefault, Hasher},
    mem::size_of,
    sync::Arc,
};

use lru::LruCache;

use super::{Basis, Verdict, key};
use crate::{
    detect::{
        past::Past,
        setting::{Grounds, Links},
        view::{Users, View},
    },
    event::Program,
    lineage::{Ancestor, Part, Service, Standing},
};

/// Entries kept.
pub(super) const ENTRIES: usize = 2_048;

/// Programs that an entry may keep alive; with more, its act is no common one.
const PROGRAMS: usize = 64;

/// See the module.
pub(super) struct Near {
    entries: LruCache<u64, Entry, BuildHasherDefault<Hashed>>,
    hasher: foldhash::fast::RandomState,
    bytes: usize,
    /// Most bytes; none at all when 0.
    bound: usize,
    /// What was asked for: its hash, and the values of its fleeting fields.
    hash: u64,
    fleeting: Vec<u8>,
}

/// The place of a hash is the hash.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("the keys are numbers")
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

struct Entry {
    of: u16,
    past: Past,
    fleeting: Box<[u8]>,
    kept: Kept,
    verdict: Verdict,
    cost: usize,
}

/// [`Grounds`], kept alive.
struct Kept {
    users: Arc<Users>,
    program: Arc<Program>,
    own_image: bool,
    uid: u32,
    service: Option<Arc<Service>>,
    origin: Part,
    depth: u32,
    links: Box<[Ancestor]>,
    creator: Option<Arc<Program>>,
    previous: Option<Arc<Program>>,
    profile: Option<Arc<Standing>>,
}

impl Kept {
    fn of(grounds: &Grounds<'_>) -> Self {
        let Grounds {
            users,
            program,
            own_image,
            uid,
            service,
            origin,
            depth,
            links,
            creator,
            previous,
            profile,
        } = *grounds;
        Self {
            users: Arc::clone(users),
            program: Arc::clone(program),
            own_image,
            uid,
            service: service.cloned(),
            origin,
            depth,
            links: links.ancestors().into(),
            creator: creator.cloned(),
            previous: previous.cloned(),
            profile: profile.cloned(),
        }
    }

    fn grounds(&self) -> Grounds<'_> {
        Grounds {
            users: &self.users,
            program: &self.program,
            own_image: self.own_image,
            uid: self.uid,
            service: self.service.as_ref(),
            origin: self.origin,
            depth: self.depth,
            links: Links::of(&self.links),
            creator: self.creator.as_ref(),
            previous: self.previous.as_ref(),
            profile: self.profile.as_ref(),
        }
    }
}

impl Near {
    pub(super) fn new(bound: usize) -> Self {
        Self {
            entries: LruCache::unbounded_with_hasher(BuildHasherDefault::default()),
            hasher: foldhash::fast::RandomState::default(),
            bytes: 0,
            bound,
            hash: 0,
            fleeting: Vec::new(),
        }
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The verdict on an act that is known; what was asked for is remembered for
    /// [`Near::keep`].
    pub(super) fn get(&mut self, of: u16, basis: &Basis, view: &View<'_>) -> Option<Verdict> {
        self.fleeting.clear();
        basis.write_fleeting(view, &mut self.fleeting);
        let grounds = view.setting.grounds();
        let past = view.past();
        self.hash = self.hash(of, past, grounds);
        let entry = self.entries.get(&self.hash)?;
        let same = entry.of == of
            && entry.past == *past
            && *entry.fleeting == *self.fleeting
            && entry.kept.grounds().is_like(grounds);
        same.then(|| Verdict::clone(&entry.verdict))
    }

    /// What differs most between acts; anything may be left out.
    fn hash(&self, of: u16, past: &Past, grounds: &Grounds<'_>) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        let (program, creator) = (grounds.program, grounds.creator);
        let above = creator.map_or(0, |it| it.image.file.ino);
        let service = grounds.service.map_or(0, |it| it.id.start_ns);
        hasher.write_u64(program.image.file.ino ^ above.rotate_left(32));
        hasher.write_u64(service ^ u64::from(of) << 48 ^ u64::from(grounds.depth) << 32);
        hasher.write_u64(program.args.total << 32 | u64::from(program.cred.uid));
        for argument in &program.args.head {
            hasher.write(argument);
        }
        hasher.write(&program.cwd);
        for (_, value) in &program.env {
            hasher.write(value);
        }
        let recon = past.recon.map_or(0, |tools| tools << 2 | 1);
        hasher.write_u32(recon | u32::from(past.is_reparented) << 1);
        if !self.fleeting.is_empty() {
            hasher.write(&self.fleeting);
        }
        hasher.finish()
    }

    /// Enters the verdict on the act that was just asked for.
    pub(super) fn keep(&mut self, of: u16, view: &View<'_>, verdict: &Verdict) {
        let grounds = view.setting.grounds();
        let Some(cost) = cost(grounds, verdict).map(|it| it + self.fleeting.len()) else {
            return;
        };
        if cost > self.bound {
            return;
        }
        let entry = Entry {
            of,
            past: *view.past(),
            fleeting: self.fleeting.as_slice().into(),
            kept: Kept::of(grounds),
            verdict: Arc::clone(verdict),
            cost,
        };
        self.bytes += cost;
        if let Some(old) = self.entries.put(self.hash, entry) {
            self.bytes = self.bytes.saturating_sub(old.cost);
        }
        while self.bytes > self.bound || self.entries.len() > ENTRIES {
            let Some((_, old)) = self.entries.pop_lru() else {
                break;
            };
            self.bytes = self.bytes.saturating_sub(old.cost);
        }
    }
}

/// What an entry keeps alive, bytes, about: programs in full, whoever else holds them;
/// `None` when they are too many.
fn cost(grounds: &Grounds<'_>, verdict: &Verdict) -> Option<usize> {
    let mut programs: Vec<&Arc<Program>> = Vec::new();
    let links = grounds.links.ancestors();
    let above = links
        .iter()
        .flat_map(|it| it.chain.iter().chain(&it.program));
    let own = [grounds.creator, grounds.previous].into_iter().flatten();
    for program in own.chain([grounds.program]).chain(above) {
        if programs.iter().any(|known| Arc::ptr_eq(known, program)) {
            continue;
        }
        if programs.len() >= PROGRAMS {
            return None;
        }
        programs.push(program);
    }
    let chains = links.iter().map(|it| size_of_val(it.chain.as_slice()));
    let service = grounds
        .service
        .map_or(0, |it| size_of::<Service>() + it.unit.len());
    let profile = grounds
        .profile
        .map_or(0, |it| size_of::<Standing>() + it.judgement.reason().len());
    Some(
        super::OVERHEAD
            + size_of::<Entry>()
            + super::texts(verdict)
            + service
            + profile
            + size_of_val(links)
            + chains.sum::<usize>()
            + programs.iter().map(|it| key::weight(it)).sum::<usize>(),
    )
}
