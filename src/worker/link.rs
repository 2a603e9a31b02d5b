//! One link to PostgreSQL: connected, shaken hands over, and read.

use super::pace::Pace;
use super::resolve;
use super::session::SessionError;
use super::signal::Signal;
use crate::bank::STATEMENTS;
use crate::limits;
use crate::pg::{Backend, Handshake, Host, Progress, Target};
use bytes::BytesMut;
use monoio::buf::IoBufMut;
use monoio::io::{AsyncReadRent, AsyncWriteRent, AsyncWriteRentExt, Split, Splitable};
use monoio::io::{OwnedReadHalf, OwnedWriteHalf};
use monoio::net::{TcpStream, UnixStream};
use monoio::time::{Instant, timeout_at};
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

/// Startup parameters of every session (PostgreSQL chapter 20).
const SETTINGS: &[(&str, &str)] = &[
    // A backend whose frontend is gone must not hold its locks for long.
    ("statement_timeout", STATEMENT_TIMEOUT),
    // Planned once at Parse; five custom plans a session would be wasted.
    ("plan_cache_mode", "force_generic_plan"),
    // A plan made while a table was small outlives that: it must not read the whole of it, in its
    // own order (a scan) or in its key's (these joins).
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
];
const STATEMENT_TIMEOUT: &str = "2000";
const _: () = assert!(
    limits::STATEMENT_MS == 2000,
    "STATEMENT_TIMEOUT says the same in words"
);

/// A dead peer is noticed after this much silence, and so often is it asked.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(10), Duration::from_secs(5), 3);

/// A connected socket.
pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// A session that is up, with its statements prepared.
pub(super) struct Link<S: AsyncWriteRent> {
    pub(super) reader: OwnedReadHalf<S>,
    pub(super) writer: OwnedWriteHalf<S>,
    /// Bytes that came behind the handshake.
    pub(super) input: BytesMut,
    pub(super) backend: Backend,
}

/// Connects to the first address of the host that takes it.
pub(super) async fn connect(target: &Target, deadline: Instant) -> Result<Stream, SessionError> {
    let connecting = async {
        match &target.host {
            Host::Unix { .. } => {
                let path = target.socket_path().unwrap_or_default();
                Ok(Stream::Unix(UnixStream::connect(path).await?))
            }
            Host::Tcp { host, port } => {
                let mut last = io::Error::other("the name has no address");
                for address in resolve::addresses(host, *port).await? {
                    match TcpStream::connect_addr(address).await {
                        Ok(stream) => {
                            let (time, interval, tries) = KEEPALIVE;
                            stream.set_nodelay(true)?;
                            stream.set_tcp_keepalive(Some(time), Some(interval), Some(tries))?;
                            return Ok(Stream::Tcp(stream));
                        }
                        Err(error) => last = error,
                    }
                }
                Err(last)
            }
        }
    };
    match timeout_at(deadline, connecting).await {
        Ok(result) => result.map_err(SessionError::Io),
        Err(_) => Err(SessionError::Silent(target.connect_timeout)),
    }
}

/// Starts the session up, logs in and prepares the statements.
pub(super) async fn shake_hands<S>(
    target: &Target,
    stream: S,
    deadline: Instant,
) -> Result<Link<S>, SessionError>
where
    S: AsyncReadRent + AsyncWriteRent + Split,
{
    let (mut reader, mut writer) = stream.into_split();
    let handshaking = async {
        let mut handshake = Handshake::new(target, SETTINGS, &STATEMENTS);
        let (mut input, mut out) = (BytesMut::new(), BytesMut::new());
        let mut pace = Pace::default();
        handshake.begin(&mut out);
        loop {
            if !out.is_empty() {
                let (result, buffer) = writer.write_all(out).await;
                result?;
                out = buffer;
                out.clear();
            }
            input = read(&mut reader, input, None, &mut pace).await?;
            if let Progress::Ready(backend) = handshake.advance(&mut input, &mut out)? {
                return Ok((input, backend));
            }
        }
    };
    match timeout_at(deadline, handshaking).await {
        Ok(result) => result.map(|(input, backend)| Link {
            reader,
            writer,
            input,
            backend,
        }),
        Err(_) => Err(SessionError::Silent(target.connect_timeout)),
    }
}

/// One read behind what `input` holds, given up when `overdue` is raised.
pub(super) async fn read(
    reader: &mut impl AsyncReadRent,
    mut input: BytesMut,
    overdue: Option<&Signal>,
    pace: &mut Pace,
) -> Result<BytesMut, SessionError> {
    input.reserve(limits::REPLIES_READ_BYTES);
    let len = input.len();
    let mut reading = pin!(reader.read(input.slice_mut(len..)));
    let mut waited = false;
    let read = poll_fn(|context| match reading.as_mut().poll(context) {
        Poll::Ready((Ok(0), _)) => Poll::Ready(Err(SessionError::Closed)),
        Poll::Ready((Ok(_), slice)) => Poll::Ready(Ok(slice.into_inner())),
        Poll::Ready((Err(error), _)) => Poll::Ready(Err(SessionError::Io(error))),
        Poll::Pending => match overdue.map(|signal| signal.poll_raised(context)) {
            Some(Poll::Ready(())) => Poll::Ready(Err(SessionError::Overdue)),
            _ => {
                waited = true;
                Poll::Pending
            }
        },
    })
    .await?;
    // A server that never pauses must not be all that this worker does.
    pace.keep(waited).await;
    Ok(read)
}

/// Reaches the database once; returns the server's version.
pub(super) async fn try_once(target: &Target) -> Result<String, SessionError> {
    let deadline = Instant::now() + target.connect_timeout;
    let backend = match connect(target, deadline).await? {
        Stream::Tcp(stream) => shake_hands(target, stream, deadline).await?.backend,
        Stream::Unix(stream) => shake_hands(target, stream, deadline).await?.backend,
    };
    Ok(backend.server_version)
}
