use std::time::{Duration, Instant};

use super::*;
use crate::config::{Format, Level, Scope};

const ANNOTATED: &str = include_str!("../../../../deploy/etc/config.yaml");

fn from_text(text: &str) -> Result<Effective, ConfigError> {
    let mut effective = Effective::default();
    effective.apply_file(text, Path::new("/f.yaml"))?;
    Ok(effective)
}

fn refusal(text: &str) -> String {
    from_text(text).unwrap_err().to_string()
}

fn variables(pairs: &[(&str, &str)]) -> Variables {
    pairs
        .iter()
        .map(|&(name, value)| (name.into(), value.into()))
        .collect()
}

#[test]
fn the_annotated_file_says_exactly_the_defaults() {
    let effective = from_text(ANNOTATED).unwrap();
    assert_eq!(effective.config, Config::default());
    for key in KEYS {
        assert_eq!(
            effective.origin(key.path),
            Origin::File("/f.yaml".into()),
            "{}",
            key.path
        );
    }
}

#[test]
fn the_annotated_file_names_no_variable_that_does_not_exist() {
    for word in ANNOTATED
        .split_whitespace()
        .filter(|word| word.starts_with("LINEAGE_SENSOR__"))
    {
        let (name, _) = word.split_once('=').unwrap();
        assert!(KEYS.iter().any(|key| key.variable() == name), "{name}");
    }
}

#[test]
fn nothing_said_leaves_the_defaults() {
    for text in [
        "",
        "\n",
        "# only a comment\n",
        "---\n",
        "output:\nlog:\n  # level: debug\n",
        "{}",
    ] {
        assert_eq!(
            from_text(text).unwrap().config,
            Config::default(),
            "{text:?}"
        );
    }
}

#[test]
fn a_refused_key_names_place_and_nearest() {
    for (text, message) in [
        (
            "scope: host\noutput:\n  fromat: json\n",
            "/f.yaml:3: unknown key `output.fromat`, did you mean `output.format`?",
        ),
        (
            "listen: 1\n",
            "/f.yaml:1: unknown key `listen`, did you mean `http.listen`?",
        ),
        ("zzzz: 1\n", "/f.yaml:1: unknown key `zzzz`"),
        (
            "output: {format: xml}\n",
            "/f.yaml:1: `output.format` must be one of auto, pretty, json, not `xml`",
        ),
        (
            "http:\n  enabled: 'true'\n",
            "/f.yaml:2: `http.enabled` must be true or false, not `true`",
        ),
        (
            "http:\n  enabled: yes\n",
            "/f.yaml:2: `http.enabled` must be true or false, not `yes`",
        ),
        (
            "limits:\n  processes: 7\n",
            "/f.yaml:2: `limits.processes` must be a whole number from 1024 to 4194304, not the number 7",
        ),
        (
            "limits:\n  processes: -1\n",
            "/f.yaml:2: `limits.processes` must be a whole number from 1024 to 4194304, not the number -1",
        ),
        (
            "control:\n  socket: run/x\n",
            "/f.yaml:2: `control.socket` must be an absolute path, not `run/x`",
        ),
        (
            "rules:\n  directories: /x\n",
            "/f.yaml:2: `rules.directories` must be a list of absolute paths, not `/x`",
        ),
        (
            "output:\n  level: {a: b}\n",
            "/f.yaml:2: `output.level` must be one of informational, low, medium, high, critical, not a section",
        ),
        (
            "output:\n  format:\n",
            "/f.yaml:2: `output.format` must be one of auto, pretty, json, not nothing",
        ),
        (
            "scope: !x host\n",
            "/f.yaml:1: `scope` must be one of services, host, not a tagged value",
        ),
        (
            "scope: host\nscope: host\n",
            "/f.yaml:2: `scope` is given twice",
        ),
        (
            "log:\n  level: info\nscope: host\nlog:\n  format: text\n",
            "/f.yaml:4: `log` is given twice",
        ),
    ] {
        assert_eq!(refusal(text), message);
    }
}

#[test]
fn what_is_no_configuration_is_one_sentence() {
    for text in [
        "- a\n- b\n",
        "hello\n",
        "output: 5\n",
        "scope: [host\n",
        "\tscope: host\n",
        "? [a]\n: b\n",
        "rules: {directories: [[/x]]}\n",
        "rules: {directories: [5]}\n",
        "scope: host\n---\nscope: host\n",
        "scope: *nowhere\n",
        "a: &a [*a]\n",
        "&a log: &b\n  level: *b\n",
        "<<: {scope: host}\n",
        "\0",
        "!!binary x",
    ] {
        let message = refusal(text);
        assert!(message.starts_with("/f.yaml"), "{text:?}: {message}");
        assert!(!message.contains('\n'), "{text:?}: {message}");
    }
}

#[test]
fn aliases_cannot_expand_beyond_the_bounds() {
    let long = "x".repeat(4_000);
    let bomb = format!(
        "services:\n  java:\n    main_classes: [&a {long}, {}]\n",
        vec!["*a"; 100_000].join(", ")
    );
    assert!(refusal(&bomb).contains("more than 1024 elements"));
    let laughs = "rules:\n  directories: [&a [x,x,x], &b [*a,*a,*a]]\n";
    assert!(refusal(laughs).contains("expected text"));
}

#[test]
fn hostile_files_of_full_size_are_refused_in_time() {
    let size = usize::try_from(file::SIZE_MAX).unwrap();
    for unit in [
        "[", "{", "- ", "? ", "a: {", "!", "&a ", "\"", "x", "%", "a:\n", "[a, ", "{a, ",
    ] {
        let start = Instant::now();
        assert!(
            from_text(&unit.repeat(size / unit.len())).is_err(),
            "{unit:?}"
        );
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "{unit:?}: {:?}",
            start.elapsed()
        );
    }
}

#[test]
fn file_then_environment_then_command_line() {
    let mut effective = from_text("scope: host\noutput: {format: json, level: low}\n").unwrap();
    let environment = variables(&[
        ("LINEAGE_SENSOR__OUTPUT__LEVEL", "high"),
        ("LINEAGE_SENSOR__HTTP__ENABLED", "false"),
        ("LINEAGE_SENSOR__LIMITS__PROCESSES", "5000"),
        ("LINEAGE_SENSOR__SERVICES__JAVA__MAIN_CLASSES", "a.B, c.jar"),
        ("LINEAGE_SENSOR_PORT", "tcp://10.0.0.1:80"),
    ]);
    effective.apply_environment(&environment).unwrap();
    effective.override_by("--output", "output.format", |config| {
        config.output.format = Format::Pretty;
    });
    let config = &effective.config;
    assert_eq!(
        (config.scope, config.output.level),
        (Scope::Host, Level::High)
    );
    assert_eq!(
        (config.http.enabled, config.limits.processes.get()),
        (false, 5_000)
    );
    assert_eq!(config.services.java.main_classes, ["a.B", "c.jar"]);
    assert_eq!(effective.origin("scope").to_string(), "file /f.yaml");
    assert_eq!(
        effective.origin("output.level").to_string(),
        "environment LINEAGE_SENSOR__OUTPUT__LEVEL"
    );
    assert_eq!(
        effective.origin("output.format").to_string(),
        "command line --output"
    );
    assert_eq!(effective.origin("output.color"), Origin::Default);
}

#[test]
fn refused_variables() {
    for (name, value, message) in [
        (
            "LINEAGE_SENSOR__OUTPUT__LEVLE",
            "x",
            "environment variable LINEAGE_SENSOR__OUTPUT__LEVLE: unknown key `output.levle`, \
          did you mean `LINEAGE_SENSOR__OUTPUT__LEVEL`?",
        ),
        (
            "LINEAGE_SENSOR__OUTPUT__LEVEL",
            "loud",
            "environment variable LINEAGE_SENSOR__OUTPUT__LEVEL: `output.level` must be one of \
          informational, low, medium, high, critical, not `loud`",
        ),
        (
            "LINEAGE_SENSOR__HTTP__ENABLED",
            "",
            "environment variable LINEAGE_SENSOR__HTTP__ENABLED: `http.enabled` must be true or false, not empty text",
        ),
        (
            "LINEAGE_SENSOR__scope",
            "host",
            "environment variable LINEAGE_SENSOR__scope: unknown key `scope`, did you mean `LINEAGE_SENSOR__SCOPE`?",
        ),
    ] {
        let result = Effective::default().apply_environment(&variables(&[(name, value)]));
        assert_eq!(result.unwrap_err().to_string(), message);
    }
}

#[test]
fn no_color_yields_to_an_explicit_setting() {
    let environment = variables(&[("NO_COLOR", "1")]);
    let mut effective = Effective::default();
    effective.apply_environment(&environment).unwrap();
    assert_eq!(effective.config.output.color, Color::Never);
    let mut effective = from_text("output: {color: always}").unwrap();
    effective.apply_environment(&environment).unwrap();
    assert_eq!(effective.config.output.color, Color::Always);
}

#[test]
fn shown_configuration_reads_back_the_same() {
    let text = "services: {java: {main_classes: ['a b', \"q'\\\"\", '#x', 'true', '12']}}\n\
                http: {listen: '[::1]:80'}\nlog: {kernel: off}\ncontrol: {socket: '/a b: #c'}\n";
    let effective = from_text(text).unwrap();
    let shown = effective.to_yaml();
    assert_eq!(
        from_text(&shown).unwrap().config,
        effective.config,
        "{shown}"
    );
    assert!(
        shown.contains("  listen: \"[::1]:80\"  # file /f.yaml\n"),
        "{shown}"
    );
    assert!(
        shown.contains("services:\n  declare: []  # default\n  java:\n    main_classes: ["),
        "{shown}"
    );
    assert!(shown.contains("scope: services  # default\n"), "{shown}");
}

#[test]
fn only_the_default_rule_directory_may_be_missing() {
    let mut effective = Effective::default();
    assert!(!effective.rule_directories()[0].required);
    effective.check_paths().unwrap();
    effective.override_by("--rules", "rules.directories", |config| {
        config.rules.directories.push("/does/not/exist".into());
    });
    let message = effective.check_paths().unwrap_err().to_string();
    assert!(
        message.starts_with("`rules.directories`: /does/not/exist cannot be read: "),
        "{message}"
    );
}

#[test]
fn services_are_declared_in_file_and_environment() {
    let effective = from_text(
        "services:\n  declare:\n    - {name: shop, exe: /opt/shop/bin/shopd, argv: [web], role: edge}\n    \
         - name: gate\n      image: registry/gate:*\n      kind: node\n",
    )
    .unwrap();
    let declared = &effective.config.services.declare;
    assert_eq!(declared[0].argv, ["web"]);
    assert_eq!(declared[1].image.as_deref(), Some("registry/gate:*"));
    let key = Key::find("services.declare").unwrap();
    let shown = (key.get)(&effective.config).yaml();
    let mut again = Effective::default();
    let variables = variables(&[("LINEAGE_SENSOR__SERVICES__DECLARE", &shown)]);
    again.apply_environment(&variables).unwrap();
    assert_eq!(again.config.services.declare, *declared);
    let shown = from_text(&format!("services:\n  declare: {shown}\n")).unwrap();
    assert_eq!(shown.config.services.declare, *declared);
}

#[test]
fn declared_services_are_refused_where_they_say_nothing_or_the_unknown() {
    for (text, expected) in [
        (
            "[{name: x}]",
            "`services.declare` must be a list of services",
        ),
        ("[{exe: x}]", "`services.declare` must be"),
        (
            "[{name: x, exe: y, role: king}]",
            "`services.declare` must be",
        ),
        (
            "[{name: x, exe: y, kind: zzz}]",
            "`services.declare` must be",
        ),
        ("shop", "`services.declare` must be"),
        (
            "[{name: x, ex: y}]",
            "unknown key `services.declare.ex`, did you mean `services.declare.exe`?",
        ),
        (
            "[{name: x, name: y}]",
            "`services.declare.name` is given twice",
        ),
    ] {
        let error = refusal(&format!("services:\n  declare: {text}\n"));
        assert!(error.contains(expected), "{text}: {error}");
    }
}
