//! Looks a host's addresses up without stopping the worker.

use crate::limits;
use monoio::io::AsyncReadRent;
use std::io::{self, Write};
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Arc, mpsc};

thread_local! {
    /// As often shared as this worker's lookups are under way.
    static LOOKUPS: Arc<()> = Arc::new(());
}

/// The addresses of `host`, by a thread of its own: getaddrinfo(3) blocks. monoio's wakers must
/// not cross threads, so the thread says through a socket that it is done.
///
/// # Errors
/// What the resolver says, or that it has said nothing to [`limits::LOOKUPS_MAX`] before.
pub(super) async fn addresses(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = host.parse() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let lookup = LOOKUPS.with(Arc::clone);
    if Arc::strong_count(&lookup) > 1 + limits::LOOKUPS_MAX {
        return Err(io::Error::other("the resolver does not answer"));
    }
    let (mut done, wait) = std::os::unix::net::UnixStream::pair()?;
    let mut wait = from_std(wait)?;
    let (sender, receiver) = mpsc::channel();
    let host = host.to_owned();
    std::thread::Builder::new()
        .name("resolve".into())
        .spawn(move || {
            let found = (host.as_str(), port)
                .to_socket_addrs()
                .map(Iterator::collect);
            // Who no longer waits needs no answer.
            let _ = sender.send(found);
            let _ = done.write_all(&[1]);
            drop(lookup);
        })?;
    let (result, _) = wait.read(vec![0; 1]).await;
    result?;
    receiver
        .try_recv()
        .unwrap_or_else(|_| Err(io::Error::other("the resolver gave up")))
}

/// Brings a Unix stream into the runtime: epoll wants it not to block, io_uring wants it to.
pub(super) fn from_std(
    stream: std::os::unix::net::UnixStream,
) -> io::Result<monoio::net::UnixStream> {
    stream.set_nonblocking(monoio::utils::is_legacy())?;
    monoio::net::UnixStream::from_std(stream)
}
