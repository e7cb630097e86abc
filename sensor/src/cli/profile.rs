//! `profile ...`: its options.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{ConfigArgs, help};

/// `profile ...`
#[derive(Debug, Subcommand)]
pub enum ProfileCommand {
    /// Write down what services spawn: of the running sensor, or in recordings
    #[command(long_about = help::PROFILE_LEARN_LONG, after_help = help::PROFILE_LEARN)]
    Learn(LearnArgs),
    /// Show a profile, with what should be looked at
    #[command(after_help = help::PROFILE_SHOW)]
    Show(ShowArgs),
    /// Compare two profiles
    #[command(after_help = help::PROFILE_DIFF)]
    Diff {
        /// The older one
        #[arg(value_name = "A")]
        old: PathBuf,
        /// The newer one
        #[arg(value_name = "B")]
        new: PathBuf,
    },
    /// Check profiles, or find in recordings what a profile lacks
    #[command(long_about = help::PROFILE_CHECK_LONG, after_help = help::PROFILE_CHECK)]
    Check(CheckArgs),
    /// List the built-in profiles
    #[command(after_help = help::PROFILE_PRODUCTS)]
    Products,
}

/// Options of `profile learn`.
#[derive(Args, Debug)]
pub struct LearnArgs {
    /// Learn from this recording instead of the running sensor (repeatable)
    #[arg(long, value_name = "FILE")]
    pub recording: Vec<PathBuf>,
    /// Merge into this profile instead of writing to standard output
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Leave out what was seen on fewer days
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub min_days: u32,
    /// Leave out what was seen less often
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub min_count: u64,
    /// Load the Sigma rules in DIR too: what they match may never be learnt (repeatable)
    #[arg(long, value_name = "DIR")]
    pub rules: Vec<PathBuf>,
    /// Configuration file.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// Options of `profile show`.
#[derive(Args, Debug)]
pub struct ShowArgs {
    /// Profile [default: the configured one]
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Only what should be looked at
    #[arg(long)]
    pub review: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Configuration file.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// Options of `profile check`.
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// Find what the services of this recording spawned and the profile lacks (repeatable)
    #[arg(long, value_name = "FILE")]
    pub recording: Vec<PathBuf>,
    /// Profile [default: the configured one]
    #[arg(long, value_name = "FILE")]
    pub profile: Option<PathBuf>,
    /// Compare services by kind alone: units and uids of a test machine are others
    #[arg(long)]
    pub by_kind: bool,
    /// Configuration file.
    #[command(flatten)]
    pub config: ConfigArgs,
}
