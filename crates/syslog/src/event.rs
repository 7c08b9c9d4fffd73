use model::{LogRecord, Mac};

/// What a line says happened, in words the rest of hotstage understands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LineEvent {
    /// A station joined the access point that sent the line. Some access points say it twice for one join.
    StationAssociated {
        /// The station.
        mac: Mac,
    },
    /// A station left the access point that sent the line.
    StationLeft {
        /// The station.
        mac: Mac,
    },
    /// A station was refused: wrong passphrase or failed EAP.
    StationRefused {
        /// The station.
        mac: Mac,
    },
    /// A port of the switch or router that sent the line came up.
    LinkUp {
        /// The port in the device's own spelling.
        port: String,
    },
    /// A port of the switch or router that sent the line went down.
    LinkDown {
        /// The port in the device's own spelling.
        port: String,
    },
    /// Someone changed the configuration of the device that sent the line.
    ConfigChanged,
}

/// The event in a line, if it is one we know.
///
/// hostapd (and OpenWrt, UniFi): `AP-STA-CONNECTED`, `AP-STA-DISCONNECTED`, `IEEE 802.11: associated`,
/// `disassociated`, `deauthenticated`, `AP-STA-POSSIBLE-PSK-MISMATCH`, `CTRL-EVENT-EAP-FAILURE`; Aruba: `Assoc
/// success`, `Deauth to sta`; Cisco IOS: `%LINK-3-UPDOWN`, `%LINEPROTO-5-UPDOWN`, `%SYS-5-CONFIG_I`.
pub fn event(record: &LogRecord) -> Option<LineEvent> {
    if record.app.starts_with('%') {
        return cisco(&record.app, &record.message);
    }
    let message = record.message.as_str();
    if let Some((_, rest)) = message.split_once("AP-STA-") {
        return hostapd_control(rest);
    }
    if let Some((_, rest)) = message.split_once("CTRL-EVENT-EAP-FAILURE") {
        return Some(LineEvent::StationRefused { mac: first_mac(rest)? });
    }
    if let Some((before, after)) = message.split_once(" IEEE 802.11: ") {
        let (_, station) = before.split_once("STA ")?;
        let mac = first_mac(station)?;
        return match after.split([' ', ',']).next()? {
            "associated" => Some(LineEvent::StationAssociated { mac }),
            "disassociated" | "deauthenticated" => Some(LineEvent::StationLeft { mac }),
            _ => None,
        };
    }
    if let Some((_, rest)) = message.split_once("Assoc success @ ") {
        return Some(LineEvent::StationAssociated { mac: first_mac(rest)? });
    }
    if let Some((_, rest)) = message.split_once("Deauth to sta: ") {
        return Some(LineEvent::StationLeft { mac: first_mac(rest)? });
    }
    None
}

fn hostapd_control(text: &str) -> Option<LineEvent> {
    let (word, rest) = text.split_once(' ')?;
    let mac = || first_mac(rest);
    match word {
        "CONNECTED" => Some(LineEvent::StationAssociated { mac: mac()? }),
        "DISCONNECTED" => Some(LineEvent::StationLeft { mac: mac()? }),
        "POSSIBLE-PSK-MISMATCH" => Some(LineEvent::StationRefused { mac: mac()? }),
        _ => None,
    }
}

/// `Interface Gi0/1, changed state to down`; a port taken down on purpose says `administratively down`.
fn cisco(app: &str, message: &str) -> Option<LineEvent> {
    const PORT_OCTETS_MAX: usize = 64;
    if app.ends_with("-CONFIG_I") {
        return Some(LineEvent::ConfigChanged);
    }
    if !app.ends_with("-UPDOWN") {
        return None;
    }
    let (_, rest) = message.split_once("Interface ")?;
    let (port, state) = rest.split_once(", changed state to ")?;
    if port.is_empty() || port.len() > PORT_OCTETS_MAX || port.contains(char::is_control) {
        return None;
    }
    let port = port.to_owned();
    match state.trim_end() {
        "up" => Some(LineEvent::LinkUp { port }),
        "down" | "administratively down" => Some(LineEvent::LinkDown { port }),
        _ => None,
    }
}

/// The first word that is a MAC address of one station, with the marks around it removed.
fn first_mac(text: &str) -> Option<Mac> {
    const WORDS_MAX: usize = 8;
    text.split([' ', ',', '=', '(', ')'])
        .take(WORDS_MAX)
        .filter_map(|word| word.trim_end_matches(':').parse::<Mac>().ok())
        .find(|mac| !mac.is_multicast())
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use jiff::tz::TimeZone;
    use model::{Timestamp, Transport};

    use super::*;
    use crate::{Context, parse};

    const STATION: Mac = Mac([0x02, 0, 0x5e, 0, 0x53, 0x01]);

    fn check(line: &str, want: Option<LineEvent>) {
        let source = SocketAddr::from(([192, 0, 2, 1], 514));
        let record = parse(Timestamp::EPOCH, source, Transport::Udp, line.as_bytes(), &Context::new(TimeZone::UTC));
        assert_eq!(event(&record), want, "{line}");
    }

    #[test]
    fn stations() {
        let joined = Some(LineEvent::StationAssociated { mac: STATION });
        let left = Some(LineEvent::StationLeft { mac: STATION });
        let refused = Some(LineEvent::StationRefused { mac: STATION });
        for (line, want) in [
            (
                "Sat Jul 26 03:14:17 2026 daemon.notice hostapd: wlan1: AP-STA-CONNECTED 02:00:5e:00:53:01",
                joined.clone(),
            ),
            ("<30>Sep 16 10:00:00 ap-1 hostapd: wlan0: AP-STA-CONNECTED 02:00:5e:00:53:01 auth_alg=ft", joined.clone()),
            (
                "<30>Sep 16 10:00:00 ap-1 hostapd: wlan0: STA 02:00:5e:00:53:01 IEEE 802.11: associated (aid 3)",
                joined.clone(),
            ),
            ("wlan0: STA 02:00:5e:00:53:01 IEEE 802.11: associated", joined.clone()),
            (
                "Sep  7 20:30:58 stm[2452]: <501100> <2452> <NOTI> <w>  Assoc success @ 20:30:58.606562: 02:00:5e:00:53:01: AP",
                joined,
            ),
            ("<30>Sep 16 10:00:00 ap-1 hostapd: wlan0: AP-STA-DISCONNECTED 02:00:5e:00:53:01", left.clone()),
            (
                "<30>Sep 16 10:00:00 ap-1 hostapd: wlan0: STA 02:00:5e:00:53:01 IEEE 802.11: disassociated due to inactivity",
                left.clone(),
            ),
            (
                "Sep  7 20:30:58 stm[2452]: <501080> <2452> <NOTI> <w>  Deauth to sta: 02:00:5e:00:53:01: Ageout AP",
                left,
            ),
            ("hostapd: wlan0: AP-STA-POSSIBLE-PSK-MISMATCH 02:00:5e:00:53:01", refused.clone()),
            ("hostapd: wlan0: CTRL-EVENT-EAP-FAILURE 02:00:5e:00:53:01", refused),
            ("wlan0: STA 02:00:5e:00:53:01 WPA: pairwise key handshake completed (RSN)", None),
            ("hostapd: wlan0: AP-STA-CONNECTED", None),
            ("hostapd: wlan0: AP-STA-CONNECTED ff:ff:ff:ff:ff:ff", None),
            ("hostapd: wlan0: AP-STA-CONNECTED 02:00:5e:00:53", None),
        ] {
            check(line, want);
        }
    }

    #[test]
    fn links() {
        let port = || "GigabitEthernet1/0/3".to_owned();
        for (line, want) in [
            (
                "<187>12: Sep 16 10:00:00.1: %LINK-3-UPDOWN: Interface GigabitEthernet1/0/3, changed state to down",
                Some(LineEvent::LinkDown { port: port() }),
            ),
            (
                "<189>Sep 16 10:00:00 sw1 %LINEPROTO-5-UPDOWN: Line protocol on Interface GigabitEthernet1/0/3, changed state to up",
                Some(LineEvent::LinkUp { port: port() }),
            ),
            ("<189>1: Sep 16 10:00:00: %SYS-5-CONFIG_I: Configured from console", Some(LineEvent::ConfigChanged)),
            ("<189>1: Sep 16 10:00:00: %LINK-3-UPDOWN: Interface , changed state to up", None),
            ("<189>1: Sep 16 10:00:00: %LINK-3-UPDOWN: nonsense", None),
        ] {
            check(line, want);
        }
    }
}
