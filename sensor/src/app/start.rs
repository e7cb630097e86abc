//! Start-up of the kernel side and the engine, in the order that loses nothing: attach,
//! prove, seed, replay what happened meanwhile.

use std::{path::PathBuf, sync::Arc};

use tracing::{debug, info, warn};

use crate::{
    cli::{
        FileRung, RecordArgs, RunArgs, Rung as Wanted, command::effective_lock,
        rules::effective_rules,
    },
    config::{self, Config, Effective, KernelLog, Scope},
    detect::{Fact, Shortage},
    engine::{Input, Output},
    enrich,
    event::Program,
    exit::{Exit, Failure, OrExit as _},
    host, inspect, privilege,
    probe::{
        Attached, Counters, Forced, Found, Hook, Judge, KERNEL_BTF, Options, Override, Probe,
        ProbeError, Rung,
    },
    profile,
    record::Core,
    redact::{Key, Redactor},
    reload::catalogue,
    ring::{Read, Ring},
    service::{self, Catalogue, Verdict},
    watch,
};

use super::core::engine;

/// Said when seeding was given up.
const INCOMPLETE: &str = "start-up scan incomplete: the host forks faster than it can be scanned";

/// The sensor at the moment it becomes ready.
pub(super) struct Started {
    /// What has been seen so far.
    pub(super) core: Core,
    /// Reader of the ring.
    pub(super) ring: Ring,
    /// Reader of the file ring.
    pub(super) file_ring: Ring,
    /// Keeps the hooks.
    pub(super) attached: Attached,
    /// The kernel's counters.
    pub(super) counters: Arc<Counters>,
    /// How each hook is attached.
    pub(super) hooks: Vec<Hook>,
    /// Optional hooks that do not attach, and why.
    pub(super) missing: Vec<(&'static str, String)>,
    /// Rules that want them.
    pub(super) shortage: Option<Shortage>,
    /// What start-up already has to say.
    pub(super) out: Vec<Output>,
    /// Log of the kernel programs, when wanted.
    pub(super) kernel_log: Option<aya_log::EbpfLogger<&'static dyn log::Log>>,
    /// Patterns of the watched directories.
    pub(super) directories: Vec<PathBuf>,
    /// In force.
    pub(super) config: Config,
    /// Every process of the host is followed.
    pub(super) host_scope: bool,
    /// Records read during start-up, already consumed: for the counters.
    pub(super) reads: Vec<Read>,
    /// Something is missing: the processes are to be scanned again.
    pub(super) stale: bool,
    /// Of configuration, rules and profile.
    pub(super) hash: String,
}

impl Started {
    /// Attaches, proves, seeds. With `record` every input from the first is written down.
    pub(super) fn new(
        args: &RunArgs,
        effective: &Effective,
        record: Option<&RecordArgs>,
    ) -> Result<Self, Failure> {
        let config = &effective.config;
        let host_scope = config.scope == Scope::Host;
        let rules = effective_rules(effective)?;
        for warning in rules.warnings() {
            warn!("{warning}");
        }
        let profiles = effective_lock(effective)?;
        let catalogue = catalogue(config);
        let shells = enrich::installed_shells();
        let mut probe =
            Probe::start(&options(args, effective, &catalogue)).map_err(|e| refused(&e))?;
        let kernel_log = match config.log.kernel {
            KernelLog::Off => None,
            _ => Some(probe.take_log().map_err(|e| refused(&e))?),
        };
        probe.self_test().map_err(|e| refused(&e))?;
        let closer = catalogue.looks_closer();
        let look = |program: &Program| {
            let name = service::name_index(&program.image).unwrap_or_default();
            let image = closer.then(|| inspect::image(program)).flatten();
            if catalogue.declared(program, image.as_deref()).is_some() {
                return Found::Server(name);
            }
            match catalogue.decide(program) {
                Verdict::Server(_) => Found::Server(name),
                Verdict::Candidate(_) => Found::Candidate(name),
                Verdict::NotServer => Found::Other,
            }
        };
        let judge = Judge {
            look: &look,
            same: &service::runs_the_same,
            all: closer,
        };
        let seed = probe.seed(host_scope, &judge).map_err(|e| refused(&e))?;
        // Before any thread is started that is to have no more either.
        shed_attaching(&mut probe);
        let missing = probe.missing().to_vec();
        let names: Vec<&str> = missing.iter().map(|(hook, _)| *hook).collect();
        let shortage = rules.without(&names);
        let hash = effective.hash(rules.hash(), &profile::hash(&profiles));
        // Late, so that a refusal leaves no file behind.
        let host = host::gather();
        let redactor = Arc::new(redactor(&config.redact)?);
        let tape = record
            .map(|to| super::record::open(to, (config, &rules, &profiles, &host), &redactor))
            .transpose()?;
        let mut core = Core {
            engine: engine(config, rules, &profiles, host).with_redactor(redactor),
            tape,
        };
        let mut out = Vec::new();
        core.step(Input::Fact(Fact::Shells(shells)), &mut out);
        if !seed.complete {
            warn!("{INCOMPLETE}");
            core.step(Input::Degraded(vec![INCOMPLETE.to_owned()]), &mut out);
        }
        core.step(Input::Listening(seed.listening), &mut out);
        core.step(Input::Snapshot(seed.snapshot), &mut out);
        let mut stale = !seed.complete;
        for read in &seed.backlog {
            stale |= core.take(read.clone(), &mut out);
        }
        let hooks = probe.hooks().to_vec();
        let counters = probe.counters();
        let (ring, file_ring, attached) = probe.split();
        Ok(Self {
            core,
            ring,
            file_ring,
            attached,
            counters,
            hooks,
            missing,
            shortage,
            out,
            kernel_log,
            directories: config.watch.directories.clone(),
            config: config.clone(),
            host_scope,
            reads: seed.backlog,
            stale,
            hash,
        })
    }
}

/// Gives up the capabilities that loading and attaching wanted.
fn shed_attaching(probe: &mut Probe) {
    match privilege::shed_attaching(|| probe.rehearse()) {
        Ok(Ok(())) => debug!("the capabilities that attaching wanted are given up"),
        Ok(Err(why)) => info!(
            "the capabilities that attaching wanted are kept: this kernel asks for them again: {why}"
        ),
        Err(error) => warn!(
            "give up the capabilities that attaching wanted: {error}; the sensor keeps them. Allow \
             capset(2) in the filter of system calls that it is started with"
        ),
    }
}

/// What replaces secrets. Without a place for its key it has one of its own, with which
/// nothing can be compared that another run has said.
fn redactor(config: &config::Redact) -> Result<Redactor, Failure> {
    let redactor = Redactor::new(config.patterns.as_slice())
        .or_exit(Exit::Usage, "redact.patterns")?
        .showing_all(!config.enabled);
    let key = match Key::load(&config.key_file) {
        Ok(key) => key,
        Err(error) => {
            warn!(
                "redact.key_file: {error}; secrets are hashed with a key of this run, so the same \
                 secret has another hash after a restart"
            );
            Key::random().or_exit(Exit::Internal, "make a key")?
        }
    };
    Ok(redactor.with_key(key))
}

fn options(args: &RunArgs, effective: &Effective, catalogue: &Catalogue) -> Options {
    let config = &effective.config;
    let overrides = args.override_offset.iter();
    Options {
        btf: args.btf.btf.clone().unwrap_or_else(|| KERNEL_BTF.into()),
        host_scope: config.scope == Scope::Host,
        rungs: Forced {
            process: match args.rung {
                Wanted::Auto => None,
                Wanted::TpBtf => Some(Rung::TpBtf),
                Wanted::RawTp => Some(Rung::RawTp),
            },
            file: match args.file_rung {
                FileRung::Auto => None,
                FileRung::Fentry => Some(Rung::Fentry),
                FileRung::Lsm => Some(Rung::Lsm),
                FileRung::Kprobe => Some(Rung::Kprobe),
                FileRung::Syscall => Some(Rung::Syscall),
            },
        },
        files: config.capture.files,
        classes: watch::classes(),
        directories: watch::directories(&config.watch.directories),
        overrides: overrides
            .map(|(name, value)| Override {
                name: name.clone(),
                value: *value,
            })
            .collect(),
        names: catalogue.names(),
        log: level(config.log.kernel),
    }
}

const fn level(kernel: KernelLog) -> Option<log::Level> {
    match kernel {
        KernelLog::Off => None,
        KernelLog::Error => Some(log::Level::Error),
        KernelLog::Warn => Some(log::Level::Warn),
        KernelLog::Info => Some(log::Level::Info),
        KernelLog::Debug => Some(log::Level::Debug),
        KernelLog::Trace => Some(log::Level::Trace),
    }
}

/// The exit code that fits why the kernel side refuses.
pub(super) fn refused(error: &ProbeError) -> Failure {
    let code = match error {
        error if error.is_privilege() => Exit::Privilege,
        error if error.is_usage() => Exit::Usage,
        _ => Exit::Unavailable,
    };
    Failure::new(code, error)
}
