//! A case's turn: its mark, and the ways to make a server do something.

use std::{
    fmt::Write as _,
    net::{IpAddr, Ipv4Addr, UdpSocket},
    path::{Path, PathBuf},
};

use super::{
    case::Claim,
    stacks::{Stack, Stacks},
};
use crate::fixture::{
    http, scene,
    site::{php_array, php_string},
};

/// What a case acts with.
pub(crate) struct Turn<'a> {
    pub(crate) stacks: &'a Stacks,
    pub(crate) stack: Stack,
    /// Everything that this case makes or says bears it, and nothing else does.
    pub(crate) mark: String,
}

impl Turn<'_> {
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

    /// Has an application run a line by a shell; `how` is its way of doing so.
    #[track_caller]
    pub(crate) fn shell(&self, how: &str, line: &str) -> Claim {
        self.get(&format!("/{how}/{}", encoded(&self.fill(line))));
        self.claim()
    }

    /// Has an application start a program without a shell.
    #[track_caller]
    pub(crate) fn argv(&self, how: &str, words: &[&str]) -> Claim {
        self.get(&format!(
            "/{how}/{}",
            encoded(&self.fill(&words.join("\n")))
        ));
        self.claim()
    }

    /// Writes a page of PHP and opens it: `$mark`, `$own` (a directory of its own), `$site`
    /// and `$public` (a web root, writable) are set. Its worker may not survive it.
    #[track_caller]
    pub(crate) fn page(&self, code: &str) -> Page {
        let name = format!("pages/{}.php", self.mark);
        self.write_page(&name, code);
        self.open(&name)
    }

    /// Opens a page that [`Turn::write_page`] wrote.
    #[track_caller]
    pub(crate) fn open(&self, name: &str) -> Page {
        let port = self.stacks.port(self.stack);
        let answer = http::get(port, &format!("/{name}"));
        let answer = answer.unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut lines = answer.body.splitn(2, '\n');
        Page {
            worker: lines.next().and_then(|pid| pid.parse().ok()),
            output: lines.next().unwrap_or_default().to_owned(),
        }
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
        scene::write(&site.join(name), text);
    }

    /// A page that starts these words without a shell; its claim goes by the mark.
    #[track_caller]
    pub(crate) fn spawn(&self, words: &[&str]) -> Page {
        let words: Vec<String> = words.iter().map(|word| self.fill(word)).collect();
        let words: Vec<&[u8]> = words.iter().map(String::as_bytes).collect();
        let page = self.page(&format!("echo run({});", php_array(&words)));
        page.pid();
        page
    }
}

/// What a page said.
#[derive(Debug)]
pub(crate) struct Page {
    /// pid of the worker, unless that has ended first.
    worker: Option<u32>,
    pub(crate) output: String,
}

impl Page {
    #[track_caller]
    pub(crate) fn worker(&self) -> u32 {
        self.worker.expect("a page prints its worker's pid")
    }

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
