//! The server as it is run and measured: built by cargo, static as in the image.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::checkout::checkout;
use crate::error::Error;

/// What rustc is told: no loader and no glibc of its own in a replica's memory, 0.7 MB of 4.
pub const STATIC: [&str; 2] = ["-C", "target-feature=+crt-static"];

/// Builds the server with a profile, and returns the path of its binary in cargo's own words.
///
/// # Errors
/// It does not compile, which cargo has said; or glibc's static part is missing.
pub(crate) fn server(profile: &str) -> Result<PathBuf, Error> {
    run(command(profile).current_dir(checkout()?))
}

/// A binary that was named, found now: a bare name is a file here and not one on PATH.
///
/// # Errors
/// There is none.
pub fn named(path: &str) -> Result<PathBuf, String> {
    std::fs::canonicalize(path).map_err(|reason| reason.to_string())
}

/// The flag is the binary's alone: dependencies, macros and build scripts are those of `cargo
/// build`, and the user's own flags hold.
fn command(profile: &str) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args(["rustc", "--profile", profile, "--bin", "crebito"])
        .arg("--message-format=json-render-diagnostics")
        .arg("--")
        .args(STATIC)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    command
}

fn run(command: &mut Command) -> Result<PathBuf, Error> {
    let output = command
        .output()
        .map_err(Error::while_doing("cargo rustc"))?;
    if !output.status.success() {
        // Its errors are on the terminal already.
        let error = Error::of_program("the build failed", &output);
        return Err(match libc_is_missing() {
            true => Error::new(format!(
                "{error}; a static server wants glibc's libc.a, which is not here \
                 (apt-get install libc6-dev)"
            )),
            false => error,
        });
    }
    let executable = |line: &str| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        Some(PathBuf::from(message.get("executable")?.as_str()?))
    };
    let said = String::from_utf8_lossy(&output.stdout);
    let path = said.lines().filter_map(executable).next_back();
    path.ok_or_else(|| Error::new("cargo did not say where it put the binary `crebito`"))
}

/// Asked of the linker's driver, which says the bare name of what it does not find.
fn libc_is_missing() -> bool {
    let asked = Command::new("cc").arg("-print-file-name=libc.a").output();
    asked.is_ok_and(|output| output.stdout.trim_ascii() == b"libc.a")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A program that says what is mapped into it, and whether the user's own flag reached it.
    const PROGRAM: &str = r#"fn main() {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        println!("asked={}\n{maps}", cfg!(asked));
    }"#;
    const MANIFEST: &str = "[package]\nname = \"crebito\"\nedition = \"2024\"\n
        [lints.rust]\nunexpected_cfgs = \"allow\"\n[profile.profiling]\ninherits = \"dev\"\n";

    #[test]
    fn the_binary_is_static_and_the_user_s_flags_hold() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("src")).unwrap();
        fs::write(folder.path().join("Cargo.toml"), MANIFEST).unwrap();
        fs::write(folder.path().join("src/main.rs"), PROGRAM).unwrap();
        let target = folder.path().join("elsewhere");
        let mut command = command("profiling");
        command
            .current_dir(folder.path())
            .env("CARGO_TARGET_DIR", &target)
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .env("RUSTFLAGS", "--cfg asked");
        let built = run(&mut command).unwrap();
        assert!(built.starts_with(&target), "{}", built.display());
        let said = Command::new(&built).output().unwrap().stdout;
        let said = String::from_utf8(said).unwrap();
        assert!(said.starts_with("asked=true\n"), "{said}");
        assert!(said.contains("/crebito\n"), "{said}");
        assert!(!said.contains(".so"), "{said}");
    }
}
