//! How far long work has come: one line of standard error, drawn over again and gone at the
//! end. On a terminal only, and only for work that takes a while; in a pipe nothing.

use std::{
    cell::RefCell,
    fs::File,
    io::{self, IsTerminal as _, Read, Write},
    rc::Rc,
    time::{Duration, Instant},
};

use super::size;
use crate::printable::escape;

/// Work that is done by then says nothing.
const PATIENCE: Duration = Duration::from_millis(500);
/// How often the line is drawn.
const EVERY: Duration = Duration::from_millis(100);

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Bytes, told in MiB.
    Bytes,
    /// Things of this name.
    Of(&'static str),
}

/// See the module. Its copies are the same line.
#[derive(Clone)]
pub struct Progress(Rc<RefCell<State>>);

struct State {
    what: String,
    unit: Unit,
    total: u64,
    began: Instant,
    drawn: Option<Instant>,
    /// None where nobody looks.
    out: Option<Box<dyn Write>>,
}

impl Progress {
    /// Of `total` things to do; `what` they are done to, or with.
    #[must_use]
    pub fn new(what: &str, unit: Unit, total: u64) -> Self {
        let out = io::stderr();
        let out = out.is_terminal().then(|| Box::new(out) as Box<dyn Write>);
        Self::to(out, what, unit, total)
    }

    fn to(out: Option<Box<dyn Write>>, what: &str, unit: Unit, total: u64) -> Self {
        Self(Rc::new(RefCell::new(State {
            what: escape(what).into_owned(),
            unit,
            total,
            began: Instant::now(),
            drawn: None,
            out,
        })))
    }

    /// So much is done.
    pub fn at(&self, done: u64) {
        self.0.borrow_mut().at(done, Instant::now());
    }

    /// Takes the line away, until more is done: something else is to be written.
    pub fn clear(&self) {
        self.0.borrow_mut().clear();
    }
}

impl State {
    fn at(&mut self, done: u64, now: Instant) {
        let took = now.saturating_duration_since(self.began);
        let recent = |drawn| now.saturating_duration_since(drawn) < EVERY;
        if took < PATIENCE || self.drawn.is_some_and(recent) {
            return;
        }
        let Some(out) = &mut self.out else { return };
        let columns = size(io::stderr()).map_or(80, |(columns, _)| columns);
        let line = line(&self.what, self.unit, (done, self.total), took);
        let line: String = line.chars().take(columns.saturating_sub(1)).collect();
        // Nobody looking is no reason to end.
        drop(write!(out, "\r{line}\x1b[K").and_then(|()| out.flush()));
        self.drawn = Some(now);
    }

    fn clear(&mut self) {
        if let (Some(out), Some(_)) = (&mut self.out, self.drawn.take()) {
            drop(out.write_all(b"\r\x1b[K").and_then(|()| out.flush()));
        }
    }
}

impl Drop for State {
    fn drop(&mut self) {
        self.clear();
    }
}

fn line(what: &str, unit: Unit, (done, total): (u64, u64), took: Duration) -> String {
    let done = done.min(total);
    let percent = done.saturating_mul(100).checked_div(total).unwrap_or(100);
    let amount = match unit {
        Unit::Bytes => format!("{} of {} MiB", done >> 20, total.div_ceil(1 << 20)),
        Unit::Of(things) => format!("{done} of {total} {things}"),
    };
    let left = took.as_secs().saturating_mul(total - done);
    let left = left.checked_div(done);
    let left = left.map_or_else(String::new, |seconds| format!("  {seconds} s left"));
    format!("{what}  {percent} %  {amount}{left}")
}

/// A file that says how far it has been read.
pub struct Watched {
    file: File,
    done: u64,
    progress: Progress,
}

impl Watched {
    /// The file, called `what`.
    #[must_use]
    pub fn new(file: File, what: &str) -> Self {
        let total = file.metadata().map_or(0, |data| data.len());
        Self {
            file,
            done: 0,
            progress: Progress::new(what, Unit::Bytes, total),
        }
    }

    /// What is drawn of it.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }
}

impl Read for Watched {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.done = self.done.saturating_add(read as u64);
        self.progress.at(self.done);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was written.
    #[derive(Clone, Default)]
    struct Paper(Rc<RefCell<Vec<u8>>>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Paper {
        fn text(&self) -> String {
            String::from_utf8(self.0.borrow().clone()).unwrap()
        }
    }

    #[test]
    fn a_line_says_how_much_and_how_long() {
        let mib = 1 << 20;
        let took = Duration::from_secs(10);
        assert_eq!(
            line("a.rec", Unit::Bytes, (25 * mib, 100 * mib), took),
            "a.rec  25 %  25 of 100 MiB  30 s left"
        );
        assert_eq!(
            line("rules", Unit::Of("rules"), (0, 104), took),
            "rules  0 %  0 of 104 rules"
        );
        // A file that has grown, and an empty one.
        assert_eq!(
            line("a", Unit::Bytes, (9, 3), took),
            "a  100 %  0 of 1 MiB  0 s left"
        );
        assert_eq!(line("a", Unit::Bytes, (0, 0), took), "a  100 %  0 of 0 MiB");
    }

    #[test]
    fn it_is_drawn_when_it_takes_long_and_gone_at_the_end() {
        let paper = Paper::default();
        let out: Box<dyn Write> = Box::new(paper.clone());
        let progress = Progress::to(Some(out), "x\u{1b}[2J", Unit::Of("rules"), 10);
        let began = progress.0.borrow().began;
        let at = |done, milliseconds| {
            let now = began + Duration::from_millis(milliseconds);
            progress.0.borrow_mut().at(done, now);
        };
        at(1, 100);
        assert_eq!(paper.text(), "");
        at(2, 1_000);
        at(3, 1_001);
        let first = "\rx\\x1b[2J  20 %  2 of 10 rules  4 s left\x1b[K";
        assert_eq!(paper.text(), first);
        progress.clear();
        progress.clear();
        assert_eq!(paper.text(), format!("{first}\r\x1b[K"));
        at(10, 2_000);
        drop(progress);
        assert!(
            paper
                .text()
                .ends_with("10 of 10 rules  0 s left\x1b[K\r\x1b[K")
        );
    }

    #[test]
    fn a_file_is_read_as_it_is() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"bytes").unwrap();
        io::Seek::rewind(&mut file).unwrap();
        let mut watched = Watched::new(file, "f");
        let mut text = String::new();
        watched.read_to_string(&mut text).unwrap();
        assert_eq!((text.as_str(), watched.done), ("bytes", 5));
        assert_eq!(watched.progress().0.borrow().total, 5);
    }
}
