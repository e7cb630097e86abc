//! The kinds of server programs: words for rules, metrics and alerts.

use serde::{Serialize, Serializer};

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $name:literal),* $(,)?) => {
        /// Kind of server program.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum ServiceKind { $($(#[$doc])* $variant),* }

        impl ServiceKind {
            /// Every kind, in order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Word used in Sigma fields, metric labels and alerts.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }
        }

        impl Serialize for ServiceKind {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }
    };
}

kinds! {
    /// nginx and what descends from it (openresty, angie).
    Nginx = "nginx",
    /// Apache httpd.
    Apache = "apache",
    /// lighttpd.
    Lighttpd = "lighttpd",
    /// `HAProxy`.
    Haproxy = "haproxy",
    /// Caddy.
    Caddy = "caddy",
    /// Traefik.
    Traefik = "traefik",
    /// Varnish.
    Varnish = "varnish",
    /// Envoy.
    Envoy = "envoy",
    /// H2O.
    H2o = "h2o",
    /// `LiteSpeed` and `OpenLiteSpeed`.
    Litespeed = "litespeed",
    /// NGINX Unit.
    Unit = "unit",
    /// PHP `FastCGI` process manager.
    PhpFpm = "php-fpm",
    /// PHP as a `FastCGI` or LSAPI server without a process manager.
    PhpCgi = "php-cgi",
    /// The PHP command line as a server (`php -S`, `FrankenPHP`, `RoadRunner`'s workers).
    Php = "php",
    /// fcgiwrap.
    Fcgiwrap = "fcgiwrap",
    /// A Java application server, or any Java that listens.
    Java = "java",
    /// Gunicorn.
    Gunicorn = "gunicorn",
    /// uWSGI.
    Uwsgi = "uwsgi",
    /// Uvicorn.
    Uvicorn = "uvicorn",
    /// Hypercorn.
    Hypercorn = "hypercorn",
    /// Daphne.
    Daphne = "daphne",
    /// Waitress.
    Waitress = "waitress",
    /// Any other Python that listens.
    Python = "python",
    /// Node.js, Deno or Bun.
    Node = "node",
    /// Puma.
    Puma = "puma",
    /// Unicorn.
    Unicorn = "unicorn",
    /// Phusion Passenger.
    Passenger = "passenger",
    /// Any other Ruby that listens.
    Ruby = "ruby",
    /// A Perl that listens (Starman, Hypnotoad, plackup).
    Perl = "perl",
    /// .NET: `dotnet` that listens.
    Dotnet = "dotnet",
    /// Erlang and Elixir.
    Beam = "beam",
    /// `PostgreSQL`.
    Postgres = "postgres",
    /// `MySQL` and `MariaDB`.
    Mysql = "mysql",
    /// Redis, Valkey, `KeyDB`.
    Redis = "redis",
    /// `MongoDB`.
    Mongodb = "mongodb",
    /// memcached.
    Memcached = "memcached",
    /// `ClickHouse`.
    Clickhouse = "clickhouse",
    /// `CouchDB`.
    Couchdb = "couchdb",
    /// Oracle Database.
    Oracle = "oracle",
    /// Microsoft SQL Server.
    Mssql = "mssql",
    /// Db2.
    Db2 = "db2",
    /// Gitea and Forgejo.
    Gitea = "gitea",
    /// A service the configuration declares without saying its kind.
    Declared = "declared",
    /// The kernel names the root as a recognised server, but its records were lost and no
    /// scan has seen it yet.
    Unknown = "unknown",
}
