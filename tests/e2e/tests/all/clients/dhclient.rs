//! `dhclient` of ISC: long the client of Debian and the BSDs.

use std::process::Command;

use e2e::Process;

use super::{Client, WakesUp, live_on_both_paths};
use crate::campus::Campus;

pub(super) const SCRIPT: &str = r#"
case "$reason" in
  BOUND|RENEW|REBIND|REBOOT)
    ip addr replace "$new_ip_address/24" dev "$interface"
    [ -z "$new_routers" ] || ip route replace default via "${new_routers%% *}" ;;
  PREINIT) ip link set "$interface" up ;;
  EXPIRE|FAIL|RELEASE|STOP|NAK) ip addr flush dev "$interface" ;;
esac
exit 0
"#;

pub(super) struct Dhclient;

impl Dhclient {
    fn base(campus: &Campus) -> Command {
        let script = campus.write_script("dhclient.sh", SCRIPT);
        let text = "send host-name \"dhclient-client\";\ninitial-interval 1;\nbackoff-cutoff 2;\n\
            request subnet-mask, routers, domain-name-servers, domain-name;\n";
        let configuration = campus.write("dhclient.conf", text);
        let file = |name: &str| campus.file(name).display().to_string();
        let mut command = campus.client.command("dhclient");
        command.args(["-4", "-sf", &script, "-lf", &file("dhclient.leases")]);
        command.args(["-pf", &file("dhclient.pid"), "-cf", &configuration]);
        command
    }
}

impl Client for Dhclient {
    fn tools(&self) -> &'static [&'static str] {
        &["dhclient"]
    }

    fn command(&self, campus: &Campus, _: Option<&str>) -> Command {
        let mut command = Self::base(campus);
        command.args(["-d", "cli0"]);
        command
    }

    fn reboots(&self) -> WakesUp {
        WakesUp::Restarted
    }

    fn roams(&self) -> WakesUp {
        WakesUp::Restarted
    }

    fn release(&self, campus: &Campus, _: &Process) -> bool {
        assert!(Self::base(campus).args(["-r", "cli0"]).output().unwrap().status.success());
        true
    }
}

#[test]
fn dhclient_lives_its_whole_life() {
    live_on_both_paths(&Dhclient);
}
