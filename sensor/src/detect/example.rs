//! Examples in rule files: their form, and how they are run.
//!
//! ```yaml
//! examples:
//!   firing:
//!     - note: system() in a PHP page
//!       service: php-fpm              # nginx, apache, php-fpm, java, none
//!       image: /usr/bin/dash
//!       argv: [sh, -c, id]
//!     - note: move_uploaded_file()
//!       target: {action: rename, path: /var/www/html/x.php, old: /tmp/phpAbCdEf}
//! ```
//! Every other key has a default: see [`Example`]. For rules' authors and tests only.

use std::{collections::BTreeMap, sync::Arc};

use serde::Deserialize;

use super::{
    detector::{Detector, Fact, Match, Request},
    masquerade::KnownShell,
};
use crate::{
    event::FileId,
    lineage::{Judgement, Known, Mode, Standing},
};

/// Examples of one rule.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Examples {
    /// The rule must match each of these.
    pub(super) firing: Vec<Example>,
    /// And none of these.
    pub(super) silent: Vec<Example>,
}

/// One act and what is around it: an exec, unless `target` or `connect` is given.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "keys of an act, each by itself"
)]
pub(super) struct Example {
    /// What it stands for.
    pub(super) note: String,
    /// Kind of service, `php-fpm` by default, `none` outside every service.
    pub(super) service: Option<String>,
    /// `edge` for nginx, else `app`.
    pub(super) role: Option<String>,
    /// Part that left the service: `both` for java, else `worker`.
    pub(super) origin: Option<String>,
    /// systemd unit.
    pub(super) unit: String,
    /// Root first, without the process itself: master and worker by default.
    pub(super) lineage: Vec<Link>,
    /// Images this process exec'ed earlier.
    pub(super) before: Vec<String>,
    /// The executable. Of an act other than an exec: the last of `lineage` acts itself
    /// when there is none.
    pub(super) image: String,
    /// The image alone by default.
    pub(super) argv: Vec<String>,
    /// The middle of argv is missing.
    pub(super) truncated: bool,
    /// `#!` script as typed.
    pub(super) script: Option<String>,
    /// `/` by default.
    pub(super) cwd: Option<String>,
    /// The beginning of `cwd` is missing.
    pub(super) cwd_cut: bool,
    pub(super) uid: u32,
    /// The same as `uid` by default.
    pub(super) euid: Option<u32>,
    pub(super) env: BTreeMap<String, String>,
    /// Words of [`Fd::name`] for 0, 1, 2.
    pub(super) stdio: Vec<String>,
    pub(super) file: File,
    /// The image is the service's by default.
    pub(super) own_image: Option<bool>,
    /// Who wrote the script it runs.
    pub(super) script_written: Writer,
    /// Its creator has ended, and init is its parent.
    pub(super) orphan: bool,
    /// Milliseconds since it was forked.
    pub(super) alive: u64,
    /// An act on a file.
    pub(super) target: Option<Target>,
    /// A connect.
    pub(super) connect: Option<Connect>,
    /// It still runs, long after what spawned its branch.
    pub(super) outlives: bool,
    /// This many records are missing.
    pub(super) loses: u64,
    /// Seconds before the example itself.
    pub(super) ago: u64,
    /// How it stands to the profile of its service.
    pub(super) profile: Option<Profile>,
    /// Rules that keep it as a context; for tests of the whole set.
    pub(super) low: Vec<String>,
    /// What the detector was shown before.
    pub(super) earlier: Vec<Example>,
}

/// How an exec stands to a profile: words of [`crate::lineage::Standing`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Profile {
    pub(super) mode: String,
    pub(super) judgement: String,
    pub(super) first: bool,
}

impl Profile {
    pub(super) fn standing(&self) -> Result<Standing, String> {
        let known = || Known {
            profile: "lineage.lock".into(),
            chain: "".into(),
            exact: false,
        };
        let judgements = [
            Judgement::Known(known()),
            Judgement::Unknown(String::new()),
            Judgement::Expired(String::new()),
            Judgement::Refused("", String::new()),
        ];
        let modes = [Mode::Off, Mode::Learn, Mode::Shadow, Mode::Alert];
        let mut judgements = judgements.into_iter();
        let judgement = judgements.find(|it| it.name() == self.judgement);
        Ok(Standing {
            mode: *modes
                .iter()
                .find(|mode| mode.name() == self.mode)
                .ok_or_else(|| format!("mode `{}`", self.mode))?,
            judgement: judgement.ok_or_else(|| format!("judgement `{}`", self.judgement))?,
            first: self.first,
        })
    }
}

/// Who wrote a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Writer {
    /// No service, as far as is known.
    #[default]
    None,
    /// The service itself.
    Same,
    /// Another one.
    Other,
}

/// The file acted on. Paths may hold escapes: `\xff`, `\n`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "keys of a file, each by itself"
)]
pub(super) struct Target {
    /// Word of `Target.Action`, `write` by default.
    pub(super) action: Option<String>,
    pub(super) path: String,
    /// Old name, or target of a symbolic link.
    pub(super) old: Option<String>,
    /// Made by this very open.
    pub(super) created: bool,
    /// Opened for reading too.
    pub(super) update: bool,
    pub(super) mode: Option<u32>,
    pub(super) owner: u32,
    pub(super) size: u64,
    pub(super) links: Option<u32>,
    pub(super) written: Writer,
    /// Seconds since it was written.
    pub(super) age: u64,
    pub(super) watched: bool,
    /// Joined as typed, not the kernel's.
    pub(super) joined: bool,
    pub(super) uring: bool,
    pub(super) attempt: bool,
    /// The beginning of the path is missing.
    pub(super) cut: bool,
}

/// The other end.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Connect {
    pub(super) ip: String,
    pub(super) port: u16,
    /// `tcp` by default, or `udp`.
    pub(super) protocol: Option<String>,
    pub(super) fd: Option<u32>,
}

/// The executable file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_field_names, reason = "the keys read best as they are")]
pub(super) struct File {
    pub(super) owner: u32,
    pub(super) mode: Option<u32>,
    pub(super) size: Option<u64>,
    pub(super) links: Option<u32>,
    pub(super) unlinked: bool,
    pub(super) memfd: bool,
    /// The beginning of the path is missing.
    pub(super) cut: bool,
    pub(super) upper: Option<bool>,
    /// Who wrote it, and how many seconds ago.
    pub(super) written: Writer,
    pub(super) age: u64,
    /// The same file as this shell of [`shells`].
    pub(super) same_file: Option<String>,
    /// The same content in another file.
    pub(super) same_content: Option<String>,
}

/// An ancestor: an image, or an image with more.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Link {
    Image(String),
    Full {
        image: String,
        #[serde(default)]
        argv: Vec<String>,
        #[serde(default)]
        before: Vec<String>,
        /// It was forked and never exec'ed itself.
        #[serde(default)]
        forked: bool,
        #[serde(default)]
        uid: u32,
    },
}

/// The shells that examples may copy.
pub(super) fn shells() -> Vec<KnownShell> {
    let shell = |index: u8, path: &str, size| KnownShell {
        path: path.into(),
        file: FileId {
            dev: 1,
            ino: u64::from(index),
        },
        size,
        sha256: [index; 32],
    };
    vec![
        shell(1, "/usr/bin/dash", 125_688),
        shell(2, "/usr/bin/bash", 1_265_648),
        shell(3, "/usr/bin/busybox", 1_021_112),
    ]
}

impl Example {
    /// Shows the act to `detector`, which knows [`shells`], and answers what it asks.
    pub(super) fn run(&self, detector: &mut Detector) -> Result<Vec<Match>, String> {
        detector.forget();
        for earlier in &self.earlier {
            detector.evaluate(Arc::new(earlier.subject()?), 0);
        }
        let verdicts = detector.evaluate(Arc::new(self.subject()?), 0);
        let mut matches = verdicts.matches;
        for Request::Hash { process, file, .. } in verdicts.requests {
            let path = self
                .file
                .same_content
                .as_ref()
                .or(self.file.same_file.as_ref());
            let sha256 =
                path.map_or(Ok([0xff; 32]), |path| known(path).map(|shell| shell.sha256))?;
            let fact = Fact::Hash {
                process,
                file,
                sha256: Some(sha256),
            };
            matches.extend(detector.fact(fact, 0).matches);
        }
        Ok(matches)
    }
}

pub(super) fn known(path: &str) -> Result<KnownShell, String> {
    shells()
        .into_iter()
        .find(|shell| shell.path == path)
        .ok_or_else(|| format!("no example shell `{path}`"))
}
