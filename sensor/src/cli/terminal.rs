//! Options of the commands that show what the running sensor sees.

use clap::Args;

use super::ConfigArgs;
use crate::config::Level;

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
