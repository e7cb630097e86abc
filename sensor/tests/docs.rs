//! The generated pages under `docs/`: each is rendered from the one place that has the
//! facts and compared with the file.
//!
//! `UPDATE_DOCS=1 cargo test -p sensor --test docs` writes the files instead.

use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use sensor::{
    alert::{self, Document, Level},
    config::{
        Config,
        key::{KEYS, PREFIX},
    },
    decode::{DecodeError, ENVIRONMENT},
    detect::{self, Rule, RuleSet},
    incident,
    lineage::{Part, ServiceKind},
    metrics::{Build, CoreStats, KernelCounters, KernelReading, Metrics},
    probe::{Hook, Rung, shortcoming},
    service::{self, Evidence, SERVERS},
    sink::{Deliver, DeliverError, Sinks},
};
use sensor_common::counter::Counter;
use serde_json::Value;

/// Appends formatted text; writing to a `String` cannot fail.
macro_rules! put {
    ($text:expr, $($format:tt)+) => {
        $text.write_fmt(format_args!($($format)+)).expect("a String takes all")
    };
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[expect(
    clippy::disallowed_methods,
    reason = "a switch of the test, no setting of the sensor"
)]
fn update() -> bool {
    std::env::var_os("UPDATE_DOCS").is_some_and(|value| value == "1")
}

/// Compares `docs/<name>` with `text`, or writes it.
fn page(name: &str, text: &str) {
    let path = root().join("docs").join(name);
    if update() {
        fs::write(&path, text).expect("docs/ is writable");
        return;
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    let differing = found
        .lines()
        .zip(text.lines())
        .find(|(old, new)| old != new);
    assert!(
        found == text,
        "docs/{name} is not what the code says: UPDATE_DOCS=1 cargo test -p sensor --test docs\n\
         first difference: {differing:?}"
    );
}

/// The first lines of every page.
fn head(title: &str, about: &str) -> String {
    format!(
        "<!-- Written by sensor/tests/docs.rs: UPDATE_DOCS=1 cargo test -p sensor --test docs -->\n\
         # {title}\n\n{about}\n"
    )
}

/// A Markdown table; `|` and line breaks inside cells are made harmless.
fn table<const N: usize>(names: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut text = format!("\n| {} |\n|{}\n", names.join(" | "), "---|".repeat(N));
    for row in rows {
        let cells = row.map(|cell| cell.replace('|', "\\|").replace('\n', " "));
        put!(text, "| {} |\n", cells.join(" | "));
    }
    text
}

fn code(text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!("`{text}`")
    }
}

fn list(items: &[String]) -> String {
    let mut text = String::new();
    for item in items {
        put!(text, "- {item}\n");
    }
    text
}

// --- rules -------------------------------------------------------------------------

#[test]
fn rules() {
    let set = RuleSet::load(&[]).unwrap();
    let mut text = head(
        "Rules",
        "The built-in rules, most severe first, as `lineage-sensor rules list` has them. They are \
         Sigma rules; their conditions and examples are in the files named below. Fields that \
         rules can use: [alerts.md](alerts.md#fields-for-rules).",
    );
    text += &table(
        ["Rule", "Level", "ATT&CK", "What it is"],
        set.list().iter().map(|rule| {
            [
                format!("[`{}`](#{})", rule.name, rule.name),
                rule.level.as_str().to_owned(),
                rule.techniques.join(", "),
                rule.title.clone(),
            ]
        }),
    );
    for rule in set.list() {
        text += &rule_section(rule);
    }
    page("rules.md", &text);
}

/// The rules' rows of README, which `UPDATE_DOCS=1` writes too.
#[test]
fn readme_lists_every_rule() {
    let path = root().join("README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let rules = RuleSet::load(&[]).unwrap();
    let mut rows = String::new();
    for rule in rules.list() {
        let (level, name, title) = (rule.level.as_str(), &rule.name, &rule.title);
        let techniques = rule.techniques.join(", ");
        put!(rows, "| {level} | `{name}` | {techniques} | {title} |\n");
    }
    let is_row = |line: &&str| {
        let levels = ["critical", "high", "medium", "low", "informational"];
        levels
            .iter()
            .any(|level| line.starts_with(&format!("| {level} | `")))
    };
    let listed: String = readme.split_inclusive('\n').filter(is_row).collect();
    if update() && listed != rows {
        let first = readme.split_inclusive('\n').find(is_row);
        let at = first
            .and_then(|row| readme.find(row))
            .expect("README has a table of rules");
        let end = at + listed.len();
        let updated = [&readme[..at], &rows, &readme[end..]].concat();
        return fs::write(&path, updated).expect("README.md is writable");
    }
    assert_eq!(
        listed, rows,
        "UPDATE_DOCS=1 cargo test -p sensor --test docs"
    );
}

fn rule_section(rule: &Rule) -> String {
    let file = rule
        .file
        .strip_prefix("builtin:")
        .expect("only built-in rules are loaded");
    let mut text = format!(
        "\n## {}\n\n{}. Level {}; `{}`; {}; id `{}`; [sensor/rules/{file}](../sensor/rules/{file}).\n",
        rule.name,
        rule.title,
        rule.level.as_str(),
        rule.category.name(),
        rule.techniques.join(", "),
        rule.id,
    );
    if let Some(row) = &rule.catalogue {
        text = text.replacen("; id ", &format!("; catalogue {row}; id "), 1);
    }
    put!(text, "\n{}\n", rule.description.trim());
    if rule.waits() {
        let needs: Vec<_> = rule.needs.iter().map(|need| need.name()).collect();
        put!(
            text,
            "\nWaits up to {} s for: {}.\n",
            detect::MAX_WAIT_NS / 1_000_000_000,
            needs.join(", ")
        );
    }
    put!(text, "\n**When it fires.** {}\n", rule.triage.trim());
    put!(
        text,
        "\n**Known benign causes**\n\n{}",
        list(&rule.falsepositives)
    );
    let (firing, silent) = examples(file);
    put!(
        text,
        "\n**Examples that fire** (a test runs each)\n\n{}",
        list(&firing)
    );
    put!(text, "\n**Examples that stay silent**\n\n{}", list(&silent));
    text
}

/// Notes of the firing and the silent examples in a rule file.
fn examples(file: &str) -> (Vec<String>, Vec<String>) {
    let text = fs::read_to_string(root().join("sensor/rules").join(file))
        .expect("each built-in rule is a file there");
    let rule: Value = yaml_serde::from_str(&text).expect("`rules check` passes it");
    let notes = |kind: &str| -> Vec<String> {
        let examples = rule["examples"][kind]
            .as_array()
            .expect("it has examples of both kinds");
        let note = |example: &Value| {
            example["note"]
                .as_str()
                .expect("each example has a note")
                .to_owned()
        };
        examples.iter().map(note).collect()
    };
    (notes("firing"), notes("silent"))
}

// --- hooks ---------------------------------------------------------------------------

/// What a hook does on a rung, in one cell.
fn standing(hook: &str, rung: Rung, notes: &mut Vec<&'static str>) -> String {
    if !Hook::ladder().any(|it| it == (hook, rung)) {
        return "–".to_owned();
    }
    let Some(why) = shortcoming(hook, rung) else {
        return "full".to_owned();
    };
    let number = notes
        .iter()
        .position(|note| *note == why)
        .unwrap_or_else(|| {
            notes.push(why);
            notes.len() - 1
        });
    format!("degraded ({})", number + 1)
}

/// What a rule does when its hooks stand on a rung: the worst of them, each told once.
fn worst(rule: &Rule, rung: Rung, notes: &mut Vec<&'static str>) -> String {
    let hooks = rule.hooks.events.iter().chain(&rule.hooks.memory);
    let mut cells: Vec<_> = hooks.map(|hook| standing(hook, rung, notes)).collect();
    cells.sort();
    cells.dedup();
    let degraded: Vec<_> = cells
        .iter()
        .filter_map(|cell| cell.strip_prefix("degraded (")?.strip_suffix(')'))
        .collect();
    if !degraded.is_empty() {
        return format!("degraded ({})", degraded.join(", "));
    }
    let stands = cells.iter().any(|cell| cell == "full");
    if stands { "full" } else { "–" }.to_owned()
}

#[test]
fn hooks() {
    let set = RuleSet::load(&[]).unwrap();
    let names: BTreeSet<_> = Hook::names().collect();
    let mut notes = Vec::new();
    let mut text = head(
        "Hooks and rules",
        "What each built-in rule needs of capture, and what becomes of it on each way to attach a \
         hook (a rung). `lineage-sensor doctor` tells which rung each hook has on this machine. \
         Forks and exits are needed by every rule and left out. – means that no such hook is \
         attached that way; numbers in brackets are the reasons below.",
    );
    text += "\n## Hooks by rung\n";
    let header = [
        "Hook", "tp_btf", "raw_tp", "fentry", "lsm", "kprobe", "syscall",
    ];
    let rungs: Vec<_> = header[1..]
        .iter()
        .map(|name| {
            let rung = Rung::ALL.iter().find(|rung| rung.name() == *name);
            *rung.expect("every column is a rung")
        })
        .collect();
    assert_eq!(rungs.len(), Rung::ALL.len());
    let cells = |first: String, cell: &mut dyn FnMut(Rung) -> String| -> [String; 7] {
        let rest = rungs.iter().map(|&rung| cell(rung));
        let row: Vec<_> = std::iter::once(first).chain(rest).collect();
        row.try_into().expect("a cell for each column")
    };
    let rows: Vec<_> = names
        .iter()
        .map(|hook| cells(code(hook), &mut |rung| standing(hook, rung, &mut notes)))
        .collect();
    text += &table(header, rows);
    text += "\n## Rules by hook and rung\n\nWithout one of its hooks a rule misses those acts; without all \
             of them it is off. What the hooks in brackets remember makes it match more: who wrote \
             a file, where a server connected to.\n";
    let rows: Vec<_> = set
        .list()
        .iter()
        .map(|rule| {
            rule_row(
                rule,
                &names,
                &mut |rung| worst(rule, rung, &mut notes),
                &rungs,
            )
        })
        .collect();
    text += &table(
        [
            "Rule", "Level", "Hooks", "tp_btf", "raw_tp", "fentry", "lsm", "kprobe", "syscall",
        ],
        rows,
    );
    text += "\n## Reasons\n\n";
    for (index, note) in notes.iter().enumerate() {
        put!(text, "{}. {note}\n", index + 1);
    }
    text += "\nAlerts say so themselves: `evidence.degraded` of an alert names a path that was typed \
             and an act that was only asked for.\n";
    page("hooks.md", &text);
}

fn rule_row(
    rule: &Rule,
    names: &BTreeSet<&str>,
    cell: &mut dyn FnMut(Rung) -> String,
    rungs: &[Rung],
) -> [String; 9] {
    let known = |hook: &&'static str| names.contains(hook);
    assert!(rule.hooks.events.iter().all(known), "{}", rule.name);
    assert!(rule.hooks.memory.iter().all(known), "{}", rule.name);
    let mut hooks = rule.hooks.events.join(", ");
    if !rule.hooks.memory.is_empty() {
        put!(hooks, " ({})", rule.hooks.memory.join(", "));
    }
    let first = [
        format!("[`{0}`](rules.md#{0})", rule.name),
        rule.level.as_str().to_owned(),
        hooks,
    ];
    let rest = rungs.iter().map(|&rung| cell(rung));
    let row: Vec<_> = first.into_iter().chain(rest).collect();
    row.try_into().expect("a cell for each column")
}

// --- configuration -----------------------------------------------------------------

#[test]
fn configuration() {
    let default = Config::default();
    let mut text = head(
        "Configuration",
        &format!(
            "Defaults, then the file, then the environment, then the command line: the later wins. \
             The file is `{}` or what `--config` names; it may be missing, every key is optional, \
             an unknown key is an error. It is read at start only. `lineage-sensor config check \
             FILE` checks a file, `lineage-sensor config show` prints what is in force and where \
             each value came from.",
            sensor::config::DEFAULT_FILE
        ),
    );
    text += &table(
        ["Key", "Default", "Must be", "Variable"],
        KEYS.iter().map(|key| {
            [
                code(key.path),
                code(&(key.get)(&default).yaml()),
                (key.expected)(),
                code(&key.variable()),
            ]
        }),
    );
    put!(
        text,
        "\nIn variables, elements of a list are separated by commas. A variable that begins with \
         `{PREFIX}` and names no key is an error. `NO_COLOR` turns colours off. Options of `run` \
         that set keys: `--output` (`output.format`), `--scope` (`scope`), `--rules DIR` (adds to \
         `rules.directories`).\n\n## The annotated default file\n\nAs in \
         [deploy/etc/config.yaml](../deploy/etc/config.yaml).\n\n```yaml\n{}```\n",
        fs::read_to_string(root().join("deploy/etc/config.yaml")).unwrap()
    );
    page("configuration.md", &text);
}

// --- services ----------------------------------------------------------------------

/// Names as code, in a row.
fn names<'n>(names: impl IntoIterator<Item = &'n &'n str>) -> String {
    let names: Vec<_> = names.into_iter().map(|name| code(name)).collect();
    names.join(" ")
}

#[test]
fn services() {
    let mut text = head(
        "Services",
        "Which programs are servers. An executable is recognised by its file name (a version may \
         follow), an interpreter by the program it is told to run, and any interpreter or Java \
         once it listens on TCP. Further ones are declared in the configuration \
         (`services.declare`). Roles: `edge` executes nothing but itself, `app` runs an \
         application, `cgi` executes its scripts, `db` keeps data, `ci` builds and deploys.",
    );
    text += &table(
        [
            "Kind",
            "Role",
            "Executables",
            "Programs of interpreters",
            "By listening",
            "Requests are served by",
            "Tested",
        ],
        SERVERS.iter().map(|server| {
            let programs: Vec<_> = service::programs(server.kind).collect();
            let lead = match server.lead {
                Part::Master => "its children",
                _ => "the process itself",
            };
            let evidence = match server.evidence {
                Evidence::Live => "live",
                Evidence::Recorded => "recorded command lines only",
            };
            [
                code(server.kind.name()),
                server.role.name().to_owned(),
                names(server.names),
                names(&programs),
                names(server.candidates),
                lead.to_owned(),
                evidence.to_owned(),
            ]
        }),
    );
    text += "\nJava servers are told by main class, jar and properties; those of Jenkins, \
             TeamCity, Gerrit and Bamboo, and GitLab's own Ruby, have role `ci`.\n\nNot seen: a \
             service of an unlisted name in no interpreter, unless declared; UDP and unix sockets \
             as a sign of serving; images whose name podman, docker or containerd do not keep on \
             disk. Whether an Apache has script modules is not looked at: its role is `app`, that \
             of its cgid too.\n";
    page("services.md", &text);
}

// --- metrics -----------------------------------------------------------------------

struct Zeroes;

impl KernelCounters for Zeroes {
    fn read(&self) -> Result<KernelReading, Box<dyn Error + Send + Sync>> {
        Ok(KernelReading {
            counters: Counter::ALL.iter().map(|&counter| (counter, 0)).collect(),
            recursion_misses: 0,
        })
    }
}

struct Nowhere;

impl Deliver for Nowhere {
    fn deliver(&mut self, _: &Document) -> Result<(), DeliverError> {
        Ok(())
    }
}

/// Words for labels whose values are no fixed list.
const OPEN: &[(&str, &str, &str)] = &[
    ("alerts_total", "rule", "id of a rule, or `overflow`"),
    (
        "alerts_total",
        "service",
        "kind of the service, `none`, or `overflow`",
    ),
    ("build_info", "kernel", "release of the kernel"),
    ("build_info", "version", "version of the sensor"),
    ("degraded", "reason", "a sentence of the sensor's own"),
];

/// A page with every family on it, and every value of the labels that are fixed lists.
fn scrape() -> String {
    let core = Arc::new(CoreStats::default());
    core.set_self_test(1);
    core.set_services(ServiceKind::ALL.iter().map(|&kind| (kind, 1)));
    let build = Build {
        version: "0",
        kernel: "0",
    };
    let metrics = Metrics::new(core, build, || 1).expect("names of metrics are unique");
    metrics.watch_kernel(Arc::new(Zeroes));
    let mut sinks = Sinks::new(|_| ());
    sinks
        .add("stdout", Level::Medium, Nowhere)
        .expect("a thread can be started");
    metrics.watch_sinks(sinks.stats());
    let ladder = Hook::ladder().map(|(hook, rung)| (hook.to_owned(), rung.name().to_owned()));
    metrics.set_hooks(ladder.collect());
    metrics.set_degraded(vec!["0".to_owned()]);
    let levels = ["informational", "low", "medium", "high", "critical"];
    for level in levels {
        metrics.expect_alerts("0", level.parse().expect("all are levels"), "none");
    }
    for error in [DecodeError::Short, DecodeError::Kind(0), DecodeError::Spans] {
        metrics.count_decode_error(error.name());
    }
    metrics.render().expect("an own registry encodes")
}

#[test]
fn metrics() {
    let scrape = scrape();
    let families: Vec<_> = scrape
        .split("# HELP ")
        .filter(|part| !part.is_empty())
        .collect();
    let mut text = head(
        "Metrics",
        "What `GET /metrics` answers, in Prometheus text form. Everything counts from the start of \
         the sensor. Labels are fixed lists or rule ids, never pids, paths or arguments.",
    );
    text += &table(
        ["Metric", "Type", "Labels", "What it says"],
        families.iter().map(|family| family_row(family)),
    );
    put!(
        text,
        "\n`alerts_total` has at most {} series; further rules and services count as `{}`. The \
         built-in rules have theirs when a service of the kind begins, as far as {} reach; other \
         rules from their first alert.\n",
        sensor::metrics::ALERT_SERIES,
        sensor::metrics::OVERFLOW,
        sensor::metrics::EXPECTED_SERIES
    );
    page("metrics.md", &text);
}

/// One family, from behind `# HELP ` to the next.
fn family_row(family: &str) -> [String; 4] {
    let mut lines = family.lines();
    let (name, help) = lines
        .next()
        .expect("HELP has a name and a text")
        .split_once(' ')
        .expect("HELP has a name and a text");
    let kind = lines
        .next()
        .expect("TYPE follows HELP")
        .rsplit(' ')
        .next()
        .expect("TYPE follows HELP");
    let short = name.strip_prefix("lineage_sensor_").expect("all begin so");
    let mut labels: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for series in lines {
        let inside = series
            .split_once('{')
            .and_then(|(_, rest)| rest.split_once('}'));
        for pair in inside.map_or("", |(inside, _)| inside).split(',') {
            if let Some((label, value)) = pair.split_once('=').filter(|pair| pair.0 != "le") {
                labels
                    .entry(label)
                    .or_default()
                    .insert(value.trim_matches('"'));
            }
        }
    }
    let described = labels.iter().map(|(label, values)| {
        let open = OPEN.iter().find(|open| (open.0, open.1) == (short, *label));
        let values = match open {
            Some((_, _, words)) => (*words).to_owned(),
            None => values
                .iter()
                .copied()
                .map(code)
                .collect::<Vec<_>>()
                .join(" "),
        };
        format!("{}: {values}", code(label))
    });
    let labels: Vec<_> = described.collect();
    [
        code(name),
        kind.to_owned(),
        labels.join("; "),
        help.to_owned(),
    ]
}

// --- alerts ------------------------------------------------------------------------

#[test]
fn alerts() {
    let schema: Value = serde_json::from_str(alert::SCHEMA).unwrap();
    let mut text = head(
        "Alerts",
        "Fields of the JSON form of an alert, from \
         [sensor/schema/alert.schema.json](../sensor/schema/alert.schema.json) (JSON Schema, draft \
         2020-12), with an [example](../sensor/schema/alert.example.json); after that, the fields \
         that rules can use.\n\n## Fields of an alert\n",
    );
    put!(text, "{}\n", schema["description"].as_str().unwrap());
    let mut rows = Vec::new();
    properties(&schema, &schema, "", &mut rows);
    text += "\n`[]` marks a list. A field that is not always there is marked *optional*, within \
             the object it belongs to.\n";
    text += &table(["Field", "Form", "What it says"], rows);
    text += &incidents();
    text += "\n## Fields for rules\n\nWhat a Sigma rule of category `process_creation`, `file_event` \
             or `network_connection` can name. Fields of one category only say which; all others \
             speak of the process that acts, and `File` in their names is its executable, `Target` \
             the file acted on. A field without a value is absent: only `null` and `exists: false` \
             match it. Values of `rule.matched` in alerts are these.\n";
    text += &table(
        ["Field", "Form", "Category", "What it says"],
        detect::fields().map(|field| {
            let fact = field
                .fact
                .map_or_else(String::new, |fact| format!(" (needs `{}`)", fact.name()));
            [
                code(field.name),
                field.kind.name().to_owned(),
                field.only.map_or("", detect::Category::name).to_owned(),
                format!("{}{fact}", field.about),
            ]
        }),
    );
    let variables: Vec<_> = ENVIRONMENT.iter().map(|name| format!("`{name}`")).collect();
    put!(
        text,
        "\n`{}NAME`: {}. These are kept, of the services' processes only: {}.\n",
        detect::ENV,
        detect::ENV_ABOUT.to_lowercase(),
        variables.join(" ")
    );
    page("alerts.md", &text);
}

/// What incidents are, with the fields of a notice.
fn incidents() -> String {
    let schema: Value = serde_json::from_str(alert::NOTICE_SCHEMA).expect("JSON");
    let mut text = "\n## Incidents\n\n".to_owned();
    put!(
        text,
        "All alerts below one spawn root, the first process that left the service's own image, are \
         one incident; what a process does in the service's own image is an incident of its own. \
         The first alert goes out at once and is never left out. Later ones are updates: {} alerts \
         of one rule may follow each other, then one in {} s; what is left out is counted in \
         `incident.folded` and named in `incident.suppressed` of the next alert or the close event. \
         The level of an incident is the highest of its rules, one higher with three different \
         rules of low or above, two with six; the alert that raises it passes sinks by that level. \
         A notice closes it when the spawn root and all below it have ended (as long as the tree \
         remembers them: `limits.exited_grace_seconds`), when nothing has matched for {} minutes, \
         when more than {} are open, and when the sensor stops. Files that an alert names are looked \
         at a moment later, each once for an incident; what is found is a notice of its own, which \
         sinks take by the level of the alert, but for files that are what a package has put there: \
         those go to the history only.\n\n## Fields of a notice\n\n{}\n",
        incident::BURST,
        incident::EVERY_NS / 1_000_000_000,
        incident::QUIET_NS / 60_000_000_000,
        incident::OPEN,
        schema["description"].as_str().unwrap_or_default()
    );
    let mut rows = Vec::new();
    properties(&schema, &schema, "", &mut rows);
    text + &table(["Field", "Form", "What it says"], rows)
}

/// Rows of the properties of an object, depth first.
fn properties(schema: &Value, object: &Value, prefix: &str, rows: &mut Vec<[String; 3]>) {
    let required = object["required"].as_array().cloned().unwrap_or_default();
    for (name, property) in object["properties"]
        .as_object()
        .expect("only objects are walked")
    {
        let resolved = resolve(schema, property);
        let description = property["description"].as_str();
        let description = description.or(resolved["description"].as_str());
        let optional = if required.contains(&name.as_str().into()) {
            ""
        } else {
            "*optional* "
        };
        let path = format!("{prefix}{name}");
        let items = resolve(schema, &resolved["items"]);
        let brackets = if resolved["items"].is_null() {
            ""
        } else {
            "[]"
        };
        rows.push([
            code(&format!("{path}{brackets}")),
            format!("{optional}{}", form(schema, resolved)),
            description.unwrap_or_default().to_owned(),
        ]);
        for inner in [resolved, items] {
            if inner["properties"].is_object() {
                properties(schema, inner, &format!("{path}{brackets}."), rows);
            }
        }
    }
}

/// What a `$ref` leads to; anything else itself.
fn resolve<'s>(schema: &'s Value, value: &'s Value) -> &'s Value {
    let target = value["$ref"].as_str().and_then(|to| to.strip_prefix('#'));
    target.map_or(value, |pointer| {
        schema
            .pointer(pointer)
            .expect("a reference leads somewhere")
    })
}

/// Type, or the values there are.
fn form(schema: &Value, property: &Value) -> String {
    if let Some(values) = property["enum"].as_array() {
        let values: Vec<_> = values.iter().map(|value| code(&plain(value))).collect();
        return values.join(" ");
    }
    if !property["const"].is_null() {
        return format!("always {}", code(&plain(&property["const"])));
    }
    match property["type"].as_str() {
        Some("array") => {
            let items = resolve(schema, &property["items"]);
            format!("list of {}", form(schema, items))
        }
        Some(other) => other.to_owned(),
        None => String::new(),
    }
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}
