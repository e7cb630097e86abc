//! `tail`: alerts as they come, from an agent that may come and go.

use std::{
    collections::VecDeque,
    io::{self, IsTerminal as _, Write as _},
    path::Path,
    time::Duration,
};

use serde_json::Value;

use super::{follow_again, gone, size};
use crate::{
    app::level,
    cli::TailArgs,
    control::{Draw, Following, Heard, Wanted},
    exit::{Exit, Failure},
    printable::escape,
};

/// How soon a new width of the terminal is noticed.
const LOOK: Duration = Duration::from_millis(500);
/// Documents remembered as shown, to show none again after an agent's restart: more than an
/// agent remembers.
const SHOWN: usize = 1_024;

/// Runs the command until it is interrupted or nobody reads.
///
/// # Errors
/// [`Exit::Usage`] when the configuration is refused, [`Exit::Unavailable`] when no sensor
/// answers at the start, [`Exit::Privilege`] when it may not be asked.
pub fn tail(args: &TailArgs) -> Result<(), Failure> {
    let config = args.config.load()?.config;
    let terminal = io::stdout().is_terminal();
    let draw = (terminal && !args.json).then(|| Draw {
        colour: config.output.color.on(true),
        columns: size(io::stdout()).map(|(columns, _)| columns),
    });
    let least = args.level.unwrap_or(config.output.level);
    let wanted = Wanted {
        level: level(least).name().to_owned(),
        rules: args.rule.clone(),
        services: args.service.clone(),
        last: args.number,
        draw,
    };
    let result = Tail::begin(&config.control.socket, wanted)?.run();
    match result {
        Ok(()) => Ok(()),
        Err(Stop::Failure(failure)) => Err(failure),
        Err(Stop::Write(error)) if gone(&error) => Ok(()),
        Err(Stop::Write(error)) => Err(Failure::new(
            Exit::Internal,
            format_args!("write standard output: {error}"),
        )),
    }
}

/// Why it ends.
enum Stop {
    Failure(Failure),
    Write(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Write(error)
    }
}

struct Tail<'a> {
    socket: &'a Path,
    wanted: Wanted,
    following: Following,
    shown: Shown,
}

impl<'a> Tail<'a> {
    fn begin(socket: &'a Path, wanted: Wanted) -> Result<Self, Failure> {
        let following = Following::begin(socket, &wanted)?;
        Ok(Self {
            socket,
            wanted,
            following,
            shown: Shown::default(),
        })
    }

    fn run(mut self) -> Result<(), Stop> {
        loop {
            self.resize();
            match self.following.hear(LOOK) {
                Heard::Line(line, value) => self.show(&line, &value)?,
                Heard::Nothing => {}
                Heard::End => self.wait()?,
            }
        }
    }

    /// The agent has gone: all that another one has told by then is new.
    fn wait(&mut self) -> Result<(), Stop> {
        let socket = self.socket.display();
        say(&format!("the sensor at {socket} has gone: waiting for it"));
        self.wanted.last = usize::MAX;
        self.resize();
        let again = follow_again(self.socket, &self.wanted);
        self.following = again.map_err(|error| Stop::Failure(error.into()))?;
        say("the sensor is back");
        Ok(())
    }

    fn resize(&mut self) {
        let Some(draw) = &mut self.wanted.draw else {
            return;
        };
        let now = size(io::stdout()).map(|(columns, _)| columns);
        if draw.columns != now {
            draw.columns = now;
            self.following.widen(now.unwrap_or_default());
        }
    }

    fn show(&mut self, line: &str, value: &Value) -> Result<(), Stop> {
        let text = |name| value.get(name).and_then(Value::as_str);
        if let Some(count) = value.get("missed").and_then(Value::as_u64) {
            say(&missed(count));
            return Ok(());
        }
        let id = text("id").or_else(|| value.pointer("/event/id").and_then(Value::as_str));
        if id.is_some_and(|id| !self.shown.first(id)) {
            return Ok(());
        }
        let line = text("drawn").map_or_else(|| line.to_owned(), only_colours);
        let mut out = io::stdout().lock();
        out.write_all(format!("{line}\n").as_bytes())?;
        Ok(out.flush()?)
    }
}

/// What was drawn, without anything that a terminal obeys but colours and the ends of lines:
/// who draws it talks to the network.
fn only_colours(drawn: &str) -> String {
    let mut shown = String::with_capacity(drawn.len());
    let mut rest = drawn;
    while let Some(at) = rest.find(|it: char| it.is_control() && it != '\n') {
        let (plain, from) = rest.split_at(at);
        shown.push_str(plain);
        let colour = colour(from);
        shown.push_str(colour);
        let control = from.chars().next().map_or(0, char::len_utf8);
        rest = from.get(control.max(colour.len())..).unwrap_or_default();
    }
    shown.push_str(rest);
    shown
}

/// The sequence that `text` begins with, when it sets colours: `ESC [ numbers m`.
fn colour(text: &str) -> &str {
    let numbers = text.strip_prefix("\u{1b}[").unwrap_or_default();
    let end = numbers.find(|it: char| !it.is_ascii_digit() && it != ';');
    match end {
        Some(end) if numbers.as_bytes().get(end) == Some(&b'm') => {
            text.get(..end + 3).unwrap_or_default()
        }
        _ => "",
    }
}

/// What was not shown, in words.
fn missed(count: u64) -> String {
    let alerts = if count == 1 {
        "1 alert was"
    } else {
        &format!("{count} alerts were")
    };
    format!("{alerts} not shown: this terminal was too slow")
}

fn say(text: &str) {
    // Nobody listening is no reason to end.
    drop(writeln!(io::stderr(), "lineage-sensor: {}", escape(text)));
}

/// Ids of what was shown last.
#[derive(Default)]
struct Shown(VecDeque<String>);

impl Shown {
    /// Remembers `id`; `false` when it is known.
    fn first(&mut self, id: &str) -> bool {
        if self.0.iter().any(|known| known == id) {
            return false;
        }
        if self.0.len() == SHOWN {
            self.0.pop_front();
        }
        self.0.push_back(id.to_owned());
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{alert::Level, sink::tail::LATEST};

    #[test]
    fn of_what_is_drawn_only_colours_reach_the_terminal() {
        let plain = "alert\n  \u{1b}[1;31mshell\u{1b}[0m";
        assert_eq!(only_colours(plain), plain);
        assert_eq!(only_colours("no sequence"), "no sequence");
        for (hostile, left) in [
            ("\u{1b}]0;title\u{7}a", "]0;titlea"),
            ("\u{1b}[2Ja\u{1b}[31mb", "[2Ja\u{1b}[31mb"),
            ("a\rb\u{9b}31mc\u{7f}", "ab31mc"),
            ("\u{1b}", ""),
            ("\u{1b}[", "["),
            ("\u{1b}[\u{1b}[32mx", "[\u{1b}[32mx"),
        ] {
            assert_eq!(only_colours(hostile), left, "{hostile:?}");
        }
    }
    #[test]
    fn what_was_shown_is_known_for_longer_than_an_agent_remembers() {
        assert!(SHOWN > LATEST * Level::ALL.len());
        let mut shown = Shown::default();
        let ids: Vec<_> = (0..=SHOWN).map(|number| number.to_string()).collect();
        assert!(ids.iter().all(|id| shown.first(id)));
        assert!(!shown.first(&ids[1]) && shown.first(&ids[0]));
        assert_eq!(shown.0.len(), SHOWN);
    }

    #[test]
    fn what_was_missed_is_said_in_numbers() {
        let end = "not shown: this terminal was too slow";
        assert_eq!(missed(1), format!("1 alert was {end}"));
        assert_eq!(missed(2_000), format!("2000 alerts were {end}"));
    }
}
