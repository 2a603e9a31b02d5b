//! The one error of the tasks: a sentence for whoever typed the command.

use std::fmt;

/// What went wrong, as a sentence. Its `Debug` is the same text, so that a test's `unwrap` reads.
pub struct Error(String);

impl Error {
    /// An error that says `sentence`.
    pub fn new(sentence: impl Into<String>) -> Error {
        Error(sentence.into())
    }

    /// For `map_err`: puts what was being done before the reason why it failed.
    pub fn while_doing<E: fmt::Display>(what: impl fmt::Display) -> impl FnOnce(E) -> Error {
        move |reason| Error(format!("{what}: {reason}"))
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
