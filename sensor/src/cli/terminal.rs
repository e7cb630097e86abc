//! Options of the commands that show what the running sensor sees.

use std::time::Duration;

use clap::Args;

use super::ConfigArgs;
use crate::config::Level;

/// Options of `tree`.
#[derive(Args, Debug)]
pub struct TreeArgs {
    /// Print the sensor's answer as JSON, complete
    #[arg(long)]
    pub json: bool,
    /// Go on: draw again every so often, and mark processes that are new [default: 2]
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true, default_missing_value = "2", value_parser = seconds)]
    pub watch: Option<Duration>,
    /// Configuration file.
    #[command(flatten)]
    pub config: ConfigArgs,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok();
    let seconds = seconds.filter(|seconds: &f64| (0.1..=3_600.0).contains(seconds));
    seconds
        .map(Duration::from_secs_f64)
        .ok_or_else(|| "expected a number of seconds from 0.1 to 3600".to_owned())
}

/// Options of `tail`.
#[derive(Args, Debug)]
pub struct TailArgs {
    /// Only alerts of this level and above [default: output.level of the configuration]
    #[arg(long, value_enum, value_name = "LEVEL")]
    pub level: Option<Level>,
    /// Only alerts of this rule; `*` at the end stands for any end (repeatable)
    #[arg(long, value_name = "RULE")]
    pub rule: Vec<String>,
    /// Only alerts of services of this kind, or declared by this name (repeatable)
    #[arg(long, value_name = "SERVICE")]
    pub service: Vec<String>,
    /// Print JSON lines also on a terminal
    #[arg(long)]
    pub json: bool,
    /// Begin with so many of the latest; the sensor remembers 32 of each level
    #[arg(short = 'n', long, value_name = "N", default_value_t = 0)]
    pub number: usize,
    /// Configuration file.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// Options of `top`.
#[derive(Args, Debug)]
pub struct TopArgs {
    /// Configuration file.
    #[command(flatten)]
    pub config: ConfigArgs,
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    #[test]
    fn a_watch_has_an_interval_that_can_be_left_out() {
        let watch = |line: &str| match Cli::try_parse_from(line.split(' ')).ok()?.command {
            Command::Tree(args) => Some(args.watch),
            other => panic!("{other:?}"),
        };
        let every = |milliseconds| Some(Some(Duration::from_millis(milliseconds)));
        assert_eq!(watch("x tree"), Some(None));
        assert_eq!(watch("x tree --watch"), every(2_000));
        assert_eq!(watch("x tree --watch=0.5 --json"), every(500));
        for bad in ["0", "-1", "nan", "x", "1e9"] {
            assert_eq!(watch(&format!("x tree --watch={bad}")), None);
        }
    }
}
