//! Stations as access points and controllers speak of them.

use super::{LineEvent, first_mac};

/// True for programs of access points, and for lines without one, whose text is worth a search.
pub(super) fn may_speak_of(app: &str) -> bool {
    const PROGRAMS: [&str; 3] = ["hostapd", "stm", "wncd"];
    const INTERFACES: [&str; 7] = ["wl", "ath", "ra", "rax", "phy", "wifi", "ap"];
    app.is_empty() || PROGRAMS.contains(&app) || INTERFACES.iter().any(|interface| app.starts_with(interface))
}

/// hostapd: `AP-STA-CONNECTED`, `AP-STA-DISCONNECTED`, `IEEE 802.11: associated`, `disassociated`, `deauthenticated`,
/// `AP-STA-POSSIBLE-PSK-MISMATCH`, `CTRL-EVENT-EAP-FAILURE`; Aruba: `Assoc success`, `Deauth to sta`.
pub(super) fn event(message: &str) -> Option<LineEvent> {
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
    for words in ["Deauth to sta: ", "Deauth from sta: ", "Disassoc from sta: "] {
        if let Some((_, rest)) = message.split_once(words) {
            return Some(LineEvent::StationLeft { mac: first_mac(rest)? });
        }
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
