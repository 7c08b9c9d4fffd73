//! `systemd-networkd`, without systemd: in a mount namespace with a /run of its own, and a /sys that cannot be written,
//! which tells it that there is no udev to wait for.

use std::process::Command;

use e2e::Process;

use super::{Client, WakesUp, live_on_both_paths};
use crate::campus::{Campus, with_own_mounts};

const PROGRAM: &str = "/lib/systemd/systemd-networkd";
const NETWORK: &str = "[Match]\nName=cli0\n[Network]\nDHCP=ipv4\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n\
    [DHCPv4]\nSendRelease=yes\nClientIdentifier=mac\n";

struct Networkd;

impl Client for Networkd {
    fn tools(&self) -> &'static [&'static str] {
        // Not on the path; `find` joins it to each directory, and an absolute path stays as it is.
        &[PROGRAM]
    }

    fn command(&self, campus: &Campus, _: Option<&str>) -> Command {
        let network = campus.write("cli0.network", NETWORK);
        let script = format!(
            "mount -o remount,ro /sys && mount -t tmpfs none /run && mkdir -p /run/systemd/network /run/systemd/netif && \
             cp {network} /run/systemd/network/ && chown -R systemd-network /run/systemd/netif && \
             SYSTEMD_LOG_TARGET=console exec {PROGRAM}"
        );
        with_own_mounts(&campus.client, &script)
    }

    fn reboots(&self) -> WakesUp {
        WakesUp::Replugged
    }

    fn roams(&self) -> WakesUp {
        WakesUp::Replugged
    }

    fn release(&self, _: &Campus, process: &Process) -> bool {
        process.signal("TERM");
        true
    }
}

#[test]
fn networkd_lives_its_whole_life() {
    live_on_both_paths(&Networkd);
}
