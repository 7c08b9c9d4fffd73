//! Version 1 of the file: what may be written in `event.toml`, `venue.toml` and `network.toml`.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use ipnet::{Ipv4Net, Ipv6Net};
use jiff::civil;
use model::{Mac, PortRef, Severity, VlanId};

use super::{
    leaf::{
        AddressRange6, AnyValue, Bytes, ChannelNumber, DnsServer, MacPrefix, Moment, Network, Octets, PoolRange,
        Sender, Text, Via, Zone,
    },
    shape::{At, Many, Stated, shape},
};
use crate::{
    DayKind, Estimate, Ipv6Mode, OutletKind, Role, RoomKind, Secret, VlanKind,
    catalogue::{DeviceKind, PoeStandard},
};

/// The version of the file that this module reads.
pub(crate) const VERSION: i64 = 1;

shape! {
    /// The event itself.
    EventTable {
        /// Name of the event.
        name: At<Text>,
        /// Motto, shown on the public display.
        motto: Option<At<Text>>,
        /// IANA time zone of the venue.
        timezone: At<Zone>,
        /// Languages of what attendees read, best first. Default: ja, en.
        languages: Option<Many<Text>>,
        /// DNS zone of the event's own names. Default: made from the name, under `internal`.
        domain: Option<At<Text>>,
        /// People who come on a conference day.
        people: At<Estimate>,
        /// Devices that use the network, per person. Default: 1.5 to 2.5, likely 2.
        devices_per_person: Option<At<Estimate>>,
        /// Days of the event; the same as `[[day]]`.
        days: Vec<DayTable>,
    }
}

shape! {
    /// One day of the event.
    DayTable {
        /// Date.
        date: At<civil::Date>,
        /// What happens. Default: conference.
        kind: Option<At<DayKind>>,
        /// When the team may enter.
        access: Option<At<civil::Time>>,
        /// When attendees come in. Default: 09:00.
        doors: Option<At<civil::Time>>,
        /// When they must be out. Default: 19:00.
        close: Option<At<civil::Time>>,
        /// People on this day. Default: the event's; a fifth of it on a tutorial day, 5 % on a set-up day.
        people: Option<At<Estimate>>,
    }
}

shape! {
    /// A floor of the venue. Floors that only rooms name need no table of their own.
    FloorTable {
        /// Key, e.g. `4F`.
        id: At<Text>,
        /// Name for people.
        name: Option<At<Text>>,
    }
}

shape! {
    /// A room of the venue.
    RoomTable {
        /// Key.
        id: At<Text>,
        /// Name for people. Default: the key.
        name: Option<At<Text>>,
        /// Other names that timetables use for it.
        aliases: Option<Many<Text>>,
        /// Its floor. Default: the first.
        floor: Option<At<Text>>,
        /// What it is for. Default: talk.
        kind: Option<At<RoomKind>>,
        /// Floor area, square metres.
        area_m2: Option<At<f64>>,
        /// Seats.
        seats: Option<At<u32>>,
        /// People who may stand when the seats are taken.
        standing: Option<At<u32>>,
        /// When it may first be entered, if later than the first day's access.
        access: Option<At<Moment>>,
    }
}

shape! {
    /// How long it takes to walk between two rooms; goes both ways. Give minutes or seconds.
    WalkTable {
        /// One end.
        from: At<Text>,
        /// The other end.
        to: At<Text>,
        /// Time at an easy pace, minutes.
        minutes: Option<At<f64>>,
        /// Time at an easy pace, seconds.
        seconds: Option<At<f64>>,
    }
}

shape! {
    /// A place where gear runs. `venue` always exists.
    SiteTable {
        /// `all`: the rooms of the plan are here.
        rooms: Option<At<Text>>,
        /// hotstage's services run here.
        services: Option<At<bool>>,
    }
}

shape! {
    /// A network on the air.
    SsidTable {
        /// Name on the air. Default: the key.
        name: Option<At<Text>>,
        /// Passphrase, best as `env:NAME` or `file:PATH`. None: an open network.
        passphrase: Option<At<Secret>>,
        /// VLAN its stations land on.
        vlan: At<Text>,
        /// Stations may not talk to each other. Default: true on a VLAN for attendees.
        isolation: Option<At<bool>>,
    }
}

shape! {
    /// A VLAN with its subnet.
    VlanTable {
        /// 802.1Q identifier.
        id: At<VlanId>,
        /// Routed prefix.
        subnet: At<Ipv4Net>,
        /// What it is for.
        kind: At<VlanKind>,
        /// Address of the router in it. Default: the first host.
        gateway: Option<At<Ipv4Addr>>,
        /// Device that routes it. Default: the device with role edge.
        gateway_device: Option<At<Text>>,
        /// Ranges to hand out, each for everyone or for a class. Default: all hosts but the first 9 and the gateway.
        pool: Option<Many<PoolRange>>,
        /// How clients get addresses. Default: by relay, lease 1 h; a management VLAN gives none.
        dhcp: Option<DhcpTable>,
        /// Fixed addresses.
        reservations: Vec<ReservationTable>,
        /// IPv6 on this VLAN. Default: none.
        ipv6: Option<Ipv6Table>,
    }
}

shape! {
    /// How clients of a VLAN get addresses.
    DhcpTable {
        /// Lease time. Default: 1h.
        lease: Option<At<Duration>>,
        /// `relay`, `direct`, `none` or `other:NAME` (another server does it). Default: relay.
        via: Option<At<Via>>,
        /// Device that relays. Default: the gateway device.
        relay: Option<At<Text>>,
        /// Interface on which broadcasts are heard.
        interface: Option<At<Text>>,
        /// Clients that ask for it get an address with two messages instead of four (RFC 4039). Default: false.
        rapid_commit: Option<At<bool>>,
        /// Clients that can live without IPv4 are told to for this long (option 108, RFC 8925). Default: they are not.
        ipv6_only_wait: Option<At<Duration>>,
        /// URI of the captive portal's API (option 114, RFC 8910).
        captive_portal: Option<At<Text>>,
        /// VLANs of one such name are one link: when the pools of one are used up, the next serves its clients.
        shared_network: Option<At<Text>>,
        /// Lease time while the pool is nearly used up. Default: half the lease, at least 5 minutes.
        lease_under_pressure: Option<At<Duration>>,
        /// Options for clients, by name or code: text, numbers, true or false, addresses, `hex:` octets, or
        /// `{ value, always = true }` to send it unasked.
        options: BTreeMap<String, At<AnyValue>>,
    }
}

shape! {
    /// IPv6 on a VLAN.
    Ipv6Table {
        /// Its prefix.
        prefix: At<Ipv6Net>,
        /// `slaac`: addresses from router advertisements; `stateless`: the rest from DHCPv6; `stateful`: addresses
        /// from DHCPv6. Default: stateless.
        mode: Option<At<Ipv6Mode>>,
        /// Ranges that DHCPv6 hands out, when stateful.
        pool: Option<Many<AddressRange6>>,
        /// Prefix by which IPv4 is reached (NAT64, RFC 8781).
        pref64: Option<At<Ipv6Net>>,
        /// DNS servers that clients are told.
        name_servers: Option<Many<Ipv6Addr>>,
        /// Who sends router advertisements.
        router: Option<At<Ipv6Addr>>,
        /// hotstage sends router advertisements, on a direct link. Default: false.
        advertise: Option<At<bool>>,
        /// Lease time of stateful addresses. Default: that of IPv4, else 1h.
        lease: Option<At<Duration>>,
        /// Fixed addresses, when stateful.
        reservations: Vec<Ipv6ReservationTable>,
    }
}

shape! {
    /// A fixed IPv6 address. Either duid or mac says whose.
    Ipv6ReservationTable {
        /// Whose, by DHCP unique identifier (option 1), e.g. `hex:000300010200005e0053`.
        duid: Option<Stated<At<Octets>>>,
        /// Whose, by the MAC address that its relay agent tells or that is in its DUID.
        mac: Option<Stated<At<Mac>>>,
        /// Which.
        address: At<Ipv6Addr>,
        /// Its name.
        name: Option<At<Text>>,
    }
}

shape! {
    /// What holds for the whole DHCP server.
    DhcpServerTable {
        /// Classes of clients; the first that matches and says something wins.
        class: BTreeMap<String, ClassTable>,
        /// Leases that may be held behind one port of a relay agent.
        leases_per_circuit: Option<At<u32>>,
        /// Offers that may be open behind one port.
        offers_per_circuit: Option<At<u32>>,
        /// Addresses that clients behind one port may decline in an hour.
        declines_per_circuit_per_hour: Option<At<u32>>,
        /// Leases that may be held behind one relay agent.
        leases_per_relay: Option<At<u32>>,
        /// Messages that one sender may send in a second.
        packets_per_source_per_second: Option<At<u32>>,
        /// Who may ask for leases (DHCPLEASEQUERY, RFC 4388). Default: nobody.
        leasequery_from: Option<Many<Sender>>,
        /// An address that nobody held lately is probed before it is offered. Default: false.
        conflict_probe: Option<At<bool>>,
    }
}

shape! {
    /// Clients that are served alike. Every condition that is stated must hold; of a list any value.
    ClassTable {
        /// Start of the vendor class (option 60).
        vendor_class: Option<Many<Octets>>,
        /// A user class (option 77), all of it.
        user_class: Option<Many<Octets>>,
        /// Start of the circuit id that the relay agent adds (option 82.1).
        circuit_id: Option<Many<Octets>>,
        /// Start of the remote id that the relay agent adds (option 82.2).
        remote_id: Option<Many<Octets>>,
        /// Start of the MAC address.
        mac_prefix: Option<Many<MacPrefix>>,
        /// The codes that the client asks for (option 55), all of them, e.g. `hex:0103060f`.
        parameter_list: Option<Many<Octets>>,
        /// Lease time of its members.
        lease: Option<At<Duration>>,
        /// Options for its members.
        options: BTreeMap<String, At<AnyValue>>,
    }
}

shape! {
    /// A fixed address. One of mac, client_id, circuit_id, remote_id and asset says whose.
    ReservationTable {
        /// Whose, by MAC address.
        mac: Option<Stated<At<Mac>>>,
        /// Whose, by client identifier (option 61).
        client_id: Option<Stated<At<Octets>>>,
        /// Whose, by the port of the relay agent (option 82.1).
        circuit_id: Option<Stated<At<Octets>>>,
        /// Whose, by the remote id that the relay agent adds (option 82.2).
        remote_id: Option<Stated<At<Octets>>>,
        /// Whose, by tag of `inventory.csv`, which has its MAC address.
        asset: Option<Stated<At<Text>>>,
        /// Which.
        address: At<Ipv4Addr>,
        /// Name in DNS.
        name: Option<At<Text>>,
        /// Options for this client.
        options: BTreeMap<String, At<AnyValue>>,
    }
}

shape! {
    /// A device of the network. Its key is its DNS label.
    DeviceTable {
        /// Model, of the catalogue or of `[model.NAME]`.
        model: At<Text>,
        /// Where it stands.
        room: Option<At<Text>>,
        /// Its site. Default: venue.
        site: Option<At<Text>>,
        /// What it does. Default: by its model.
        role: Option<At<Role>>,
        /// Management address.
        address: Option<At<Ipv4Addr>>,
        /// VLAN its management address is in. Default: the VLAN whose subnet holds the address.
        vlan: Option<At<Text>>,
        /// SSIDs it sends. Default of an access point: all.
        ssids: Option<Many<Text>>,
        /// Channels by band: 2.4GHz, 5GHz, 6GHz.
        channels: BTreeMap<String, At<ChannelNumber>>,
        /// Port it hangs on, when there is no cable list.
        connects: Option<At<PortRef>>,
        /// Ports whose VLANs are stated.
        ports: BTreeMap<String, PortTable>,
        /// Spanning tree runs. Default: true on a switch.
        stp: Option<At<bool>>,
        /// Stations it is planned to carry. Default: the model's.
        clients_max: Option<At<u32>>,
    }
}

shape! {
    /// Devices that differ only in number and place: NAME-1, NAME-2, and so on. `[device.NAME-3]` may say more about one.
    GroupTable {
        /// How many.
        count: At<u32>,
        /// Model, of the catalogue or of `[model.NAME]`.
        model: At<Text>,
        /// Rooms, shared out evenly in order.
        rooms: Option<Many<Text>>,
        /// The room of them all.
        room: Option<At<Text>>,
        /// Their site. Default: venue.
        site: Option<At<Text>>,
        /// What they do. Default: by their model.
        role: Option<At<Role>>,
        /// First management address; the others follow it.
        address_from: Option<At<Ipv4Addr>>,
        /// VLAN their management addresses are in.
        vlan: Option<At<Text>>,
        /// SSIDs they send. Default of access points: all.
        ssids: Option<Many<Text>>,
        /// Channels by band; a list is given out in turn.
        channels: BTreeMap<String, Many<ChannelNumber>>,
        /// Ports they hang on, in order.
        connects: Option<Many<PortRef>>,
        /// Ports whose VLANs are stated.
        ports: BTreeMap<String, PortTable>,
        /// Spanning tree runs. Default: true on a switch.
        stp: Option<At<bool>>,
        /// Stations each is planned to carry. Default: the model's.
        clients_max: Option<At<u32>>,
    }
}

shape! {
    /// The VLANs of a port.
    PortTable {
        /// Access VLAN, or native VLAN of a trunk.
        untagged: Option<At<Text>>,
        /// Tagged VLANs. Default: what hangs behind the port needs.
        tagged: Option<Many<Text>>,
    }
}

shape! {
    /// A tunnel between sites.
    TunnelTable {
        /// E.g. ipsec-ikev1-aggressive, ipsec-ikev2, wireguard.
        kind: At<Text>,
        /// Device at one end.
        from: At<Text>,
        /// Device at the other end.
        to: At<Text>,
        /// Pre-shared key, best as `env:NAME` or `file:PATH`.
        psk: Option<At<Secret>>,
    }
}

shape! {
    /// A way out to the Internet.
    UplinkTable {
        /// Device it ends on.
        device: At<Text>,
        /// Mb/s towards the event.
        down_mbps: At<f64>,
        /// Mb/s from the event.
        up_mbps: At<f64>,
    }
}

shape! {
    /// A rule of the event's own: a figure beyond a threshold.
    AlertTable {
        /// The figure, e.g. `dns_queries_per_second`.
        metric: At<Text>,
        /// Of what, e.g. a room's key. Default: each.
        of: Option<At<Text>>,
        /// More than this is wrong.
        above: Option<At<f64>>,
        /// Less than this is wrong.
        below: Option<At<f64>>,
        /// It must be wrong for so long. Default: 1m.
        hold: Option<At<Duration>>,
        /// How bad. Default: warning.
        severity: Option<At<Severity>>,
        /// What is wrong, for people. Default: the alert's name.
        says: Option<At<Text>>,
        /// What to do.
        remedy: Option<At<Text>>,
    }
}

shape! {
    /// Who is told of alerts.
    OutletTable {
        /// What receives.
        kind: At<OutletKind>,
        /// Where, best as `env:NAME` or `file:PATH`; of mail `smtps://HOST`, `smtp://HOST` (STARTTLS) or `smtp+clear://HOST`.
        url: At<Secret>,
        /// Access token (Matrix), or password (mail).
        token: Option<At<Secret>>,
        /// Who writes (mail).
        from: Option<At<Text>>,
        /// To whom (mail).
        to: Option<Many<Text>>,
        /// User of the server (mail). Default: it asks for none.
        user: Option<At<Text>>,
    }
}

shape! {
    /// Where hotstage itself runs and how.
    ServicesTable {
        /// Port its computer hangs on.
        at: Option<At<PortRef>>,
        /// Device of the plan that is its computer.
        device: Option<At<Text>>,
        /// Address that clients are told for DNS and that relays send to. Default: the device's.
        address: Option<At<Ipv4Addr>>,
        /// Names that are not ours.
        dns: Option<DnsTable>,
        /// NTP servers that clients are told.
        ntp: Option<Many<IpAddr>>,
        /// Listening addresses.
        listen: Option<ListenTable>,
        /// Log lines a day that are expected. Default: derived from the crowd.
        log_lines_per_day: Option<At<u32>>,
        /// Log lines over TCP and TLS.
        log: Option<LogTable>,
        /// Bytes that telemetry may take on disk. Default: 4GiB.
        telemetry: Option<At<Bytes>>,
        /// What is watched.
        watch: Option<WatchTable>,
        /// Who else is given the figures and the log.
        feeds: Option<FeedsTable>,
        /// Flows that routers and switches export.
        flows: Option<FlowsTable>,
    }
}

shape! {
    /// Flows (NetFlow, IPFIX, sFlow) that are counted where `listen.flows` says.
    FlowsTable {
        /// Devices whose flows are counted, best those that each packet crosses once. Default: every device with an address.
        exporters: Option<Many<Text>>,
        /// Prefixes from which other exporters are counted as well. Default: none.
        allow: Option<Many<Network>>,
        /// Devices that send the event's own stream. Default: none.
        streamers: Option<Many<Text>>,
    }
}

shape! {
    /// Who is given the figures and the log, besides those who read them here.
    FeedsTable {
        /// A receiver of Prometheus remote-write 1.0. Default: none.
        remote_write: Option<RemoteWriteTable>,
        /// A Zabbix server or proxy. Default: none.
        zabbix: Option<ZabbixTable>,
        /// A syslog collector that is sent every line. Default: none.
        syslog: Option<SyslogFeedTable>,
        /// A receiver of OpenTelemetry logs. Default: none.
        otlp: Option<OtlpTable>,
    }
}

shape! {
    /// A Zabbix server or proxy, told by the sender protocol.
    ZabbixTable {
        /// Its trapper, e.g. `192.0.2.9:10051`.
        server: At<Text>,
        /// Name of the host in Zabbix that has the template. Default: hotstage.
        host: Option<At<Text>>,
        /// Time between values, 5s to 5m. Default: 30s.
        interval: Option<At<Duration>>,
    }
}

shape! {
    /// A syslog collector, told over TCP or TLS.
    SyslogFeedTable {
        /// Where, e.g. `tls://192.0.2.9:6514` or `tcp://192.0.2.9:601`.
        to: At<Text>,
        /// PEM file of authorities besides the system's.
        ca: Option<At<Text>>,
        /// PEM file of our certificate, where the collector asks for one.
        certificate: Option<At<Text>>,
        /// PEM file of its key.
        key: Option<At<Text>>,
    }
}

shape! {
    /// A receiver of OTLP logs over HTTP.
    OtlpTable {
        /// Where, e.g. `http://192.0.2.9:4318/v1/logs`; best as `env:NAME` or `file:PATH` if it holds a secret.
        url: At<Secret>,
        /// Bearer token.
        token: Option<At<Secret>>,
    }
}

shape! {
    /// A receiver of Prometheus remote-write 1.0.
    RemoteWriteTable {
        /// Where, e.g. `http://192.0.2.9:9090/api/v1/write`; best as `env:NAME` or `file:PATH` if it holds a secret.
        url: At<Secret>,
        /// Bearer token.
        token: Option<At<Secret>>,
        /// Time between requests, 5s to 5m. Default: 15s.
        interval: Option<At<Duration>>,
    }
}

shape! {
    /// What is watched.
    WatchTable {
        /// Every planned address is sent an ICMP echo each second. Default: true.
        ping: Option<At<bool>>,
        /// Routers, switches and access points are asked by SNMP. Default: none is.
        snmp: Option<SnmpTable>,
    }
}

shape! {
    /// How devices are asked by SNMP: `community` for version 2c, or `user`, `auth` and `privacy` for version 3.
    SnmpTable {
        /// Community of version 2c.
        community: Option<At<Secret>>,
        /// User of version 3; authenticated by SHA-256, encrypted by AES-128.
        user: Option<At<Text>>,
        /// The user's password for authentication.
        auth: Option<At<Secret>>,
        /// The user's password for encryption.
        privacy: Option<At<Secret>>,
        /// Time between polls of a device, 5s to 10m. Default: 10s.
        interval: Option<At<Duration>>,
        /// Where traps and informs are taken, e.g. `0.0.0.0:162`. Default: nowhere.
        traps: Option<At<SocketAddr>>,
    }
}

shape! {
    /// Names that are not ours.
    DnsTable {
        /// Servers that are asked, best first: an address, `tls://ADDRESS#NAME` or `https://ADDRESS/PATH#NAME`.
        upstreams: Option<Many<DnsServer>>,
        /// PEM file of certificates, besides the system's, that upstreams may prove themselves with.
        trust: Option<At<Text>>,
        /// PEM file of our certificate and those it hangs on, for DNS over TLS and HTTPS. Taken again when it changes.
        certificate: Option<At<Text>>,
        /// PEM file of its private key.
        key: Option<At<Text>>,
        /// Bytes of answers kept. Default: 64MiB.
        cache: Option<At<Bytes>>,
        /// Signatures (DNSSEC) of answers are checked. Default: false.
        validate: Option<At<bool>>,
        /// File of DS or DNSKEY records to begin from. Default: the keys of the root zone.
        trust_anchors: Option<At<Text>>,
        /// Names at and below which signatures are not checked.
        insecure: Option<Many<Text>>,
        /// Other servers for a name and all below it: `dns.forward."corp.example" = ["10.0.0.53"]`.
        forward: BTreeMap<String, Many<DnsServer>>,
        /// Zone files (RFC 1035) of names that are answered here; one for `event.domain` adds to the plan's names.
        zones: Option<Many<Text>>,
        /// Files of names that are not answered, with all below them: a name a line, or a file of hosts.
        block: Option<Many<Text>>,
        /// Names that are answered though a list has them, with all below them.
        unblock: Option<Many<Text>>,
        /// The names and clients of most questions are counted, for operators to see. Default: false.
        top: Option<At<bool>>,
        /// Who is served: addresses and prefixes. Default: the plan's networks, and private-use and link-local addresses.
        allow: Option<Many<Network>>,
        /// Queries per second that one client (an IPv4 address, an IPv6 /64) may send. Default: no limit.
        client_rate: Option<At<u32>>,
        /// Queries per second that one network (an IPv4 /24, an IPv6 /48) may send. Default: no limit.
        network_rate: Option<At<u32>>,
    }
}

shape! {
    /// Log lines over TCP and TLS.
    LogTable {
        /// PEM file of our certificate and those it hangs on, for syslog over TLS. Taken again when it changes.
        certificate: Option<At<Text>>,
        /// PEM file of its private key.
        key: Option<At<Text>>,
        /// PEM file of an authority; senders over TLS must show a certificate that hangs on it.
        client_ca: Option<At<Text>>,
        /// Connections of senders at one time; more are turned away and counted. Default: 12000.
        connections: Option<At<u32>>,
    }
}

shape! {
    /// Listening addresses, replaced by `--listen-*` of the command line.
    ListenTable {
        /// DHCP. Default: 0.0.0.0:67.
        dhcp: Option<Many<SocketAddr>>,
        /// DHCPv6, where a VLAN has IPv6. Default: [::]:547.
        dhcp6: Option<Many<SocketAddr>>,
        /// DNS over UDP and TCP. Default: 0.0.0.0:53.
        dns: Option<Many<SocketAddr>>,
        /// DNS over TLS. Default: 0.0.0.0:853 when there is a certificate.
        dns_tls: Option<Many<SocketAddr>>,
        /// DNS over HTTPS. Default: 0.0.0.0:443 when there is a certificate.
        dns_https: Option<Many<SocketAddr>>,
        /// Syslog over UDP and TCP. Default: 0.0.0.0:514.
        syslog: Option<Many<SocketAddr>>,
        /// Syslog over TLS. Default: 0.0.0.0:6514 when there is a certificate.
        syslog_tls: Option<Many<SocketAddr>>,
        /// NetFlow, IPFIX and sFlow over UDP, e.g. 0.0.0.0:2055. Default: nowhere.
        flows: Option<Many<SocketAddr>>,
        /// The web page and `/metrics`. Default: 0.0.0.0:8080.
        http: Option<Many<SocketAddr>>,
    }
}

shape! {
    /// How the crowd is expected to behave.
    CrowdTable {
        /// DNS queries a minute of an active device, median. Default: 5.
        dns_queries_per_minute: Option<At<f64>>,
        /// Share of people turned away from a full room who open the stream over the Wi-Fi. Default: 0.25.
        stream_share: Option<At<f64>>,
        /// Mb/s of one stream viewer. Default: 2.5.
        stream_mbps: Option<At<f64>>,
        /// Mb/s of an active device besides. Default: 0.2.
        device_mbps: Option<At<f64>>,
        /// Share of people who leave a talk early or roam about. Default: 0.15.
        roam_share: Option<At<f64>>,
    }
}

shape! {
    /// What is erased when.
    PrivacyTable {
        /// Date on which personal data in the state directory is erased.
        erase_on: Option<At<civil::Date>>,
        /// DNS query names are logged. Default: false.
        log_dns_names: Option<At<bool>>,
    }
}

shape! {
    /// A model of gear that the catalogue lacks.
    ModelTable {
        /// What it is.
        kind: At<DeviceKind>,
        /// Its ports.
        ports: Vec<ModelPortTable>,
        /// Watts it can give over PoE in all. Default: 0.
        poe_budget_w: Option<At<f64>>,
        /// Watts it draws over PoE. Default: 0, it has a power supply of its own.
        poe_draw_w: Option<At<f64>>,
        /// Watts it draws from the wall at most. Default: 0.
        power_w: Option<At<f64>>,
        /// Radios. Default: 2 on an access point.
        radios: Option<At<u32>>,
        /// Stations it carries well. Default: 60 on an access point.
        clients_max: Option<At<u32>>,
        /// It can relay DHCP. Default: true on a router.
        dhcp_relay: Option<At<bool>>,
    }
}

shape! {
    /// Ports of a model.
    ModelPortTable {
        /// Name in the vendor's spelling; `Gi0/1-8` names eight.
        name: At<Text>,
        /// Highest speed, Mb/s. Default: 1000.
        speed_mbps: Option<At<u32>>,
        /// Power it gives.
        poe: Option<At<PoeStandard>>,
        /// It is a fibre (SFP) port. Default: false.
        fibre: Option<At<bool>>,
    }
}

shape! {
    /// A plan of hotstage. The tables may be spread over `event.toml`, `venue.toml` and `network.toml`.
    Document {
        /// The event itself.
        event: Option<EventTable>,
        /// Days of the event.
        day: Vec<DayTable>,
        /// Floors of the venue.
        floor: Vec<FloorTable>,
        /// Rooms of the venue.
        room: Vec<RoomTable>,
        /// Walks between rooms.
        walk: Vec<WalkTable>,
        /// Sites.
        site: BTreeMap<String, SiteTable>,
        /// Networks on the air.
        ssid: BTreeMap<String, SsidTable>,
        /// VLANs.
        vlan: BTreeMap<String, VlanTable>,
        /// What holds for the whole DHCP server.
        dhcp: Option<DhcpServerTable>,
        /// Devices.
        device: BTreeMap<String, DeviceTable>,
        /// Groups of devices.
        group: BTreeMap<String, GroupTable>,
        /// Tunnels between sites.
        tunnel: BTreeMap<String, TunnelTable>,
        /// Ways out to the Internet.
        uplink: BTreeMap<String, UplinkTable>,
        /// Rules over figures.
        alert: BTreeMap<String, AlertTable>,
        /// Who is told of alerts.
        outlet: BTreeMap<String, OutletTable>,
        /// Models of gear that the catalogue lacks.
        model: BTreeMap<String, ModelTable>,
        /// Where hotstage itself runs.
        services: Option<ServicesTable>,
        /// How the crowd behaves.
        crowd: Option<CrowdTable>,
        /// What is erased when.
        privacy: Option<PrivacyTable>,
    }
}
