//! `deploy/walkthrough/walkthrough.sh` with the package as it is built here: from the
//! installation to an alert in Alertmanager.

use anyhow::Result;

use super::deb;
use crate::{
    command,
    suite::{self, Outcome},
};

const CHECK: &str = include_str!("walkthrough_check.sh");
const SCRIPT: &str = "deploy/walkthrough/walkthrough.sh";

/// Runs it where it changes nothing of this machine.
pub(crate) fn suite() -> Result<Outcome> {
    let package = deb::build()?;
    let mut check = command::as_root("unshare")?;
    check.args(["--mount", "sh", "-c", CHECK, "walkthrough_check"]);
    suite::follow(check.arg(command::root().join(SCRIPT)).arg(package))
}
