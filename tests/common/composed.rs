//! A bank that somebody else has started, in containers: `cargo xtask compose-test` brings the
//! composition up and says in the environment where it is.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::{Client, Peer, get};

/// The environment variable with the JSON of a [`Composed`].
pub const VARIABLE: &str = "COMPOSED_BANK";

/// Where a composition's parts are.
#[derive(Clone, Debug, Deserialize)]
pub struct Composed {
    /// NGINX: `http://ADDRESS:PORT`, numeric.
    pub url: String,
    /// The replicas' Unix sockets as this process can reach them; none where it cannot.
    pub replicas: Vec<PathBuf>,
    /// What each replica must say that it runs on.
    pub driver: String,
    /// The start of a command line, to which `-c SQL` is appended.
    pub psql: Vec<String>,
    /// The start of a command line of Docker's client.
    #[serde(default)]
    pub docker: Vec<String>,
    /// The replicas' containers, by name or id.
    #[serde(default)]
    pub containers: Vec<String>,
    /// The database's container.
    #[serde(default)]
    pub database: String,
    /// The replicas' image.
    #[serde(default)]
    pub image: String,
}

impl Composed {
    /// What the environment says. Each process behind it must run on the driver that it names.
    pub fn from_environment() -> Self {
        let composed = Self::described();
        for peer in composed.replicas().into_iter().chain([composed.door()]) {
            let health = Client::connect(&peer).and_then(|mut peer| peer.exchange(get("/health")));
            let health = health.expect("a replica answers").json();
            assert_eq!(health["driver"], composed.driver, "{peer:?}: {health}");
        }
        composed
    }

    /// What the environment says, without a look at what is there.
    pub fn described() -> Self {
        let json = std::env::var(VARIABLE);
        let json = json.expect("COMPOSED_BANK is set by cargo xtask compose-test");
        serde_json::from_str(&json).expect("COMPOSED_BANK as documented")
    }

    /// NGINX.
    pub fn door(&self) -> Peer {
        let address = self.url.trim_start_matches("http://").trim_end_matches('/');
        let address: SocketAddr = address
            .parse()
            .expect("the URL of COMPOSED_BANK is numeric");
        Peer::Tcp(address)
    }

    /// The replicas that can be reached.
    pub fn replicas(&self) -> Vec<Peer> {
        self.replicas.iter().cloned().map(Peer::Unix).collect()
    }

    /// Runs SQL in the composition's database; gives what psql prints.
    pub fn psql(&self, sql: &str) -> Result<String, String> {
        output(&self.psql, &["-v", "ON_ERROR_STOP=1", "-c", sql])
    }

    /// Runs Docker's client; gives its standard output.
    pub fn docker(&self, arguments: &[&str]) -> Result<String, String> {
        output(&self.docker, arguments)
    }

    /// A container's log; the server writes it on standard error.
    pub fn docker_log(&self, container: &str) -> Result<String, String> {
        let shell = ["-c".to_owned(), r#"exec "$0" "$@" 2>&1"#.to_owned()];
        let command = [&["sh".to_owned()], &shell[..], &self.docker[..]].concat();
        output(&command, &["logs", container])
    }
}

fn output(command: &[String], arguments: &[&str]) -> Result<String, String> {
    let (program, first) = command
        .split_first()
        .ok_or("COMPOSED_BANK lacks a command")?;
    let output = Command::new(program)
        .args(first)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{program}: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, error) = (text(&output.stdout), text(&output.stderr));
    match output.status.success() {
        true => Ok(out),
        false => Err(format!(
            "{program} {arguments:?}: {}\n{out}{error}",
            output.status
        )),
    }
}
