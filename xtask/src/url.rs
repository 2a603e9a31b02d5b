//! Where a URL of a bank leads.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

/// HOST:PORT of a URL, or HOST where that is all.
pub(crate) fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest)
}

/// The addresses of a URL's host, with its port or its scheme's own, the older kind first:
/// `localhost` may be both, and most banks listen on that one alone.
///
/// # Errors
/// The host has no address.
pub(crate) fn addresses(url: &str) -> io::Result<Vec<SocketAddr>> {
    let authority = authority(url);
    let with_port = match authority.rsplit_once(':') {
        Some((_, port)) if port.parse::<u16>().is_ok() => authority.to_owned(),
        _ if url.starts_with("https:") => format!("{authority}:443"),
        _ => format!("{authority}:80"),
    };
    let mut addresses = with_port.to_socket_addrs()?.collect::<Vec<_>>();
    addresses.sort_by_key(SocketAddr::is_ipv6);
    Ok(addresses)
}
