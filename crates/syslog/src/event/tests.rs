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
        ("Sat Jul 26 03:14:17 2026 daemon.notice hostapd: wlan1: AP-STA-CONNECTED 02:00:5e:00:53:01", joined.clone()),
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
        ("Sep  7 20:30:58 stm[2452]: <501080> <2452> <NOTI> <w>  Deauth to sta: 02:00:5e:00:53:01: Ageout AP", left),
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

fn dhcp(what: DhcpWord, mac: Option<Mac>) -> Option<LineEvent> {
    Some(LineEvent::Dhcp { what, mac })
}

fn up(port: &str) -> Option<LineEvent> {
    Some(LineEvent::LinkUp { port: port.to_owned() })
}

fn down(port: &str) -> Option<LineEvent> {
    Some(LineEvent::LinkDown { port: port.to_owned() })
}

fn poe(what: PoeWord, port: &str) -> Option<LineEvent> {
    Some(LineEvent::Poe { what, port: port.to_owned() })
}

fn tree(what: SpanningTreeWord, port: Option<&str>) -> Option<LineEvent> {
    Some(LineEvent::SpanningTree { what, port: port.map(str::to_owned) })
}

fn login(is_accepted: bool, user: Option<&str>) -> Option<LineEvent> {
    Some(LineEvent::Login { is_accepted, user: user.map(str::to_owned) })
}

#[test]
fn cisco() {
    let config = Some(LineEvent::ConfigChanged);
    let joined = Some(LineEvent::StationAssociated { mac: STATION });
    let left = Some(LineEvent::StationLeft { mac: STATION });
    for (line, want) in [
        (
            "<189>7: *Mar  1 00:00:09.1: %LINK-5-CHANGED: Interface Vlan10, changed state to administratively down",
            down("Vlan10"),
        ),
        (
            "<189>7: .Sep 16 10:00:00: %SYS-5-CONFIG_I: Configured from console by noc on vty0 (192.0.2.9)",
            config.clone(),
        ),
        ("<189>7: Sep 16 10:00:00: %PARSER-5-CFGLOG_LOGGEDCMD: User:noc  logged command:no shutdown", config),
        (
            "<189>7: Sep 16 10:00:00: %ILPOWER-5-POWER_GRANTED: Interface Gi1/0/5: Power granted",
            poe(PoeWord::Granted, "Gi1/0/5"),
        ),
        (
            "<189>7: Sep 16 10:00:00: %ILPOWER-5-IEEE_DISCONNECT: Interface Gi1/0/5: PD removed",
            poe(PoeWord::Removed, "Gi1/0/5"),
        ),
        (
            "<189>7: Sep 16 10:00:00: %ILPOWER-5-ILPOWER_POWER_DENY: Interface Gi1/0/5: inline power denied",
            poe(PoeWord::Denied, "Gi1/0/5"),
        ),
        (
            "<187>7: Sep 16 10:00:00: %ILPOWER-3-CONTROLLER_PORT_ERR: Controller port error, Interface Gi1/0/5: Power Controller reports power Tstart error",
            poe(PoeWord::Fault, "Gi1/0/5"),
        ),
        ("<187>7: Sep 16 10:00:00: %ILPOWER-7-DETECT: Interface Gi1/0/5: Power Device detected: IEEE PD", None),
        (
            "<186>7: Sep 16 10:00:00: %SPANTREE-2-BLOCK_BPDUGUARD: Received BPDU on port Gi1/0/7 with BPDU Guard enabled. Disabling port.",
            tree(SpanningTreeWord::Blocked, Some("Gi1/0/7")),
        ),
        (
            "<186>7: Sep 16 10:00:00: %SPANTREE-2-LOOPGUARD_BLOCK: Loop guard blocking port Gi1/0/7 on VLAN0010",
            tree(SpanningTreeWord::Blocked, Some("Gi1/0/7")),
        ),
        (
            "<188>7: Sep 16 10:00:00: %PM-4-ERR_DISABLE: bpduguard error detected on Gi1/0/7, putting Gi1/0/7 in err-disable state",
            tree(SpanningTreeWord::Blocked, Some("Gi1/0/7")),
        ),
        (
            "<189>7: Sep 16 10:00:00: %SPANTREE-5-TOPOTRAP: Topology Change Trap for vlan 10",
            tree(SpanningTreeWord::TopologyChange, None),
        ),
        (
            "<189>7: Sep 16 10:00:00: %SPANTREE-5-ROOTCHANGE: Root Changed for vlan 10: New Root Port is GigabitEthernet1/0/1. New Root Mac Address is 0200.5e00.5301",
            tree(SpanningTreeWord::RootChange, Some("GigabitEthernet1/0/1")),
        ),
        (
            "<188>7: Sep 16 10:00:00: %SW_MATM-4-MACFLAP_NOTIF: Host 0200.5e00.5301 in vlan 10 is flapping between port Gi1/0/1 and port Gi1/0/2",
            tree(SpanningTreeWord::Flapping, Some("Gi1/0/1")),
        ),
        (
            "<189>7: Sep 16 10:00:00: %SEC_LOGIN-5-LOGIN_SUCCESS: Login Success [user: noc] [Source: 192.0.2.9] [localport: 22]",
            login(true, Some("noc")),
        ),
        (
            "<188>7: Sep 16 10:00:00: %SEC_LOGIN-4-LOGIN_FAILED: Login failed [user: ] [Source: 192.0.2.9]",
            login(false, None),
        ),
        (
            "<188>7: Sep 16 10:00:00: %DHCPD-4-PING_CONFLICT: DHCP address conflict:  server pinged 192.0.2.77.",
            dhcp(DhcpWord::Conflict, None),
        ),
        (
            "<189>7: Sep 16 10:00:00: %DHCP_SNOOPING-5-DHCP_SNOOPING_UNTRUSTED_PORT: DHCP_SNOOPING drop message on untrusted port, message type: DHCPOFFER, MAC sa: 0200.5e00.5301",
            dhcp(DhcpWord::Untrusted, Some(STATION)),
        ),
        (
            "<190>7: Sep 16 10:00:00: %DOT11-6-ASSOC: Interface Dot11Radio0, Station 0200.5e00.5301 Associated KEY_MGMT[WPAv2 PSK]",
            joined.clone(),
        ),
        (
            "<190>7: Sep 16 10:00:00: %DOT11-6-DISASSOC: Interface Dot11Radio0, Deauthenticating Station 0200.5e00.5301 Reason: Sending station has left the BSS",
            left,
        ),
        (
            "<190>wlc1: *wncd: Sep 16 10:00:00.1: %CLIENT_ORCH_LOG-6-CLIENT_ADDED_TO_RUN_STATE: R0/0: wncd: Username entry (guest) joined with ssid (event) for device with MAC: 0200.5e00.5301",
            joined,
        ),
    ] {
        check(line, want);
    }
}

#[test]
fn other_makers() {
    for (line, want) in [
        // HPE Comware.
        (
            "<187>Sep 16 10:00:00 2019 core %%10IFNET/3/LINK_UPDOWN: GigabitEthernet1/0/1 link status is DOWN.",
            down("GigabitEthernet1/0/1"),
        ),
        ("<189>Sep 16 10:00:00 2019 core %%10IFNET/3/PHY_UPDOWN: Physical state on the interface changed to up.", None),
        (
            "<189>Sep 16 10:00:00 2019 core %%10SHELL/5/SHELL_LOGIN(l): noc logged in from 192.0.2.21.",
            login(true, Some("noc")),
        ),
        (
            "<189>Sep 16 10:00:00 2019 core %%10CFGMAN/5/CFGMAN_CFGCHANGED: -EventIndex=7-CommandSource=2",
            Some(LineEvent::ConfigChanged),
        ),
        // Juniper.
        (
            "<189>1 2019-09-16T10:00:00Z ex1 mgd 3046 UI_LOGIN_EVENT [junos@2636.1.1.1.2.18 username=\"noc\"] User 'noc' login, class 'super-user' [3046]",
            login(true, Some("noc")),
        ),
        (
            "<189>1 2019-09-16T10:00:00Z ex1 mgd 3046 UI_COMMIT - User 'noc' requested 'commit' operation (comment: none)",
            Some(LineEvent::ConfigChanged),
        ),
        (
            "<188>Sep 16 10:00:00 ex1 mib2d[99]: SNMP_TRAP_LINK_DOWN: ifIndex 514, ifAdminStatus up(1), ifOperStatus down(2), ifName ge-0/0/3",
            down("ge-0/0/3"),
        ),
        (
            "<188>Sep 16 10:00:00 ex1 mib2d[99]: SNMP_TRAP_LINK_UP: ifIndex 514, ifAdminStatus up(1), ifOperStatus up(1), ifName ge-0/0/3",
            up("ge-0/0/3"),
        ),
        (
            "<38>Sep 16 10:00:00 ex1 sshd[7]: Accepted publickey for noc from 192.0.2.9 port 50000 ssh2: ED25519",
            login(true, Some("noc")),
        ),
        (
            "<38>Sep 16 10:00:00 ex1 sshd[7]: Failed password for invalid user admin from 192.0.2.9 port 50000 ssh2",
            login(false, Some("admin")),
        ),
        // pfSense.
        (
            "<38>Sep 16 10:00:00 php-fpm[340]: /index.php: Successful login for user 'admin' from: 192.0.2.9 (Local Database)",
            login(true, Some("admin")),
        ),
        (
            "<38>Sep 16 10:00:00 php-fpm[340]: /index.php: webConfigurator authentication error for user 'x' from: 192.0.2.9",
            login(false, Some("x")),
        ),
        (
            "<13>Sep 16 10:00:00 php-fpm[340]: /system.php: Configuration Change: admin@192.0.2.9 (Local Database): System: saved",
            Some(LineEvent::ConfigChanged),
        ),
        (
            "<190>Sep 16 10:00:00 dhcpd: DHCPACK on 192.0.2.77 to 02:00:5e:00:53:01 (phone) via igb1",
            dhcp(DhcpWord::Leased, Some(STATION)),
        ),
        (
            "<190>Sep 16 10:00:00 dhcpd: DHCPDISCOVER from 02:00:5e:00:53:01 via igb1: network 192.0.2/24: no free leases",
            dhcp(DhcpWord::Exhausted, Some(STATION)),
        ),
        // OpenWrt and UniFi.
        (
            "Mon Sep 16 10:00:00 2019 daemon.info dnsmasq-dhcp[7]: DHCPACK(br-lan) 192.0.2.77 02:00:5e:00:53:01 phone",
            dhcp(DhcpWord::Leased, Some(STATION)),
        ),
        ("<27>Sep 16 10:00:00 US8P60,02005e005302,v4.0.66.10832 switch: TRAPMGR: Link Down: 0/7", down("0/7")),
        (
            "<27>Sep 16 10:00:00 US8P60,02005e005302,v4.0.66.10832 switch: DOT1S: dot1sBpduReceive(): Discarding the BPDU on port 0/7, since it is an invalid BPDU type",
            tree(SpanningTreeWord::Blocked, Some("0/7")),
        ),
        (
            "<37>Sep 16 10:00:00 U7PG2,02005e005301,v4.0.66.10832: dropbear[7]: Password auth succeeded for 'noc' from 192.0.2.9:50000",
            login(true, Some("noc")),
        ),
        // Kea and Linux.
        (
            "<30>Sep 16 10:00:00 dhcp1 kea-dhcp4: INFO  DHCP4_LEASE_ALLOC [hwtype=1 02:00:5e:00:53:01], cid=[no info], tid=0x1: lease 192.0.2.77 has been allocated",
            dhcp(DhcpWord::Leased, Some(STATION)),
        ),
        ("<6>Sep 16 10:00:00 srv kernel: igc 0000:01:00.0 eth1: NIC Link is Down", down("eth1")),
        ("<6>Sep 16 10:00:00 srv kernel: eth0: Link is Up - 1Gbps/Full - flow control rx/tx", up("eth0")),
        ("<4>Sep 16 10:00:00 USG kernel: [LAN_LOCAL-default-A]IN=eth0.2004 OUT= MAC= SRC=192.0.2.1", None),
    ] {
        check(line, want);
    }
}

#[test]
fn every_kind_has_a_name_of_the_closed_list() {
    let kinds = ["station", "dhcp", "link", "poe", "spanning-tree", "login", "config"];
    for event in [up("x"), poe(PoeWord::Fault, "x"), tree(SpanningTreeWord::Blocked, None), login(true, None)] {
        assert!(kinds.contains(&event.unwrap().kind()));
    }
}
