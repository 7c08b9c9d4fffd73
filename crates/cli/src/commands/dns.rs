//! `hotstage dns`.

use anyhow::Result;
use daemon::{ControlRequest, DnsRequest, FlushWhat};

use crate::{
    Answer,
    args::{Dns, DnsCommand},
    commands::ask_services,
};

pub(crate) fn run(arguments: &Dns) -> Result<Answer> {
    let (state, request) = match &arguments.command {
        DnsCommand::Upstreams(upstreams) => (&upstreams.state, DnsRequest::Upstreams),
        DnsCommand::Explain(explain) => {
            let (name, qtype) = (explain.name.clone(), explain.qtype.clone());
            (&explain.state.state, DnsRequest::Explain { name, qtype })
        }
        DnsCommand::Top(top) => (&top.state.state, DnsRequest::Top { most: top.most }),
        DnsCommand::Flush(flush) => {
            let what = match (&flush.name, &flush.suffix) {
                (Some(name), _) => FlushWhat::Name(name.clone()),
                (None, Some(suffix)) => FlushWhat::Suffix(suffix.clone()),
                (None, None) => FlushWhat::All,
            };
            (&flush.state.state, DnsRequest::Flush(what))
        }
    };
    ask_services(state, &ControlRequest::Dns(request))
}
