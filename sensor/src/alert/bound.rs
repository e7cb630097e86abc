//! Keeps an alert within [`MAX_BYTES`].
//!
//! Cuts in a fixed order, least telling first, and stops as soon as the line fits; what
//! was cut is named in `evidence.truncated`:
//!
//! 1. environment
//! 2. `_b64` twins: lineage and parent, then the process itself
//! 3. ends of the arguments in the lineage
//! 4. middle of the process's own arguments and command line
//! 5. rule prose and matched values
//! 6. middle of exec chains
//! 7. processes from the middle of the lineage
//! 8. any path, and the rest of the arguments
//!
//! After the last step the sum of all budgets is below the bound, whatever came in.

use super::{
    MAX_BYTES, escape,
    model::{Alert, Image},
};

type Step = fn(&mut Alert);

const STEPS: &[Step] = &[
    environment,
    lineage_twins,
    process_twins,
    |alert| lineage_args(alert, 512),
    |alert| process_args(alert, 4096),
    prose,
    |alert| chains(alert, 4),
    |alert| lineage_args(alert, 128),
    |alert| process_args(alert, 1024),
    |alert| paths(alert, 256),
    lineage,
    |alert| paths(alert, 128),
];

/// Cuts until the line fits.
pub(super) fn fit(alert: &mut Alert) {
    for step in STEPS {
        if alert.json_length() < MAX_BYTES {
            return;
        }
        step(alert);
    }
}

fn environment(alert: &mut Alert) {
    if !alert.process.env_vars.is_empty() {
        alert.process.env_vars.clear();
        alert.process.env_vars_b64 = None;
        alert.evidence.cut("process.env_vars");
    }
}

/// Images other than the process's own, and where they stand.
fn images(alert: &mut Alert) -> impl Iterator<Item = (&'static str, &mut Image)> {
    let process = &mut *alert.process;
    let parent = process
        .parent
        .iter_mut()
        .filter_map(|parent| parent.image.as_mut());
    let relatives = alert
        .lineage
        .iter_mut()
        .filter_map(|relative| relative.image.as_mut());
    (relatives.map(|image| ("lineage", image)))
        .chain(parent.map(|image| ("process.parent", image)))
        .chain(
            process
                .previous
                .iter_mut()
                .map(|image| ("process.previous", image)),
        )
}

fn lineage_twins(alert: &mut Alert) {
    let mut cut = Vec::new();
    for (place, image) in images(alert) {
        if image.executable_b64.take().is_some() | image.args_b64.take().is_some() {
            cut.push(format!("{place}.*_b64"));
        }
    }
    for field in cut {
        alert.evidence.cut(&field);
    }
}

fn process_twins(alert: &mut Alert) {
    let process = &mut *alert.process;
    let single = [
        &mut process.executable_b64,
        &mut process.filename_b64,
        &mut process.script_b64,
        &mut process.command_line_b64,
        &mut process.working_directory_b64,
    ];
    if let Some(script) = &mut alert.script
        && script.path_b64.take().is_some()
    {
        alert.evidence.cut("script.path_b64");
    }
    let taken = |any, twin: &mut Option<String>| twin.take().is_some() | any;
    let any = single.into_iter().fold(false, taken);
    if let Some(file) = &mut alert.file {
        let twins = [
            &mut file.path_b64,
            &mut file.old_path_b64,
            &mut file.target_path_b64,
        ];
        if twins.into_iter().fold(false, taken) {
            alert.evidence.cut("file.*_b64");
        }
    }
    if process.args_b64.take().is_some() | any {
        alert.evidence.cut("process.*_b64");
    }
}

fn lineage_args(alert: &mut Alert, budget: usize) {
    let mut cut = Vec::new();
    for (place, image) in images(alert) {
        if keep(&mut image.args, budget, 0) {
            cut.push(format!("{place}.args"));
        }
    }
    for field in cut {
        alert.evidence.cut(&field);
    }
}

fn process_args(alert: &mut Alert, budget: usize) {
    if keep(&mut alert.process.args, budget * 2 / 3, budget / 3) {
        alert.evidence.cut("process.args");
    }
    if escape::clip_middle(&mut alert.process.command_line, budget * 2 / 3, budget / 3) {
        alert.evidence.cut("process.command_line");
    }
}

/// Keeps arguments from the front and the back within budgets of JSON bytes, with
/// `[...]` between; what is left of the budgets goes to the arguments cut.
fn keep(args: &mut Vec<String>, front: usize, back: usize) -> bool {
    let cost = |arg: &String| escape::json_len(arg) + r#""","#.len();
    if args.iter().map(cost).sum::<usize>() <= front + back {
        return false;
    }
    let tail = count_within(args.iter().rev().map(cost), back);
    let last = args.split_off(args.len() - tail);
    let head = count_within(args.iter().map(cost), front);
    let rest = args.split_off(head);
    let (front, back) = (spare(front, args, cost), spare(back, &last, cost));
    match rest.as_slice() {
        [] => {}
        [one] => args.push(cut(one, front, back)),
        [first, .., end] => args.extend([cut(first, front, 0), cut(end, 0, back)]),
    }
    args.extend(last);
    true
}

fn spare(budget: usize, kept: &[String], cost: impl Fn(&String) -> usize) -> usize {
    budget - kept.iter().map(cost).sum::<usize>()
}

fn cut(text: &str, front: usize, back: usize) -> String {
    let mut text = text.to_owned();
    escape::clip_middle(&mut text, front, back);
    text
}

fn count_within(costs: impl Iterator<Item = usize>, budget: usize) -> usize {
    let sums = costs.scan(0_usize, |sum, cost| {
        *sum = sum.saturating_add(cost);
        Some(*sum)
    });
    sums.take_while(|sum| *sum <= budget).count()
}

fn prose(alert: &mut Alert) {
    let rule = &mut alert.rule;
    let mut cut = escape::clip(&mut rule.description, 512) | escape::clip(&mut rule.triage, 1024);
    cut |= rule.false_positives.len() > 4 || rule.matched.len() > 8;
    rule.false_positives.truncate(4);
    rule.matched.truncate(8);
    for text in &mut rule.false_positives {
        cut |= escape::clip(text, 256);
    }
    for matched in &mut rule.matched {
        cut |= escape::clip(&mut matched.value, 256);
    }
    if cut {
        alert.evidence.cut("rule");
    }
}

fn chains(alert: &mut Alert, max: usize) {
    let mut cut = 0;
    for relative in &mut alert.lineage {
        let more = drop_middle(&mut relative.chain, max);
        relative.chain_elided = relative.chain_elided.saturating_add(more);
        cut += more;
    }
    if cut > 0 {
        alert.evidence.cut("lineage.chain");
    }
    if drop_middle(&mut alert.process.previous, max) > 0 {
        alert.evidence.cut("process.previous");
    }
}

fn lineage(alert: &mut Alert) {
    let more = drop_middle(&mut alert.lineage, 6);
    if more > 0 {
        alert.lineage_elided = alert.lineage_elided.saturating_add(more);
        alert.evidence.cut("lineage");
    }
}

/// Keeps the first and the last `max - 1`; how many went.
fn drop_middle<T>(list: &mut Vec<T>, max: usize) -> u32 {
    let more = list.len().saturating_sub(max);
    if more > 0 {
        list.drain(1..=more).for_each(drop);
    }
    u32::try_from(more).unwrap_or(u32::MAX)
}

fn paths(alert: &mut Alert, max: usize) {
    let mut cut = Vec::new();
    for (place, image) in images(alert) {
        if escape::clip(&mut image.executable, max) {
            cut.push(format!("{place}.executable"));
        }
    }
    for path in alert
        .lineage
        .iter_mut()
        .flat_map(|relative| &mut relative.chain)
    {
        if escape::clip(path, max) {
            cut.push("lineage.chain".to_owned());
        }
    }
    if let Some(script) = &mut alert.script
        && escape::clip(&mut script.path, 2 * max)
    {
        cut.push("script.path".to_owned());
    }
    if let Some(request) = &mut alert.request {
        for (field, part) in [
            ("request.uri", &mut request.uri),
            ("request.user_agent", &mut request.user_agent),
            ("request.forwarded_for", &mut request.forwarded_for),
            ("request.host", &mut request.host),
        ] {
            if part.as_mut().is_some_and(|part| escape::clip(part, max)) {
                cut.push(field.to_owned());
            }
        }
    }
    let process = &mut *alert.process;
    for (field, path) in [
        ("process.executable", Some(&mut process.executable)),
        ("process.filename", process.filename.as_mut()),
        ("process.script", process.script.as_mut()),
        (
            "process.working_directory",
            Some(&mut process.working_directory),
        ),
    ] {
        if path.is_some_and(|path| escape::clip(path, 2 * max)) {
            cut.push(field.to_owned());
        }
    }
    if let Some(file) = &mut alert.file {
        for (field, path) in [
            ("file.path", Some(&mut file.path)),
            ("file.name", Some(&mut file.name)),
            ("file.directory", Some(&mut file.directory)),
            ("file.extension", file.extension.as_mut()),
            ("file.old_path", file.old_path.as_mut()),
            ("file.target_path", file.target_path.as_mut()),
        ] {
            if path.is_some_and(|path| escape::clip(path, 2 * max)) {
                cut.push(field.to_owned());
            }
        }
    }
    for field in cut {
        alert.evidence.cut(&field);
    }
}
