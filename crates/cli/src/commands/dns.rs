//! `hotstage dns`.

use anyhow::Result;
use daemon::{ControlRequest, DnsRequest};

use crate::{
    Answer,
    args::{Dns, DnsCommand},
    commands::ask_services,
};

pub(crate) fn run(arguments: &Dns) -> Result<Answer> {
    let (state, request) = match &arguments.command {
        DnsCommand::Upstreams(upstreams) => (&upstreams.state, DnsRequest::Upstreams),
    };
    ask_services(state, &ControlRequest::Dns(request))
}
