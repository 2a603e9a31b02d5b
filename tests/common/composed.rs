//! A bank that somebody else has started, in containers: `cargo xtask compose-test` brings the
//! composition up and says in the environment where it is.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::{Client, Peer, get};

/// The environment variable with the JSON of a [`Composed`].
pub const VARIABLE: &str = "COMPOSED_BANK";

/// Where a composition's parts are. Fields beyond these are for other tests.
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
}

impl Composed {
    /// What the environment says. Each process behind it must run on the driver that it names.
    pub fn from_environment() -> Self {
        let json =
            std::env::var(VARIABLE).expect("COMPOSED_BANK is set by cargo xtask compose-test");
        let composed: Self = serde_json::from_str(&json).expect("COMPOSED_BANK as documented");
        for peer in composed.replicas().into_iter().chain([composed.door()]) {
            let health = Client::connect(&peer).and_then(|mut peer| peer.exchange(get("/health")));
            let health = health.expect("a replica answers").json();
            assert_eq!(health["driver"], composed.driver, "{peer:?}: {health}");
        }
        composed
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
        let (program, arguments) = self.psql.split_first().ok_or("psql is empty")?;
        let output = Command::new(program)
            .args(arguments)
            .args(["-v", "ON_ERROR_STOP=1", "-c", sql])
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("{program}: {error}"))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match output.status.success() {
            true => Ok(text(&output.stdout)),
            false => Err(text(&output.stderr)),
        }
    }
}
