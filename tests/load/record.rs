//! From responses and rows to what the checker judges.

use crate::checker::{Answer, Conta, Question, Row};
use crate::common::Response;

/// What `response` says about `question`. A body that is not what the contract says is no answer
/// that any state explains.
pub fn answer(question: &Question, response: &Response) -> Answer {
    let is_extrato = matches!(question, Question::Extrato);
    match response.status {
        200 if is_extrato => read_extrato(response),
        200 => read_applied(response),
        422 if !is_extrato => Answer::Impossible,
        400..=499 => Answer::Refused,
        // The replica's own 503, not a proxy's.
        503 if response.field("retry-after") == Some("1") => Answer::Refused,
        _ => Answer::Unknown,
    }
}

fn read_applied(response: &Response) -> Answer {
    let body = response.json();
    let number = |name: &str| body[name].as_i64();
    let (limite, saldo) = number("limite")
        .zip(number("saldo"))
        .unwrap_or((-1, i64::MIN));
    Answer::Applied { limite, saldo }
}

fn read_extrato(response: &Response) -> Answer {
    let body = response.json();
    let number = |name: &str| body["saldo"][name].as_i64();
    let (limite, total) = number("limite")
        .zip(number("total"))
        .unwrap_or((-1, i64::MIN));
    let lines = body["ultimas_transacoes"].as_array();
    let list = lines.into_iter().flatten().map(read_line).collect();
    Answer::Extrato {
        limite,
        total,
        list,
    }
}

fn read_line(line: &serde_json::Value) -> Row {
    let text = |name: &str| line[name].as_str().unwrap_or("missing").to_owned();
    let valor = line["valor"].as_i64().unwrap_or(i64::MIN + 1);
    let valor = if text("tipo") == "d" { -valor } else { valor };
    Row {
        n: 0,
        valor,
        descricao: text("descricao"),
        realizada_em: text("realizada_em"),
    }
}

/// Asks the database for everything that it holds, as one JSON document of one snapshot.
pub const CONTAS: &str = r#"
    SELECT coalesce(json_agg(json_build_object(
        'cliente', c.id, 'limite', c.limite, 'saldo', c.saldo, 'n', c.n, 'rows', (
            SELECT coalesce(json_agg(json_build_object(
                'n', t.n, 'tipo', t.tipo, 'valor', t.valor, 'descricao', t.descricao,
                'realizada_em', to_char(t.realizada_em AT TIME ZONE 'UTC',
                                        'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')) ORDER BY t.n), '[]')
            FROM banco.transacoes AS t WHERE t.cliente_id = c.id))), '[]')
    FROM (SELECT id, limite, saldo, n FROM banco.clientes
          UNION ALL
          -- Rows of nobody would be found as rows that nobody asked for.
          SELECT DISTINCT cliente_id, 0, 0, 0 FROM banco.transacoes
          WHERE cliente_id NOT IN (SELECT id FROM banco.clientes)) AS c
"#;

/// The clientes in the answer to [`CONTAS`].
pub fn contas(json: &str) -> Vec<Conta> {
    let document: serde_json::Value = serde_json::from_str(json.trim()).expect("psql prints JSON");
    let contas = document.as_array().expect("an array of clientes");
    contas.iter().map(read_conta).collect()
}

fn read_conta(conta: &serde_json::Value) -> Conta {
    let number = |name: &str| conta[name].as_i64().expect("every column is there");
    let rows = conta["rows"].as_array().expect("an array of rows");
    let read_row = |row: &serde_json::Value| {
        let n = row["n"].as_i64().expect("n is not null");
        Row {
            n,
            ..read_line(row)
        }
    };
    Conta {
        cliente: number("cliente"),
        limite: number("limite"),
        saldo: number("saldo"),
        n: number("n"),
        rows: rows.iter().map(read_row).collect(),
    }
}
