//! SCRAM-SHA-256 against a server's half written here: each side must prove that it knows the
//! password.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(clippy::panic, reason = "likewise")]

mod pg_messages;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::BytesMut;
use crebito::pg::{Handshake, HandshakeError, Progress, Target};
use hmac::{Hmac, KeyInit, Mac};
use pg_messages::error;
use pg_messages::startup::{SETTINGS, STATEMENTS, authentication, ok, prepared, settled};
use postgres_protocol::password::scram_sha_256;
use sha2::{Digest, Sha256};

const URL: &str = "postgres://md5_user:password@db/banco";

/// The server's half of SCRAM-SHA-256 (RFC 5802, RFC 7677), for a role with `password`.
struct ScramServer {
    salt: String,
    stored_key: Vec<u8>,
    server_key: Vec<u8>,
    exchanged: String,
}

impl ScramServer {
    fn new(password: &str) -> ScramServer {
        // SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey, as pg_authid has it.
        let verifier = scram_sha_256(password.as_bytes());
        let parts: Vec<&str> = verifier.split(['$', ':']).collect();
        let [_, "4096", salt, stored, server] = parts[..] else {
            panic!("{verifier}")
        };
        ScramServer {
            salt: salt.to_owned(),
            stored_key: STANDARD.decode(stored).unwrap(),
            server_key: STANDARD.decode(server).unwrap(),
            exchanged: String::new(),
        }
    }

    /// Answers the client's first message, `n,,n=,r=nonce`.
    fn first(&mut self, client: &str) -> Vec<u8> {
        let bare = client.strip_prefix("n,,").unwrap();
        let nonce = bare.strip_prefix("n=,r=").unwrap();
        let answer = format!("r={nonce}mais,s={},i=4096", self.salt);
        self.exchanged = format!("{bare},{answer}");
        authentication(11, answer.as_bytes())
    }

    /// Answers the client's last message, `c=biws,r=nonce,p=proof`; `None` if the proof is wrong.
    fn last(&mut self, client: &str) -> Option<Vec<u8>> {
        let (without_proof, proof) = client.rsplit_once(",p=").unwrap();
        let exchanged = format!("{},{without_proof}", self.exchanged);
        let signature = hmac(&self.stored_key, &exchanged);
        let proof = STANDARD.decode(proof).unwrap();
        let key: Vec<u8> = proof.iter().zip(signature).map(|(a, b)| a ^ b).collect();
        let proven = Sha256::digest(key)[..] == self.stored_key[..];
        let signature = STANDARD.encode(hmac(&self.server_key, &exchanged));
        proven.then(|| authentication(12, format!("v={signature}").as_bytes()))
    }
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// Plays SCRAM against a server that knows `password`, `step` bytes at a time, and forges the
/// server's signature if `forged`.
fn scram(url: &str, password: &str, step: usize, forged: bool) -> String {
    let target = Target::parse(url, None).unwrap();
    let mut server = ScramServer::new(password);
    let mut handshake = Handshake::new(&target, SETTINGS, STATEMENTS);
    let mut out = BytesMut::new();
    let mut send = |messages: Vec<u8>| -> Result<(Progress, String), HandshakeError> {
        let mut input = BytesMut::new();
        let mut progress = Progress::NeedData;
        for piece in messages.chunks(step) {
            assert_eq!(progress, Progress::NeedData);
            input.extend_from_slice(piece);
            progress = handshake.advance(&mut input, &mut out)?;
        }
        Ok((progress, String::from_utf8_lossy(&out.split()).into_owned()))
    };
    let mut play = || -> Result<Progress, HandshakeError> {
        let (_, sent) = send(authentication(10, b"SCRAM-SHA-256\0\0"))?;
        let (_, sent) = send(server.first(&sent[sent.find("n,,").unwrap()..]))?;
        let last = server.last(&sent[sent.find("c=").unwrap()..]);
        let mut last = last.unwrap_or_else(|| error("FATAL", "28P01", "no"));
        if forged {
            // Still base64, whatever the nonce made of it: what fails is the proof.
            last[20] = if last[20] == b'A' { b'B' } else { b'A' };
        }
        send([last, ok(), settled(), prepared()].concat()).map(|(progress, _)| progress)
    };
    match play() {
        Ok(progress) => format!("{progress:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn scram_proves_both_sides() {
    for step in [1, 7, 10_000] {
        let known = [
            (URL, "password"),
            ("postgres://ana:sen%C3%A7a%20%25@/b", "sença %"),
        ];
        for (url, password) in known {
            let got = scram(url, password, step, false);
            assert!(
                got.starts_with("Ready(Backend { process_id: 258"),
                "{url}: {got}"
            );
        }
        let got = scram(URL, "another", step, false);
        assert!(got.starts_with("FATAL 28P01: no"), "{got}");
        let got = scram(URL, "password", step, true);
        assert!(
            got.starts_with("SCRAM with PostgreSQL failed: SCRAM verification"),
            "{got}"
        );
    }
}
