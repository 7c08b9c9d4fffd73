//! NetworkManager with its own client (n-dhcp4): laptops. It gets a message bus of its own, and a /sys that cannot be
//! written, which tells it that there is no udev to wait for.

use std::{fs, process::Command};

use e2e::Process;

use super::{Client, WakesUp, live_on_both_paths};
use crate::campus::Campus;

const CONFIGURATION: &str = "[main]\nplugins=keyfile\ndhcp=internal\nno-auto-default=*\ndns=none\nrc-manager=unmanaged\n\
    auth-polkit=false\nsystemd-resolved=false\n[keyfile]\npath=/run/connections\n[connectivity]\nenabled=false\n";
const CONNECTION: &str = "[connection]\nid=cli0\nuuid=11111111-2222-4333-8444-555555555555\ntype=ethernet\n\
    interface-name=cli0\nautoconnect=true\n[ipv4]\nmethod=auto\n[ipv6]\nmethod=disabled\n";
const BUS: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path=/run/dbus/system_bus_socket</listen><auth>EXTERNAL</auth>
<policy context="default"><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/><allow user="*"/></policy>
</busconfig>
"#;
/// DIR has the files above, and what NetworkManager remembers over a restart.
const SCRIPT: &str = "set -e
mount -o remount,ro /sys
mount -t tmpfs none /run
mkdir -p /run/dbus /run/NetworkManager /run/connections /var/lib/NetworkManager
mount --bind DIR/kept /var/lib/NetworkManager
install -m 600 DIR/cli0.nmconnection /run/connections
dbus-daemon --config-file=DIR/bus.conf --fork --nopidfile
exec NetworkManager --no-daemon --config DIR/NetworkManager.conf --config-dir DIR/none --system-config-dir DIR/none
";

struct NetworkManager;

impl Client for NetworkManager {
    fn tools(&self) -> &'static [&'static str] {
        &["NetworkManager", "dbus-daemon"]
    }

    fn command(&self, campus: &Campus, _: Option<&str>) -> Command {
        campus.write("NetworkManager.conf", CONFIGURATION);
        campus.write("cli0.nmconnection", CONNECTION);
        campus.write("bus.conf", BUS);
        fs::create_dir_all(campus.file("kept")).unwrap();
        let script = SCRIPT.replace("DIR", &campus.dir.path().display().to_string());
        let mut command = campus.client.command("unshare");
        // In a process namespace, so that the bus ends with it.
        command.args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", &script]);
        command
    }

    fn reboots(&self) -> WakesUp {
        WakesUp::Restarted
    }

    fn roams(&self) -> WakesUp {
        WakesUp::Restarted
    }

    fn release(&self, _: &Campus, _: &Process) -> bool {
        // It sends RELEASE from version 1.48 on, and then only when `dhcp-send-release` says so.
        false
    }
}

#[test]
fn network_manager_lives_its_whole_life() {
    live_on_both_paths(&NetworkManager);
}
