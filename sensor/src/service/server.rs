//! The table of servers: what their executables are called, what they may do, how their
//! processes divide the work, and how far that has been seen to be true.

use crate::lineage::{Part, Role, ServiceKind};

/// One kind of server.
#[derive(Clone, Copy, Debug)]
pub struct Server {
    /// Kind.
    pub kind: ServiceKind,
    /// Role, as long as nothing better is known of a service.
    pub role: Role,
    /// Part of the recognised process: [`Part::Master`] where forked processes serve the
    /// requests, [`Part::Both`] where it serves them itself.
    pub lead: Part,
    /// Stems of executables that are such a server at once.
    pub names: &'static [&'static str],
    /// Stems of executables that may turn out one: by what they are told to run, or by
    /// listening.
    pub candidates: &'static [&'static str],
    /// How recognition was tested.
    pub evidence: Evidence,
}

/// How recognition and parts of a kind were tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// With the real server, against the kernel.
    Live,
    /// With command lines and paths as documented or recorded elsewhere: the server cannot
    /// be had where the tests run.
    Recorded,
}

macro_rules! servers {
    ($($kind:ident: $role:ident, $lead:ident, $evidence:ident,
       [$($name:literal),*] $(, may be [$($candidate:literal),*])?;)*) => {
        /// Every kind. In one line each: role, part of the root, evidence, names.
        pub static SERVERS: &[Server] = &[$(Server {
            kind: ServiceKind::$kind,
            role: Role::$role,
            lead: Part::$lead,
            names: &[$($name),*],
            candidates: &[$($($candidate),*)?],
            evidence: Evidence::$evidence,
        }),*];
    };
}

servers! {
    Nginx: Edge, Master, Live, ["nginx", "nginx-debug", "openresty", "angie", "tengine"];
    // Until its master has been looked at: without script modules it is `edge`.
    Apache: App, Master, Live, ["apache", "httpd", "httpd.worker", "httpd-worker", "httpd.event", "httpd-prefork"];
    Lighttpd: Edge, Both, Live, ["lighttpd", "lighttpd-angel"];
    Haproxy: Edge, Master, Live, ["haproxy"];
    Caddy: Edge, Both, Recorded, ["caddy"];
    Traefik: Edge, Both, Recorded, ["traefik"];
    Varnish: Edge, Master, Recorded, ["varnishd"];
    Envoy: Edge, Both, Recorded, ["envoy"];
    H2o: Edge, Master, Recorded, ["h2o"];
    // It starts lsphp and CGI scripts itself.
    Litespeed: App, Master, Recorded, ["litespeed", "lshttpd", "openlitespeed", "lscgid"];
    // Applications run in its own forks, or are exec'ed.
    Unit: App, Master, Recorded, ["unitd", "unitd-debug"];
    // Plesk's build is called sw-engine-fpm.
    PhpFpm: App, Master, Live, ["php-fpm", "sw-engine-fpm"];
    PhpCgi: App, Master, Recorded, ["php-cgi", "php-fcgi", "php-cgi.cagefs", "lsphp", "hhvm"];
    Php: App, Both, Recorded, ["frankenphp"], may be ["php"];
    Fcgiwrap: Cgi, Master, Live, ["fcgiwrap"];
    Java: App, Both, Live, ["java"];
    Gunicorn: App, Master, Live, [];
    Uwsgi: App, Master, Live, ["uwsgi", "uwsgi-core"];
    Uvicorn: App, Master, Live, [];
    Hypercorn: App, Master, Recorded, [];
    Daphne: App, Both, Recorded, [];
    Waitress: App, Both, Recorded, [];
    Python: App, Both, Live, [], may be ["python", "pypy"];
    Node: App, Master, Live, [], may be ["node", "nodejs", "bun", "deno"];
    Puma: App, Master, Live, [];
    Unicorn: App, Master, Recorded, [];
    Passenger: App, Master, Recorded, ["PassengerAgent", "Passenger"];
    Ruby: App, Both, Live, [], may be ["ruby", "truffleruby"];
    Perl: App, Master, Recorded, [], may be ["perl"];
    Dotnet: App, Both, Recorded, [], may be ["dotnet", "mono", "mono-sgen"];
    Beam: App, Both, Recorded, [], may be ["beam.smp"];
    Postgres: Db, Master, Live, ["postgres", "postmaster"];
    Mysql: Db, Both, Live, ["mysqld", "mariadbd", "mysqld-debug"];
    // Debian's redis-server is a link to the checker, which sees what it is called.
    Redis: Db, Both, Live, ["redis-server", "redis-check-rdb", "valkey-server", "keydb-server"];
    Mongodb: Db, Both, Recorded, ["mongod", "mongos"];
    Memcached: Db, Both, Recorded, ["memcached"];
    Clickhouse: Db, Both, Recorded, ["clickhouse"];
    Couchdb: Db, Both, Recorded, ["couchdb"];
    Oracle: Db, Both, Recorded, ["oracle", "tnslsnr"];
    Mssql: Db, Master, Recorded, ["sqlservr"];
    Db2: Db, Master, Recorded, ["db2sysc"];
    Gitea: Ci, Both, Recorded, ["gitea", "forgejo"];
    Declared: App, Master, Live, [];
    Unknown: App, Master, Live, [];
}

/// What the table has about a kind.
#[must_use]
pub fn server(kind: ServiceKind) -> &'static Server {
    SERVERS
        .iter()
        .find(|server| server.kind == kind)
        .unwrap_or(&UNKNOWN)
}

/// For a kind the table lacks, which the tests exclude.
static UNKNOWN: Server = Server {
    kind: ServiceKind::Unknown,
    role: Role::App,
    lead: Part::Master,
    names: &[],
    candidates: &[],
    evidence: Evidence::Recorded,
};
