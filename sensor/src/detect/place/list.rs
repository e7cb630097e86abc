//! The directories that `place` knows.

use super::bit;

/// Beginnings of paths.
pub(super) const PREFIXES: &[(u32, &[&str])] = &[
    (
        bit::WEB_ROOT,
        &[
            "/var/www/",
            "/srv/www/",
            "/srv/http/",
            "/usr/share/nginx/",
            "/usr/share/caddy/",
            "/usr/share/webapps/",
            "/usr/share/zabbix/",
            "/usr/share/phpmyadmin/",
            "/usr/share/cacti/",
            "/usr/share/nagios",
            "/usr/share/webmin/",
            "/usr/local/lsws/",
            "/usr/local/nginx/",
            "/usr/local/apache",
            "/usr/local/openresty/",
            "/usr/local/httpd/",
            "/usr/local/cpanel/",
            "/usr/local/psa",
            "/var/lib/nginx/",
            "/var/lib/roundcube/",
            "/opt/bitnami/",
            "/opt/psa/",
            "/app/",
        ],
    ),
    (
        bit::DEPLOY,
        &[
            "/var/lib/tomcat",
            "/usr/share/tomcat",
            "/usr/local/tomcat",
            "/opt/tomcat",
            "/opt/apache-tomcat",
            "/usr/sap/",
        ],
    ),
    (
        bit::CRON,
        &[
            "/var/spool/cron/",
            "/var/spool/at/",
            "/var/spool/atjobs/",
            "/etc/cron.",
            "/etc/crontab",
            "/etc/anacrontab",
        ],
    ),
    (
        bit::MODULE,
        &[
            "/usr/lib/nginx/modules/",
            "/usr/lib64/nginx/modules/",
            "/usr/share/nginx/modules",
            "/etc/nginx/modules-",
            "/usr/lib/apache2/modules/",
            "/usr/lib64/httpd/modules/",
            "/usr/local/apache2/modules/",
            "/etc/apache2/mods-",
            "/usr/lib/php",
            "/usr/lib64/php",
            "/usr/local/lib/php/",
            "/usr/lib/mysql/plugin/",
            "/usr/lib64/mysql/plugin/",
            "/usr/lib/postgresql/",
            "/usr/lib64/pgsql/",
            "/usr/pgsql-",
            "/usr/share/tomcat",
        ],
    ),
    (
        bit::CONFIGURATION,
        &[
            "/etc/nginx/",
            "/etc/apache2/",
            "/etc/httpd/",
            "/etc/php",
            "/etc/tomcat",
            "/etc/lighttpd/",
            "/etc/caddy/",
            "/etc/haproxy/",
            "/etc/uwsgi/",
            "/usr/local/etc/php",
            "/usr/local/nginx/conf/",
            "/usr/local/apache2/conf/",
        ],
    ),
    (
        bit::SYSTEM,
        &[
            "/usr/",
            "/bin/",
            "/sbin/",
            "/opt/",
            "/lib/",
            "/lib32/",
            "/lib64/",
            "/nix/store/",
            "/snap/",
        ],
    ),
    (
        bit::TEMPORARY,
        &[
            "/tmp/",
            "/var/tmp/",
            "/dev/",
            "/run/",
            "/var/run/",
            "/var/lock/",
            "/var/mail/",
            "/var/spool/",
            "/var/log/",
            "/var/crash/",
            "/proc/",
            "/var/lib/php/",
        ],
    ),
    (bit::CGI, &["/usr/lib/cgi-bin/"]),
];

/// Components of directories, wherever they stand.
pub(super) const COMPONENTS: &[(u32, &[&str])] = &[
    (
        bit::WEB_ROOT,
        &[
            "htdocs",
            "httpdocs",
            "httpsdocs",
            "public_html",
            "private_html",
            "www",
            "html",
            "wwwroot",
            "webroot",
            "cgi-bin",
            "public",
            "vhost",
            "vhosts",
            "fileadmin",
            "custom_apps",
            "wp-content",
            "wp-admin",
            "wp-includes",
            "webapps",
        ],
    ),
    (
        bit::WEB_ROOT | bit::UPLOAD,
        &[
            "upload",
            "uploads",
            "uploaded",
            "userfiles",
            "attachments",
            "images",
            "media",
            "avatars",
        ],
    ),
    (
        bit::DEPLOY,
        &[
            "webapps",
            "deployments",
            "autodeploy",
            "dropins",
            "installedapps",
            "user_projects",
        ],
    ),
    (bit::CGI, &["cgi-bin"]),
];

/// Components that mean uploads within a web root only.
pub(super) const UPLOADS_WITHIN: &[&str] =
    &["files", "img", "image", "photos", "pictures", "tmp", "temp"];

/// Beginnings of components of Java servers' homes.
pub(super) const HOMES: &[&str] = &["wildfly", "jboss", "glassfish", "payara", "resin", "jetty"];

/// Where frameworks compile templates to: no browser is served from there.
pub(super) const CACHES: &[&str] = &["/var/cache/", "/storage/framework/", "/bootstrap/cache/"];

/// The same, but beside what is served: names must look made up by a program.
pub(super) const HASHED_CACHES: &[&str] = &["/templates_c/", "/cache/twig/"];

/// Where Drupal compiles templates to: among visitors' files, but in a directory that it
/// protects from being served. Names must be digests.
pub(super) const AMONG_UPLOADS: &str = "/files/php/twig/";

/// Where content management systems unpack updates before they move them into place.
pub(super) const STAGING: &[&str] = &["/wp-content/upgrade/", "/wp-content/upgrade-temp-backup/"];

/// Where Java servers compile pages to.
pub(super) const WORK: &[&str] = &["/work/catalina/", "/org/apache/jsp/"];
