//! A case's turn: its mark, the ways to make a server do something, and what shows that it
//! was done.

use std::{
    cell::RefCell,
    fmt::Write as _,
    net::{IpAddr, Ipv4Addr, UdpSocket},
    path::{Path, PathBuf},
    process::Command,
};

use rustix::process::Signal;

use super::{
    case::Claim,
    proof::{Act, Proof, Trace},
    stacks::{Stack, Stacks},
};
use crate::fixture::{
    http,
    http::Response,
    process::succeed,
    scene,
    site::{php_array, php_string},
};

/// What a case acts with.
pub(crate) struct Turn<'a> {
    pub(crate) stacks: &'a Stacks,
    pub(crate) stack: Stack,
    /// Everything that this case makes or says bears it, and nothing else does.
    pub(crate) mark: String,
    /// Root below which it must be seen; `None` where the case starts servers of its own.
    pub(crate) root: Option<u32>,
    /// What shows that the case was played.
    pub(crate) proofs: RefCell<Vec<Proof>>,
}

/// What a page says when its code has come to its end.
const END: &str = "\nend of the page\n";

impl Turn<'_> {
    /// It was looked at, and it was so.
    pub(crate) fn saw(&self, what: impl Into<String>) {
        self.proofs.borrow_mut().push(Proof::Seen(what.into()));
    }

    /// It must be in the recording, below the server of the case, or below any where the
    /// case starts its own.
    fn trace(&self, act: Act) {
        let trace = Trace {
            root: self.root,
            act,
        };
        self.proofs.borrow_mut().push(Proof::Recorded(trace));
    }

    /// These words must have been executed; the first may be a path or a name.
    pub(crate) fn ran(&self, words: &[&str]) {
        self.trace(Act::Ran(
            words.iter().map(|&word| word.to_owned()).collect(),
        ));
    }

    /// This file must have been written or given its name.
    pub(crate) fn wrote(&self, path: impl Into<PathBuf>) {
        self.trace(Act::Wrote(path.into()));
    }

    /// The server must have forked.
    pub(crate) fn forked(&self) {
        self.trace(Act::Forked);
    }

    /// A process of the server must have connected to this port of this machine.
    pub(crate) fn connected(&self, port: u16) {
        self.trace(Act::Connected(port));
    }

    /// Runs a command that must succeed, which shows that it was run.
    #[track_caller]
    pub(crate) fn succeed(&self, command: &mut Command) {
        succeed(command);
        self.saw(format!(
            "success of {}",
            command.get_program().to_string_lossy()
        ));
    }

    /// Replaces the children of the server by this signal: others must be forked.
    #[track_caller]
    pub(crate) fn reload(&self, signal: Signal) {
        self.stacks.get(self.stack).reload(signal);
        self.saw("new processes after a signal");
        self.forked();
    }

    /// The claim that goes by the mark.
    pub(crate) fn claim(&self) -> Claim {
        Claim::Says(self.mark.clone())
    }

    /// Text with the mark in it.
    pub(crate) fn fill(&self, text: &str) -> String {
        text.replace("MARK", &self.mark)
    }

    /// A directory of the case, no web root, into which servers may write.
    pub(crate) fn own(&self) -> PathBuf {
        self.stacks.writable(&format!("own/{}", self.mark))
    }

    /// Where files of the stack's site lie.
    pub(crate) fn site(&self) -> PathBuf {
        match self.stack {
            Stack::ModPhp => self.stacks.place("apache/htdocs"),
            _ => self.stacks.place("www"),
        }
    }

    /// Asks the stack for a path.
    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> String {
        let answer = http::get(self.stacks.port(self.stack), path);
        let answer = answer.unwrap_or_else(|error| panic!("{} {path}: {error}", self.mark));
        assert_eq!(answer.status, 200, "{} {path}: {}", self.mark, answer.body);
        answer.body
    }

    /// Likewise; the answer must be this.
    #[track_caller]
    pub(crate) fn answers(&self, path: &str, body: &str) {
        assert_eq!(self.get(path).trim_end(), body, "{} {path}", self.mark);
        self.saw(format!("answer to {path}"));
    }

    /// Has an application run a line by a shell; `how` is its way of doing so.
    #[track_caller]
    pub(crate) fn shell(&self, how: &str, line: &str) -> Claim {
        let line = self.fill(line);
        self.get(&format!("/{how}/{}", encoded(&line)));
        self.ran(&["sh", "-c", &line]);
        self.claim()
    }

    /// Has an application start a program without a shell.
    #[track_caller]
    pub(crate) fn argv(&self, how: &str, words: &[&str]) -> Claim {
        self.ask(how, words);
        let words: Vec<String> = words.iter().map(|word| self.fill(word)).collect();
        self.trace(Act::Ran(words));
        self.claim()
    }

    /// Has an application do something with these words by itself.
    #[track_caller]
    pub(crate) fn ask(&self, how: &str, words: &[&str]) {
        let words = encoded(&self.fill(&words.join("\n")));
        self.get(&format!("/{how}/{words}"));
    }

    /// Writes a page of PHP and opens it, and sees it come to its end: `$mark`, `$own` (a
    /// directory of its own), `$site` and `$public` (a web root, writable) are set.
    #[track_caller]
    pub(crate) fn page(&self, code: &str) -> Page {
        let name = format!("pages/{}.php", self.mark);
        self.write_page(&name, code);
        let answer = self.visit(&name);
        assert_eq!(answer.status, 200, "{name}: {}", answer.body);
        let ended = answer.body.strip_suffix(END);
        let text = ended.unwrap_or_else(|| panic!("{name} did not end: {}", answer.body));
        let (worker, output) = text.split_once('\n').expect("a page prints a pid");
        Page {
            worker: worker.parse().expect("a pid is a number"),
            output: output.to_owned(),
        }
    }

    /// Likewise, a page of which nobody may be left to answer.
    pub(crate) fn last_page(&self, code: &str) -> Claim {
        let name = format!("pages/{}.php", self.mark);
        self.write_page(&name, code);
        let _answer = http::get(self.stacks.port(self.stack), &format!("/{name}"));
        self.claim()
    }

    /// Opens a page, whatever it says.
    #[track_caller]
    pub(crate) fn visit(&self, name: &str) -> Response {
        let answer = http::get(self.stacks.port(self.stack), &format!("/{name}"));
        answer.unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Writes a page without opening it.
    pub(crate) fn write_page(&self, name: &str, code: &str) {
        let site = self.site();
        let public = site.join("public");
        let set = |name: &str, value: &Path| {
            let value = php_string(value.as_os_str().as_encoded_bytes());
            format!("${name} = {value};\n")
        };
        let mut text = String::from("<?php\necho getmypid(), \"\\n\"; flush();\n");
        writeln!(text, "$mark = '{}';", self.mark).expect("a String takes everything");
        text += &set("own", &self.own());
        text += &set("site", &site);
        text += &set("public", &public);
        text += "function run(array $argv, $in = '') {
    $process = proc_open($argv, [['pipe', 'r'], ['file', '/dev/null', 'w'], ['file', '/dev/null', 'w']], $pipes);
    $pid = proc_get_status($process)['pid'];
    fwrite($pipes[0], $in); fclose($pipes[0]);
    proc_close($process);
    return $pid;
}
";
        text += code;
        writeln!(text, "\necho {};", php_string(END.as_bytes()))
            .expect("a String takes everything");
        scene::write(&site.join(name), text);
    }

    /// A page that starts these words without a shell; its claim goes by the mark.
    #[track_caller]
    pub(crate) fn spawn(&self, words: &[&str]) -> Page {
        let words: Vec<String> = words.iter().map(|word| self.fill(word)).collect();
        let array: Vec<&[u8]> = words.iter().map(String::as_bytes).collect();
        let page = self.page(&format!("echo run({});", php_array(&array)));
        page.pid();
        self.trace(Act::Ran(words));
        page
    }
}

/// What a page said.
#[derive(Debug)]
pub(crate) struct Page {
    /// pid of the worker.
    pub(crate) worker: u32,
    /// What else it printed.
    pub(crate) output: String,
}

impl Page {
    /// pid that the page printed.
    #[track_caller]
    pub(crate) fn pid(&self) -> u32 {
        let pid = self.output.trim().parse();
        pid.unwrap_or_else(|error| panic!("{self:?}: {error}"))
    }
}

/// A text as part of a URL.
pub(crate) fn encoded(text: &str) -> String {
    let mut url = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' {
            url.push(char::from(byte));
        } else {
            write!(url, "%{byte:02X}").expect("a String takes everything");
        }
    }
    url
}

/// This machine's own address, not the loopback one: what is sent there does not leave the
/// machine. Nothing is sent to find it.
pub(crate) fn own_address() -> Result<PathBuf, String> {
    let found = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).and_then(|socket| {
        socket.connect((Ipv4Addr::new(203, 0, 113, 7), 9))?;
        socket.local_addr()
    });
    match found.map(|address| address.ip()) {
        Ok(IpAddr::V4(address)) if !address.is_loopback() => Ok(address.to_string().into()),
        Ok(address) => Err(format!("no address but {address}")),
        Err(error) => Err(format!("no address of its own: {error}")),
    }
}

/// [`own_address`] as text.
#[track_caller]
pub(crate) fn here() -> String {
    own_address()
        .expect("checked at the start")
        .display()
        .to_string()
}
