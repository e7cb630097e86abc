//! What requests are sent with and answers are believed by: tokens and certificates in
//! files, read anew whenever they are needed, since both are renewed.

use std::{io, path::Path};

use ureq::tls::{Certificate, PemItem, RootCerts, parse_pem};

use crate::config::file::read_up_to;

/// Where systems keep the certificates they believe.
const SYSTEM: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
];
/// Most bytes of a file of certificates, and of one with a token.
const CERTIFICATES_MAX: u64 = 4 << 20;
const TOKEN_MAX: u64 = 16 << 10;

/// A bearer token.
///
/// # Errors
/// When the file cannot be read, is refused, or holds no token.
pub(crate) fn token(path: &Path) -> io::Result<String> {
    let text = read_up_to(path, TOKEN_MAX).map_err(io::Error::other)?;
    let text = text.ok_or_else(|| io::Error::other(format!("{}: no such file", path.display())))?;
    let token = text.trim();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        let wrong = format!("{}: holds no token", path.display());
        return Err(io::Error::other(wrong));
    }
    Ok(token.to_owned())
}

/// Certificates to believe: those of the file, or the system's, or those built in.
///
/// # Errors
/// When the file cannot be read, is refused, or holds no certificate.
pub(crate) fn roots(file: Option<&Path>) -> io::Result<RootCerts> {
    let Some(path) = file else {
        let mut found = SYSTEM
            .iter()
            .filter_map(|path| certificates(Path::new(path)).ok());
        return Ok(found
            .next()
            .map_or(RootCerts::WebPki, |found| RootCerts::new_with_certs(&found)));
    };
    let read = certificates(path);
    let read = read.map_err(|error| io::Error::other(format!("{}: {error}", path.display())))?;
    Ok(RootCerts::new_with_certs(&read))
}

fn certificates(path: &Path) -> io::Result<Vec<Certificate<'static>>> {
    let text = read_up_to(path, CERTIFICATES_MAX).map_err(io::Error::other)?;
    let text = text.ok_or_else(|| io::Error::other("no such file"))?;
    let found = parse_pem(text.as_bytes()).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    });
    let found: Vec<_> = found.collect();
    if found.is_empty() {
        return Err(io::Error::other("holds no certificate"));
    }
    Ok(found)
}
