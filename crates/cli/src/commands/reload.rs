//! `hotstage reload`.

use anyhow::{Result, bail};
use daemon::{ControlAnswer, ControlRequest};

use crate::{Answer, args::Reload, commands::ask_services, output};

pub(crate) fn run(arguments: &Reload) -> Result<Answer> {
    match ask_services(&arguments.state, &ControlRequest::Reload { apply: arguments.apply })? {
        Some(ControlAnswer::Done { says }) => {
            says.iter().try_for_each(|line| output::line(line))?;
            Ok(Answer::Good)
        }
        Some(ControlAnswer::Refused { says }) => {
            says.iter().for_each(|line| output::note(line));
            Ok(Answer::Bad)
        }
        Some(ControlAnswer::Lease { .. } | ControlAnswer::Missed { .. }) | None => {
            bail!("the services ended before they answered")
        }
    }
}
