use std::{net::Ipv4Addr, time::Duration};

use super::{attendee, crew, example, mac};
use crate::{Engine, PoolSettings, Reservation, ReservationKey, Settings};

fn check(change: impl FnOnce(&mut Settings), want: &str) {
    let mut settings = example();
    change(&mut settings);
    let error = Engine::new(settings, 0).expect_err(want);
    assert!(error.to_string().contains(want), "{error}");
}

#[test]
fn settings_that_cannot_be_served_are_refused() {
    let reserve = |number, address| Reservation {
        client: ReservationKey::Mac(mac(number)),
        address,
        host_name: None,
        options: Vec::new(),
    };
    check(|settings| settings.subnets[0].pools[0].last = attendee(9), "ends before it starts");
    check(|settings| settings.subnets[0].pools[0].last = crew(9), "outside the prefix");
    check(
        |settings| settings.subnets[0].pools.push(PoolSettings::common(attendee(19), attendee(30))),
        "overlap at 198.51.100.19",
    );
    check(|settings| settings.subnets[1].prefix = "198.51.100.128/25".parse().unwrap(), "is outside the prefix");
    check(
        |settings| {
            settings.subnets[1] = settings.subnets[0].clone();
            settings.subnets[1].id.0 = 1;
        },
        "overlap",
    );
    check(|settings| settings.subnets[1].id.0 = 0, "same id");
    check(|settings| settings.subnets[1].direct_interfaces = vec![2], "interface 2");
    check(|settings| settings.subnets[0].gateway = Some(crew(1)), "gateway 203.0.113.1");
    check(|settings| settings.subnets[0].reservations = vec![reserve(1, crew(5))], "reserved address 203.0.113.5");
    check(|settings| settings.subnets[0].reservations = vec![reserve(1, attendee(1))], "a router's");
    let twice = [reserve(1, attendee(5)), reserve(2, attendee(5))];
    check(|settings| settings.subnets[0].reservations = twice.to_vec(), "reserved twice");
    let two = [reserve(1, attendee(5)), reserve(1, attendee(6))];
    check(|settings| settings.subnets[0].reservations = two.to_vec(), "two reservations");
    check(|settings| settings.subnets[0].lease = Duration::from_secs(9), "shorter than 10 s");
    check(|settings| settings.subnets[0].name_servers = vec![Ipv4Addr::LOCALHOST; 64], "64 servers");
    for domain in ["", ".", "a..b", "a b", "日本.example", &"a.".repeat(128), &"a".repeat(64)] {
        check(|settings| settings.subnets[0].domain = Some(domain.into()), "not a domain name");
    }
}
