//! A replica in a process of its own, whose every allocation dhat can count: this same program
//! once more, with one test to run, which serves.

use std::fmt::Write as _;
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use crebito::config::{IoDriver, Listen, SchedPolicy, Settings};
use crebito::journal::Format;
use crebito::pg::Target;
use crebito::{limits, worker};
use tempfile::TempDir;

use crate::common::{self, Client, Peer};

/// Longer than a start takes here: a guard, never a measure.
const GUARD: Duration = Duration::from_secs(30);
/// Frames of a backtrace that are shown: those nearest to the allocation.
const FRAMES_SHOWN: usize = 12;

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// A replica that is counted; killed on drop.
pub struct Counted {
    child: Child,
    orders: ChildStdin,
    said: BufReader<ChildStdout>,
    folder: TempDir,
}

/// What was allocated while it was counted.
pub struct Allocated {
    pub blocks: u64,
    /// Where, one backtrace a place.
    pub places: String,
}

impl Counted {
    /// Starts one, and waits until it is well.
    pub fn start(driver: &str, database_url: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let program = std::fs::read_link("/proc/self/exe").expect("Linux");
        let mut child = Command::new(program)
            // In one thread no test is run beside the main thread's work, which could allocate.
            .args(["--ignored", "--exact", "--nocapture", "--test-threads=1"])
            .arg("counted_replica")
            .env_clear()
            .env("IO_DRIVER", driver)
            .env("DATABASE_URL", database_url)
            .env("FOLDER", folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program runs");
        let replica = Self {
            orders: child.stdin.take().expect("it is piped"),
            said: BufReader::new(child.stdout.take().expect("it is piped")),
            child,
            folder,
        };
        replica.wait_until_well();
        replica
    }

    pub fn peer(&self) -> Peer {
        Peer::Unix(socket(self.folder.path()))
    }

    /// Counts what the whole process allocates during `load`.
    pub fn count(&mut self, load: impl FnOnce()) -> Allocated {
        self.order();
        load();
        self.order();
        let json = std::fs::read(profile(self.folder.path())).expect("the profile is there");
        read(&serde_json::from_slice(&json).expect("dhat writes JSON"))
    }

    /// Begins to count, or ends it, and waits until that is done.
    fn order(&mut self) {
        self.orders.write_all(b"\n").expect("the replica runs");
        // What the test harness prints comes before.
        let mut said = self.said.by_ref().bytes();
        let done = said.any(|byte| byte.expect("the replica runs") == DONE);
        assert!(done, "the replica ended");
    }

    fn wait_until_well(&self) {
        let since = Instant::now();
        let health = || Client::connect(&self.peer())?.exchange(common::get("/health"));
        while !health().is_ok_and(|response| response.status == 200) {
            assert!(since.elapsed() < GUARD, "it does not start: {:?}", health());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The replica's side: serves until it is killed.
pub fn serve() {
    let setting = |name| std::env::var(name).expect("the test sets it");
    let folder = PathBuf::from(setting("FOLDER"));
    let driver = match setting("IO_DRIVER").as_str() {
        "epoll" => IoDriver::Epoll,
        _ => IoDriver::IoUring,
    };
    let settings = Settings {
        database: Target::parse(&setting("DATABASE_URL"), None).expect("a URL"),
        listen: Listen::Unix(socket(&folder)),
        admin_listen: None,
        workers: 1,
        io_driver: driver,
        sched_policy: SchedPolicy::Batch,
        connections_max: limits::CONNECTIONS_MAX,
        queue_max: limits::QUEUE_MAX,
        pause_us: limits::PAUSE_FLIGHT_US,
        flight_max: None,
        log: log::LevelFilter::Off,
        log_format: Format::Text,
        slow_ms: None,
        revision: String::new(),
    };
    std::thread::spawn(move || obey(&profile(&folder)));
    worker::serve(&settings).expect("it can serve");
}

/// Each byte that comes begins to count, or ends it and writes what was counted.
fn obey(profile: &Path) {
    let (mut orders, mut out) = (std::io::stdin().lock(), std::io::stdout().lock());
    let mut profiler = None;
    while orders.read_exact(&mut [0]).is_ok() {
        profiler = match profiler.take() {
            None => Some(dhat::Profiler::builder().file_name(profile).build()),
            Some(counting) => {
                drop(counting);
                None
            }
        };
        out.write_all(&[DONE]).expect("the test listens");
        out.flush().expect("the test listens");
    }
}

/// What says that an order was obeyed; no text has it.
const DONE: u8 = 0;

fn socket(folder: &Path) -> PathBuf {
    folder.join("api.sock")
}

fn profile(folder: &Path) -> PathBuf {
    folder.join("dhat.json")
}

/// Reads dhat's own format: places (`pps`) with their blocks (`tbk`) and frames (`fs`).
fn read(profile: &serde_json::Value) -> Allocated {
    let (mut blocks, mut places) = (0, String::new());
    for place in profile["pps"].as_array().expect("places") {
        let count = place["tbk"].as_u64().expect("a count");
        blocks += count;
        let _ = writeln!(places, "{count} blocks, {} bytes:", place["tb"]);
        let frames = place["fs"].as_array().expect("frames").iter();
        for frame in frames.filter_map(|at| at.as_u64()).take(FRAMES_SHOWN) {
            let at = usize::try_from(frame).expect("an index");
            let _ = writeln!(places, "    {}", profile["ftbl"][at]);
        }
    }
    Allocated { blocks, places }
}
