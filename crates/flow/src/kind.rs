//! What kind of traffic a flow is, by protocol and port: an estimate, as every such table is.

use model::TrafficKind;

const TCP: u8 = 6;
const UDP: u8 = 17;
/// GRE, ESP, AH, L2TP over IP (IANA protocol numbers).
const TUNNELS: [u8; 4] = [47, 50, 51, 115];

/// Of the two ports the lower one is looked up first: servers have the low ones.
pub(crate) fn kind_of(protocol: u8, source_port: u16, destination_port: u16) -> TrafficKind {
    if TUNNELS.contains(&protocol) {
        return TrafficKind::Vpn;
    }
    let of: fn(u16) -> Option<TrafficKind> = match protocol {
        TCP => tcp,
        UDP => udp,
        _ => return TrafficKind::Other,
    };
    let (low, high) = (source_port.min(destination_port), source_port.max(destination_port));
    of(low).or_else(|| of(high)).unwrap_or(TrafficKind::Other)
}

fn tcp(port: u16) -> Option<TrafficKind> {
    Some(match port {
        80 | 443 => TrafficKind::Web,
        53 | 853 => TrafficKind::Dns,
        25 | 110 | 143 | 465 | 587 | 993 | 995 => TrafficKind::Mail,
        22 => TrafficKind::Ssh,
        1194 | 1723 => TrafficKind::Vpn,
        20 | 21 | 139 | 445 | 548 | 873 | 2049 | 6881..=6889 => TrafficKind::FileSharing,
        1935 => TrafficKind::Stream,
        _ => return calls(port),
    })
}

fn udp(port: u16) -> Option<TrafficKind> {
    Some(match port {
        443 => TrafficKind::Quic,
        53 | 853 => TrafficKind::Dns,
        500 | 1194 | 1701 | 4500 | 51820 => TrafficKind::Vpn,
        137 | 138 | 445 | 2049 | 6881..=6889 => TrafficKind::FileSharing,
        // Webex, FaceTime.
        5004 | 9000 | 16384..=16403 => TrafficKind::Call,
        _ => return calls(port),
    })
}

/// STUN and TURN, with and without TLS; Zoom; Google Meet.
fn calls(port: u16) -> Option<TrafficKind> {
    matches!(port, 3478..=3481 | 5349..=5350 | 8801..=8810 | 19302..=19309).then_some(TrafficKind::Call)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_tell_the_kind() {
        for (protocol, a, b, wanted) in [
            (TCP, 51_820, 443, TrafficKind::Web),
            (TCP, 80, 40_000, TrafficKind::Web),
            (UDP, 50_000, 443, TrafficKind::Quic),
            (UDP, 53, 53, TrafficKind::Dns),
            (TCP, 853, 60_000, TrafficKind::Dns),
            (TCP, 33_000, 993, TrafficKind::Mail),
            (UDP, 3_478, 50_000, TrafficKind::Call),
            (UDP, 8_801, 19_305, TrafficKind::Call),
            (TCP, 22, 3_478, TrafficKind::Ssh),
            (UDP, 51_820, 51_820, TrafficKind::Vpn),
            (UDP, 4_500, 4_500, TrafficKind::Vpn),
            (50, 0, 0, TrafficKind::Vpn),
            (TCP, 50_000, 445, TrafficKind::FileSharing),
            (TCP, 50_000, 1_935, TrafficKind::Stream),
            (TCP, 50_000, 9_000, TrafficKind::Other),
            (UDP, 80, 50_000, TrafficKind::Other),
            (1, 443, 443, TrafficKind::Other),
        ] {
            assert_eq!(kind_of(protocol, a, b), wanted, "{protocol} {a} {b}");
            assert_eq!(kind_of(protocol, b, a), wanted, "{protocol} {b} {a}");
        }
    }
}
