//! `docs/services.md`: which programs are servers.

use sensor::{
    lineage::Part,
    service::{self, Evidence, SCRIPTING, SERVERS},
};

use crate::page::{code, head, page, table};

/// Names as code, in a row.
fn names<'n>(names: impl IntoIterator<Item = &'n &'n str>) -> String {
    let names: Vec<_> = names.into_iter().map(|name| code(name)).collect();
    names.join(" ")
}

#[test]
fn services() {
    let mut text = head(
        "Services",
        "Which programs are servers. An executable is recognised by its file name (a version may \
         follow), an interpreter by the program it is told to run, and any interpreter or Java \
         once it listens on TCP. Further ones are declared in the configuration \
         (`services.declare`). Roles: `edge` executes nothing but itself, `app` runs an \
         application, `cgi` executes its scripts, `db` keeps data, `ci` builds and deploys.",
    );
    text += &table(
        [
            "Kind",
            "Role",
            "Executables",
            "Programs of interpreters",
            "By listening",
            "Requests are served by",
            "Tested",
        ],
        SERVERS.iter().map(|server| {
            let programs: Vec<_> = service::programs(server.kind).collect();
            let lead = match server.lead {
                Part::Master => "its children",
                _ => "the process itself",
            };
            let evidence = match server.evidence {
                Evidence::Live => "live",
                Evidence::Recorded => "recorded command lines only",
            };
            [
                code(server.kind.name()),
                server.role.name().to_owned(),
                names(server.names),
                names(&programs),
                names(server.candidates),
                lead.to_owned(),
                evidence.to_owned(),
            ]
        }),
    );
    text += "\nJava servers are told by main class, jar and properties; those of Jenkins, \
             TeamCity, Gerrit and Bamboo, and GitLab's own Ruby, have role `ci`.\n\nNot seen: a \
             service of an unlisted name in no interpreter, unless declared; UDP and unix sockets \
             as a sign of serving; images whose name podman, docker or containerd do not keep on \
             disk.\n\n";
    let apache = format!(
        "Apache: `edge` when the modules its master maps run no programs or scripts, `app` with \
         one of {}, or when it maps none and may be linked with any. What the daemon of \
         `mod_cgid` forks has role `cgi`. Both are looked up when the master listens or forks \
         and known some tenths of a second later; until then the role is `app`.\n\nA service \
         that is declared by unit, image or arguments alone is looked at when it listens, and the \
         kernel side follows it within about a second: what it forks and ends before is \
         not seen.\n",
        names(SCRIPTING)
    );
    text += &apache;
    page("services.md", &text);
}
