//! Runs the programs of the test: each in a process group of its own, so that Ctrl-C is for the
//! task alone, which then ends the program and takes everything down.

use std::fs::File;
use std::io::{Read, Seek};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::error::Error;

/// How often a running program and Ctrl-C are looked at.
const LOOKED_EVERY: Duration = Duration::from_millis(5);
/// For a program to end by itself once it was asked to.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs programs until it is interrupted.
#[derive(Clone, Debug)]
pub(super) struct Runner {
    interrupted: Arc<AtomicBool>,
}

impl Runner {
    /// Ends what runs once `interrupted` is set, and then starts nothing more.
    pub fn new(interrupted: Arc<AtomicBool>) -> Runner {
        Runner { interrupted }
    }

    /// One that nothing interrupts: for taking down.
    pub fn unstoppable() -> Runner {
        Runner::new(Arc::default())
    }

    /// An error once Ctrl-C was pressed.
    pub fn go_on(&self) -> Result<(), Error> {
        match self.interrupted.load(Ordering::Relaxed) {
            true => Err(Error::interrupted()),
            false => Ok(()),
        }
    }

    /// Sleeps, unless it is interrupted.
    pub fn sleep(&self, time: Duration) -> Result<(), Error> {
        let until = Instant::now() + time;
        while Instant::now() < until {
            self.go_on()?;
            thread::sleep(LOOKED_EVERY.min(until - Instant::now()));
        }
        Ok(())
    }

    /// What `command` says on stdout; an error with its stderr if it fails.
    pub fn ask(&self, command: &mut Command) -> Result<String, Error> {
        let output = self.output(command)?;
        if !output.status.success() {
            return Err(Error::of_program(&name(command), &output));
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Runs `command` to its end, whatever that is.
    pub fn output(&self, command: &mut Command) -> Result<Output, Error> {
        // Files and not pipes: nobody has to read while the program is waited for.
        let files = tempfile::tempfile().and_then(|out| Ok((out, tempfile::tempfile()?)));
        let (stdout, stderr) = files.map_err(Error::while_doing("a temporary file"))?;
        let copies = stdout
            .try_clone()
            .and_then(|out| Ok((out, stderr.try_clone()?)));
        let (out, err) = copies.map_err(Error::while_doing("a temporary file"))?;
        let status = self.run(command.stdout(out).stderr(err))?;
        let read = |mut file: File| {
            let mut text = Vec::new();
            file.rewind()?;
            file.read_to_end(&mut text).map(|_| text)
        };
        let both = read(stdout).and_then(|out| Ok((out, read(stderr)?)));
        let (stdout, stderr) = both.map_err(Error::while_doing("a temporary file"))?;
        Ok(Output {
            status,
            stdout,
            stderr,
        })
    }

    /// Runs `command` to its end, with its output wherever that goes.
    pub fn run(&self, command: &mut Command) -> Result<ExitStatus, Error> {
        self.go_on()?;
        let named = name(command);
        let spawned = command.stdin(Stdio::null()).process_group(0).spawn();
        let mut child = spawned.map_err(Error::while_doing(&named))?;
        loop {
            if let Some(status) = child.try_wait().map_err(Error::while_doing(&named))? {
                return Ok(status);
            }
            if self.go_on().is_err() {
                end(&mut child);
                return Err(Error::interrupted());
            }
            thread::sleep(LOOKED_EVERY);
        }
    }
}

/// The program and what it was to do, without options, which may be long.
fn name(command: &Command) -> String {
    let arguments = command
        .get_args()
        .map(|argument| argument.to_string_lossy());
    let program = command.get_program().to_string_lossy().into_owned();
    let words = arguments.filter(|word| !word.starts_with('-')).take(3);
    words.fold(program, |name, word| name + " " + &word)
}

/// SIGINT for its whole group; SIGKILL after that.
fn end(child: &mut Child) {
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let signal = |signal| group.map(|group| kill_process_group(group, signal));
    signal(Signal::INT);
    let start = Instant::now();
    while matches!(child.try_wait(), Ok(None)) && start.elapsed() < PATIENCE {
        thread::sleep(LOOKED_EVERY);
    }
    signal(Signal::KILL);
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_says_is_heard() {
        let runner = Runner::unstoppable();
        let shell = |script: &str| runner.ask(Command::new("sh").args(["-c", script]));
        assert_eq!(shell("echo one; echo two >&2").unwrap(), "one");
        let failed = shell("echo why >&2; exit 3").unwrap_err().to_string();
        assert!(failed.contains("why"), "{failed}");
    }

    #[test]
    fn an_interrupt_ends_what_runs_and_its_children() {
        let interrupted = Arc::new(AtomicBool::new(false));
        let runner = Runner::new(interrupted.clone());
        let script = "sleep 600 & echo $!; wait";
        let folder = tempfile::tempdir().unwrap();
        let heard = folder.path().join("pid");
        thread::scope(|scope| {
            let run = scope.spawn(|| {
                let out = File::create(&heard).unwrap();
                runner.run(Command::new("bash").args(["-c", script]).stdout(out))
            });
            let child = loop {
                match std::fs::read_to_string(&heard).unwrap_or_default().trim() {
                    "" => thread::sleep(Duration::from_millis(1)),
                    pid => break pid.parse::<u32>().unwrap(),
                }
            };
            interrupted.store(true, Ordering::Relaxed);
            assert!(run.join().unwrap().is_err());
            let is_there = || crate::process::stat(child).is_some_and(|stat| stat.state != 'Z');
            let start = Instant::now();
            while is_there() {
                assert!(start.elapsed() < PATIENCE, "{child} still runs");
                thread::sleep(Duration::from_millis(1));
            }
        });
        assert!(runner.ask(&mut Command::new("true")).is_err());
    }
}
