//! `docs/kernels.md`: what a kernel must have, on which ones that is tested, and what the
//! programs cost their verifiers.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use serde::Deserialize;

use crate::page::{code, head, page, table};

/// Kernel, program, cost: what `cargo xtask verifier` has measured and CI compares.
type Baseline = BTreeMap<String, BTreeMap<String, Cost>>;

const BASELINE: &str = include_str!("../../../xtask/verifier-baseline.json");
/// Instructions that the verifier looks at before it gives up (`BPF_COMPLEXITY_LIMIT_INSNS`).
const MOST: u64 = 1_000_000;

#[derive(Deserialize)]
struct Cost {
    instructions: u64,
}

/// What is needed, since when the kernel has it, and what happens without.
const NEEDS: &[[&str; 3]] = &[
    [
        "BTF of the running kernel in /sys/kernel/btf/vmlinux (`CONFIG_DEBUG_INFO_BTF`)",
        "every distribution's since 2021",
        "refused with code 69; `--btf FILE` takes one from elsewhere",
    ],
    [
        "BPF ring buffers, task iterators, `CAP_BPF` and `CAP_PERFMON`",
        "5.8",
        "refused with code 69",
    ],
    [
        "raw tracepoints sched_process_exec, _fork, _exit, typed (tp_btf) or not (raw_tp)",
        "5.5, 4.17",
        "refused with code 69",
    ],
    [
        "fentry on security_file_open and its kin (`CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS`)",
        "5.5; arm64 later",
        "the next rung: kprobe, LSM, system calls",
    ],
    ["kprobes (`CONFIG_KPROBES`)", "always", "the next rung"],
    [
        "`bpf` among the active LSMs (`lsm=` of the command line)",
        "5.7",
        "the next rung",
    ],
    [
        "system call tracepoints (`CONFIG_FTRACE_SYSCALLS`) and tracefs",
        "always",
        "no files: rules that need them are off, and `doctor`, the log and `degraded` say so",
    ],
    [
        "`bpf_loop`",
        "5.17",
        "loops are unrolled: the same events, more work for the verifier",
    ],
];

#[test]
fn kernels() {
    let baseline: Baseline = serde_json::from_str(BASELINE).expect("the baseline is JSON");
    let mut text = head(
        "Kernels",
        "What the sensor needs of a kernel, and on which kernels that is tested. \
         `lineage-sensor doctor` tries each hook on this machine and says what it found. x86-64 \
         only. The oldest kernel that is tested is 6.1; by what they need, the programs should load \
         from 5.8 on, which nobody has shown.",
    );
    text += "\n## What it needs\n";
    let needs = NEEDS.iter().map(|row| row.map(str::to_owned));
    text += &table(["What", "Since", "Without it"], needs);
    put!(
        text,
        "\n## Tested\n\n`cargo xtask test --full` runs on every one of these kernels and every \
         rung: `cargo xtask conformance` compares what small programs did with the events, field \
         by field (one blind spot is allowed: files opened by 32-bit programs on system call \
         tracepoints), and `cargo xtask verifier` fails when a program costs a verifier 20 % more \
         than below. 6.1 and 6.12 are Debian's, 6.18 is that of the machines this is developed on, \
         which has neither kprobes nor fentry.\n"
    );
    text += &kernels_table(&baseline);
    put!(
        text,
        "\n## Cost in the verifier\n\nInstructions it looks at, of {MOST}; – where the program does \
         not load.\n"
    );
    text += &costs_table(&baseline);
    page("kernels.md", &text);
}

/// Programs that load, and the one that costs most.
fn kernels_table(baseline: &Baseline) -> String {
    let rows = baseline.iter().map(|(kernel, costs)| {
        let most = costs.iter().max_by_key(|(_, cost)| cost.instructions);
        let (name, cost) = most.expect("programs load");
        assert!(cost.instructions < MOST, "{kernel} {name}");
        [
            kernel.clone(),
            costs.len().to_string(),
            format!("{} ({})", code(name), cost.instructions),
        ]
    });
    let header = ["Kernel", "Programs that load", "Dearest, instructions"];
    table(header, rows)
}

fn costs_table(baseline: &Baseline) -> String {
    let kernels: Vec<&String> = baseline.keys().collect();
    let [a, b, c] = kernels[..] else {
        panic!("a column for each kernel: {kernels:?}")
    };
    let names: BTreeSet<&String> = baseline.values().flat_map(BTreeMap::keys).collect();
    let cell = |kernel: &String, name: &String| {
        let cost = baseline[kernel].get(name);
        cost.map_or_else(|| "–".to_owned(), |cost| cost.instructions.to_string())
    };
    let rows = names
        .into_iter()
        .map(|name| [code(name), cell(a, name), cell(b, name), cell(c, name)]);
    table(["Program", a, b, c], rows)
}
