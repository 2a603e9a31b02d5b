//! Many cases share one stack: their failures are collected, and asserted at the end.

use std::fmt::Debug;
use std::sync::Mutex;

/// What failed so far; several threads may tell it.
#[derive(Default)]
pub struct Report {
    failures: Mutex<Vec<String>>,
    cases: std::sync::atomic::AtomicUsize,
}

impl Report {
    /// A report in which nothing was checked yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts a case, and records a failure with its detail.
    pub fn check(&self, name: &str, passed: bool, detail: impl FnOnce() -> String) -> bool {
        self.cases
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        if !passed {
            let mut failures = self
                .failures
                .lock()
                .expect("no case panics while it reports");
            failures.push(format!("{name}: {}", detail()));
        }
        passed
    }

    /// Counts a case: equal.
    pub fn equal<T: PartialEq<U> + Debug, U: Debug>(&self, name: &str, got: T, want: U) -> bool {
        let passed = got == want;
        self.check(name, passed, || {
            format!("\n    got  {got:?}\n    want {want:?}")
        })
    }

    /// Counts a case: not an error; gives the value.
    pub fn ok<T, E: Debug>(&self, name: &str, result: Result<T, E>) -> Option<T> {
        self.check(name, result.is_ok(), || match &result {
            Ok(_) => String::new(),
            Err(error) => format!("{error:?}"),
        });
        result.ok()
    }

    /// Asserts that something was checked and nothing failed.
    pub fn finish(self) {
        let failures = self
            .failures
            .into_inner()
            .expect("no case panics while it reports");
        let cases = self.cases.into_inner();
        assert!(cases > 0, "nothing was checked");
        assert!(
            failures.is_empty(),
            "{} of {cases} checks failed:\n{}",
            failures.len(),
            failures.join("\n")
        );
    }
}
