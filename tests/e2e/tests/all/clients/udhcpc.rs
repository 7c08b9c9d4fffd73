//! `udhcpc` of busybox: small devices. It has no INIT-REBOOT and does not watch its cable; its timers
//! take a lease to be of 30 seconds at least.

use std::process::Command;

use e2e::Process;

use super::{Client, WakesUp, live_on_both_paths};
use crate::campus::Campus;

const SCRIPT: &str = r#"
case "$1" in
  deconfig) ip addr flush dev "$interface"; ip link set "$interface" up ;;
  bound|renew)
    ip addr flush dev "$interface"; ip addr add "$ip/$mask" dev "$interface"
    [ -z "$router" ] || ip route replace default via "${router%% *}" ;;
esac
"#;

struct Udhcpc;

impl Client for Udhcpc {
    fn tools(&self) -> &'static [&'static str] {
        &["udhcpc"]
    }

    fn lease_seconds(&self) -> u32 {
        30
    }

    fn command(&self, campus: &Campus, last: Option<&str>) -> Command {
        let script = campus.write_script("udhcpc.sh", SCRIPT);
        let mut command = campus.client.command("udhcpc");
        command.args(["-f", "-R", "-i", "cli0", "-t", "5", "-T", "1", "-x", "hostname:udhcpc-client", "-s", &script]);
        command.args(last.iter().flat_map(|address| ["-r", address]));
        command
    }

    fn reboots(&self) -> WakesUp {
        WakesUp::Never
    }

    fn roams(&self) -> WakesUp {
        WakesUp::Never
    }

    fn release(&self, _: &Campus, process: &Process) -> bool {
        process.signal("USR2");
        true
    }
}

#[test]
fn udhcpc_lives_its_whole_life() {
    live_on_both_paths(&Udhcpc);
}
