use super::*;

fn class(text: &str) -> Class {
    Class::parse(text).unwrap()
}

#[test]
fn classes_are_read_back() {
    for text in [
        "number",
        "hex",
        "word",
        "address",
        "path:/tmp",
        "path:/srv/a b:.jpg",
    ] {
        assert_eq!(class(text).to_string(), format!("{{{text}}}"));
        assert!(
            class(text).accepts(class(text).sample().as_bytes()),
            "{text}"
        );
    }
    for text in [
        "",
        "numbr",
        "path:",
        "path:tmp",
        "path:/",
        "path:/a/../b",
        "path:/a:jpg",
        "path:/a$b",
    ] {
        assert!(Class::parse(text).is_err(), "{text}");
    }
}

#[test]
fn what_classes_accept() {
    for (name, yes, no) in [
        (
            "number",
            &["0", "1234567890"][..],
            &["", "-1", "1a", "1.5", "123456789012345678901"][..],
        ),
        (
            "hex",
            &["0123abcd", "3f786850-e387-550f-dab8-36ed7e6dc881"],
            &["0123", "-0123abcd", "0123abcg"],
        ),
        (
            "word",
            &["a", "a-b.c_1"],
            &["-a", ".a", "a/b", "a b", "a;b", ""],
        ),
        (
            "address",
            &["www-data@web-1", "a.b+c@example.org"],
            &["-a@b", "a@-b", "a@b@c", "a", "a@b c"],
        ),
        (
            "path:/srv/up",
            &["/srv/up/a.jpg", "/srv/up/b/c d.png", "/srv/up/\u{e4}"],
            &[
                "/srv/up",
                "/srv/up/",
                "/srv/upper/a",
                "/srv/up/../x",
                "/srv/up//a",
                "/srv/up/./a",
                "/srv/up/a;b",
                "/srv/up/$x",
                "/srv/up/a\nb",
            ],
        ),
        (
            "path:/srv/up:.jpg",
            &["/srv/up/a.jpg"],
            &["/srv/up/.jpg", "/srv/up/a.php", "/srv/up/a.jpg.php"],
        ),
    ] {
        for value in yes {
            assert!(class(name).accepts(value.as_bytes()), "{name} {value}");
        }
        for value in no {
            assert!(!class(name).accepts(value.as_bytes()), "{name} {value}");
        }
    }
}

#[test]
fn what_two_values_have_in_common() {
    for (a, b, expected) in [
        ("1", "22", Some("{number}")),
        ("0123abcd", "9999ffff", Some("{hex}")),
        ("en", "de", Some("{word}")),
        (
            "/srv/www/a.jpg",
            "/srv/www/b.jpg",
            Some("{path:/srv/www:.jpg}"),
        ),
        (
            "/srv/www/x/a.jpg",
            "/srv/www/y/b.png",
            Some("{path:/srv/www}"),
        ),
        ("/tmp/a", "/tmp/b", Some("{path:/tmp}")),
        ("/srv/a", "/srv/b", None),
        ("/usr/bin/a", "/etc/b", None),
        ("-a", "-b", None),
        ("a;b", "c", None),
    ] {
        let found = Class::common(a, b).map(|class| class.to_string());
        assert_eq!(found.as_deref(), expected, "{a} {b}");
    }
}

#[test]
fn made_up_names_are_told_at_once() {
    for (text, expected) in [
        ("12", Some("{number}")),
        ("/tmp/magick-Ab12", Some("{path:/tmp}")),
        ("/tmp/a.png", Some("{path:/tmp:.png}")),
        ("3f786850e387550fdab836ed7e6dc881", Some("{hex}")),
        ("/var/www/a.png", None),
        ("-r", None),
        ("abcdefabcdefabcdef", None),
        ("10.0.0.1", None),
    ] {
        let found = Class::made_up(text).map(|class| class.to_string());
        assert_eq!(found.as_deref(), expected, "{text}");
    }
}
