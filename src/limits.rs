//! Every bound that a peer or a user can meet, with the relations between them held at compile
//! time; those of `DATABASE_URL` stand with its rules, what only tunes a room beside its use.
//!
//! Units last in names: `_BYTES`, `_MS`, `_MAX` (a count). The times and sizes are the HTTP
//! contract's (docs/api.md); what can be set by the environment has only its default here.

/// A request's head: request line and fields with the empty line (431 above).
pub const HEAD_BYTES_MAX: usize = 8 * 1024;
/// Field lines in a head or a trailer section (431 above).
pub const FIELDS_MAX: usize = 64;
/// A request's body after its transfer coding is taken off (413 above).
pub const BODY_BYTES_MAX: usize = 4 * 1024;
/// One chunk-size line with its extensions (400 above).
pub const CHUNK_LINE_BYTES_MAX: usize = 256;
/// What a request that is not yet whole takes of its connection's buffer stays below this.
pub const REQUEST_BYTES_MAX: usize = HEAD_BYTES_MAX + BODY_BYTES_MAX + CHUNK_LINE_BYTES_MAX;
/// Characters (Unicode scalar values) in a descricao.
pub const DESCRICAO_CHARS_MAX: usize = 10;
/// Bytes in a descricao: UTF-8 takes at most four a character.
pub const DESCRICAO_BYTES_MAX: usize = 4 * DESCRICAO_CHARS_MAX;
/// Transacoes that an extrato lists.
pub const EXTRATO_ROWS_MAX: usize = 10;

/// Operations of one connection that wait or are in flight; what follows stays undecoded.
pub const CONNECTION_OPERATIONS_MAX: usize = 64;
/// Connections of one worker (default of `MAX_CONNECTIONS`); one more gets 503 and is closed.
pub const CONNECTIONS_MAX: usize = 4096;
/// Connections of a TCP listener that the kernel completes before they are accepted.
pub const BACKLOG_MAX: i32 = 4096;
/// Bytes in the path of a listener's Unix socket: `sun_path` is 108, a NUL among them (unix(7)),
/// and a worker's number takes some.
pub const LISTEN_PATH_BYTES_MAX: usize = 100;
/// Connections to the admin address.
pub const ADMIN_CONNECTIONS_MAX: usize = 16;
/// Connections beyond the limit that are seen off at the same time, each for a second at most;
/// one more gets its 503 and is closed without waiting for its end.
pub const REFUSED_CONNECTIONS_MAX: usize = 64;
/// Descriptors of a worker that are no connection of a client's: those it sees off, the admin's,
/// and less than 48 for its listeners, session, lookups, I/O driver and itself (a pidfd).
pub const OTHER_DESCRIPTORS_MAX: usize = ADMIN_CONNECTIONS_MAX + REFUSED_CONNECTIONS_MAX + 48;
/// Reads, or accepts, that found something at once, one after the other, before others have
/// their turn: under epoll a peer that never pauses would be served alone.
pub const AT_ONCE_MAX: u32 = 16;
/// The turn of the others, the shortest that the timers know.
pub const TURN_MS: u64 = 1;
/// Operations that wait in one worker's queue (default of `MAX_QUEUE`); one more gets 503. What
/// one flight has to send again waits beyond that.
pub const QUEUE_MAX: usize = 8192;
/// Lookups of a host's name that one worker has under way, those that nobody waits for any more
/// among them: a resolver that hangs holds a thread for each, and the next try waits for one's end.
pub const LOOKUPS_MAX: usize = 2;
/// What `MAX_QUEUE` may be set to.
pub const QUEUE_SETTABLE_MAX: usize = 1 << 20;
/// What `MAX_CONNECTIONS` may be set to.
pub const CONNECTIONS_SETTABLE_MAX: usize = 1 << 20;
/// What `WORKERS` may be set to.
pub const WORKERS_MAX: usize = 256;
/// Bytes of the file that `PGPASSWORD_FILE` names; more is some other file.
pub const PASSWORD_BYTES_MAX: u64 = 1024;
/// Clientes whose extratos are read in one flight.
pub const FLIGHT_EXTRATOS_MAX: usize = 16;
/// Transacoes in one flight. Above some hundreds a larger one is no cheaper for each, and the batch
/// procedure searches all of it for each cliente in it.
pub const FLIGHT_TRANSACOES_MAX: usize = 1024;
/// Under saturation a flight waits to be filled, until so many µs after the last departure or, if
/// the last flight was slow, so many µs after its landing at most (default of `PAUSE_US`).
pub const PAUSE_FLIGHT_US: u64 = 2_000;
/// What `PAUSE_US` may be set to.
pub const PAUSE_SETTABLE_US_MAX: u64 = 100_000;
/// What `SLOW_MS` may be set to: longer than anything takes.
pub const SLOW_SETTABLE_MS_MAX: u64 = 600_000;
/// Lines about slow requests that one worker writes between two ticks: where everything is slow,
/// a line for each would make it slower.
pub const SLOW_LINES_TICK_MAX: u32 = 10;
/// The read buffer of an idle connection; it grows for what does not fit.
pub const READ_BYTES: usize = 1024;
/// Answers whose reader has not taken them, those that are being written among them; a connection
/// with more decodes nothing further.
pub const WRITE_BYTES_MAX: usize = 8 * 1024;
/// What a transacao's answer takes at most: head, date, two amounts, and what is noted of it.
pub const ANSWER_BYTES_MAX: usize = 256;
/// An extrato's answer at most, head included, with every character of its descricoes escaped.
pub const EXTRATO_ANSWER_BYTES_MAX: usize = 2 * 1024;
/// Of that, what its JSON takes: the head is no longer than a small answer as a whole.
pub const EXTRATO_BODY_BYTES_MAX: usize = EXTRATO_ANSWER_BYTES_MAX - ANSWER_BYTES_MAX;
/// What the answers of one connection take at most, those that are being written among them: as
/// many bytes as may wait, then the answers to all that is under way, an extrato as the last.
pub const ANSWERS_BYTES_MAX: usize =
    WRITE_BYTES_MAX + CONNECTION_OPERATIONS_MAX * ANSWER_BYTES_MAX + EXTRATO_ANSWER_BYTES_MAX;
/// A buffer grows by so much at most, beyond what it is grown for.
pub const GROWTH_BYTES_MAX: usize = 4 * 1024;
/// Answers that a socket keeps in the kernel for a reader that does not take them, as it counts
/// them; it takes one more when there is any room.
pub const SOCKET_SEND_BYTES: usize = 16 * 1024;
/// Requests that a TCP socket keeps in the kernel until they are read, as it counts them. (What
/// comes over a Unix socket is kept at its sender's expense.)
pub const SOCKET_RECEIVE_BYTES: usize = 64 * 1024;
/// What a connection takes beside its buffers, at most: 3.3 KB were measured, 1 of them the first.
pub const CONNECTION_OWN_BYTES: usize = 3 * 1024;
/// What one connection takes at most, with all that it may have under way: its request, its
/// answers, each of the three buffers grown too far, and what the kernel keeps, which a container's
/// memory is charged for; over TCP [`SOCKET_RECEIVE_BYTES`] come on top. Times `MAX_CONNECTIONS`,
/// and 200 bytes for each of `MAX_QUEUE`, that is what all connections of a worker take when every
/// peer is hostile: 360 MB by default, over TCP 630.
pub const CONNECTION_BYTES_MAX: usize = CONNECTION_OWN_BYTES
    + REQUEST_BYTES_MAX
    + ANSWERS_BYTES_MAX
    + 3 * GROWTH_BYTES_MAX
    + 2 * SOCKET_SEND_BYTES;
/// What one connection takes at most behind a proxy that sends one request at a time on each, as
/// NGINX does: that request, one answer while the next is made, and one in the kernel.
pub const PROXIED_CONNECTION_BYTES_MAX: usize = CONNECTION_OWN_BYTES
    + REQUEST_BYTES_MAX
    + GROWTH_BYTES_MAX
    + 2 * WRITE_BYTES
    + SOCKET_SEND_BYTES / 2;
/// A write buffer as it is lent to a connection; one that grew is let go when all is written.
pub const WRITE_BYTES: usize = 2 * 1024;
/// Write buffers that a worker keeps for the next answers: above the connections that have an
/// answer on its way at the same moment nothing is gained.
pub const SPARE_BUFFERS_MAX: usize = 1024;
/// Characters of each of PostgreSQL's texts that are kept and logged.
pub const SERVER_TEXT_CHARS_MAX: usize = 1000;
/// The same of its names: a version, an encoding, ways to authenticate.
pub const SERVER_NAME_CHARS_MAX: usize = 100;
/// Room that is made for PostgreSQL's replies before each read.
pub const REPLIES_READ_BYTES: usize = 8 * 1024;
/// A PostgreSQL message longer than this ends the session.
pub const MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// A call's reply, all its whole messages together, longer than this ends the session. (What the
/// procedures answer is below 64 KB; a session's buffer is no part of the sum above.)
pub const REPLY_BYTES_MAX: usize = 2 * MESSAGE_BYTES_MAX;

/// An address that is in use at the start is tried again for so long.
pub const BIND_MS: u64 = 2_000;
/// A worker looks at its deadlines this often.
pub const TICK_MS: u64 = 100;
/// From an operation's last byte to its answer, at most.
pub const OPERATION_MS: u64 = 4_500;
/// From a request's first byte to its last, at most (408).
pub const REQUEST_MS: u64 = 5_000;
/// For an answer to be taken by its reader, at most (reset).
pub const WRITE_MS: u64 = 10_000;
/// A connection on which nothing was asked for so long is closed.
pub const IDLE_MS: u64 = 75_000;
/// After the last answer on a connection, what still arrives is read and dropped for so long.
pub const LINGER_MS: u64 = 1_000;
/// A database that is away for longer than this is answered for at once (503).
pub const DATABASE_AWAY_MS: u64 = 5_000;
/// A flight whose replies take longer than this breaks its session.
pub const FLIGHT_MS: u64 = 10_000;
/// `statement_timeout` of every session: a backend that lost its frontend is soon gone.
pub const STATEMENT_MS: u64 = 2_000;
/// The longest pause between two attempts to reach the database.
pub const RECONNECT_MS_MAX: u64 = 250;
/// The same after a refusal that stays until somebody changes something: each try is a line in the
/// database's log, and a password's check there.
pub const REFUSED_MS_MAX: u64 = 2_000;
/// A session that was up for so long has worked: the next tries and log lines begin anew.
pub const SESSION_SETTLED_MS: u64 = 1_000;
/// `crebito health` puts its second question off by an hour at most.
pub const HEALTH_EVERY_S_MAX: u64 = 3_600;
/// While draining, new connections are still taken for so long.
pub const DRAIN_ACCEPT_MS: u64 = 1_000;
/// A Unix socket whose path is gone is closed once nobody has come for so long.
pub const DRAIN_CLOSING_MS: u64 = 20;
/// While draining, idle connections are closed after so long.
pub const DRAIN_IDLE_MS: u64 = 3_000;
/// The process ends within this of the signal.
pub const DRAIN_MS: u64 = 10_000;
/// Of that, so much is kept for the way out.
pub const DRAIN_EXIT_MS: u64 = 500;

const _: () = assert!(PROXIED_CONNECTION_BYTES_MAX < CONNECTION_BYTES_MAX);
const _: () = assert!(CHUNK_LINE_BYTES_MAX < BODY_BYTES_MAX);
const _: () = assert!(CONNECTION_OPERATIONS_MAX <= QUEUE_MAX);
const _: () = assert!(FLIGHT_TRANSACOES_MAX <= QUEUE_MAX);
// The longest answer fits a write buffer as it is lent.
const _: () = assert!(EXTRATO_ANSWER_BYTES_MAX <= WRITE_BYTES);
// The batch procedure's row, three arrays of eight bytes and a length each, fits a message.
const _: () = assert!(FLIGHT_TRANSACOES_MAX * 36 < MESSAGE_BYTES_MAX);
// A whole message more fits a reply, so that rows and notices together never reach its end.
const _: () = assert!(MESSAGE_BYTES_MAX < REPLY_BYTES_MAX);
const _: () = assert!(2 * TICK_MS < OPERATION_MS && OPERATION_MS < REQUEST_MS);
const _: () = assert!(RECONNECT_MS_MAX <= REFUSED_MS_MAX && REFUSED_MS_MAX < OPERATION_MS);
const _: () = assert!(STATEMENT_MS < OPERATION_MS && OPERATION_MS < FLIGHT_MS);
const _: () = assert!(DRAIN_ACCEPT_MS < DRAIN_IDLE_MS && DRAIN_IDLE_MS < DRAIN_MS);
const _: () = assert!(OPERATION_MS + DRAIN_IDLE_MS < DRAIN_MS - DRAIN_EXIT_MS);
