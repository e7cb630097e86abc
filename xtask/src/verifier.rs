//! `cargo xtask verifier`: what each kernel program costs the verifier, against what it
//! cost when the baseline was written.
//!
//! Instructions near the kernel's limit of 1,000,000 refuse to load on the next kernel;
//! growth is noticed here, not there.

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    path::PathBuf,
    process::{Command, ExitCode},
};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use crate::{
    command,
    conformance::{self, HOST},
    setup,
    vm::{self, Answer},
};

/// Growth that fails, percent, and what is too little to matter, instructions.
const GROWTH: u64 = 20;
const SLACK: u64 = 50;

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    cargo xtask verifier\n  \
    cargo xtask verifier --kernel 6.1\n  \
    cargo xtask verifier --update")]
pub(crate) struct Args {
    /// Only this kernel (default: this machine's and each in emulation)
    #[arg(long, value_parser = [HOST, vm::KERNELS[0], vm::KERNELS[1]])]
    kernel: Option<String>,
    /// Make what is measured the new baseline
    #[arg(long)]
    update: bool,
}

/// What the verifier did for one program.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
struct Cost {
    instructions: u64,
    states: u64,
}

/// One line of `conformance verifier`.
#[derive(Deserialize)]
struct Row {
    program: String,
    #[serde(flatten)]
    outcome: Outcome,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Outcome {
    Loaded(Cost),
    Refused { error: String },
}

/// Costs by program.
type Costs = BTreeMap<String, Cost>;
/// Costs by kernel (major and minor) and program.
type Baseline = BTreeMap<String, Costs>;

/// Programs this machine's kernel refuses for want of a feature are no failure there;
/// the kernels in emulation have every feature.
pub(crate) fn task(args: &Args) -> Result<ExitCode> {
    setup::ensure()?;
    let mut measured = Baseline::new();
    let mut failures = Vec::new();
    for kernel in [&[HOST], vm::KERNELS.as_slice()].concat() {
        if args
            .kernel
            .as_deref()
            .is_some_and(|wanted| wanted != kernel)
        {
            continue;
        }
        let answer = measure(kernel)?;
        measured.insert(name(kernel)?, read(kernel, &answer, &mut failures)?);
        if !args.update {
            failures.extend(check(kernel, &answer)?);
        }
    }
    let text = serde_json::to_string_pretty(&measured).context("write JSON")?;
    writeln!(std::io::stdout(), "{text}").context("write to standard output")?;
    if args.update {
        let mut baseline = baseline()?;
        baseline.extend(measured);
        let text = serde_json::to_string_pretty(&baseline).context("write JSON")?;
        fs::write(path(), text + "\n").with_context(|| format!("write {}", path().display()))?;
    }
    failures.sort();
    failures.dedup();
    for failure in &failures {
        eprintln!("verifier: {failure}");
    }
    Ok(if failures.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What the verifier says on this machine or in a virtual one.
pub(crate) fn measure(kernel: &str) -> Result<Answer> {
    let task = "verifier".to_owned();
    if kernel == HOST {
        return conformance::host_task(&[task]);
    }
    let answers = vm::run(kernel, &[task])?;
    answers
        .into_iter()
        .next()
        .context("the machine answered nothing")
}

/// Compares an answer with the baseline; what failed, one line each.
pub(crate) fn check(kernel: &str, answer: &Answer) -> Result<Vec<String>> {
    let mut failures = Vec::new();
    let costs = read(kernel, answer, &mut failures)?;
    let name = name(kernel)?;
    let Some(expected) = baseline()?.remove(&name) else {
        if kernel == HOST {
            eprintln!("verifier: no baseline for this machine's kernel {name}: not compared");
            return Ok(failures);
        }
        failures.push(format!(
            "no baseline for kernel {name}: cargo xtask verifier --update"
        ));
        return Ok(failures);
    };
    failures.extend(growth(&name, &costs, &expected));
    Ok(failures)
}

/// Programs that have grown, and that the baseline does not know.
fn growth(kernel: &str, costs: &Costs, baseline: &Costs) -> Vec<String> {
    let mut failures = Vec::new();
    for (program, cost) in costs {
        let Some(before) = baseline.get(program) else {
            failures.push(format!(
                "kernel {kernel}: {program} is not in the baseline: cargo xtask verifier --update"
            ));
            continue;
        };
        let allowed = before.instructions + (before.instructions * GROWTH / 100).max(SLACK);
        if cost.instructions > allowed {
            failures.push(format!(
                "kernel {kernel}: {program} takes {} instructions, {} in the baseline: mend it, or \
                 cargo xtask verifier --update",
                cost.instructions, before.instructions
            ));
        }
    }
    failures
}

fn read(kernel: &str, answer: &Answer, failures: &mut Vec<String>) -> Result<Costs> {
    let mut costs = Costs::new();
    for line in &answer.lines {
        let row: Row = serde_json::from_str(line)
            .with_context(|| format!("{kernel} answered what is no row: {line}"))?;
        match row.outcome {
            Outcome::Loaded(cost) => {
                costs.insert(row.program, cost);
            }
            Outcome::Refused { error } if kernel == HOST => {
                eprintln!("verifier: this kernel refuses {}: {error}", row.program);
            }
            Outcome::Refused { error } => {
                failures.push(format!("kernel {kernel} refuses {}: {error}", row.program));
            }
        }
    }
    if costs.is_empty() || answer.code != 0 {
        bail!(
            "verifier on {kernel} ended with {} and {} programs",
            answer.code,
            costs.len()
        );
    }
    Ok(costs)
}

/// Major and minor version: what the baseline calls a kernel.
fn name(kernel: &str) -> Result<String> {
    if kernel != HOST {
        return Ok(kernel.to_owned());
    }
    let release = command::output(Command::new("uname").arg("-r"))?;
    let mut parts = release.trim().split('.');
    match (parts.next(), parts.next()) {
        (Some(major), Some(minor)) => Ok(format!("{major}.{minor}")),
        _ => bail!("uname -r says {release}"),
    }
}

fn path() -> PathBuf {
    command::root().join("xtask/verifier-baseline.json")
}

fn baseline() -> Result<Baseline> {
    let path = path();
    if !path.exists() {
        return Ok(Baseline::new());
    }
    let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn costs(instructions: u64) -> Costs {
        let states = 1;
        Costs::from([(
            "exec".to_owned(),
            Cost {
                instructions,
                states,
            },
        )])
    }

    #[test]
    fn growth_beyond_a_fifth_fails() {
        assert!(growth("6.1", &costs(1_200), &costs(1_000)).is_empty());
        assert_eq!(growth("6.1", &costs(1_201), &costs(1_000)).len(), 1);
        assert!(growth("6.1", &costs(90), &costs(60)).is_empty());
        assert_eq!(growth("6.1", &costs(90), &Costs::new()).len(), 1);
    }
}
