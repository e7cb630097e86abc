//! What packages install besides the program: completions for shells and man pages, both
//! made from the command line itself.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use clap::{Args, Command, CommandFactory as _};
use clap_complete::Shell;
use clap_mangen::Man;

use super::Cli;
use crate::exit::{Exit, Failure};

/// Options of `completions`.
#[derive(Args, Debug)]
pub struct CompletionsArgs {
    /// Shell to complete for
    pub shell: Shell,
}

/// Options of `man`.
#[derive(Args, Debug)]
pub struct ManArgs {
    /// Existing directory that gets lineage-sensor.1 and a page for each command
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
}

/// The completion script for one shell.
#[must_use]
pub fn completions(args: &CompletionsArgs) -> String {
    let mut script = Vec::new();
    let mut command = Cli::command();
    let name = command.get_name().to_owned();
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// Writes a man page for the program and for each of its commands; a line for each file.
///
/// # Errors
/// [`Exit::Usage`] when a page cannot be written.
pub fn man(args: &ManArgs) -> Result<String, Failure> {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let mut written = String::new();
    write_pages(command, &args.directory, &mut written).map_err(|(path, error)| {
        Failure::new(
            Exit::Usage,
            format_args!("write {}: {error}", path.display()),
        )
    })?;
    Ok(written)
}

/// One page, then those of the commands below it.
fn write_pages(
    command: Command,
    directory: &Path,
    written: &mut String,
) -> Result<(), (PathBuf, io::Error)> {
    let below: Vec<Command> = command.get_subcommands().cloned().collect();
    let man = Man::new(command);
    let path = directory.join(man.get_filename());
    let mut page = Vec::new();
    man.render(&mut page)
        .and_then(|()| fs::write(&path, &page))
        .map_err(|error| (path.clone(), error))?;
    written.push_str(&path.to_string_lossy());
    written.push('\n');
    for command in below {
        // `build` has named them `lineage-sensor-rules-check`.
        if !command.is_hide_set() {
            write_pages(command, directory, written)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_knows_the_commands() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let script = completions(&CompletionsArgs { shell });
            let words = [
                "lineage-sensor",
                "why-not",
                "simulate",
                "tail",
                "top",
                "--config",
                "--watch",
            ];
            for word in words {
                let word = if shell == Shell::Fish {
                    word.trim_start_matches('-')
                } else {
                    word
                };
                assert!(script.contains(word), "{shell}: {word}");
            }
        }
    }

    #[test]
    fn each_command_has_a_page_and_hidden_options_have_none() {
        let directory = tempfile::tempdir().unwrap();
        let args = ManArgs {
            directory: directory.path().to_owned(),
        };
        let written = man(&args).unwrap();
        for name in [
            "lineage-sensor.1",
            "lineage-sensor-run.1",
            "lineage-sensor-tail.1",
            "lineage-sensor-top.1",
            "lineage-sensor-rules-check.1",
        ] {
            let page = fs::read_to_string(directory.path().join(name)).unwrap();
            assert!(
                written.contains(name) && page.contains(".SH NAME"),
                "{name}"
            );
        }
        let run = fs::read_to_string(directory.path().join("lineage-sensor-run.1")).unwrap();
        assert!(run.contains("\\-\\-scope") && !run.contains("override\\-offset"));
        assert!(run.contains("sudo lineage\\-sensor run"), "examples: {run}");
    }

    #[test]
    fn a_directory_that_is_not_there_is_named() {
        let args = ManArgs {
            directory: "/nowhere/at/all".into(),
        };
        let failure = man(&args).unwrap_err();
        assert_eq!(failure.code, Exit::Usage);
        assert!(
            failure.message.contains("/nowhere/at/all/lineage-sensor.1"),
            "{}",
            failure.message
        );
    }
}
