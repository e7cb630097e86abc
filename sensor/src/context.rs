//! What the processes of services did before: the scripts that workers read, so that an
//! alert can name the page it came from.
//!
//! A hint, and said to be one: reads are recorded once a minute for each file and service,
//! and a page that `OPcache` has is not opened at all. PHP changes to the directory of the
//! page, which is why a script of the working directory is the better guess. Bounded; time
//! is that of the records.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};

use bstr::{BStr, BString, ByteSlice as _};
use sensor_common::watch::class;

use crate::{
    alert::{Script, ScriptSource},
    event::{File, FileAction, ProcessId, Written},
    lineage::{Act, Part, ServiceKind, Subject},
};

/// Workers whose reads are remembered.
pub const WORKERS: usize = 2_048;
/// Scripts remembered of one worker, the first of its burst apart.
const READS: usize = 3;
/// Longest path remembered, bytes.
const PATH: usize = 512;
/// A pause that ends a burst of reads: what comes after it is another request, ns. A
/// shorter one does when the worker has started a program meanwhile.
const PAUSE_NS: u64 = 200_000_000;
const SPAWN_PAUSE_NS: u64 = 10_000_000;
/// How long ago a script may have been read for the request at hand, ns.
const FRESH_NS: u64 = 10_000_000_000;

/// See the module.
#[derive(Debug, Default)]
pub struct Context {
    workers: HashMap<ProcessId, Reads>,
}

#[derive(Debug)]
struct Reads {
    /// First of the latest burst: the page itself, where the cache was cold.
    entry: Read,
    /// The latest, the newest last.
    latest: VecDeque<Read>,
    /// The worker has started a program since.
    spawned: bool,
}

#[derive(Clone, Debug)]
struct Read {
    path: BString,
    time_ns: u64,
    written: Option<Written>,
}

impl Reads {
    /// What comes at `now_ns` is for another request.
    fn ended(&self, now_ns: u64) -> bool {
        let pause = if self.spawned {
            SPAWN_PAUSE_NS
        } else {
            PAUSE_NS
        };
        now_ns.saturating_sub(self.last_ns()) >= pause
    }

    fn last_ns(&self) -> u64 {
        self.latest
            .back()
            .map_or(self.entry.time_ns, |read| read.time_ns)
    }
}

impl Context {
    /// Remembers what a worker read, and that it started a program.
    pub fn note(&mut self, subject: &Subject) {
        let file = match &subject.act {
            Act::File(file) => file,
            Act::Exec => {
                let creator = subject.creator.as_ref().map(|creator| creator.id);
                let reads = creator.and_then(|creator| self.workers.get_mut(&creator));
                return reads.into_iter().for_each(|reads| reads.spawned = true);
            }
            Act::Socket(_) | Act::Outlive | Act::Lose(_) => return,
        };
        let own = subject.lineage.ancestors.last();
        let is_worker = own.is_some_and(|own| matches!(own.part, Part::Worker | Part::Both));
        let kind = subject.service.as_ref().map(|service| service.kind);
        if is_worker && kind.is_some_and(|kind| is_page(kind, file)) {
            let read = Read {
                path: file.path.clone(),
                time_ns: subject.stamp.time_ns,
                written: file.written,
            };
            self.read(subject.process, read);
        }
    }

    fn read(&mut self, worker: ProcessId, read: Read) {
        if let Some(reads) = self.workers.get_mut(&worker) {
            if reads.ended(read.time_ns) {
                reads.entry = read.clone();
                reads.spawned = false;
            }
            reads.latest.push_back(read);
            if reads.latest.len() > READS {
                reads.latest.pop_front();
            }
            return;
        }
        if self.workers.len() >= WORKERS {
            let all = self.workers.iter();
            let oldest = all.min_by_key(|(id, reads)| (reads.last_ns(), **id));
            if let Some(oldest) = oldest.map(|(id, _)| *id) {
                self.workers.remove(&oldest);
            }
        }
        let reads = Reads {
            entry: read.clone(),
            latest: [read].into(),
            spawned: false,
        };
        self.workers.insert(worker, reads);
    }

    /// The script behind an act, as far as it can be told.
    #[must_use]
    pub fn script(&self, subject: &Subject) -> Option<Script> {
        let kind = subject.service.as_ref()?.kind;
        if let Some(path) = request_script(subject) {
            return Some(Script {
                path,
                source: ScriptSource::Environment,
                age_ns: None,
                written: None,
            });
        }
        let mut serving = subject.lineage.ancestors.iter().rev();
        let worker = serving.find(|ancestor| ancestor.part != Part::Descendant)?;
        let left = changes_directory(kind) && worker.id != subject.process;
        let directory = left.then(|| directory(subject));
        let directory = directory.filter(|it| !it.is_empty());
        let now_ns = subject.stamp.time_ns;
        if let Some((read, source)) = self.best(worker.id, directory.map(|it| it.as_bytes())) {
            let age_ns = now_ns.saturating_sub(read.time_ns);
            let source = if age_ns > FRESH_NS {
                ScriptSource::LastRead
            } else {
                source
            };
            return Some(Script {
                path: read.path.clone(),
                source,
                age_ns: Some(age_ns),
                written: read.written.map(|written| Written {
                    age_ns: written.age_ns.saturating_add(age_ns),
                    ..written
                }),
            });
        }
        Some(Script {
            path: directory?.to_owned(),
            source: ScriptSource::Directory,
            age_ns: None,
            written: None,
        })
    }

    fn best(&self, worker: ProcessId, directory: Option<&[u8]>) -> Option<(&Read, ScriptSource)> {
        let reads = self.workers.get(&worker)?;
        let here =
            |read: &&Read| directory.is_some_and(|directory| parent(&read.path) == directory);
        let newest_first = reads.latest.iter().rev();
        let in_place = std::iter::once(&reads.entry)
            .chain(newest_first.clone())
            .find(here);
        in_place
            .map(|read| (read, ScriptSource::Read))
            .or_else(|| Some((reads.latest.back()?, ScriptSource::LastRead)))
    }
}

/// Where the first process below the worker began: that was still the page's directory.
fn directory(subject: &Subject) -> &BStr {
    let mut above = subject.lineage.ancestors.iter().rev();
    let left = above
        .by_ref()
        .take_while(|ancestor| ancestor.part == Part::Descendant);
    let first = left.last().and_then(|first| first.chain.first());
    let program = first.map_or(&subject.program, |program| program);
    program.cwd.as_bstr()
}

/// `path` without its last component.
fn parent(path: &[u8]) -> &[u8] {
    let slash = path.iter().rposition(|&byte| byte == b'/');
    path.get(..slash.unwrap_or_default()).unwrap_or_default()
}

/// A read of a script that may be what a request asked for.
fn is_page(kind: ServiceKind, file: &File) -> bool {
    if file.action != FileAction::Read || file.class & class::SCRIPT == 0 || file.path.len() > PATH
    {
        return false;
    }
    match kind {
        ServiceKind::Java => [".jsp", ".jspx"]
            .iter()
            .any(|end| file.path.to_ascii_lowercase().ends_with(end.as_bytes())),
        kind => changes_directory(kind),
    }
}

/// The service runs PHP, which changes to the directory of the page.
const fn changes_directory(kind: ServiceKind) -> bool {
    use ServiceKind::{Apache, Litespeed, Php, PhpCgi, PhpFpm, Unit};
    matches!(kind, Apache | Litespeed | Php | PhpCgi | PhpFpm | Unit)
}

/// `SCRIPT_FILENAME` of the nearest process that has one.
fn request_script(subject: &Subject) -> Option<BString> {
    let value = subject.variable("SCRIPT_FILENAME")?;
    (!value.is_empty() && value.len() <= 8 * PATH).then(|| value.to_owned())
}
