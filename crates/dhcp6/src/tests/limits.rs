//! What one sender, one circuit and one relay agent may have.

use super::*;
use crate::{
    Limits, SERVER_PORT,
    message::{Writer, code},
};

fn behind_relay(limits: Limits) -> Bench {
    let mut bench = Bench::new(Settings { limits, ..example() });
    bench.origin = Origin {
        source: SocketAddrV6::new(RELAY, SERVER_PORT, 0, 0),
        local: "2001:db8::547".parse().unwrap(),
        interface: 9,
    };
    bench
}

/// A relay agent's message for the client at fe80::`client`, with options 18 and 37 unless they are empty.
fn relayed(client: u16, interface: &[u8], remote: &[u8], message: &ClientMessage) -> Vec<u8> {
    let peer = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, client);
    let mut writer = Writer::relay_forward(0, RELAY, peer, &message.to_bytes());
    for (code, data) in [(code::INTERFACE_ID, interface), (code::REMOTE_ID, remote)] {
        if !data.is_empty() {
            writer.option(code, data);
        }
    }
    writer.finish()
}

/// The address that a client gets behind the circuit; `None` when it is refused.
fn obtain(bench: &mut Bench, client: u16, interface: &[u8], remote: &[u8]) -> Option<Answer> {
    let solicit = ClientMessage::solicit(1, &duid(client), 1);
    let advertise = bench.send_bytes(&relayed(client, interface, remote, &solicit)).unwrap();
    advertise.address()?;
    let request = advertise.then(MessageType::Request);
    bench.send_bytes(&relayed(client, interface, remote, &request)).filter(|answer| answer.address().is_some())
}

#[test]
fn a_circuit_holds_no_more_than_its_limit() {
    let mut bench = behind_relay(Limits { leases_per_circuit: Some(2), ..Limits::default() });
    let first = obtain(&mut bench, 1, b"port 1", b"").unwrap();
    obtain(&mut bench, 2, b"port 1", b"").unwrap();
    assert!(obtain(&mut bench, 3, b"port 1", b"").is_none());
    assert_eq!(bench.engine.counters().over_limit, 1);
    // Who is inside renews, other ports are served, and so are clients of whom no relay agent says anything.
    let renewed = bench.send_bytes(&relayed(1, b"port 1", b"", &first.then(MessageType::Renew))).unwrap();
    assert_eq!(renewed.address(), first.address());
    for port in [&b"port 2"[..], b"", b""] {
        obtain(&mut bench, 10 + u16::try_from(port.len()).unwrap(), port, b"").unwrap();
    }
    // A declined address stays charged, a released one does not.
    bench.send_bytes(&relayed(1, b"port 1", b"", &first.then(MessageType::Decline))).unwrap();
    assert!(obtain(&mut bench, 3, b"port 1", b"").is_none());
    let again = obtain(&mut bench, 2, b"port 1", b"").unwrap();
    bench.send_bytes(&relayed(2, b"port 1", b"", &again.then(MessageType::Release))).unwrap();
    assert!(obtain(&mut bench, 3, b"port 1", b"").is_some());
}

#[test]
fn a_relay_agent_holds_no_more_than_its_limit() {
    let mut bench = behind_relay(Limits { leases_per_relay: Some(2), ..Limits::default() });
    for (client, port, remote, is_served) in [
        (1, "port 1", "switch 1", true),
        (2, "port 2", "switch 1", true),
        (3, "port 3", "switch 1", false),
        (3, "port 3", "switch 2", true),
        (4, "port 4", "", true),
    ] {
        let got = obtain(&mut bench, client, port.as_bytes(), remote.as_bytes());
        assert_eq!(got.is_some(), is_served, "{client} {port} {remote}");
    }
}

/// A client that says it has an address is believed after a loss of the table, but not past the limit.
#[test]
fn renewals_of_nothing_do_not_get_round_a_limit() {
    let mut bench = behind_relay(Limits { leases_per_circuit: Some(1), ..Limits::default() });
    let lost = obtain(&mut bench, 1, b"port 1", b"").unwrap();
    let mut bench = behind_relay(Limits { leases_per_circuit: Some(1), ..Limits::default() });
    obtain(&mut bench, 2, b"port 1", b"").unwrap();
    let renewed = bench.send_bytes(&relayed(1, b"port 1", b"", &lost.then(MessageType::Rebind))).unwrap();
    assert_eq!(renewed.address(), None);
}

#[test]
fn who_asks_too_fast_is_not_heard() {
    let mut bench = behind_relay(Limits { packets_per_source_per_second: Some(1), ..Limits::default() });
    let solicit = |client| relayed(client, b"port 1", b"", &ClientMessage::solicit(1, &duid(client), 1));
    let answered = (0..10).filter(|_| bench.send_bytes(&solicit(1)).is_some()).count();
    assert_eq!((answered, bench.engine.counters().dropped_over_rate), (4, 6));
    assert!(bench.send_bytes(&solicit(2)).is_some(), "another client of the same relay agent");
    bench.pass(Duration::from_secs(1));
    assert!(bench.send_bytes(&solicit(1)).is_some());
}
