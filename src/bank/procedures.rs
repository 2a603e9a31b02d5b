//! The calls of the stored procedures, and what their rows say. sql/002_procedures.sql has them.

use super::Transacao;
use crate::pg::{Params, Row, Rows, Statement, append_call, oid, value};
use bytes::BytesMut;

/// What a session prepares: the single transacao, both batches, the extrato.
pub static STATEMENTS: [Statement; 4] = [INSERT, LOTE, DISTINTAS, EXTRATO];

/// Appends the call that applies one transacao; [`decode_insert`] reads its reply.
pub fn append_insert(out: &mut BytesMut, transacao: &Transacao) {
    let (tipo, valor) = match transacao.valor {
        ..0 => ("d", -transacao.valor),
        _ => ("c", transacao.valor),
    };
    append_call(out, &INSERT, |params| {
        params.int8(transacao.cliente);
        params.int8(valor);
        params.text(tipo);
        params.text(transacao.descricao.as_str());
    });
}

/// Appends the call that applies many transacoes, those of one cliente in the order given;
/// [`decode_lote`] reads its reply.
pub fn append_lote<'a>(
    out: &mut BytesMut,
    transacoes: impl ExactSizeIterator<Item = &'a Transacao> + Clone,
) {
    append_call(out, &LOTE, |params| append_arrays(params, transacoes));
}

/// The same, cheaper where few clientes come twice: the first `primeiras` transacoes are of as many
/// clientes, by ascending id, and those behind them further ones of the same clientes. In any other
/// order the call is an ERROR, and nothing of it is applied. [`decode_lote`] reads its reply.
pub fn append_distintas<'a>(
    out: &mut BytesMut,
    transacoes: impl ExactSizeIterator<Item = &'a Transacao> + Clone,
    primeiras: usize,
) {
    append_call(out, &DISTINTAS, |params| {
        append_arrays(params, transacoes);
        // A flight's bound is far below; what no array can hold would be refused there.
        params.int8(i64::try_from(primeiras).unwrap_or(i64::MAX));
    });
}

fn append_arrays<'a>(
    params: &mut Params<'_>,
    transacoes: impl ExactSizeIterator<Item = &'a Transacao> + Clone,
) {
    params.int8_array(transacoes.clone().map(|transacao| transacao.cliente));
    params.int8_array(transacoes.clone().map(|transacao| transacao.valor));
    params.text_array(transacoes.map(|transacao| transacao.descricao.as_str()));
}

/// Appends the call that reads one cliente's extrato; [`super::extrato::append_json`] writes what
/// its reply says.
pub fn append_extrato(out: &mut BytesMut, cliente: i64) {
    append_call(out, &EXTRATO, |params| params.int8(cliente));
}

/// What became of a transacao.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Committed. Both in cents.
    Applied {
        /// Right after this transacao.
        saldo: i64,
        /// How far below zero the saldo may go.
        limite: i64,
    },
    /// No such cliente. Nothing changed.
    NoCliente,
    /// The debit would leave `saldo < -limite`. Nothing changed.
    OverLimit,
    /// The credit would leave a saldo beyond 64 bits. Nothing changed.
    Overflow,
}

impl Outcome {
    /// `None` if the procedures give no such three.
    fn new(resultado: Option<i16>, saldo: Option<i64>, limite: Option<i64>) -> Option<Outcome> {
        match resultado? {
            0 => Some(Outcome::Applied {
                saldo: saldo?,
                limite: limite?,
            }),
            1 => Some(Outcome::NoCliente),
            2 => Some(Outcome::OverLimit),
            3 => Some(Outcome::Overflow),
            _ => None,
        }
    }
}

/// A reply that the procedures of sql/002_procedures.sql do not give: others are installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the reply of {0} is not what sql/002_procedures.sql makes it give")]
pub struct Mismatch(pub(super) &'static str);

/// Reads the reply to [`append_insert`].
///
/// # Errors
///
/// If it is anything but one row of one of the outcomes.
pub fn decode_insert(rows: &Rows<'_>) -> Result<Outcome, Mismatch> {
    let outcome = || {
        let [resultado, saldo, limite] = only_row(rows)?;
        Outcome::new(resultado.and_then(value::int2), int8(saldo), int8(limite))
    };
    outcome().ok_or(Mismatch("InsertTransacao"))
}

/// Reads the reply to [`append_lote`] or [`append_distintas`]: the outcomes of its `n` transacoes,
/// in their order.
///
/// # Errors
///
/// If it is anything but `n` outcomes. All are looked at before the first is given out.
pub fn decode_lote<'b>(
    rows: &Rows<'b>,
    n: usize,
) -> Result<impl Iterator<Item = Outcome> + use<'b>, Mismatch> {
    let columns = only_row(rows);
    let outcomes = || decode_arrays(columns?, n);
    let all_good = outcomes().is_some_and(|mut outcomes| outcomes.all(|one| one.is_some()));
    let outcomes = outcomes().filter(|_| all_good);
    let outcomes = outcomes.ok_or(Mismatch("transacoes_lote or transacoes_distintas"))?;
    Ok(outcomes.map_while(|outcome| outcome))
}

fn decode_arrays<'b>(
    [resultado, saldo, limite]: [Option<&'b [u8]>; 3],
    n: usize,
) -> Option<impl Iterator<Item = Option<Outcome>> + use<'b>> {
    let resultado = value::array(resultado?, oid::INT2)?;
    let saldo = value::array(saldo?, oid::INT8)?;
    let limite = value::array(limite?, oid::INT8)?;
    if [resultado.len(), saldo.len(), limite.len()] != [n; 3] {
        return None;
    }
    let outcomes = resultado.zip(saldo).zip(limite);
    Some(outcomes.map(|((resultado, saldo), limite)| {
        Outcome::new(resultado.and_then(value::int2), int8(saldo), int8(limite))
    }))
}

fn int8(bytes: Option<&[u8]>) -> Option<i64> {
    bytes.and_then(value::int8)
}

/// The values of the only row.
fn only_row<'b, const N: usize>(rows: &Rows<'b>) -> Option<[Option<&'b [u8]>; N]> {
    let mut rows = rows.iter();
    let row = rows.next().filter(|_| rows.next().is_none())?;
    columns(row)
}

/// A row's values, if there are exactly so many.
pub(super) fn columns<const N: usize>(row: Row<'_>) -> Option<[Option<&[u8]>; N]> {
    let mut given = row.columns();
    let mut values = [None; N];
    for value in &mut values {
        *value = given.next()?;
    }
    given.next().is_none().then_some(values)
}

const INSERT: Statement = Statement {
    name: "transacao",
    sql: "SELECT resultado, saldo, limite FROM banco.inserttransacao($1, $2, $3, $4)",
    params: &[oid::INT8, oid::INT8, oid::TEXT, oid::TEXT],
    columns: &[oid::INT2, oid::INT8, oid::INT8],
    files: FILES,
};

const LOTE: Statement = Statement {
    name: "lote",
    sql: "SELECT resultado, saldo, limite FROM banco.transacoes_lote($1, $2, $3)",
    params: &[oid::INT8_ARRAY, oid::INT8_ARRAY, oid::TEXT_ARRAY],
    columns: &[oid::INT2_ARRAY, oid::INT8_ARRAY, oid::INT8_ARRAY],
    files: FILES,
};

const DISTINTAS: Statement = Statement {
    name: "distintas",
    sql: "SELECT resultado, saldo, limite FROM banco.transacoes_distintas($1, $2, $3, $4)",
    params: &[oid::INT8_ARRAY, oid::INT8_ARRAY, oid::TEXT_ARRAY, oid::INT8],
    ..LOTE
};

const EXTRATO: Statement = Statement {
    name: "extrato",
    sql: "SELECT saldo, limite, lida_em, valor, tipo, descricao, realizada_em \
          FROM banco.extrato($1)",
    params: &[oid::INT8],
    columns: &[
        oid::INT8,
        oid::INT8,
        oid::TIMESTAMPTZ,
        oid::INT8,
        oid::TEXT,
        oid::TEXT,
        oid::TIMESTAMPTZ,
    ],
    files: FILES,
};

/// What makes them. Run again, they make the procedures anew and change no row.
const FILES: &[&str] = &[
    "sql/001_schema.sql",
    "sql/002_procedures.sql",
    "sql/003_clientes.sql",
];
