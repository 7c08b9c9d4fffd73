//! Settings that cannot be served are refused with a message that names the place.

use super::*;
use crate::{Reservation, ReservationKey};

#[test]
fn mistakes_are_named() {
    type Change = fn(&mut Settings);
    let table: [(Change, &str); 16] = [
        (|settings| settings.server_duid.truncate(2), "the server's DUID has 2 octets, 3 to 130 are allowed"),
        (|settings| settings.subnets[1].id = SubnetId(0), "subnets `attendee` and `crew` have the same id SubnetId(0)"),
        (
            |settings| settings.subnets[1].prefix = "2001:db8::/32".parse().unwrap(),
            "subnets `attendee` and `crew` overlap",
        ),
        (
            |settings| settings.subnets[1].direct_interfaces = vec![INTERFACE],
            "interface 2 is given to two subnets, the second is `crew`",
        ),
        (
            |settings| settings.subnets[1].pools = vec![(crew(2), crew(1))],
            "pool 2001:db8:0:2::2 to 2001:db8:0:2::1 of subnet `crew` ends before it starts",
        ),
        (
            |settings| settings.subnets[1].pools = vec![(attendee(1), crew(1))],
            "pool 2001:db8:0:1::1 to 2001:db8:0:2::1 is outside the prefix 2001:db8:0:2::/64 of subnet `crew`",
        ),
        (
            |settings| settings.subnets[1].pools.push((crew(0x109), crew(0x200))),
            "two pools of subnet `crew` overlap at 2001:db8:0:2::109",
        ),
        (
            |settings| reserve(settings, &[attendee(1)]),
            "reserved address 2001:db8:0:1::1 is outside the prefix 2001:db8:0:2::/64 of subnet `crew`",
        ),
        (
            |settings| reserve(settings, &[crew(0)]),
            "reserved address 2001:db8:0:2:: of subnet `crew` is a router's or a server's own",
        ),
        (
            |settings| reserve(settings, &[crew(1), crew(1)]),
            "address 2001:db8:0:2::1 of subnet `crew` is reserved twice",
        ),
        (
            |settings| settings.subnets[1].name_servers = vec![crew(1); 64],
            "subnet `crew` lists 64 servers of one kind, at most 63 are sent",
        ),
        (
            |settings| settings.subnets[1].domain = Some("a..b".into()),
            "domain `a..b` of subnet `crew` is not a domain name of ASCII letters, digits and hyphens",
        ),
        (
            |settings| settings.subnets[1].captive_portal = Some("no uri".into()),
            "captive portal `no uri` of subnet `crew` is not a URI of at most 512 ASCII characters",
        ),
        (
            |settings| settings.subnets[1].preferred = Duration::from_secs(9),
            "preferred lifetime of subnet `crew` is shorter than 10 s",
        ),
        (
            |settings| settings.subnets[1].preferred = Duration::from_secs(9000),
            "preferred lifetime of subnet `crew` is longer than its valid lifetime",
        ),
        (|settings| settings.sol_max_rt = Some(Duration::from_secs(59)), "SOL_MAX_RT is 59 s, 60 to 86400 are allowed"),
    ];
    assert!(Engine::new(example(), 1).is_ok());
    for (change, message) in table {
        let mut settings = example();
        change(&mut settings);
        assert_eq!(Engine::new(settings, 1).map(|_| ()).map_err(|error| error.to_string()), Err(message.to_owned()));
    }
}

fn reserve(settings: &mut Settings, addresses: &[Ipv6Addr]) {
    let reservation = |(number, &address): (u16, &Ipv6Addr)| Reservation {
        client: ReservationKey::Mac(mac(number)),
        address,
        host_name: None,
    };
    settings.subnets[1].reservations = (0..).zip(addresses).map(reservation).collect();
}
