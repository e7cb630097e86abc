//! The attack half: M01-M21 and EV01-EV26 across the stacks. Payloads are harmless and
//! talk to nobody but this machine.

mod evasion;
mod helper;
mod server;
mod upload;
mod web;

use super::{
    case::{Attack, Claim, Impossible, When},
    stacks::Stack,
    turn::Turn,
};

/// Ids that every list of rows must cover.
pub(crate) fn ids() -> impl Iterator<Item = String> {
    let base = (1..=21).map(|number| format!("M{number:02}"));
    base.chain((1..=26).map(|number| format!("EV{number:02}")))
}

/// Every attack, in the order of the table.
pub(crate) fn all() -> Vec<Attack> {
    let lists = [
        web::all(),
        server::all(),
        upload::all(),
        evasion::all(),
        helper::all(),
    ];
    let mut all: Vec<Attack> = lists.into_iter().flatten().collect();
    all.sort_by_key(|case| (case.id.starts_with("EV"), case.id));
    all
}

/// What cannot be done or seen here.
pub(crate) const IMPOSSIBLE: &[Impossible] = &[
    not_played(
        "M06",
        "suexec",
        "runs what lies below /var/www only; fcgiwrap is the row of M06",
    ),
    not_played(
        "EV06",
        "applets of busybox that only fork",
        "nothing is executed; their shell is the row of EV06",
    ),
    not_played(
        "EV11",
        "page reads wp-config.php or /etc/passwd",
        "every application does; credentials of others are the rows of EV11",
    ),
    not_played(
        "EV12",
        "code put into the process's own memory",
        "no hook: nothing is opened or executed",
    ),
    not_played(
        "EV13",
        "memory shell without an attach",
        "no hook: seen by what it starts or writes",
    ),
    not_played(
        "EV14",
        "the job that cron starts later",
        "in scope host only; the table is the row of EV14",
    ),
    not_played(
        "EV15",
        "docker.sock, D-Bus, another pool's socket",
        "no hook: Unix sockets",
    ),
    not_played(
        "EV17",
        "picture opened as a script",
        "no hook: reads of pictures; what it starts is the row of EV17",
    ),
    not_played(
        "EV21",
        "log or session opened as a script",
        "no hook: reads of logs; what it starts is the row of EV21",
    ),
];

const fn not_played(id: &'static str, what: &'static str, why: &'static str) -> Impossible {
    Impossible { id, what, why }
}

/// One attack, in both orders.
fn attack(
    id: &'static str,
    stack: Stack,
    what: impl Into<String>,
    rule: &'static str,
    act: impl Fn(&Turn<'_>) -> Claim + 'static,
) -> Attack {
    Attack {
        id,
        stack,
        what: what.into(),
        rule,
        when: When::Both,
        act: Box::new(act),
    }
}

/// A page of PHP that does this; its alerts bear the mark.
fn page(
    id: &'static str,
    stack: Stack,
    what: &'static str,
    rule: &'static str,
    code: &'static str,
) -> Attack {
    attack(id, stack, what, rule, move |turn| {
        turn.page(code);
        turn.claim()
    })
}

/// Likewise, on nginx with php-fpm and on Apache with `mod_php`.
fn pages(
    id: &'static str,
    what: &'static str,
    rule: &'static str,
    code: &'static str,
) -> [Attack; 2] {
    [Stack::Php, Stack::ModPhp].map(|stack| page(id, stack, what, rule, code))
}

const SHELL: &str = "shell_under_app_worker";
const RECON: &str = "recon_tool_under_service";
const NETWORK: &str = "network_tool_under_service";
const ONE_LINER: &str = "interpreter_one_liner";
const HOSTILE: &str = "hostile_shell_command";
const WRITTEN: &str = "written_file_executed";
