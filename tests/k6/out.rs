//! Samples that leave while it runs, for what draws them: into a real Prometheus.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use xtask::k6::{Options, Scenario};

use crate::{run, short, stack};

/// Longer than a start takes on a crowded machine; the end of patience, not a measure.
const PATIENCE: Duration = Duration::from_secs(60);

/// A Prometheus that takes what is written to it; killed on drop.
struct Prometheus {
    process: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Prometheus {
    /// None where the program is not on this machine.
    fn start() -> Option<Prometheus> {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("prometheus.yml");
        fs::write(&config, "{}\n").unwrap();
        let port = xtask::free_port().unwrap();
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--web.enable-remote-write-receiver")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let process = command.spawn().ok()?;
        let prometheus = Prometheus {
            process,
            port,
            _folder: folder,
        };
        let started = Instant::now();
        while !prometheus
            .ask("/-/ready")
            .is_some_and(|said| said.contains(" 200 "))
        {
            assert!(started.elapsed() < PATIENCE, "Prometheus does not start");
            thread::sleep(Duration::from_millis(50));
        }
        Some(prometheus)
    }

    fn ask(&self, target: &str) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        let request = format!("GET {target} HTTP/1.0\r\nHost: localhost\r\n\r\n");
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }

    /// The sum over all series of that name, of the last hour.
    fn sum(&self, name: &str) -> f64 {
        let query = format!("sum(last_over_time({name}[1h]))");
        let encoded: String = query.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let target = format!("/api/v1/query?query={encoded}");
        let answer = self.ask(&target).unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        let body: Value = serde_json::from_str(body).unwrap();
        let value = body["data"]["result"][0]["value"][1].as_str();
        value.map_or(-1.0, |value| value.parse().unwrap())
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn prometheus_is_written_to_while_it_runs() {
    let Some(prometheus) = Prometheus::start() else {
        eprintln!(
            "skipped: prometheus is not on this machine (Debian: apt-get install prometheus)"
        );
        return;
    };
    let stack = stack();
    let url = format!("http://127.0.0.1:{}/api/v1/write", prometheus.port);
    let env = [
        ("K6_OUT", "experimental-prometheus-rw"),
        ("K6_PROMETHEUS_RW_SERVER_URL", &url),
    ];
    let options = Options {
        env: env
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        ..short(Scenario::Contest, 1, 6)
    };
    let summary = run(Scenario::Contest, &stack, &options);
    // To the last: k6 flushes at its end.
    #[allow(clippy::cast_precision_loss, reason = "a few thousand")]
    let requests = summary.requests as f64;
    assert!(requests > 0.0);
    let sent = prometheus.sum("k6_http_reqs_total{name=~\"/clientes.*\"}");
    assert!((sent - requests).abs() < 0.5, "{sent} of {requests}");
    for (name, kind) in [
        ("k6_latency_p98", "extratos"),
        ("k6_latency_p50", "debitos"),
    ] {
        let seconds = prometheus.sum(&format!("{name}{{kind=\"{kind}\"}}"));
        assert!(0.0 < seconds && seconds < 60.0, "{name}: {seconds}");
    }
    assert!(prometheus.sum("k6_inconsistencies_total").abs() < 0.5);
}
