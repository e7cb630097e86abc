//! Fills in the fields of an alert. Nothing is cut here except names that cannot be
//! long in honest use; [`super::bound`] cuts the rest where the line needs it.

mod act;
mod container;
mod evidence;
mod incident;
mod request;

use std::collections::HashMap;

use bstr::BStr;
use jiff::Timestamp;

use super::{
    escape::{self, Text},
    finding::{Finding, Host},
    id,
    message::message,
    model::{
        Alert, Event, Exit, File, HostName, Image, Matched, Parent, Process, Profile, Reference,
        Relative, Rule, Service, Stdio, Technique, Threat, User,
    },
};
use crate::{
    event::{ExitStatus, Fd, Program},
    lineage::{Act, Ancestor, Lineage, Mode, Subject},
};

/// Longest identifier, user name and the like, bytes of JSON.
const NAME: usize = 128;

pub(super) use self::incident::{closed, examined, located};

pub(super) fn alert(finding: &Finding<'_>, host: &Host, sequence: u64) -> Alert {
    let Finding { subject, rule, .. } = *finding;
    let facts = Facts(host);
    let (file, socket) = match &subject.act {
        Act::Exec | Act::Outlive | Act::Lose(_) => (None, None),
        Act::File(file) => (Some(&**file), None),
        Act::Socket(socket) => (None, Some(&**socket)),
    };
    let (container, orchestrator) = container::of_subject(subject, finding.placed);
    let techniques = rule.techniques.iter().take(16).map(|id| short(id, 32));
    let technique = Technique {
        id: techniques.collect(),
    };
    Alert {
        timestamp: facts.time(subject.stamp.time_ns),
        event: Event {
            kind: "alert",
            id: id::alert(host, finding),
            sequence,
            severity: rule.level.severity(),
            category: act::category(&subject.act),
            action: act::action(&subject.act),
            dataset: "lineage_sensor.alert",
        },
        rule: Facts::rule(finding),
        threat: (!technique.id.is_empty()).then_some(Threat { technique }),
        message: message(subject, host),
        incident: finding
            .standing
            .map(|standing| Box::new(facts.standing(standing))),
        service: facts.service(subject.service.as_deref()),
        script: finding.script.map(|script| Box::new(facts.script(script))),
        request: request::request(subject).map(Box::new),
        file: file.map(|file| Box::new(facts.target(file))),
        source: socket.map(|socket| act::endpoint(socket.local)),
        destination: socket.and_then(|socket| socket.remote).map(act::endpoint),
        network: socket.map(act::network),
        process: Box::new(facts.process(subject)),
        lineage: facts.lineage(&subject.lineage),
        lineage_elided: subject.lineage.elided,
        container,
        orchestrator,
        host: facts.host(),
        profile: profile(finding),
        evidence: evidence::evidence(finding),
        time_ns: subject.stamp.time_ns,
    }
}

/// The name of a user: its own when known, else the number.
pub(super) fn user_name(users: &HashMap<u32, String>, uid: u32) -> Option<String> {
    users.get(&uid).map(|name| short(name, 64))
}

/// Text from configuration or the system, escaped and cut without further ado.
fn short(text: &str, max: usize) -> String {
    let mut text = escape::escape(text.as_bytes()).into_owned();
    escape::clip(&mut text, max);
    text
}

/// Longest reason of a profile, bytes.
const REASON: usize = 512;

/// What the profile says, where one is in force.
fn profile(finding: &Finding<'_>) -> Option<Profile> {
    let standing = finding.subject.profile.as_deref()?;
    let in_force = matches!(standing.mode, Mode::Shadow | Mode::Alert);
    in_force.then(|| Profile {
        mode: standing.mode.name(),
        judgement: standing.judgement.name(),
        reason: short(&standing.judgement.reason(), REASON),
        would_silence: finding.would_silence,
    })
}

/// What the host knows, applied to the parts of a subject.
struct Facts<'a>(&'a Host);

impl Facts<'_> {
    fn time(&self, boottime_ns: u64) -> String {
        instant(i128::from(boottime_ns) + i128::from(self.0.realtime_minus_boottime_ns))
    }

    fn user(&self, uid: u32) -> User {
        User {
            id: uid.to_string(),
            name: user_name(&self.0.users, uid),
        }
    }

    fn host(&self) -> HostName {
        HostName {
            name: short(&self.0.name, NAME),
            boot_id: short(&self.0.boot_id, NAME),
        }
    }

    fn rule(finding: &Finding<'_>) -> Rule {
        let rule = finding.rule;
        let matched = finding.fields.iter().map(|(field, value)| Matched {
            field: short(field, 64),
            value: escape::escape(value.as_bytes()).into_owned(),
        });
        Rule {
            id: short(&rule.name, NAME),
            uuid: short(&rule.uuid, 64),
            name: short(&rule.title, 2 * NAME),
            level: rule.level,
            description: escape::prose(&rule.description),
            triage: escape::prose(&rule.triage),
            false_positives: rule
                .falsepositives
                .iter()
                .map(|it| escape::prose(it))
                .collect(),
            matched: matched.collect(),
        }
    }

    fn service(&self, service: Option<&crate::lineage::Service>) -> Option<Service> {
        service.map(|service| Service {
            kind: service.kind.name(),
            role: service.role.name(),
            name: service.name.as_ref().map(|name| escape::prose(name)),
            unit: short(&service.unit, 2 * NAME),
            id: id::entity(self.0, service.id),
        })
    }

    fn process(&self, subject: &Subject) -> Process {
        let exec = subject;
        let (uid, euid) = match &subject.act {
            Act::Exec | Act::Outlive | Act::Lose(_) => {
                (exec.program.cred.uid, exec.program.cred.euid)
            }
            Act::File(file) => (file.uid, file.euid),
            Act::Socket(socket) => (socket.uid, socket.uid),
        };
        let creator = subject.creator.as_ref();
        let own = subject
            .lineage
            .ancestors
            .last()
            .map_or(&[][..], |this| &this.chain);
        let earlier = own.split_last().map_or(&[][..], |(_, earlier)| earlier);
        Process {
            pid: exec.process.tgid,
            entity_id: id::entity(self.0, exec.process),
            start: self.time(exec.process.start_ns),
            user: self.user(euid),
            real_user: (uid != euid).then(|| self.user(uid)),
            script_written_by: self.written(subject.script_written),
            file: File {
                written_by: self.written(exec.program.written),
                ..file(&exec.program)
            },
            previous: earlier.iter().map(|program| image(program)).collect(),
            parent: creator.map(|creator| self.parent(creator)),
            adopted_by: exec
                .parent
                .filter(|&parent| creator.is_some_and(|creator| creator.id != parent))
                .map(|parent| self.reference(parent)),
            ..described(&exec.program)
        }
    }

    fn reference(&self, process: crate::event::ProcessId) -> Reference {
        Reference {
            pid: process.tgid,
            entity_id: id::entity(self.0, process),
        }
    }

    fn parent(&self, parent: &Ancestor) -> Parent {
        Parent {
            pid: parent.id.tgid,
            entity_id: id::entity(self.0, parent.id),
            start: self.time(parent.id.start_ns),
            image: parent.program.as_deref().map(image),
            user: self.user(parent.uid),
            provenance: parent.provenance.name(),
        }
    }

    fn lineage(&self, lineage: &Lineage) -> Vec<Relative> {
        let positions = (0..).map(|index: usize| {
            let gap = if index < Lineage::HEAD {
                0
            } else {
                lineage.elided
            };
            u32::try_from(index).unwrap_or(u32::MAX).saturating_add(gap)
        });
        let relatives = lineage.ancestors.iter().zip(positions);
        relatives
            .map(|(ancestor, position)| self.relative(ancestor, position))
            .collect()
    }

    fn relative(&self, ancestor: &Ancestor, position: u32) -> Relative {
        let chain = ancestor.chain.iter();
        Relative {
            position,
            pid: ancestor.id.tgid,
            entity_id: id::entity(self.0, ancestor.id),
            start: self.time(ancestor.id.start_ns),
            part: ancestor.part.name(),
            provenance: ancestor.provenance.name(),
            image: ancestor.program.as_deref().map(image),
            chain: chain
                .map(|it| escape::escape(&it.image.path).into_owned())
                .collect(),
            chain_elided: ancestor.chain_elided,
            user: self.user(ancestor.uid),
            exit: ancestor.exit.map(|(time_ns, status)| {
                let (code, signal) = match status {
                    ExitStatus::Code(code) => (Some(code), None),
                    ExitStatus::Signal(signal) => (None, Some(signal)),
                };
                Exit {
                    time: self.time(time_ns),
                    code,
                    signal,
                }
            }),
        }
    }
}

/// RFC 3339, nanoseconds, UTC. Times outside years -9999..9999 become the epoch.
fn instant(epoch_ns: i128) -> String {
    format!(
        "{:.9}",
        Timestamp::from_nanosecond(epoch_ns).unwrap_or_default()
    )
}

/// The fields of a process that its program gives.
fn described(program: &Program) -> Process {
    let Image {
        executable,
        executable_b64,
        args,
        args_b64,
    } = image(program);
    let line = escape::text(&program.args.command_line());
    let cwd = escape::text(&program.cwd);
    let (filename, filename_b64) = option(typed(program));
    let (script, script_b64) = option(program.script());
    let (env_vars, env_vars_b64) = environment(program);
    Process {
        executable,
        executable_b64,
        filename,
        filename_b64,
        script,
        script_b64,
        args,
        args_b64,
        args_count: program.args.argc,
        command_line: line.shown,
        command_line_b64: line.b64,
        working_directory: cwd.shown,
        working_directory_b64: cwd.b64,
        stdio: stdio(program.stdio),
        namespace_pid: program.ns.inner_pid,
        env_vars,
        env_vars_b64,
        ..Process::default()
    }
}

fn image(program: &Program) -> Image {
    let Text {
        shown: executable,
        b64: executable_b64,
    } = escape::text(&program.image.path);
    let args = program.args.iter().collect::<Vec<_>>();
    let (args, args_b64) = escape::texts(args.iter().map(|&arg| &**arg));
    Image {
        executable,
        executable_b64,
        args,
        args_b64,
    }
}

/// The path as given to exec, when it is neither a script nor the executable itself.
fn typed(program: &Program) -> Option<&BStr> {
    let named = program.script().is_none() && !program.filename.is_empty();
    (named && program.filename != program.image.path).then_some(program.filename.as_ref())
}

fn option(bytes: Option<&BStr>) -> (Option<String>, Option<String>) {
    bytes.map_or((None, None), |bytes| {
        let Text { shown, b64 } = escape::text(bytes);
        (Some(shown), b64)
    })
}

fn environment(program: &Program) -> (Vec<String>, Option<Vec<String>>) {
    let pairs = program
        .env
        .iter()
        .map(|(name, value)| [&name[..], value].join(&b'='));
    let pairs = pairs.collect::<Vec<_>>();
    escape::texts(pairs.iter().map(Vec::as_slice))
}

fn stdio(fds: [Fd; 3]) -> Stdio {
    let [stdin, stdout, stderr] = fds.map(Fd::name);
    Stdio {
        stdin,
        stdout,
        stderr,
    }
}

fn file(program: &Program) -> File {
    let image = &program.image;
    let dev = image.file.dev;
    File {
        device: format!("{}:{}", dev >> 20, dev & 0xf_ffff),
        inode: image.file.ino.to_string(),
        size: image.size,
        mode: format!("{:04o}", image.mode & 0o7777),
        uid: image.owner.to_string(),
        gid: image.group.to_string(),
        unlinked: image.unlinked,
        ctime: image.ctime_ns.map(|ns| instant(ns.into())),
        overlay_upper: image.upper,
        written_by: None,
    }
}
