//! Acts whose fields of Sigma's taxonomy have given values.

use std::{net::SocketAddr, sync::Arc};

use super::{
    super::{
        super::{category::Category, view::Users},
        subject,
    },
    FIELDS, Shape, Value, condition, text,
};
use crate::lineage::{Act, Subject};

/// An act by its fields; those that are not named have the values of the base.
#[derive(Clone, Debug)]
pub(super) struct Named {
    pub(super) category: Category,
    pub(super) fields: Vec<(&'static str, Value)>,
}

impl Named {
    pub(super) fn one(category: Category, field: &'static str, value: Value) -> Self {
        Self {
            category,
            fields: vec![(field, value)],
        }
    }
}

/// Uids below belong to nobody in the rows.
const FIRST_UID: u32 = 10_000;

/// Every value that stands for a name of a user in the rows, each with a uid of its own.
fn names() -> impl Iterator<Item = &'static str> {
    let rows = text::ROWS
        .iter()
        .flat_map(|row| row.hits.iter().chain(row.misses));
    rows.copied()
        .flatten()
        .chain(condition::USERS.iter().copied())
}

/// The users of a machine on which the rows are tried.
pub(super) fn users() -> Users {
    (FIRST_UID..)
        .zip(names())
        .map(|(uid, name)| (uid, name.to_owned()))
        .collect()
}

fn uid(name: &str) -> u32 {
    let found = (FIRST_UID..).zip(names()).find(|(_, known)| *known == name);
    found.unwrap().0
}

/// An act of every category: what it is before fields are set.
fn base(category: Category) -> Subject {
    subject(match category {
        Category::File => "{image: /usr/bin/touch, target: {path: /srv/base, created: true}}",
        Category::Network => "{image: /usr/bin/curl, connect: {ip: 192.0.2.99, port: 9}}",
        _ => "{image: /usr/bin/true, argv: ['true'], cwd: /srv/base}",
    })
}

/// The act.
pub(super) fn act(named: &Named) -> Subject {
    let mut subject = base(named.category);
    for &(field, value) in &named.fields {
        let known = FIELDS
            .iter()
            .any(|(category, name, _)| (*category, *name) == (named.category, field));
        assert!(known, "{field}");
        set(&mut subject, field, value);
    }
    subject
}

fn set(subject: &mut Subject, field: &str, value: Value) {
    let text = value.unwrap_or_default();
    let arguments = || text.split(' ').map(Into::into).collect();
    match field {
        "CommandLine" => Arc::make_mut(&mut subject.program).args.head = arguments(),
        "Image" => Arc::make_mut(&mut subject.program).image.path = text.into(),
        "CurrentDirectory" => Arc::make_mut(&mut subject.program).cwd = text.into(),
        "LogonId" => {
            let id = value.map(|text| text.parse().unwrap());
            Arc::make_mut(&mut subject.program).cred.login_uid = id;
        }
        "User" => Arc::make_mut(&mut subject.program).cred.uid = value.map_or(0, uid),
        "ParentImage" | "ParentCommandLine" if value.is_none() => subject.creator = None,
        "ParentImage" | "ParentCommandLine" => {
            let program = subject.creator.as_mut().unwrap().program.as_mut().unwrap();
            let program = Arc::make_mut(program);
            match field {
                "ParentImage" => program.image.path = text.into(),
                _ => program.args.head = arguments(),
            }
        }
        "TargetFilename" => {
            let Act::File(file) = &mut subject.act else {
                panic!("no file")
            };
            Arc::make_mut(file).path = text.into();
        }
        // What the base has: an act cannot have another value.
        "Initiated" => assert_eq!(value, Some("true")),
        "DestinationHostname" => assert_eq!(value, None),
        _ => remote(subject, field, value),
    }
}

fn remote(subject: &mut Subject, field: &str, value: Value) {
    let Act::Socket(socket) = &mut subject.act else {
        panic!("no socket")
    };
    let socket = Arc::make_mut(socket);
    let Some(text) = value else {
        socket.remote = None;
        return;
    };
    let was = socket.remote.unwrap();
    socket.remote = Some(match field {
        "DestinationIp" => SocketAddr::new(text.parse().unwrap(), was.port()),
        "DestinationPort" => SocketAddr::new(was.ip(), text.parse().unwrap()),
        other => panic!("{other}"),
    });
}

#[test]
fn every_field_is_set_as_rules_see_it() {
    use rsigma_eval::Event as _;

    use super::super::super::{
        memory::Memory,
        view::{Evidence, View},
    };
    let (users, memory) = (Arc::new(users()), Memory::default());
    for &(category, field, shape) in FIELDS {
        let value = match shape {
            Shape::Text => Some("/srv/alpha/run-7.sh"),
            Shape::Number => Some("4444"),
            Shape::Address => Some("198.51.100.7"),
            Shape::Bool => Some("true"),
            Shape::Never => None,
        };
        let subject = act(&Named::one(category, field, value));
        let view = View::new(&subject, (&users, &memory), Evidence::default());
        let seen = view.get_field(field);
        let seen = seen.and_then(|seen| seen.as_str().map(std::borrow::Cow::into_owned));
        assert_eq!(seen.as_deref(), value, "{field}");
    }
}
