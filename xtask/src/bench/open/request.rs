//! The contest's requests, and what a right answer to one holds.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// `POST /clientes/{id}/transacoes` with tipo d.
    Debitos,
    /// The same with tipo c.
    Creditos,
    /// `GET /clientes/{id}/extrato`.
    Extratos,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 3] = [Kind::Debitos, Kind::Creditos, Kind::Extratos];

    /// What the contest asks a second.
    pub(crate) fn rate(self) -> f64 {
        match self {
            Kind::Debitos => 220.0,
            Kind::Creditos => 110.0,
            Kind::Extratos => 10.0,
        }
    }

    /// So much later are all of the kind: each rate is a multiple of the next, and no two requests
    /// shall be due at the same moment only for that.
    pub(crate) fn delay(self) -> Duration {
        match self {
            Kind::Debitos => Duration::ZERO,
            Kind::Creditos => Duration::from_micros(1300),
            Kind::Extratos => Duration::from_micros(3700),
        }
    }
}

/// One request, as far as its answer is judged by it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    pub kind: Kind,
    pub cliente: u32,
    /// What a 200 adds to the saldo.
    pub change: i64,
}

/// The contest's.
pub(crate) const CLIENTES: RangeInclusive<u32> = 1..=5;
/// The largest valor of the contest's load.
const VALOR_MAX: i64 = 10_000;

impl Request {
    /// One for any of the contest's five clientes, and its bytes; `host` is for its head.
    pub fn draw(kind: Kind, host: &str, random: &mut fastrand::Rng) -> (Request, Vec<u8>) {
        let cliente = random.u32(CLIENTES);
        let (change, bytes) = match kind {
            Kind::Debitos | Kind::Creditos => {
                let valor = random.i64(1..=VALOR_MAX);
                let (tipo, change) = match kind {
                    Kind::Debitos => ('d', -valor),
                    _ => ('c', valor),
                };
                let descricao: String = (0..10).map(|_| random.alphabetic()).collect();
                let body = format!(
                    r#"{{"valor": {valor}, "tipo": "{tipo}", "descricao": "{descricao}"}}"#
                );
                let bytes = format!(
                    "POST /clientes/{cliente}/transacoes HTTP/1.1\r\nHost: {host}\r\n{AGENT}\
                     Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                );
                (change, bytes)
            }
            Kind::Extratos => {
                let bytes = format!(
                    "GET /clientes/{cliente}/extrato HTTP/1.1\r\nHost: {host}\r\n{AGENT}\r\n"
                );
                (0, bytes)
            }
        };
        let request = Request {
            kind,
            cliente,
            change,
        };
        (request, bytes.into_bytes())
    }
}

/// What the contest's tool says of itself.
const AGENT: &str = "Accept: */*\r\nUser-Agent: Agente do Caos - 2024/Q1\r\n";

/// What no correct bank says in an answer of 200, if `body` says it.
pub(crate) fn contradiction(kind: Kind, body: &[u8]) -> Option<&'static str> {
    let conta = match kind {
        Kind::Debitos | Kind::Creditos => serde_json::from_slice::<Conta>(body).ok(),
        Kind::Extratos => serde_json::from_slice::<Extrato>(body)
            .ok()
            .map(|extrato| Conta {
                saldo: extrato.saldo.total,
                limite: extrato.saldo.limite,
            }),
    };
    match conta {
        None => Some("not the keys of its answer"),
        Some(conta) if i128::from(conta.saldo) < -i128::from(conta.limite) => {
            Some("a saldo below -limite")
        }
        Some(_) => None,
    }
}

#[derive(Deserialize)]
struct Conta {
    saldo: i64,
    limite: i64,
}

#[derive(Deserialize)]
struct Extrato {
    saldo: Saldo,
    #[serde(rename = "ultimas_transacoes")]
    _ultimas_transacoes: Vec<IgnoredAny>,
}

#[derive(Deserialize)]
struct Saldo {
    total: i64,
    limite: i64,
    #[serde(rename = "data_extrato")]
    _data_extrato: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn requests_are_the_contests() {
        let mut random = fastrand::Rng::with_seed(7);
        for kind in Kind::ALL {
            let mut clientes = BTreeSet::new();
            let mut valores = BTreeSet::new();
            for _ in 0..1000 {
                let (request, bytes) = Request::draw(kind, "there:1", &mut random);
                clientes.insert(request.cliente);
                valores.insert(request.change.abs());
                check(request, bytes);
            }
            assert_eq!(clientes, CLIENTES.collect(), "{kind:?}");
            assert_eq!(valores.len() > 500, kind != Kind::Extratos, "{kind:?}");
        }
    }

    fn check(request: Request, bytes: Vec<u8>) {
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("\r\nHost: there:1\r\n"), "{text}");
        let line = |method: &str, what: &str| {
            let line = format!("{method} /clientes/{}/{what} HTTP/1.1\r\n", request.cliente);
            assert!(head.starts_with(&line), "{text}");
        };
        if request.kind == Kind::Extratos {
            line("GET", "extrato");
            assert_eq!((body, request.change), ("", 0));
            return;
        }
        line("POST", "transacoes");
        let length = format!("Content-Length: {}", body.len());
        assert!(head.lines().any(|line| line == length), "{text}");
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        let (tipo, sign) = match request.kind {
            Kind::Debitos => ("d", -1),
            _ => ("c", 1),
        };
        let valor = body["valor"].as_i64().unwrap();
        assert!((1..=VALOR_MAX).contains(&valor), "{text}");
        assert_eq!(
            (&body["tipo"], request.change),
            (&tipo.into(), sign * valor)
        );
        let descricao = body["descricao"].as_str().unwrap();
        assert!(descricao.len() == 10 && descricao.bytes().all(|sign| sign.is_ascii_alphabetic()));
    }

    #[test]
    fn what_no_bank_may_say_is_heard() {
        let check = |kind, body: &str, contradicts: bool| {
            let found = contradiction(kind, body.as_bytes());
            assert_eq!(found.is_some(), contradicts, "{kind:?} {body}: {found:?}");
        };
        for kind in [Kind::Debitos, Kind::Creditos] {
            check(kind, r#"{"limite":100,"saldo":-100}"#, false);
            check(kind, r#"{"saldo":5,"limite":100,"more":[]}"#, false);
            check(kind, r#"{"limite":100,"saldo":-101}"#, true);
            check(kind, r#"{"limite":-9223372036854775808,"saldo":0}"#, true);
            check(kind, r#"{"limite":100}"#, true);
            check(kind, r#"{"limite":100,"saldo":1.5}"#, true);
            check(kind, r#"{"limite":100,"saldo":1}}"#, true);
            check(kind, "", true);
        }
        let extrato = |total: i64, rest: &str| {
            format!(r#"{{"saldo":{{"total":{total},"limite":100,"data_extrato":"2024"}}{rest}}}"#)
        };
        let list = r#","ultimas_transacoes":[{"valor":1}]"#;
        check(Kind::Extratos, &extrato(-100, list), false);
        check(Kind::Extratos, &extrato(-101, list), true);
        check(Kind::Extratos, &extrato(0, ""), true);
        check(Kind::Extratos, r#"{"limite":100,"saldo":0}"#, true);
    }
}
