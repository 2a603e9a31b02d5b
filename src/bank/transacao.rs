//! A transacao, and how it is read from a request's body. What is read needs no second check.

use crate::limits::{DESCRICAO_BYTES_MAX, DESCRICAO_CHARS_MAX};
use serde::Deserializer;
use serde::de::{self, Deserialize, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// What is asked of one cliente's saldo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transacao {
    /// The cliente's id; whether there is one, the database knows.
    pub cliente: i64,
    /// Cents, signed: a credit is positive, a debit negative. Neither 0 nor `i64::MIN`.
    pub valor: i64,
    /// What it was for.
    pub descricao: Descricao,
}

/// A request's body: a transacao of whoever its path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pedido {
    /// Cents, signed: a credit is positive, a debit negative. Neither 0 nor `i64::MIN`.
    pub valor: i64,
    /// What it is for.
    pub descricao: Descricao,
}

impl Pedido {
    /// The transacao that is asked for when the path names this cliente.
    pub fn of(self, cliente: i64) -> Transacao {
        Transacao {
            cliente,
            valor: self.valor,
            descricao: self.descricao,
        }
    }
}

/// 1 to 10 characters (Unicode scalar values), none of them U+0000, held in place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Descricao {
    /// UTF-8; zeros after `len_bytes`.
    bytes: [u8; DESCRICAO_BYTES_MAX],
    len_bytes: u8,
}

impl Descricao {
    /// `None` if the text breaks the rule.
    pub fn new(text: &str) -> Option<Descricao> {
        let chars = text.chars().take(DESCRICAO_CHARS_MAX + 1).count();
        if chars == 0 || chars > DESCRICAO_CHARS_MAX || text.contains('\0') {
            return None;
        }
        let mut bytes = [0; DESCRICAO_BYTES_MAX];
        bytes
            .get_mut(..text.len())?
            .copy_from_slice(text.as_bytes());
        Some(Descricao {
            bytes,
            len_bytes: u8::try_from(text.len()).ok()?,
        })
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..usize::from(self.len_bytes));
        bytes
            .and_then(|bytes| str::from_utf8(bytes).ok())
            .expect("made of a str of this length")
    }
}

impl fmt::Debug for Descricao {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// Why a body is no transacao. Nothing was applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// 400: not one JSON object in UTF-8, or a known field twice.
    #[error("not a JSON object")]
    Json,
    /// 422: JSON, and a field that breaks its rule.
    #[error("a field breaks its rule")]
    Rules,
}

/// Reads a whole body.
///
/// # Errors
///
/// [`Refusal::Json`] is looked for in all of the body, in unknown fields too, before any rule.
pub fn read(body: &[u8]) -> Result<Pedido, Refusal> {
    let body = str::from_utf8(body).map_err(|_| Refusal::Json)?;
    // serde_json finds these only in strings that it decodes, and it skips most.
    if has_lone_surrogate(body.as_bytes()) {
        return Err(Refusal::Json);
    }
    let fields: Fields<'_> = serde_json::from_str(body).map_err(|_| Refusal::Json)?;
    fields.pedido().ok_or(Refusal::Rules)
}

/// The three known fields: well-formed JSON, not yet looked into.
#[derive(Default)]
struct Fields<'b> {
    valor: Option<&'b RawValue>,
    tipo: Option<&'b RawValue>,
    descricao: Option<&'b RawValue>,
}

impl Fields<'_> {
    /// `None` if a field breaks its rule.
    fn pedido(&self) -> Option<Pedido> {
        let valor = read_valor(self.valor?.get())?;
        let valor = match &*decode_string(self.tipo?.get())? {
            "c" => valor,
            "d" => -valor,
            _ => return None,
        };
        let descricao = Descricao::new(&decode_string(self.descricao?.get())?)?;
        Some(Pedido { valor, descricao })
    }
}

/// A JSON integer from 1 to 2^63 - 1, read from its text: neither 1.0 nor 1e2 is written as one.
fn read_valor(raw: &str) -> Option<i64> {
    if !raw.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    raw.parse().ok().filter(|valor| *valor > 0)
}

/// What a JSON string says; `None` for any other JSON value. Allocates only for escapes.
fn decode_string(raw: &str) -> Option<Cow<'_, str>> {
    let text = raw.strip_prefix('"')?.strip_suffix('"')?;
    if text.contains('\\') {
        serde_json::from_str(raw).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(text))
    }
}

/// Whether a `\u` escape is half of a surrogate pair, anywhere (RFC 8259 8.2). Escapes that are
/// malformed otherwise are left to the parser.
fn has_lone_surrogate(body: &[u8]) -> bool {
    let mut rest = body;
    while let Some(at) = rest.iter().position(|&byte| byte == b'\\') {
        let escape = rest.get(at..).unwrap_or_default();
        let consumed = match read_escape(escape) {
            Some(0xDC00..=0xDFFF) => return true,
            Some(0xD800..=0xDBFF) => match escape.get(6..).and_then(read_escape) {
                Some(0xDC00..=0xDFFF) => 12,
                _ => return true,
            },
            // A backslash and what it escapes, which may be a backslash.
            _ => 2,
        };
        rest = escape.get(consumed..).unwrap_or_default();
    }
    false
}

/// The code unit of a `\uXXXX` at the start; `None` for anything else.
fn read_escape(bytes: &[u8]) -> Option<u16> {
    let digits = bytes.strip_prefix(b"\\u")?.first_chunk::<4>()?;
    digits.iter().try_fold(0, |unit: u16, &digit| {
        let digit = char::from(digit).to_digit(16)?;
        Some(unit << 4 | u16::try_from(digit).ok()?)
    })
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // An array is refused: the visitor takes a map only.
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Fields<'de>, M::Error> {
        let mut fields = Fields::default();
        while let Some(name) = map.next_key()? {
            let field = match name {
                Name::Valor => &mut fields.valor,
                Name::Tipo => &mut fields.tipo,
                Name::Descricao => &mut fields.descricao,
                Name::Unknown => {
                    // Its syntax is checked, in a loop: no depth overflows the stack.
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            if field.replace(map.next_value()?).is_some() {
                return Err(de::Error::custom("a known field twice"));
            }
        }
        Ok(fields)
    }
}

/// A field's name, escapes decoded.
enum Name {
    Valor,
    Tipo,
    Descricao,
    Unknown,
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_identifier(NameVisitor)
    }
}

struct NameVisitor;

impl Visitor<'_> for NameVisitor {
    type Value = Name;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field's name")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Name, E> {
        Ok(match name {
            "valor" => Name::Valor,
            "tipo" => Name::Tipo,
            "descricao" => Name::Descricao,
            _ => Name::Unknown,
        })
    }
}
