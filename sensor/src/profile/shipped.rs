//! Profiles that come with the sensor: behaviour that is harmless by construction, always
//! on, and that of products, each off until the configuration names it.
//!
//! Every chain stands there with command lines it must know and ones it must not; a test
//! and `profile check` run them.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::{
    chain::{Chain, Trail},
    lock::{StepForm, chain, nearest},
    table::Table,
};
use crate::{
    event::{Args, Image, Program},
    lineage::{Known, Part, ServiceKind},
};

macro_rules! shipped {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!("../../profiles/", $name, ".yml")))),+]
    };
}

/// Name and text of each; the first is always on.
const SHIPPED: &[(&str, &str)] = shipped![
    "base",
    "cacti",
    "cpanel",
    "drupal",
    "gitlab",
    "jenkins",
    "mediawiki",
    "nagios",
    "nextcloud",
    "plesk",
    "teamcity",
    "wordpress",
    "zabbix",
];

/// Programs that `/bin/sh` is, by path as the kernel resolves it.
const SHELLS: &[&str] = &[
    "/usr/bin/dash",
    "/usr/bin/bash",
    "/bin/busybox",
    "/bin/dash",
    "/bin/bash",
];

/// First arguments with which libraries start a shell.
const NAMES: &[&str] = &["sh", "/bin/sh"];

/// Most chains that one entry of a file may stand for.
const VARIANTS_MAX: usize = 256;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    title: String,
    /// Where its command lines are from.
    source: String,
    kinds: Vec<String>,
    chains: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    note: String,
    kinds: Option<Vec<String>>,
    #[serde(default)]
    master: bool,
    within: Option<u64>,
    steps: Vec<Form>,
    known: Vec<Vec<Vec<String>>>,
    unknown: Vec<Vec<Vec<String>>>,
}

/// One step for each way in which it is installed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    /// A command given to `/bin/sh -c`.
    shell: Option<String>,
    #[serde(default)]
    exe: Vec<String>,
    #[serde(default)]
    args: Vec<String>,
}

impl Form {
    fn variants(&self) -> Vec<StepForm> {
        let Some(command) = &self.shell else {
            let args = || self.args.clone();
            return self
                .exe
                .iter()
                .map(|exe| StepForm::new(exe, args()))
                .collect();
        };
        let all = SHELLS
            .iter()
            .flat_map(|exe| NAMES.iter().map(move |name| (exe, name)));
        all.map(|(exe, name)| {
            StepForm::new(
                exe,
                vec![(*name).to_owned(), "-c".to_owned(), command.clone()],
            )
        })
        .collect()
    }
}

/// A built-in profile, for lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    /// Name in the configuration.
    pub name: &'static str,
    /// What it is for.
    pub title: String,
    /// Where its command lines are from, and whether they were compared with that.
    pub source: String,
    /// What its chains are for.
    pub notes: Vec<String>,
    /// Command lines tried.
    pub examples: usize,
}

/// Names of the profiles that the configuration may name.
pub fn products() -> impl Iterator<Item = &'static str> {
    SHIPPED.iter().skip(1).map(|(name, _)| *name)
}

/// SHA-256 of all texts.
pub(super) fn hash() -> [u8; 32] {
    let mut hash = Sha256::new();
    for (name, text) in SHIPPED {
        hash.update(name);
        hash.update(text);
    }
    hash.finalize().into()
}

/// An entry: for which kinds, from which part, how long after the start.
#[derive(Debug)]
struct Allowed {
    profile: Arc<str>,
    kinds: Arc<[&'static str]>,
    master: bool,
    within_ns: Option<u64>,
    shown: Arc<str>,
}

/// The built-in profiles in force.
#[derive(Debug, Default)]
pub(super) struct Shipped(Table<Allowed>);

/// Where and when an exec happens, as far as built-in profiles ask.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scene {
    pub(super) kind: &'static str,
    pub(super) origin: Part,
    /// Since the service began.
    pub(super) age_ns: u64,
}

impl Shipped {
    /// The base and the named products.
    pub(super) fn new(named: &[String]) -> Self {
        let mut all = Self::default();
        for (index, (name, text)) in SHIPPED.iter().enumerate() {
            if index == 0 || named.iter().any(|product| product == name) {
                let read = all.take(name, text);
                debug_assert!(read.is_ok(), "{name}: {read:?}");
            }
        }
        all
    }

    fn take(&mut self, name: &str, text: &str) -> Result<(), String> {
        let file = parse(text)?;
        let profile: Arc<str> = format!("built-in profile {name}").into();
        for entry in &file.chains {
            let error = |error| format!("{}: {error}", entry.note);
            let kinds = kinds(entry.kinds.as_ref().unwrap_or(&file.kinds)).map_err(error)?;
            for chain in expand(entry).map_err(error)? {
                let allowed = Allowed {
                    profile: Arc::clone(&profile),
                    kinds: Arc::clone(&kinds),
                    master: entry.master,
                    within_ns: entry
                        .within
                        .map(|seconds| seconds.saturating_mul(1_000_000_000)),
                    shown: chain.to_string().into(),
                };
                self.0.push(chain, allowed);
            }
        }
        Ok(())
    }

    /// What is known of a trail.
    pub(super) fn known(&self, scene: Scene, trail: &Trail<'_>) -> Option<Known> {
        let master = scene.origin == Part::Master;
        let mut near = self.0.near(trail);
        let (_, (chain, allowed)) = near.find(|(_, (chain, allowed))| {
            allowed.kinds.contains(&scene.kind)
                && (master || !allowed.master)
                && allowed
                    .within_ns
                    .is_none_or(|within| scene.age_ns <= within)
                && chain.begins(trail)
        })?;
        Some(Known {
            profile: Arc::clone(&allowed.profile),
            chain: Arc::clone(&allowed.shown),
            exact: chain.is_exact(trail.len()),
        })
    }
}

fn parse(text: &str) -> Result<File, String> {
    yaml_serde::from_str(text).map_err(|error| nearest(&error.to_string()))
}

fn kinds(words: &[String]) -> Result<Arc<[&'static str]>, String> {
    let known = |word: &String| {
        let mut kinds = ServiceKind::ALL.iter().map(|kind| kind.name());
        kinds
            .find(|kind| kind == word)
            .ok_or_else(|| format!("`{word}` is no kind of server"))
    };
    words.iter().map(known).collect()
}

/// Every combination of the ways in which the steps are installed.
fn expand(entry: &Entry) -> Result<Vec<Chain>, String> {
    let mut rows: Vec<Vec<StepForm>> = vec![Vec::new()];
    for form in &entry.steps {
        let variants = form.variants();
        let extended = rows.iter().flat_map(|row| {
            variants.iter().map(move |variant| {
                let mut row = row.clone();
                row.push(variant.clone());
                row
            })
        });
        rows = extended.collect();
        if rows.len() > VARIANTS_MAX {
            return Err(format!("more than {VARIANTS_MAX} variants"));
        }
    }
    rows.iter().map(|row| chain(row)).collect()
}

/// Runs the examples of every built-in profile.
///
/// # Errors
/// What is wrong, one sentence each.
pub fn check() -> Result<Vec<Product>, Vec<String>> {
    let (mut products, mut problems) = (Vec::new(), Vec::new());
    for &(name, text) in SHIPPED {
        match parse(text) {
            Ok(file) => products.push(product(name, text, &file, &mut problems)),
            Err(error) => problems.push(format!("{name}: {error}")),
        }
    }
    if problems.is_empty() {
        Ok(products)
    } else {
        Err(problems)
    }
}

fn product(name: &'static str, text: &str, file: &File, problems: &mut Vec<String>) -> Product {
    let mut shipped = Shipped::default();
    if let Err(error) = shipped.take(name, text) {
        problems.push(format!("{name}: {error}"));
    }
    let mut examples = 0;
    for entry in &file.chains {
        examples += entry.known.len() + entry.unknown.len();
        let kinds = entry.kinds.as_ref().unwrap_or(&file.kinds);
        let wrong = wrong(&shipped, kinds, entry);
        problems.extend(wrong.map(|what| format!("{name}: {}: {what}", entry.note)));
    }
    Product {
        name,
        title: file.title.clone(),
        source: file.source.clone(),
        notes: file.chains.iter().map(|entry| entry.note.clone()).collect(),
        examples,
    }
}

/// What is wrong with the examples of an entry.
fn wrong(shipped: &Shipped, kinds: &[String], entry: &Entry) -> impl Iterator<Item = String> {
    let kind = kinds.first().and_then(|kind| super::Key::kind(kind));
    let scene = |age_ns| Scene {
        kind: kind.unwrap_or_default(),
        origin: [Part::Worker, Part::Master][usize::from(entry.master)],
        age_ns,
    };
    let lacking = entry.known.is_empty() || entry.unknown.is_empty();
    let mut wrong = Vec::new();
    wrong.extend(lacking.then(|| "needs examples of both kinds".to_owned()));
    for (number, lines, wanted) in numbered(entry) {
        let programs: Vec<_> = lines.iter().map(|line| program(line)).collect();
        let trail = Trail::of_programs(&programs);
        let known = |age| {
            let known = trail.as_ref().map(|trail| shipped.known(scene(age), trail));
            known.is_ok_and(|known| known.is_some())
        };
        if known(0) != wanted {
            let is = if wanted {
                "is not known"
            } else {
                "is known and should not be"
            };
            wrong.push(format!("example {number} {is}"));
        }
        if wanted && entry.within.is_some() && known(u64::MAX) {
            wrong.push(format!("example {number} is known for ever"));
        }
    }
    wrong.into_iter()
}

/// The examples of an entry, by number, and whether each is to be known.
fn numbered(entry: &Entry) -> impl Iterator<Item = (usize, &Vec<Vec<String>>, bool)> {
    let known = entry.known.iter().map(|lines| (lines, true));
    let unknown = entry.unknown.iter().map(|lines| (lines, false));
    known
        .chain(unknown)
        .enumerate()
        .map(|(index, (lines, wanted))| (index + 1, lines, wanted))
}

/// Executable, then argv.
fn program(line: &[String]) -> Program {
    let (exe, argv) = line
        .split_first()
        .map_or((String::new(), &[][..]), |(exe, argv)| (exe.clone(), argv));
    Program {
        image: Image {
            path: exe.into(),
            nlink: 1,
            mode: 0o100_755,
            ..Image::default()
        },
        args: Args {
            head: argv.iter().map(|arg| arg.as_str().into()).collect(),
            argc: u32::try_from(argv.len()).unwrap_or(u32::MAX),
            ..Args::default()
        },
        cwd: "/".into(),
        ..Program::default()
    }
}
