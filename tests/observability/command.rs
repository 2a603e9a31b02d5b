//! `cargo xtask observe` beside `cargo xtask up`, in a home of its own.

use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use xtask::home::Home;
use xtask::observe::{self, Observe, observe};
use xtask::stack::Options;
use xtask::{down, up};

/// A guard, not a measure.
const PATIENCE: Duration = Duration::from_secs(60);

/// Says that it is over, and takes down what runs, also when the test fails.
struct EndOnDrop<'a> {
    home: &'a Home,
    go: &'a AtomicBool,
}

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.go.store(true, Ordering::Relaxed);
        let _ = down::down(self.home);
    }
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "{what}");
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn what_runs_is_watched_until_it_is_told_to_stop() {
    xtask::say_nothing();
    let folder = tempfile::Builder::new()
        .prefix("observe")
        .tempdir_in("/tmp")
        .unwrap();
    // PostgreSQL's account and NGINX's pass through it.
    let open = std::fs::Permissions::from_mode(0o711);
    std::fs::set_permissions(folder.path(), open).unwrap();
    let home = Home::within(&folder.path().join("home"));
    let go = AtomicBool::new(false);
    let error = observe(&home, &Observe::default(), &go).unwrap_err();
    assert!(error.to_string().contains("nothing runs here"), "{error}");

    let asked = up::Up {
        options: Options::new(env!("CARGO_BIN_EXE_crebito")),
        build: false,
        detach: true,
        fresh: false,
    };
    up::up(&home, &asked, &go).unwrap();
    thread::scope(|scope| {
        let _end = EndOnDrop {
            home: &home,
            go: &go,
        };
        let watching = scope.spawn(|| observe(&home, &Observe::default(), &go));
        until("it starts", || {
            assert!(!watching.is_finished(), "it has ended");
            observe::running(&home).is_some()
        });
        let url = observe::running(&home).unwrap();
        let error = observe(&home, &Observe::default(), &go).unwrap_err();
        assert!(error.to_string().contains(&url), "twice: {error}");
        // The stack moves: other ports, the same watcher.
        let targets = home.folder.join("observe/targets/crebito.yml");
        let before = std::fs::read_to_string(&targets).unwrap();
        down::down(&home).unwrap();
        up::up(&home, &asked, &AtomicBool::new(false)).unwrap();
        until("it follows", || {
            std::fs::read_to_string(&targets).is_ok_and(|now| now != before)
        });
        go.store(true, Ordering::Relaxed);
        watching.join().unwrap().unwrap();
    });
    assert_eq!(observe::running(&home), None);
    assert!(
        home.folder.join("observe/data").exists(),
        "samples are kept"
    );
    down::clean(&home).unwrap();
    assert!(!home.folder.exists());
}
