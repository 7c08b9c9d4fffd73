//! One message at a time (RFC 8415 sections 16 and 18.3).

use std::net::Ipv6Addr;

use model::LeaseState;

use super::*;
use crate::{
    Mode, Reservation, ReservationKey,
    message::{Writer, code},
};

#[test]
fn section_18_3_1_and_18_3_9_solicit_is_advertised_and_nothing_is_held() {
    let mut bench = Bench::example();
    let first = bench.send(&ClientMessage::solicit(0x0012_3456, &duid(1), 5)).unwrap();
    assert_eq!((first.kind, first.status), (MessageType::Advertise, Status::Success));
    assert_eq!(first.associations[0].iaid, 5);
    assert_eq!(first.associations[0].t1_t2, (1800, 2880), "RFC 8415 section 21.4");
    assert!(bench.saved().is_empty() && bench.engine.leases().next().is_none());
    let again = bench.send(&ClientMessage::solicit(2, &duid(1), 5)).unwrap();
    assert_eq!(again.address(), first.address(), "the same client is offered the same address");
    assert_eq!(first.reply.bytes[1..4], [0x12, 0x34, 0x56], "the client's transaction id");
}

#[test]
fn section_18_3_1_rapid_commit_grants_at_once_when_we_allow_it() {
    for allowed in [true, false] {
        let mut bench = Bench::new(Settings { rapid_commit: allowed, ..example() });
        let solicit = ClientMessage { rapid_commit: true, ..ClientMessage::solicit(1, &duid(1), 5) };
        let answer = bench.send(&solicit).unwrap();
        assert_eq!(answer.kind == MessageType::Reply, allowed);
        assert_eq!(answer.option(code::RAPID_COMMIT).is_some(), allowed);
        assert_eq!((bench.saved().len(), answer.reply.needs_save), (usize::from(allowed), allowed));
    }
}

#[test]
fn section_18_3_1_rapid_commit_without_free_address_is_an_advertise() {
    let mut settings = Settings { rapid_commit: true, ..example() };
    settings.subnets[0].pools.clear();
    let mut bench = Bench::new(settings);
    let solicit = ClientMessage { rapid_commit: true, ..ClientMessage::solicit(1, &duid(1), 5) };
    let answer = bench.send(&solicit).unwrap();
    assert_eq!((answer.kind, answer.option(code::RAPID_COMMIT)), (MessageType::Advertise, None));
    assert_eq!(bench.engine.counters().no_addresses, 1);
}

#[test]
fn section_18_3_2_request_grants_what_was_advertised_and_saves_first() {
    let mut bench = Bench::example();
    let advertise = bench.send(&ClientMessage::solicit(1, &duid(1), 5)).unwrap();
    let request = ClientMessage { host_name: Some("Laptop".into()), ..advertise.then(MessageType::Request) };
    let reply = bench.send(&request).unwrap();
    assert_eq!((reply.kind, reply.address(), reply.reply.needs_save), (MessageType::Reply, advertise.address(), true));
    let saved = bench.saved();
    assert_eq!(saved.len(), 1);
    let lease = &saved[0];
    assert_eq!((lease.subnet, Some(lease.address), lease.iaid), (SubnetId(0), reply.address(), 5));
    assert_eq!((&lease.duid, lease.mac, lease.state), (&duid(1), Some(mac(1)), LeaseState::Bound));
    assert_eq!(lease.host_name.as_ref().map(model::HostName::as_str), Some("laptop"));
    assert_eq!(
        (lease.preferred_until, lease.expires),
        (bench.now + Duration::from_secs(3600), bench.now + Duration::from_secs(7200))
    );
    assert!(matches!(
        bench.effects[..],
        [Effect::Save(_), Effect::Event(Dhcp6Event::Bound { renewed: false, .. }), Effect::Send(_)]
    ));
}

/// RFC 4704 section 6: the name that is in DNS, to clients that ask for it; the server's update, whatever was meant.
#[test]
fn rfc_4704_section_6_the_name_is_told() {
    let mut bench = Bench::example();
    let name = |message: ClientMessage| ClientMessage { host_name: Some("My Laptop!".into()), ..message };
    let asking = |message: ClientMessage| ClientMessage { requests: vec![code::CLIENT_FQDN], ..name(message) };
    let told = Some(b"\x03\x08mylaptop\x05event\x07example\0".to_vec());
    let advertise = bench.send(&asking(ClientMessage::solicit(1, &duid(1), 5))).unwrap();
    assert_eq!(advertise.option(code::CLIENT_FQDN), told, "{:?}", advertise.option(code::CLIENT_FQDN));
    let reply = bench.send(&asking(advertise.then(MessageType::Request))).unwrap();
    assert_eq!(reply.option(code::CLIENT_FQDN), told);
    for silent in [name(reply.then(MessageType::Renew)), asking(reply.then(MessageType::Release))] {
        assert_eq!(bench.send(&silent).unwrap().option(code::CLIENT_FQDN), None);
    }
    let information = bench.send(&asking(ClientMessage::information_request(1, &duid(1)))).unwrap();
    assert_eq!(information.option(code::CLIENT_FQDN), None, "no lease, no name");
}

/// RFC 4704 section 6: a reserved name goes before the client's wish.
#[test]
fn rfc_4704_section_6_reserved_names_are_told() {
    let mut settings = example();
    settings.subnets[0].reservations = vec![Reservation {
        client: ReservationKey::Duid(duid(1).0.to_vec()),
        address: attendee(0x50),
        host_name: model::HostName::sanitise(b"printer"),
    }];
    let mut bench = Bench::new(settings);
    let wish = |message: ClientMessage| ClientMessage {
        requests: vec![code::CLIENT_FQDN],
        host_name: Some("noc".into()),
        ..message
    };
    let advertise = bench.send(&wish(ClientMessage::solicit(1, &duid(1), 5))).unwrap();
    let reply = bench.send(&wish(advertise.then(MessageType::Request))).unwrap();
    assert_eq!(reply.option(code::CLIENT_FQDN), Some(b"\x03\x07printer\x05event\x07example\0".to_vec()));
}

#[test]
fn section_18_3_2_request_for_another_link_is_refused() {
    let mut bench = Bench::example();
    let mut request = bench.send(&ClientMessage::solicit(1, &duid(1), 5)).unwrap().then(MessageType::Request);
    request.associations = vec![(5, vec![crew(0x100)])];
    let reply = bench.send(&request).unwrap();
    assert_eq!((reply.associations[0].status, reply.address()), (Status::NotOnLink, None));
    assert!(bench.saved().is_empty());
}

#[test]
fn section_18_3_3_confirm_says_whether_addresses_are_on_link_or_nothing() {
    let table: [(Vec<Ipv6Addr>, Option<Status>); 4] = [
        (vec![attendee(0x10)], Some(Status::Success)),
        (vec![attendee(0x10), crew(0x100)], Some(Status::NotOnLink)),
        (vec![crew(0x100)], Some(Status::NotOnLink)),
        (vec![], None),
    ];
    for (addresses, status) in table {
        let mut bench = Bench::example();
        let mut confirm = ClientMessage::new(MessageType::Confirm, 1, &duid(1));
        confirm.associations = vec![(5, addresses)];
        assert_eq!(bench.send(&confirm).map(|answer| answer.status), status);
        assert_eq!(bench.engine.counters().dropped_nothing_to_say, u64::from(status.is_none()));
    }
}

#[test]
fn section_18_3_4_renew_extends() {
    let mut bench = Bench::example();
    let reply = bench.obtain(1, 5);
    bench.pass(Duration::from_secs(1800));
    let renewed = bench.send(&reply.then(MessageType::Renew)).unwrap();
    assert_eq!((renewed.address(), renewed.reply.needs_save), (reply.address(), true));
    assert_eq!(bench.saved()[0].expires, bench.now + Duration::from_secs(7200));
    assert!(matches!(bench.events()[..], [Dhcp6Event::Bound { renewed: true, .. }]));
}

#[test]
fn section_18_3_4_what_an_operator_took_away_can_be_renewed_only_while_it_is_free() {
    let mut bench = Bench::example();
    let reply = bench.obtain(1, 5);
    let address = reply.address().unwrap();
    assert!(bench.engine.release(address, bench.now));
    bench.take_effects();
    assert_eq!((bench.saved()[0].state, bench.saved()[0].expires), (LeaseState::Released, bench.now));
    assert!(matches!(bench.events()[..], [Dhcp6Event::Released { .. }]));
    assert!(!bench.engine.release(address, bench.now), "it is leased to nobody now");
    assert_eq!(bench.engine.counters().leases_taken, 1);
    let renewed = bench.send(&reply.then(MessageType::Renew)).unwrap();
    assert_eq!(renewed.address(), Some(address), "nobody else has it");
}

#[test]
fn section_18_3_4_renew_of_what_we_do_not_know() {
    let cases = [
        // (address sent, granted, of lifetime 0, status)
        (Some(attendee(0x12)), Some(attendee(0x12)), vec![], Status::Success),
        (Some(attendee(0x999)), None, vec![], Status::NoBinding),
        (Some(crew(0x100)), None, vec![crew(0x100)], Status::Success),
        (None, None, vec![], Status::NoBinding),
    ];
    for message_type in [MessageType::Renew, MessageType::Rebind] {
        for (sent, granted, over, status) in &cases {
            let mut bench = Bench::example();
            let mut renew = ClientMessage::new(message_type, 1, &duid(1));
            renew.server = (message_type == MessageType::Renew).then(server);
            renew.associations = vec![(5, sent.iter().copied().collect())];
            let answer = bench.send(&renew).unwrap();
            let association = &answer.associations[0];
            assert_eq!(
                (answer.address(), &association.over, association.status),
                (*granted, over, *status),
                "{message_type:?} {sent:?}"
            );
        }
    }
}

#[test]
fn section_18_3_5_rebind_extends_without_server_id() {
    let mut bench = Bench::example();
    let reply = bench.obtain(1, 5);
    let rebind = reply.then(MessageType::Rebind);
    assert_eq!(rebind.server, None);
    assert_eq!(bench.send(&rebind).unwrap().address(), reply.address());
}

#[test]
fn section_18_3_4_addresses_the_association_does_not_have_are_ended() {
    let mut bench = Bench::example();
    let reply = bench.obtain(1, 5);
    let mut renew = reply.then(MessageType::Renew);
    renew.associations[0].1.push(crew(0x100));
    let association = bench.send(&renew).unwrap().associations.remove(0);
    assert_eq!((association.addresses.first().copied(), association.over), (reply.address(), vec![crew(0x100)]));
}

#[test]
fn section_18_3_7_release_frees_only_what_the_client_holds() {
    let mut bench = Bench::example();
    let reply = bench.obtain(1, 5);
    let theft = ClientMessage { client: Some(duid(2)), ..reply.then(MessageType::Release) };
    let refused = bench.send(&theft).unwrap();
    assert_eq!((refused.status, refused.associations[0].status), (Status::Success, Status::NoBinding));
    assert!(bench.saved().is_empty());
    let released = bench.send(&reply.then(MessageType::Release)).unwrap();
    assert_eq!((released.status, released.associations.len(), released.reply.needs_save), (Status::Success, 0, true));
    assert_eq!(bench.saved()[0].state, LeaseState::Released);
    assert!(matches!(bench.events()[..], [Dhcp6Event::Released { .. }]));
    assert_eq!(bench.engine.leases_in_force().count(), 0);
    assert_eq!(bench.obtain(1, 5).address(), reply.address(), "what it had last");
}

#[test]
fn section_18_3_8_declined_addresses_are_in_quarantine() {
    let mut bench = Bench::example();
    let reply = bench.obtain(1, 5);
    let answer = bench.send(&reply.then(MessageType::Decline)).unwrap();
    assert_eq!(answer.status, Status::Success);
    assert!(matches!(bench.events()[..], [Dhcp6Event::Declined { .. }]));
    assert_eq!(bench.saved()[0].expires, bench.now + Duration::from_secs(600));
    assert_ne!(bench.obtain(1, 5).address(), reply.address());
    bench.pass(Duration::from_secs(600));
    let is_quarantine =
        |event: &Dhcp6Event| matches!(event, Dhcp6Event::Expired { lease } if lease.state == LeaseState::Declined);
    assert!(bench.events().iter().any(is_quarantine));
}

#[test]
fn section_18_3_6_information_request_is_answered_with_settings() {
    let mut bench = Bench::example();
    let anonymous = ClientMessage { client: None, ..ClientMessage::information_request(1, &duid(1)) };
    for message in [ClientMessage::information_request(1, &duid(1)), anonymous] {
        let answer = bench.send(&message).unwrap();
        assert_eq!((answer.kind, answer.reply.needs_save), (MessageType::Reply, false));
        assert_eq!(answer.option(code::CLIENT_ID), message.client.map(|duid| duid.0.to_vec()));
        assert_eq!(answer.option(code::SERVER_ID), Some(server().0.to_vec()));
        assert_eq!(answer.option(code::INFORMATION_REFRESH), Some(vec![0, 0, 0x0e, 0x10]));
        assert_eq!(answer.option(code::DOMAIN_SEARCH).as_deref(), Some(&b"\x05event\x07example\0"[..]));
        assert_eq!(answer.option(code::CAPTIVE_PORTAL).as_deref(), Some(&b"https://portal.event.example/api"[..]));
        assert_eq!(answer.option(code::NTP_SERVER).map(|data| data.len()), Some(20));
        assert_eq!(answer.option(code::SNTP_SERVERS), None, "only for those that ask for it");
    }
}

#[test]
fn section_21_7_only_what_was_asked_for_is_sent() {
    let mut bench = Bench::new(Settings { sol_max_rt: Some(HOUR), inf_max_rt: Some(HOUR), preference: 9, ..example() });
    let all = [23, 24, 31, 32, 56, 82, 83, 103];
    for wanted in all {
        let message = ClientMessage { requests: vec![wanted], ..ClientMessage::information_request(1, &duid(1)) };
        let answer = bench.send(&message).unwrap();
        for code in all {
            assert_eq!(answer.option(code).is_some(), code == wanted, "{wanted} asked for, {code} sent");
        }
    }
    let advertise = bench.send(&ClientMessage::solicit(1, &duid(1), 1)).unwrap();
    assert_eq!(advertise.option(code::PREFERENCE), Some(vec![9]));
}

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn section_16_messages_without_or_with_the_wrong_options_are_dropped() {
    use MessageType::*;
    for message_type in
        [Solicit, Advertise, Request, Confirm, Renew, Rebind, Reply, Release, Decline, Reconfigure, InformationRequest]
    {
        for client in [None, Some(duid(1))] {
            for to in [None, Some(server()), Some(duid(9))] {
                let mut message = ClientMessage::new(message_type, 1, &duid(1));
                (message.client, message.server) = (client.clone(), to.clone());
                if message_type != InformationRequest {
                    message.associations = vec![(1, vec![attendee(0x10)])];
                }
                let (has_client, has_server) = (client.is_some(), to.is_some());
                let is_valid = match message_type {
                    Solicit | Confirm | Rebind => has_client && !has_server,
                    Request | Renew | Release | Decline => has_client && has_server,
                    InformationRequest => true,
                    Advertise | Reply | Reconfigure => false,
                };
                let is_ours = to.as_ref().is_none_or(|to| *to == server());
                let mut bench = Bench::example();
                let answer = bench.send(&message);
                assert_eq!(answer.is_some(), is_valid && is_ours, "{message_type:?} {client:?} {to:?}");
                let counters = bench.engine.counters();
                assert_eq!(counters.dropped_invalid, u64::from(!is_valid), "{message_type:?} {client:?} {to:?}");
                assert_eq!(counters.dropped_not_for_us, u64::from(is_valid && !is_ours));
            }
        }
    }
}

#[test]
fn section_16_12_information_request_with_an_association_is_dropped() {
    let mut bench = Bench::example();
    let mut message = ClientMessage::information_request(1, &duid(1));
    message.associations = vec![(1, vec![])];
    assert!(bench.send(&message).is_none());
    assert_eq!(bench.engine.counters().dropped_invalid, 1);
}

#[test]
fn section_18_4_unicast_is_refused() {
    let mut bench = Bench::example();
    let reply = bench.obtain(1, 5);
    bench.origin.local = attendee(1);
    for message_type in [MessageType::Request, MessageType::Renew, MessageType::Release, MessageType::Decline] {
        let answer = bench.send(&reply.then(message_type)).unwrap();
        assert_eq!((answer.status, answer.reply.from), (Status::UseMulticast, Some(attendee(1))));
    }
    assert!(bench.send(&reply.then(MessageType::Rebind)).is_none());
    assert_eq!(bench.engine.counters().dropped_unicast, 1);
}

#[test]
fn prefixes_are_refused() {
    for (message_type, status) in
        [(MessageType::Solicit, Status::NoPrefixAvail), (MessageType::Rebind, Status::NoBinding)]
    {
        let mut bench = Bench::example();
        let mut writer = Writer::message(message_type, 1);
        writer.option(code::CLIENT_ID, &duid(1).0);
        writer.option(code::IA_PD, &[0; 12]);
        let answer = bench.send_bytes(&writer.finish()).unwrap();
        let refusal = answer.option(code::IA_PD).unwrap();
        assert_eq!(refusal[12..18], [0, 13, refusal[14], refusal[15], 0, u8::try_from(status.number()).unwrap()]);
    }
}

#[test]
fn modes_decide_what_is_answered() {
    for (mode, solicit, information) in [
        (Mode::Slaac, None, false),
        (Mode::Stateless, Some(Status::NoAddrsAvail), true),
        (Mode::Stateful, Some(Status::Success), true),
    ] {
        let mut settings = example();
        settings.subnets[0].mode = mode;
        let mut bench = Bench::new(settings);
        let answer = bench.send(&ClientMessage::solicit(1, &duid(1), 1));
        assert_eq!(answer.map(|answer| answer.associations[0].status), solicit);
        assert_eq!(bench.send(&ClientMessage::information_request(1, &duid(1))).is_some(), information);
        assert_eq!(bench.engine.counters().dropped_not_served, if mode == Mode::Slaac { 2 } else { 0 });
    }
}
