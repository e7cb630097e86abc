//! Processes of the program that it starts itself, told by a first argument that no person
//! would type.

use std::{env, process::ExitCode};

use super::{
    outlet::{OUTLET_ARG, outlet},
    spawner::{SPAWNER_ARG, spawner},
};
use crate::{
    exit::{self, Exit, Failure},
    probe, sandbox, simulate,
};

/// Life of such a process; `None` for the program that somebody has started.
#[must_use]
pub fn internal() -> Option<ExitCode> {
    let first = env::args_os().nth(1).unwrap_or_default();
    let done = if first == probe::HELPER_ARG {
        probe::helper();
        Ok(())
    } else if first == OUTLET_ARG {
        outlet()
    } else if first == SPAWNER_ARG {
        spawner()
    } else if first == sandbox::TRIAL_ARG {
        let said = sandbox::try_out(env::args_os().skip(2));
        exit::print(&said)
    } else if first == sandbox::COLLECTOR_TRIAL_ARG {
        exit::print(&sandbox::try_out_collector())
    } else {
        let done = simulate::requested()?;
        return Some(if done { Exit::Ok } else { Exit::Internal }.into());
    };
    Some(match done {
        Ok(()) => Exit::Ok.into(),
        Err(failure) => Failure::report(&failure),
    })
}
