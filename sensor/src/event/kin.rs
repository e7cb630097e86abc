//! Programs that are alike, told by a number.
//!
//! A host runs the same commands all day, and of each exec a program is made anew. Two of
//! them are alike when they differ in nothing but what differs from one start of the same
//! command to the next ([`Program::is_like`]). [`Kinds`] compares each program once with
//! one like it, byte by byte, and gives both the same number; a number is given to nothing
//! else, in no table and at no time, so that afterwards two numbers tell what the bytes
//! would.
//!
//! A number holds for the program it was given to, where that lies: a copy has none, and
//! what was moved has lost it. Behind an [`Arc`] that is numbered nothing can be changed
//! in place, since a [`Weak`] stands beside it.

use std::{
    fmt,
    hash::{BuildHasher, Hasher as _},
    num::NonZeroU64,
    ptr,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use bstr::BString;
use lru::LruCache;

use super::{Args, Credentials, Faults, Fd, Image, Program};

/// Kinds of programs kept: a busy host has some hundred.
const KINDS: usize = 4_096;

/// Bytes kept of one program of each kind.
const BYTES: usize = 4 << 20;

/// The number of a program, once it has one. No part of what the program is: all of them
/// are equal, and none is recorded.
#[derive(Default)]
pub struct Kin(OnceLock<Known>);

struct Known {
    /// The program itself.
    own: Weak<Program>,
    number: NonZeroU64,
}

impl Clone for Kin {
    /// None: the copy can be changed.
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Kin {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Kin {}

impl fmt::Debug for Kin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kin")
    }
}

impl Program {
    /// The number of its kind: programs with the same are alike. Those with different ones
    /// may be, and so may those that have none.
    #[must_use]
    #[inline]
    pub fn kin(&self) -> Option<NonZeroU64> {
        let known = self.kin.0.get()?;
        ptr::eq(known.own.as_ptr(), self).then_some(known.number)
    }

    /// The two differ in nothing but what differs from one start of the same command to
    /// the next.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        self.likeness() == other.likeness()
    }

    /// All that programs which are alike agree in, and a field of a rule may be made of.
    ///
    /// What is left out (`_`) differs from one start of the same command to the next; no
    /// field may read it on the ground that programs are alike: a test of the memo of
    /// verdicts changes it, and the fields stay as they are.
    #[inline]
    pub(crate) fn likeness(&self) -> Likeness<'_> {
        let Self {
            time_ns: _,
            source: _,
            image,
            filename,
            interp,
            args,
            cwd,
            cred,
            ns: _,
            cgroup: _,
            stdio,
            env,
            written: _,
            faults,
            kin: _,
        } = self;
        Likeness {
            image: image.numbers(),
            cred: cred.numbers(),
            stdio: *stdio,
            faults: *faults,
            args,
            texts: [&image.path, filename, interp, cwd],
            env,
        }
    }

    /// A hash in which programs that are alike agree, and others hardly.
    fn digest(&self, hasher: &impl BuildHasher) -> u64 {
        let numbers = self.image.numbers().into_iter().chain(self.cred.numbers());
        let stdio = self.stdio.map(|fd| fd as u32);
        let stdio = stdio.into_iter().fold(0, |all, fd| all << 8 | fd);
        let Args {
            argc,
            total,
            truncated,
            ..
        } = self.args;
        let args = [pair(argc, truncated.into()), total];
        let numbers = numbers.chain([pair(stdio, self.faults.0)]).chain(args);
        let folded = numbers.fold(self.filename.len() as u64, |folded, number| {
            (folded.rotate_left(23) ^ number).wrapping_mul(FOLD)
        });
        let mut hasher = hasher.build_hasher();
        hasher.write_u64(folded);
        hasher.write(&self.image.path);
        for argument in &self.args.head {
            hasher.write(argument);
        }
        hasher.write(&self.cwd);
        for (_, value) in &self.env {
            hasher.write(value);
        }
        hasher.finish()
    }

    /// What it takes, bytes, about.
    pub(crate) fn weight(&self) -> usize {
        /// What a vector takes beside its bytes, with what the allocator adds.
        const VECTOR: usize = size_of::<Vec<u8>>() + 16;
        let Self {
            image,
            filename,
            interp,
            args,
            cwd,
            cgroup,
            env,
            ..
        } = self;
        let texts = [&image.path, filename, interp, cwd, &cgroup.path];
        let variables = env.iter().flat_map(|(name, value)| [name, value]);
        let vectors = args.head.iter().chain(&args.tail).chain(variables);
        let vectors = vectors.map(|it| VECTOR + it.len());
        let texts = texts.map(|it| it.len() + 16);
        size_of::<Self>() + texts.into_iter().sum::<usize>() + vectors.sum::<usize>()
    }
}

/// See [`Program::likeness`].
#[derive(PartialEq, Eq)]
pub(crate) struct Likeness<'p> {
    /// [`Image::numbers`].
    pub(crate) image: [u64; 6],
    /// [`Credentials::numbers`].
    pub(crate) cred: [u64; 4],
    pub(crate) stdio: [Fd; 3],
    pub(crate) faults: Faults,
    pub(crate) args: &'p Args,
    /// Executable, the name given to exec, interpreter, working directory.
    pub(crate) texts: [&'p BString; 4],
    pub(crate) env: &'p [(BString, BString)],
}

/// Odd, its bits in no order: spreads what it is multiplied with.
pub(crate) const FOLD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Two numbers as one.
pub(crate) fn pair(high: u32, low: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

impl Image {
    /// All that programs which are alike agree in, but for the path.
    pub(crate) fn numbers(&self) -> [u64; 6] {
        let Self {
            path: _,
            file,
            size,
            nlink,
            mode,
            owner,
            group,
            ctime_ns: _,
            upper,
            unlinked,
        } = self;
        let upper = upper.map_or(2, u32::from);
        [
            file.ino,
            pair(file.dev, *nlink),
            *size,
            pair(*mode, *owner),
            pair(*group, upper),
            u64::from(*unlinked),
        ]
    }
}

impl Credentials {
    /// All that programs which are alike agree in.
    pub(crate) fn numbers(&self) -> [u64; 4] {
        let Self {
            uid,
            gid,
            euid,
            egid,
            login_uid,
            session_id: _,
        } = self;
        [
            pair(*uid, *gid),
            pair(*euid, *egid),
            u64::from(login_uid.is_some()),
            login_uid.map_or(0, u64::from),
        ]
    }
}

/// One program of each kind that was seen of late. Bounded in number and bytes; what was
/// not seen longest goes first, and comes back under another number.
pub(crate) struct Kinds {
    known: LruCache<u64, Kind, foldhash::fast::FixedState>,
    hasher: foldhash::fast::RandomState,
    bytes: usize,
}

struct Kind {
    like: Arc<Program>,
    number: NonZeroU64,
    weight: usize,
}

impl Default for Kinds {
    fn default() -> Self {
        Self {
            known: LruCache::unbounded_with_hasher(foldhash::fast::FixedState::default()),
            hasher: foldhash::fast::RandomState::default(),
            bytes: 0,
        }
    }
}

impl Kinds {
    /// Gives a program the number of those like it, or a new one.
    pub(crate) fn enter(&mut self, program: &Arc<Program>) {
        if program.kin.0.get().is_some() {
            return;
        }
        let hash = program.digest(&self.hasher);
        let known = self.known.get(&hash);
        let number = match known.filter(|known| known.like.is_like(program)) {
            Some(known) => known.number,
            None => self.begin(hash, program),
        };
        program.kin.0.get_or_init(|| Known {
            own: Arc::downgrade(program),
            number,
        });
    }

    fn begin(&mut self, hash: u64, program: &Arc<Program>) -> NonZeroU64 {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let number = NonZeroU64::MIN.saturating_add(LAST.fetch_add(1, Ordering::Relaxed));
        let kind = Kind {
            like: Arc::clone(program),
            number,
            weight: program.weight(),
        };
        self.bytes += kind.weight;
        if let Some(old) = self.known.put(hash, kind) {
            self.bytes = self.bytes.saturating_sub(old.weight);
        }
        while self.bytes > BYTES || self.known.len() > KINDS {
            let Some((_, old)) = self.known.pop_lru() else {
                break;
            };
            self.bytes = self.bytes.saturating_sub(old.weight);
        }
        number
    }
}

impl fmt::Debug for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kinds({}, {} bytes)", self.known.len(), self.bytes)
    }
}

#[cfg(test)]
mod tests;
