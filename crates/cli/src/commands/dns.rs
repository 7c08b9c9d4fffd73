//! `hotstage dns`.

use anyhow::{Result, bail};
use daemon::{ControlAnswer, ControlRequest, DnsRequest};

use crate::{
    Answer,
    args::{Dns, DnsCommand},
    commands::ask_services,
    output,
};

pub(crate) fn run(arguments: &Dns) -> Result<Answer> {
    let (state, request) = match &arguments.command {
        DnsCommand::Upstreams(upstreams) => (&upstreams.state, DnsRequest::Upstreams),
    };
    match ask_services(state, &ControlRequest::Dns(request))? {
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
