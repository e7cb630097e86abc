//! What names of Kubernetes look like: none that fails here is shown.

/// A label of DNS (RFC 1123): name of a namespace or container.
#[must_use]
pub fn is_label(text: &str) -> bool {
    text.len() <= 63 && is_part(text)
}

/// Labels of DNS between dots: name of a pod or node.
#[must_use]
pub fn is_subdomain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_part)
}

/// Key of a label: a name, behind a domain and a slash or alone.
#[must_use]
pub fn is_key(text: &str) -> bool {
    let (domain, name) = text.split_once('/').unwrap_or(("a", text));
    is_subdomain(domain) && !name.is_empty() && is_value(name)
}

/// Value of a label; may be empty.
#[must_use]
pub fn is_value(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let ends = [text.bytes().next(), text.bytes().next_back()];
    let ends = ends.into_iter().flatten();
    text.len() <= 63
        && text.bytes().all(inner)
        && ends.into_iter().all(|end| end.is_ascii_alphanumeric())
}

/// Lower case letters, digits and dashes, these not at its ends.
fn is_part(text: &str) -> bool {
    let inner = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    !text.is_empty() && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_what_is_none() {
        for (good, text) in [
            (true, "shop"),
            (true, "a"),
            (true, "0-0"),
            (false, ""),
            (false, "-a"),
            (false, "a-"),
            (false, "A"),
            (false, "a.b"),
            (false, "a_b"),
            (false, "ä"),
            (false, "a\n"),
        ] {
            assert_eq!(is_label(text), good, "{text:?}");
        }
        assert!(is_label(&"a".repeat(63)) && !is_label(&"a".repeat(64)));
        assert!(is_subdomain(&"a".repeat(253)) && !is_subdomain(&"a".repeat(254)));
        assert!(is_subdomain("node.example") && !is_subdomain("a..b") && !is_subdomain("."));
        for key in ["app", "app.kubernetes.io/name", "A_b.c-d"] {
            assert!(is_key(key), "{key}");
        }
        for key in ["", "/name", "app/", "a/b/c", "Example/x", "-a", "a b", "a*"] {
            assert!(!is_key(key), "{key}");
        }
        assert!(is_value("") && is_value("v1.2_3-X") && !is_value("-") && !is_value("a,b"));
        assert!(is_value(&"a".repeat(63)) && !is_value(&"a".repeat(64)));
    }
}
