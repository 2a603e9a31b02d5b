//! The project's own tests, told where the composition is.

use std::process::Command;

use serde_json::{Value, json};

use super::composition::Composition;
use super::container::Container;
use super::runner::Runner;
use crate::checkout::checkout;
use crate::error::Error;

/// What a test file that knows compositions reads.
const VARIABLE: &str = "COMPOSED_BANK";

/// The test files that are run in each composition, in this order: the contest's checks want a
/// bank at its start.
pub(super) const CONTRACT: [&str; 2] = ["contest", "contract"];
/// Those which follow them in the composition as it is shipped.
pub(super) const MORE: [&str; 3] = [WIRE, "linearizability", "failures"];
/// That which wants the replicas' own sockets.
pub(super) const WIRE: &str = "http_wire";
/// That which asks whether our profile is in force.
pub(super) const SECCOMP: &str = "seccomp";

/// Compiles them, so that the composition does not wait for it.
pub(super) fn build(runner: &Runner) -> Result<(), Error> {
    let mut cargo = cargo()?;
    cargo.arg("--no-run");
    for name in CONTRACT.iter().chain(&MORE).chain([&SECCOMP]) {
        cargo.args(["--test", name]);
    }
    cargo.stdout(std::io::stderr());
    let status = runner.run(&mut cargo)?;
    let failed = || Error::new(format!("the tests do not compile ({status})"));
    status.success().then_some(()).ok_or_else(failed)
}

/// Runs those tests of file `name` that are for a composition. Returns how many passed.
pub(super) fn run(runner: &Runner, name: &str, bank: &Value) -> Result<u32, Error> {
    let mut cargo = cargo()?;
    cargo.args(["--test", name, "--", "--ignored", "composed"]);
    let output = runner.output(cargo.env(VARIABLE, bank.to_string()))?;
    let said = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        let build = String::from_utf8_lossy(&output.stderr);
        return Err(Error::new(format!("tests/{name} failed\n{build}\n{said}")));
    }
    match passed(&said) {
        0 => Err(Error::new(format!(
            "tests/{name} has no test for a composition"
        ))),
        passed => Ok(passed),
    }
}

/// Where the composition's parts are.
pub(super) fn bank(composition: &Composition, containers: &[Container], driver: &str) -> Value {
    let replicas = composition.file.replicas();
    let socket = |name: &String| {
        composition
            .sockets()
            .map(|folder| folder.join(name.clone() + ".sock"))
    };
    let sockets: Vec<_> = replicas.iter().filter_map(socket).collect();
    let container = |service: &str| {
        let mut found = containers.iter().filter(|one| one.service() == service);
        found.next().map_or("", Container::name).to_owned()
    };
    let names: Vec<String> = replicas.iter().map(|name| container(name)).collect();
    let services = &composition.file.services;
    let image = replicas.first().and_then(|name| services.get(name));
    let psql = composition.psql(containers);
    json!({
        "url": composition.url(),
        "replicas": sockets,
        "driver": driver,
        "psql": psql,
        "docker": [psql.first()],
        "containers": names,
        "database": container("db"),
        "image": image.map(|replica| &replica.image),
    })
}

fn cargo() -> Result<Command, Error> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["test", "--quiet"]).current_dir(checkout()?);
    Ok(command)
}

/// Of lines such as `test result: ok. 7 passed; 0 failed; …`.
fn passed(said: &str) -> u32 {
    let counts = said.lines().filter_map(|line| {
        let counts = line.strip_prefix("test result: ok. ")?;
        counts.split(' ').next()?.parse::<u32>().ok()
    });
    counts.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passed_tests_are_counted() {
        let said = "running 1 test\n.\ntest result: ok. 1 passed; 0 failed; 0 ignored\n\n\
                    test result: ok. 12 passed; 0 failed; 3 ignored\n";
        assert_eq!(passed(said), 13);
        assert_eq!(passed("test result: FAILED. 1 passed; 1 failed\n"), 0);
        assert_eq!(passed(""), 0);
    }
}
