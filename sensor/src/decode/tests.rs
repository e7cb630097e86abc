//! Records built byte by byte, and bytes that are none.

use std::mem::offset_of;

use proptest::prelude::*;

use super::*;
use crate::event::Exec;

/// Writes integers at the members of a record.
struct Builder(Vec<u8>);

macro_rules! put {
    ($builder:expr, $record:ty, $($member:ident).+ = $value:expr) => {{
        let bytes = $value.to_ne_bytes();
        let at = offset_of!($record, $($member).+);
        $builder.0[at..at + bytes.len()].copy_from_slice(&bytes);
    }};
}

fn exec_record(strings: [&[u8]; 9], args_total: u64, env_total: u64, flags: u32) -> Vec<u8> {
    let mut builder = Builder(vec![0; size_of::<record::Exec>()]);
    put!(builder, record::Exec, header.kind = 2_u32);
    put!(builder, record::Exec, header.seq = 7_u64);
    put!(builder, record::Exec, header.flags = flags);
    put!(builder, record::Exec, header.process.tgid = 42_u32);
    put!(builder, record::Exec, header.process.start_ns = 99_u64);
    put!(builder, record::Exec, args_total = args_total);
    put!(builder, record::Exec, env_total = env_total);
    put!(builder, record::Exec, login_uid = UNSET);
    put!(
        builder,
        record::Exec,
        spans.args_head = (strings[0].len() as u32)
    );
    put!(
        builder,
        record::Exec,
        spans.args_tail = (strings[1].len() as u32)
    );
    put!(
        builder,
        record::Exec,
        spans.filename = (strings[2].len() as u32)
    );
    put!(
        builder,
        record::Exec,
        spans.interp = (strings[3].len() as u32)
    );
    put!(builder, record::Exec, spans.exe = (strings[4].len() as u32));
    put!(builder, record::Exec, spans.cwd = (strings[5].len() as u32));
    put!(
        builder,
        record::Exec,
        spans.cgroup = (strings[6].len() as u32)
    );
    put!(
        builder,
        record::Exec,
        spans.env_head = (strings[7].len() as u32)
    );
    put!(
        builder,
        record::Exec,
        spans.env_tail = (strings[8].len() as u32)
    );
    builder.0.extend(strings.concat());
    let len = builder.0.len() as u32;
    put!(builder, record::Exec, header.len = len);
    builder.0
}

fn decoded(bytes: &[u8]) -> Exec {
    match decode(bytes).unwrap() {
        Event::Exec(exec) => exec,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_exec_record_comes_out_field_by_field() {
    let env = b"LD_PRELOAD=/tmp/x.so\0SECRET=1\0REMOTE_ADDR=::1\0";
    let bytes = exec_record(
        [
            b"sh\0-c\0id\0",
            b"",
            b"/bin/sh\0",
            b"/bin/sh\0",
            b"dash\0bin\0usr\0",
            b"html\0www\0var\0",
            b"php.service\0system.slice\0",
            env,
            b"",
        ],
        9,
        env.len() as u64,
        flag::MEMBER,
    );
    let exec = decoded(&bytes);
    assert_eq!(exec.process, ProcessId::new(42, 99));
    assert_eq!(exec.stamp.seq, 7);
    let program = &exec.program;
    assert_eq!(program.image.path, "/usr/bin/dash");
    assert_eq!(program.image.name(), "dash");
    assert_eq!(program.cwd, "/var/www/html");
    assert_eq!(program.cgroup.path, "/system.slice/php.service");
    assert_eq!(program.args.head, ["sh", "-c", "id"]);
    assert!(!program.args.truncated);
    assert_eq!(program.script(), None);
    assert_eq!(program.cred.login_uid, None);
    let names: Vec<_> = program
        .env
        .iter()
        .map(|(name, _)| name.to_string())
        .collect();
    assert_eq!(names, ["LD_PRELOAD", "REMOTE_ADDR"]);
}

#[test]
fn a_memory_file_has_no_directory_and_a_script_is_told_from_its_interpreter() {
    let bytes = exec_record(
        [
            b"x\0",
            b"",
            b"./x.cgi\0",
            b"/bin/sh\0",
            b"memfd:a\0",
            b"",
            b"",
            b"",
            b"",
        ],
        2,
        0,
        flag::UNLINKED,
    );
    let exec = decoded(&bytes);
    assert_eq!(exec.program.image.path, "memfd:a");
    assert!(exec.program.image.is_memfd());
    assert_eq!(exec.program.script().unwrap(), "./x.cgi");
    assert_eq!(exec.program.cwd, "/");
}

#[test]
fn long_argv_keeps_both_ends_and_a_cut_variable_is_dropped() {
    let bytes = exec_record(
        [
            b"sh\0-c\0aaa",
            b"zz\0last\0",
            b"\0",
            b"\0",
            b"",
            b"",
            b"",
            b"ENV=1\0LD_PREL",
            b"OAD=x\0PHPRC=2\0",
        ],
        1 << 20,
        5_000,
        flag::MEMBER,
    );
    let args = &decoded(&bytes).program.args;
    assert!(args.truncated);
    assert_eq!(args.command_line(), "sh -c aaa [...] zz last");
    let env = &decoded(&bytes).program.env;
    assert_eq!(env.len(), 2, "{env:?}");
}

#[test]
fn descriptors_are_told_apart() {
    for (mode, rdev, expected) in [
        (0o010_600, 0, Fd::Pipe),
        (0o140_777, 0, Fd::Socket),
        (0o020_666, 1 << 20 | 3, Fd::Null),
        (0o020_620, 136 << 20, Fd::Tty),
        (0o020_620, 5 << 20, Fd::Tty),
        (0o020_666, 1 << 20 | 8, Fd::Device),
        (0o100_644, 0, Fd::File),
        (0o600, 0, Fd::Anonymous),
        (FdRaw::CLOSED, 0, Fd::Closed),
        (FdRaw::UNREADABLE, 0, Fd::Unknown),
    ] {
        assert_eq!(descriptor(mode, rdev), expected, "{mode:o} {rdev:x}");
    }
}

#[test]
fn wait_status_is_split() {
    for (status, expected) in [
        (0_u32, ExitStatus::Code(0)),
        (3 << 8, ExitStatus::Code(3)),
        (9, ExitStatus::Signal(9)),
        (0x8b, ExitStatus::Signal(11)),
    ] {
        let mut builder = Builder(vec![0; size_of::<record::Exit>()]);
        put!(builder, record::Exit, header.kind = 3_u32);
        put!(
            builder,
            record::Exit,
            header.len = (size_of::<record::Exit>() as u32)
        );
        put!(builder, record::Exit, status = status);
        match decode(&builder.0).unwrap() {
            Event::Exit(exit) => assert_eq!(exit.status, expected),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn the_allow_list_is_sorted() {
    assert!(ENVIRONMENT.is_sorted());
}

proptest! {
    #[test]
    fn any_bytes_are_an_event_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..700), kind in 0_u32..5) {
        let mut bytes = bytes;
        if let Some(target) = bytes.get_mut(..4) {
            target.copy_from_slice(&kind.to_ne_bytes());
        }
        drop(decode(&bytes));
    }

    #[test]
    fn a_damaged_record_is_an_event_or_an_error(at in 0_usize..300, byte: u8, cut in 0_usize..300) {
        let mut bytes = exec_record([b"sh\0-c\0id\0", b"", b"/bin/sh\0", b"/bin/sh\0", b"dash\0bin\0", b"www\0", b"", b"ENV=1\0", b""], 9, 6, flag::MEMBER);
        let len = bytes.len();
        bytes[at % len] = byte;
        bytes.truncate(len - cut % len);
        drop(decode(&bytes));
    }

    #[test]
    fn argv_survives_the_round_trip(argv in prop::collection::vec("[^\0]{0,40}", 1..40)) {
        let mut bytes = argv.join("\0").into_bytes();
        bytes.push(0);
        let (head, tail) = bytes.split_at(bytes.len().min(sensor_common::limit::ARGS_HEAD));
        let args = args(head, tail, argv.len() as u32, bytes.len() as u64);
        prop_assert_eq!(args.head.iter().map(ToString::to_string).collect::<Vec<_>>(), argv);
    }
}

#[test]
fn a_variable_that_is_a_function_is_kept_whatever_its_name() {
    let value = format!("() {{ :;}}; {}", "x".repeat(600));
    let bytes = format!("HOME=/\0HTTP_X_Y={value}\0A=() {{\0B=x() {{\0LD_PRELOAD=() {{ z\0");
    let kept = environment(bytes.as_bytes(), &[], bytes.len() as u64);
    let names: Vec<_> = kept.iter().map(|(name, _)| name.to_string()).collect();
    assert_eq!(names, ["HTTP_X_Y", "A", "LD_PRELOAD"]);
    assert_eq!(kept[0].1.len(), 256);
    let many = "F=() {\0".repeat(40);
    assert_eq!(
        environment(many.as_bytes(), &[], many.len() as u64).len(),
        16
    );
}
