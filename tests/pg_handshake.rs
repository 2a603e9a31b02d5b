//! The way to a session: what is sent, what is refused and how it is said.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod pg_messages;

use bytes::BytesMut;
use crebito::pg::{Handshake, HandshakeError, Prepare, Progress, Target};
use pg_messages::startup::{SETTINGS, STATEMENTS, authentication, ok, parsed, prepared, settled};
use pg_messages::{error, message, notice, notification, ready, splits};
use proptest::prelude::*;

const TCP: &str = "postgres://md5_user:password@db/banco";
const UNIX: &str = "postgres://md5_user:password@/banco";
const WITHOUT: &str = "postgres://md5_user@/banco";

/// Runs a handshake on what the server sends, `step(at)` bytes at a time. Gives how it ended and
/// what was sent.
fn run(url: &str, bytes: &[u8], step: impl Fn(usize) -> usize) -> (String, BytesMut) {
    let target = Target::parse(url, None).unwrap();
    let mut handshake = Handshake::new(&target, SETTINGS, STATEMENTS);
    let (mut input, mut out) = (BytesMut::new(), BytesMut::new());
    handshake.begin(&mut out);
    let mut end = 0;
    loop {
        match handshake.advance(&mut input, &mut out) {
            Ok(Progress::Ready(backend)) => {
                let left = input.len() + bytes.len() - end;
                let (id, version) = (backend.process_id, backend.server_version);
                return (format!("ready {id} {version}, {left} left"), out);
            }
            Ok(Progress::NeedData) if end == bytes.len() => return ("need data".into(), out),
            Ok(Progress::NeedData) => {}
            Err(error) => {
                assert!(!format!("{error} {error:?}").contains("password@"));
                // Over is over: nothing that comes later starts a session.
                let later = handshake.advance(&mut BytesMut::from(&ok()[..]), &mut out);
                assert!(later.is_err(), "{url}: {later:?} after {error}");
                return (error.to_string(), out);
            }
        }
        let next = (end + step(end).max(1)).min(bytes.len());
        input.extend_from_slice(&bytes[end..next]);
        end = next;
    }
}

/// The tags of what was sent after the StartupMessage.
fn tags(sent: &[u8]) -> String {
    let mut tags = String::new();
    let mut rest = &sent[length(sent)..];
    while let Some((tag, after)) = rest.split_first() {
        tags.push(char::from(*tag));
        rest = &after[length(after)..];
    }
    tags
}

fn length(bytes: &[u8]) -> usize {
    usize::try_from(u32::from_be_bytes(bytes[..4].try_into().unwrap())).unwrap()
}

/// However split: how it ends begins with `want`, and `sent` are the tags of what was sent.
fn check(name: &str, url: &str, messages: &[Vec<u8>], want: &str, sent: &str) {
    let bytes = messages.concat();
    for (how, step) in [
        ("at once", bytes.len()),
        ("byte by byte", 1),
        ("by sevens", 7),
    ] {
        let (got, out) = run(url, &bytes, |_| step);
        assert!(
            got.starts_with(want),
            "{name}, {how}: got {got:?}, want {want:?}"
        );
        assert_eq!(tags(&out), sent, "{name}, {how}");
    }
}

fn clear() -> Vec<u8> {
    authentication(3, b"")
}

fn md5() -> Vec<u8> {
    authentication(5, b"\x2a\x3d\x8f\xe0")
}

/// With and without channel binding, as a server with TLS offers it.
fn sasl() -> Vec<u8> {
    authentication(10, b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0")
}

#[test]
fn logins() {
    let done = "ready 258 15.8 (Debian), 0 left";
    let all = || [ok(), settled(), prepared()].concat();
    check("trust", WITHOUT, &[all()], done, "CPDCPDS");
    let noisy = [notice(), notification(), all()];
    check("notices first", WITHOUT, &noisy, done, "CPDCPDS");
    let more = [all(), notice()];
    check(
        "more",
        TCP,
        &more,
        "ready 258 15.8 (Debian), 38 left",
        "CPDCPDS",
    );
    check("clear, Unix", UNIX, &[clear(), all()], done, "pCPDCPDS");
    check("md5", TCP, &[md5(), all()], done, "pCPDCPDS");
    check("one of two", TCP, &[sasl()], "need data", "p");
}

#[test]
fn logins_that_fail() {
    let asks = "PostgreSQL asks for ";
    let clear_tcp = format!("{asks}the password in clear text, which is only sent over a Unix");
    check("clear, TCP", TCP, &[clear()], &clear_tcp, "");
    let missing =
        format!("{asks}a password: give it in DATABASE_URL, PGPASSWORD or PGPASSWORD_FILE");
    for method in [clear(), md5(), sasl()] {
        check("no password", WITHOUT, &[method], &missing, "");
    }
    let fatal = |code| error("FATAL", code, "no");
    let wrong = "FATAL 28P01: no; detail: more of it (the user or the password in DATABASE_URL";
    check("wrong", TCP, &[md5(), fatal("28P01")], wrong, "p");
    check(
        "no database",
        TCP,
        &[ok(), fatal("3D000")],
        "FATAL 3D000: no",
        "",
    );
    check("starting up", TCP, &[fatal("57P03")], "FATAL 57P03: no", "");
    for encoding in ["LATIN1", "SQL_ASCII"] {
        let parameter = format!("server_encoding\0{encoding}\0");
        let ascii = message(b'S', parameter.as_bytes());
        let want = format!("the database's encoding is {encoding}, and descricoes are UTF-8");
        check("encoding", TCP, &[ok(), ascii], &want, "");
    }
    let late = [ok(), settled(), fatal("57P01")];
    check("going down", TCP, &late, "FATAL 57P01: no", "CPDCPDS");
    for (kind, name) in [(2, "Kerberos"), (6, "SCM"), (7, "GSSAPI"), (9, "SSPI")] {
        let want = format!("{asks}{name}");
        check(name, TCP, &[authentication(kind, b"")], &want, "");
    }
    let plus = authentication(10, b"SCRAM-SHA-256-PLUS\0\0");
    let want = format!("{asks}SCRAM-SHA-256-PLUS authentication, which crebito does not know");
    check("channel binding only", TCP, &[plus], &want, "");
    let scram = "SCRAM with PostgreSQL failed: ";
    let unproven = format!("{scram}the server did not prove that it knows the password; is it");
    check("SCRAM skipped", TCP, &[sasl(), ok()], &unproven, "p");
    let nonce = authentication(11, b"r=another,s=AAAA,i=4096");
    let want = format!("{scram}invalid nonce");
    check("another's nonce", TCP, &[sasl(), nonce], &want, "p");
}

#[test]
fn what_is_not_the_protocol() {
    let cases = [
        ("another method", authentication(99, b"")),
        ("a method cut short", message(b'R', b"\0\0\0")),
        ("version", message(b'v', b"\0\x03\0\0\0\0\0\0")),
        ("HTTP", b"HTTP/1.1 400 Bad Request\r\n".to_vec()),
        ("ready at once", ready()),
        ("names cut short", authentication(10, b"SCRAM-SHA-256")),
        ("malformed error", message(b'E', b"Mx\0\0")),
        ("a row", message(b'D', b"\0\0")),
        ("no length", b"R\0\0\0\0".to_vec()),
    ];
    let broken = "not the PostgreSQL protocol: ";
    for (name, bytes) in cases {
        check(name, TCP, &[bytes], broken, "");
    }
    check("md5 after SCRAM", TCP, &[sasl(), md5()], broken, "p");
    check("a second method", TCP, &[md5(), clear()], broken, "p");
    check("Ok twice", TCP, &[ok(), ok()], broken, "");
}

#[test]
fn what_is_sent_is_exact() {
    let (_, out) = run(TCP, &md5(), |_| 1);
    let startup = b"\0\0\0\x6b\0\x03\0\0user\0md5_user\0database\0banco\0\
        application_name\0crebito\0client_encoding\0UTF8\0statement_timeout\x002000\0\0";
    let hash = b"p\0\0\0\x28md562af4dd09bbb41884907a838a3233294\0";
    assert_eq!(
        out.escape_ascii().to_string(),
        [&startup[..], hash].concat().escape_ascii().to_string()
    );
    let mut out = BytesMut::new();
    Prepare::new(&STATEMENTS[..1]).begin(&mut out);
    let want =
        b"C\0\0\0\x0aSsoma\0P\0\0\0\x27soma\0SELECT soma($1, $2)\0\0\x02\0\0\0\x14\0\0\0\x19\
        D\0\0\0\x0aSsoma\0S\0\0\0\x04";
    assert_eq!(
        out.escape_ascii().to_string(),
        want.escape_ascii().to_string()
    );
}

#[test]
fn preparing() {
    let soma = || parsed(&[20, 25], &[20]);
    let lead = || [ok(), settled()].concat();
    let end = |messages: &[Vec<u8>], want: &str| {
        check(want, WITHOUT, &[lead(), messages.concat()], want, "CPDCPDS");
    };
    let schema = "the database's schema does not fit: ";
    for code in ["42883", "3F000", "42P01", "42703", "42804", "42809"] {
        let failed = [message(b'3', b""), error("ERROR", code, "no such"), ready()];
        let tail = "no such; detail: more of it; run on it, in this order: sql/soma.sql";
        end(&failed, &format!("{schema}soma: ERROR {code}: {tail}"));
    }
    let second = [
        soma(),
        message(b'3', b""),
        error("ERROR", "42883", "no such"),
        ready(),
    ];
    end(&second, &format!("{schema}nada: ERROR 42883"));
    end(
        &[soma(), error("ERROR", "57014", "late"), ready()],
        "ERROR 57014: late",
    );
    end(&[soma(), error("ERROR", "57014", "late")], "need data");
    let other = [parsed(&[20, 25], &[23]), parsed(&[], &[]), ready()];
    let gives =
        "soma gives columns of types [23], not [20]; run on it, in this order: sql/soma.sql";
    end(&other, &format!("{schema}{gives}"));
    let more = [parsed(&[20, 25], &[20, 20]), parsed(&[], &[20]), ready()];
    end(
        &more,
        &format!("{schema}soma gives columns of types [20, 20], not [20]"),
    );
    let none = [parsed(&[20, 25], &[]), parsed(&[], &[]), ready()];
    end(
        &none,
        &format!("{schema}soma gives columns of types [], not [20]"),
    );
    let params = [parsed(&[20], &[20]), parsed(&[], &[]), ready()];
    end(
        &params,
        &format!("{schema}soma takes parameters of types [20], not [20, 25]"),
    );
    let both = [
        parsed(&[20, 25], &[23]),
        error("ERROR", "42883", "no such"),
        ready(),
    ];
    end(&both, &format!("{schema}soma gives"));
    let broken = "not the PostgreSQL protocol: another message while preparing, ";
    end(
        &[message(b'1', b"")],
        &format!("{broken}CloseComplete should"),
    );
    end(&[soma(), ready()], &format!("{broken}CloseComplete should"));
    end(
        &[soma(), parsed(&[], &[]), message(b'Z', b"T")],
        &format!("{broken}ReadyForQuery should"),
    );
    end(
        &[soma(), message(b'3', b""), message(b'!', b"")],
        "not the PostgreSQL protocol: unknown",
    );
}

#[test]
fn preparing_again_starts_anew() {
    let mut prepare = Prepare::new(STATEMENTS);
    let mut out = BytesMut::new();
    prepare.begin(&mut out);
    let first = out.split();
    let failed = [message(b'3', b""), error("ERROR", "42883", "gone"), ready()].concat();
    let failed = prepare.advance(&mut BytesMut::from(&failed[..]));
    assert!(matches!(
        failed,
        Err(HandshakeError::Schema {
            files: &["sql/soma.sql"],
            ..
        })
    ));
    prepare.begin(&mut out);
    assert_eq!(out, first);
    let mut input = BytesMut::from(&[prepared(), notice()].concat()[..]);
    assert_eq!(prepare.advance(&mut input), Ok(true));
    assert_eq!(input, notice(), "what follows stays");
    let mut nothing = Prepare::new(&[]);
    nothing.begin(&mut out);
    assert_eq!(nothing.advance(&mut BytesMut::from(&ready()[..])), Ok(true));
}

fn a_message() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(ok()),
        Just(authentication(3, b"")),
        Just(authentication(5, b"salt")),
        Just(settled()),
        Just(prepared()),
        Just(parsed(&[20, 25], &[20])),
        Just(ready()),
        Just(notice()),
        Just(error("ERROR", "42883", "no such")),
        Just(error("FATAL", "57P01", "bye")),
        proptest::collection::vec(any::<u8>(), 0..30).prop_map(|body| message(b'R', &body)),
        proptest::collection::vec(any::<u8>(), 0..30),
    ]
}

proptest! {
    #[test]
    fn any_split_gives_the_same(
        messages in proptest::collection::vec(a_message(), 0..8),
        led in any::<bool>(),
        steps in splits(),
    ) {
        let lead = if led { [ok(), settled()].concat() } else { Vec::new() };
        let bytes = [lead, messages.concat()].concat();
        // The only thing sent that is not the same each time is SCRAM's nonce.
        prop_assume!(!bytes.windows(5).any(|window| window == b"SCRAM"));
        let whole = run(UNIX, &bytes, |_| bytes.len());
        prop_assert_eq!(&whole, &run(UNIX, &bytes, |_| 1));
        prop_assert_eq!(&whole, &run(UNIX, &bytes, |at| steps[at % steps.len()]));
    }
}
