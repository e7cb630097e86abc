//! Development tasks: `cargo xtask setup`, `run`, `test`, `lab`, `conformance`, `vm`,
//! `verifier`, `bench`, `chart`, `dist`, `lint`.
//!
//! One module per noun. Progress goes to standard error; a task that cannot go on
//! says what the person has to do, and exits 1.

mod apt;
mod artifact;
mod bench;
mod chart;
mod command;
mod conformance;
mod dist;
mod lab;
mod linker;
mod lint;
mod pace;
mod probe;
mod python;
mod run;
mod setup;
mod sigma;
mod suite;
mod tally;
mod test;
mod toolchain;
mod verifier;
mod vm;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    about = "Development tasks of the lineage sensor"
)]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Make this machine able to build: a compiler for eBPF and the pinned bpf-linker
    Setup(setup::Args),
    /// Set up, build, and run the sensor on this machine (through sudo when not root)
    Run(run::Args),
    /// Set up, install the servers the tests use, and run every test
    Test(test::Args),
    /// Play attacks and ordinary work on real servers: which alert, by which rule, and which do not
    Lab(lab::Args),
    /// Compare what programs did with what the sensor saw, on this kernel or another
    Conformance(conformance::Args),
    /// Boot Debian's kernels in emulation and run the kernel tests on every rung
    Vm(vm::Args),
    /// Measure what the kernel programs cost the verifier, against the baseline
    Verifier(verifier::Args),
    /// Replay recordings on one core: records per second, ns per stage, instructions
    Bench(bench::Args),
    /// Lint, render and validate the Helm chart; compare the kustomize base with it
    Chart(chart::Args),
    /// Build what is handed to others
    #[command(subcommand)]
    Dist(dist::Task),
    /// Check formatting, clippy (the BPF crate too), licences and dependencies
    Lint,
}

fn main() -> ExitCode {
    let done = match Args::parse().task {
        Task::Setup(args) => setup::task(&args),
        Task::Run(args) => run::task(&args),
        Task::Test(args) => test::task(&args),
        Task::Lab(args) => lab::task(&args),
        Task::Conformance(args) => conformance::task(&args),
        Task::Vm(args) => vm::task(&args),
        Task::Verifier(args) => verifier::task(&args),
        Task::Bench(args) => bench::task(&args),
        Task::Chart(args) => chart::task(&args),
        Task::Dist(args) => dist::task(&args),
        Task::Lint => lint::task(),
    };
    done.unwrap_or_else(|error| {
        eprintln!("xtask: {error:#}");
        ExitCode::FAILURE
    })
}
