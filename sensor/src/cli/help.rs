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
  sudo lineage-sensor tail -n 10             alerts as they come, after the last ten
  sudo lineage-sensor top                    services, rates and alerts on a full screen
  sudo lineage-sensor alerts --since 1h      what has been alerted
  sudo lineage-sensor explain 883ef1ab       why, and what belongs to it
  sudo lineage-sensor doctor                 can it work here, and how well
  sudo lineage-sensor simulate               harmless chains that must alert
  sudo lineage-sensor record FILE            watch, and keep what is seen for `replay`

Exit codes:
  0 success, 1 a comparison found a difference (`profile`), 64 bad usage or configuration, 65 a recording is damaged, 69 the kernel
  lacks something required (or no sensor is running, for `tree`, `tail`, `top`, `why-not` and `simulate`; no history, for `alerts` and `explain`),
  70 a defect in the sensor, 77 privilege is missing";

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
services, and draws them: pid, part in the service, executable, arguments. With --watch it goes on: \
in place on a terminal, one snapshot after the other in a pipe. Only root and \
the sensor's own user are answered.";

pub(super) const TREE: &str = "\
Examples:
  sudo lineage-sensor tree
  sudo lineage-sensor tree --watch=5
  sudo lineage-sensor tree --json | jq '.services[].kind'";

pub(super) const TAIL_LONG: &str = "\
Shows the alerts of the running sensor, and notices about incidents, as they come: drawn as \
`run` draws them on a terminal, as JSON lines in a pipe. With -n it begins with the latest, from \
the sensor's memory; `alerts` has all of them. A sensor that ends is waited for, and what it has \
told by then is shown when it is back. Who reads too slowly is told how many alerts were not \
shown; the sensor waits for nobody. Eight can follow at once. Only root and the sensor's own user \
are answered.";

pub(super) const TAIL: &str = "\
Examples:
  sudo lineage-sensor tail
  sudo lineage-sensor tail -n 10 --level low --service php-fpm
  sudo lineage-sensor tail --rule 'shell_*' | jq -r .message";

pub(super) const TOP_LONG: &str = "\
Shows on a full screen what the running sensor sees: the services with their processes, what they \
execute and write a second, their alerts by level since each is known, what was lost, the last alerts. \
Enter opens the tree of a service or the lineage of an alert, Tab changes between the two lists, s \
sorts, / filters, p pauses, ? shows the keys, q ends. A sensor that ends is waited for. Needs a \
terminal; only root and the sensor's own user are answered.";

pub(super) const TOP_EXAMPLES: &str = "\
Examples:
  sudo lineage-sensor top";

pub(super) const SIMULATE_LONG: &str = "\
Makes the running sensor alert: for each built-in rule a simulated server, a copy of this program \
under a server's name in a temporary directory, does what the rule looks for. Its tools are copies \
that do nothing, its shells run `:`. Connects to addresses nobody has are UDP and send no packet; \
port 10255 of this machine is knocked at, /etc/shadow is opened and not read out. The directory is \
removed. Prints which rules alerted meanwhile (on a busy server another alert of the same rule counts \
too); exit code 69 when one did not.

The alerts go where alerts go: tell whoever receives them. Each names the temporary directory, \
lineage-sensor-simulate.*, in its lineage.";

pub(super) const SIMULATE: &str = "\
Examples:
  sudo lineage-sensor simulate
  sudo lineage-sensor simulate --rule shell_under_app_worker
  sudo lineage-sensor simulate --directory /var/tmp        where /tmp is mounted noexec";

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
  lineage-sensor rules check ./my-rules
  lineage-sensor rules test ./my-rules --recording attack.rec
  lineage-sensor rules new --from alert.json";

pub(super) const RULES_CHECK: &str = "\
Examples:
  lineage-sensor rules check
  lineage-sensor rules check /etc/lineage-sensor/rules.d";

pub(super) const RULES_TEST_LONG: &str = "\
Runs the examples of every rule and prints a table: those that fire and are silent as they \
should, the time the rule alone takes for one act of its category on this machine (median, \
ns), and its alerts in each recording. Exit code 64 when an example does not do what it says, \
or when a rule of level medium or above alerts in a recording given with --benign.";

pub(super) const RULES_TEST: &str = "\
Examples:
  lineage-sensor rules test
  lineage-sensor rules test ./my-rules --recording attack.rec --benign monday.rec";

pub(super) const RULES_NEW_LONG: &str = "\
Writes a Sigma rule that matches what the alert shows and nothing else, with the act as its \
example, to be widened and then proved by `rules check`. With --exception: an entry for \
`rules.exceptions` of the configuration, to be completed by whoever answers for it.";

pub(super) const RULES_NEW: &str = "\
Examples:
  head -1 alerts.jsonl | lineage-sensor rules new --from - > my-rules/new.yml
  lineage-sensor rules new --from alert.json --exception";

pub(super) const RULES_LIST: &str = "\
Examples:
  lineage-sensor rules list
  lineage-sensor rules list --rules ./my-rules --json";

pub(super) const PROFILE_LONG: &str = "\
A profile (lineage.lock) says what each service may spawn: chains of programs, with templates for \
their arguments. It is learnt from what a service does, reviewed and kept like code, and silences \
alerts of rules that may be learnt, in the modes that `profiles` in the configuration gives.";

pub(super) const PROFILE: &str = "\
Examples:
  sudo lineage-sensor profile learn --output lineage.lock
  lineage-sensor profile show lineage.lock
  lineage-sensor profile check --recording ci.rec --profile lineage.lock";

pub(super) const PROFILE_LEARN_LONG: &str = "\
Writes down the chains of programs that services spawned: since the running sensor started, or in \
recordings. What a rule that may never be learnt matched is left out, and so is what cannot be \
compared safely; standard error says what and why. With --output the chains are merged into a file, \
and what is new is printed.";

pub(super) const PROFILE_LEARN: &str = "\
Examples:
  sudo lineage-sensor profile learn --output /etc/lineage-sensor/lineage.lock --min-days 2
  lineage-sensor profile learn --recording ci.rec > lineage.lock";

pub(super) const PROFILE_SHOW: &str = "\
Examples:
  lineage-sensor profile show
  lineage-sensor profile show --review lineage.lock
  lineage-sensor profile show --json lineage.lock | jq '.[].steps'";

pub(super) const PROFILE_DIFF: &str = "\
Ends with 1 when there is a difference; numbers and dates are none.

Examples:
  lineage-sensor profile diff old.lock new.lock";

pub(super) const PROFILE_CHECK_LONG: &str = "\
Without a recording: checks the profile and runs the examples of the built-in ones. With recordings: \
lists the chains that services spawned there and the profile lacks, and ends with 1 when there are \
any: a gate for the tests of the application itself.";

pub(super) const PROFILE_CHECK: &str = "\
Examples:
  lineage-sensor profile check --profile lineage.lock
  lineage-sensor profile check --recording ci.rec --profile lineage.lock --by-kind";

pub(super) const PROFILE_PRODUCTS: &str = "\
Examples:
  lineage-sensor profile products";

pub(super) const CONFIG: &str = "\
Examples:
  lineage-sensor config check ./config.yaml
  lineage-sensor config show
  lineage-sensor config schema > config.schema.json";

pub(super) const CONFIG_CHECK: &str = "\
Examples:
  lineage-sensor config check
  lineage-sensor config check ./config.yaml";

pub(super) const CONFIG_SHOW: &str = "\
Examples:
  lineage-sensor config show --effective
  lineage-sensor config show --config ./config.yaml | grep -v '# default'";

pub(super) const COMPLETIONS: &str = "\
Examples:
  lineage-sensor completions bash > /usr/share/bash-completion/completions/lineage-sensor
  lineage-sensor completions zsh > ~/.zfunc/_lineage-sensor
  lineage-sensor completions fish > ~/.config/fish/completions/lineage-sensor.fish";

pub(super) const MAN: &str = "\
Examples:
  sudo lineage-sensor man /usr/local/share/man/man1 && man lineage-sensor-run";

pub(super) const CONFIG_SCHEMA: &str = "\
An editor with a YAML language server takes it from the first line of the file:
  # yaml-language-server: $schema=config.schema.json

Examples:
  lineage-sensor config schema > /etc/lineage-sensor/config.schema.json";
