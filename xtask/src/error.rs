//! The one error of the tasks: a sentence for whoever typed the command.

use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::Output;

/// What went wrong, as a sentence. Its `Debug` is the same text, so that a test's `unwrap` reads.
pub struct Error(String);

impl Error {
    /// An error that says `sentence`.
    pub fn new(sentence: impl Into<String>) -> Error {
        Error(sentence.into())
    }

    /// Ctrl-C, or another request to end.
    pub(crate) fn interrupted() -> Error {
        Error::new("interrupted; what had been started is stopped")
    }

    /// What the failed program `name` has to say; at the least, how it ended.
    pub(crate) fn of_program(name: &str, output: &Output) -> Error {
        const SIGINT: i32 = 2;
        let said = brief(&String::from_utf8_lossy(&output.stderr));
        match (output.status.signal(), said.trim()) {
            (Some(SIGINT), _) => Error::interrupted(),
            (_, "") => Error(format!("{name}: {}", output.status)),
            (_, said) => Error(format!("{name}: {said}")),
        }
    }

    /// For `map_err`: puts what was being done before the reason why it failed.
    pub fn while_doing<E: fmt::Display>(what: impl fmt::Display) -> impl FnOnce(E) -> Error {
        move |reason| Error(format!("{what}: {reason}"))
    }
}

/// The first and the last lines of what a program says a thousand times (`cp` on a full disk).
fn brief(said: &str) -> String {
    const KEPT: usize = 10;
    let lines: Vec<&str> = said.lines().collect();
    match lines.len().saturating_sub(2 * KEPT) {
        0 => said.to_owned(),
        more => {
            let (first, last) = (&lines[..KEPT], &lines[KEPT + more..]);
            let between = format!("({more} more lines)");
            [first, &[&between], last].concat().join("\n")
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, ExitStatus};

    #[test]
    fn a_failed_program_is_never_without_words() {
        let check = |script: &str, expected: &str| {
            let output = Command::new("sh").args(["-c", script]).output().unwrap();
            let said = Error::of_program("sh", &output).to_string();
            assert_eq!(said, expected, "{script}");
        };
        check("echo no such file >&2; exit 1", "sh: no such file");
        check("exit 3", "sh: exit status: 3");
        let script = "seq 30 >&2; exit 1";
        let first = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10";
        let last = "21\n22\n23\n24\n25\n26\n27\n28\n29\n30";
        check(script, &format!("sh: {first}\n(10 more lines)\n{last}"));
        // Made by hand: a shell that was started in the background may not be interrupted.
        let output = Output {
            status: ExitStatus::from_raw(2),
            stdout: Vec::new(),
            stderr: Vec::new(),
        };
        let said = Error::of_program("sh", &output).to_string();
        assert_eq!(said, "interrupted; what had been started is stopped");
    }
}
