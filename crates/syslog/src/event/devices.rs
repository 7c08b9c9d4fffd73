//! Links, power, spanning tree, logins, configuration and DHCP, in each maker's words.

use super::{DhcpWord, LineEvent, PoeWord, SpanningTreeWord, first_mac, port};

/// Cisco IOS, IOS XE and WLC: `%FACILITY-SEVERITY-MNEMONIC`.
pub(super) fn cisco(app: &str, message: &str) -> Option<LineEvent> {
    let (rest, mnemonic) = app.rsplit_once('-')?;
    let facility = rest.strip_prefix('%')?.trim_end_matches(|letter: char| letter.is_ascii_digit());
    match (facility.trim_end_matches('-'), mnemonic) {
        (_, "CONFIG_I" | "CFGLOG_LOGGEDCMD") => Some(LineEvent::ConfigChanged),
        ("LINK" | "LINEPROTO", "UPDOWN" | "CHANGED") => cisco_link(message),
        ("ILPOWER", _) => cisco_power(mnemonic, message),
        ("SPANTREE" | "SPANTREE_VLAN_SW" | "SW_MATM" | "PM" | "STORM_CONTROL", _) => cisco_tree(mnemonic, message),
        ("SEC_LOGIN", "LOGIN_SUCCESS" | "LOGIN_FAILED") => {
            let user = between(message, "[user: ", "]");
            Some(LineEvent::Login { is_accepted: mnemonic == "LOGIN_SUCCESS", user })
        }
        ("DHCPD", "PING_CONFLICT" | "DECLINE_CONFLICT") => dhcp(DhcpWord::Conflict, message),
        ("DHCP_SNOOPING", "DHCP_SNOOPING_UNTRUSTED_PORT") => dhcp(DhcpWord::Untrusted, message),
        ("DOT11", "ASSOC") | ("CLIENT_ORCH_LOG", "CLIENT_ADDED_TO_RUN_STATE") => {
            Some(LineEvent::StationAssociated { mac: first_mac(message)? })
        }
        ("DOT11", "DISASSOC") | ("CLIENT_ORCH_LOG", "CLIENT_DELETED" | "CLIENT_MOVED_TO_DELETE_STATE") => {
            Some(LineEvent::StationLeft { mac: first_mac(message)? })
        }
        _ => None,
    }
}

/// `Interface Gi0/1, changed state to down`; a port taken down on purpose says `administratively down`.
fn cisco_link(message: &str) -> Option<LineEvent> {
    let (_, rest) = message.split_once("Interface ")?;
    let (name, state) = rest.split_once(", changed state to ")?;
    link(port(name)?, state.trim_end())
}

/// `Interface Gi1/0/20: PD removed`.
fn cisco_power(mnemonic: &str, message: &str) -> Option<LineEvent> {
    let what = match mnemonic {
        "POWER_GRANTED" | "ILPOWER_POWER_GRANTED" => PoeWord::Granted,
        "IEEE_DISCONNECT" | "PD_POWER_OFF" | "DISCONNECT" => PoeWord::Removed,
        "ILPOWER_POWER_DENY" | "POWER_DENIED" => PoeWord::Denied,
        "CONTROLLER_PORT_ERR" | "CONTROLLER_ERR" | "SHUT_OVERDRAWN" => PoeWord::Fault,
        _ => return None,
    };
    Some(LineEvent::Poe { what, port: port(after(message, "Interface ")?)? })
}

fn cisco_tree(mnemonic: &str, message: &str) -> Option<LineEvent> {
    let (what, before) = match mnemonic {
        "TOPOTRAP" => (SpanningTreeWord::TopologyChange, None),
        "ROOTCHANGE" => (SpanningTreeWord::RootChange, Some("New Root Port is ")),
        "BLOCK_BPDUGUARD" | "ROOTGUARD_BLOCK" | "LOOPGUARD_BLOCK" => (SpanningTreeWord::Blocked, Some("port ")),
        "ERR_DISABLE" => (SpanningTreeWord::Blocked, Some("putting ")),
        // `A Broadcast storm detected on Gi0/3. A packet filter action has been applied on the interface.`
        "FILTERED" | "SHUTDOWN" => (SpanningTreeWord::Blocked, Some("detected on ")),
        "MACFLAP_NOTIF" => (SpanningTreeWord::Flapping, Some("between port ")),
        _ => return None,
    };
    Some(LineEvent::SpanningTree { what, port: before.and_then(|before| port(after(message, before)?)) })
}

/// HPE and H3C Comware: `%%10IFNET/3/LINK_UPDOWN: GigabitEthernet1/0/1 link status is DOWN.`
pub(super) fn comware(app: &str, message: &str) -> Option<LineEvent> {
    let mut words = app.rsplit('/');
    let mnemonic = words.next()?.split('(').next()?;
    match mnemonic {
        "LINK_UPDOWN" | "PHY_UPDOWN" | "LINK UPDOWN" => {
            let message = message.strip_prefix("Interface ").unwrap_or(message);
            let name =
                message.split([' ', ':']).next().filter(|name| name.ends_with(|last: char| last.is_ascii_digit()))?;
            let state = if message.to_ascii_lowercase().contains("down") { "down" } else { "up" };
            link(port(name)?, state)
        }
        "SHELL_LOGIN" => Some(LineEvent::Login { is_accepted: true, user: first_word_before(message, " logged in") }),
        "SHELL_LOGINFAIL" | "LOGIN_FAILED" => Some(LineEvent::Login { is_accepted: false, user: None }),
        "CFGMAN_CFGCHANGED" | "CFG_CHANGED" => Some(LineEvent::ConfigChanged),
        "STP_DETECTED_TC" | "STP_NOTIFIED_TC" => {
            let port = after(message, "port ").and_then(port);
            Some(LineEvent::SpanningTree { what: SpanningTreeWord::TopologyChange, port })
        }
        _ => None,
    }
}

/// Everything that names a program: Juniper, pfSense, UniFi, Linux and DHCP servers.
pub(super) fn by_program(app: &str, message: &str) -> Option<LineEvent> {
    match app {
        "sshd" | "dropbear" | "login" | "sshd-session" => shell(message),
        "mgd" => juniper_management(message),
        "mib2d" | "dcd" | "chassisd" | "snmpd" => juniper_link(message),
        "php-fpm" | "php" | "php_wg" | "nginx" => pfsense(message),
        "dnsmasq-dhcp" | "dnsmasq" | "dhcpd" | "kea-dhcp4" => server(message),
        "switch" | "TRAPMGR" | "DOT1S" | "POE" => unifi(app, message),
        "kernel" => kernel(message),
        _ => None,
    }
}

/// OpenSSH: `Accepted publickey for noc from ...`, `Failed password for invalid user x from ...`; dropbear: `Password auth
/// succeeded for 'noc' from`, `Bad password attempt for 'noc' from`.
fn shell(message: &str) -> Option<LineEvent> {
    let (is_accepted, rest) = if let Some(rest) = message.strip_prefix("Accepted ") {
        (true, rest)
    } else if let Some(rest) = message.strip_prefix("Failed ") {
        (false, rest)
    } else if let Some((_, rest)) = message.split_once(" auth succeeded ") {
        (true, rest)
    } else {
        (false, message.strip_prefix("Bad password attempt ")?)
    };
    let user = after(rest, "for invalid user ").or_else(|| after(rest, "for "));
    Some(LineEvent::Login { is_accepted, user: user.and_then(name) })
}

/// `User 'noc' login, class 'super-user'`, `User 'noc' requested 'commit' operation`; the message id of RFC 5424 is not
/// part of the message.
fn juniper_management(message: &str) -> Option<LineEvent> {
    let user = || between(message, "User '", "'");
    if message.contains(" login, class ") {
        return Some(LineEvent::Login { is_accepted: true, user: user() });
    }
    if message.contains("requested 'commit") || message.contains("UI_COMMIT_COMPLETED") {
        return Some(LineEvent::ConfigChanged);
    }
    None
}

/// `SNMP_TRAP_LINK_DOWN: ifIndex 514, ifAdminStatus up(1), ifOperStatus down(2), ifName ge-0/0/3`.
fn juniper_link(message: &str) -> Option<LineEvent> {
    let state = after(message, "ifOperStatus ")?.split('(').next()?;
    link(port(after(message, "ifName ")?)?, state)
}

/// `/index.php: Successful login for user 'admin' from: 192.0.2.9`, `/system.php: Configuration Change: admin@...`.
fn pfsense(message: &str) -> Option<LineEvent> {
    if message.contains("Configuration Change: ") {
        return Some(LineEvent::ConfigChanged);
    }
    let is_accepted = message.contains("Successful login for user '");
    if !is_accepted && !message.contains("authentication error for user '") {
        return None;
    }
    Some(LineEvent::Login { is_accepted, user: between(message, "for user '", "'") })
}

/// dnsmasq: `DHCPACK(br0) 192.0.2.7 02:.. name`, `no address available`; dhcpd: `DHCPACK on 192.0.2.7 to 02:..`,
/// `no free leases`; Kea: `DHCP4_LEASE_ALLOC [hwtype=1 02:..], ...`.
fn server(message: &str) -> Option<LineEvent> {
    let is = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if is(&["no free leases", "no address available", "ALLOC_FAIL"]) {
        return dhcp(DhcpWord::Exhausted, message);
    }
    if is(&["DHCPACK", "DHCP4_LEASE_ALLOC"]) {
        return dhcp(DhcpWord::Leased, message);
    }
    if is(&["DHCPNAK", "DHCP4_PACKET_NAK"]) {
        return dhcp(DhcpWord::Refused, message);
    }
    if is(&["DHCPDECLINE", "Abandoning IP address", "DHCP4_DECLINE_LEASE"]) {
        return dhcp(DhcpWord::Conflict, message);
    }
    None
}

/// UniFi and NETGEAR switches: `TRAPMGR: Link Down: 0/7`, `DOT1S: dot1sBpduReceive(): Discarding the BPDU on port 0/7`.
fn unifi(app: &str, message: &str) -> Option<LineEvent> {
    if let Some(name) = after(message, "Link Up: ") {
        return link(port(name)?, "up");
    }
    if let Some(name) = after(message, "Link Down: ") {
        return link(port(name)?, "down");
    }
    let is_tree = app == "DOT1S" || message.contains("DOT1S: ");
    if is_tree && message.contains("Discarding the BPDU") {
        let port = after(message, "on port ").and_then(port);
        return Some(LineEvent::SpanningTree { what: SpanningTreeWord::Blocked, port });
    }
    None
}

/// `eth0: Link is Up - 1Gbps/Full`, `igc 0000:01:00.0 eth1: NIC Link is Down`.
fn kernel(message: &str) -> Option<LineEvent> {
    let (before, state) = message.split_once("Link is ")?;
    let name = before.trim_end_matches("NIC ").trim_end().trim_end_matches(':').rsplit(' ').next()?;
    let state = state.split([' ', ',', '-']).next()?;
    link(port(name)?, &state.to_ascii_lowercase())
}

fn link(port: String, state: &str) -> Option<LineEvent> {
    match state {
        "up" => Some(LineEvent::LinkUp { port }),
        "down" | "administratively down" => Some(LineEvent::LinkDown { port }),
        _ => None,
    }
}

fn dhcp(what: DhcpWord, message: &str) -> Option<LineEvent> {
    Some(LineEvent::Dhcp { what, mac: first_mac(message) })
}

/// The word behind `words`, with the marks at its end.
fn after<'a>(text: &'a str, words: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(words)?;
    rest.split([' ', ',']).next().map(|word| word.trim_end_matches(':')).filter(|word| !word.is_empty())
}

fn between(text: &str, open: &str, close: &str) -> Option<String> {
    let (_, rest) = text.split_once(open)?;
    name(rest.split_once(close)?.0)
}

fn first_word_before(text: &str, words: &str) -> Option<String> {
    let (before, _) = text.split_once(words)?;
    name(before.rsplit(' ').next()?)
}

/// A user's name, quotes removed; `None` for what is too long to be one.
fn name(text: &str) -> Option<String> {
    const NAME_OCTETS_MAX: usize = 64;
    let text = text.trim_matches('\'');
    (!text.is_empty() && text.len() <= NAME_OCTETS_MAX && !text.contains(char::is_control)).then(|| text.to_owned())
}
