//! The `hotstage` program: parse arguments, call one function, choose an exit code.
//!
//! It has no rules of its own: what a plan means, what is wrong with it, how services behave is decided in the
//! crates below. Start at [`args`] for the commands and at `commands` for what each one calls.

mod args;
mod commands;
mod live;
mod output;
mod plan_dir;

use std::{io, process::ExitCode};

use clap::Parser;

use crate::args::{Arguments, Command};

/// How a command that ran has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Answer {
    /// Done, and the answer is good: exit code 0.
    Good,
    /// Done, and the answer is bad: exit code 1.
    Bad,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.command {
        Command::Init(init) => commands::init::run(&init),
        Command::Check(check) => commands::check::run(&check),
        Command::Show(show) => commands::show::run(&show),
        Command::Rehearse(rehearse) => commands::rehearse::run(&rehearse),
        Command::Run(run) => commands::run::run(&run),
        Command::Reload(reload) => commands::reload::run(&reload),
        Command::Dns(dns) => commands::dns::run(&dns),
        Command::Import(import) => commands::import::run(&import),
        Command::Leases(leases) => commands::leases::run(&leases),
        Command::Logs(logs) => commands::logs::run(&logs),
        Command::Samples(samples) => commands::samples::run(&samples),
        Command::Incidents(incidents) => commands::incidents::run(&incidents),
        Command::Alerts(alerts) => commands::alerts::run(&alerts),
        Command::Feeds(feeds) => commands::feeds::run(&feeds),
        Command::Report(report) => commands::report::run(&report),
    };
    match result {
        Ok(Answer::Good) => ExitCode::SUCCESS,
        Ok(Answer::Bad) => ExitCode::from(1),
        // Whoever read our output has seen enough, e.g. `hotstage logs | head`.
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::complain(&error);
            ExitCode::from(2)
        }
    }
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}
