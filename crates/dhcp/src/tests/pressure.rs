//! Leases that grow shorter while their pool fills.

use std::time::Duration;

use super::{Bench, HOUR, SERVER, attendee, behaviours::with, example, kind, mac, sender};
use crate::{
    ClassSettings, Engine, Match, PoolSettings, Reservation, ReservationKey, Settings, SettingsError, SubnetSettings,
    client::{self, Request},
    message::{MessageType, code},
};

/// One subnet of 100 addresses and leases of one hour.
fn hundred(change: impl FnOnce(&mut SubnetSettings)) -> Settings {
    let mut settings = example();
    let subnet = &mut settings.subnets[0];
    subnet.pools = vec![PoolSettings::common(attendee(100), attendee(199))];
    subnet.lease_under_pressure = None;
    change(subnet);
    settings
}

fn seconds(bench: &mut Bench, bytes: &[u8]) -> u32 {
    let answer = bench.send(bytes).unwrap();
    u32::from_be_bytes(answer.option(code::LEASE_TIME).unwrap().try_into().unwrap())
}

/// Straight down between 80 and 95 %, to half the lease or what is configured, never below five minutes, and up again
/// by itself.
#[test]
fn the_lease_time_follows_the_pool() {
    let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
    for (lease, pressed, at_80, at_90, at_100) in [
        (HOUR, None, 3_600, 2_400, 1_800),
        (HOUR, Some(minutes(15)), 3_600, 1_800, 900),
        (HOUR, Some(Duration::ZERO), 3_600, 1_400, 300),
        (HOUR, Some(HOUR * 2), 3_600, 3_600, 3_600),
        (minutes(4), Some(minutes(1)), 240, 240, 240),
        (Duration::MAX, None, u32::MAX, u32::MAX, u32::MAX),
    ] {
        let mut bench = Bench::new(hundred(|subnet| (subnet.lease, subnet.lease_under_pressure) = (lease, pressed)));
        let mut got = Vec::new();
        for number in 0..100_u8 {
            let address = bench.bind(&sender(number.into()));
            assert_eq!(address, attendee(100 + number));
            if [80, 90, 100].contains(&(number + 1)) {
                let renewal = client::request(&sender(number.into()), Request::Extending { address });
                got.push(seconds(&mut bench, &renewal));
            }
        }
        let close = |got: u32, want: u32| got.abs_diff(want) <= 1;
        assert!(
            close(got[0], at_80) && close(got[1], at_90) && close(got[2], at_100),
            "{lease:?} {pressed:?}: {got:?}"
        );
        for number in 0..30_u8 {
            bench.send(&client::release(&sender(number.into()), attendee(100 + number), SERVER));
        }
        let renewal = client::request(&sender(99), Request::Extending { address: attendee(199) });
        assert_eq!(seconds(&mut bench, &renewal), at_80, "and back");
    }
}

/// The pool of a class that is full shortens the leases from that pool, and a reservation is not of any.
#[test]
fn each_pool_has_its_own_pressure() {
    let mut settings = hundred(|subnet| {
        let class = Some("ap".to_owned());
        subnet.pools.push(PoolSettings { class, ..PoolSettings::common(attendee(10), attendee(11)) });
        let client = ReservationKey::Mac(mac(77));
        subnet.reservations =
            vec![Reservation { client, address: attendee(150), host_name: None, options: Vec::new() }];
    });
    let when = vec![vec![Match::VendorClassPrefix(b"Cisco AP".to_vec())]];
    settings.classes = vec![ClassSettings { name: "ap".into(), when, options: Vec::new(), lease: None }];
    let mut bench = Bench::new(settings.clone());
    let access_point = |number| with(client::discover(&sender(number), None), &[(60, b"Cisco AP")]);
    assert_eq!(seconds(&mut bench, &access_point(1)), 3_600);
    assert_eq!(seconds(&mut bench, &access_point(2)), 1_800, "two of two");
    assert_eq!(seconds(&mut bench, &client::discover(&sender(3), None)), 3_600, "one of 99");
    assert_eq!(seconds(&mut bench, &client::discover(&sender(77), None)), 3_600);
    assert_eq!(bench.engine.pool_use(bench.now).next().unwrap().3, 101, "the reserved address is nobody else's");
    settings.classes[0].lease = Some(Duration::from_secs(9));
    let refused = Engine::new(settings.clone(), 1).unwrap_err();
    assert!(matches!(refused, SettingsError::ClassLeaseTooShort { .. }), "{refused}");
    settings.classes[0].lease = Some(HOUR * 12);
    let mut bench = Bench::new(settings);
    assert_eq!(seconds(&mut bench, &access_point(1)), 43_200);
    assert_eq!(kind(bench.send(&access_point(2))), Some(MessageType::Offer));
}
