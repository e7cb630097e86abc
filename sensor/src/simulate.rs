//! `simulate`: harmless chains that must alert, to prove an installation.
//!
//! For each rule a server is simulated by a copy of this binary under a server's name in a
//! directory of its own; it does what the rule looks for, with further copies under the
//! names of shells and tools that do nothing. Whether the rule alerted meanwhile is asked
//! of the running sensor. The directory is removed, also when a signal ends the simulation,
//! and no packet leaves the machine.

mod deed;
mod interrupt;
mod scenario;

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    io::{self, Write as _},
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;

pub use self::deed::wait_until_orphaned;
use self::{
    deed::Deed,
    interrupt::Interrupt,
    scenario::{NOT_SIMULATED, Scenario, Stage, programs},
};
use crate::{
    config::environment,
    control,
    detect::RuleSet,
    exit::{Exit, Failure, OrExit as _},
};

/// Begins the name of a simulation's directory: what happens there is not learnt.
const DIRECTORY: &str = crate::profile::SIMULATION;
/// What is below it.
const DIRECTORIES: [&str; 9] = [
    "server",
    "bin",
    "shell",
    "home/.ssh",
    "htdocs/uploads",
    "htdocs/var/cache",
    "plugins",
    "webapps/ROOT",
    "work/Catalina/localhost/ROOT/org/apache/jsp",
];
/// Longest wait for an alert: rules may wait 2 s for a fact.
const PATIENCE: Duration = Duration::from_secs(4);
/// Between two questions to the sensor.
const PAUSE: Duration = Duration::from_millis(20);

/// What became of one rule.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    Fired,
    Excused,
    Silent,
    Off,
    Failed(String),
    NotSimulated(&'static str),
}

/// Does what a simulated process is asked to, when this is one: a copy of the sensor in a
/// simulation's directory. The sensor itself obeys no variable.
#[must_use]
pub fn requested() -> Option<bool> {
    let deeds = environment::simulated()?;
    let exe = fs::read_link("/proc/self/exe").ok()?;
    let mut above = exe.ancestors().skip(1).filter_map(Path::file_name);
    // A program from memory has no directory; its deeds are none.
    let memory = exe.to_string_lossy().starts_with("/memfd:simulated");
    if !memory && !above.any(|name| name.to_string_lossy().starts_with(DIRECTORY)) {
        return None;
    }
    let deeds: Vec<Deed> = serde_json::from_str(deeds.to_str()?).ok()?;
    if memory && !deeds.is_empty() {
        return Some(false);
    }
    Some(match deed::all(&deeds) {
        Ok(()) => true,
        Err(error) => {
            drop(writeln!(io::stderr(), "{error}"));
            false
        }
    })
}

/// Runs every scenario: a table, and [`Exit::Unavailable`] when a rule stayed silent.
///
/// # Errors
/// When no sensor answers, or the directory cannot be made.
pub fn simulate(
    socket: &Path,
    below: &Path,
    only: Option<&str>,
) -> Result<(String, Exit), Failure> {
    let shipped = RuleSet::load(&[]).map_err(|error| Failure::new(Exit::Internal, error))?;
    let names = shipped
        .list()
        .iter()
        .map(|rule| (rule.name.as_str(), rule.level.as_str()));
    let names: Vec<_> = names
        .filter(|(name, _)| only.is_none_or(|only| only == *name))
        .collect();
    if let (Some(only), true) = (only, names.is_empty()) {
        let text =
            format_args!("no built-in rule `{only}`; `lineage-sensor rules list` names them all");
        return Err(Failure::new(Exit::Usage, text));
    }
    let interrupt = Interrupt::new().or_exit(Exit::Internal, "wait for signals")?;
    let sensor = Sensor { socket, interrupt };
    sensor.counts()?;
    let mut outcomes = Vec::new();
    for (name, level) in names {
        outcomes.push((name, level, sensor.try_rule(name, below)?));
    }
    Ok(table(&outcomes))
}

fn table(outcomes: &[(&str, &str, Outcome)]) -> (String, Exit) {
    let mut out = format!("{:<40} {:<13} FIRED\n", "RULE", "LEVEL");
    let (mut fired, mut wrong) = (0, 0);
    for (name, level, outcome) in outcomes {
        fired += usize::from(*outcome == Outcome::Fired);
        wrong += usize::from(matches!(outcome, Outcome::Silent | Outcome::Failed(_)));
        let word = match outcome {
            Outcome::Fired => "yes".to_owned(),
            Outcome::Excused => "excused by an exception or a profile".to_owned(),
            Outcome::Silent => "NO".to_owned(),
            Outcome::Off => "off in the configuration".to_owned(),
            Outcome::Failed(why) => format!("NO: the simulation failed: {why}"),
            Outcome::NotSimulated(why) => format!("not simulated: {why}"),
        };
        // Writing to a string does not fail.
        let _ = writeln!(out, "{name:<40} {level:<13} {word}");
    }
    let _ = writeln!(
        out,
        "{} rules, {fired} fired, {wrong} did not",
        outcomes.len()
    );
    let exit = if wrong == 0 {
        Exit::Ok
    } else {
        Exit::Unavailable
    };
    (out, exit)
}

/// The running sensor.
struct Sensor<'a> {
    socket: &'a Path,
    interrupt: Interrupt,
}

/// Alerts and excused matches of a rule; `None` when it is off.
type Count = Option<(u64, u64)>;

impl Sensor<'_> {
    fn counts(&self) -> Result<BTreeMap<String, (u64, u64)>, Failure> {
        let reply = control::ask(self.socket, &json!({"query": "rules"}))?;
        let rules = reply.get("rules").and_then(Value::as_object);
        let counts = rules.into_iter().flatten().map(|(name, count)| {
            let number = |key| count.get(key).and_then(Value::as_u64).unwrap_or_default();
            (name.clone(), (number("alerts"), number("excused")))
        });
        Ok(counts.collect())
    }

    fn count(&self, rule: &str) -> Result<Count, Failure> {
        Ok(self.counts()?.get(rule).copied())
    }

    /// Fails when a signal came.
    fn go_on(&self) -> Result<(), Failure> {
        if !self.interrupt.came() {
            return Ok(());
        }
        let text = "interrupted: nothing of the simulation is left, and not every rule was tried";
        Err(Failure::new(Exit::Unavailable, text))
    }

    fn try_rule(&self, rule: &str, below: &Path) -> Result<Outcome, Failure> {
        if let Some((_, why)) = NOT_SIMULATED.iter().find(|(name, _)| *name == rule) {
            return Ok(Outcome::NotSimulated(why));
        }
        let Some((alerts, excused)) = self.count(rule)? else {
            return Ok(Outcome::Off);
        };
        let failed = format_args!("make a directory below {}", below.display());
        let made = Made::new(below).or_exit(Exit::Usage, failed)?;
        let Some(scenario) = made.stage.scenario(rule) else {
            return Ok(Outcome::NotSimulated(
                "there is no chain for it on this machine",
            ));
        };
        let ran = made.run(&scenario, &self.interrupt);
        made.leave()
            .or_exit(Exit::Internal, "remove the simulation's directory")?;
        self.go_on()?;
        if let Err(error) = ran {
            return Ok(Outcome::Failed(error.to_string()));
        }
        let began = Instant::now();
        loop {
            self.go_on()?;
            match self.count(rule)? {
                Some((now, _)) if now > alerts => return Ok(Outcome::Fired),
                Some((_, now)) if now > excused => return Ok(Outcome::Excused),
                _ if began.elapsed() > PATIENCE => return Ok(Outcome::Silent),
                _ => thread::sleep(PAUSE),
            }
        }
    }
}

/// A stage on disk; removed when dropped.
struct Made {
    stage: Stage,
    directory: TempDir,
}

impl Made {
    /// An empty stage that only this user may enter.
    fn new(below: &Path) -> io::Result<Self> {
        let below = fs::canonicalize(below)?;
        is_safe(&below)?;
        let directory = tempfile::Builder::new()
            .prefix(DIRECTORY)
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir_in(below)?;
        let root = directory.path().to_owned();
        let made = Self {
            stage: Stage { root },
            directory,
        };
        for directory in DIRECTORIES {
            fs::create_dir_all(made.stage.file(directory))?;
        }
        for file in [
            "htdocs/index.php",
            "htdocs/old.php",
            "htdocs/.htaccess",
            "open.pl",
        ] {
            fs::write(made.stage.file(file), "")?;
        }
        // Nobody else can enter the directory.
        let everybody = fs::Permissions::from_mode(0o666);
        fs::set_permissions(made.stage.file("open.pl"), everybody)?;
        Ok(made)
    }

    /// Removes everything, and says so when it cannot.
    fn leave(self) -> io::Result<()> {
        self.directory.close()
    }

    /// Starts the server and waits until it has done everything.
    fn run(&self, scenario: &Scenario, interrupt: &Interrupt) -> io::Result<()> {
        let (name, arguments) = scenario
            .server
            .split_first()
            .ok_or_else(|| io::Error::other("a server has a name"))?;
        let server = self.stage.file("server").join(name);
        fs::copy("/proc/self/exe", &server)?;
        self.copy(&programs(&scenario.deeds))?;
        let mut command = Command::new(&server);
        command.arg0(name).args(arguments).env_clear();
        command.env(
            environment::SIMULATED,
            serde_json::to_string(&scenario.deeds)?,
        );
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let output = interrupt.run(&mut command)?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.trim();
        let why = if said.is_empty() { "no word" } else { said };
        Err(io::Error::other(format!("{}: {why}", output.status)))
    }

    /// Copies of this binary for programs, and of the shell where a shell is meant.
    fn copy(&self, programs: &[PathBuf]) -> io::Result<()> {
        for path in programs
            .iter()
            .filter(|path| path.starts_with(&self.stage.root))
        {
            let shell = path.starts_with(self.stage.file("shell"));
            let from = if shell {
                scenario::SHELL
            } else {
                "/proc/self/exe"
            };
            fs::copy(from, path)?;
        }
        Ok(())
    }
}

/// Nobody but this user and root can put something else in the place of what is made
/// below `directory`, which is then run and written as root.
fn is_safe(directory: &Path) -> io::Result<()> {
    let own = rustix::process::geteuid().as_raw();
    for above in directory.ancestors() {
        let meta = fs::metadata(above)?;
        let (mode, owner) = (meta.mode(), meta.uid());
        let foreign = owner != 0 && owner != own;
        // In a sticky directory everybody can only take away what is his.
        if foreign || mode & 0o022 != 0 && mode & 0o1000 == 0 {
            let above = above.display();
            let text = format!("others may replace what is in {above}: use /tmp or /var/tmp");
            return Err(io::Error::other(text));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_rule_has_a_chain_or_a_reason() {
        let below = tempfile::tempdir().unwrap();
        let made = Made::new(below.path()).unwrap();
        let rules = RuleSet::load(&[]).unwrap();
        for rule in rules.list() {
            let reason = NOT_SIMULATED.iter().any(|(name, _)| *name == rule.name);
            let chain = made.stage.scenario(&rule.name).is_some();
            assert!(chain != reason, "{}", rule.name);
        }
        for (name, _) in NOT_SIMULATED {
            assert!(rules.list().iter().any(|rule| rule.name == *name), "{name}");
        }
    }

    #[test]
    fn a_stage_is_private_and_goes_away() {
        let below = tempfile::tempdir().unwrap();
        let made = Made::new(below.path()).unwrap();
        let root = made.stage.root.clone();
        let bits = fs::metadata(&root).unwrap().permissions().mode();
        assert_eq!(bits & 0o777, 0o700);
        made.leave().unwrap();
        assert!(!root.exists());
    }

    #[test]
    fn a_directory_of_others_is_refused() {
        let below = tempfile::tempdir().unwrap();
        let open = below.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
        let error = Made::new(&open).err().unwrap().to_string();
        assert!(error.contains("use /tmp or /var/tmp"), "{error}");
        fs::set_permissions(&open, fs::Permissions::from_mode(0o1777)).unwrap();
        Made::new(&open).unwrap().leave().unwrap();
    }

    #[test]
    fn the_sensor_itself_obeys_no_variable() {
        // This test's own executable is no copy in a simulation's directory.
        assert_eq!(requested(), None);
    }

    #[test]
    fn the_table_says_what_did_not_fire() {
        let (text, exit) = table(&[
            ("a", "low", Outcome::Fired),
            ("b", "high", Outcome::Silent),
            ("c", "high", Outcome::NotSimulated("would harm")),
        ]);
        assert_eq!(exit, Exit::Unavailable);
        assert!(text.ends_with("3 rules, 1 fired, 1 did not\n"), "{text}");
        assert!(
            text.contains("NO") && text.contains("not simulated: would harm"),
            "{text}"
        );
        assert_eq!(table(&[("a", "low", Outcome::Off)]).1, Exit::Ok);
    }
}
