//! `hotstage reload`.

use anyhow::Result;
use daemon::ControlRequest;

use crate::{Answer, args::Reload, commands::ask_services};

pub(crate) fn run(arguments: &Reload) -> Result<Answer> {
    ask_services(&arguments.state, &ControlRequest::Reload { apply: arguments.apply })
}
