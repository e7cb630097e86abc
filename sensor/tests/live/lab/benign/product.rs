//! Products: B7 to B9, B21, B24; with their profiles on what alerts without, and with none
//! what does not. The programs are stand-ins where they are not installed; the arguments are
//! what the products' sources run.

use std::path::Path;

use rustix::process::Signal;

use super::{Benign, Stack, Turn, begin, known, product, work};
use crate::fixture::{
    apache,
    daemon::{Daemon, command},
    php_fpm,
    process::succeed,
    scene::{self, free_port},
    site::php_string,
    wait,
};

const PHP: &[Stack] = &[Stack::Php];
const MOD_PHP: &[Stack] = &[Stack::ModPhp];
const PUMA: &[Stack] = &[Stack::Puma];
const JAVA: &[Stack] = &[Stack::Java];

/// How the stand-in for Zabbix is declared.
pub(super) const ZABBIX: &str = "{ name: zabbix, exe: \"/srv/**/zabbix_server\" }";

pub(super) const ALL: &[Benign] = &[
    product(
        "wordpress",
        work("B06", Stack::Php, PHP, "PHPMailer runs sendmail", |turn| {
            line(turn, "/usr/sbin/sendmail -oi -fwordpress@example.org -t");
            turn.ran(&["/usr/sbin/sendmail", "-oi", "-fwordpress@example.org", "-t"]);
        }),
    ),
    product(
        "wordpress",
        work(
            "B07",
            Stack::Php,
            PHP,
            "preview of a PDF by ImageMagick",
            |turn| {
                line(
                    turn,
                    "'gs' -sstdout=%stderr -dQUIET -dSAFER -dBATCH -dNOPAUSE -dNOPROMPT -dMaxBitmap=500000000 \
-dAlignToPixels=0 -dGridFitTT=2 '-sDEVICE=pngalpha' -dTextAlphaBits=4 -dGraphicsAlphaBits=4 '-r128x128' \
-dPrinted=false -dFirstPage=1 -dLastPage=1 '-sOutputFile=/tmp/magick-6yGm0Y' '-f/tmp/magick-0lQq' '-f/tmp/magick-9rKs'",
                );
                turn.ran(&[
                    "gs",
                    "-sOutputFile=/tmp/magick-6yGm0Y",
                    "-f/tmp/magick-0lQq",
                    "-f/tmp/magick-9rKs",
                ]);
            },
        ),
    ),
    product(
        "drupal",
        work(
            "B07",
            Stack::ModPhp,
            MOD_PHP,
            "pictures scaled by convert",
            |turn| {
                line(
                    turn,
                    "'/usr/bin/convert' '/var/www/html/sites/default/files/a b.jpg' -resize '220x147!' -quality '75' '/tmp/file2KxQ.jpg'",
                );
                turn.ran(&["/usr/bin/convert", "-quality", "75", "/tmp/file2KxQ.jpg"]);
            },
        ),
    ),
    product(
        "nextcloud",
        work("B08", Stack::Php, PHP, "looking for ffmpeg", |turn| {
            line(turn, "command -v 'ffmpeg' 2> /dev/null");
        }),
    ),
    product(
        "nextcloud",
        work("B08", Stack::Php, PHP, "looking for LibreOffice", |turn| {
            line(turn, "command -v 'libreoffice' 2> /dev/null");
        }),
    ),
    product(
        "mediawiki",
        work("B09", Stack::Php, PHP, "which diff3 there is", |turn| {
            line(turn, "'/usr/bin/diff3' '--version' 2>&1");
            turn.ran(&["/usr/bin/diff3", "--version"]);
        }),
    ),
    product(
        "mediawiki",
        work("B09", Stack::ModPhp, MOD_PHP, "edits merged", |turn| {
            let _versions = Versions::write();
            for options in [&["-a", "--overlap-only"][..], &["-a", "-e", "--merge"]] {
                let words = [&["/usr/bin/diff3"], options, &VERSIONS.map(|it| it.0)].concat();
                line(turn, &format!("'{}'", words.join("' '")));
                turn.ran(&words);
            }
        }),
    ),
    product(
        "cacti",
        work("B24", Stack::ModPhp, MOD_PHP, "graphs by rrdtool", |turn| {
            line(turn, "/usr/bin/rrdtool - ");
            turn.ran(&["/usr/bin/rrdtool", "-"]);
        }),
    ),
    product(
        "zabbix",
        work(
            "B24",
            Stack::Php,
            &[],
            "pings of a declared service",
            zabbix,
        ),
    ),
];

/// What products do that is silent by construction: no rule of level medium or above tells of
/// it, whether the profile is on or not, so that it is played with none.
pub(super) const SILENT: &[Benign] = &[
    known(
        "nextcloud",
        work(
            "B08",
            Stack::Php,
            PHP,
            "preview of a film, without a shell",
            |turn| {
                turn.spawn(&[
                    "ffmpeg",
                    "-y",
                    "-ss",
                    "5",
                    "-i",
                    "/tmp/oc_tmp_Ab12Cd",
                    "-f",
                    "mjpeg",
                    "-vframes",
                    "1",
                    "/tmp/oc_tmp_Ef34Gh",
                ]);
            },
        ),
    ),
    known(
        "gitlab",
        work("B21", Stack::Puma, PUMA, "which git there is", |turn| {
            turn.argv("argv", &["/opt/gitlab/embedded/bin/git", "--version"]);
        }),
    ),
    known(
        "gitlab",
        work("B21", Stack::Puma, PUMA, "which gpg there is", |turn| {
            turn.argv("argv", &["gpg", "--version"]);
        }),
    ),
    known(
        "jenkins",
        work("B21", Stack::Java, JAVA, "which git there is", |turn| {
            turn.argv("argv", &["git", "--version"]);
        }),
    ),
    known(
        "jenkins",
        work(
            "B21",
            Stack::Java,
            JAVA,
            "whether it is a repository",
            |turn| {
                let dir = turn.stacks.place("java");
                succeed(command("git", &dir).args(["init", "-q"]));
                turn.argv("argv", &["git", "rev-parse", "--is-inside-work-tree"]);
            },
        ),
    ),
    known(
        "teamcity",
        work("B21", Stack::Java, JAVA, "which git there is", |turn| {
            turn.argv("argv", &["git", "version"]);
        }),
    ),
    known(
        "nagios",
        work("B24", Stack::ModPhp, MOD_PHP, "its CGI program", status),
    ),
    // To the profile the service is the same as the one above: nothing is new to it.
    work(
        "B24",
        Stack::Cgid,
        &[Stack::Cgid],
        "Nagios: its CGI program, by the daemon",
        status,
    ),
    known(
        "nagios",
        work(
            "B24",
            Stack::Fcgiwrap,
            &[Stack::Fcgiwrap],
            "its CGI program",
            status,
        ),
    ),
    known(
        "cpanel",
        begin(
            "B24",
            Stack::ModPhp.name(),
            "splitlogs of the master",
            |turn| {
                logs(
                    turn,
                    &[
                        "/usr/local/cpanel/bin/splitlogs",
                        "--dir=/etc/apache2/logs/domlogs",
                        "--main=web-1.example.org",
                        "--suffix=-bytes_log",
                    ],
                );
            },
        ),
    ),
    known(
        "plesk",
        begin("B24", Stack::ModPhp.name(), "logs of the master", |turn| {
            logs(
                turn,
                &[
                    "/usr/bin/rotatelogs",
                    "/var/www/vhosts/system/example.org/logs/access_log",
                    "86400",
                ],
            );
        }),
    ),
];

/// A page of an application hands a line to the shell through a pipe.
fn line(turn: &Turn<'_>, line: &str) {
    let text = php_string(line.as_bytes());
    turn.page(&format!("$pipe = popen({text}, 'w'); pclose($pipe);"));
    turn.ran(&["sh", "-c", line]);
}

/// A program of the product's CGI answers.
fn status(turn: &Turn<'_>) {
    turn.answers("/installed/nagios4/status.cgi", "served");
    turn.ran(&["/usr/lib/cgi-bin/nagios4/status.cgi"]);
}

/// What edits are merged from, and what each says.
const VERSIONS: [(&str, &str); 3] = [
    ("/tmp/merge-mine-Ab1", "mine\n\nsame\n"),
    ("/tmp/merge-old-Cd2", "old\n\nsame\n"),
    ("/tmp/merge-your-Ef3", "old\n\nsame\n"),
];

/// These files; they are gone with the value.
struct Versions;

impl Versions {
    fn write() -> Self {
        for (path, text) in VERSIONS {
            scene::write(Path::new(path), text);
        }
        Self
    }
}

impl Drop for Versions {
    fn drop(&mut self) {
        let _gone = VERSIONS.map(|(path, _)| std::fs::remove_file(path));
    }
}

/// An Apache whose master writes logs through a program.
fn logs(turn: &Turn<'_>, words: &[&str]) {
    let program = words.join(" ");
    let dir = turn.stacks.place(&format!("panel-{}", turn.mark));
    scene::write(&dir.join("htdocs/index.html"), "pong");
    let lines = format!(
        "DocumentRoot {}/htdocs\nCustomLog \"|{program}\" %h env=never",
        dir.display()
    );
    let apache: Daemon = apache::foreground(&dir, "prefork", &["dir"], &lines);
    apache.load("/index.html");
    turn.ran(words);
}

/// A server that no list knows.
fn zabbix(turn: &Turn<'_>) {
    let dir = turn.stacks.place("zabbix");
    let port = free_port();
    let server = dir.join("zabbix_server");
    let php = php_fpm::program()
        .map(|_| scene::tool("python3"))
        .expect("python3");
    std::fs::copy(php, &server).expect("copy an interpreter");
    let code = format!(
        "import os, socket
server = socket.create_server(('127.0.0.1', {port}))
while True:
    client, _ = server.accept()
    if client.recv(64).startswith(b'ping'):
        os.system('/usr/bin/fping  -C3 2>&1 </tmp/zabbix_server_1234.pinger')
        client.send(b'done')
    client.close()
"
    );
    scene::write(&dir.join("server.py"), code);
    let mut zabbix = command("sh", &dir);
    zabbix.args(["-c", "exec \"$0\" server.py"]).arg(&server);
    let _zabbix = Daemon::start(zabbix, port, Signal::TERM);
    scene::write(Path::new("/tmp/zabbix_server_1234.pinger"), "127.0.0.1\n");
    wait::until("pings", || {
        use std::io::{Read as _, Write as _};
        let mut client = std::net::TcpStream::connect(("127.0.0.1", port)).ok()?;
        client.write_all(b"ping").ok()?;
        let mut answer = String::new();
        client.read_to_string(&mut answer).ok()?;
        (answer == "done").then_some(())
    });
    turn.ran(&["/usr/bin/fping", "-C3"]);
    std::fs::remove_file("/tmp/zabbix_server_1234.pinger").expect("remove a file");
}
