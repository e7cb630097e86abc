//! What libtest printed, counted.
//!
//! A test that cannot run here prints `SKIP <name>: <reason>` and passes, so it
//! counts as skipped, not as passed; so does an `#[ignore]`d one.

/// Counts and skipped tests of one or many suites.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: Vec<String>,
    /// Names of failed tests.
    pub(crate) failures: Vec<String>,
    /// `test result:` lines seen; none means the suite never finished.
    pub(crate) results: usize,
}

impl Tally {
    /// Reads the whole standard output of a suite.
    pub(crate) fn read(output: &str) -> Self {
        let mut tally = Self::default();
        for line in output.lines() {
            tally.line(line);
        }
        let printed = tally.skipped.len();
        let ignored = output.lines().filter_map(ignored);
        tally.skipped.extend(ignored);
        tally.passed = tally.passed.saturating_sub(printed);
        tally
    }

    fn line(&mut self, line: &str) {
        if let Some(counts) = line.strip_prefix("test result: ") {
            self.results += 1;
            self.passed += count(counts, " passed");
            self.failed += count(counts, " failed");
        } else if let Some(name) = failure(line) {
            self.failures.push(name.to_owned());
        } else if let Some(skipped) = skip(line) {
            self.skipped.push(skipped.to_owned());
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped.extend(other.skipped);
        self.failures.extend(other.failures);
        self.results += other.results;
    }
}

/// `<name>: <reason>` of a SKIP line, which libtest may have begun with `test x ... `.
fn skip(line: &str) -> Option<&str> {
    let rest = line
        .strip_prefix("SKIP ")
        .or_else(|| line.split_once(" ... SKIP ").map(|(_, rest)| rest))?;
    rest.contains(": ").then_some(rest.trim_end())
}

/// The name in `test x ... FAILED`.
fn failure(line: &str) -> Option<&str> {
    line.strip_prefix("test ")?.strip_suffix(" ... FAILED")
}

/// `test x ... ignored` or `test x ... ignored, reason`.
fn ignored(line: &str) -> Option<String> {
    let (name, reason) = line.strip_prefix("test ")?.split_once(" ... ignored")?;
    let reason = reason.trim_start_matches(", ");
    let reason = if reason.is_empty() { "ignored" } else { reason };
    Some(format!("{name}: {reason}"))
}

/// The number before `what` in `ok. 12 passed; 0 failed; ...`.
fn count(counts: &str, what: &str) -> usize {
    counts
        .split(';')
        .filter_map(|part| part.trim().strip_suffix(what))
        .find_map(|part| part.split_whitespace().next_back()?.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_from_every_result_line() {
        let tally = Tally::read(
            "test b ... FAILED\n\
             test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 1 filtered out\n\
             test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured\n",
        );
        assert_eq!((tally.passed, tally.failed, tally.results), (15, 2, 2));
        assert_eq!(tally.failures, ["b"]);
    }

    #[test]
    fn a_skip_is_not_a_pass() {
        let tally = Tally::read(
            "test a ... ok\n\
             ---- b stdout ----\n\
             SKIP b: no systemd-analyze\n\
             test c ... SKIP c: no root\n\
             test d ... ignored, slow\n\
             test e ... ignored\n\
             test result: ok. 3 passed; 0 failed; 2 ignored; 0 measured\n",
        );
        assert_eq!(tally.passed, 1);
        assert_eq!(
            tally.skipped,
            [
                "b: no systemd-analyze",
                "c: no root",
                "d: slow",
                "e: ignored"
            ]
        );
    }

    #[test]
    fn other_lines_that_say_skip_are_no_skips() {
        assert_eq!(
            Tally::read("SKIPPED x: y\nwe SKIP this: no\nSKIP nothing\n"),
            Tally::default()
        );
    }
}
