//! The built binary: help, usage errors, configuration. Needs no privilege.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output},
};

const ANNOTATED: &str = include_str!("../../deploy/etc/config.yaml");
const COMMANDS: &[&str] = &[
    "",
    "run",
    "tree",
    "alerts",
    "explain",
    "why-not",
    "doctor",
    "rules",
    "rules check",
    "rules list",
    "profile",
    "profile learn",
    "profile show",
    "profile diff",
    "profile check",
    "profile products",
    "config",
    "config check",
    "config show",
    "config schema",
];

fn command(line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lineage-sensor"));
    command.args(line.split_whitespace());
    command.env_clear();
    command
}

fn run(line: &str) -> Output {
    command(line)
        .output()
        .expect("the binary was built for this test")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("all output is escaped, hence UTF-8")
}

/// Asserts exit 64, nothing on standard output and one sentence on standard error, and
/// returns the sentence.
fn refusal(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(64), "{output:?}");
    assert_eq!(text(&output.stdout), "");
    let error = text(&output.stderr);
    assert_eq!(error.matches('\n').count(), 1, "{error}");
    let sentence = error.trim_end().strip_prefix("lineage-sensor: error: ");
    sentence.unwrap_or_else(|| panic!("{error}")).to_owned()
}

struct File {
    _dir: tempfile::TempDir,
    path: PathBuf,
}

fn file(content: &str) -> File {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("c.yaml");
    fs::write(&path, content).expect("a new directory is writable");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("the file is ours");
    File { _dir: dir, path }
}

fn check(path: &Path) -> Output {
    let output = command("config check").arg(path).output();
    output.expect("the binary was built for this test")
}

#[test]
fn help_goes_to_standard_output_with_examples() {
    for name in COMMANDS {
        let output = run(&format!("{name} --help"));
        assert_eq!(output.status.code(), Some(0), "{name}");
        let help = text(&output.stdout);
        assert!(
            help.contains("Examples:") && help.contains("Usage: lineage-sensor"),
            "{name}: {help}"
        );
        assert_eq!(text(&output.stderr), "", "{name}");
        assert!(
            !help.contains("--rung") && !help.contains("--override-offset"),
            "{name}: {help}"
        );
        assert!(
            help.lines().all(|line| line.chars().count() <= 100),
            "{name}: {help}"
        );
    }
}

#[test]
fn examples_in_the_help_are_accepted() {
    for name in COMMANDS {
        let output = run(&format!("{name} --help"));
        let help = text(&output.stdout).to_owned();
        let examples = help.split_once("Examples:").unwrap().1;
        let lines = examples.lines().skip(1).take_while(|line| !line.is_empty());
        for line in lines {
            let (_, example) = line.split_once("lineage-sensor").unwrap();
            let end = example.find(['|', '>', '&']).unwrap_or(example.len());
            let example = example[..end].split("   ").next().unwrap();
            let words = std::iter::once("lineage-sensor").chain(example.split_whitespace());
            let parsed = <sensor::cli::Cli as clap::Parser>::try_parse_from(words);
            assert!(parsed.is_ok(), "{line}: {parsed:?}");
        }
    }
}

#[test]
fn version_is_told() {
    let output = run("--version");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        text(&output.stdout),
        concat!("lineage-sensor ", env!("CARGO_PKG_VERSION"), "\n")
    );
}

#[test]
fn bad_usage_exits_64() {
    for line in [
        "",
        "--nonsense",
        "run --outptu json",
        "run --output xml",
        "walk",
        "rules",
        "tree extra",
    ] {
        let output = run(line);
        assert_eq!(output.status.code(), Some(64), "{line}");
        assert_eq!(text(&output.stdout), "", "{line}");
        assert!(
            text(&output.stderr).contains("Usage:") || text(&output.stderr).contains("--help"),
            "{line}"
        );
    }
    assert!(text(&run("run --outptu json").stderr).contains("--output"));
}

#[test]
fn the_annotated_configuration_is_valid() {
    // A copy: a checkout may belong to anybody, an installed file may not.
    let output = check(&file(ANNOTATED).path);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(text(&output.stdout).ends_with("c.yaml: valid\n"));
}

#[test]
fn a_bad_file_is_one_sentence_with_place_and_remedy() {
    let bad = file("output:\n  fromat: json\n");
    assert!(
        refusal(&check(&bad.path))
            .ends_with("c.yaml:2: unknown key `output.fromat`, did you mean `output.format`?")
    );
    let bad = file("http:\n  listen: 9753\n");
    assert!(
        refusal(&check(&bad.path))
            .contains("c.yaml:2: `http.listen` must be an IP address and port")
    );
    let bad = file("scope: \"\\e[2J\\n\"\n");
    assert!(refusal(&check(&bad.path)).contains("not `\\x1b[2J\\n`"));
    let bad = file("scope: [host\n");
    assert!(refusal(&check(&bad.path)).contains("c.yaml: "));
    let bad = file("profiles:\n  file: /does/not/exist.lock\n");
    assert!(refusal(&check(&bad.path)).ends_with("/does/not/exist.lock: no such file"));
    let bad = file("profiles:\n  products: [wordpess]\n");
    assert!(refusal(&check(&bad.path)).contains("must be a list of these names: cacti, "));
    let bad = file("rules:\n  directories: [/does/not/exist]\n");
    assert!(refusal(&check(&bad.path)).contains("/does/not/exist cannot be read"));
    let open = file("scope: host\n");
    fs::set_permissions(&open.path, fs::Permissions::from_mode(0o666)).unwrap();
    assert!(refusal(&check(&open.path)).ends_with("is refused: everyone may write it (chmod o-w)"));
    let missing = refusal(&check(Path::new("/does/not/exist.yaml")));
    assert!(
        missing.starts_with("cannot read configuration file /does/not/exist.yaml: "),
        "{missing}"
    );
}

#[test]
fn every_command_refuses_a_bad_file_the_same_way() {
    let bad = file("scoop: host\n");
    for line in ["tree --config", "config show --config"] {
        let sentence = refusal(&command(line).arg(&bad.path).output().unwrap());
        assert!(
            sentence.ends_with("unknown key `scoop`, did you mean `scope`?"),
            "{line}: {sentence}"
        );
    }
}

#[test]
fn show_tells_where_each_value_came_from() {
    let good = file("scope: host\noutput:\n  level: low\n");
    let mut show = command("config show --config");
    let output = show
        .arg(&good.path)
        .env("LINEAGE_SENSOR__OUTPUT__LEVEL", "high")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let shown = text(&output.stdout);
    assert!(
        shown.contains(&format!("scope: host  # file {}\n", good.path.display())),
        "{shown}"
    );
    assert!(
        shown.contains("  level: high  # environment LINEAGE_SENSOR__OUTPUT__LEVEL\n"),
        "{shown}"
    );
    assert!(shown.contains("  format: auto  # default\n"), "{shown}");
    let again = file(shown);
    assert_eq!(check(&again.path).status.code(), Some(0));
}

#[test]
fn the_schema_is_the_one_in_the_repository() {
    let output = run("config schema");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let written = include_str!("../../deploy/etc/config.schema.json");
    assert!(
        text(&output.stdout) == written,
        "UPDATE_DOCS=1 cargo test -p sensor --test docs"
    );
    // What `config show` prints is a file by it, too.
    let schema = serde_json::from_str(written).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let shown: serde_json::Value =
        yaml_serde::from_str(text(&run("config show --effective").stdout)).unwrap();
    let problems: Vec<_> = validator
        .iter_errors(&shown)
        .map(|it| it.to_string())
        .collect();
    assert!(problems.is_empty(), "{problems:?}");
}

#[test]
fn a_bad_variable_is_refused() {
    let output = command("config show")
        .env("LINEAGE_SENSOR__OUTPUT__LEVLE", "high")
        .output()
        .unwrap();
    assert!(refusal(&output).ends_with("did you mean `LINEAGE_SENSOR__OUTPUT__LEVEL`?"));
}

#[test]
fn a_tree_without_a_sensor_says_so() {
    let config = file("control:\n  socket: /does/not/exist/control.sock\n");
    let output = command("tree --config").arg(&config.path).output().unwrap();
    assert_eq!(output.status.code(), Some(69), "{output:?}");
    assert!(text(&output.stderr).contains("is `lineage-sensor run` running"));
}
