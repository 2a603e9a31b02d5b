//! Replies to calls, framed in place: no copy and no allocation but for errors.

use super::{LinkError, ServerError};
use crate::limits::{MESSAGE_BYTES_MAX, REPLY_BYTES_MAX};
use bytes::BytesMut;
use postgres_protocol::message::backend::{
    self, BIND_COMPLETE_TAG, COMMAND_COMPLETE_TAG, DATA_ROW_TAG, EMPTY_QUERY_RESPONSE_TAG,
    ERROR_RESPONSE_TAG, Header, NOTICE_RESPONSE_TAG, NOTIFICATION_RESPONSE_TAG,
    PARAMETER_STATUS_TAG, READY_FOR_QUERY_TAG,
};

/// Frames the replies of one session, call by call (PostgreSQL 55.2.3, 55.2.4).
///
/// Always give it all bytes from the first that no reply has consumed: it remembers how far it
/// looked, so that a reply which comes in many pieces is looked at once. It never looks past
/// [`REPLY_BYTES_MAX`].
#[derive(Debug, Default)]
pub struct ReplyDecoder {
    /// Whole messages up to here were looked at; they belong to the reply not yet given out.
    scanned_bytes: usize,
    place: Place,
    /// The error of a call, until its ReadyForQuery.
    error: Option<ServerError>,
}

/// Where in a call's reply we are; the messages that may follow.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// BindComplete or ErrorResponse
    #[default]
    Start,
    /// DataRow, CommandComplete, EmptyQueryResponse or ErrorResponse
    Bound,
    /// ReadyForQuery, or the ErrorResponse of a failed commit
    Complete,
    /// ReadyForQuery
    Failed,
    /// ReadyForQuery was seen
    Ready,
}

impl ReplyDecoder {
    /// The next whole reply at the start of `buf`; `None` if more bytes are needed. Nothing is
    /// given out before its ReadyForQuery: only then it is committed.
    ///
    /// # Errors
    ///
    /// The session is then over: the server ended it, or sent what cannot follow here. That an
    /// ErrorResponse came while no call was out shows as a reply that nobody expects.
    pub fn decode<'b>(&mut self, buf: &'b [u8]) -> Result<Option<Reply<'b>>, LinkError> {
        loop {
            let rest = buf.get(self.scanned_bytes..).unwrap_or_default();
            let Some(message) = Message::decode(rest)? else {
                return Ok(None);
            };
            let end = self.scanned_bytes + message.bytes.len();
            if end > REPLY_BYTES_MAX {
                let what = format!("a reply longer than {REPLY_BYTES_MAX} bytes");
                return Err(LinkError::Protocol(what));
            }
            self.place = self.step(&message)?;
            self.scanned_bytes = end;
            if self.place == Place::Ready {
                let messages = buf.get(..end).unwrap_or_default();
                let result = match self.error.take() {
                    Some(error) => Err(error),
                    None => Ok(Rows { messages }),
                };
                *self = ReplyDecoder::default();
                return Ok(Some(Reply {
                    len_bytes: end,
                    result,
                }));
            }
        }
    }

    /// How many bytes at the start of the buffer may be dropped although no reply consumed them:
    /// notices that came while no call was out. Drop them after this.
    pub fn take_skipped(&mut self) -> usize {
        match self.place {
            Place::Start => std::mem::take(&mut self.scanned_bytes),
            _ => 0,
        }
    }

    fn step(&mut self, message: &Message<'_>) -> Result<Place, LinkError> {
        let body = message.body();
        match (self.place, message.tag) {
            (place, tag) if is_asynchronous(tag) => Ok(place),
            (place, ERROR_RESPONSE_TAG) => {
                let error = message.server_error()?;
                if error.is_fatal() {
                    return Err(LinkError::Fatal(error));
                }
                if place == Place::Failed {
                    return Err(LinkError::protocol("a second error in one reply"));
                }
                self.error = Some(error);
                Ok(Place::Failed)
            }
            (Place::Start, BIND_COMPLETE_TAG) if body.is_empty() => Ok(Place::Bound),
            (Place::Bound, DATA_ROW_TAG) if is_row(body) => Ok(Place::Bound),
            (Place::Bound, COMMAND_COMPLETE_TAG | EMPTY_QUERY_RESPONSE_TAG) => Ok(Place::Complete),
            (Place::Complete | Place::Failed, READY_FOR_QUERY_TAG) => match body {
                b"I" => Ok(Place::Ready),
                _ => Err(LinkError::protocol("a call left a transaction open")),
            },
            (place, tag) => Err(LinkError::Protocol(format!(
                "message '{}' of {} bytes after {place:?}",
                tag.escape_ascii(),
                body.len()
            ))),
        }
    }
}

/// One call's whole reply, from BindComplete to ReadyForQuery.
#[derive(Debug)]
pub struct Reply<'b> {
    /// Its length at the start of the buffer: drop so many bytes before the next decode.
    pub len_bytes: usize,
    /// The rows of a committed call. An error proves that nothing was applied.
    pub result: Result<Rows<'b>, ServerError>,
}

/// The rows of one reply, borrowed from the session's buffer. Every row is well-formed.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'b> {
    /// Whole messages, the rows among them.
    messages: &'b [u8],
}

impl<'b> Rows<'b> {
    /// The rows in the order in which they came.
    pub fn iter(self) -> impl Iterator<Item = Row<'b>> {
        let mut rest = self.messages;
        std::iter::from_fn(move || {
            loop {
                let message = Message::decode(rest).ok()??;
                rest = rest.get(message.bytes.len()..)?;
                if message.tag == DATA_ROW_TAG {
                    return Some(Row {
                        columns: message.body().get(2..)?,
                    });
                }
            }
        })
    }
}

/// One row, borrowed from the session's buffer.
#[derive(Debug, Clone, Copy)]
pub struct Row<'b> {
    columns: &'b [u8],
}

impl<'b> Row<'b> {
    /// The values in binary format, `None` for NULL; see [`super::value`].
    pub fn columns(self) -> impl Iterator<Item = Option<&'b [u8]>> {
        let mut rest = self.columns;
        std::iter::from_fn(move || take_column(&mut rest))
    }
}

/// One message with its header, not yet looked into.
#[derive(Debug, Clone, Copy)]
pub(super) struct Message<'b> {
    pub(super) tag: u8,
    /// The tag, the length and the body.
    pub(super) bytes: &'b [u8],
}

impl<'b> Message<'b> {
    /// The message at the start of `buf`; `None` if it is not all there.
    pub(super) fn decode(buf: &'b [u8]) -> Result<Option<Message<'b>>, LinkError> {
        let header = match Header::parse(buf) {
            Ok(Some(header)) => header,
            Ok(None) => return Ok(None),
            Err(_) => return Err(LinkError::protocol("a message shorter than its header")),
        };
        let len_bytes = usize::try_from(header.len()).unwrap_or(usize::MAX);
        if len_bytes > MESSAGE_BYTES_MAX {
            return Err(LinkError::Protocol(format!(
                "message '{}' of {len_bytes} bytes, at most {MESSAGE_BYTES_MAX} are taken",
                header.tag().escape_ascii()
            )));
        }
        let bytes = buf.get(..len_bytes + 1);
        Ok(bytes.map(|bytes| Message {
            tag: header.tag(),
            bytes,
        }))
    }

    pub(super) fn body(&self) -> &'b [u8] {
        self.bytes.get(5..).unwrap_or_default()
    }

    pub(super) fn server_error(&self) -> Result<ServerError, LinkError> {
        ServerError::decode(self.bytes).ok_or_else(|| LinkError::protocol("a malformed error"))
    }
}

/// What the server may send at any time, between and within replies (PostgreSQL 55.2.7).
pub(super) fn is_asynchronous(tag: u8) -> bool {
    matches!(
        tag,
        NOTICE_RESPONSE_TAG | PARAMETER_STATUS_TAG | NOTIFICATION_RESPONSE_TAG
    )
}

/// Takes the message at the start of `input`, owned, for the paths that are not hot. `None` if it
/// is not all there; nothing is reserved for what is to come.
pub(super) fn take_message(input: &mut BytesMut) -> Result<Option<backend::Message>, LinkError> {
    match Message::decode(input)? {
        None => return Ok(None),
        Some(Message { tag: b'v', .. }) => {
            return Err(LinkError::protocol("the server does not speak version 3.0"));
        }
        Some(_) => {}
    }
    backend::Message::parse(input).map_err(|error| LinkError::Protocol(error.to_string()))
}

/// Whether the body of a DataRow holds as many values as it says, and nothing else.
fn is_row(body: &[u8]) -> bool {
    let Some((count, mut rest)) = body.split_first_chunk() else {
        return false;
    };
    for _ in 0..u16::from_be_bytes(*count) {
        if take_column(&mut rest).is_none() {
            return false;
        }
    }
    rest.is_empty()
}

/// Takes one value off the front: `None` at the end, or where it is cut short.
fn take_column<'b>(rest: &mut &'b [u8]) -> Option<Option<&'b [u8]>> {
    let (len, after) = rest.split_first_chunk()?;
    let len = i32::from_be_bytes(*len);
    if len == -1 {
        *rest = after;
        return Some(None);
    }
    let (value, after) = after.split_at_checked(usize::try_from(len).ok()?)?;
    *rest = after;
    Some(Some(value))
}
