//! The ledger's rules, told as stories: what joins, what leaves together, and who is answered what.

use bytes::{BufMut, BytesMut};
use crebito::bank::{Descricao, Transacao};
use crebito::ledger::{Answer, Kind, Landed, Ledger, Operation, Refused};
use crebito::limits;
use crebito::pg::ReplyDecoder;

const QUEUE_MAX: usize = 64;
/// Well past every operation's time.
const LATE_MS: u64 = limits::OPERATION_MS;

/// A ledger whose tickets are names, and what was answered, as `name answer`.
struct Story {
    ledger: Ledger<&'static str>,
    now_ms: u64,
    told: Vec<String>,
}

impl Story {
    fn new() -> Self {
        let mut ledger = Ledger::new(QUEUE_MAX, 0);
        ledger.session_found();
        Self {
            ledger,
            now_ms: 0,
            told: Vec::new(),
        }
    }

    fn submit(&mut self, name: &'static str, kind: Kind) -> Result<(), Refused> {
        self.ledger
            .submit(Operation::new(name, self.now_ms, kind), self.now_ms)
    }

    fn credit(&mut self, name: &'static str, cliente: i64) {
        self.submit(name, credit(cliente)).expect("room");
    }

    fn extrato(&mut self, name: &'static str, cliente: i64) {
        self.submit(name, Kind::Extrato(cliente)).expect("room");
    }

    /// The statements that the leaving flight calls, in order.
    fn depart(&mut self) -> Vec<String> {
        self.depart_without("")
    }

    fn depart_without(&mut self, dead: &str) -> Vec<String> {
        let mut out = BytesMut::new();
        self.ledger
            .depart(self.now_ms, |name| *name != dead, &mut out);
        called(&out)
    }

    fn land(&mut self, reply: &[u8]) -> Landed {
        let mut decoder = ReplyDecoder::default();
        let reply = decoder
            .decode(reply)
            .expect("a reply")
            .expect("a whole reply");
        let told = &mut self.told;
        self.ledger
            .land(&reply, |name, answer| note(told, name, answer))
            .expect("one awaited")
    }

    fn pass(&mut self, ms: u64) {
        self.now_ms += ms;
        let told = &mut self.told;
        self.ledger
            .expire(self.now_ms, |name, answer| note(told, name, answer));
    }

    fn lose_session(&mut self) {
        let told = &mut self.told;
        self.ledger
            .session_lost(self.now_ms, |name, answer| note(told, name, answer));
    }

    #[track_caller]
    fn tells(&mut self, expected: &[&str]) {
        assert_eq!(self.told, expected);
        self.told.clear();
    }
}

fn credit(cliente: i64) -> Kind {
    let descricao = Descricao::new("teste").expect("a short one");
    Kind::Transacao(Transacao {
        cliente,
        valor: 1,
        descricao,
    })
}

fn note(told: &mut Vec<String>, name: &str, answer: Answer<'_>) {
    told.push(match answer {
        Answer::Applied { limite, saldo } => format!("{name} applied {limite} {saldo}"),
        Answer::Extrato(json) => format!("{name} extrato of {} bytes", json.len().min(1)),
        other => format!("{name} {other:?}"),
    });
}

/// The statements named by the Binds in `out` (PostgreSQL 55.7).
fn called(mut out: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    while let [tag, a, b, c, d, rest @ ..] = out {
        let len = u32::from_be_bytes([*a, *b, *c, *d]) as usize - 4;
        if *tag == b'B' {
            // An empty portal name, then the statement's.
            let name = rest[1..].split(|byte| *byte == 0).next().expect("a name");
            names.push(String::from_utf8(name.to_vec()).expect("a name in ASCII"));
        }
        out = &rest[len..];
    }
    names
}

fn message(out: &mut Vec<u8>, tag: u8, body: &[u8]) {
    out.put_u8(tag);
    out.put_u32(u32::try_from(body.len() + 4).expect("a short message"));
    out.put_slice(body);
}

fn reply(rows: &[Vec<Option<Vec<u8>>>]) -> Vec<u8> {
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

fn error(sqlstate: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let fields = format!("SERROR\0VERROR\0C{sqlstate}\0Mno\0\0");
    message(&mut out, b'E', fields.as_bytes());
    message(&mut out, b'Z', b"I");
    out
}

fn int8(value: i64) -> Vec<u8> {
    value.to_be_bytes().to_vec()
}

/// A reply of InsertTransacao: resultado, saldo, limite.
fn inserted(saldo: i64, limite: i64, resultado: i16) -> Vec<u8> {
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

/// A reply of transacoes_lote, all applied, with these saldos.
fn lote(saldos: &[i64]) -> Vec<u8> {
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
fn extrato() -> Vec<u8> {
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

const BACK: Landed = Landed::Flight { prepare: false };

#[test]
fn one_transacao_leaves_alone_and_at_once() {
    let mut story = Story::new();
    story.credit("a", 1);
    assert_eq!(story.depart(), ["transacao"]);
    assert_eq!(story.land(&inserted(1, 9, 0)), BACK);
    story.tells(&["a applied 9 1"]);
    assert_eq!(story.depart(), Vec::<String>::new());
}

#[test]
fn what_waits_leaves_together_transacoes_first_and_extratos_shared() {
    let mut story = Story::new();
    story.credit("a", 1);
    story.depart();
    story.extrato("b", 1);
    story.credit("c", 1);
    story.extrato("d", 2);
    story.extrato("e", 1);
    story.credit("f", 2);
    // One flight out at a time.
    assert_eq!(story.depart(), Vec::<String>::new());
    story.land(&inserted(1, 9, 0));
    story.tells(&["a applied 9 1"]);
    assert_eq!(story.depart(), ["lote", "extrato", "extrato"]);
    // Asked while its cliente's extrato is in flight: not answered by that call.
    story.extrato("late", 1);
    assert_eq!(story.land(&lote(&[2, 1])), Landed::More);
    story.tells(&["c applied 9 2", "f applied 9 1"]);
    assert_eq!(story.land(&extrato()), Landed::More);
    story.tells(&["b extrato of 1 bytes", "e extrato of 1 bytes"]);
    assert_eq!(story.land(&reply(&[])), BACK);
    story.tells(&["d NoCliente"]);
    assert_eq!(story.depart(), ["extrato"]);
}

#[test]
fn outcomes_become_answers() {
    for (resultado, expected) in [
        (0, "a applied 9 5"),
        (1, "a NoCliente"),
        (2, "a Refused"),
        (3, "a Refused"),
    ] {
        let mut story = Story::new();
        story.credit("a", 1);
        story.depart();
        let row = match resultado {
            1 => reply(&[vec![Some(1i16.to_be_bytes().to_vec()), None, None]]),
            _ => inserted(5, 9, resultado),
        };
        story.land(&row);
        story.tells(&[expected]);
    }
}

#[test]
fn at_most_so_many_clientes_are_read_in_one_flight() {
    let mut story = Story::new();
    let max = i64::try_from(limits::FLIGHT_EXTRATOS_MAX).expect("a small number");
    for cliente in 1..=max + 2 {
        story.extrato("e", cliente);
    }
    story.extrato("again", 1);
    story.credit("t", 1);
    assert_eq!(story.depart().len(), limits::FLIGHT_EXTRATOS_MAX + 1);
    assert_eq!(story.ledger.waiting(), 2);
    story.land(&inserted(1, 9, 0));
    for _ in 0..max {
        story.land(&extrato());
    }
    assert_eq!(story.told.len(), limits::FLIGHT_EXTRATOS_MAX + 2);
    assert_eq!(story.depart(), ["extrato", "extrato"]);
}

#[test]
fn an_error_proves_that_nothing_was_applied() {
    let mut story = Story::new();
    story.credit("a", 1);
    story.credit("b", 2);
    story.extrato("e", 1);
    story.depart();
    assert_eq!(story.land(&error("57014")), Landed::More);
    story.tells(&["a Unavailable", "b Unavailable"]);
    assert_eq!(story.land(&extrato()), BACK);
    story.tells(&["e extrato of 1 bytes"]);
}

#[test]
fn stale_statements_are_sent_again_once_and_first() {
    let mut story = Story::new();
    story.credit("a", 1);
    story.credit("b", 1);
    story.depart();
    story.credit("c", 1);
    assert_eq!(
        story.land(&error("26000")),
        Landed::Flight { prepare: true }
    );
    story.tells(&[]);
    assert_eq!(story.depart(), ["lote"]);
    story.land(&lote(&[1, 2, 3]));
    story.tells(&["a applied 9 1", "b applied 9 2", "c applied 9 3"]);

    story.credit("d", 1);
    story.depart();
    assert_eq!(
        story.land(&error("0A000")),
        Landed::Flight { prepare: true }
    );
    assert_eq!(story.depart(), ["transacao"]);
    assert_eq!(
        story.land(&error("0A000")),
        Landed::Flight { prepare: true }
    );
    story.tells(&["d Unavailable"]);
    assert_eq!(story.depart(), Vec::<String>::new());
}

#[test]
fn an_extrato_is_not_answered_before_transacoes_that_are_sent_again() {
    let mut story = Story::new();
    story.credit("post", 1);
    story.credit("post too", 1);
    story.extrato("get", 1);
    story.depart();
    story.land(&error("42883"));
    // Only the transacoes' call was stale; the extrato's was read too early.
    assert_eq!(story.land(&extrato()), Landed::Flight { prepare: true });
    story.tells(&[]);
    assert_eq!(story.depart(), ["lote", "extrato"]);
    story.land(&lote(&[1, 2]));
    story.land(&extrato());
    story.tells(&[
        "post applied 9 1",
        "post too applied 9 2",
        "get extrato of 1 bytes",
    ]);
}

#[test]
fn a_broken_session_leaves_its_flight_unknown_and_the_queue_waiting() {
    let mut story = Story::new();
    story.credit("a", 1);
    story.extrato("e", 1);
    story.depart();
    story.credit("b", 1);
    story.lose_session();
    story.tells(&["a Unknown", "e Unknown"]);
    assert_eq!(story.depart(), Vec::<String>::new());
    story.ledger.session_found();
    assert_eq!(story.depart(), ["transacao"]);
    story.land(&inserted(1, 9, 0));
    story.tells(&["b applied 9 1"]);
}

#[test]
fn time_runs_out_for_those_who_wait_and_for_those_in_flight() {
    let mut story = Story::new();
    story.credit("flying", 1);
    story.depart();
    story.credit("waiting", 1);
    story.pass(limits::TICK_MS);
    story.tells(&[]);
    story.pass(LATE_MS);
    story.tells(&["flying Unknown", "waiting Unavailable"]);
    // The slot stays until the reply, whose operation is answered already.
    assert_eq!(story.depart(), Vec::<String>::new());
    assert_eq!(story.land(&inserted(1, 9, 0)), BACK);
    story.tells(&[]);
    let late = Operation::new("late", 0, credit(1));
    assert_eq!(story.ledger.submit(late, story.now_ms), Err(Refused::Late));
}

#[test]
fn a_database_that_is_away_for_long_is_answered_for_at_once() {
    let mut story = Story::new();
    story.lose_session();
    story.pass(limits::DATABASE_AWAY_MS - 1);
    story.credit("waits", 1);
    story.pass(2);
    story.tells(&["waits Unavailable"]);
    assert_eq!(story.submit("no", credit(1)), Err(Refused::Away));
    story.ledger.session_found();
    story.credit("yes", 1);
}

#[test]
fn the_queue_is_bounded() {
    let mut story = Story::new();
    for _ in 0..QUEUE_MAX {
        story.credit("in", 1);
    }
    assert_eq!(story.submit("out", credit(1)), Err(Refused::Full));
}

#[test]
fn who_is_gone_before_departure_is_dropped() {
    let mut story = Story::new();
    story.credit("gone", 1);
    story.credit("here", 1);
    assert_eq!(story.depart_without("gone"), ["transacao"]);
    story.land(&inserted(1, 9, 0));
    story.tells(&["here applied 9 1"]);
    story.credit("gone", 1);
    assert_eq!(story.depart_without("gone"), Vec::<String>::new());
    assert_eq!(story.ledger.waiting(), 0);
}

#[test]
fn replies_that_fit_nothing_end_the_session() {
    let mut story = Story::new();
    let unexpected = inserted(1, 9, 0);
    let unexpected = ReplyDecoder::default()
        .decode(&unexpected)
        .expect("a reply")
        .expect("a whole reply");
    assert!(story.ledger.land(&unexpected, |_, _| ()).is_err());
    for wrong in [lote(&[1]), lote(&[1, 2, 3]), inserted(1, 9, 0), reply(&[])] {
        let mut story = Story::new();
        story.credit("a", 1);
        story.credit("b", 1);
        story.depart();
        let wrong = ReplyDecoder::default()
            .decode(&wrong)
            .expect("a reply")
            .expect("whole");
        assert!(story.ledger.land(&wrong, |_, _| ()).is_err());
    }
}
