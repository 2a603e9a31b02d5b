//! Options of sockets that the runtime owns. monoio lends no descriptor safely; a copy of our own,
//! asked for by its number (pidfd_getfd(2)), is the same socket.

use crate::limits;
use rustix::io;
use rustix::net::sockopt;
use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
use std::os::fd::{OwnedFd, RawFd};
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

/// The same for a socket of our own; sockets that a TCP listener accepts inherit it.
pub(super) fn set_send_buffer(socket: &OwnedFd) -> io::Result<()> {
    // The kernel takes twice what it is told (socket(7)).
    sockopt::set_socket_send_buffer_size(socket, limits::SOCKET_SEND_BYTES / 2)
}
