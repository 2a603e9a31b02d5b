//! Listeners, and the accepting of connections.

use super::connections::Admission;
use super::exchange::Exchange;
use super::metrics::METRICS;
use super::pace::Pace;
use super::repeats::Repeats;
use super::request::Local;
use super::state::Worker;
use super::{connection, descriptor, fault};
use crate::config::Listen;
use crate::limits;
use monoio::io::{AsyncReadRent, AsyncWriteRent, AsyncWriteRentExt, Split};
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketFlags, SocketType, sockopt};
use std::future::{Future, poll_fn};
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::{AsRawFd, RawFd};
use std::path::Path;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

/// Between two attempts at an address that is in use.
const BIND_AGAIN: Duration = Duration::from_millis(50);

/// A bound listener, not yet part of a runtime.
pub(super) enum Bound {
    Tcp(std::net::TcpListener),
    Unix(std::os::unix::net::UnixListener, std::path::PathBuf),
}

/// Binds where `listen` says; several workers share one TCP port through SO_REUSEPORT.
///
/// Who follows a killed process waits here, [`limits::BIND_MS`] at most: the kernel closes a ring's
/// sockets some time after its process is gone.
///
/// # Errors
/// A sentence that names the address.
pub(super) fn bind(listen: &Listen, shared: bool) -> Result<Bound, String> {
    let since = Instant::now();
    let bound = loop {
        let bound = match listen {
            Listen::Tcp(address) => bind_tcp(address, shared).map(Bound::Tcp),
            Listen::Unix(path) => bind_unix(path),
        };
        let in_use = matches!(&bound, Err(error) if error.kind() == io::ErrorKind::AddrInUse);
        if !in_use || since.elapsed() > Duration::from_millis(limits::BIND_MS) {
            break bound;
        }
        std::thread::sleep(BIND_AGAIN);
    };
    bound.map_err(|error| {
        let reason = match error.kind() {
            io::ErrorKind::AddrInUse => match listen {
                Listen::Tcp(_) => "another process, or this one's other listener, already does",
                Listen::Unix(_) => "another process already does",
            },
            io::ErrorKind::AlreadyExists => "a file that is no socket is there",
            io::ErrorKind::AddrNotAvailable => "this machine does not have that address",
            io::ErrorKind::NotFound => "there is no such folder, or name",
            io::ErrorKind::PermissionDenied => {
                "this user may not (ports below 1024 and others' folders are for root)"
            }
            _ => return format!("cannot listen on {listen}: {error}"),
        };
        format!("cannot listen on {listen}: {reason} ({error})")
    })
}

fn bind_tcp(address: &str, shared: bool) -> io::Result<std::net::TcpListener> {
    let mut last = io::Error::other("the name has no address");
    for address in address.to_socket_addrs()? {
        match bind_address(address, shared) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn bind_address(address: SocketAddr, shared: bool) -> io::Result<std::net::TcpListener> {
    let family = if address.is_ipv4() {
        AddressFamily::INET
    } else {
        AddressFamily::INET6
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = net::socket_with(family, SocketType::STREAM, flags, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    // Only where it is needed: with it, a second process would share the port and not fail.
    if shared {
        sockopt::set_socket_reuseport(&socket, true)?;
    }
    // Accepted sockets inherit all of it.
    sockopt::set_tcp_nodelay(&socket, true)?;
    descriptor::bound_buffers(&socket)?;
    net::bind(&socket, &address)?;
    net::listen(&socket, limits::BACKLOG_MAX)?;
    Ok(socket.into())
}

/// A socket file whose owner is gone is replaced; one that still answers is an error.
fn bind_unix(path: &Path) -> io::Result<Bound> {
    use std::os::unix::fs::{FileTypeExt, PermissionsExt};
    if let Ok(metadata) = std::fs::symlink_metadata(path) {
        if !metadata.file_type().is_socket() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if std::os::unix::net::UnixStream::connect(path).is_ok() {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        std::fs::remove_file(path)?;
    }
    // Made by std, and not blocking: monoio's own bind fails on new kernels (SO_REUSEPORT), and
    // its accept would block the thread under epoll.
    let listener = std::os::unix::net::UnixListener::bind(path)?;
    listener.set_nonblocking(true)?;
    // NGINX's workers are another user's.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666))?;
    Ok(Bound::Unix(listener, path.to_owned()))
}

/// Accepts connections until the drain closes the listener.
pub(super) async fn accept(
    worker: Rc<Worker>,
    bound: Bound,
    admission: Admission,
) -> io::Result<()> {
    worker.listening.update(|count| count + 1);
    let accepted = accept_at(&worker, bound, admission).await;
    worker.listening.update(|count| count - 1);
    accepted
}

async fn accept_at(worker: &Rc<Worker>, bound: Bound, admission: Admission) -> io::Result<()> {
    match bound {
        Bound::Tcp(listener) => {
            let listener = monoio::net::TcpListener::from_std(listener)?;
            let accept = || async {
                listener.accept().await.map(|(stream, _)| {
                    let fd = stream.as_raw_fd();
                    (stream, Some(fd))
                })
            };
            accept_each(worker, accept, admission, None::<fn()>).await;
        }
        Bound::Unix(listener, path) => {
            let listener = monoio::net::UnixListener::from_std(listener)?;
            let accept = || async {
                listener.accept().await.map(|(stream, _)| {
                    worker.descriptors.bound_send_buffer(stream.as_raw_fd());
                    (stream, None)
                })
            };
            // Who connects from here on is told at once, and may go elsewhere.
            let forsake = || drop(std::fs::remove_file(path));
            accept_each(worker, accept, admission, Some(forsake)).await;
        }
    }
    Ok(())
}

/// Accepts until the drain says that it is over. Whoever has connected by then may have sent a
/// request, which a closing listener would break: so where nobody new can come once the address is
/// forsaken, all who have come are taken in before. (A TCP port cannot be left in that order.)
async fn accept_each<S, A>(
    worker: &Rc<Worker>,
    accept: impl Fn() -> A,
    admission: Admission,
    mut forsake: Option<impl FnOnce()>,
) where
    S: AsyncReadRent + AsyncWriteRent + Split + 'static,
    A: Future<Output = io::Result<(S, Option<RawFd>)>>,
{
    let (mut pace, mut failures) = (Pace::default(), Repeats::default());
    let can_forsake = forsake.is_some();
    let quiet = Duration::from_millis(limits::DRAIN_CLOSING_MS);
    loop {
        let mut accepting = pin!(accept());
        let mut waited = false;
        let accepted = poll_fn(|context| match accepting.as_mut().poll(context) {
            Poll::Ready(result) => Poll::Ready(Some(result)),
            Poll::Pending => {
                waited = true;
                worker.accepting_over.poll_raised(context).map(|()| None)
            }
        })
        .await;
        let accepted = match accepted {
            Some(accepted) => accepted,
            None if can_forsake => {
                if let Some(forsake) = forsake.take() {
                    forsake();
                }
                match monoio::time::timeout(quiet, accepting).await {
                    Ok(accepted) => accepted,
                    Err(_) => return,
                }
            }
            None => return,
        };
        match accepted {
            Ok((stream, tcp)) => take_in(worker, admission, stream, tcp),
            Err(error) => {
                if let Some(times) = failures.worth_a_line(&error.to_string()) {
                    log::warn!(times, error:%; "a connection could not be accepted");
                }
                if exhausted(&error) {
                    // The next one would fail as well.
                    monoio::time::sleep(Duration::from_millis(limits::TICK_MS)).await;
                }
            }
        }
        pace.keep(waited).await;
    }
}

/// Out of descriptors or memory (accept(2), ERRORS); all else is the fault of one connection.
fn exhausted(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    matches!(
        errno,
        Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM)
    )
}

/// Serves a connection, or sees it off with 503 where there is no room.
fn take_in<S>(worker: &Rc<Worker>, admission: Admission, stream: S, tcp: Option<RawFd>)
where
    S: AsyncReadRent + AsyncWriteRent + Split + 'static,
{
    METRICS.http.accepted.inc();
    if let Some((key, exchange)) = worker.connections.admit(admission) {
        let worker = Rc::clone(worker);
        monoio::spawn(async move {
            attend(&worker, &exchange, stream, tcp).await;
            worker.connections.dismiss(admission, key);
        });
        return;
    }
    METRICS.http.refused.inc();
    let no_room = Local::no_room(worker.clock.moment());
    if let Some((key, exchange)) = worker.connections.admit(Admission::Refused) {
        let worker = Rc::clone(worker);
        worker.answer_locally(&exchange, &no_room);
        monoio::spawn(async move {
            attend(&worker, &exchange, stream, tcp).await;
            worker.connections.dismiss(Admission::Refused, key);
        });
        return;
    }
    let exchange = Exchange::new(false);
    worker.answer_locally(&exchange, &no_room);
    let out = exchange.take_out().unwrap_or_default().bytes;
    worker.tally.sent(out.len());
    monoio::spawn(async move {
        let mut stream = stream;
        // A new socket has room for it: this does not wait.
        let _ = stream.write_all(out).await;
    });
}

async fn attend<S>(worker: &Rc<Worker>, exchange: &Rc<Exchange>, stream: S, tcp: Option<RawFd>)
where
    S: AsyncReadRent + AsyncWriteRent + Split,
{
    fault::contained_task(pin!(connection::serve(worker, exchange, stream, tcp))).await;
    // Whatever of it still waits in the queue is dropped: nobody is there to be answered.
    exchange.sever();
}
