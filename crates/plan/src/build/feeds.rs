use std::{ops::RangeInclusive, time::Duration};

use model::Place;

use super::{Build, services::path};
use crate::{
    Feeds, HostPort, OtlpFeed, RemoteWrite, Secret, SyslogFeed, SyslogFeedTls, ZabbixFeed,
    file::{
        leaf::Text,
        shape::At,
        v1::{FeedsTable, OtlpTable, RemoteWriteTable, SyslogFeedTable, ZabbixTable},
    },
};

/// Time between requests of remote-write when the plan is silent.
const REMOTE_WRITE_INTERVAL: Duration = Duration::from_secs(15);
/// Time between values for Zabbix when the plan is silent.
const ZABBIX_INTERVAL: Duration = Duration::from_secs(30);
/// What the plan may say of either.
const INTERVALS: RangeInclusive<Duration> = Duration::from_secs(5)..=Duration::from_secs(300);

/// Ports when the plan is silent: Zabbix' trapper, RFC 5425, RFC 6587 section 5.
const ZABBIX_PORT: u16 = 10_051;
const SYSLOG_TLS_PORT: u16 = 6_514;
const SYSLOG_TCP_PORT: u16 = 601;

impl Build {
    pub(super) fn feeds(&mut self, table: Option<&FeedsTable>) -> Feeds {
        let Some(table) = table else { return Feeds::default() };
        Feeds {
            remote_write: table.remote_write.as_ref().map(|table| self.remote_write(table)),
            zabbix: table.zabbix.as_ref().and_then(|table| self.zabbix(table)),
            syslog: table.syslog.as_ref().and_then(|table| self.syslog_feed(table)),
            otlp: table.otlp.as_ref().map(|table| self.otlp(table)),
        }
    }

    fn remote_write(&mut self, table: &RemoteWriteTable) -> RemoteWrite {
        self.http_url(&table.url, "http://192.0.2.9:9090/api/v1/write");
        let token = table.token.as_ref().map(|token| token.value.clone());
        let interval = self.feed_interval(table.interval.as_ref(), REMOTE_WRITE_INTERVAL);
        RemoteWrite { url: table.url.value.clone(), token, interval }
    }

    fn zabbix(&mut self, table: &ZabbixTable) -> Option<ZabbixFeed> {
        let server = self.host_port(&table.server.at, "server", &table.server.value.0, ZABBIX_PORT, "192.0.2.9:10051");
        let interval = self.feed_interval(table.interval.as_ref(), ZABBIX_INTERVAL);
        let host = table.host.as_ref().map_or_else(|| "hotstage".to_owned(), |host| host.value.0.clone());
        Some(ZabbixFeed { server: server?, host, interval })
    }

    fn syslog_feed(&mut self, table: &SyslogFeedTable) -> Option<SyslogFeed> {
        let (to, example) = (&table.to.value.0, "tls://192.0.2.9:6514");
        let (is_tls, rest, port) = match to.split_once("://") {
            Some(("tls", rest)) => (true, rest, SYSLOG_TLS_PORT),
            Some(("tcp", rest)) => (false, rest, SYSLOG_TCP_PORT),
            Some(_) | None => {
                let says = format!("`to` is `{to}`, which begins with neither `tls://` nor `tcp://`");
                self.problems.add(&table.to.at, says, format!("write `to = \"{example}\"`"));
                return None;
            }
        };
        let to = self.host_port(&table.to.at, "to", rest, port, example);
        let of_tls = [("ca", &table.ca), ("certificate", &table.certificate), ("key", &table.key)];
        for (name, stated) in of_tls {
            if let (Some(stated), false) = (stated, is_tls) {
                let says = format!("`{name}` has no effect without TLS");
                self.problems.add(&stated.at, says, "write `to = \"tls://...\"`, or remove it");
            }
        }
        let certificate = self.certificate("syslog", table.certificate.as_ref(), table.key.as_ref());
        let certificate = certificate.map(|files| (files.certificate, files.key));
        let tls = is_tls.then(|| SyslogFeedTls { authority: path(table.ca.as_ref()), certificate });
        Some(SyslogFeed { to: to?, tls })
    }

    fn otlp(&mut self, table: &OtlpTable) -> OtlpFeed {
        self.http_url(&table.url, "http://192.0.2.9:4318/v1/logs");
        OtlpFeed { url: table.url.value.clone(), token: table.token.as_ref().map(|token| token.value.clone()) }
    }

    fn http_url(&mut self, url: &At<Secret>, example: &str) {
        if let Secret::Plain(text) = &url.value
            && !(text.starts_with("http://") || text.starts_with("https://"))
        {
            let says = format!("`url` is `{text}`, which is no address of HTTP");
            self.problems.add(&url.at, says, format!("write `url = \"{example}\"`"));
        }
    }

    fn host_port(&mut self, at: &Place, name: &str, text: &str, port: u16, example: &str) -> Option<HostPort> {
        let found = HostPort::parse(text, port);
        if found.is_none() {
            let says = format!("`{name}`: `{text}` is no name or address with a port");
            self.problems.add(at, says, format!("write `{name} = \"{example}\"`"));
        }
        found
    }

    fn feed_interval(&mut self, stated: Option<&At<Duration>>, default: Duration) -> Duration {
        let Some(stated) = stated else { return default };
        if !INTERVALS.contains(&stated.value) {
            self.problems.add(&stated.at, "`interval` is not within 5 s and 5 min", "write `interval = \"15s\"`");
        }
        stated.value
    }
}

impl Build {
    /// A text of the plan that must be an e-mail address or a host for one; only its shape is looked at.
    pub(super) fn mail_address(&mut self, stated: &At<Text>) -> String {
        let text = &stated.value.0;
        let is_one = text.split_once('@').is_some_and(|(user, domain)| !user.is_empty() && !domain.is_empty());
        if !is_one || text.contains(|letter: char| letter.is_whitespace() || "<>,;".contains(letter)) {
            let says = format!("`{text}` is no e-mail address");
            self.problems.add(&stated.at, says, "write `noc@example.org`, without a name");
        }
        text.clone()
    }
}
