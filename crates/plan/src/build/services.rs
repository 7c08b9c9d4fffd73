use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    ops::RangeInclusive,
    path::PathBuf,
    time::Duration,
};

use model::{DeviceId, Place};

use super::Build;
use crate::{
    Crowd, Day, Device, Dns, DnsCertificate, DnsForward, Listen, LogCertificate, LogIntake, Privacy, Secret, Services,
    Snmp, SnmpCredentials,
    file::{
        leaf::{DnsServer, Text},
        shape::{At, Many},
        v1::{CrowdTable, DnsTable, LogTable, PrivacyTable, ServicesTable, SnmpTable},
    },
};

/// Bytes that telemetry may take when the plan is silent.
const TELEMETRY_BYTES: u64 = 4 << 30;

/// Bytes of DNS answers kept when the plan is silent, and what it may say.
const CACHE_BYTES: u64 = 64 << 20;
const CACHE_BYTES_MIN: u64 = 1 << 20;
const CACHE_BYTES_MAX: u64 = 64 << 30;

/// Connections of log senders when the plan is silent, and what it may say.
const LOG_CONNECTIONS: u32 = 12_000;
const LOG_CONNECTIONS_RANGE: RangeInclusive<u32> = 1..=100_000;

/// Time between SNMP polls when the plan is silent, and what it may say.
const SNMP_INTERVAL: Duration = Duration::from_secs(10);
const SNMP_INTERVALS: RangeInclusive<Duration> = Duration::from_secs(5)..=Duration::from_secs(600);

/// Below this, a day's segments would not fit.
const TELEMETRY_BYTES_MIN: u64 = 16 << 20;

/// A phone that joins asks tens of names in its first second.
const RATE_MIN: u32 = 20;

impl Build {
    pub(super) fn services(&mut self, table: Option<&ServicesTable>, devices: &BTreeMap<DeviceId, Device>) -> Services {
        if let Some(port) = table.and_then(|table| table.at.as_ref()) {
            self.refer(&port.at, "at", port.value.device.as_str(), "device", |names| &names.devices);
        }
        let device = table.and_then(|table| table.device.as_ref());
        if let Some(device) = device {
            self.refer(&device.at, "device", &device.value.0, "device", |names| &names.devices);
        }
        let device: Option<DeviceId> = device.map(|device| device.value.0.as_str().into());
        let own_address = device.as_ref().and_then(|device| devices.get(device)).and_then(|device| device.address);
        let address = match table.and_then(|table| table.address.as_ref()) {
            Some(stated) => Some(stated.value),
            None => own_address.inspect(|address| {
                self.took("services.address", address.to_string(), "the address of the services' device");
            }),
        };
        let dns = self.dns(table.and_then(|table| table.dns.as_ref()));
        let log = self.log(table.and_then(|table| table.log.as_ref()));
        let lines = table.and_then(|table| table.log_lines_per_day.as_ref());
        let ping = table.and_then(|table| table.watch.as_ref()).and_then(|watch| watch.ping.as_ref());
        Services {
            at_port: table.and_then(|table| table.at.as_ref()).map(|port| port.value.clone()),
            device,
            address,
            listen: self.listen(table, dns.certificate.is_some(), log.certificate.is_some()),
            dns,
            log,
            ntp: table.and_then(|table| table.ntp.as_ref()).map(values).unwrap_or_default(),
            log_lines_per_day: lines.map(|lines| u64::from(lines.value)),
            telemetry_bytes_max: self.telemetry(table),
            ping: ping.is_none_or(|ping| ping.value),
            snmp: self.snmp(table.and_then(|table| table.watch.as_ref()?.snmp.as_ref())),
            feeds: self.feeds(table.and_then(|table| table.feeds.as_ref())),
            flows: self.flows(table.and_then(|table| table.flows.as_ref()), devices),
            at: table.map_or_else(|| Place::file("event.toml"), |table| table.here.clone()),
        }
    }

    fn snmp(&mut self, table: Option<&SnmpTable>) -> Option<Snmp> {
        let table = table?;
        let secret = |secret: &Option<At<Secret>>| secret.as_ref().map(|secret| secret.value.clone());
        let user = table.user.as_ref().map(|user| user.value.0.clone());
        let credentials = match (secret(&table.community), user, secret(&table.auth), secret(&table.privacy)) {
            (Some(community), None, None, None) => SnmpCredentials::Community(community),
            (None, Some(name), Some(auth), Some(privacy)) => SnmpCredentials::User { name, auth, privacy },
            _ => {
                let remedy = "write `community = \"env:SNMP_COMMUNITY\"`, or `user`, `auth` and `privacy`";
                let says = "`snmp` needs either `community`, or `user`, `auth` and `privacy`";
                self.problems.add(&table.here, says, remedy);
                return None;
            }
        };
        let interval = table.interval.as_ref().map_or(SNMP_INTERVAL, |interval| interval.value);
        if let Some(stated) = &table.interval
            && !SNMP_INTERVALS.contains(&interval)
        {
            self.problems.add(&stated.at, "`interval` is not within 5 s and 10 min", "write `interval = \"10s\"`");
        }
        let traps = table.traps.as_ref().map(|address| address.value);
        Some(Snmp { credentials, interval, traps })
    }

    fn telemetry(&mut self, table: Option<&ServicesTable>) -> u64 {
        match table.and_then(|table| table.telemetry.as_ref()) {
            Some(stated) if stated.value.0 < TELEMETRY_BYTES_MIN => {
                self.problems.add(&stated.at, "`telemetry` is less than 16 MiB", "write `telemetry = \"4GiB\"`");
                TELEMETRY_BYTES
            }
            Some(stated) => stated.value.0,
            None => {
                self.took("services.telemetry", "4GiB", "three days of logs of a thousand people, many times over");
                TELEMETRY_BYTES
            }
        }
    }

    /// A certificate with its key; `name` is that of the table.
    pub(super) fn certificate(
        &mut self,
        name: &str,
        certificate: Option<&At<Text>>,
        key: Option<&At<Text>>,
    ) -> Option<DnsCertificate> {
        match (certificate, key) {
            (Some(certificate), None) => {
                let remedy = format!("add `key = \"{name}.key\"`, the PEM file of its private key");
                self.problems.add(&certificate.at, "`certificate` has no `key`", remedy);
            }
            (None, Some(key)) => {
                let remedy = format!("add `certificate = \"{name}.pem\"`, the PEM file of the certificate");
                self.problems.add(&key.at, "`key` has no `certificate`", remedy);
            }
            (Some(_), Some(_)) | (None, None) => {}
        }
        path(certificate).zip(path(key)).map(|(certificate, key)| DnsCertificate { certificate, key })
    }

    fn log(&mut self, table: Option<&LogTable>) -> LogIntake {
        let certificate = table.and_then(|table| table.certificate.as_ref());
        let server = self.certificate("log", certificate, table.and_then(|table| table.key.as_ref()));
        let client_ca = table.and_then(|table| table.client_ca.as_ref());
        if let (Some(client_ca), None) = (client_ca, certificate) {
            let remedy = "add `log.certificate = \"log.pem\"` and `log.key = \"log.key\"`, or remove it";
            self.problems.add(&client_ca.at, "`client_ca` has no effect without a `certificate` of ours", remedy);
        }
        let connections = table.and_then(|table| table.connections.as_ref());
        if let Some(stated) = connections.filter(|stated| !LOG_CONNECTIONS_RANGE.contains(&stated.value)) {
            let says = format!("`connections`: {} is not between 1 and 100,000", stated.value);
            self.problems.add(&stated.at, says, "write `connections = 12000`");
        }
        let client_authority = path(client_ca);
        LogIntake {
            certificate: server.map(|server| LogCertificate { server, client_authority }),
            connections_max: connections.map_or(LOG_CONNECTIONS, |stated| stated.value),
        }
    }

    fn dns(&mut self, table: Option<&DnsTable>) -> Dns {
        let certificate = table.and_then(|table| table.certificate.as_ref());
        let certificate = self.certificate("dns", certificate, table.and_then(|table| table.key.as_ref()));
        let cache_bytes_max = match table.and_then(|table| table.cache.as_ref()) {
            Some(stated) if !(CACHE_BYTES_MIN..=CACHE_BYTES_MAX).contains(&stated.value.0) => {
                let remedy = "write `cache = \"64MiB\"`; a million answers take about 512 MiB";
                self.problems.add(&stated.at, "`cache` is not between 1 MiB and 64 GiB", remedy);
                CACHE_BYTES
            }
            Some(stated) => stated.value.0,
            None => {
                self.took("services.dns.cache", "64MiB", "all that thousands of people ask in an hour");
                CACHE_BYTES
            }
        };
        let upstreams = table.and_then(|table| table.upstreams.as_ref());
        Dns {
            upstreams: upstreams.iter().flat_map(|many| &many.0).map(|server| server.value.0.clone()).collect(),
            trust: path(table.and_then(|table| table.trust.as_ref())),
            certificate,
            cache_bytes_max,
            validate: table.and_then(|table| table.validate.as_ref()).is_some_and(|stated| stated.value),
            trust_anchors: path(table.and_then(|table| table.trust_anchors.as_ref())),
            insecure: texts(table.and_then(|table| table.insecure.as_ref())).collect(),
            top: table.and_then(|table| table.top.as_ref()).is_some_and(|stated| stated.value),
            forwards: table.iter().flat_map(|table| &table.forward).map(forward).collect(),
            zones: texts(table.and_then(|table| table.zones.as_ref())).map(PathBuf::from).collect(),
            block: texts(table.and_then(|table| table.block.as_ref())).map(PathBuf::from).collect(),
            unblock: texts(table.and_then(|table| table.unblock.as_ref())).collect(),
            allow: table
                .and_then(|table| table.allow.as_ref())
                .iter()
                .flat_map(|many| &many.0)
                .map(|net| net.value.0)
                .collect(),
            client_rate: self.rate("client_rate", table.and_then(|table| table.client_rate.as_ref())),
            network_rate: self.rate("network_rate", table.and_then(|table| table.network_rate.as_ref())),
        }
    }

    fn rate(&mut self, name: &str, stated: Option<&At<u32>>) -> Option<u32> {
        let stated = stated?;
        if stated.value < RATE_MIN {
            let says = format!("`{name}`: {} queries a second are less than a phone asks when it joins", stated.value);
            self.problems.add(&stated.at, says, format!("write `{name} = 500`, or remove it for no limit"));
        }
        Some(stated.value.max(RATE_MIN))
    }

    /// Listeners with TLS need a certificate; without one the usual ports stay closed.
    fn listen_tls(
        &mut self,
        name: &str,
        stated: Option<&Many<SocketAddr>>,
        port: u16,
        has_certificate: bool,
    ) -> Vec<SocketAddr> {
        let table = if name == "syslog_tls" { "log" } else { "dns" };
        match stated {
            Some(stated) => {
                if let (false, Some(first)) = (has_certificate, stated.0.first()) {
                    let says = format!("`{name}` needs a certificate");
                    let remedy = format!(
                        "add `{table}.certificate = \"{table}.pem\"` and `{table}.key = \"{table}.key\"` to `[services]`"
                    );
                    self.problems.add(&first.at, says, remedy);
                }
                values(stated)
            }
            None if has_certificate => {
                let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
                let path = format!("services.listen.{name}");
                self.took(&path, address.to_string(), "the usual port, on every address");
                vec![address]
            }
            None => Vec::new(),
        }
    }

    fn listen(&mut self, table: Option<&ServicesTable>, has_certificate: bool, has_log_certificate: bool) -> Listen {
        let listen = table.and_then(|table| table.listen.as_ref());
        let dhcp6 = self.listen_dhcp6(listen.and_then(|listen| listen.dhcp6.as_ref()));
        let dns_tls = listen.and_then(|listen| listen.dns_tls.as_ref());
        let dns_tls = self.listen_tls("dns_tls", dns_tls, 853, has_certificate);
        let dns_https = listen.and_then(|listen| listen.dns_https.as_ref());
        let dns_https = self.listen_tls("dns_https", dns_https, 443, has_certificate);
        let syslog_tls = listen.and_then(|listen| listen.syslog_tls.as_ref());
        let syslog_tls = self.listen_tls("syslog_tls", syslog_tls, 6514, has_log_certificate);
        let mut one = |name: &str, stated: Option<&Many<SocketAddr>>, port: u16| match stated {
            Some(stated) => values(stated),
            None => {
                let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
                let path = format!("services.listen.{name}");
                self.took(&path, address.to_string(), "the usual port, on every address");
                vec![address]
            }
        };
        Listen {
            dhcp: one("dhcp", listen.and_then(|listen| listen.dhcp.as_ref()), 67),
            dhcp6,
            dns: one("dns", listen.and_then(|listen| listen.dns.as_ref()), 53),
            dns_tls,
            dns_https,
            syslog: one("syslog", listen.and_then(|listen| listen.syslog.as_ref()), 514),
            syslog_tls,
            flows: listen.and_then(|listen| listen.flows.as_ref()).map(values).unwrap_or_default(),
            http: one("http", listen.and_then(|listen| listen.http.as_ref()), 8080),
        }
    }

    /// Not told as a default: most plans have no IPv6, and then nothing listens.
    fn listen_dhcp6(&mut self, stated: Option<&Many<SocketAddr>>) -> Vec<SocketAddr> {
        let Some(stated) = stated else { return vec![SocketAddr::from((Ipv6Addr::UNSPECIFIED, 547))] };
        for address in stated.0.iter().filter(|address| address.value.is_ipv4()) {
            let says = format!("`dhcp6`: `{}` is no IPv6 address", address.value);
            self.problems.add(&address.at, says, "write `dhcp6 = \"[::]:547\"`");
        }
        values(stated)
    }

    pub(super) fn crowd(&mut self, table: Option<&CrowdTable>) -> Crowd {
        type Pick = fn(&CrowdTable) -> Option<&At<f64>>;
        let mut one = |name: &str, pick: Pick, default: f64, reason: &str| {
            let stated = table.and_then(pick);
            if let Some(share) = stated.filter(|share| name.ends_with("_share") && share.value > 1.0) {
                let says = format!("`{name}`: `{}` is not a share", share.value);
                self.problems.add(&share.at, says, "write 0 to 1, e.g. `0.25`");
            }
            self.or_default(stated, &format!("crowd.{name}"), default, reason)
        };
        let roaming = "people who leave a talk early or roam about";
        Crowd {
            dns_queries_per_minute: one(
                "dns_queries_per_minute",
                |crowd| crowd.dns_queries_per_minute.as_ref(),
                5.0,
                "median of an active device",
            ),
            stream_share: one("stream_share", |crowd| crowd.stream_share.as_ref(), 0.25, "one in four turned away"),
            stream_mbps: one("stream_mbps", |crowd| crowd.stream_mbps.as_ref(), 2.5, "video in 720 lines"),
            device_mbps: one("device_mbps", |crowd| crowd.device_mbps.as_ref(), 0.2, "mean of an active device"),
            roam_share: one("roam_share", |crowd| crowd.roam_share.as_ref(), 0.15, roaming),
        }
    }

    pub(super) fn privacy(&mut self, table: Option<&PrivacyTable>, last_day: Option<&Day>) -> Privacy {
        let erase_on = table.and_then(|table| table.erase_on.as_ref());
        if let (Some(erase_on), Some(last)) = (erase_on, last_day)
            && erase_on.value < last.date
        {
            let says = format!("`erase_on` {} is before the last day {}", erase_on.value, last.date);
            self.problems.add(&erase_on.at, says, "erase after the event, e.g. six weeks later");
        }
        Privacy {
            erase_on: erase_on.map(|date| date.value),
            log_dns_names: table.and_then(|table| table.log_dns_names.as_ref()).is_some_and(|claim| claim.value),
        }
    }
}

pub(super) fn path(text: Option<&At<Text>>) -> Option<PathBuf> {
    text.map(|text| PathBuf::from(&text.value.0))
}

fn forward((zone, servers): (&String, &Many<DnsServer>)) -> DnsForward {
    let upstreams = servers.0.iter().map(|server| server.value.0.clone()).collect();
    DnsForward { zone: zone.clone(), upstreams }
}

fn texts(many: Option<&Many<Text>>) -> impl Iterator<Item = String> {
    many.into_iter().flat_map(|many| &many.0).map(|text| text.value.0.clone())
}

fn values<T: Copy>(many: &Many<T>) -> Vec<T> {
    many.0.iter().map(|item| item.value).collect()
}
