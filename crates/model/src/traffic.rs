use serde::{Deserialize, Serialize};

/// A kind of traffic, told by protocol and port; the list is closed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrafficKind {
    /// HTTP and HTTPS over TCP.
    Web,
    /// QUIC, which is HTTP/3 for the most part.
    Quic,
    /// Names looked up, encrypted or not.
    Dns,
    /// Mail, sent and fetched.
    Mail,
    /// Calls with voice and video.
    Call,
    /// SSH.
    Ssh,
    /// Tunnels.
    Vpn,
    /// Files of servers and of peers.
    FileSharing,
    /// The event's own stream, on its way out.
    Stream,
    /// What goes to many hosts at once.
    Multicast,
    /// Everything else.
    Other,
}

impl TrafficKind {
    /// Every kind, in their order.
    pub const ALL: [Self; 11] = [
        Self::Web,
        Self::Quic,
        Self::Dns,
        Self::Mail,
        Self::Call,
        Self::Ssh,
        Self::Vpn,
        Self::FileSharing,
        Self::Stream,
        Self::Multicast,
        Self::Other,
    ];

    /// Its name in metrics and samples.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::Quic => "quic",
            Self::Dns => "dns",
            Self::Mail => "mail",
            Self::Call => "call",
            Self::Ssh => "ssh",
            Self::Vpn => "vpn",
            Self::FileSharing => "file-sharing",
            Self::Stream => "stream",
            Self::Multicast => "multicast",
            Self::Other => "other",
        }
    }
}

/// Which way traffic goes, seen from the networks that people's devices are in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrafficDirection {
    /// From them.
    Up,
    /// To them.
    Down,
    /// Between them, or within one.
    Within,
    /// Neither end is in one of them.
    Other,
}

impl TrafficDirection {
    /// Every direction, in their order.
    pub const ALL: [Self; 4] = [Self::Up, Self::Down, Self::Within, Self::Other];

    /// Its name in metrics and samples.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Within => "within",
            Self::Other => "other",
        }
    }
}

/// What traffic there was lately, by kind and by network. Aggregates only: nobody's address is in it.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Traffic {
    /// Exporters of flows that have been heard.
    pub exporters_heard: u64,
    /// Seconds that the figures are means over.
    pub span_seconds: u64,
    /// By kind, the most first; kinds without traffic are left out.
    pub kinds: Vec<KindTraffic>,
    /// By network of the plan and kind, the most first; bounded.
    pub talkers: Vec<NetworkTraffic>,
}

/// Traffic of one kind; bytes per second.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct KindTraffic {
    /// The kind.
    pub kind: TrafficKind,
    /// From clients.
    pub up: f64,
    /// To clients.
    pub down: f64,
    /// Between clients, and without any.
    pub rest: f64,
}

/// Traffic of one kind in one network, both ways and within; bytes per second.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct NetworkTraffic {
    /// The network's name in the plan.
    pub network: String,
    /// The kind.
    pub kind: TrafficKind,
    /// From the network.
    pub up: f64,
    /// To it.
    pub down: f64,
    /// Within it.
    pub within: f64,
}

impl KindTraffic {
    /// All of it.
    pub fn bytes_per_second(&self) -> f64 {
        self.up + self.down + self.rest
    }
}

impl NetworkTraffic {
    /// All of it.
    pub fn bytes_per_second(&self) -> f64 {
        self.up + self.down + self.within
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_those_of_the_lists() {
        for (position, kind) in TrafficKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, position);
        }
        for (position, direction) in TrafficDirection::ALL.into_iter().enumerate() {
            assert_eq!(direction as usize, position);
        }
    }
}
