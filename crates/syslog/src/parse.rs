use std::{
    borrow::Cow,
    collections::HashMap,
    net::{IpAddr, SocketAddr},
};

use foldhash::quality::FixedState;
use jiff::tz::TimeZone;
use model::{Facility, LogRecord, LogRef, LogSeverity, Timestamp, Transport};

use crate::header::{self, Header};

/// Names of hosts are cut to so many octets (RFC 5424 section 6.2.4).
const NAME_OCTETS_MAX: usize = 255;

/// What the plan knows that helps to read a line: which device has which address and name, and the local time zone.
///
/// The year of a line without one comes from its receive time. Both maps hold what the plan holds, never what
/// the network sends.
#[derive(Clone, Debug, PartialEq)]
pub struct Context {
    /// Device name by source address. It goes before the host a line claims: addresses are ours, host fields are not.
    pub hosts_by_address: HashMap<IpAddr, String, FixedState>,
    /// Device name as the plan spells it, by the same in lower case.
    pub known_hosts: HashMap<String, String, FixedState>,
    /// The zone of lines that say none (RFC 3164 section 4.1.2 is local time).
    pub zone: TimeZone,
}

impl Default for Context {
    /// Knows no device, and takes times that say no zone for UTC.
    fn default() -> Self {
        Self::new(TimeZone::UTC)
    }
}

impl Context {
    /// Knows no device yet.
    pub fn new(zone: TimeZone) -> Self {
        Self { hosts_by_address: HashMap::default(), known_hosts: HashMap::default(), zone }
    }

    /// Adds a device of the plan with the addresses it may send from.
    pub fn add_device(&mut self, name: &str, addresses: impl IntoIterator<Item = IpAddr>) {
        self.known_hosts.insert(name.to_ascii_lowercase(), name.to_owned());
        for address in addresses {
            self.hosts_by_address.insert(address.to_canonical(), name.to_owned());
        }
    }

    /// The originator: by source address, else by the host of the line (an address or a name of the plan, with or
    /// without domain), else what the line says.
    fn originator<'a>(&'a self, source: IpAddr, claimed: &'a str) -> &'a str {
        if let Some(name) = self.hosts_by_address.get(&source.to_canonical()) {
            return name;
        }
        if claimed.is_empty() {
            return claimed;
        }
        // Most names begin with a letter beyond `f`, or hold what no address does: they need not be tried as one.
        if claimed.bytes().all(|octet| octet.is_ascii_hexdigit() || matches!(octet, b'.' | b':'))
            && let Ok(address) = claimed.parse::<IpAddr>()
            && let Some(name) = self.hosts_by_address.get(&address.to_canonical())
        {
            return name;
        }
        let mut buffer = [0; NAME_OCTETS_MAX];
        let known = buffer.get_mut(..claimed.len()).and_then(|lower| {
            lower.copy_from_slice(claimed.as_bytes());
            lower.make_ascii_lowercase();
            let lower = std::str::from_utf8(lower).ok()?;
            let label = lower.split('.').next().unwrap_or_default();
            self.known_hosts.get(lower).or_else(|| if label == lower { None } else { self.known_hosts.get(label) })
        });
        known.map_or(claimed, String::as_str)
    }
}

/// One received line as a record. Never fails: PRI is read first and kept even if nothing else can be read, and the
/// raw bytes, source and receive time are kept always.
///
/// Reads RFC 5424, else RFC 3164 and the dialects of Cisco IOS, IOS XR and WLC, NEC IX, pfSense, hostapd, OpenWrt,
/// UniFi, Aruba, HPE and Juniper. The text may hold terminal escapes or markup: whoever shows it escapes it.
pub fn parse(
    received: Timestamp,
    source: SocketAddr,
    transport: Transport,
    raw: &[u8],
    context: &Context,
) -> LogRecord {
    parse_ref(received, source, transport, raw, context).into()
}

/// As [`parse`], without copying a text.
pub fn parse_ref<'a>(
    received: Timestamp,
    source: SocketAddr,
    transport: Transport,
    raw: &'a [u8],
    context: &'a Context,
) -> LogRef<'a> {
    let line = LogRef {
        received,
        source,
        transport,
        facility: None,
        severity: None,
        host: Cow::Borrowed(""),
        app: Cow::Borrowed(""),
        device_time: None,
        message: Cow::Borrowed(""),
        raw,
    };
    // Checking whole is far faster than looking for what is wrong.
    if let Ok(text) = str::from_utf8(raw) {
        let (priority, time, [host, app, message]) = parts(received, source, text, context);
        let (host, app, message) = (Cow::Borrowed(host), Cow::Borrowed(app), Cow::Borrowed(message));
        let (facility, severity) = priority.unzip();
        return LogRef { facility, severity, device_time: time, host, app, message, ..line };
    }
    let text = String::from_utf8_lossy(raw);
    let (priority, time, texts) = parts(received, source, &text, context);
    let [host, app, message] = texts.map(|text| Cow::Owned(text.to_owned()));
    let (facility, severity) = priority.unzip();
    LogRef { facility, severity, device_time: time, host, app, message, ..line }
}

type Priority = (Facility, LogSeverity);

/// PRI, the device's time, and originator, program and message.
fn parts<'a>(
    received: Timestamp,
    source: SocketAddr,
    text: &'a str,
    context: &'a Context,
) -> (Option<Priority>, Option<Timestamp>, [&'a str; 3]) {
    let text = text.trim_end_matches(['\0', '\n', '\r']);
    let (priority, after_priority) = priority(text);
    let header = header::rfc5424(after_priority)
        .filter(|_| priority.is_some())
        .unwrap_or_else(|| header::legacy(after_priority, received, &context.zone));
    let host = context.originator(source.ip(), cut(header.host, NAME_OCTETS_MAX));
    (priority.or_else(|| named_priority(&header)), header.time, [host, cut(header.app, 48), header.message])
}

/// PRI (RFC 5424 section 6.2.1), 0 to 191, and what follows it.
fn priority(text: &str) -> (Option<Priority>, &str) {
    let read = || {
        let (digits, rest) = text.strip_prefix('<')?.split_once('>')?;
        if !(1..=3).contains(&digits.len()) || !digits.bytes().all(|octet| octet.is_ascii_digit()) {
            return None;
        }
        let number = digits.parse::<u8>().ok().filter(|number| *number <= 191)?;
        Some(((Facility(number / 8), LogSeverity::from_number(number)), rest))
    };
    match read() {
        Some((priority, rest)) => (Some(priority), rest),
        None => (None, text),
    }
}

/// `daemon.notice` in the place of PRI (OpenWrt's `logread`).
fn named_priority(header: &Header<'_>) -> Option<Priority> {
    const FACILITIES: [&str; 24] = [
        "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp",
        "security", "console", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
    ];
    const SEVERITIES: [&str; 8] = ["emerg", "alert", "crit", "err", "warn", "notice", "info", "debug"];
    let (facility, severity) = header.priority_name?.split_once('.')?;
    let (facility, _) = (0..).zip(FACILITIES).find(|(_, name)| *name == facility)?;
    let (severity, _) = (0..).zip(SEVERITIES).find(|(_, name)| *name == severity)?;
    Some((Facility(facility), LogSeverity::from_number(severity)))
}

/// At most `octets_max` octets, on a character boundary.
fn cut(text: &str, octets_max: usize) -> &str {
    &text[..text.floor_char_boundary(octets_max)]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn context() -> Context {
        let mut context = Context::new(TimeZone::get("Asia/Tokyo").unwrap());
        context.add_device("fw-cloud", [IpAddr::from([192, 0, 2, 1])]);
        context.add_device("sw-4F-1", [IpAddr::from([192, 0, 2, 20])]);
        context
    }

    fn record(source: [u8; 4], raw: &[u8]) -> LogRecord {
        // 2019-12-30T00:00:00Z
        let received = Timestamp::from_secs(1_577_664_000);
        parse(received, SocketAddr::from((source, 514)), Transport::Udp, raw, &context())
    }

    /// PRI (or nothing), host, app, device time, start of message.
    type Row<'a> = (&'a str, Option<u8>, &'a str, &'a str, Option<&'a str>, &'a str);

    fn check(rows: &[Row<'_>]) {
        for (line, number, host, app, time, message) in rows {
            let record = record([198, 51, 100, 9], line.as_bytes());
            let got =
                record.facility.zip(record.severity).map(|(facility, severity)| facility.0 * 8 + severity.number());
            assert_eq!(got, *number, "{line}");
            assert_eq!(record.host, *host, "{line}");
            assert_eq!(record.app, *app, "{line}");
            assert_eq!(record.device_time.map(|time| time.to_string()).as_deref(), *time, "{line}");
            assert!(record.message.starts_with(message), "{line}: {}", record.message);
            assert_eq!(record.raw, line.as_bytes());
        }
    }

    #[test]
    fn cisco() {
        check(&[
            (
                "<189>2360957: Jan  6 2022 20:52:12.861: %SYS-5-CONFIG_I: Configured from console by noc on vty0 (192.0.2.10)",
                Some(189),
                "",
                "%SYS-5-CONFIG_I",
                Some("2022-01-06T11:52:12.861Z"),
                "Configured from console",
            ),
            (
                "<189>: Jan  6 2022 20:54:26.961: %SYS-5-CONFIG_I: Configured",
                Some(189),
                "",
                "%SYS-5-CONFIG_I",
                Some("2022-01-06T11:54:26.961Z"),
                "Configured",
            ),
            (
                "<189>: sw01: Jan  6 2022 21:01:34.964: %SYS-5-CONFIG_I: Configured",
                Some(189),
                "sw01",
                "%SYS-5-CONFIG_I",
                Some("2022-01-06T12:01:34.964Z"),
                "Configured",
            ),
            (
                "<189>387448: host-01: May 6 16:13:09.123 UTC+07:30: %DOT1X-5-FAIL: Authentication failed for client (0000.5e00.5301) on Interface Gi1/0/16",
                Some(189),
                "host-01",
                "%DOT1X-5-FAIL",
                Some("2019-05-06T08:43:09.123Z"),
                "Authentication failed",
            ),
            (
                "<191>2637085: rt-1: Aug 18 07:15:04.461 CEST: NTP Core (NOTICE): Clock synchronization lost.",
                Some(191),
                "rt-1",
                "",
                Some("2019-08-18T05:15:04.461Z"),
                "NTP Core (NOTICE): Clock",
            ),
            (
                "<191>: rt-1: Aug 18 07:15:04.461 CEST: last message repeated 66 times",
                Some(191),
                "rt-1",
                "",
                Some("2019-08-18T05:15:04.461Z"),
                "last message repeated",
            ),
            (
                "<189>Jun 12 18:10:50 192.0.2.20 %ILPOWER-5-IEEE_DISCONNECT: Interface Gi1/0/20: PD removed",
                Some(189),
                "sw-4F-1",
                "%ILPOWER-5-IEEE_DISCONNECT",
                Some("2019-06-12T09:10:50Z"),
                "Interface Gi1/0/20: PD removed",
            ),
            (
                "<189>2024-10-11T10:15:31.208321-05:00 SW-4f-1.example.org %LINEPROTO-5-UPDOWN: Line protocol on Interface Te1/0/1, changed state to up",
                Some(189),
                "sw-4F-1",
                "%LINEPROTO-5-UPDOWN",
                Some("2024-10-11T15:15:31.208321Z"),
                "Line protocol",
            ),
            (
                "<182>: host-1: 115649616: Jan 23 14:54:28.511 CET: %FMANFP-6-IPV6ACCESSLOGP: R0/0: fman_fp_image: list denied udp 2001:db8::(38370)",
                Some(182),
                "host-1",
                "%FMANFP-6-IPV6ACCESSLOGP",
                Some("2019-01-23T13:54:28.511Z"),
                "R0/0: fman",
            ),
            (
                "<190>Oct 7 07:19:44 primary-mgmt RP/0/RP0/CPU0:Oct 7 07:19:43.630 UTC: ipv4_acl_mgr[310]: %ACL-IPV4_ACL-6-IPACCESSLOGP : access-list x deny tcp",
                Some(190),
                "primary-mgmt",
                "ipv4_acl_mgr",
                Some("2019-10-07T07:19:43.63Z"),
                "%ACL-IPV4_ACL",
            ),
            (
                "<132>wlc-1: *spamApTask1: May 26 18:52:01.958: %CAPWAP-4-DISC_INTF_ERR2: [PA]capwap_ac_sm.c:2053 Ignoring",
                Some(132),
                "wlc-1",
                "%CAPWAP-4-DISC_INTF_ERR2",
                Some("2019-05-26T09:52:01.958Z"),
                "[PA]capwap",
            ),
            (
                "*apfMsConnTask_6: Jun 15 14:23:45.123: %CLIENT_ORCH_LOG-6-CLIENT_ADDED_TO_RUN_STATE: R0/0: wncd: Username entry",
                None,
                "",
                "%CLIENT_ORCH_LOG-6-CLIENT_ADDED_TO_RUN_STATE",
                Some("2019-06-15T05:23:45.123Z"),
                "R0/0: wncd",
            ),
            ("<189>99: 03:11:27: %SYS-5-RESTART: System restarted", Some(189), "", "%SYS-5-RESTART", None, "System"),
            ("<189>99: %SYS-5-RESTART: System restarted", Some(189), "", "%SYS-5-RESTART", None, "System"),
            (
                "<189>45: *Mar  1 00:15:04.123: %LINK-3-UPDOWN: Interface Gi0/1, changed state to down",
                Some(189),
                "",
                "%LINK-3-UPDOWN",
                Some("2019-02-28T15:15:04.123Z"),
                "Interface Gi0/1",
            ),
        ]);
    }

    #[test]
    fn firewalls_and_routers() {
        check(&[
            (
                "<134>Jul  3 19:10:30 filterlog[72237]: 146,,,1535324496,igb1.12,match,block,in,4,0x0,,63",
                Some(134),
                "",
                "filterlog",
                Some("2019-07-03T10:10:30Z"),
                "146,,,1535324496",
            ),
            (
                "<190>Jul  4 09:39:41 dhcpd[64305]: DHCPACK on 192.0.2.56 to 02:00:5e:00:53:01 (name) via eth0.60",
                Some(190),
                "",
                "dhcpd",
                Some("2019-07-04T00:39:41Z"),
                "DHCPACK on",
            ),
            (
                "<165>1 2007-02-15T09:17:15.719Z router1 mgd 3046 UI_DBASE_LOGOUT_EVENT [junos@2636.1.1.1.2.18 username=\"us]er\\\"\"] User 'user' exiting",
                Some(165),
                "router1",
                "mgd",
                Some("2007-02-15T09:17:15.719Z"),
                "User 'user' exiting",
            ),
            (
                "<23> Nov 18 09:56:58  INTERNET-ROUTER RT_FLOW: RT_FLOW_SESSION_CREATE: session created 192.0.2.102/58662->8.8.8.8/53",
                Some(23),
                "INTERNET-ROUTER",
                "RT_FLOW",
                Some("2019-11-18T00:56:58Z"),
                "RT_FLOW_SESSION_CREATE: session",
            ),
            (
                "<28>1 2020-05-22T14:59:09.250-03:00 OX-XXX-MX204 OX-XXX-CONTEUDO:rpd 6589 - - bgp_listen_accept: %DAEMON-4: Connection",
                Some(28),
                "OX-XXX-MX204",
                "OX-XXX-CONTEUDO:rpd",
                Some("2020-05-22T17:59:09.25Z"),
                "bgp_listen_accept",
            ),
            (
                "<189>Oct 9 14:59:04 2009 Sysname %%10SHELL/5/SHELL_LOGIN(l): VTY logged in from 192.0.2.21",
                Some(189),
                "Sysname",
                "%%10SHELL/5/SHELL_LOGIN(l)",
                Some("2009-10-09T05:59:04Z"),
                "VTY logged in",
            ),
            (
                "<189> Oct 21 09:10:54 sw CMDLOGGER[emWeb]: cmd_logger_api.c(83) 29333 %% NOTE",
                Some(189),
                "sw",
                "CMDLOGGER",
                Some("2019-10-21T00:10:54Z"),
                "cmd_logger_api.c(83)",
            ),
            (
                "<111> Aug 17 00:00:00 fortigate date=2015-08-11 time=19:19:43 devname=fg",
                Some(111),
                "fortigate",
                "",
                Some("2019-08-16T15:00:00Z"),
                "date=2015-08-11",
            ),
            // NEC IX: no header after PRI; its time is one of three forms or none.
            ("<134>PPP.012: tunnel0 link up", Some(134), "", "PPP.012", None, "tunnel0 link up"),
            ("<134>GigaEthernet0.0 is up", Some(134), "", "", None, "GigaEthernet0.0 is up"),
            (
                "<134>2019/09/16 11:00:00 IKE.014: phase 1 done",
                Some(134),
                "",
                "IKE.014",
                Some("2019-09-16T02:00:00Z"),
                "phase 1 done",
            ),
            ("<134>11:00:00 IKE.014: phase 1 done", Some(134), "", "IKE.014", None, "phase 1 done"),
        ]);
    }

    #[test]
    fn access_points() {
        check(&[
            (
                "Sat Jul 26 03:14:17 2026 daemon.notice hostapd: wlan1: AP-STA-CONNECTED 02:00:5e:00:53:01",
                Some(29),
                "",
                "hostapd",
                Some("2026-07-25T18:14:17Z"),
                "wlan1: AP-STA-CONNECTED",
            ),
            (
                "<30>Nov 10 11:49:46 U7PG2,02005e005301,v4.0.66.10832: logread[5495]: Logread connected to 192.0.2.9:514",
                Some(30),
                "U7PG2,02005e005301",
                "logread",
                Some("2019-11-10T02:49:46Z"),
                "Logread connected",
            ),
            (
                "<27>Nov  8 17:28:43 US8P60,02005e005302,v4.0.66.10832 switch: DOT1S: dot1sBpduReceive(): Discarding",
                Some(27),
                "US8P60,02005e005302",
                "switch",
                Some("2019-11-08T08:28:43Z"),
                "DOT1S:",
            ),
            (
                "<4>Nov 10 23:04:06 USG kernel: [LAN_LOCAL-default-A]IN=eth0.2004 OUT= MAC= SRC=192.0.2.1",
                Some(4),
                "USG",
                "kernel",
                Some("2019-11-10T14:04:06Z"),
                "[LAN_LOCAL",
            ),
            (
                "<187>Sep 16 11:00:00 2019 ap-ctl authmgr[4130]: <124198> <4130> <ERRS> <ap-ctl 192.0.2.10>  Missing server",
                Some(187),
                "ap-ctl",
                "authmgr",
                Some("2019-09-16T02:00:00Z"),
                "<124198> <4130> <ERRS>",
            ),
            (
                "Sep  7 20:30:58 stm[2452]: <501100> <2452> <NOTI> <wcp2>  Assoc success @ 20:30:58.606562: 02:00:5e:00:53:03: AP",
                None,
                "",
                "stm",
                Some("2019-09-07T11:30:58Z"),
                "<501100>",
            ),
            (
                "<30>Sep 16 11:00:00 ap-4f-1 hostapd: wlan0: STA 02:00:5e:00:53:01 IEEE 802.11: associated",
                Some(30),
                "ap-4f-1",
                "hostapd",
                Some("2019-09-16T02:00:00Z"),
                "wlan0: STA",
            ),
        ]);
    }

    #[test]
    fn lines_that_are_nearly_like_others() {
        check(&[
            (
                "<189>1469087: ch_switch_m-1: Mar 29 07:40:10.863 CDT: %ILPOWER-5-SENSE_POWER_INVALID: Interface Gi1/0/25: invalid power sense 78054 milliwatts",
                Some(189),
                "ch_switch_m-1",
                "%ILPOWER-5-SENSE_POWER_INVALID",
                Some("2019-03-29T12:40:10.863Z"),
                "Interface Gi1/0/25: invalid",
            ),
            (
                "<134>Jul  3 19:10:31 filterlog[72237]: 6,,,1000000105,igb1.27,match,block,in,6,0x00,0xf6279,1,UDP,17,32,2001:db8::1,ff02::1:2,546,547,32",
                Some(134),
                "",
                "filterlog",
                Some("2019-07-03T10:10:31Z"),
                "6,,,1000000105,igb1.27",
            ),
            (
                "<188>Sep 16 11:00:00 2019 ap-ctl sapd[1362]: <127037> <WARN> |AP 02:00:5e:00:53:32@192.0.2.10 sapd| |ids-ap| AP(02:00:5e:00:53:60): Station Associated to Rogue AP",
                Some(188),
                "ap-ctl",
                "sapd",
                Some("2019-09-16T02:00:00Z"),
                "<127037> <WARN> |AP",
            ),
            (
                "<166>Sep 16 11:00:00 zd1 Core: @@306,apChannelChanged,\"apMac\"=\"02:00:5E:00:53:50\",\"radio\"=\"11g/n\"",
                Some(166),
                "zd1",
                "Core",
                Some("2019-09-16T02:00:00Z"),
                "@@306,apChannelChanged",
            ),
            // NEC IX with `logging timestamp uptime`, in the shapes that are known of such times; none is lost.
            ("<134>03:11:27 IKE.014: phase 1 done", Some(134), "", "IKE.014", None, "phase 1 done"),
            ("<134>2d03h: IKE.014: phase 1 done", Some(134), "", "IKE.014", None, "phase 1 done"),
            // No header and no tag: all of it is the message.
            ("<134>  leading spaces stay words", Some(134), "", "", None, "leading spaces"),
            (
                "<13>Sep 16 11:00:00 2001:db8::7 app[1]: by address",
                Some(13),
                "2001:db8::7",
                "app",
                Some("2019-09-16T02:00:00Z"),
                "by address",
            ),
        ]);
    }

    #[test]
    fn edges_keep_pri_and_raw() {
        check(&[
            ("", None, "", "", None, ""),
            ("<", None, "", "", None, "<"),
            ("<13>", Some(13), "", "", None, ""),
            ("<0>x", Some(0), "", "", None, "x"),
            ("<191>x", Some(191), "", "", None, "x"),
            ("<192>x", None, "", "", None, "<192>x"),
            ("<999>x", None, "", "", None, "<999>x"),
            ("<13>1 - - - - - -", Some(13), "", "", None, ""),
            ("<13>1 - - - - - - hello", Some(13), "", "", None, "hello"),
            ("<13>1 - h a - - [x y=\"z\"]", Some(13), "h", "a", None, "[x y=\"z\"]"),
            ("<13>1 - h a - - [x y=\"z] broken", Some(13), "h", "a", None, "[x y=\"z] broken"),
            ("<13>1 2019-99-99T00:00:00Z h a - - - hello", Some(13), "", "", None, "1 2019-99"),
            ("<13>1 - h a - - - \u{feff}bom", Some(13), "h", "a", None, "bom"),
            (
                "<13>Sep 16 11:00:00 last message repeated 3 times",
                Some(13),
                "",
                "",
                Some("2019-09-16T02:00:00Z"),
                "last",
            ),
        ]);
        assert_eq!(record([198, 51, 100, 9], b"<13>\xff\xfe\0").message, "\u{fffd}\u{fffd}");
    }

    #[test]
    fn the_source_address_goes_before_the_claimed_host() {
        let line = b"<134>Jul  3 19:10:30 sw-4f-1 sshd[1]: hello";
        assert_eq!(record([192, 0, 2, 1], line).host, "fw-cloud");
        assert_eq!(record([198, 51, 100, 9], line).host, "sw-4F-1");
    }

    proptest! {
        #[test]
        fn any_bytes_are_kept(raw in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert_eq!(record([198, 51, 100, 9], &raw).raw, raw);
        }

        #[test]
        fn any_line_like_text_is_kept(raw in "(<[0-9]{0,4}>)?(1 )?[*.:]{0,2}(Sep 16 |[0-9]{1,4}: ?|[0-9:]{8}|2019-09-16T|\\[|\\]|\"|é|[a-z]{1,5}:? ?){0,12}") {
            prop_assert_eq!(record([198, 51, 100, 9], raw.as_bytes()).raw, raw.as_bytes());
        }
    }
}
