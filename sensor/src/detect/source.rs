//! Where rule text comes from: the shipped files, compiled in, and a directory.
//!
//! The only file of `detect` that touches the file system; it runs at start and at
//! reload, never while events are evaluated.

use std::{
    collections::BTreeSet,
    fmt, fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Text of one rule file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Source {
    /// Name used in messages: a path, or `builtin:` and a file name.
    pub(super) file: String,
    /// YAML.
    pub(super) text: String,
}

/// Something wrong with a rule or its file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// File, as named to the reader.
    pub file: String,
    /// Rule within it, where that far was got.
    pub rule: Option<String>,
    /// What is wrong.
    pub reason: String,
}

impl Problem {
    pub(super) fn new(file: &str, rule: Option<&str>, reason: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            rule: rule.map(str::to_owned),
            reason: reason.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.rule {
            Some(rule) => write!(f, "{}: {rule}: {}", self.file, self.reason),
            None => write!(f, "{}: {}", self.file, self.reason),
        }
    }
}

/// Begins the name of a file that comes with the sensor.
pub(super) const BUILTIN: &str = "builtin:";

macro_rules! shipped {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!("../../rules/", $name)))),+]
    };
}

/// Every file under `sensor/rules`, by name; a test compares with the directory.
const SHIPPED: &[(&str, &str)] = shipped![
    "arguments_cut.yml",
    "cgi_ran_script_of_own_user.yml",
    "cgi_ran_unknown_script.yml",
    "cron_job_of_service_user.yml",
    "daemonised_descendant.yml",
    "database_loaded_library.yml",
    "database_spawned_program.yml",
    "database_wrote_script_or_library.yml",
    "descendant_outlives_request.yml",
    "dropped_page_compiled.yml",
    "dropped_script_used.yml",
    "edge_server_executed_program.yml",
    "entry_script_modified.yml",
    "events_lost.yml",
    "exec_from_writable_directory.yml",
    "existing_script_modified.yml",
    "first_seen_child.yml",
    "first_seen_child_of_edge_or_cgi.yml",
    "handler_file_changed.yml",
    "handler_file_rewritten.yml",
    "hostile_shell_command.yml",
    "interactive_shell_under_service.yml",
    "interpreter_connects_inside.yml",
    "interpreter_connects_out.yml",
    "interpreter_one_liner.yml",
    "java_agent_attached.yml",
    "java_attach_by_member.yml",
    "java_lookup_then_spawn.yml",
    "java_page_deployed.yml",
    "loader_started_shell.yml",
    "local_broker_reached.yml",
    "masqueraded_server.yml",
    "masqueraded_shell.yml",
    "memory_only_execution.yml",
    "network_tool_under_service.yml",
    "opcache_file_changed.yml",
    "persistence_file_written.yml",
    "plugin_dropped_by_server.yml",
    "preload_environment.yml",
    "preload_of_written_library.yml",
    "privilege_change_below_service.yml",
    "process_memory_written.yml",
    "recon_burst_under_service.yml",
    "recon_tool_under_service.yml",
    "script_created_in_cache_directory.yml",
    "script_created_in_upload_directory.yml",
    "script_created_in_web_root.yml",
    "script_written_by_tool.yml",
    "sensitive_file_read.yml",
    "server_loaded_foreign_library.yml",
    "server_module_changed.yml",
    "server_module_changed_by_administrator.yml",
    "service_connects_to_new_port.yml",
    "shell_connects_out.yml",
    "shell_under_app_worker.yml",
    "shellshock_environment.yml",
    "worker_replaced_itself.yml",
    "written_file_executed.yml",
    "written_script_run.yml",
];

/// The shipped rules.
pub(super) fn shipped() -> impl Iterator<Item = Source> {
    SHIPPED.iter().map(|&(name, text)| Source {
        file: format!("{BUILTIN}{name}"),
        text: text.to_owned(),
    })
}

/// SHA-256 of all texts in their order, in hex. Where the files are plays no part, but
/// whether they came with the sensor does.
pub(super) fn hash(sources: &[Source]) -> String {
    let mut hash = Sha256::new();
    for Source { file, text } in sources {
        hash.update([u8::from(file.starts_with(BUILTIN))]);
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    }
    format!("{:x}", hash.finalize())
}

/// A longer rule file is a mistake.
const MAX_BYTES: u64 = 1 << 20;

/// Directories below one another before a walk gives up.
const MAX_DEPTH: usize = 16;

/// Reads every `*.yml` and `*.yaml` under `directory`, in order of path. Names that
/// begin with a dot are left out: editors and `ConfigMap` mounts keep copies there.
pub(super) fn read(directory: &Path) -> (Vec<Source>, Vec<Problem>) {
    let mut paths = Vec::new();
    let mut problems = Vec::new();
    walk(directory, MAX_DEPTH, &mut paths, &mut problems);
    paths.sort();
    let mut sources = Vec::new();
    for path in paths {
        match load(&path) {
            Ok(source) => sources.push(source),
            Err(reason) => problems.push(Problem::new(&path.to_string_lossy(), None, reason)),
        }
    }
    (sources, problems)
}

/// Every rule file under `directory` and every directory it is looked for in: what changes
/// when a rule does.
#[must_use]
pub fn places(directory: &Path) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    walk(directory, MAX_DEPTH, &mut paths, &mut Vec::new());
    let parents = paths
        .iter()
        .filter_map(|path| Some(path.parent()?.to_owned()));
    let mut all: BTreeSet<PathBuf> = parents.collect();
    all.insert(directory.to_owned());
    all.extend(paths);
    all.into_iter().collect()
}

fn walk(directory: &Path, depth: usize, paths: &mut Vec<PathBuf>, problems: &mut Vec<Problem>) {
    match entries(directory, depth) {
        Ok(entries) => {
            for entry in entries {
                if entry.is_dir() {
                    walk(&entry, depth - 1, paths, problems);
                } else if entry.extension().is_some_and(|e| e == "yml" || e == "yaml") {
                    paths.push(entry);
                }
            }
        }
        Err(reason) => problems.push(Problem::new(&directory.to_string_lossy(), None, reason)),
    }
}

fn entries(directory: &Path, depth: usize) -> Result<Vec<PathBuf>, String> {
    if depth == 0 {
        return Err(format!("more than {MAX_DEPTH} directories deep"));
    }
    let metadata = fs::metadata(directory).map_err(|error| error.to_string())?;
    if !metadata.is_dir() {
        return Err("not a directory".to_owned());
    }
    guard(&metadata)?;
    let mut entries = Vec::new();
    for entry in fs::read_dir(directory).map_err(|error| error.to_string())? {
        let entry = entry.map_err(|error| error.to_string())?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            entries.push(entry.path());
        }
    }
    Ok(entries)
}

fn load(path: &Path) -> Result<Source, String> {
    let metadata = fs::metadata(path).map_err(|error| error.to_string())?;
    if !metadata.is_file() {
        return Err("not a regular file".to_owned());
    }
    guard(&metadata)?;
    if metadata.len() > MAX_BYTES {
        return Err(format!(
            "{} bytes long; at most {MAX_BYTES}",
            metadata.len()
        ));
    }
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    Ok(Source {
        file: path.to_string_lossy().into_owned(),
        text,
    })
}

/// Whoever can write a rule can silence the sensor.
fn guard(metadata: &fs::Metadata) -> Result<(), String> {
    let mode = metadata.permissions().mode();
    if mode & 0o002 == 0 {
        return Ok(());
    }
    Err(format!(
        "writable by everyone (mode {:04o}): refused; run chmod o-w",
        mode & 0o7777
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_file_is_listed() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
        let mut found: Vec<String> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        found.sort();
        let listed: Vec<&str> = SHIPPED.iter().map(|(name, _)| *name).collect();
        assert_eq!(found, listed);
    }

    #[test]
    fn a_directory_is_read_in_order_and_guarded() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        fs::create_dir(at("sub")).unwrap();
        fs::create_dir(at("..data")).unwrap();
        for name in [
            "b.yml",
            "a.yaml",
            "sub/c.yml",
            "..data/b.yml",
            "notes.txt",
            "open.yml",
        ] {
            fs::write(at(name), "x").unwrap();
        }
        fs::set_permissions(at("open.yml"), fs::Permissions::from_mode(0o666)).unwrap();
        let (sources, problems) = read(root.path());
        let names: Vec<_> = sources
            .iter()
            .map(|s| s.file.rsplit_once('/').unwrap().1)
            .collect();
        assert_eq!(names, ["a.yaml", "b.yml", "c.yml"]);
        assert_eq!(problems.len(), 1);
        assert!(
            problems[0]
                .to_string()
                .contains("open.yml: writable by everyone (mode 0666)")
        );

        fs::set_permissions(at("sub"), fs::Permissions::from_mode(0o1777)).unwrap();
        let (sources, problems) = read(root.path());
        assert_eq!((sources.len(), problems.len()), (2, 2));
        let (_, problems) = read(&at("absent"));
        assert!(
            problems[0].to_string().contains("No such file"),
            "{}",
            problems[0]
        );
    }
}
