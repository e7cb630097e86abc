//! Is this `java` a server? Reads a command line the way the JDK launcher does.
//!
//! The launcher (`ParseArguments` in `java.base/share/native/libjli/java.c`) takes
//! options until the first word that is none: the main class, or the jar when `-jar`
//! was among the options. A few options take the next word as their value.

use crate::event::{Args, Faults};
use crate::lineage::Role;
use sensor_common::record::fault;

/// Options whose value is the next word (`IsWhiteSpaceOption` in `java.c`).
const WITH_VALUE: &[&str] = &[
    "-cp",
    "-classpath",
    "--class-path",
    "-p",
    "--module-path",
    "--upgrade-module-path",
    "--add-modules",
    "--enable-native-access",
    "--limit-modules",
    "--add-exports",
    "--add-opens",
    "--add-reads",
    "--patch-module",
    "-d",
    "--describe-module",
    "--source",
];

/// System properties only a server is started with.
const PROPERTIES: &[&str] = &[
    "-Dcatalina.base=",
    "-Djetty.home=",
    "-Djetty.base=",
    "-Djboss.home.dir=",
    "-Djboss.server.base.dir=",
    "-Dweblogic.Name=",
    "-Dcom.sun.aas.instanceRoot=",
    "-Dsolr.solr.home=",
    "-Dserver.port=",
];

/// System properties, main classes and jars of servers that build and deploy.
const CI: &[&str] = &[
    "-Dteamcity",
    "-DJENKINS_HOME=",
    "-Dbamboo.home=",
    "com.google.gerrit.pgm.Daemon",
    "jetbrains.buildServer.agent.Launcher",
    "jetbrains.buildServer.agent.AgentMain",
    "executable.Main",
    "jenkins",
    "gerrit",
    "winstone",
    "winstone.Launcher",
];

/// Main classes of servers; a trailing `*` stands for any rest.
const MAINS: &[&str] = &[
    "org.apache.catalina.startup.Bootstrap",
    "org.eclipse.jetty.start.Main",
    "org.eclipse.jetty.runner.Runner",
    "org.jboss.modules.Main",
    "weblogic.Server",
    "com.ibm.ws.runtime.WsServer",
    "com.ibm.ws.kernel.boot.cmdline.Bootstrap",
    "com.sun.enterprise.glassfish.bootstrap.ASMain",
    "com.sun.enterprise.glassfish.bootstrap.GlassFishMain",
    "com.caucho.server.resin.Resin",
    "org.springframework.boot.loader.*",
    "io.quarkus.bootstrap.runner.QuarkusEntryPoint",
    "io.micronaut.*",
    "io.dropwizard.*",
    "io.helidon.*",
    "play.core.server.ProdServerStart",
    "io.vertx.core.Launcher",
    "org.keycloak*",
    "org.apereo.cas*",
    "org.elasticsearch.bootstrap.Elasticsearch",
    "com.atlassian.jira.startup.Launcher",
    "com.atlassian.bitbucket.internal.launcher.BitbucketServerLauncher",
    "com.google.gerrit.pgm.Daemon",
    "jetbrains.buildServer.agent.Launcher",
    "jetbrains.buildServer.agent.AgentMain",
    "kafka.Kafka",
    "org.apache.zookeeper.server.quorum.QuorumPeerMain",
    "org.apache.cassandra.service.CassandraDaemon",
    "org.sonatype.nexus.karaf.NexusMain",
    "winstone.Launcher",
    "executable.Main",
];

/// Jars of servers, without extension; a version may follow.
const JARS: &[&str] = &[
    "jenkins",
    "quarkus-run",
    "start",
    "jetty-runner",
    "jetty-home",
    "jboss-modules",
    "activemq",
    "ws-server",
    "glassfish",
    "payara-micro",
    "winstone",
    "gerrit",
    "sonar-application",
    "tomcat-embed",
    "webapp-runner",
];

/// Program arguments by which a Spring Boot jar of any name says that it serves.
const SPRING: &[&str] = &[
    "--server.port=",
    "--spring.profiles.active=",
    "--spring.config.",
];

/// What the options of one command line lead to.
enum Main<'a> {
    /// `java [options] class`, or `-m module/class`.
    Class(&'a [u8]),
    /// `java [options] -jar file`.
    Jar(&'a [u8]),
    /// The options end without one (`java -version`).
    Nothing,
    /// It cannot be seen: cut off, or hidden in an `@argfile`.
    Hidden,
}

/// Role of the server that the command line names, one we know or of `extra`. Another
/// class or jar is none; where neither can be seen (cut off, `@argfile`) it counts as one:
/// a false alert can be silenced, a server nobody watches cannot.
pub(super) fn server(args: &Args, faults: Faults, extra: &[String]) -> Option<Role> {
    let cut = args.truncated || faults.has(fault::ARGS | fault::ARGS_CUT);
    let words: Vec<&[u8]> = args.head.iter().map(|word| &word[..]).collect();
    if words.is_empty() {
        return Some(Role::App);
    }
    let line = parse(&words, cut);
    is_server(&line, extra).then(|| if builds(&line) { Role::Ci } else { Role::App })
}

fn is_server(line: &Line<'_, '_>, extra: &[String]) -> bool {
    let known = |option: &&[u8]| {
        let mut properties = PROPERTIES
            .iter()
            .chain(CI.iter().filter(|ci| is_property(ci)));
        properties.any(|name| option.starts_with(name.as_bytes()))
    };
    if line.options.iter().any(known) {
        return true;
    }
    match line.main {
        Main::Class(class) => names_class(class, extra),
        Main::Jar(jar) => names_jar(jar, extra) || line.rest.iter().any(|word| is_spring(word)),
        Main::Nothing => false,
        Main::Hidden => true,
    }
}

/// The server's work is to build and deploy.
fn builds(line: &Line<'_, '_>) -> bool {
    let named = |name: &[u8]| CI.iter().any(|ci| ci.as_bytes() == name);
    let property = |option: &&[u8]| {
        let mut properties = CI.iter().filter(|ci| is_property(ci));
        properties.any(|name| option.starts_with(name.as_bytes()))
    };
    line.options.iter().any(property)
        || match line.main {
            Main::Class(class) => named(class),
            Main::Jar(jar) => named(stem(jar)),
            Main::Nothing | Main::Hidden => false,
        }
}

fn is_property(name: &str) -> bool {
    name.starts_with("-D")
}

/// A command line taken apart.
struct Line<'a, 'b> {
    main: Main<'a>,
    /// The launcher's own words, its name included.
    options: &'b [&'a [u8]],
    /// What main is given.
    rest: &'b [&'a [u8]],
}

/// Takes a command line apart whose word 0 is `java`.
fn parse<'a, 'b>(words: &'b [&'a [u8]], cut: bool) -> Line<'a, 'b> {
    let mut jar = false;
    let mut hidden = false;
    let mut index = 1;
    while let Some(&word) = words.get(index) {
        let main = if word == b"-m" || word == b"--module" {
            index += 1;
            words
                .get(index)
                .map_or(Main::Hidden, |&value| Main::Class(class_of(value)))
        } else if let Some(value) = word.strip_prefix(b"--module=") {
            Main::Class(class_of(value))
        } else if !word.starts_with(b"-") && !word.starts_with(b"@") {
            // The last word before a cut may be cut itself.
            let doubtful = hidden || cut && index + 1 == words.len();
            match (doubtful, jar) {
                (true, _) => Main::Hidden,
                (false, true) => Main::Jar(word),
                (false, false) => Main::Class(word),
            }
        } else {
            jar |= word == b"-jar";
            // The launcher puts the file's words here; main may be among them.
            hidden |= word.starts_with(b"@");
            let takes_value = WITH_VALUE.iter().any(|option| option.as_bytes() == word);
            index += 1 + usize::from(takes_value);
            continue;
        };
        let (options, rest) = words.split_at(words.len().min(index + 1));
        return Line {
            main,
            options,
            rest,
        };
    }
    let main = if hidden || cut {
        Main::Hidden
    } else {
        Main::Nothing
    };
    Line {
        main,
        options: words,
        rest: &[],
    }
}

/// The class of `module/class`; a bare module stands for itself.
fn class_of(value: &[u8]) -> &[u8] {
    value
        .iter()
        .position(|&byte| byte == b'/')
        .map_or(value, |slash| value.get(slash + 1..).unwrap_or_default())
}

/// Also with slashes for dots, which the launcher accepts.
fn names_class(class: &[u8], extra: &[String]) -> bool {
    let dotted: Vec<u8> = class
        .iter()
        .map(|&byte| if byte == b'/' { b'.' } else { byte })
        .collect();
    let mut known = MAINS
        .iter()
        .copied()
        .chain(extra.iter().map(String::as_str));
    known.any(|pattern| matches(pattern, &dotted))
}

/// `pattern` is exact, or a prefix when it ends in `*`.
fn matches(pattern: &str, text: &[u8]) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => text.starts_with(prefix.as_bytes()),
        None => pattern.as_bytes() == text,
    }
}

/// By file name: a known stem, alone or followed by a version; or an extra name.
fn names_jar(path: &[u8], extra: &[String]) -> bool {
    let name = file_name(path);
    let stem = stem(path);
    JARS.iter()
        .any(|jar| stem.strip_prefix(jar.as_bytes()).is_some_and(is_version))
        || extra
            .iter()
            .any(|pattern| matches(pattern, name) || matches(pattern, path))
}

fn file_name(path: &[u8]) -> &[u8] {
    path.rsplit(|&byte| byte == b'/').next().unwrap_or(path)
}

/// File name of a jar without its extension.
fn stem(path: &[u8]) -> &[u8] {
    let name = file_name(path);
    name.strip_suffix(b".jar")
        .or_else(|| name.strip_suffix(b".war"))
        .unwrap_or(name)
}

/// Empty, or a separator and a digit: `-9.4.44.v20211001`.
fn is_version(rest: &[u8]) -> bool {
    match rest {
        [] => true,
        [b'-' | b'_' | b'.', digit, ..] => digit.is_ascii_digit(),
        _ => false,
    }
}

fn is_spring(word: &[u8]) -> bool {
    SPRING
        .iter()
        .any(|option| word.starts_with(option.as_bytes()))
}
