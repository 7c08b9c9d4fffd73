//! The workspace's own checks and release steps: `cargo xtask layers`, `cargo xtask ci`.

mod ci;
mod layers;

use std::process::ExitCode;

fn main() -> ExitCode {
    let command = std::env::args().nth(1).unwrap_or_default();
    let result = match command.as_str() {
        "layers" => layers::run(),
        "ci" => ci::run(),
        _ => Err(anyhow::anyhow!("usage: cargo xtask layers|ci")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("xtask: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "xtask talks to a person at a terminal")]
fn complain(text: &str) {
    eprintln!("{text}");
}

#[expect(clippy::print_stdout, reason = "xtask talks to a person at a terminal")]
fn say(text: &str) {
    println!("{text}");
}
