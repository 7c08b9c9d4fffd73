//! What the server says about a client's name: option 39 (RFC 4704).

use model::HostName;

use crate::{
    Engine, Mode,
    message::{MessageType, code},
    request::Request,
};

/// The flags of RFC 4704 section 4.1.
const SERVER_UPDATES: u8 = 0b001;
const OVERRIDES: u8 = 0b010;

impl Engine {
    /// The option for a client that sent its own and lists it in option 6 (section 6), where leases have names. The
    /// server's own DNS knows the name from the lease, so the server does the update (S), also for clients that meant to
    /// do it themselves (O).
    pub(crate) fn client_fqdn(&self, request: &Request<'_>) -> Option<Vec<u8>> {
        let flags = *request.message.option(code::CLIENT_FQDN)?.first()?;
        let subnet = &self.subnets[request.subnet];
        let has_leases = match request.message.message_type {
            MessageType::Solicit | MessageType::Request | MessageType::Renew | MessageType::Rebind => {
                subnet.mode == Mode::Stateful
            }
            _ => false,
        };
        if !has_leases || !request.message.requests(code::CLIENT_FQDN) {
            return None;
        }
        let name = self.name_of(request)?;
        let domain = subnet.options().iter().find(|(code, _)| *code == code::DOMAIN_SEARCH)?.1.as_slice();
        let overrides = if flags & SERVER_UPDATES == 0 { OVERRIDES } else { 0 };
        let len = u8::try_from(name.as_str().len()).ok()?;
        Some([&[SERVER_UPDATES | overrides, len], name.as_str().as_bytes(), domain].concat())
    }

    /// As its lease says, and before there is one as the client does.
    fn name_of(&self, request: &Request<'_>) -> Option<HostName> {
        let mut leased = request.associations().into_iter().filter_map(|association| {
            let address = self.bindings.find(request.subnet, &request.duid, association.iaid)?;
            let slot = self.bindings.slot(address).filter(|slot| slot.is_bound_to(&request.duid, association.iaid))?;
            slot.lease.host_name.clone()
        });
        leased.next().or_else(|| request.message.host_name())
    }
}
