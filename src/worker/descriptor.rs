//! Options of sockets that the runtime owns. monoio lends no descriptor safely; a copy of our own,
//! asked for by its number (pidfd_getfd(2)), is the same socket.

use crate::limits;
use rustix::io;
use rustix::net::sockopt;
use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::time::Duration;

/// The process itself, whose descriptors are copied; none where a sandbox refuses it.
pub(super) struct Descriptors(Option<OwnedFd>);

impl Descriptors {
    pub(super) fn new() -> Self {
        Self(pidfd_open(getpid(), PidfdFlags::empty()).ok())
    }

    fn copy(&self, socket: RawFd) -> Option<OwnedFd> {
        let process = self.0.as_ref()?;
        pidfd_getfd(process, socket, PidfdGetfdFlags::empty()).ok()
    }

    /// Bounds what the kernel keeps of answers that the peer does not take. By itself it keeps
    /// 208 KB, and a container's memory is charged for it; so it is where a sandbox refuses this.
    pub(super) fn bound_send_buffer(&self, socket: RawFd) {
        if let Some(socket) = self.copy(socket) {
            let _ = set_send_buffer(&socket);
        }
    }

    /// Lets the close that follows be a reset: what the peer did not take in time is not kept.
    /// Where a sandbox refuses this, the close is an ordinary one.
    pub(super) fn reset_on_close(&self, socket: RawFd) {
        if let Some(socket) = self.copy(socket) {
            let _ = sockopt::set_socket_linger(&socket, Some(Duration::ZERO));
        }
    }
}

/// Bounds both of the kernel's buffers of what a TCP listener accepts, which inherits them. By
/// themselves they grow to megabytes.
pub(super) fn bound_buffers(listener: impl AsFd) -> io::Result<()> {
    set_send_buffer(&listener)?;
    sockopt::set_socket_recv_buffer_size(&listener, limits::SOCKET_RECEIVE_BYTES / 2)
}

fn set_send_buffer(socket: impl AsFd) -> io::Result<()> {
    // The kernel takes twice what it is told (socket(7)).
    sockopt::set_socket_send_buffer_size(socket, limits::SOCKET_SEND_BYTES / 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Listen;
    use crate::worker::listener::{self, Bound};
    use std::net::TcpStream;
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn what_a_listener_accepts_is_bounded() {
        let anywhere = Listen::Tcp("127.0.0.1:0".to_owned());
        let Ok(Bound::Tcp(listener)) = listener::bind(&anywhere, false) else {
            panic!("a port is free");
        };
        listener.set_nonblocking(false).expect("it is a socket");
        let address = listener.local_addr().expect("it is bound");
        let _client = TcpStream::connect(address).expect("somebody listens");
        let (accepted, _) = listener.accept().expect("somebody has come");
        let send = sockopt::socket_send_buffer_size(&accepted);
        assert_eq!(send, Ok(limits::SOCKET_SEND_BYTES));
        let receive = sockopt::socket_recv_buffer_size(&accepted);
        assert_eq!(receive, Ok(limits::SOCKET_RECEIVE_BYTES));
    }

    #[test]
    fn a_socket_is_found_by_its_number() {
        let (socket, _other) = UnixStream::pair().expect("two sockets");
        Descriptors::new().bound_send_buffer(socket.as_raw_fd());
        let send = sockopt::socket_send_buffer_size(&socket);
        assert_eq!(send, Ok(limits::SOCKET_SEND_BYTES));
    }
}
