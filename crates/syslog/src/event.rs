use model::{LogRecord, Mac};

mod devices;
mod stations;

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
    /// A DHCP server, or a switch that looks at DHCP, did something.
    Dhcp {
        /// What.
        what: DhcpWord,
        /// The client, where the line names it.
        mac: Option<Mac>,
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
    /// A port's power over Ethernet changed.
    Poe {
        /// What.
        what: PoeWord,
        /// The port in the device's own spelling.
        port: String,
    },
    /// Spanning tree, a loop, or a guard against them.
    SpanningTree {
        /// What.
        what: SpanningTreeWord,
        /// The port in the device's own spelling, where the line names one.
        port: Option<String>,
    },
    /// Someone signed in to the device that sent the line, or tried to.
    Login {
        /// True when they got in.
        is_accepted: bool,
        /// Who, where the line says so; as the device writes it.
        user: Option<String>,
    },
    /// Someone changed the configuration of the device that sent the line.
    ConfigChanged,
}

/// What happened with a lease.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DhcpWord {
    /// A client got or renewed an address.
    Leased,
    /// A client was refused (DHCPNAK).
    Refused,
    /// No address was free.
    Exhausted,
    /// An address was in use by somebody else.
    Conflict,
    /// A switch dropped DHCP messages that came in where no server should be.
    Untrusted,
}

/// What happened with a port's power.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PoeWord {
    /// A device gets power.
    Granted,
    /// A device was taken away, or its power off.
    Removed,
    /// There was no power left, or too much was asked.
    Denied,
    /// The port's power has a fault.
    Fault,
}

/// What happened with the spanning tree.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SpanningTreeWord {
    /// The topology changed.
    TopologyChange,
    /// Another bridge, or another way to it, is the root.
    RootChange,
    /// A guard (BPDU, root, loop) closed a port, or a port was disabled for an error.
    Blocked,
    /// One address is seen on two ports by turns: mostly a loop.
    Flapping,
}

impl LineEvent {
    /// The kind of event, one of a short closed list: `station`, `dhcp`, `link`, `poe`, `spanning-tree`, `login`,
    /// `config`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::StationAssociated { .. } | Self::StationLeft { .. } | Self::StationRefused { .. } => "station",
            Self::Dhcp { .. } => "dhcp",
            Self::LinkUp { .. } | Self::LinkDown { .. } => "link",
            Self::Poe { .. } => "poe",
            Self::SpanningTree { .. } => "spanning-tree",
            Self::Login { .. } => "login",
            Self::ConfigChanged => "config",
        }
    }
}

/// The event in a line, if it is one we know: of hostapd (OpenWrt, UniFi), Aruba, Cisco IOS and WLC, HPE Comware,
/// Juniper, pfSense, UniFi switches, Linux, and of the DHCP servers dnsmasq, dhcpd and Kea.
///
/// Costs little for a line that is none: only lines of programs that say such things are searched.
pub fn event(record: &LogRecord) -> Option<LineEvent> {
    event_in(&record.app, &record.message)
}

/// As [`event`], by the program and message of a line.
pub fn event_in(app: &str, message: &str) -> Option<LineEvent> {
    match app.as_bytes().first() {
        Some(b'%') if app.starts_with("%%") => devices::comware(app, message),
        Some(b'%') => devices::cisco(app, message),
        _ if stations::may_speak_of(app) => stations::event(message),
        _ => devices::by_program(app, message),
    }
}

/// A port as a device writes it; `None` for what cannot be one.
fn port(text: &str) -> Option<String> {
    const PORT_OCTETS_MAX: usize = 64;
    let text = text.trim_end_matches(['.', ',', ':']);
    let is_one = !text.is_empty() && text.len() <= PORT_OCTETS_MAX && !text.contains(char::is_control);
    is_one.then(|| text.to_owned())
}

/// The first word that is a MAC address of one station, with the marks around it removed.
fn first_mac(text: &str) -> Option<Mac> {
    const WORDS_MAX: usize = 24;
    text.split([' ', ',', '=', '(', ')', '[', ']'])
        .take(WORDS_MAX)
        .filter_map(|word| word.trim_end_matches([':', '.']).parse::<Mac>().ok())
        .find(|mac| !mac.is_multicast())
}

#[cfg(test)]
mod tests;
