//! `top`: services, rates and the last alerts on a full screen.
//!
//! `model` is the state and what keys and answers make of it; `view` draws it; here stand
//! the terminal and the threads that ask the sensor. Nothing of the first two knows of the
//! third, so that both are tested without one.

mod alert;
mod cursor;
mod model;
mod sample;
mod view;

use std::{
    cell::Cell,
    io::{self, IsTerminal as _},
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    thread::{self, JoinHandle},
    time::Duration,
};

use ratatui::{
    DefaultTerminal,
    crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers},
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};
use serde_json::{Value, json};

use self::{
    model::{Key, Message, Model},
    sample::Id,
};
use super::{follow_again, signal::Signals};
use crate::{
    cli::TopArgs,
    control::{self, Heard, Wanted},
    exit::{Exit, Failure},
};

/// How long a key or a message may wait to be seen.
const TURN: Duration = Duration::from_millis(50);
/// How often the sensor is asked.
const EVERY: Duration = Duration::from_secs(1);
/// What has come and was not drawn yet.
const MESSAGES: usize = 64;
/// How long a thread waits for an alert before it looks around.
const LISTEN: Duration = Duration::from_secs(5);

/// Runs the command until it is left.
///
/// # Errors
/// [`Exit::Usage`] without a terminal or when the configuration is refused,
/// [`Exit::Unavailable`] when no sensor answers at the start, [`Exit::Privilege`] when it
/// may not be asked.
pub fn top(args: &TopArgs) -> Result<(), Failure> {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return Err(Failure::new(
            Exit::Usage,
            "`top` draws on a terminal, and standard input or output is none; programs ask \
             `lineage-sensor tree --json`",
        ));
    }
    let socket = args.config.load()?.config.control.socket;
    let first = control::ask(&socket, &json!({"query": "top"}))?;
    let mut model = Model::default();
    model.take(Message::Sample(first));
    let failed = |error: io::Error| Failure::new(Exit::Internal, format_args!("terminal: {error}"));
    let signals = Signals::new().map_err(failed)?;
    let sensor = Sensor::start(&socket).map_err(failed)?;
    let screen = Screen::open().map_err(failed)?;
    let result = screen.run(&mut model, &sensor, &signals);
    result.map_err(failed)
}

/// The terminal, as it was before when this is dropped; a panic gives it back too.
struct Screen(DefaultTerminal);

impl Screen {
    fn open() -> io::Result<Self> {
        ratatui::try_init()
            .map(Self)
            .inspect_err(|_| ratatui::restore())
    }

    fn run(mut self, model: &mut Model, sensor: &Sensor, signals: &Signals) -> io::Result<()> {
        let mut changed = true;
        while !signals.ended() {
            if changed {
                self.0.draw(|frame| view::draw(model, frame))?;
            }
            changed = false;
            if gone(TURN)? {
                return Ok(());
            }
            if event::poll(Duration::ZERO)? {
                changed = true;
                if let Some(key) = key(&event::read()?)
                    && !model.press(key)
                {
                    return Ok(());
                }
                sensor.show(model.shown_tree());
            }
            changed |= sensor.take(model)?;
        }
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

/// Waits for a key, and says whether the terminal is gone: whoever reads from one that is
/// reads nothing, at once, and crossterm would do so for ever.
fn gone(limit: Duration) -> io::Result<bool> {
    let stdin = io::stdin();
    let mut polled = [PollFd::new(&stdin, PollFlags::IN)];
    let limit = Timespec::try_from(limit).map_err(io::Error::other)?;
    match poll(&mut polled, Some(&limit)) {
        // A signal: the loop looks for it.
        Err(Errno::INTR) => return Ok(false),
        result => result?,
    };
    let [stdin] = &polled;
    let ends = PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL;
    Ok(stdin.revents().intersects(ends))
}

fn key(event: &Event) -> Option<Key> {
    let Event::Key(KeyEvent {
        code,
        modifiers,
        kind: KeyEventKind::Press | KeyEventKind::Repeat,
        ..
    }) = event
    else {
        return None;
    };
    if modifiers.contains(KeyModifiers::CONTROL) {
        return (*code == KeyCode::Char('c')).then_some(Key::Interrupt);
    }
    // Escape and a key at once look like one key: Escape counts.
    if modifiers.contains(KeyModifiers::ALT) {
        return Some(Key::Back);
    }
    Some(match code {
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Home => Key::First,
        KeyCode::End => Key::Last,
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Back,
        KeyCode::Tab | KeyCode::BackTab => Key::Tab,
        KeyCode::Backspace => Key::Erase,
        KeyCode::Char(char) => Key::Char(*char),
        _ => return None,
    })
}

/// Two threads that ask the sensor: for numbers and a tree, and for alerts.
struct Sensor {
    messages: Receiver<Message>,
    /// Whose tree is wanted from now on.
    tree: SyncSender<Option<Id>>,
    /// The last that was said there.
    shown: Cell<Option<Id>>,
    threads: [JoinHandle<()>; 2],
}

impl Sensor {
    fn start(socket: &Path) -> io::Result<Self> {
        let (sender, messages) = sync_channel(MESSAGES);
        let (tree, wanted) = sync_channel(1);
        let (socket, to) = (PathBuf::from(socket), sender.clone());
        let for_alerts = socket.clone();
        let spawn = |name: &str, run: Box<dyn FnOnce() + Send>| {
            thread::Builder::new().name(name.to_owned()).spawn(run)
        };
        Ok(Self {
            threads: [
                spawn(
                    "top-numbers",
                    Box::new(move || numbers(&socket, &wanted, &to)),
                )?,
                spawn("top-alerts", Box::new(move || alerts(&for_alerts, &sender)))?,
            ],
            messages,
            tree,
            shown: Cell::new(None),
        })
    }

    /// Says whose tree is looked at; when the thread is busy, next time.
    fn show(&self, tree: Option<Id>) {
        if self.shown.get() != tree && self.tree.try_send(tree).is_ok() {
            self.shown.set(tree);
        }
    }

    /// Gives the model what has come; `true` when there was something.
    fn take(&self, model: &mut Model) -> io::Result<bool> {
        // They end when nobody listens, or by a panic, which has given the terminal back.
        if self.threads.iter().any(JoinHandle::is_finished) {
            return Err(io::Error::other("what asks the sensor has ended"));
        }
        let mut some = false;
        while let Ok(message) = self.messages.try_recv() {
            model.take(message);
            some = true;
        }
        Ok(some)
    }
}

/// Asks for numbers, and for the tree that is looked at, until nobody takes them.
fn numbers(socket: &Path, wanted: &Receiver<Option<Id>>, to: &SyncSender<Message>) {
    let mut tree: Option<Id> = None;
    loop {
        let message = match control::ask(socket, &json!({"query": "top"})) {
            Ok(answer) => Message::Sample(answer),
            Err(error) => Message::Gone(error.to_string()),
        };
        if to.send(message).is_err() {
            return;
        }
        if let Some(id) = tree
            && let Ok(answer) = control::ask(socket, &json!({"query": "tree", "pid": id.0}))
            && to.send(Message::Tree(id, answer)).is_err()
        {
            return;
        }
        match wanted.recv_timeout(EVERY) {
            Ok(now) => tree = now,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Follows alerts until nobody takes them. When it may not, the other thread says why.
fn alerts(socket: &Path, to: &SyncSender<Message>) {
    let wanted = Wanted {
        last: model::ALERTS,
        ..Wanted::default()
    };
    loop {
        let Ok(mut following) = follow_again(socket, &wanted) else {
            thread::sleep(EVERY);
            continue;
        };
        loop {
            let message = match following.hear(LISTEN) {
                Heard::Line(_, value) => match value.get("missed").and_then(Value::as_u64) {
                    Some(count) => Message::Missed(count),
                    None => Message::Alert(value),
                },
                Heard::Nothing => continue,
                Heard::End => break,
            };
            if to.send(message).is_err() {
                return;
            }
        }
    }
}
