//! Telling clients that they can ask us encrypted (DDR, RFC 9462), so that phones do it by themselves.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::settings::Designated;

/// Keys of service parameters (RFC 9460 section 14.3.2, RFC 9461 section 5).
const ALPN: u16 = 1;
const PORT: u16 = 3;
const IPV4_HINT: u16 = 4;
const IPV6_HINT: u16 = 6;
const DOH_PATH: u16 = 7;
/// The path that we serve (RFC 8484 section 4.1, as a URI template).
const PATH: &[u8] = b"/dns-query{?dns}";

impl Designated {
    /// RDATA of type SVCB (RFC 9460 section 2.2), one for each protocol; DNS over TLS is preferred: it costs less.
    pub(crate) fn rdatas(&self, name: &[u8]) -> Vec<Box<[u8]>> {
        let tls = self.tls_port.map(|port| self.rdata(1, name, b"dot", port, None));
        let https = self.https_port.map(|port| self.rdata(2, name, b"h2", port, Some(PATH)));
        tls.into_iter().chain(https).collect()
    }

    /// Parameters stand in the order of their keys.
    fn rdata(&self, priority: u16, name: &[u8], alpn: &[u8], port: u16, path: Option<&[u8]>) -> Box<[u8]> {
        let mut rdata = priority.to_be_bytes().to_vec();
        rdata.extend_from_slice(name);
        let mut add = |key: u16, value: &[u8]| {
            if !value.is_empty() {
                rdata.extend_from_slice(&key.to_be_bytes());
                rdata.extend_from_slice(&(value.len() as u16).to_be_bytes());
                rdata.extend_from_slice(value);
            }
        };
        add(ALPN, &[&[alpn.len() as u8], alpn].concat());
        add(PORT, &port.to_be_bytes());
        add(IPV4_HINT, &self.ipv4.iter().flat_map(Ipv4Addr::octets).collect::<Vec<u8>>());
        add(IPV6_HINT, &self.ipv6.iter().flat_map(Ipv6Addr::octets).collect::<Vec<u8>>());
        add(DOH_PATH, path.unwrap_or_default());
        rdata.into()
    }
}
