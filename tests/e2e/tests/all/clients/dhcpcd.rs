//! `dhcpcd`: Raspberry Pi, Alpine, NetBSD. It takes no lease shorter than 20 seconds.

use std::{fs, process::Command};

use e2e::Process;

use super::{Client, WakesUp, dhclient::SCRIPT, live_on_both_paths};
use crate::campus::{Campus, with_own_mounts};

struct Dhcpcd;

impl Client for Dhcpcd {
    fn tools(&self) -> &'static [&'static str] {
        &["dhcpcd"]
    }

    fn lease_seconds(&self) -> u32 {
        20
    }

    fn command(&self, campus: &Campus, _: Option<&str>) -> Command {
        let script = campus.write_script("dhcpcd.sh", SCRIPT);
        let text = "hostname dhcpcd-client\noption routers\noption domain_name_servers\nnoipv6\nnoarp\nnodelay\n";
        let configuration = campus.write("dhcpcd.conf", text);
        let kept = campus.file("dhcpcd");
        fs::create_dir_all(&kept).unwrap();
        // Its directories are fixed when it is built, so each has mounts of its own; the leases stay over a restart.
        let script = format!(
            "mkdir -p /run/dhcpcd /var/lib/dhcpcd && mount -t tmpfs none /run/dhcpcd && \
             mount --bind {} /var/lib/dhcpcd && exec dhcpcd -4 -B -d -f {configuration} -c {script} cli0",
            kept.display()
        );
        with_own_mounts(&campus.client, &script)
    }

    fn reboots(&self) -> WakesUp {
        WakesUp::Restarted
    }

    fn roams(&self) -> WakesUp {
        WakesUp::Replugged
    }

    fn release(&self, _: &Campus, process: &Process) -> bool {
        // ALRM asks the process to release and exit (dhcpcd(8), signals).
        process.signal("ALRM");
        true
    }
}

#[test]
fn dhcpcd_lives_its_whole_life() {
    live_on_both_paths(&Dhcpcd);
}
