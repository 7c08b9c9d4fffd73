//! The validated plan: what the rest of hotstage may hold. Every value here has been read, typed and ranged;
//! cross-references inside the TOML files exist. Whether the plan is *wise* is the business of `check`.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use ipnet::{IpNet, Ipv4Net};
use jiff::civil;
use model::{DeviceId, FloorId, Mac, Place, PortRef, RoomId, Severity, SiteId, SsidId, Timestamp, VlanId, VlanName};

use serde::Serialize;

use crate::{DhcpPlan, DhcpServer, Feeds, Ipv6Plan, Problem, catalogue::DeviceModel};

/// One event's network, as planned.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The event itself.
    pub event: Event,
    /// Its days, by date.
    pub days: Vec<Day>,
    /// Floors, in the order written.
    pub floors: Vec<Floor>,
    /// Rooms, in the order written.
    pub rooms: Vec<Room>,
    /// Walks between rooms.
    pub walks: Vec<Walk>,
    /// Sites; always has `venue`.
    pub sites: BTreeMap<SiteId, Site>,
    /// Networks on the air.
    pub ssids: BTreeMap<SsidId, Ssid>,
    /// VLANs with their subnets.
    pub vlans: BTreeMap<VlanName, VlanPlan>,
    /// What holds for the whole DHCP server: classes of clients, limits.
    pub dhcp: DhcpServer,
    /// Devices, groups expanded (`ap-4f-1`, `ap-4f-2`, ...).
    pub devices: BTreeMap<DeviceId, Device>,
    /// Tunnels between sites.
    pub tunnels: Vec<Tunnel>,
    /// Ways out to the Internet.
    pub uplinks: Vec<Uplink>,
    /// Rules of the event's own.
    pub alerts: Vec<AlertRule>,
    /// Who is told of alerts.
    pub outlets: Vec<Outlet>,
    /// Where hotstage itself runs and how.
    pub services: Services,
    /// How the crowd is expected to behave.
    pub crowd: Crowd,
    /// What is erased when.
    pub privacy: Privacy,
    /// What we own or borrow; `None` when there is no `inventory.csv`.
    pub inventory: Option<Vec<Asset>>,
    /// Every cable; `None` when there is no `cables.csv`.
    pub cables: Option<Vec<Cable>>,
    /// The programme; `None` when there is no timetable.
    pub timetable: Option<Vec<Talk>>,
    /// Who is on duty; `None` when there is no `roster.csv`.
    pub roster: Option<Vec<Shift>>,
    /// What was skipped or taken for granted while reading, e.g. talks in rooms that the plan does not have.
    pub notes: Vec<Problem>,
    /// Values that the plan does not state, with the reason for what was taken instead.
    pub defaults: Vec<DefaultUsed>,
}

/// A value that the plan does not state.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct DefaultUsed {
    /// Path of the value, e.g. `vlan.guest.dhcp.lease`.
    pub path: String,
    /// What was taken.
    pub value: String,
    /// Why that.
    pub reason: String,
}

/// The event itself.
#[derive(Clone, Debug)]
pub struct Event {
    /// Name, e.g. `PyCon JP 2019`.
    pub name: String,
    /// Motto, or empty.
    pub motto: String,
    /// Time zone of the venue.
    pub time_zone: jiff::tz::TimeZone,
    /// Its IANA name, e.g. `Asia/Tokyo`.
    pub time_zone_name: String,
    /// Languages of what attendees read, best first: `ja`, `en`.
    pub languages: Vec<String>,
    /// DNS zone of the event's own names, e.g. `pyconjp-2019.example`; no trailing dot, lower case.
    pub domain: String,
    /// People who come on a conference day.
    pub people: Estimate,
    /// Devices that use the network, per person.
    pub devices_per_person: Estimate,
    /// Where it is written.
    pub at: Place,
}

/// A number that is not known exactly. `low <= likely <= high`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Estimate {
    /// Nine in ten chances that it is more.
    pub low: f64,
    /// Most likely.
    pub likely: f64,
    /// Nine in ten chances that it is less.
    pub high: f64,
}

/// One day of the event, in the venue's time zone.
#[derive(Clone, Debug)]
pub struct Day {
    /// Date.
    pub date: civil::Date,
    /// What happens.
    pub kind: DayKind,
    /// When the team may enter.
    pub access: Option<civil::Time>,
    /// When attendees come in; default 09:00.
    pub doors: civil::Time,
    /// When they must be out; default 19:00.
    pub close: civil::Time,
    /// People on this day; default: the event's on a conference day, a fifth on a tutorial day, 5 % on a set-up day.
    pub people: Estimate,
    /// Where it is written.
    pub at: Place,
}

/// What happens on a day.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DayKind {
    /// Only the team and exhibitors.
    Setup,
    /// Tutorials: few people, laptops all day.
    Tutorial,
    /// Talks.
    Conference,
    /// Sprints: everybody with a laptop, all day.
    Sprint,
}

/// A floor of the venue.
#[derive(Clone, Debug)]
pub struct Floor {
    /// Key, e.g. `4F`.
    pub id: FloorId,
    /// Name for people; default the key.
    pub name: String,
    /// Where it is written.
    pub at: Place,
}

/// A room of the venue.
#[derive(Clone, Debug)]
pub struct Room {
    /// Key, e.g. `convention-ume`.
    pub id: RoomId,
    /// Name for people.
    pub name: String,
    /// Other names that timetables use for it.
    pub aliases: Vec<String>,
    /// Its floor.
    pub floor: FloorId,
    /// What it is for.
    pub kind: RoomKind,
    /// Floor area, square metres; 0 when not stated.
    pub area_m2: f64,
    /// Seats.
    pub seats: u32,
    /// People who may stand when the seats are taken.
    pub standing: u32,
    /// When it may first be entered (venue time), if that is later than the first day's access.
    pub access: Option<civil::DateTime>,
    /// Where it is written.
    pub at: Place,
}

/// What a room is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RoomKind {
    /// Talks are given here.
    Talk,
    /// People mingle here: foyer, exhibition, lounge.
    Lounge,
    /// The team works here.
    Noc,
    /// Nobody stays here: store, riser.
    Other,
}

/// How long it takes to walk between two rooms; goes both ways.
#[derive(Clone, Debug)]
pub struct Walk {
    /// One end.
    pub from: RoomId,
    /// The other end.
    pub to: RoomId,
    /// Time at an easy pace.
    pub time: Duration,
    /// Where it is written.
    pub at: Place,
}

/// A place where gear runs.
#[derive(Clone, Debug)]
pub struct Site {
    /// Key, `venue` or e.g. `cloud`.
    pub id: SiteId,
    /// True when hotstage's services run here.
    pub services: bool,
    /// Where it is written.
    pub at: Place,
}

/// A network on the air.
#[derive(Clone, Debug)]
pub struct Ssid {
    /// Key, e.g. `attendee`.
    pub id: SsidId,
    /// Name on the air.
    pub name: String,
    /// How stations prove themselves; `None` = open network.
    pub passphrase: Option<Secret>,
    /// VLAN its stations land on.
    pub vlan: VlanName,
    /// Stations may not talk to each other.
    pub isolation: bool,
    /// Where it is written.
    pub at: Place,
}

/// A secret, by reference where the plan is wise.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Secret {
    /// In an environment variable.
    Environment(String),
    /// In a file.
    File(String),
    /// Written in the plan itself.
    Plain(String),
}

/// What a VLAN is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum VlanKind {
    /// Attendees' devices.
    Attendee,
    /// Staff, speakers, streaming.
    Staff,
    /// Gear.
    Management,
}

/// A VLAN with its subnet and how addresses are given out.
#[derive(Clone, Debug)]
pub struct VlanPlan {
    /// Key.
    pub name: VlanName,
    /// 802.1Q identifier.
    pub id: VlanId,
    /// What it is for.
    pub kind: VlanKind,
    /// Routed prefix.
    pub subnet: Ipv4Net,
    /// Address of the router in it; default the first host.
    pub gateway: Ipv4Addr,
    /// Device that routes it; default the device with role `edge`.
    pub gateway_device: Option<DeviceId>,
    /// Whether and how clients get addresses.
    pub dhcp: Option<DhcpPlan>,
    /// IPv6 on it, when there is any.
    pub ipv6: Option<Ipv6Plan>,
    /// Where it is written.
    pub at: Place,
}

/// A device of the network.
#[derive(Clone, Debug)]
pub struct Device {
    /// Key; also its DNS label.
    pub id: DeviceId,
    /// Its model, with ports and power.
    pub model: DeviceModel,
    /// Where it stands; `None` when not placed (or at a site without rooms).
    pub room: Option<RoomId>,
    /// Its site; default `venue`.
    pub site: SiteId,
    /// What it does.
    pub role: Role,
    /// Management address.
    pub address: Option<Ipv4Addr>,
    /// VLAN its management address is in.
    pub vlan: Option<VlanName>,
    /// SSIDs it sends (access points).
    pub ssids: Vec<SsidId>,
    /// Channels it sends on, by radio.
    pub channels: Vec<Channel>,
    /// Ports whose VLANs are stated; others carry what is needed downstream.
    pub ports: BTreeMap<String, PortPlan>,
    /// Port it hangs on, when there is no cable list.
    pub connects: Option<PortRef>,
    /// Spanning tree runs.
    pub spanning_tree: bool,
    /// Stations it is planned to carry; default the model's.
    pub clients_max: u32,
    /// Where it is written.
    pub at: Place,
}

/// What a device does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Role {
    /// Routes between the event and the Internet or the tunnel.
    Edge,
    /// Joins the floors.
    Core,
    /// Gives ports to access points and people.
    Access,
    /// An access point.
    AccessPoint,
    /// Puts power on a cable.
    Injector,
    /// A computer, virtual or not, that runs services.
    Server,
    /// Kept in the box.
    Spare,
}

/// The VLANs of a port, where stated.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PortPlan {
    /// Untagged VLAN (access VLAN, or native VLAN of a trunk).
    pub untagged: Option<VlanName>,
    /// Tagged VLANs; `None` = derived from what hangs behind it.
    pub tagged: Option<Vec<VlanName>>,
    /// Where it is written.
    pub at: Place,
}

/// A radio's channel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Channel {
    /// Band.
    pub band: Band,
    /// Primary channel number.
    pub number: u16,
    /// Width, MHz; default 20.
    pub width_mhz: u16,
}

/// A radio band.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Band {
    /// 2.4 GHz.
    Ghz2,
    /// 5 GHz.
    Ghz5,
    /// 6 GHz.
    Ghz6,
}

/// A tunnel between sites.
#[derive(Clone, Debug)]
pub struct Tunnel {
    /// Key.
    pub name: String,
    /// E.g. `ipsec-ikev1-aggressive`, `ipsec-ikev2`, `wireguard`.
    pub kind: String,
    /// One end.
    pub from: DeviceId,
    /// The other end.
    pub to: DeviceId,
    /// Pre-shared key.
    pub psk: Option<Secret>,
    /// Where it is written.
    pub at: Place,
}

/// A way out to the Internet.
#[derive(Clone, Debug)]
pub struct Uplink {
    /// Key.
    pub name: String,
    /// Device it ends on.
    pub device: DeviceId,
    /// Mb/s towards the event.
    pub down_mbps: f64,
    /// Mb/s from the event.
    pub up_mbps: f64,
    /// Where it is written.
    pub at: Place,
}

/// A rule of the event's own: a figure that is beyond a threshold for some time.
#[derive(Clone, PartialEq, Debug)]
pub struct AlertRule {
    /// Key in the plan.
    pub name: String,
    /// The figure, one of [`model::ALERT_METRICS`].
    pub metric: String,
    /// Of what; `None` = each.
    pub of: Option<String>,
    /// The threshold, and which side of it is wrong.
    pub threshold: Threshold,
    /// It must be wrong for so long; default a minute.
    pub hold: Duration,
    /// How bad; default a warning.
    pub severity: Severity,
    /// What is wrong, for people; default the name.
    pub says: String,
    /// What to do, or empty.
    pub remedy: String,
    /// Where it is written.
    pub at: Place,
}

/// Which side of a figure is wrong.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Threshold {
    /// More than this.
    Above(f64),
    /// Less than this.
    Below(f64),
}

/// Somebody who is told of alerts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outlet {
    /// Key in the plan.
    pub name: String,
    /// What receives.
    pub kind: OutletKind,
    /// Where.
    pub url: Secret,
    /// Access token (Matrix), or password (mail).
    pub token: Option<Secret>,
    /// Of `mail`: who writes, to whom, and as which user of the server.
    pub mail: Option<Mail>,
    /// Where it is written.
    pub at: Place,
}

/// The envelope of e-mail.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mail {
    /// Who writes.
    pub from: String,
    /// To whom.
    pub to: Vec<String>,
    /// User of the server; `None` = it asks for none.
    pub user: Option<String>,
}

/// What receives alerts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OutletKind {
    /// Whatever takes Prometheus Alertmanager's webhook.
    Webhook,
    /// Slack, or what is compatible with it.
    Slack,
    /// Discord.
    Discord,
    /// A room of Matrix.
    Matrix,
    /// E-mail, by SMTP.
    Mail,
}

/// How devices are asked by SNMP.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Snmp {
    /// Who asks.
    pub credentials: SnmpCredentials,
    /// Time between polls of a device.
    pub interval: Duration,
    /// Where traps and informs are taken; `None` = nowhere.
    pub traps: Option<SocketAddr>,
}

/// Who asks by SNMP.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SnmpCredentials {
    /// Version 2c.
    Community(Secret),
    /// Version 3, SHA-256 and AES-128.
    User {
        /// Its name.
        name: String,
        /// Password for authentication.
        auth: Secret,
        /// Password for encryption.
        privacy: Secret,
    },
}

/// Files, and so inodes, that telemetry may take on disk, however many hosts and programs log.
pub const TELEMETRY_FILES_MAX: u64 = 2_048;

/// Where hotstage itself runs and how.
#[derive(Clone, Debug)]
pub struct Services {
    /// Port its computer hangs on, if at the venue.
    pub at_port: Option<PortRef>,
    /// Device of the plan that is its computer.
    pub device: Option<DeviceId>,
    /// Address that clients are told for DNS and that relays send to.
    pub address: Option<Ipv4Addr>,
    /// Listening addresses; replaced by `--listen-*`.
    pub listen: Listen,
    /// Where names are asked that are not ours.
    pub dns: Dns,
    /// NTP servers that clients are told.
    pub ntp: Vec<IpAddr>,
    /// Log lines a day that are expected; default derived from the crowd.
    pub log_lines_per_day: Option<u64>,
    /// How log lines are taken over TCP and TLS.
    pub log: LogIntake,
    /// Bytes that telemetry may take on disk, in at most [`TELEMETRY_FILES_MAX`] files; default 4 GiB.
    pub telemetry_bytes_max: u64,
    /// Every planned address is sent an ICMP echo each second; default true.
    pub ping: bool,
    /// How devices are asked by SNMP; `None` = they are not.
    pub snmp: Option<Snmp>,
    /// Who is given the figures and the log.
    pub feeds: Feeds,
    /// Whose flows are counted.
    pub flows: Flows,
    /// Where it is written.
    pub at: Place,
}

/// Whose flows (NetFlow, IPFIX, sFlow) are counted.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Flows {
    /// Devices, each with an address; `None` = every device that has one.
    pub exporters: Option<Vec<DeviceId>>,
    /// Prefixes from which other exporters are counted as well.
    pub allow: Vec<IpNet>,
    /// Devices that send the event's own stream, each with an address.
    pub streamers: Vec<DeviceId>,
}

/// How log lines are taken over TCP and TLS.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogIntake {
    /// Our certificate, for syslog over TLS (RFC 5425).
    pub certificate: Option<LogCertificate>,
    /// Connections of senders at one time; default 12,000.
    pub connections_max: u32,
}

/// Files in PEM form, relative to the plan's directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogCertificate {
    /// What senders are shown.
    pub server: DnsCertificate,
    /// The authority on which senders' certificates must hang; `None` = anybody may send.
    pub client_authority: Option<PathBuf>,
}

/// How names are answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dns {
    /// Who is asked for names that are not ours, best first.
    pub upstreams: Vec<DnsUpstream>,
    /// PEM file of certificates that upstreams may prove themselves with, besides the system's.
    pub trust: Option<PathBuf>,
    /// Our certificate, for DNS over TLS and HTTPS.
    pub certificate: Option<DnsCertificate>,
    /// Bytes of answers kept; default 64 MiB.
    pub cache_bytes_max: u64,
    /// Signatures (DNSSEC) of answers are checked; default false.
    pub validate: bool,
    /// File of DS or DNSKEY records to begin from, in place of the real root's.
    pub trust_anchors: Option<PathBuf>,
    /// Names at and below which signatures are not checked (RFC 7646).
    pub insecure: Vec<String>,
    /// Who is asked for a name and all below it, in place of the upstreams.
    pub forwards: Vec<DnsForward>,
    /// Files of zones that are answered here.
    pub zones: Vec<PathBuf>,
    /// Files of names that are not answered.
    pub block: Vec<PathBuf>,
    /// Names that are answered though a file has them.
    pub unblock: Vec<String>,
    /// The names and clients of most questions are counted; default false.
    pub top: bool,
    /// Who is served; empty: the plan's networks, and private-use and link-local addresses.
    pub allow: Vec<IpNet>,
    /// Queries per second that one client may send; `None`: no limit.
    pub client_rate: Option<u32>,
    /// Queries per second that one network may send; `None`: no limit.
    pub network_rate: Option<u32>,
}

/// Who is asked for a name and all below it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DnsForward {
    /// The name.
    pub zone: String,
    /// Its servers, best first.
    pub upstreams: Vec<DnsUpstream>,
}

/// A DNS server that is asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DnsUpstream {
    /// Where it is; the port is the protocol's when none was written.
    pub address: SocketAddr,
    /// How it is spoken to.
    pub protocol: DnsProtocol,
}

/// How a DNS server is spoken to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DnsProtocol {
    /// UDP, and TCP for what does not fit.
    Plain,
    /// DNS over TLS (RFC 7858).
    Tls {
        /// Whose certificate it must show: a name or an address.
        name: String,
    },
    /// DNS over HTTPS (RFC 8484).
    Https {
        /// Whose certificate it must show: a name or an address.
        name: String,
        /// Path of the resource.
        path: String,
    },
}

/// A certificate and its key; a relative path starts at the plan's directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DnsCertificate {
    /// PEM file of the certificate and those it hangs on.
    pub certificate: PathBuf,
    /// PEM file of its private key.
    pub key: PathBuf,
}

/// Where the services listen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listen {
    /// DHCP; default `0.0.0.0:67`.
    pub dhcp: Vec<SocketAddr>,
    /// DHCPv6; default `[::]:547`.
    pub dhcp6: Vec<SocketAddr>,
    /// DNS over UDP and TCP; default `0.0.0.0:53`.
    pub dns: Vec<SocketAddr>,
    /// DNS over TLS; default `0.0.0.0:853` with a certificate, else nowhere.
    pub dns_tls: Vec<SocketAddr>,
    /// DNS over HTTPS; default `0.0.0.0:443` with a certificate, else nowhere.
    pub dns_https: Vec<SocketAddr>,
    /// Syslog over UDP and TCP; default `0.0.0.0:514`.
    pub syslog: Vec<SocketAddr>,
    /// Syslog over TLS; default `0.0.0.0:6514` with a certificate, else nowhere.
    pub syslog_tls: Vec<SocketAddr>,
    /// NetFlow, IPFIX and sFlow; default nowhere.
    pub flows: Vec<SocketAddr>,
    /// The web page and `/metrics`; default `0.0.0.0:8080`.
    pub http: Vec<SocketAddr>,
}

/// How the crowd is expected to behave. Sources of the defaults: the manual, `crowd` table.
#[derive(Clone, Debug)]
pub struct Crowd {
    /// DNS queries a minute of an active device: median; default 5.
    pub dns_queries_per_minute: f64,
    /// Share of people turned away from a full room who open the stream over the Wi-Fi; default 0.25.
    pub stream_share: f64,
    /// Mb/s of one stream viewer; default 2.5.
    pub stream_mbps: f64,
    /// Mb/s of an active device besides; default 0.2.
    pub device_mbps: f64,
    /// Share of people who leave a talk early or roam about; default 0.15.
    pub roam_share: f64,
}

/// What is erased when.
#[derive(Clone, Debug, Default)]
pub struct Privacy {
    /// Date on which personal data in the state directory is erased.
    pub erase_on: Option<civil::Date>,
    /// DNS query names are logged; default no.
    pub log_dns_names: bool,
}

/// A thing we own or borrow.
#[derive(Clone, Debug)]
pub struct Asset {
    /// Asset tag.
    pub tag: String,
    /// `router`, `switch`, `access-point`, `injector`, `cable`, ...
    pub kind: String,
    /// Model name as in the catalogue, or free text.
    pub model: String,
    /// Serial number, or empty.
    pub serial: String,
    /// Burned-in address.
    pub mac: Option<Mac>,
    /// Who lends it.
    pub owner: String,
    /// Box or rack it lives in.
    pub home: String,
    /// Device of the plan that it is.
    pub device: Option<DeviceId>,
    /// `in_stock`, `broken`, ...; default `in_stock`.
    pub state: String,
    /// Where it is written.
    pub at: Place,
}

/// A cable.
#[derive(Clone, Debug)]
pub struct Cable {
    /// Label at both ends.
    pub label: String,
    /// `cat5e`, `cat6`, `fibre`, ...
    pub kind: String,
    /// Colour, or empty.
    pub colour: String,
    /// Its length, metres.
    pub length_m: f64,
    /// Way it must cover, metres, if surveyed.
    pub route_m: Option<f64>,
    /// One end.
    pub from: PortRef,
    /// The other end.
    pub to: PortRef,
    /// Where it is written.
    pub at: Place,
}

/// A talk, or anything else that draws people to a room at a time.
#[derive(Clone, Debug)]
pub struct Talk {
    /// Key in the timetable.
    pub id: String,
    /// Title.
    pub title: String,
    /// Where.
    pub room: RoomId,
    /// First moment.
    pub starts: Timestamp,
    /// Last moment.
    pub ends: Timestamp,
    /// Kind as the timetable says, e.g. `keynote`, `talk`, `break`, `poster`, or empty.
    pub kind: String,
    /// Track, or empty.
    pub track: String,
    /// Language, or empty.
    pub language: String,
    /// Where it is written.
    pub at: Place,
}

/// A shift of the roster.
#[derive(Clone, Debug)]
pub struct Shift {
    /// Who.
    pub who: String,
    /// From.
    pub starts: Timestamp,
    /// To.
    pub ends: Timestamp,
    /// Where, free text or a room's key.
    pub place: String,
    /// How to reach them, or empty.
    pub handle: String,
    /// Where it is written.
    pub at: Place,
}
