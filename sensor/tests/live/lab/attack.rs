//! The attack half: M01-M21 and EV01-EV26 across the stacks. Payloads are harmless and
//! talk to nobody but this machine.

mod evasion;
mod helper;
mod image;
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
        image::all(),
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

/// A row of the tables of attacks, one attack for each of its servers.
struct Entry {
    id: &'static str,
    stacks: &'static [Stack],
    what: &'static str,
    rule: &'static str,
    act: Act,
}

#[derive(Clone, Copy)]
enum Act {
    /// Code of a page of PHP; its alerts bear the mark.
    Page(&'static str),
    Deed(fn(&Turn<'_>) -> Claim),
}

/// A page of PHP that does this.
const fn page(
    id: &'static str,
    stacks: &'static [Stack],
    what: &'static str,
    rule: &'static str,
    code: &'static str,
) -> Entry {
    let act = Act::Page(code);
    Entry {
        id,
        stacks,
        what,
        rule,
        act,
    }
}

/// Anything else.
const fn deed(
    id: &'static str,
    stacks: &'static [Stack],
    what: &'static str,
    rule: &'static str,
    act: fn(&Turn<'_>) -> Claim,
) -> Entry {
    let act = Act::Deed(act);
    Entry {
        id,
        stacks,
        what,
        rule,
        act,
    }
}

/// The attacks of a table, in both orders.
fn attacks(table: &'static [Entry]) -> impl Iterator<Item = Attack> {
    table.iter().flat_map(|entry| {
        let attack = |stack| attack(entry.id, stack, entry.what, entry.rule, entry.act.boxed());
        entry.stacks.iter().copied().map(attack)
    })
}

impl Act {
    fn boxed(self) -> Box<dyn Fn(&Turn<'_>) -> Claim> {
        match self {
            Self::Deed(deed) => Box::new(deed),
            Self::Page(code) => Box::new(move |turn| {
                turn.page(code);
                turn.claim()
            }),
        }
    }
}

/// One attack, in both orders.
fn attack(
    id: &'static str,
    stack: Stack,
    what: impl Into<String>,
    rule: &'static str,
    act: Box<dyn Fn(&Turn<'_>) -> Claim>,
) -> Attack {
    Attack {
        id,
        stack,
        what: what.into(),
        rule,
        when: When::Both,
        act,
    }
}

const PHP: &[Stack] = &[Stack::Php];
const MOD_PHP: &[Stack] = &[Stack::ModPhp];
const BOTH: &[Stack] = &[Stack::Php, Stack::ModPhp];

const SHELL: &str = "shell_under_app_worker";
const RECON: &str = "recon_tool_under_service";
const NETWORK: &str = "network_tool_under_service";
const ONE_LINER: &str = "interpreter_one_liner";
const HOSTILE: &str = "hostile_shell_command";
const WRITTEN: &str = "written_file_executed";
