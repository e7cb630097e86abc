//! Long texts of the help: what a command is for, and examples that can be pasted.

pub(super) const LONG: &str = "\
Watches the process trees of web servers (nginx, Apache, php-fpm, Java) with eBPF and \
writes an alert when a server starts what it should not: a shell, a download tool, a \
program from memory. Each alert carries the whole lineage, from the server down.

Alerts go to standard output, logs to standard error.";

pub(super) const TOP: &str = "\
Examples:
  sudo lineage-sensor run                    watch, alerts drawn as trees
  sudo lineage-sensor run | jq .message      in a pipe alerts are JSON lines
  sudo lineage-sensor tree                   what the servers are running now
  sudo lineage-sensor alerts --since 1h      what has been alerted
  sudo lineage-sensor explain 883ef1ab       why, and what belongs to it
  sudo lineage-sensor doctor                 can it work here, and how well
  sudo lineage-sensor record FILE            watch, and keep what is seen for `replay`

Exit codes:
  0 success, 64 bad usage or configuration, 65 a recording is damaged, 69 the kernel lacks something required (or no
  sensor is running, for `tree` and `why-not`; no history, for `alerts` and `explain`), 70 a defect in the sensor, 77 privilege is missing";

pub(super) const RUN_LONG: &str = "\
Watches this machine and writes alerts to standard output until it is stopped with Ctrl-C \
or SIGTERM. Needs root or CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH, and \
a kernel from 5.8 with BTF.

Servers that are already running are found at the start. When watching has begun, one line \
on standard error says `ready`.

Values come from the built-in defaults, then the configuration file, then \
LINEAGE_SENSOR__SECTION__KEY variables, then these options; the later wins.";

pub(super) const RUN: &str = "\
Examples:
  sudo lineage-sensor run
  sudo lineage-sensor run --output json >> alerts.jsonl
  sudo lineage-sensor run --rules ./my-rules --scope host
  sudo LINEAGE_SENSOR__OUTPUT__LEVEL=high lineage-sensor run";

pub(super) const RECORD_LONG: &str = "\
Watches this machine exactly like `run`, alerts included, and writes to FILE everything its \
core was told: `replay` gives the same alerts again, on any machine. Stop it with Ctrl-C.

Passwords, tokens and keys in arguments are replaced unless --raw is given; of the environment \
only a few named variables are kept. The file is readable by its owner only. It still names \
programs, paths and users of this machine: look before you pass it on.";

pub(super) const RECORD: &str = "\
Examples:
  sudo lineage-sensor record attack.rec
  sudo lineage-sensor record --raw --rules ./my-rules attack.rec > alerts.jsonl";

pub(super) const REPLAY_LONG: &str = "\
Gives the inputs in FILE to the same core as `run` and writes the alerts it makes: the same as \
live, byte for byte, when the rules are the same and nothing was redacted. What differs is said \
on standard error. A damaged recording is replayed up to the damage, then refused with exit \
code 65. Needs no privilege.";

pub(super) const REPLAY: &str = "\
Examples:
  lineage-sensor replay attack.rec
  lineage-sensor replay --rules ./my-rules attack.rec | jq .rule.id
  lineage-sensor replay --speed 1 attack.rec";

pub(super) const TREE_LONG: &str = "\
Asks the running sensor, through its control socket, for the live process trees of the \
services, and draws them: pid, part in the service, executable, arguments. Only root and \
the sensor's own user are answered.";

pub(super) const TREE: &str = "\
Examples:
  sudo lineage-sensor tree
  sudo lineage-sensor tree --json | jq '.services[].kind'";

pub(super) const ALERTS_LONG: &str = "\
Lists the alerts of the history (history.path), oldest first, with notices about incidents: \
all levels, also those that output.level keeps from the sinks. Works without a running \
sensor. Needs to read the history, which is root's or the sensor's user's.";

pub(super) const ALERTS: &str = "\
Examples:
  sudo lineage-sensor alerts
  sudo lineage-sensor alerts --since 30m
  sudo lineage-sensor alerts --since 2026-02-03T04:00:00Z --limit 1000
  sudo lineage-sensor alerts --pid 4711
  sudo lineage-sensor alerts --incident 5f0b9d1c --json | jq .message";

pub(super) const EXPLAIN_LONG: &str = "\
Tells why an alert was raised: which rule, which fields of it matched what, what evidence was \
missing, which other alerts belong to its incident, what to do. ID is the id of an alert \
(event.id), of an incident (incident.id), or the beginning of one. Works without a running \
sensor.";

pub(super) const EXPLAIN: &str = "\
Examples:
  sudo lineage-sensor explain 883ef1ab
  sudo lineage-sensor explain 883ef1abc31139dc4dcb9f51a6910b59 --json | jq .[0].rule.matched";

pub(super) const WHY_NOT_LONG: &str = "\
Asks the running sensor what it decided about the acts of a process: no rule matched, an \
alert below output.level, an exception, the profile of the service, too many alerts of the \
same rule, or that the process belongs to no service. The last 10,000 execs are remembered, \
in memory.";

pub(super) const WHY_NOT: &str = "\
Examples:
  sudo lineage-sensor why-not 4711
  sudo lineage-sensor why-not 4711 --json | jq '.decisions[].verdicts'";

pub(super) const DOCTOR_LONG: &str = "\
Examines kernel, BTF, hooks and capabilities, and says for each hook how it would attach \
and why. Attaches nothing for longer than the test takes.";

pub(super) const DOCTOR: &str = "\
Examples:
  sudo lineage-sensor doctor
  sudo lineage-sensor doctor --json | jq .";

pub(super) const RULES: &str = "\
Examples:
  lineage-sensor rules list
  lineage-sensor rules check ./my-rules";

pub(super) const RULES_CHECK: &str = "\
Examples:
  lineage-sensor rules check
  lineage-sensor rules check /etc/lineage-sensor/rules.d";

pub(super) const RULES_LIST: &str = "\
Examples:
  lineage-sensor rules list
  lineage-sensor rules list --rules ./my-rules --json";

pub(super) const CONFIG: &str = "\
Examples:
  lineage-sensor config check ./config.yaml
  lineage-sensor config show";

pub(super) const CONFIG_CHECK: &str = "\
Examples:
  lineage-sensor config check
  lineage-sensor config check ./config.yaml";

pub(super) const CONFIG_SHOW: &str = "\
Examples:
  lineage-sensor config show
  lineage-sensor config show --config ./config.yaml | grep -v '# default'";
