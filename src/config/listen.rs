//! Where HTTP is served.

use crate::limits;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// An address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// `host:port`
    Tcp(String),
    /// A Unix socket's path.
    Unix(PathBuf),
}

impl Listen {
    /// Where worker `index` of `workers` listens: the same TCP address for all, a path of its
    /// own on Unix (`api.sock` becomes `api.0.sock`, `api.1.sock`).
    pub fn of_worker(&self, index: usize, workers: usize) -> Listen {
        match self {
            Listen::Unix(path) if workers > 1 => Listen::Unix(numbered(path, index)),
            other => other.clone(),
        }
    }
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            if !path.starts_with('/') {
                return Err("a Unix socket's path begins with /, as in unix:/run/api.sock".into());
            }
            if path.len() > limits::LISTEN_PATH_BYTES_MAX {
                return Err(format!(
                    "the path has {} bytes, a socket's may have {}",
                    path.len(),
                    limits::LISTEN_PATH_BYTES_MAX
                ));
            }
            return Ok(Listen::Unix(path.into()));
        }
        let port = text
            .rsplit_once(':')
            .and_then(|(_, port)| port.parse::<u16>().ok());
        match port {
            Some(_) if !text.starts_with(':') => Ok(Listen::Tcp(text.into())),
            _ => Err("expected host:port (0.0.0.0:8080) or unix:/path".into()),
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Listen::Tcp(address) => f.write_str(address),
            Listen::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

fn numbered(path: &Path, index: usize) -> PathBuf {
    match path.extension() {
        Some(extension) => path.with_extension(format!("{index}.{}", extension.display())),
        None => path.with_extension(index.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listen_addresses() {
        let tcp = |text: &str| Ok(Listen::Tcp(text.into()));
        let unix = |text: &str| Ok(Listen::Unix(text.into()));
        let cases = [
            ("0.0.0.0:8080", tcp("0.0.0.0:8080")),
            ("[::1]:80", tcp("[::1]:80")),
            ("localhost:1", tcp("localhost:1")),
            ("unix:/run/api.sock", unix("/run/api.sock")),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<Listen>(), expected, "{text}");
        }
        for text in [
            "",
            "8080",
            ":8080",
            "host:",
            "host:65536",
            "host:x",
            "unix:",
            "unix:a",
        ] {
            assert!(text.parse::<Listen>().is_err(), "{text}");
        }
        assert!(
            format!("unix:/{}", "a".repeat(100))
                .parse::<Listen>()
                .is_err()
        );
    }

    #[test]
    fn workers_have_paths_of_their_own() {
        let path = |text: &str| Listen::Unix(text.into());
        assert_eq!(path("/r/api.sock").of_worker(0, 1), path("/r/api.sock"));
        assert_eq!(path("/r/api.sock").of_worker(1, 2), path("/r/api.1.sock"));
        assert_eq!(path("/r/api").of_worker(0, 2), path("/r/api.0"));
        let tcp = Listen::Tcp("a:1".into());
        assert_eq!(tcp.of_worker(1, 2), tcp);
    }
}
