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

/// What cannot be done here.
pub(crate) const IMPOSSIBLE: &[Impossible] = &[Impossible {
    id: "M06",
    what: "suexec",
    why: "built to run what lies below /var/www only; fcgiwrap is the row of M06",
}];

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
