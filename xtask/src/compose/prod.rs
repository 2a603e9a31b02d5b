//! prod/docker-compose.yml for real: in a copy with secrets of its own, under the same limits.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::composition::Composition;
use super::container::Container;
use super::engine::Engine;
use super::report::Step;
use super::variant::{Folder, Variant};
use super::{all_serve, begin, driver, note};
use crate::checkout::checkout;
use crate::error::Error;
use crate::http::{self, in_words};
use crate::machine;
use crate::programs;
use crate::stack::Address;

/// For an answer, and for the access log, which is written a second late.
const PATIENCE: Duration = Duration::from_secs(10);
/// What the file refers to.
const SHARED: [&str; 4] = ["nginx.conf", "postgresql.conf", "seccomp.json", "sql"];
const SECRETS: [&str; 2] = ["postgres_password.txt", "crebito_password.txt"];
const CERTIFICATE: &str = "secrets/tls_certificate.pem";

/// Brings production up from `image`, asks it, and takes it down.
///
/// # Errors
/// Something is not as it must be.
pub(super) fn prove(engine: &Engine, project: &str, image: &str) -> Result<Step, Error> {
    let name = "production";
    note(format_args!("{name}: up"));
    let (folder, passwords) = copy()?;
    let has_tls = certify(engine, folder.path())?;
    let (port, tls_port) = (machine::free_port()?, machine::free_port()?);
    let environment = vec![
        ("CREBITO_PORT", port.to_string()),
        ("CREBITO_TLS_PORT", tls_port.to_string()),
        ("CREBITO_IMAGE", image.to_owned()),
    ];
    let mut composition = Composition::new(engine, project, folder, environment, port)?;
    if has_tls {
        composition.take_files(&["docker-compose.yml", "docker-compose.tls.yml"])?;
    }
    let (took, containers) = begin(&mut composition, &Variant::default())?;
    let driver = driver(&composition, &containers, &Variant::default())?;
    let operations = all_serve(&composition, &containers)?;
    check_answers(engine, &containers, port)?;
    check_secrets(engine, &containers, &passwords)?;
    if has_tls {
        shake_hands(engine, composition.folder(), tls_port)?;
        refuses_plain_http(tls_port)?;
    }
    composition.take_down()?;
    let name = if has_tls { "production, TLS" } else { name };
    Ok(Step::without_load(name, driver, took, operations))
}

/// A copy of what production needs, and its passwords.
fn copy() -> Result<(Folder, Vec<String>), Error> {
    let (root, checkout) = (tempfile::tempdir(), checkout()?);
    let root = root.map_err(Error::while_doing("a temporary folder"))?;
    for name in SHARED {
        copy_all(&checkout.join(name), &root.path().join(name))?;
    }
    let prod = root.path().join("prod");
    copy_all(&checkout.join("prod"), &prod)?;
    // Those of whoever runs production from this very checkout are nobody's business.
    let secrets = prod.join("secrets");
    let emptied = fs::remove_dir_all(&secrets).and_then(|()| fs::create_dir(&secrets));
    emptied.map_err(Error::while_doing(secrets.display()))?;
    let _ = fs::remove_file(prod.join(".env"));
    let passwords = SECRETS.map(|name| {
        let password = password()?;
        let path = secrets.join(name);
        fs::write(&path, format!("{password}\n")).map_err(Error::while_doing(path.display()))?;
        open(&path)?;
        Ok(password)
    });
    let passwords = passwords.into_iter().collect::<Result<_, Error>>()?;
    let folder = Folder::Below {
        path: prod,
        _root: root,
    };
    Ok((folder, passwords))
}

/// With signs that an URL or a shell would stumble over.
fn password() -> Result<String, Error> {
    let mut bytes = [0; 16];
    let random = fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
    random.map_err(Error::while_doing("/dev/urandom"))?;
    Ok(format!("a:/@%$'{:032x}", u128::from_ne_bytes(bytes)))
}

/// A file, or a folder with all below it.
fn copy_all(from: &Path, to: &Path) -> Result<(), Error> {
    if !from.is_dir() {
        fs::copy(from, to).map_err(Error::while_doing(from.display()))?;
        return open(to);
    }
    fs::create_dir(to).map_err(Error::while_doing(to.display()))?;
    open(to)?;
    for entry in fs::read_dir(from).map_err(Error::while_doing(from.display()))? {
        let entry = entry.map_err(Error::while_doing(from.display()))?;
        copy_all(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}

/// Readable by the containers' accounts, whatever our umask is.
fn open(path: &Path) -> Result<(), Error> {
    let opened = fs::metadata(path).and_then(|metadata| {
        let mut mode = metadata.permissions();
        mode.set_mode(mode.mode() | if path.is_dir() { 0o755 } else { 0o644 });
        fs::set_permissions(path, mode)
    });
    opened.map_err(Error::while_doing(path.display()))
}

/// Makes a certificate of its own, where there is `openssl`.
fn certify(engine: &Engine, prod: &Path) -> Result<bool, Error> {
    let Some(openssl) = programs::on_path("openssl") else {
        note("production: TLS is skipped: there is no `openssl` on PATH");
        return Ok(false);
    };
    let key = "secrets/tls_key.pem";
    let mut request = Command::new(openssl);
    request.current_dir(prod);
    request.args([
        "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
    ]);
    request.args([
        "-subj",
        "/CN=localhost",
        "-keyout",
        key,
        "-out",
        CERTIFICATE,
    ]);
    engine.runner.ask(&mut request)?;
    open(&prod.join(key))?;
    open(&prod.join(CERTIFICATE))?;
    Ok(true)
}

/// NGINX shows the certificate that it was given.
fn shake_hands(engine: &Engine, prod: &Path, port: u16) -> Result<(), Error> {
    let mut client = Command::new("openssl");
    client.current_dir(prod).arg("s_client");
    client.args(["-connect", &format!("127.0.0.1:{port}"), "-brief"]);
    client.args(["-verify_return_error", "-CAfile", CERTIFICATE]);
    engine.runner.ask(&mut client).map(drop)
}

/// Plain HTTP where TLS is spoken is told so in the contract's form.
fn refuses_plain_http(port: u16) -> Result<(), Error> {
    let address = Address::Tcp((Ipv4Addr::LOCALHOST, port).into());
    let said = http::get(&address, "localhost", "/healthz");
    let expected = r#"{"title":"Bad Request","status":400}"#;
    match &said {
        Ok((400, body)) if body == expected => Ok(()),
        _ => Err(Error::new(format!(
            "plain HTTP at the TLS port: {}",
            in_words("/healthz", &said)
        ))),
    }
}

/// A transacao and an extrato are answered, and the extrato's line in the access log has the id
/// that its client was told.
fn check_answers(engine: &Engine, containers: &[Container], port: u16) -> Result<(), Error> {
    let path = "/clientes/1/transacoes";
    let body = r#"{"valor": 1, "tipo": "c", "descricao": "prod"}"#;
    let length = body.len();
    let head = format!("POST {path} HTTP/1.1\r\nContent-Length: {length}\r\n");
    ask(port, &head, body)?;
    let id = ask(port, "GET /clientes/1/extrato HTTP/1.1\r\n", "")?;
    let nginx = containers.iter().find(|one| one.service() == "nginx");
    let nginx = nginx.map_or("", Container::name);
    let start = std::time::Instant::now();
    loop {
        let log = engine
            .runner
            .ask(engine.docker().args(["logs", "--tail", "200", nginx]))?;
        let lines = logged(&log, &id);
        if lines == ["GET /clientes/1/extrato HTTP/1.1 200"] {
            return Ok(());
        }
        if !lines.is_empty() || start.elapsed() > PATIENCE {
            let sentence = format!("the access log has {lines:?} of request {id}\n{log}");
            return Err(Error::new(sentence));
        }
        engine.runner.sleep(Duration::from_millis(100))?;
    }
}

/// Sends a request that must be answered with 200. Returns the id that the answer has.
fn ask(port: u16, head: &str, body: &str) -> Result<String, Error> {
    let exchange = || {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let rest = format!("Host: localhost\r\nConnection: close\r\n\r\n{body}");
        stream.write_all(format!("{head}{rest}").as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map(|_| answer)
    };
    let answer: std::io::Result<String> = exchange();
    let answer = answer.map_err(Error::while_doing(head.trim_end()))?;
    let id = answer
        .lines()
        .find_map(|line| line.strip_prefix("X-Request-Id: "));
    match id {
        Some(id) if answer.starts_with("HTTP/1.1 200 ") => Ok(id.to_owned()),
        _ => Err(Error::new(format!("{head} is answered with\n{answer}"))),
    }
}

/// Request and status of the access log's lines with that id.
fn logged(log: &str, id: &str) -> Vec<String> {
    let lines = log.lines().filter_map(|line| {
        let line: Value = serde_json::from_str(line).ok()?;
        let is_its = line.get("request_id")? == id;
        let (request, status) = (
            line.get("request")?.as_str()?,
            line.get("status")?.as_str()?,
        );
        is_its.then(|| format!("{request} {status}"))
    });
    lines.collect()
}

/// No password is in what the engine tells of a container, its environment above all.
fn check_secrets(
    engine: &Engine,
    containers: &[Container],
    passwords: &[String],
) -> Result<(), Error> {
    let mut inspect = engine.docker();
    inspect
        .arg("inspect")
        .args(containers.iter().map(Container::name));
    let said = engine.runner.ask(&mut inspect)?;
    if !said.contains("PGPASSWORD_FILE=/run/secrets/crebito_password") {
        return Err(Error::new(
            "`docker inspect` does not tell the replicas' environment",
        ));
    }
    // The end alone: the signs before it are written otherwise in JSON.
    let ends = passwords
        .iter()
        .filter_map(|password| password.get(password.len() - 32..));
    match ends.filter(|end| said.contains(end)).count() {
        0 => Ok(()),
        count => Err(Error::new(format!(
            "{count} passwords are in `docker inspect`"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_by_its_id() {
        let log = "\
not JSON
{\"request_id\":\"a\",\"request\":\"GET / HTTP/1.1\",\"status\":\"404\"}
{\"request_id\":\"b\",\"request\":\"GET /b HTTP/1.1\",\"status\":\"200\"}";
        assert_eq!(logged(log, "a"), ["GET / HTTP/1.1 404"]);
        assert_eq!(logged(log, "c"), [""; 0]);
    }

    #[test]
    fn the_copy_has_secrets_of_its_own() {
        let (folder, passwords) = copy().unwrap();
        let secrets = fs::read_dir(folder.path().join("secrets")).unwrap();
        assert_eq!(secrets.count(), SECRETS.len());
        assert_ne!(passwords[0], passwords[1]);
        for name in [
            "docker-compose.tls.yml",
            "../sql",
            "../nginx.conf",
            "../postgresql.conf",
            "postgres/bank.sh",
        ] {
            assert!(folder.path().join(name).exists(), "{name}");
        }
    }
}
