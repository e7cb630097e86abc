//! Web servers: nginx with php-fpm, Apache with PHP and CGI, fcgiwrap, `HAProxy`, lighttpd.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use rustix::process::Signal;

use super::{Stack, Stacks};
use crate::fixture::{
    apache,
    daemon::{Daemon, command},
    edge, nginx, php_fpm,
    scene::{self, Scene, free_port, tool},
};

/// A CGI program: it says who it is, and passes its query on.
const CGI: &str = "#!/bin/sh
echo Content-Type: text/plain
echo
id
id -u \"$QUERY_STRING\" 2>/dev/null
:
";

/// What tells a stand-in from a program that is installed.
pub(crate) const STANDIN_MARK: &str = "stand-in of the lineage lab";

/// A program that does nothing: it takes what those are sent that it stands in for, it
/// answers as a CGI program, and, like sendmail, it writes a log to `-X`.
pub(crate) const STANDIN: &str = r#"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
const char *volatile mark = "stand-in of the lineage lab";
int main(int argc, char **argv) {
    if (!mark) return 1;
    const char *reads[] = {"sendmail", "rrdtool", "splitlogs", "fping"};
    if (getenv("GATEWAY_INTERFACE")) puts("Content-Type: text/plain\n\nserved");
    for (int i = 0; i < 4; i++)
        if (strstr(argv[0], reads[i])) while (getchar() != EOF) {}
    for (int i = 1; i < argc; i++)
        if (!strncmp(argv[i], "-X", 2)) {
            FILE *log = fopen(argv[i] + 2, "a");
            if (log) { fputs("<?php\n", log); fclose(log); }
        }
    return 0;
}
"#;

/// php-fpm with three workers that take turns.
pub(super) fn php(stacks: &Stacks) -> Daemon {
    let dir = stacks.place("php");
    let port = free_port();
    let config = dir.join("php-fpm.conf");
    let text = format!(
        "[global]
error_log = {dir}/php-fpm.log
[www]
user = www-data
group = www-data
listen = 127.0.0.1:{port}
pm = static
pm.max_children = 3
process.dumpable = yes
php_admin_value[upload_tmp_dir] = /tmp
php_admin_value[sys_temp_dir] = {dir}
",
        dir = dir.display()
    );
    scene::write(&config, text);
    let program = php_fpm::program().expect("php-fpm is installed");
    let name = program.file_name().and_then(|name| name.to_str());
    let mut php = command(name.expect("a name"), &dir);
    php.args(["--nodaemonize", "-d", "ffi.enable=1", "--fpm-config"]);
    php.arg(config);
    Daemon::start(php, port, Signal::QUIT)
}

/// nginx before it: pages of PHP, CGI programs, a directory that takes what is put there.
pub(super) fn front(stacks: &Stacks) -> Daemon {
    let root = stacks.writable("www");
    stacks.writable("www/public");
    stacks.writable("www/dav");
    scene::write(
        &root.join("index.html"),
        "<!doctype html><title>shop</title>\n",
    );
    let php = stacks.get(Stack::Php).port;
    let lines = format!(
        "location ~ \\.php$ {{
    include /etc/nginx/fastcgi_params;
    fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;
    fastcgi_pass 127.0.0.1:{php};
}}
location ^~ /dav/ {{ dav_methods PUT DELETE MOVE; }}"
    );
    nginx::foreground(&stacks.place("nginx"), "front", &root, &lines)
}

/// Apache with PHP and CGI in its workers, and `WebDAV`.
pub(super) fn mod_php(stacks: &Stacks) -> Daemon {
    let dir = stacks.writable("apache");
    let root = stacks.writable("apache/htdocs");
    stacks.writable("apache/htdocs/public");
    stacks.writable("apache/htdocs/dav");
    scene::write(&root.join("index.html"), "pong");
    program(&dir.join("cgi-bin/id.cgi"), CGI);
    let lines = format!(
        "DocumentRoot {root}
CustomLog \"|{rotatelogs} -n 2 {dir}/access.log 86400\" %h
CustomLog \"|${rotatelogs} -n 2 {dir}/other.log 86400\" %h
DavLockDB {dir}/lock
<Directory {root}/dav>
Dav On
</Directory>
ScriptAlias /cgi-bin/ {dir}/cgi-bin/
ScriptAlias /installed/ /usr/lib/cgi-bin/
<FilesMatch \\.php$>
    SetHandler application/x-httpd-php
</FilesMatch>",
        root = root.display(),
        dir = dir.display(),
        rotatelogs = tool("rotatelogs").display()
    );
    let modules = ["alias", "cgi", "dav", "dav_fs", "php", "dir"];
    apache::foreground(&dir, "prefork", &modules, &lines)
}

/// Apache whose CGI programs are started by a daemon.
pub(super) fn cgid(stacks: &Stacks) -> Daemon {
    let dir = stacks.place("cgid");
    program(&dir.join("cgi-bin/id.cgi"), CGI);
    program(&dir.join("uploads/id.cgi"), CGI);
    let lines = format!(
        "ScriptSock cgid.sock
ScriptAlias /cgi-bin/ {0}/cgi-bin/
ScriptAlias /uploads/ {0}/uploads/
ScriptAlias /installed/ /usr/lib/cgi-bin/",
        dir.display()
    );
    apache::foreground(&dir, "event", &["alias", "cgid"], &lines)
}

/// Apache with pages of Lua.
pub(super) fn lua(stacks: &Stacks) -> Daemon {
    let dir = stacks.place("lua");
    let page = "function handle(r)\n r.content_type = 'text/plain'\n r:write('pong')\n return apache2.OK\nend\n";
    scene::write(&dir.join("htdocs/page.lua"), page);
    let lines = format!(
        "DocumentRoot {}/htdocs\nAddHandler lua-script .lua",
        dir.display()
    );
    apache::foreground(
        &dir,
        "event",
        &["mime", "lua"],
        &format!("TypesConfig /etc/mime.types\n{lines}"),
    )
}

/// fcgiwrap, which nothing answers for by itself.
pub(super) fn fcgiwrap(stacks: &Stacks) -> Daemon {
    let dir = stacks.place("fcgiwrap");
    program(&dir.join("www/uploads/id.cgi"), CGI);
    let port = free_port();
    let mut fcgiwrap = command("fcgiwrap", &dir);
    fcgiwrap.args(["-c", "2", "-s", &format!("tcp:127.0.0.1:{port}")]);
    Daemon::start(fcgiwrap, port, Signal::TERM)
}

/// nginx before fcgiwrap.
pub(super) fn wrapping(stacks: &Stacks) -> Daemon {
    let dir = stacks.place("fcgiwrap");
    let pass = stacks.get(Stack::Fcgiwrap).port;
    let location = |place: &str, script: &str| {
        format!(
            "location ~ ^/{place}(/.*)$ {{
    include /etc/nginx/fastcgi_params;
    fastcgi_param SCRIPT_FILENAME {script}$1;
    fastcgi_pass 127.0.0.1:{pass};
}}
"
        )
    };
    let root = dir.join("www");
    let own = location("uploads", &format!("{}/uploads", root.display()));
    let lines = own + &location("installed", "/usr/lib/cgi-bin");
    nginx::foreground(&dir, "front", &root, &lines)
}

/// `HAProxy` with a back door in its own Lua.
pub(super) fn haproxy(stacks: &Stacks) -> Daemon {
    const LUA: &str = "
core.register_service('door', 'http', function(applet)
    local line = applet.path:match('^/sh/(.*)')
    if line then
        line = line:gsub('%%(%x%x)', function(hex) return string.char(tonumber(hex, 16)) end)
        os.execute(line)
    end
    applet:set_status(200)
    applet:start_response()
    applet:send('pong')
end)
";
    edge::haproxy(&stacks.place("haproxy"), LUA)
}

/// lighttpd with `mod_cgi`, and types of files asked of the system, as Debian sets it up.
pub(crate) fn lighttpd(stacks: &Stacks, name: &str) -> Daemon {
    const LINES: &str = r#"include_shell "/usr/share/lighttpd/use-ipv6.pl " + server.port
include_shell "/usr/share/lighttpd/create-mime.conf.pl""#;
    edge::lighttpd(&stacks.writable(name), CGI, LINES)
}

/// nginx with a foreign library that makes each new worker run `: rogue`.
pub(super) fn back_door(stacks: &Stacks, scene: &Scene) -> Daemon {
    let library = scene.library("rogue", nginx::ROGUE);
    let dir = stacks.place("backdoor");
    nginx::foreground_with(&dir, "rogue", &dir, "", |command| {
        command.env("LD_PRELOAD", library);
    })
}

/// Writes an executable script.
pub(crate) fn program(path: &Path, text: &str) {
    scene::write(path, text);
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("make it executable");
}
