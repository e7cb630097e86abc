//! What goes in comes out; what was damaged says where.

use std::{io::Cursor, sync::Arc};

use proptest::prelude::*;

use super::*;
use crate::service::Apache;
use crate::{
    alert::Host,
    detect::{Examined, Fact, FileRole, KnownShell, Located, Peer, Whose},
    engine::Input,
    event::{
        self, Actor, Args, Event, Exec, Exit, ExitStatus, Faults, FileAction, FileId, Fork, Image,
        Inode, Lost, Membership, PathSource, ProcessId, Program, RingKind, Rung, Scanned, Snapshot,
        SocketAction, Stamp, Written,
    },
};

fn program(arg: &str) -> Arc<Program> {
    Arc::new(Program {
        image: Image {
            path: "/bin/sh".into(),
            ctime_ns: Some(-5),
            upper: Some(true),
            ..Image::default()
        },
        args: Args {
            head: vec!["sh".into(), arg.into(), b"\xff\0\x1b".as_slice().into()],
            ..Args::default()
        },
        env: vec![("LD_PRELOAD".into(), "/x".into())],
        ..Program::default()
    })
}

fn file(stamp: Stamp, process: ProcessId) -> event::File {
    event::File {
        stamp,
        process,
        membership: None,
        action: FileAction::Write,
        path: "/srv/www/x.php".into(),
        source: PathSource::Fd,
        other: Some("y".into()),
        inode: Some(Inode::default()),
        created: true,
        argument: 1,
        class: 2,
        in_watched_directory: true,
        attempt: false,
        io_uring: true,
        written: Some(Written {
            root: process,
            age_ns: 3,
        }),
        actor: Some(Actor::default()),
        uid: 33,
        euid: 0,
        mount_ns: 4,
        rung: Rung::Kprobe,
        faults: Faults(5),
    }
}

fn socket(stamp: Stamp, process: ProcessId) -> event::Socket {
    event::Socket {
        stamp,
        process,
        membership: None,
        action: SocketAction::Connect,
        protocol: 6,
        local: ([127, 0, 0, 1], 80).into(),
        remote: Some(([0; 16], 443).into()),
        fd: Some(7),
        result: -115,
        net_ns: 8,
        uid: 9,
        promoted: false,
        candidate: true,
        attempt: true,
        io_uring: false,
        rung: Rung::Kprobe,
    }
}

/// One of every input, and a snapshot that takes several frames.
fn inputs() -> Vec<Input> {
    let process = ProcessId::new(7, 70);
    let membership = Some(Membership {
        root: ProcessId::new(1, 10),
        depth: 2,
    });
    let stamp = Stamp {
        cpu: 1,
        seq: 2,
        time_ns: u64::MAX,
    };
    let scanned = |tgid: u32| Scanned {
        process: ProcessId::new(tgid, 1),
        parent: process,
        membership,
        recognised: true,
        program: tgid.is_multiple_of(2).then(|| program("scanned")),
    };
    vec![
        Input::Fact(Fact::Shells(vec![KnownShell {
            path: "/bin/dash".into(),
            file: FileId { dev: 1, ino: 2 },
            size: 3,
            sha256: [9; 32],
        }])),
        Input::Degraded(vec!["scan".to_owned()]),
        Input::Inspected(process, program("looked at"), Some("image".to_owned())),
        Input::Gone(process),
        Input::Listening(vec![process]),
        Input::Apache(Apache {
            master: process,
            cgid: Some((3, 4)),
            ..Apache::default()
        }),
        Input::Snapshot(Snapshot {
            time_ns: 5,
            processes: (0..100).map(scanned).collect(),
        }),
        Input::Event(Event::Fork(Fork {
            stamp,
            child: process,
            membership,
            creator: process,
            creator_tid: 3,
            parent: process,
            uid: 33,
        })),
        Input::Event(Event::Exec(Exec {
            stamp,
            process,
            membership,
            recognised: false,
            candidate: true,
            parent: process,
            program: program("-c"),
        })),
        Input::Event(Event::Exit(Exit {
            stamp,
            process,
            membership: None,
            status: ExitStatus::Signal(9),
        })),
        Input::Event(Event::File(Arc::new(file(stamp, process)))),
        Input::Event(Event::Socket(Arc::new(socket(stamp, process)))),
        Input::Event(Event::Lost(Lost {
            ring: RingKind::File,
            cpu: 0,
            count: 3,
            time_ns: 4,
        })),
        Input::Tick(12),
        Input::Fact(Fact::Hash {
            process,
            file: FileId::default(),
            sha256: None,
        }),
        Input::Stop,
        // Three bytes; what they mean is for those who use it.
        Input::Reload(Box::new(postcard::from_bytes(&[3, 1, 2, 3]).unwrap())),
        Input::Fact(Fact::Examined(Box::new(Examined {
            number: 9,
            role: FileRole::Written,
            path: "/srv/www/x.php".into(),
            sha256: Some([7; 32]),
            size: Some(3),
            kind: Some("php".to_owned()),
            packages_known: true,
            package: Some("x".to_owned()),
            problem: Some("gone".to_owned()),
            peers: vec![Peer {
                fd: 1,
                far: "10.0.0.1:4".to_owned(),
            }],
        }))),
        Input::Fact(Fact::Located(Box::new(Located {
            whose: Whose::Service(process),
            container: Some(crate::alert::sample::placed()),
        }))),
        Input::Unproven(process, 12, "why".to_owned()),
    ]
}

fn header() -> Header {
    Header {
        host: Host {
            name: "web".to_owned(),
            users: [(0, "root".to_owned())].into(),
            ..Host::default()
        },
        ..Header::default()
    }
}

fn recorded(inputs: &[Input]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), &header()).unwrap();
    for input in inputs {
        writer.write(input).unwrap();
    }
    writer.finish().unwrap()
}

fn read(bytes: &[u8]) -> (Vec<Input>, Option<RecordError>) {
    let mut inputs = Vec::new();
    let reader = match Reader::new(Cursor::new(bytes)) {
        Ok(reader) => reader,
        Err(error) => return (inputs, Some(error)),
    };
    for input in reader {
        match input {
            Ok(input) => inputs.push(input),
            Err(error) => return (inputs, Some(error)),
        }
    }
    (inputs, None)
}

fn text(inputs: &[Input]) -> String {
    format!("{inputs:?}")
}

/// A recording whose frames are these bytes, whatever they are.
fn stream(frames: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    header().write(&mut out).unwrap();
    out.extend(zstd::encode_all(frames, 3).unwrap());
    out
}

#[test]
fn every_input_comes_back() {
    let reader = Reader::new(Cursor::new(recorded(&[]))).unwrap();
    assert_eq!(reader.header(), &header());
    let (back, error) = read(&recorded(&inputs()));
    assert!(error.is_none(), "{error:?}");
    assert_eq!(text(&back), text(&inputs()));
}

#[test]
fn a_tape_gives_what_a_writer_gives() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut tape = Tape::start(file.reopen().unwrap(), &header(), Options::default()).unwrap();
    for input in &inputs() {
        tape.take(input);
    }
    let summary = tape.finish().unwrap();
    let bytes = std::fs::read(file.path()).unwrap();
    assert_eq!((summary.inputs, summary.events), (20, 6));
    assert_eq!(summary.bytes, bytes.len() as u64);
    let (back, error) = read(&bytes);
    assert!(error.is_none(), "{error:?}");
    assert_eq!(text(&back), text(&inputs()));
}

#[test]
fn a_recording_that_stops_anywhere_gives_what_it_has_and_says_where() {
    let whole = recorded(&inputs());
    let expected = inputs();
    for length in 0..whole.len() {
        let (back, error) = read(&whole[..length]);
        let error = error.unwrap_or_else(|| panic!("{length} of {} bytes pass", whole.len()));
        assert!(text(&back) == text(&expected[..back.len()]), "{length}");
        assert!(
            matches!(
                error,
                RecordError::Truncated { .. } | RecordError::Header(_)
            ),
            "{length}: {error}"
        );
    }
}

#[test]
fn what_was_flushed_can_be_read_though_the_recorder_was_killed() {
    let mut frames = bytes::BytesMut::new();
    let mut stream = writer::Stream::new(Vec::new(), &header()).unwrap();
    let all = inputs();
    for input in &all {
        frame::input(input, &mut frames).unwrap();
    }
    stream.write(&frames).unwrap();
    let bytes = stream.killed();
    let (back, error) = read(&bytes);
    assert_eq!(text(&back), text(&all));
    let error = error.unwrap().to_string();
    assert!(error.ends_with("its recorder did not finish"), "{error}");
}

#[test]
fn frames_that_lie_are_refused_with_their_number_and_place() {
    let mut good = bytes::BytesMut::new();
    frame::input(&Input::Tick(1), &mut good).unwrap();
    let place = good.len();
    let after = |bytes: &[u8]| {
        let (back, error) = read(&stream(&[&good, bytes].concat()));
        assert_eq!(back.len(), 1);
        error.unwrap().to_string()
    };
    let begin = format!("corrupt at frame 2 (byte {place} of the decompressed stream): ");
    let huge = after(&[0xff; 8]);
    assert_eq!(huge, format!("{begin}it claims 4294967295 bytes"));
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    assert_eq!(after(&flipped), format!("{begin}its checksum does not fit"));
    let end = frame::End {
        inputs: 5,
        ..frame::End::default()
    };
    let mut frames = bytes::BytesMut::new();
    frame::end(&end, &mut frames).unwrap();
    assert_eq!(
        after(&frames),
        format!("{begin}the end speaks of 5 inputs, read 1")
    );
    let end = frame::End {
        inputs: 1,
        broken: Some("why".to_owned()),
        ..frame::End::default()
    };
    frames.clear();
    frame::end(&end, &mut frames).unwrap();
    assert_eq!(
        after(&frames),
        "incomplete: the recorder stopped after 1 inputs: why"
    );
}

#[test]
fn other_files_and_other_versions_are_named() {
    let error = |bytes: &[u8]| read(bytes).1.unwrap().to_string();
    assert_eq!(error(b"#!/bin/sh\necho"), "not a recording of this sensor");
    assert_eq!(error(b""), "not a recording of this sensor");
    let mut other = recorded(&[]);
    other[8..12].copy_from_slice(&99_u32.to_le_bytes());
    assert!(error(&other).starts_with("format version 99, and this sensor reads version 1 only"));
    let mut long = recorded(&[]);
    long[12..16].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(error(&long), "corrupt header: 4294967295 bytes long");
    let mut flipped = recorded(&[]);
    flipped[24] ^= 1;
    assert_eq!(error(&flipped), "corrupt header: its checksum does not fit");
}

#[test]
fn a_foreign_header_cannot_send_escape_sequences() {
    let mut evil = header();
    evil.host.name = "\x1b[2J".to_owned();
    let mut bytes = Vec::new();
    evil.write(&mut bytes).unwrap();
    let read = Header::read(&mut bytes.as_slice()).unwrap();
    assert_eq!(read.host.name, "\\x1b[2J");
}

#[test]
fn the_layout_of_an_input_is_the_one_of_this_version() {
    // Changes with any field or variant. A layout that was released needs another VERSION.
    let mut frames = bytes::BytesMut::new();
    for input in &inputs() {
        frame::input(input, &mut frames).unwrap();
    }
    assert_eq!(
        (VERSION, frames.len(), crc32fast::hash(&frames)),
        (1, 6_055, 2_168_033_880),
        "the layout changed: raise VERSION if the old one was released, note the new numbers \
         here, renew the golden files (CONTRIBUTING.md)"
    );
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        read(&bytes);
        read(&stream(&bytes));
        let mut framed = u32::try_from(bytes.len()).unwrap().to_le_bytes().to_vec();
        framed.extend(crc32fast::hash(&bytes).to_le_bytes());
        framed.extend(&bytes);
        read(&stream(&framed));
    }

    #[test]
    fn a_damaged_byte_never_changes_what_came_before(at in 0_usize..4_000, bit in 0_u32..8) {
        let mut bytes = recorded(&inputs());
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        let (back, _) = read(&bytes);
        prop_assert!(back.len() <= inputs().len());
        prop_assert_eq!(text(&back), text(&inputs()[..back.len()]));
    }
}
