//! The commands of `profile`: each returns what standard output shall say.

use std::{
    fmt::Write as _,
    fs::File,
    io::{self, Write as _},
    path::Path,
};

use serde_json::{Value, json};

use super::Replay;
use crate::{
    cli::{
        CheckArgs, LearnArgs, ProfileCommand, ShowArgs,
        command::{effective_lock, with_rules},
        rules::effective_rules,
    },
    config::{Config, profiles::Mode},
    control,
    detect::RuleSet,
    exit::{Exit, Failure, OrExit as _},
    printable::escape,
    profile::{self, Chain, Key, Lock, Seen, lock},
    record::{Reader, RecordError},
    terminal::progress::Watched,
};

/// Runs `profile ...`.
///
/// # Errors
/// [`Exit::Usage`] for files that cannot be used, [`Exit::Data`] for damaged recordings,
/// [`Exit::Unavailable`] when no sensor answers.
pub fn profile(command: &ProfileCommand) -> Result<(String, Exit), Failure> {
    match command {
        ProfileCommand::Learn(args) => learn(args).map(|text| (text, Exit::Ok)),
        ProfileCommand::Show(args) => show(args).map(|text| (text, Exit::Ok)),
        ProfileCommand::Diff { old, new } => Ok(diff(&required(old)?, &required(new)?)),
        ProfileCommand::Check(args) if args.recording.is_empty() => valid(args),
        ProfileCommand::Check(args) => check(args),
        ProfileCommand::Products => products().map(|text| (text, Exit::Ok)),
    }
}

fn usage(error: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Usage, error)
}

/// The profile in a file that was named.
fn required(path: &Path) -> Result<Lock, Failure> {
    let lock = lock::read(path).map_err(usage)?;
    lock.ok_or_else(|| usage(lock::LockError::Missing(path.into())))
}

fn put(text: &mut String, line: std::fmt::Arguments<'_>) {
    text.write_fmt(line).expect("a String takes all");
}

/// What was found besides chains.
#[derive(Default)]
struct Aside {
    /// Lines about what was not learnt.
    refused: Vec<String>,
    overflow: u64,
}

fn learn(args: &LearnArgs) -> Result<String, Failure> {
    let effective = with_rules(&args.config, &args.rules)?;
    let mut aside = Aside::default();
    let mut learnt = if args.recording.is_empty() {
        ask(&effective.config, &mut aside)?
    } else {
        let mut learnt = Lock::default();
        for path in &args.recording {
            let rules = effective_rules(&effective)?;
            let core = replayed(path, rules, &Lock::default(), |_| ())?;
            let learner = core.engine().profiles().learner();
            learnt.merge(&learner.lock());
            aside.overflow += learner.overflow();
            let refused = learner.refused();
            aside.refused.extend(
                refused.map(|(key, exe, why, count)| format!("{key}: {exe}, {count} times: {why}")),
            );
        }
        learnt
    };
    learnt.retain(args.min_days, args.min_count);
    learnt.prune();
    tell(&aside);
    let Some(path) = &args.output else {
        return Ok(learnt.to_yaml());
    };
    let before = lock::read(path).map_err(usage)?.unwrap_or_default();
    let mut merged = before.clone();
    merged.merge(&learnt);
    merged.prune();
    lock::write(path, &merged).map_err(usage)?;
    let (changes, _) = diff(&before, &merged);
    let path = path.to_string_lossy();
    Ok(format!(
        "{changes}{}: {} chains of {} services, {} before\n",
        escape(&path),
        merged.len(),
        merged.services.len(),
        before.len()
    ))
}

/// What the running sensor has learnt.
fn ask(config: &Config, aside: &mut Aside) -> Result<Lock, Failure> {
    let reply = control::ask(&config.control.socket, &json!({"query": "profile"}))?;
    let text = reply.get("lock").and_then(Value::as_str);
    let text =
        text.ok_or_else(|| Failure::new(Exit::Internal, "the sensor's answer holds no profile"))?;
    aside.overflow = reply.get("overflow").and_then(Value::as_u64).unwrap_or(0);
    let refused = reply.get("refused").and_then(Value::as_array);
    let lines = refused.into_iter().flatten().filter_map(Value::as_str);
    aside.refused = lines.map(str::to_owned).collect();
    Lock::parse(text).map_err(|error| Failure::new(Exit::Internal, error))
}

/// Says on standard error what was not learnt.
fn tell(aside: &Aside) {
    let mut text = String::new();
    for line in &aside.refused {
        put(
            &mut text,
            format_args!("lineage-sensor: not learnt: {}\n", escape(line)),
        );
    }
    if aside.overflow > 0 {
        let count = aside.overflow;
        put(
            &mut text,
            format_args!("lineage-sensor: not learnt: {count} execs for which there was no room\n"),
        );
    }
    // Nobody listening is no reason to end.
    drop(io::stderr().write_all(text.as_bytes()));
}

/// A recording through a core in which every service learns, and is judged by `lock`.
fn replayed(
    path: &Path,
    rules: RuleSet,
    lock: &Lock,
    prepare: impl FnOnce(&mut profile::Judge),
) -> Result<Replay, Failure> {
    let name = escape(&path.to_string_lossy()).into_owned();
    let file = File::open(path).or_exit(Exit::Usage, format_args!("open {name}"))?;
    let damaged = |error: &RecordError| Failure::new(Exit::Data, format_args!("{name}: {error}"));
    let reader = Reader::new(Watched::new(file, &name)).map_err(|error| damaged(&error))?;
    let header = reader.header().clone();
    let mut config = Config::from_core_yaml(&header.config).or_exit(Exit::Data, &name)?;
    config.profiles.mode = Mode::Learn;
    config.profiles.services.clear();
    let mut core = Replay::with(&config, &header, rules, lock).trying();
    prepare(core.engine_mut().profiles_mut());
    for input in reader {
        let input = input.map_err(|error| damaged(&error))?;
        // Nobody reads the alerts; what is wanted stays in the core.
        core.step(input).or_exit(Exit::Data, &name)?.for_each(drop);
    }
    Ok(core)
}

/// A profile, as `show` and `diff` have its entries.
fn line(chain: &Chain, seen: Option<Seen>) -> String {
    let reviews: Vec<_> = chain.reviews().iter().map(|review| review.name()).collect();
    let mark = if reviews.is_empty() {
        String::new()
    } else {
        format!("[{}] ", reviews.join(", "))
    };
    let seen = seen.map_or_else(String::new, |seen| {
        format!(
            "  # {} times on {} days, last {}",
            seen.count, seen.days, seen.last
        )
    });
    let shown = chain.to_string();
    format!("{mark}{}{seen}", escape(&shown))
}

fn show(args: &ShowArgs) -> Result<String, Failure> {
    let lock = match &args.file {
        Some(path) => required(path)?,
        None => effective_lock(&args.config.load()?)?,
    };
    let wanted = |chain: &Chain| !args.review || !chain.reviews().is_empty();
    if args.json {
        let rows = lock.entries().filter(|(_, chain, _)| wanted(chain));
        let rows: Vec<_> = rows
            .map(|(key, chain, seen)| row(key, chain, seen))
            .collect();
        let text = serde_json::to_string_pretty(&rows);
        return text
            .map(|text| text + "\n")
            .or_exit(Exit::Internal, "print JSON");
    }
    let mut text = String::new();
    for (key, chains) in &lock.services {
        put(&mut text, format_args!("{key}: {} chains\n", chains.len()));
        for (chain, seen) in chains.iter().filter(|(chain, _)| wanted(chain)) {
            put(&mut text, format_args!("  {}\n", line(chain, *seen)));
        }
    }
    let review = lock
        .entries()
        .filter(|(_, chain, _)| !chain.reviews().is_empty())
        .count();
    put(
        &mut text,
        format_args!("{} chains, {review} to be reviewed\n", lock.len()),
    );
    Ok(text)
}

fn row(key: &Key, chain: &Chain, seen: Option<Seen>) -> Value {
    let (place, value) = key.place.pair();
    let steps = chain.steps().iter();
    json!({
        "kind": key.kind,
        place: value,
        "uid": key.uid,
        "steps": steps.map(|step| json!({"exe": step.exe(), "args": step.args().collect::<Vec<_>>()})).collect::<Vec<_>>(),
        "review": chain.reviews().iter().map(|review| review.name()).collect::<Vec<_>>(),
        "count": seen.map(|seen| seen.count),
        "days": seen.map(|seen| seen.days),
        "first": seen.map(|seen| seen.first.to_string()),
        "last": seen.map(|seen| seen.last.to_string()),
    })
}

/// Lines of what only one of two has. Numbers and dates are no difference.
fn diff(old: &Lock, new: &Lock) -> (String, Exit) {
    let mut text = String::new();
    let has = |lock: &Lock, key: &Key, chain: &Chain| {
        lock.services
            .get(key)
            .is_some_and(|chains| chains.contains_key(chain))
    };
    for (sign, from, to) in [('-', old, new), ('+', new, old)] {
        for (key, chain, seen) in from
            .entries()
            .filter(|(key, chain, _)| !has(to, key, chain))
        {
            put(
                &mut text,
                format_args!("{sign} {key}: {}\n", line(chain, seen)),
            );
        }
    }
    let exit = if text.is_empty() {
        Exit::Ok
    } else {
        Exit::Found
    };
    (text, exit)
}

/// `profile check` without a recording: are the profile and the built-in ones sound?
fn valid(args: &CheckArgs) -> Result<(String, Exit), Failure> {
    let lock = wanted(args)?;
    let built_in =
        profile::check().map_err(|problems| Failure::new(Exit::Internal, problems.join("; ")))?;
    let examples: usize = built_in.iter().map(|product| product.examples).sum();
    let (chains, services, profiles) = (lock.len(), lock.services.len(), built_in.len());
    let text = format!(
        "{chains} chains of {services} services: valid\n\
         {profiles} built-in profiles, {examples} examples: as they should be\n"
    );
    Ok((text, Exit::Ok))
}

fn wanted(args: &CheckArgs) -> Result<Lock, Failure> {
    match &args.profile {
        Some(path) => required(path),
        None => effective_lock(&args.config.load()?),
    }
}

fn check(args: &CheckArgs) -> Result<(String, Exit), Failure> {
    let effective = args.config.load()?;
    let lock = wanted(args)?;
    let mut text = String::new();
    let (mut chains, mut execs) = (0, 0);
    for path in &args.recording {
        let rules = effective_rules(&effective)?;
        let core = replayed(path, rules, &lock, |judge| judge.keep_lacks(args.by_kind))?;
        for lack in core.engine().profiles().lacks() {
            chains += 1;
            execs += lack.count;
            let (key, chain, why) = (&lack.key, escape(&lack.chain), escape(&lack.why));
            put(
                &mut text,
                format_args!("{key}: {chain}\n    {} times: {why}\n", lack.count),
            );
        }
    }
    if chains == 0 {
        return Ok(("the profile knows every chain\n".to_owned(), Exit::Ok));
    }
    put(
        &mut text,
        format_args!("{chains} chains that the profile lacks, {execs} execs\n"),
    );
    Ok((text, Exit::Found))
}

fn products() -> Result<String, Failure> {
    let products =
        profile::check().map_err(|problems| Failure::new(Exit::Internal, problems.join("; ")))?;
    let mut text = String::new();
    for product in products {
        let state = if product.name == "base" {
            "always on"
        } else {
            "off until named"
        };
        put(
            &mut text,
            format_args!("{} ({state}): {}\n", product.name, product.title),
        );
        for note in product.notes {
            put(&mut text, format_args!("  {note}\n"));
        }
    }
    Ok(text)
}
