//! PostgreSQL's replies to the ledger's calls, written byte by byte (PostgreSQL 55.7).

use bytes::BufMut;

fn message(out: &mut Vec<u8>, tag: u8, body: &[u8]) {
    out.put_u8(tag);
    out.put_u32(u32::try_from(body.len() + 4).expect("a short message"));
    out.put_slice(body);
}

pub fn reply(rows: &[Vec<Option<Vec<u8>>>]) -> Vec<u8> {
    let mut out = Vec::new();
    message(&mut out, b'2', b"");
    for row in rows {
        let mut body = Vec::new();
        body.put_u16(u16::try_from(row.len()).expect("few columns"));
        for column in row {
            match column {
                None => body.put_i32(-1),
                Some(value) => {
                    body.put_u32(u32::try_from(value.len()).expect("short"));
                    body.put_slice(value);
                }
            }
        }
        message(&mut out, b'D', &body);
    }
    message(&mut out, b'C', b"SELECT 1\0");
    message(&mut out, b'Z', b"I");
    out
}

pub fn error(sqlstate: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let fields = format!("SERROR\0VERROR\0C{sqlstate}\0Mno\0\0");
    message(&mut out, b'E', fields.as_bytes());
    message(&mut out, b'Z', b"I");
    out
}

pub fn int8(value: i64) -> Vec<u8> {
    value.to_be_bytes().to_vec()
}

/// A reply of InsertTransacao: resultado, saldo, limite.
pub fn inserted(saldo: i64, limite: i64, resultado: i16) -> Vec<u8> {
    let resultado = Some(resultado.to_be_bytes().to_vec());
    reply(&[vec![resultado, Some(int8(saldo)), Some(int8(limite))]])
}

fn array(oid: u32, values: &[Vec<u8>]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    out.put_i32(1);
    out.put_i32(0);
    out.put_u32(oid);
    out.put_u32(u32::try_from(values.len()).expect("few"));
    out.put_i32(1);
    for value in values {
        out.put_u32(u32::try_from(value.len()).expect("short"));
        out.put_slice(value);
    }
    Some(out)
}

/// A reply of transacoes_lote or transacoes_distintas, all applied, with these saldos.
pub fn lote(saldos: &[i64]) -> Vec<u8> {
    let resultados: Vec<_> = saldos.iter().map(|_| 0i16.to_be_bytes().to_vec()).collect();
    let limites: Vec<_> = saldos.iter().map(|_| int8(9)).collect();
    let saldos: Vec<_> = saldos.iter().map(|saldo| int8(*saldo)).collect();
    reply(&[vec![
        array(21, &resultados),
        array(20, &saldos),
        array(20, &limites),
    ]])
}

/// A reply of the extrato of a cliente without transacoes.
pub fn extrato() -> Vec<u8> {
    reply(&[vec![
        Some(int8(0)),
        Some(int8(9)),
        Some(int8(0)),
        None,
        None,
        None,
        None,
    ]])
}
