//! Every server of the lab, started once for many cases. Each stays in the foreground, so
//! that the process that was started is the root that alerts must show.

mod app;
mod data;
mod isolated;
mod web;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use super::case::Order;
use crate::fixture::{
    cgroup::Cgroup,
    daemon::Daemon,
    process::{self, Process},
    scene::{self, Scene},
    site, wait,
};

pub(crate) use self::{
    app::java,
    data::{as_user, directory_of, postgres_program, psql, redis_agrees, sql},
    isolated::Container,
    web::{STANDIN, STANDIN_MARK, lighttpd, program},
};

/// One server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stack {
    Php,
    Nginx,
    ModPhp,
    Cgid,
    Lua,
    Fcgiwrap,
    Tomcat,
    Java,
    Ci,
    Node,
    Gunicorn,
    Uwsgi,
    Uvicorn,
    Puma,
    Postgres,
    MariaDb,
    Redis,
    Haproxy,
    Lighttpd,
    BackDoor,
    Container,
}

impl Stack {
    /// Its name in the table.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Php => "nginx + php-fpm",
            Self::Nginx => "nginx",
            Self::ModPhp => "apache prefork, mod_php",
            Self::Cgid => "apache event, mod_cgid",
            Self::Lua => "apache event, mod_lua",
            Self::Fcgiwrap => "nginx + fcgiwrap",
            Self::Tomcat => "tomcat",
            Self::Java => "java",
            Self::Ci => "java, jenkins.war",
            Self::Node => "node",
            Self::Gunicorn => "gunicorn",
            Self::Uwsgi => "uwsgi",
            Self::Uvicorn => "uvicorn",
            Self::Puma => "puma",
            Self::Postgres => "postgres",
            Self::MariaDb => "mariadb",
            Self::Redis => "redis",
            Self::Haproxy => "haproxy",
            Self::Lighttpd => "lighttpd",
            Self::BackDoor => "nginx, foreign library",
            Self::Container => "php-fpm in a container",
        }
    }
}

/// The servers of a part of the lab, and where they are.
pub(crate) struct Stacks {
    servers: BTreeMap<Stack, Daemon>,
    container: Option<Container>,
    /// nginx before fcgiwrap.
    wrapping: Option<Daemon>,
    dir: PathBuf,
}

impl Stacks {
    /// Starts these servers in a directory of their own below `dir`.
    pub(crate) fn start(scene: &Scene, dir: &Path, order: Order, wanted: &BTreeSet<Stack>) -> Self {
        let dir = dir.join(match order {
            Order::Before => "first",
            Order::After => "second",
        });
        fs::create_dir(&dir).expect("make a directory");
        let mut stacks = Self {
            servers: BTreeMap::new(),
            container: None,
            wrapping: None,
            dir,
        };
        for &stack in wanted {
            stacks.add(scene, stack);
        }
        stacks
    }

    /// Starts one more.
    pub(crate) fn add(&mut self, scene: &Scene, stack: Stack) {
        if stack == Stack::Container {
            let dir = self.place("container");
            self.container = Some(Container::start(&dir));
            return;
        }
        if stack == Stack::Nginx && !self.servers.contains_key(&Stack::Php) {
            self.add(scene, Stack::Php);
        }
        if self.servers.contains_key(&stack) {
            return;
        }
        if stack == Stack::Nginx {
            return self.front();
        }
        let server = self.server(scene, stack);
        self.servers.insert(stack, server);
        match stack {
            Stack::Php => self.front(),
            Stack::Fcgiwrap => self.wrapping = Some(web::wrapping(self)),
            _ => {}
        }
    }

    /// Starts a daemon.
    fn server(&self, scene: &Scene, stack: Stack) -> Daemon {
        match stack {
            Stack::Php => web::php(self),
            Stack::ModPhp => web::mod_php(self),
            Stack::Cgid => web::cgid(self),
            Stack::Lua => web::lua(self),
            Stack::Fcgiwrap => web::fcgiwrap(self),
            Stack::Haproxy => web::haproxy(self),
            Stack::Lighttpd => lighttpd(self, "lighttpd"),
            Stack::BackDoor => web::back_door(self, scene),
            Stack::Tomcat => app::tomcat(self),
            Stack::Java => java(self),
            Stack::Ci => app::ci(self),
            Stack::Node => app::node(self),
            Stack::Gunicorn => app::gunicorn(self),
            Stack::Uwsgi => app::uwsgi(self),
            Stack::Uvicorn => app::uvicorn(self),
            Stack::Puma => app::puma(self),
            Stack::Postgres => data::postgres(self),
            Stack::MariaDb => data::mariadb(self),
            Stack::Redis => data::redis(self),
            Stack::Nginx | Stack::Container => unreachable!("it is started by others"),
        }
    }

    /// nginx before php-fpm.
    fn front(&mut self) {
        if !self.servers.contains_key(&Stack::Nginx) {
            let nginx = web::front(self);
            self.servers.insert(Stack::Nginx, nginx);
        }
    }

    /// A server, if it was started.
    pub(crate) fn find(&self, stack: Stack) -> Option<&Daemon> {
        self.servers.get(&stack)
    }

    /// A server that was started.
    #[track_caller]
    pub(crate) fn get(&self, stack: Stack) -> &Daemon {
        let server = self.servers.get(&stack);
        server.unwrap_or_else(|| panic!("{} was not started", stack.name()))
    }

    /// Where it is asked.
    #[track_caller]
    pub(crate) fn port(&self, stack: Stack) -> u16 {
        match (stack, &self.wrapping) {
            (Stack::Php, _) => self.get(Stack::Nginx).port,
            (Stack::Fcgiwrap, Some(nginx)) => nginx.port,
            _ => self.get(stack).port,
        }
    }

    pub(crate) fn container(&self) -> &Container {
        self.container.as_ref().expect("the container was started")
    }

    /// pid that the first process of every lineage must have.
    pub(crate) fn root(&self, stack: Stack) -> u32 {
        match stack {
            Stack::Container => self.container().master(),
            stack => self.get(stack).process().pid,
        }
    }

    /// A directory of this name.
    pub(crate) fn place(&self, name: &str) -> PathBuf {
        let path = self.dir.join(name);
        fs::create_dir_all(&path).expect("make a directory");
        path
    }

    /// Likewise, into which the servers' user may write.
    pub(crate) fn writable(&self, name: &str) -> PathBuf {
        let path = self.place(name);
        scene::give_to_www_data(&path);
        path
    }
}

/// Every process of a program whose title begins so.
pub(crate) fn titled(title: &str) -> Vec<Process> {
    let all = process::all_pids().into_iter().filter_map(Process::of);
    all.filter(|process| process.title().starts_with(title))
        .collect()
}

/// An orphan of php-fpm that waits for a gate to open, and the control group by which a
/// sensor that comes later knows whose it is.
pub(crate) fn orphan(stacks: &Stacks) -> Cgroup {
    let php = stacks.get(Stack::Php);
    let cgroup = Cgroup::new();
    let family = std::iter::once(php.process()).chain(php.children());
    family.for_each(|process| cgroup.take(process));
    let gate = stacks.place("gate").join("open");
    let line = format!(
        "while ! [ -e {} ]; do sleep 0.05; done; id; : from-before",
        gate.display()
    );
    let page = stacks.place("www").join("pages/orphan.php");
    let code = format!("system(\"setsid sh -c '{line}' > /dev/null 2>&1 & echo $!\");");
    site::page(&page, &code);
    let visit = site::visit(stacks.port(Stack::Php), "pages/orphan.php");
    let orphan = Process::of(visit.spawned()).expect("the orphan runs");
    wait::until("the orphan to be one", || {
        let parent = format!("/proc/{}/stat", orphan.pid);
        let parent = fs::read_to_string(parent).ok()?;
        let parent = parent
            .rsplit(')')
            .next()?
            .split_whitespace()
            .nth(1)?
            .to_owned();
        (parent == "1").then_some(())
    });
    cgroup
}
