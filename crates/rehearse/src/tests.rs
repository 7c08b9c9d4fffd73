//! The whole rehearsal in virtual time.

use dhcp::{PoolSettings, Settings, SubnetSettings};
use model::SubnetId;
use plan::Plan;

use crate::{
    Options, Outcome, RUNS_MAX, RehearseError, run, run_with,
    test_plans::{approved, model_event, one_room, one_room_with, plan_of},
};

/// The plan's only attendees' subnet with so many addresses.
fn settings(plan: &Plan, addresses: u8) -> Settings {
    let vlan = plan.attendee_vlans().next().unwrap();
    let [a, b, c, _] = vlan.subnet.network().octets();
    let pools = vec![PoolSettings::common([a, b, c + 1, 1].into(), [a, b, c + 1, addresses].into())];
    let lease = vlan.dhcp.as_ref().unwrap().lease;
    let subnet = SubnetSettings { pools, lease, ..SubnetSettings::new(SubnetId(0), vlan.name.as_str(), vlan.subnet) };
    Settings { subnets: vec![subnet], ..Settings::default() }
}

fn small(people: u32, addresses: u8) -> Outcome {
    let plan = plan_of(&one_room(people, 80, 20, 1.5));
    run_with(&plan, &settings(&plan, addresses), &Options { seed: 5, runs: 3 }).unwrap()
}

#[test]
fn the_model_event_is_good() {
    let outcome = run(&approved(model_event()), &Options { seed: 1, runs: 2 }).unwrap();
    assert!(outcome.is_good());
    let first = &outcome.each_run[0];
    assert!(first.clients_unique > 1_700, "{}", first.clients_unique);
    assert!(first.leases_granted >= first.clients_unique && first.leases_renewed > first.leases_granted);
    // Two messages for each confirmation and renewal, four for each grant, one for each release.
    let exchanged = 4 * first.leases_granted + 2 * (first.leases_confirmed + first.leases_renewed);
    assert!((exchanged..exchanged + first.leases_granted).contains(&first.dhcp_messages), "{first:?}");
    assert!(outcome.pools[0].used_peak.max <= outcome.pools[0].size as f64);
    assert!(!outcome.bottlenecks.is_empty());
    assert_eq!(outcome.access_points.len(), approved(model_event()).access_points().count());
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let plan = approved(plan_of(&one_room(60, 60, 20, 1.5)));
    let text = |seed| serde_json::to_string(&run(&plan, &Options { seed, runs: 3 }).unwrap()).unwrap();
    assert_eq!(text(9), text(9));
    assert_ne!(text(9), text(10));
}

#[test]
fn a_tiny_pool_refuses_leases_and_is_the_bottleneck() {
    let outcome = small(60, 20);
    assert!(!outcome.is_good());
    assert!(outcome.totals.leases_refused.p10 > 0.0);
    assert_eq!(outcome.pools[0].size, 20);
    assert!((outcome.pools[0].used_peak.max - 20.0).abs() < 1e-9);
    assert_eq!((outcome.bottlenecks[0].kind.as_str(), outcome.bottlenecks[0].subject.as_str()), ("pool", "attendee"));
    assert!((outcome.bottlenecks[0].exceeded_share - 1.0).abs() < 1e-9);
    assert!(small(60, 250).is_good());
}

/// Renewals follow from the lease time: each client on the network sends one each half lease.
#[test]
fn shorter_leases_are_renewed_more_often() {
    let renewed = |lease: &str| {
        let text = one_room_with(60, (80, 20), 1.0, &format!("lease = \"{lease}\", via = \"relay\""));
        let outcome = run(&approved(plan_of(&text)), &Options::default()).unwrap();
        outcome.totals.leases_renewed.max
    };
    let ratio = renewed("20m") / renewed("40m");
    assert!((1.7..2.5).contains(&ratio), "{ratio}");
}

#[test]
fn a_vlan_served_by_others_asks_nothing_of_us() {
    let text = one_room_with(60, (80, 20), 1.0, "via = \"other:venue\"");
    let outcome = run(&approved(plan_of(&text)), &Options::default()).unwrap();
    assert!(outcome.is_good() && outcome.pools.is_empty());
    assert!(outcome.totals.dhcp_messages.max == 0.0 && outcome.totals.clients_unique.max > 50.0);
}

#[test]
fn full_rooms_turn_people_away_and_streams_load_the_uplink() {
    let plan = plan_of(&one_room(150, 40, 10, 1.0));
    let outcome = run_with(&plan, &settings(&plan, 250), &Options::default()).unwrap();
    assert!((outcome.rooms[0].people_peak.max - 50.0).abs() < 1e-9, "{:?}", outcome.rooms[0]);
    assert!(outcome.totals.turned_away.max > 0.0 && outcome.totals.streams_peak.max > 0.0);
    let least = outcome.totals.streams_peak.max * plan.crowd.stream_mbps;
    assert!(outcome.totals.uplink_mbps_peak.max >= least);
}

#[test]
fn the_number_of_runs_is_bounded() {
    let plan = approved(plan_of(&one_room(1, 10, 0, 1.0)));
    for runs in [0, RUNS_MAX + 1] {
        assert_eq!(run(&plan, &Options { seed: 1, runs }).unwrap_err(), RehearseError::Runs { runs });
    }
}

#[test]
fn the_table_is_readable() {
    insta::assert_snapshot!(small(60, 20).to_string());
}

/// Scripts read these names.
#[test]
fn json_names_are_stable() {
    let json = serde_json::to_value(small(60, 20)).unwrap();
    let names = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    let table = [
        (&json, "access_points bottlenecks each_run event pools rooms runs seed totals uplink"),
        (&json["access_points"][0], "clients_max clients_peak device overloaded_share room"),
        (&json["access_points"][0]["clients_peak"], "max p10 p50 p90"),
        (&json["bottlenecks"][0], "exceeded_share kind ratio_max share subject"),
        (&json["each_run"][0]["first_bottleneck"], "exceeded_at group kind limit load ratio subject"),
        (&json["pools"][0], "name refused size used_peak"),
        (&json["rooms"][0], "clients_capacity clients_peak name people_peak room seats standing turned_away"),
        (&json["uplink"], "down_mbps mbps_peak name"),
    ];
    for (value, want) in table {
        let mut have: Vec<_> = names(value).split(' ').map(str::to_owned).collect();
        have.sort();
        assert_eq!(have.join(" "), want);
    }
    for name in names(&json["totals"]).split(' ') {
        assert!(json["each_run"][0].get(name).is_some(), "{name}");
    }
}
