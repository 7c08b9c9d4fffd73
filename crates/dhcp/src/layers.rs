//! Which options a client is told: those of its reservation, then of its classes, then of its subnet.

use std::net::Ipv4Addr;

use crate::{Engine, OptionSetting, class::bit, request::Request};

impl Engine {
    /// The options for this client, the most particular first; of several with one code the first counts.
    pub(crate) fn options_for<'e>(
        &'e self,
        request: &Request<'_>,
        address: Option<Ipv4Addr>,
    ) -> impl Iterator<Item = &'e OptionSetting> + Clone + use<'e> {
        let subnet = &self.subnets[request.subnet];
        let reserved = address.map_or(&[][..], |address| subnet.reserved_options(address));
        let set = request.classes;
        let classes = self.settings.classes.iter().enumerate();
        let of_classes = classes.filter(move |(index, _)| set & bit(*index) != 0).flat_map(|(_, class)| &class.options);
        reserved.iter().chain(of_classes).chain(subnet.options())
    }
}
