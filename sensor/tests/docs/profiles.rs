//! `docs/profiles.md`: the text by hand, the tables from the code.

use sensor::{
    detect::{Learnable, RuleSet},
    profile::{self, Refusal},
};

use crate::page::{code, head, page, table};

const FORM: &str = "
## The file

```yaml
version: 1
services:
  - kind: php-fpm                  # kind of server
    unit: php8.2-fpm.service       # or exe: path of the server, or name: of services.declare
    uid: 33                        # real uid as which the first program ran
    chains:
      - steps:                     # the programs one after another, from the service down
          - exe: /usr/bin/dash     # the file the kernel runs
            args: [sh, -c, \"convert {path:/srv/up} -resize {number}x{number} {path:/tmp:.png} 2>& 1\"]
          - exe: /usr/bin/convert-im6.q16
            args: [convert, \"{path:/srv/up}\", -resize, \"{number}x{number}\", \"{path:/tmp:.png}\"]
        count: 812                 # leave these four out of an entry written by hand: it
        days: 9                    # does not expire then
        first: 2026-11-01
        last: 2026-11-22
```

Titles that processes give themselves play no part. A chain is known when it is the beginning of
an entry, or all of it: whoever may run a shell that runs `convert` may run the shell. It makes no
difference whether a program was a child of the last or took its place. Entries are sorted, a file
has one form, and merging it with itself changes nothing, so that it can be kept and merged like
code.

`sh -c cmd` and `sh -c -- cmd` are one. The command is cut into words and operators; operators
(`;`, `|`, `&`, `<`, `>`, parentheses) must stand where the entry has them and nowhere else. The
word in the place of a program, options, files that are written to, scripts and code are always
literal, and so are all arguments of tools that talk to other machines. Arguments of interpreters,
shells and programs that run other programs can only be numbers and digests.
";

const LEARNING: &str = "
## From learning to silence

1. `mode: learn` (the default) changes no alert. After some days:
   `sudo lineage-sensor profile learn --output /etc/lineage-sensor/lineage.lock --min-days 2`.
   What has been learnt is in the sensor's memory until it is written down so; do it again, from a
   timer, before each restart. In the tests of an application, record them
   (`lineage-sensor record ci.rec`) and learn from the recording.
2. Review: `lineage-sensor profile show --review` lists the entries that name tools for
   reconnaissance, network tools and interpreters.
3. `mode: shadow`: alerts say in `profile.would_silence` what would be silenced.
4. `mode: alert`: alerts of rules that may be learnt are silenced for what the profile knows. What
   it does not know and no other rule names is `first_seen_child` (low), for edge servers and CGI
   `first_seen_child_of_edge_or_cgi` (high), once for each chain and run of the sensor.
5. `profile check --recording ci.rec --profile lineage.lock --by-kind` ends with 1 and a table when the
   application spawned something that the profile lacks.

A chain seen once is learnt as it was, but for numbers, sizes, digests and files in `/tmp` and
`/var/tmp`. The fourth that differs in arguments only makes one entry with placeholders of all.
Whatever a rule of level medium or above matched that may never be learnt is left out, with all that ran
below it, and so are arguments with secrets (write such an entry by hand); standard error says so. An entry that was not used for `profiles.expire_days` days counts
no more, by the time of events.
";

const LIMITS: &str = "
## Limits

- A profile speaks of what is executed. Rules about files and connections are never silenced.
- What runs is told by its path. Whoever can replace `/usr/bin/convert` is root; a program that a
  service wrote, or one in another mount namespace than the service's, is never known.
- Where the environment of the service is larger than what is captured of it, a preloaded library
  may hide in the part that is not.
- A shell builtin that a known command runs (`cd`, `echo`, redirections) runs as part of the
  command, which must be the known one to the last operator.
- The working directory is no part of an entry.
- The examples of the products are what their sources or documents say they run (the table says
  which, and where that was not compared), written down by hand, not recorded on hosts that run
  them. Paths other than those of Debian's packages need an entry of one's own.
";

#[test]
fn profiles() {
    let mut text = head(
        "Profiles: what a service may spawn",
        "A profile (`lineage.lock`) lists the chains of programs that a service runs in ordinary \
         operation, with templates for their arguments. It silences alerts of rules that may be \
         learnt, and nothing else. Commands: `lineage-sensor profile --help`; settings: `profiles` \
         in [configuration.md](configuration.md).",
    );
    text += LEARNING;
    text += FORM;
    text += "\n## Placeholders\n\nNone stands for a character that means something to a shell, nor for an option. Each takes as much as it can. A brace itself is written twice.\n";
    text += &table(
        ["Placeholder", "Stands for"],
        profile::PLACEHOLDERS
            .iter()
            .map(|(name, what)| [code(name), (*what).to_owned()]),
    );
    text += "\n## What no profile can hold\n\nIt is not learnt, no entry matches it, and `profile.reason` in the alert says why.\n";
    text += &table(
        ["Word", "Why"],
        Refusal::ALL
            .iter()
            .map(|refusal| [code(refusal.name()), refusal.to_string()]),
    );
    text += "\n## Rules that a profile silences\n\nRules of one's own say `learnable: chain` or `learnable: exact`; without it they are never silenced.\n";
    let set = RuleSet::load(&[]).unwrap();
    let rules = set
        .list()
        .iter()
        .filter(|rule| rule.learnable != Learnable::Never);
    text += &table(
        ["Rule", "For"],
        rules.map(|rule| {
            let what = match rule.learnable {
                Learnable::Exact => "known chains without a placeholder",
                Learnable::Chain | Learnable::Never => "known chains",
            };
            [
                format!("[`{}`](rules.md#{})", rule.name, rule.name),
                what.to_owned(),
            ]
        }),
    );
    text += "\n## Built-in profiles\n\n`base` is always on, in every mode. The others are off until `profiles.products` names them. The examples in their files (`sensor/profiles`) are run by a test and by `lineage-sensor profile check`.\n";
    let products = profile::check().unwrap();
    text += &table(
        ["Profile", "Knows", "By"],
        products.iter().map(|product| {
            let notes = product.notes.join("; ");
            [code(product.name), notes, product.source.clone()]
        }),
    );
    text += LIMITS;
    page("profiles.md", &text);
}
