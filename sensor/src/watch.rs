//! What is watched by name: classes of files, and the directories in which everybody's
//! writes are recorded.
//!
//! The lists are facts of the servers, not judgements: rules make those.

use std::path::PathBuf;

use sensor_common::watch::{class, key};

/// Extensions (without the dot) and whole file names, by class. Lower case; the kernel
/// side does not look at case.
const CLASSES: &[(u32, &[&str])] = &[
    (
        class::SCRIPT,
        &[
            "php", "php3", "php4", "php5", "php6", "php7", "php8", "phtml", "pht", "phps", "phar",
            "inc", "asp", "aspx", "ashx", "asmx", "ascx", "cshtml", "vbhtml", "jsp", "jspx",
            "jspf", "tag", "tagx", "class", "cgi", "fcgi", "pl", "pm", "py", "wsgi", "rb", "erb",
            "ru", "psgi", "lua", "luac", "js", "mjs", "cjs", "ts", "sh", "bash", "elf",
        ],
    ),
    (class::LIBRARY, &["so"]),
    (class::ARCHIVE, &["war", "ear", "jar", "jpi", "hpi", "zip"]),
    (
        class::HANDLER,
        &[
            "htaccess",
            ".htaccess",
            ".user.ini",
            "web.config",
            "php.ini",
        ],
    ),
    (
        class::CREDENTIAL,
        &[
            "shadow",
            "shadow-",
            "gshadow",
            "gshadow-",
            "sudoers",
            "opasswd",
            "krb5.keytab",
            "ssh_host_rsa_key",
            "ssh_host_ecdsa_key",
            "ssh_host_ed25519_key",
            ".git-credentials",
            ".netrc",
            "mem",
            "id_rsa",
            "id_dsa",
            "id_ecdsa",
            "id_ed25519",
            "authorized_keys",
            "credentials",
            ".env",
            ".npmrc",
            ".pgpass",
            ".my.cnf",
            "environ",
            "token",
            "wp-config.php",
        ],
    ),
    (
        class::CONFIGURATION,
        &["conf", "ini", "cnf", "load", "xml", "properties", "cfg"],
    ),
];

/// Directories, with `*` for any one component, from which servers load modules,
/// extensions, plugins and configuration, and from which cron takes jobs.
const DIRECTORIES: &[&str] = &[
    "/etc/nginx",
    "/etc/nginx/*",
    "/usr/lib/nginx/modules",
    "/usr/lib64/nginx/modules",
    "/usr/share/nginx/modules",
    "/etc/apache2",
    "/etc/apache2/*",
    "/etc/httpd",
    "/etc/httpd/*",
    "/usr/lib/apache2/modules",
    "/usr/lib64/httpd/modules",
    "/etc/php",
    "/etc/php/*",
    "/etc/php/*/*",
    "/etc/php/*/*/*",
    "/etc/php.d",
    "/etc/php-fpm.d",
    "/usr/lib/php/*",
    "/usr/lib64/php/modules",
    "/usr/lib/php8/modules",
    "/etc/lighttpd",
    "/etc/lighttpd/*",
    "/usr/lib/lighttpd",
    "/etc/haproxy",
    "/etc/tomcat*",
    "/etc/tomcat*/*",
    "/var/lib/tomcat*/lib",
    "/var/lib/tomcat*/conf",
    "/usr/share/tomcat*/lib",
    "/opt/tomcat*/lib",
    "/opt/tomcat*/conf",
    "/usr/lib/mysql/plugin",
    "/usr/lib64/mysql/plugin",
    "/usr/lib64/mariadb/plugin",
    "/usr/lib/postgresql/*/lib",
    "/usr/pgsql-*/lib",
    "/etc/cron.d",
    "/etc/cron.daily",
    "/etc/cron.hourly",
    "/etc/cron.weekly",
    "/etc/cron.monthly",
    "/var/spool/cron",
    "/var/spool/cron/crontabs",
];

/// Keys and values for the kernel's class map; a name of two classes has both bits.
#[must_use]
pub fn classes() -> Vec<(u64, u32)> {
    let mut classes: Vec<(u64, u32)> = Vec::new();
    for (bits, names) in CLASSES {
        for name in *names {
            let key = key(name.as_bytes());
            match classes.iter_mut().find(|(known, _)| *known == key) {
                Some((_, known)) => *known |= bits,
                None => classes.push((key, *bits)),
            }
        }
    }
    classes
}

/// The built-in patterns.
#[must_use]
pub fn default_directories() -> Vec<PathBuf> {
    DIRECTORIES.iter().map(PathBuf::from).collect()
}

/// The directories that `patterns` name now.
#[must_use]
pub fn directories(patterns: &[PathBuf]) -> Vec<PathBuf> {
    let mut directories: Vec<PathBuf> = patterns
        .iter()
        .filter_map(|pattern| glob::glob(pattern.to_str()?).ok())
        .flatten()
        .filter_map(Result::ok)
        .filter(|path| path.is_dir())
        .collect();
    directories.sort();
    directories.dedup();
    directories
}

#[cfg(test)]
mod tests {
    use sensor_common::{limit::CLASS_ENTRIES, watch::TAIL};

    use super::*;

    #[test]
    fn every_name_can_be_found_by_the_kernel_side() {
        for (_, names) in CLASSES {
            for name in *names {
                assert!(name.len() <= TAIL && *name == name.to_lowercase(), "{name}");
            }
        }
        assert!(classes().len() <= CLASS_ENTRIES as usize);
        let both = classes()
            .into_iter()
            .find(|(known, _)| *known == key(b"wp-config.php"));
        assert_eq!(both.map(|(_, bits)| bits), Some(class::CREDENTIAL));
    }

    #[test]
    fn patterns_name_directories_that_exist() {
        let root = tempfile::tempdir().unwrap();
        for name in ["a/x", "b/x", "c/y"] {
            std::fs::create_dir_all(root.path().join(name)).unwrap();
        }
        std::fs::write(root.path().join("c/x"), "").unwrap();
        let found = directories(&[root.path().join("*/x"), root.path().join("a/x")]);
        assert_eq!(found, ["a/x", "b/x"].map(|name| root.path().join(name)));
    }
}
