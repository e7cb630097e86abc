//! What it starts, and what it does not.

use super::*;

fn obey(children: &mut Children, what: u8, pid: u32) -> Option<u32> {
    let [a, b, c, d] = pid.to_le_bytes();
    children.obey([what, a, b, c, d], None)
}

#[test]
fn nothing_is_started_that_is_not_on_its_list() {
    let mut children = Children::default();
    for what in 0..=u8::MAX {
        let known = [deed::HELPER];
        if !known.contains(&what) {
            // An outlet needs a descriptor, an end a child.
            assert_eq!(obey(&mut children, what, 1), None, "{what}");
        }
    }
    assert!(children.running.is_empty());
}

#[test]
fn requests_come_whole_and_with_their_descriptor() {
    let (here, there) = UnixStream::pair().unwrap();
    (&here).write_all(&[deed::END, 1]).unwrap();
    let rest = std::thread::spawn(move || {
        (&here).write_all(&[2, 3, 4]).unwrap();
        here
    });
    let (request, descriptor) = receive(&there).unwrap();
    assert_eq!(request, [deed::END, 1, 2, 3, 4]);
    assert!(descriptor.is_none());
    drop(rest.join().unwrap());
    let end = receive(&there).unwrap_err();
    assert_eq!(end.kind(), ErrorKind::UnexpectedEof);
}
