//! The kernel side: loading, attaching, seeding, self-test, counters.
//!
//! The only module that names BPF programs and maps. Everything attached is detached
//! when [`Probe`] is dropped: nothing is pinned.

mod attach;
mod candidate;
mod cost;
mod counter;
mod error;
mod family;
mod hook;
mod mark;
mod offset;
mod row;
mod seed;
mod self_test;
mod tracefs;
mod watch;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use aya::{
    Btf as KernelBtf, Ebpf, EbpfLoader, Endianness, VerifierLogLevel,
    maps::{Array, HashMap, MapData, RingBuf},
};
use sensor_common::{
    counter::Counter,
    map::{Lineage, ProcessId, SensorState, ServiceState},
    name::NameKey,
};

use self::watch::Watched;
pub use self::{
    cost::Cost,
    counter::{Counters, RunTime},
    error::ProbeError,
    hook::{Family, Forced, Hook, Rung, Trial, shortcoming},
    offset::Override,
    seed::{Found, Judge, Seed, Survey},
    self_test::{HELPER_ARG, helper, verify},
};
use crate::{
    btf::Btf,
    event::{Membership, RingKind},
    ring::{Read, Ring},
};

/// The kernel programs, built by `build.rs`.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/sensor-ebpf"));

/// Where the running kernel publishes its BTF.
pub const KERNEL_BTF: &str = "/sys/kernel/btf/vmlinux";

/// How to load the programs.
#[derive(Clone, Debug)]
pub struct Options {
    /// BTF of the running kernel.
    pub btf: PathBuf,
    /// Emit events of processes outside every service too.
    pub host_scope: bool,
    /// Use these rungs only.
    pub rungs: Forced,
    /// Watch files and connections.
    pub files: bool,
    /// Classes of file names, by extension or whole name.
    pub classes: Vec<(u64, u32)>,
    /// Directories in which everybody's writes are recorded.
    pub directories: Vec<PathBuf>,
    /// Replace offsets found in BTF: for tests of the self-test.
    pub overrides: Vec<Override>,
    /// Stems of recognised executable names, and the index the kernel reports.
    pub names: Vec<(NameKey, u32)>,
    /// Kernel-side debug messages down to this level.
    pub log: Option<log::Level>,
}

/// The loaded programs and their maps.
pub struct Probe {
    ebpf: Ebpf,
    ring: Ring,
    /// Read during start-up, to be consumed after the snapshot.
    backlog: Vec<Read>,
    /// The processes right after attaching.
    early: Vec<row::Row>,
    /// Services known by nothing but that they listen.
    listening: Vec<ProcessId>,
    /// A map took no more.
    full: bool,
    hooks: Vec<Hook>,
    missing: Vec<(&'static str, String)>,
    links: Vec<attach::Link>,
    file_ring: Ring,
    watched: Watched,
    tasks: HashMap<MapData, u32, Lineage>,
    services: HashMap<MapData, ProcessId, ServiceState>,
    candidates: HashMap<MapData, ProcessId, ServiceState>,
    state: Array<MapData, SensorState>,
    counters: Arc<Counters>,
}

impl Probe {
    /// Checks the kernel, loads and attaches. Until [`Probe::seed`] every lifecycle
    /// event of the host goes to the ring.
    ///
    /// # Errors
    /// When a privilege, BTF, a required member or a required hook is missing; then
    /// nothing stays attached.
    pub fn start(options: &Options) -> Result<Self, ProbeError> {
        error::check_privilege()?;
        error::check_namespaces()?;
        let mut ebpf = load(options)?;
        let kernel_btf = kernel_btf(&options.btf)?;
        fill_names(&mut ebpf, &options.names)?;
        let ring = RingBuf::try_from(take(&mut ebpf, "LINEAGE_RING")?)
            .map_err(ProbeError::map("LINEAGE_RING"))?;
        let tasks = HashMap::try_from(take(&mut ebpf, "LINEAGE_TASKS")?)
            .map_err(ProbeError::map("LINEAGE_TASKS"))?;
        let services = HashMap::try_from(take(&mut ebpf, "LINEAGE_SERVICES")?)
            .map_err(ProbeError::map("LINEAGE_SERVICES"))?;
        let state = Array::try_from(take(&mut ebpf, "LINEAGE_STATE")?)
            .map_err(ProbeError::map("LINEAGE_STATE"))?;
        let counts = take(&mut ebpf, "LINEAGE_COUNT")?;
        let candidates = HashMap::try_from(take(&mut ebpf, "LINEAGE_CANDIDATES")?)
            .map_err(ProbeError::map("LINEAGE_CANDIDATES"))?;
        watch::fill_classes(&mut ebpf, &options.classes)?;
        let mut watched = Watched::new(&mut ebpf)?;
        watched.fill(&options.directories)?;
        let file_ring = RingBuf::try_from(take(&mut ebpf, "LINEAGE_FILE_RING")?)
            .map_err(ProbeError::map("LINEAGE_FILE_RING"))?;
        let attachment = hook::attach_all(&mut ebpf, &kernel_btf, options)?;
        let counters = Arc::new(Counters::new(counts, &ebpf, &attachment.hooks)?);
        seed::load(&mut ebpf, &kernel_btf)?;
        // Who dies from now on is in the ring; who was there is in these rows.
        let early = seed::rows(&mut ebpf)?;
        let ring = Ring::new(ring, RingKind::Lifecycle);
        let backlog = Vec::new();
        Ok(Self {
            ebpf,
            ring,
            backlog,
            early,
            listening: Vec::new(),
            full: false,
            hooks: attachment.hooks,
            missing: attachment.missing,
            links: attachment.links,
            file_ring: Ring::new(file_ring, RingKind::File),
            watched,
            tasks,
            services,
            candidates,
            state,
            counters,
        })
    }

    /// tracefs is mounted: attaching does not have to mount it.
    #[must_use]
    pub fn has_tracefs() -> bool {
        tracefs::is_mounted()
    }

    /// Refuses when a capability is missing, naming all that are.
    ///
    /// # Errors
    /// The refusal.
    pub fn check_privilege() -> Result<(), ProbeError> {
        error::check_privilege()
    }

    /// Refuses in a pid or time namespace other than the host's.
    ///
    /// # Errors
    /// The refusal.
    pub fn check_namespaces() -> Result<(), ProbeError> {
        error::check_namespaces()
    }

    /// Optional struct members this kernel lacks.
    ///
    /// # Errors
    /// Missing BTF, or a missing required member.
    pub fn absent_members(options: &Options) -> Result<Vec<String>, ProbeError> {
        with_btf(&options.btf, |btf| {
            offset::resolve(btf, &options.overrides)?;
            Ok(offset::absent(btf))
        })
    }

    /// Tries every hook on every rung and detaches again.
    ///
    /// # Errors
    /// When the programs cannot even be prepared.
    pub fn trials(options: &Options) -> Result<Vec<Trial>, ProbeError> {
        Ok(hook::trials(
            &mut load(options)?,
            &kernel_btf(&options.btf)?,
        ))
    }

    /// Does once what is done while the sensor runs: reads a counter, writes to a map, looks
    /// at the processes.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn rehearse(&mut self) -> Result<(), ProbeError> {
        self.counters.sum(Counter::ExecEmitted)?;
        let seeded = self.state.get(&0, 0);
        let seeded = seeded.map_err(ProbeError::map("LINEAGE_STATE"))?;
        let written = self.state.set(0, seeded, 0);
        written.map_err(ProbeError::map("LINEAGE_STATE"))?;
        seed::rows(&mut self.ebpf).map(drop)
    }

    /// The attached hooks, in order of name.
    #[must_use]
    pub fn hooks(&self) -> &[Hook] {
        &self.hooks
    }

    /// Optional hooks that no rung attaches, and what each rung answered.
    #[must_use]
    pub fn missing(&self) -> &[(&'static str, String)] {
        &self.missing
    }

    /// The kernel's counters.
    #[must_use]
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// Takes the log of the kernel programs.
    ///
    /// # Errors
    /// When the object has no log map.
    pub fn take_log(&mut self) -> Result<aya_log::EbpfLogger<&'static dyn log::Log>, ProbeError> {
        aya_log::EbpfLogger::init(&mut self.ebpf).map_err(ProbeError::Log)
    }

    /// Gives up the rings (lifecycle, files) to their reader; the hooks stay attached
    /// while the last part lives.
    #[must_use]
    pub fn split(self) -> (Ring, Ring, Attached) {
        let Self {
            ebpf,
            ring,
            file_ring,
            links,
            tasks,
            services,
            candidates,
            watched,
            ..
        } = self;
        let attached = Attached {
            ebpf: Some(ebpf),
            links,
            tasks,
            services,
            candidates,
            watched,
        };
        (ring, file_ring, attached)
    }
}

/// Keeps the hooks attached, and tells the kernel side what the agent found out.
pub struct Attached {
    /// `None` once detached.
    ebpf: Option<Ebpf>,
    links: Vec<attach::Link>,
    watched: Watched,
    tasks: HashMap<MapData, u32, Lineage>,
    services: HashMap<MapData, ProcessId, ServiceState>,
    candidates: HashMap<MapData, ProcessId, ServiceState>,
}

impl Attached {
    /// Makes a service of the candidate, or the marked process, `root`: one write, by
    /// which all it has forked are members too.
    ///
    /// # Errors
    /// When the map refuses.
    pub fn promote(&mut self, root: ProcessId) -> Result<(), ProbeError> {
        let state = ServiceState::default();
        mark::insert("LINEAGE_SERVICES", &mut self.services, root, state)?;
        mark::remove("LINEAGE_CANDIDATES", &mut self.candidates, root)
    }

    /// Makes a candidate of the service `root`: it is none, as far as is known, and will
    /// be one when it listens.
    ///
    /// # Errors
    /// When a map refuses.
    pub fn demote(&mut self, root: ProcessId) -> Result<(), ProbeError> {
        let state = ServiceState::default();
        // In this order it is one of the two at any time.
        mark::insert("LINEAGE_CANDIDATES", &mut self.candidates, root, state)?;
        mark::remove("LINEAGE_SERVICES", &mut self.services, root)
    }

    /// Un-marks every member of the service `root`: one write. For a root that is no
    /// server, and for a service that has ended.
    ///
    /// # Errors
    /// When the map refuses; a service that is already gone is no error.
    pub fn retire(&mut self, root: ProcessId) -> Result<(), ProbeError> {
        mark::remove("LINEAGE_SERVICES", &mut self.services, root)
    }

    /// Marks members the kernel did not: their services must still exist. Takes effect
    /// with the next [`Attached::survey`], which also finds what they have forked since.
    ///
    /// # Errors
    /// When the map refuses.
    pub fn adopt(&mut self, process: ProcessId, membership: Membership) -> Result<(), ProbeError> {
        mark::enter(&mut self.tasks, process, membership).map(drop)
    }

    /// Recognises these names from now on, and no others.
    ///
    /// # Errors
    /// When the map refuses.
    pub fn recognise(&mut self, names: &[(NameKey, u32)]) -> Result<(), ProbeError> {
        let ebpf = self.ebpf.as_mut();
        let ebpf = ebpf.ok_or(ProbeError::Object("attached hook"))?;
        // New ones first: what is known before and after is known all the time.
        if fill_names(ebpf, names).is_ok() {
            return forget_names(ebpf, names);
        }
        // Both together are too many.
        forget_names(ebpf, names)?;
        fill_names(ebpf, names)
    }

    /// Detaches every hook; what is in the ring stays readable.
    pub fn detach(&mut self) {
        self.links.clear();
        drop(self.ebpf.take());
    }

    /// Takes the watched directories as they are now: new ones are added, and what is
    /// gone is forgotten.
    ///
    /// # Errors
    /// When the map refuses.
    pub fn watch(&mut self, directories: &[PathBuf]) -> Result<(), ProbeError> {
        self.watched.fill(directories)
    }

    /// The processes that exist now, after records were lost. The kernel's own marks do
    /// not depend on the ring; servers that a full map turned away are marked now, and
    /// what a missed run left out, the iterator marks.
    ///
    /// # Errors
    /// When the iterator fails.
    pub fn survey(&mut self) -> Result<Survey, ProbeError> {
        let ebpf = self
            .ebpf
            .as_mut()
            .ok_or(ProbeError::Object("attached hook"))?;
        let first = seed::rows(ebpf)?;
        mark::mark_missed(&first, &mut self.tasks, &mut self.services)?;
        Survey::new(ebpf)
    }
}

/// Reads BTF, sets offsets and switches, creates the maps.
fn load(options: &Options) -> Result<Ebpf, ProbeError> {
    load_logged(options, VerifierLogLevel::default())
}

/// [`load`], with what the verifier says when it refuses.
fn load_logged(options: &Options, verifier_log: VerifierLogLevel) -> Result<Ebpf, ProbeError> {
    let (offsets, group_dead, has_loop) = with_btf(&options.btf, |btf| {
        let group_dead = btf.tracepoint_args("sched_process_exit") >= Some(2);
        Ok((
            offset::resolve(btf, &options.overrides)?,
            u64::from(group_dead),
            // The helper is a kernel function like any other, so BTF knows it.
            u64::from(btf.has_function("bpf_loop")),
        ))
    })?;
    let host_scope = u64::from(options.host_scope);
    // aya-log's levels are the `log` crate's, 0 is off.
    let log_level = options.log.map_or(0, |level| level as u8);
    let kernel_btf = kernel_btf(&options.btf)?;
    let mut loader = EbpfLoader::new();
    loader
        .btf(Some(&kernel_btf))
        .verifier_log_level(verifier_log)
        .override_global("OFFSETS", &offsets, true)
        .override_global("GROUP_DEAD_ARG", &group_dead, true)
        .override_global("HAS_LOOP", &has_loop, true)
        .override_global("HOST_SCOPE", &host_scope, true)
        .override_global(aya_log::LEVEL, &log_level, true);
    loader
        .load(OBJECT)
        .map_err(|error| ProbeError::load(&error))
}

/// Hands the BTF at `path` to `read`.
fn with_btf<T>(
    path: &Path,
    read: impl FnOnce(&Btf<'_>) -> Result<T, ProbeError>,
) -> Result<T, ProbeError> {
    let data = std::fs::read(path).map_err(|error| ProbeError::NoBtf {
        path: path.to_owned(),
        error,
    })?;
    let btf = Btf::parse(&data).map_err(|error| ProbeError::BadBtf {
        path: path.to_owned(),
        error,
    })?;
    read(&btf)
}

fn kernel_btf(path: &Path) -> Result<KernelBtf, ProbeError> {
    KernelBtf::parse_file(path, Endianness::default()).map_err(ProbeError::KernelBtf)
}

fn take(ebpf: &mut Ebpf, name: &'static str) -> Result<aya::maps::Map, ProbeError> {
    ebpf.take_map(name).ok_or(ProbeError::Object(name))
}

fn names_map(ebpf: &mut Ebpf) -> Result<HashMap<&mut MapData, NameKey, u32>, ProbeError> {
    let map = ebpf
        .map_mut("LINEAGE_NAMES")
        .ok_or(ProbeError::Object("LINEAGE_NAMES"))?;
    HashMap::try_from(map).map_err(ProbeError::map("LINEAGE_NAMES"))
}

/// Takes out every name that is not one of `names`.
fn forget_names(ebpf: &mut Ebpf, names: &[(NameKey, u32)]) -> Result<(), ProbeError> {
    let mut map = names_map(ebpf)?;
    let all: Result<Vec<NameKey>, _> = map.keys().collect();
    let all = all.map_err(ProbeError::map("LINEAGE_NAMES"))?;
    for key in all {
        if !names.iter().any(|(name, _)| *name == key) {
            map.remove(&key).map_err(ProbeError::map("LINEAGE_NAMES"))?;
        }
    }
    Ok(())
}

fn fill_names(ebpf: &mut Ebpf, names: &[(NameKey, u32)]) -> Result<(), ProbeError> {
    let mut map = names_map(ebpf)?;
    for (key, index) in names {
        map.insert(key, index, 0)
            .map_err(ProbeError::map("LINEAGE_NAMES"))?;
    }
    Ok(())
}
