use std::net::{IpAddr, SocketAddr};

/// A line of pfSense's packet filter, split into its fields. Empty text = the line does not say.
///
/// Source: Netgate documentation, "Raw Filter Log Format".
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FilterLog<'a> {
    /// Rule number.
    pub rule: &'a str,
    /// Number that stays with a rule when others are put before it.
    pub tracker: &'a str,
    /// Interface in the firewall's own spelling.
    pub interface: &'a str,
    /// Why it was logged, mostly `match`.
    pub reason: &'a str,
    /// `pass`, `block` or `reject`.
    pub action: &'a str,
    /// `in` or `out`.
    pub direction: &'a str,
    /// Name of the protocol in lower case, e.g. `tcp`.
    pub protocol: &'a str,
    /// Sender; port 0 where the protocol has none.
    pub source: SocketAddr,
    /// Receiver; port 0 where the protocol has none.
    pub destination: SocketAddr,
    /// What follows, by protocol: data length, TCP flags, ICMP type.
    pub rest: &'a str,
}

/// Splits the message of a `filterlog` line; `None` when it is none, or cut. Works for IPv4 and IPv6.
///
/// ```text
/// rule,sub-rule,anchor,tracker,interface,reason,action,direction,4,tos,ecn,ttl,id,offset,flags,number,protocol,length,
///   source,destination[,source port,destination port,...]
/// rule,...,direction,6,class,flow label,hop limit,protocol,number,length,source,destination[,...]
/// ```
pub fn filterlog(message: &str) -> Option<FilterLog<'_>> {
    let mut fields = message.splitn(9, ',');
    let (rule, _sub_rule, _anchor, tracker) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let (interface, reason, action, direction) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let (version, rest) = fields.next()?.split_once(',')?;
    // Fields before the protocol, and between it and the length.
    let (before, between) = match version {
        "4" => (7, 0),
        "6" => (3, 1),
        _ => return None,
    };
    let mut fields = rest.splitn(before + between + 5, ',');
    let protocol = fields.nth(before)?;
    let _length = fields.nth(between)?;
    let (source, destination): (IpAddr, IpAddr) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    let rest = fields.next().unwrap_or_default();
    let (source_port, destination_port, rest) = match protocol {
        "tcp" | "udp" | "sctp" | "TCP" | "UDP" => {
            let mut ports = rest.splitn(3, ',');
            let mut port = || ports.next()?.parse::<u16>().ok();
            (port()?, port()?, ports.next().unwrap_or_default())
        }
        _ => (0, 0, rest),
    };
    Some(FilterLog {
        rule,
        tracker,
        interface,
        reason,
        action,
        direction,
        protocol,
        source: SocketAddr::new(source, source_port),
        destination: SocketAddr::new(destination, destination_port),
        rest,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(message: &str, want: Option<(&str, &str, &str, &str, &str)>) {
        let line = filterlog(message);
        let got = line.as_ref().map(|line| {
            (line.action, line.interface, line.protocol, line.source.to_string(), line.destination.to_string())
        });
        let want = want.map(|(action, interface, protocol, source, destination)| {
            (action, interface, protocol, source.to_owned(), destination.to_owned())
        });
        assert_eq!(got, want, "{message}");
    }

    #[test]
    fn splits_lines_of_pfsense() {
        for (message, want) in [
            (
                "4,,,1000000103,igb0,match,block,in,4,0x0,,64,4711,0,DF,6,tcp,60,192.0.2.7,198.51.100.2,51515,443,0,S,123456,,64240,,mss;sackOK",
                Some(("block", "igb0", "tcp", "192.0.2.7:51515", "198.51.100.2:443")),
            ),
            (
                "62,,,1770001239,ovpns1,match,pass,out,4,0x10,,128,0,0,none,17,udp,76,192.0.2.7,203.0.113.9,123,123,56",
                Some(("pass", "ovpns1", "udp", "192.0.2.7:123", "203.0.113.9:123")),
            ),
            (
                "4,,,1000000103,igb0,match,block,in,4,0x0,,1,0,0,none,1,icmp,84,192.0.2.7,198.51.100.2,request,1,2",
                Some(("block", "igb0", "icmp", "192.0.2.7:0", "198.51.100.2:0")),
            ),
            (
                "5,,,1000000105,igb1,match,block,in,6,0x00,0x00000,255,udp,17,88,2001:db8::7,2001:db8::53,5353,5353,88",
                Some(("block", "igb1", "udp", "[2001:db8::7]:5353", "[2001:db8::53]:5353")),
            ),
            (
                "6,,,1000000105,igb1.27,match,block,in,6,0x00,0xf6279,1,UDP,17,32,2001:db8::1,ff02::1:2,546,547,32",
                Some(("block", "igb1.27", "UDP", "[2001:db8::1]:546", "[ff02::1:2]:547")),
            ),
            (
                "5,,,1000000105,igb1,match,block,in,6,0x00,0x00000,1,Options,0,36,2001:db8::7,2001:db8::16,HBH,PADN",
                Some(("block", "igb1", "Options", "[2001:db8::7]:0", "[2001:db8::16]:0")),
            ),
            ("4,,,1,igb0,match,block,in,4,0x0,,64,1,0,DF,6,tcp,60,192.0.2.7,198.51.100.2,99999,443,0", None),
            ("4,,,1,igb0,match,block,in,4,0x0,,64", None),
            ("4,,,1,igb0,match,block,in,9,0x0", None),
            ("", None),
        ] {
            check(message, want);
        }
        let line =
            filterlog("4,,,103,igb0,match,block,in,4,0x0,,64,1,0,DF,6,tcp,60,192.0.2.7,192.0.2.8,1,2,0,S").unwrap();
        assert_eq!(
            (line.rule, line.tracker, line.reason, line.direction, line.rest),
            ("4", "103", "match", "in", "0,S")
        );
    }

    proptest! {
        #[test]
        fn any_text_is_an_answer(message in "[0-9a-z:.,]{0,120}") {
            let _ = filterlog(&message);
        }
    }
}
