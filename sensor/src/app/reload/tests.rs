//! The thread that reads again, against real files.

use std::fs;

use clap::Parser as _;

use super::*;
use crate::{
    cli::{Cli, Command},
    config::Level,
    sink::Sinks,
};

struct Bench {
    dir: tempfile::TempDir,
    reloader: Reloader,
}

impl Bench {
    /// A reloader of a configuration file in a directory of its own.
    fn new(text: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.yaml");
        fs::create_dir(dir.path().join("rules")).unwrap();
        fs::write(
            &path,
            text.replace("RULES", &dir.path().join("rules").to_string_lossy()),
        )
        .unwrap();
        let line = ["lineage-sensor", "run", "--config"].map(str::to_owned);
        let line = line
            .into_iter()
            .chain([path.to_string_lossy().into_owned()]);
        let Command::Run(args) = Cli::try_parse_from(line).unwrap().command else {
            panic!("not run");
        };
        let effective = args.effective().unwrap();
        let seen = seen(&effective);
        let (rules, _) = effective_rules_with_text(&effective).unwrap();
        let hash = effective.hash(rules.hash(), &profile::hash(&profile::Lock::default()));
        let reloader = Reloader::start(
            args,
            Running {
                effective,
                hash,
                seen,
                missing: vec!["open"],
                prepare: Box::new(|config| {
                    let maker = Sinks::new(|_| ()).maker();
                    sinks::change(&maker, &[], &config.sinks)?;
                    Ok(Ticket::for_another(config))
                }),
            },
        )
        .unwrap();
        Self { dir, reloader }
    }

    fn write(&self, name: &str, text: &str) {
        let rules = self.dir.path().join("rules");
        let text = text.replace("RULES", &rules.to_string_lossy());
        // By another name first, as editors do.
        let beside = self.dir.path().join("new");
        fs::write(&beside, text).unwrap();
        fs::rename(beside, self.dir.path().join(name)).unwrap();
    }

    async fn next(&mut self) -> Next {
        match self.reloader.next().await {
            Outcome::Next(next) => *next,
            Outcome::Same => panic!("the same"),
            Outcome::Refused(why) => panic!("refused: {why}"),
        }
    }

    async fn refused(&mut self) -> String {
        match self.reloader.next().await {
            Outcome::Refused(why) => why,
            _ => panic!("not refused"),
        }
    }
}

const BASE: &str = "rules: {directories: [RULES]}\n";
const RULE: &str = "title: t\nid: 5f1f0c6e-5b3c-4a3a-9d2f-2f5a1f2b7a01\nname: my_rule\n\
    logsource: {category: process_creation, product: linux}\n\
    detection: {s: {Image: /x}, condition: s}\nlevel: low\n";

#[tokio::test]
async fn a_changed_file_is_taken_up_and_a_broken_one_is_not() {
    let mut bench = Bench::new(BASE);
    bench.write(
        "config.yaml",
        &format!("{BASE}output: {{level: low}}\nscope: host\n"),
    );
    let next = bench.next().await;
    assert_eq!(next.effective.config.output.level, Level::Low);
    assert_eq!(next.kept, ["scope"]);
    let first = next.hash;
    bench.write("config.yaml", &format!("{BASE}output: {{levle: high}}\n"));
    let why = bench.refused().await;
    assert!(why.contains("did you mean `output.level`?"), "{why}");
    bench.write("config.yaml", &format!("{BASE}rules: {{adjust: []}}\n"));
    assert!(bench.refused().await.contains("twice"));
    bench.write("config.yaml", BASE);
    let back = bench.next().await;
    assert_ne!(back.hash, first);
    assert_eq!(back.effective.config.output.level, Level::Medium);
}

#[tokio::test]
async fn who_takes_a_mistake_back_is_told_that_all_is_well() {
    let mut bench = Bench::new(BASE);
    bench.write("config.yaml", "levle: high\n");
    bench.refused().await;
    bench.write("config.yaml", BASE);
    assert!(matches!(bench.reloader.next().await, Outcome::Same));
}

#[tokio::test]
async fn rules_and_profile_are_files_too() {
    let lock = "profiles: {file: RULES/../lineage.lock}\n";
    let text = format!("{BASE}{lock}");
    let mut bench = Bench::new(BASE);
    bench.write("rules/my.yml", RULE);
    let next = bench.next().await;
    let parts = next.reload.into_parts().unwrap();
    assert!(parts.rules.list().iter().any(|rule| rule.name == "my_rule"));
    bench.write("rules/my.yml", "title: [");
    assert!(bench.refused().await.contains("my.yml"));
    fs::remove_file(bench.dir.path().join("rules/my.yml")).unwrap();
    let parts = bench.next().await.reload.into_parts().unwrap();
    assert!(parts.rules.list().iter().all(|rule| rule.name != "my_rule"));
    bench.write("config.yaml", &text);
    assert!(bench.refused().await.contains("no such file"));
    // Nobody asks: files that a refused configuration names are looked at too.
    bench.write("lineage.lock", &profile::Lock::default().to_yaml());
    assert!(bench.next().await.kept.is_empty());
}

#[tokio::test]
async fn who_asks_is_answered_though_nothing_changed() {
    let mut bench = Bench::new(BASE);
    bench.reloader.ask();
    assert!(matches!(bench.reloader.next().await, Outcome::Same));
}
