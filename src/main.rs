//! The `crebito` binary: allocator, settings, start, exit code; no logic.

use crebito::config::{self, Command};
use crebito::{journal, worker};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("crebito: {sentence}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    match config::read()? {
        Command::Serve(settings) => {
            journal::start(settings.log, settings.log_format);
            worker::serve(&settings)
        }
        Command::Check(settings) => {
            journal::start(settings.log, settings.log_format);
            worker::check(&settings).map(|found| println!("{found}"))
        }
        Command::Health(listen, every) => {
            worker::ask(&listen, every).map(|health| println!("{health}"))
        }
    }
}
