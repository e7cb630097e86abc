//! `tree --watch`: the trees again and again, in place on a terminal, one after the other in
//! a pipe; processes that have come since are marked.

use std::{
    io::{self, IsTerminal as _, Write as _},
    path::Path,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    gone,
    signal::{Signals, Wish},
    size,
};
use crate::{
    cli::TreeArgs,
    control::{
        self,
        render::{Known, known, tree_since},
    },
    exit::{Exit, Failure},
    printable::escape,
};

/// Cursor and wrapping off while it is drawn in place, on again at the end.
const BEGIN: &str = "\x1b[?25l\x1b[?7l\x1b[2J";
const END: &str = "\x1b[?7h\x1b[?25h";

/// Shows the trees every so often until it is interrupted or nobody reads.
///
/// # Errors
/// [`Exit::Usage`] when the configuration is refused, [`Exit::Unavailable`] when no sensor
/// answers at the start, [`Exit::Privilege`] when it may not be asked.
pub fn watch(args: &TreeArgs, every: Duration) -> Result<(), Failure> {
    let socket = args.config.load()?.config.control.socket;
    let first = ask(&socket)?;
    let mut out = io::stdout();
    let signals = Signals::new().map_err(|error| failed(&error))?;
    let result = if out.is_terminal() && !args.json {
        draw(&socket, &first, every, &signals)
    } else {
        let mut pipe = Pipe {
            json: args.json,
            before: None,
        };
        pipe.run(&socket, first, every, &signals, &mut out)
    };
    match result {
        Err(error) if !gone(&error) => Err(failed(&error)),
        _ => Ok(()),
    }
}

fn failed(error: &io::Error) -> Failure {
    Failure::new(
        Exit::Internal,
        format_args!("write standard output: {error}"),
    )
}

fn ask(socket: &Path) -> Result<Value, Failure> {
    Ok(control::ask(socket, &json!({"query": "tree"}))?)
}

/// One snapshot after the other.
struct Pipe {
    json: bool,
    before: Option<Known>,
}

impl Pipe {
    fn run(
        &mut self,
        socket: &Path,
        first: Value,
        every: Duration,
        signals: &Signals,
        out: &mut impl io::Write,
    ) -> io::Result<()> {
        let mut reply: Result<Value, Failure> = Ok(first);
        loop {
            let due = Instant::now() + every;
            match &reply {
                Ok(reply) => out.write_all(self.snapshot(reply, &now()).as_bytes())?,
                Err(failure) => {
                    drop(writeln!(
                        io::stderr(),
                        "lineage-sensor: {}",
                        escape(&failure.message)
                    ));
                }
            }
            out.flush()?;
            while let Some(wish) = signals.wait(due) {
                if wish == Wish::End {
                    return Ok(());
                }
            }
            reply = ask(socket);
        }
    }

    fn snapshot(&mut self, reply: &Value, now: &str) -> String {
        if self.json {
            return format!("{reply}\n");
        }
        let text = tree_since(reply, self.before.as_ref());
        self.before = Some(known(reply));
        format!("--- {now}\n{text}\n")
    }
}

/// Time of day, UTC.
fn now() -> String {
    let second = jiff::Timestamp::now().as_second();
    jiff::Timestamp::from_second(second).map_or_else(|_| String::new(), |it| it.to_string())
}

/// Gives the terminal back.
struct Screen;

impl Drop for Screen {
    fn drop(&mut self) {
        let mut out = io::stdout().lock();
        drop(out.write_all(END.as_bytes()).and_then(|()| out.flush()));
    }
}

fn draw(socket: &Path, first: &Value, every: Duration, signals: &Signals) -> io::Result<()> {
    let mut out = io::stdout();
    let _screen = Screen;
    out.write_all(BEGIN.as_bytes())?;
    let (mut text, mut before) = (tree_since(first, None), known(first));
    let mut title = format!("{}, every {} s, Ctrl-C ends", now(), every.as_secs_f64());
    loop {
        let due = Instant::now() + every;
        loop {
            let (columns, rows) = size(&out).unwrap_or((80, 24));
            out.write_all(frame(&title, &text, columns, rows).as_bytes())?;
            out.flush()?;
            match signals.wait(due) {
                Some(Wish::End) => {
                    return out.write_all(b"\n");
                }
                Some(Wish::Resize) => {}
                None => break,
            }
        }
        match ask(socket) {
            Ok(reply) => {
                text = tree_since(&reply, Some(&before));
                before = known(&reply);
                title = format!("{}, every {} s, Ctrl-C ends", now(), every.as_secs_f64());
            }
            Err(failure) => title = format!("waiting: {}", escape(&failure.message)),
        }
    }
}

/// One screen: a title, and as much of the text as there is room for, with a word about the
/// rest. The last line has no end, so that nothing scrolls.
fn frame(title: &str, text: &str, columns: usize, rows: usize) -> String {
    let room = rows.saturating_sub(1);
    let all = text.lines().count();
    let shown = if all > room {
        room.saturating_sub(1)
    } else {
        all
    };
    let rest = (all > shown).then(|| format!("{} more lines", all - shown));
    let lines = std::iter::once(title).chain(text.lines().take(shown));
    let mut out = "\x1b[H".to_owned();
    for (row, line) in lines.chain(rest.as_deref()).take(rows).enumerate() {
        if row > 0 {
            out.push_str("\r\n");
        }
        out.extend(line.chars().take(columns));
        out.push_str("\x1b[K");
    }
    out.push_str("\x1b[J");
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn snapshots_are_told_apart_and_mark_what_is_new() {
        let reply = |pid: u32| {
            let process = json!({"pid": pid, "start_ns": 1, "executable": "/x"});
            json!({"services": [{"kind": "nginx", "processes": [process]}]})
        };
        let mut pipe = Pipe {
            json: false,
            before: None,
        };
        assert_eq!(pipe.snapshot(&reply(1), "T"), "--- T\nnginx\n└─ 1 /x\n\n");
        assert_eq!(
            pipe.snapshot(&reply(2), "U"),
            "--- U\nnginx\n└─ 2 (new) /x\n\n"
        );
        pipe.json = true;
        let line = pipe.snapshot(&reply(2), "V");
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), reply(2));
        assert_eq!(line.matches('\n').count(), 1);
    }

    #[test]
    fn what_has_no_room_is_said() {
        let text = "a\nb\nc\nd\n";
        let bare = |frame: String| {
            frame
                .replace("\x1b[K", "")
                .replace("\x1b[H", "")
                .replace("\x1b[J", "")
        };
        assert_eq!(bare(frame("t", text, 80, 5)), "t\r\na\r\nb\r\nc\r\nd");
        assert_eq!(bare(frame("title", text, 3, 4)), "tit\r\na\r\nb\r\n2 m");
    }

    proptest! {
        /// A frame never scrolls and never is wider than the terminal.
        #[test]
        fn a_frame_fits(lines in prop::collection::vec("[a-z]{0,90}", 0..60), columns in 1_usize..120, rows in 1_usize..50) {
            let drawn = frame("a title", &lines.join("\n"), columns, rows);
            let drawn = drawn.replace("\x1b[K", "").replace("\x1b[H", "").replace("\x1b[J", "");
            prop_assert!(drawn.matches('\n').count() < rows);
            prop_assert!(drawn.split("\r\n").all(|line| line.chars().count() <= columns));
        }
    }
}
