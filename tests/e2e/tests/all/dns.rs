//! `dig` asks for the event's own names, a DHCP client's name and names of an upstream, over UDP, TCP and with EDNS.

use std::{fs, os::unix::fs::PermissionsExt, time::Duration};

use e2e::{Hotstage, Lines, Namespace, Process, ready};

use crate::event::{run_command, write_plan};

const LIMIT: Duration = Duration::from_secs(30);

const ZONE: &str = r#"$ORIGIN upstream.example.
$TTL 300
@ IN SOA ns.upstream.example. hostmaster.upstream.example. 1 3600 600 86400 60
@ IN NS ns
ns IN A 192.0.2.53
www IN A 192.0.2.80
www IN AAAA 2001:db8::80
alias IN CNAME www
"#;

fn upstream(server: &Namespace, dir: &std::path::Path) -> Process {
    let mut zone = ZONE.to_owned();
    // A TXT RRset that does not fit into 1,232 octets: the answer must be cut and asked for again over TCP.
    for number in 0..12 {
        zone.push_str(&format!("big IN TXT \"{number:02}{}\"\n", "x".repeat(200)));
    }
    let dir = dir.join("nsd");
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("upstream.example.zone"), zone).unwrap();
    let path = dir.display();
    let conf = format!(
        "server:\n  ip-address: 127.0.0.1@5300\n  username: \"\"\n  chroot: \"\"\n  zonesdir: \"{path}\"\n  database: \"\"\n  pidfile: \"{path}/nsd.pid\"\n  xfrdfile: \"{path}/xfrd.state\"\n  zonelistfile: \"{path}/zone.list\"\n  rrl-ratelimit: 0\nremote-control:\n  control-enable: no\nzone:\n  name: upstream.example\n  zonefile: upstream.example.zone\n"
    );
    fs::write(dir.join("nsd.conf"), conf).unwrap();
    let mut command = server.command("nsd");
    command.args(["-d", "-V", "1", "-c"]).arg(dir.join("nsd.conf"));
    let (process, _, mut errors) = Process::spawn(&mut command);
    errors.wait_for("started nsd", LIMIT, |line| line.contains("nsd started"));
    process
}

fn dig(client: &Namespace, arguments: &[&str]) -> String {
    let mut command = client.command("dig");
    command.args(["@10.77.0.2", "+tries=3", "+time=2", "+noidnin", "+noidnout"]).args(arguments);
    let output = command.output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn dig_resolves_own_client_and_upstream_names() {
    if !ready(true, &["ip", "dig", "nsd", "udhcpc"]) {
        return;
    }
    let (server, client) = (Namespace::new("srv"), Namespace::new("cli"));
    server.connect("srv0", "10.77.0.2/24", &client, "cli0", "10.77.0.9/24");
    let dir = tempfile::tempdir().unwrap();
    let _upstream = upstream(&server, dir.path());
    let plan = write_plan(dir.path());
    let hotstage = Hotstage::start(&mut run_command(&server, &plan, &dir.path().join("state")));

    // The event's own names, forward and reverse, authoritative.
    for transport in ["+notcp", "+tcp"] {
        let text = dig(&client, &[transport, "ap-1.e2e.example", "A"]);
        assert!(text.contains("10.77.0.11") && text.contains("flags: qr aa"), "{text}");
    }
    let text = dig(&client, &["-x", "10.77.0.11"]);
    assert!(text.contains("ap-1.e2e.example."), "{text}");
    let text = dig(&client, &["no-such-name.e2e.example", "A"]);
    assert!(text.contains("status: NXDOMAIN") && text.contains("SOA"), "{text}");

    // Names of the upstream; one of the two upstreams of the plan is not there.
    for (arguments, want) in [
        (&["+notcp", "www.upstream.example", "A"][..], "192.0.2.80"),
        (&["+notcp", "www.upstream.example", "AAAA"], "2001:db8::80"),
        (&["+tcp", "alias.upstream.example", "A"], "192.0.2.80"),
        (&["+noedns", "www.upstream.example", "A"], "192.0.2.80"),
        (&["+bufsize=4096", "+dnssec", "www.upstream.example", "A"], "192.0.2.80"),
    ] {
        let text = dig(&client, arguments);
        assert!(text.contains("status: NOERROR") && text.contains(want), "{arguments:?}\n{text}");
    }
    let text = dig(&client, &["+noedns", "www.upstream.example", "A"]);
    assert!(!text.contains("OPT PSEUDOSECTION"), "{text}");
    let text = dig(&client, &["www.upstream.example", "A"]);
    assert!(text.contains("OPT PSEUDOSECTION") && text.contains("udp: 1232"), "{text}");

    // Too long for a datagram: cut when it must be, whole over TCP, which dig turns to by itself.
    let text = dig(&client, &["+notcp", "+ignore", "big.upstream.example", "TXT"]);
    assert!(text.contains("flags: qr tc") || text.contains(" tc "), "{text}");
    let text = dig(&client, &["big.upstream.example", "TXT"]);
    assert_eq!(text.matches("xxxxxxxxxx\"").count(), 12, "{text}");

    // A DHCP client's name, at once after its lease.
    let pipe = dir.path().join("events");
    let mut events = Lines::of_pipe(&pipe);
    let script = dir.path().join("udhcpc.sh");
    fs::write(&script, format!("#!/bin/sh\necho \"$1 $ip\" > {}\n", pipe.display())).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = client.command("udhcpc");
    command.args(["-f", "-q", "-i", "cli0", "-x", "hostname:attendee-7", "-s"]).arg(&script);
    let (udhcpc, _, _) = Process::spawn(&mut command);
    let bound = events.wait_for("lease", LIMIT, |line| line.starts_with("bound "));
    let address = bound.trim_start_matches("bound ").to_owned();
    assert_eq!(udhcpc.wait(LIMIT), Some(0));
    let names: Vec<String> = ["attendee-7.e2e.example", "attendee-7.clients.e2e.example"]
        .iter()
        .map(|name| dig(&client, &["+short", name, "A"]).trim().to_owned())
        .collect();
    assert!(names.contains(&address), "{address} is not among {names:?}");
    let text = dig(&client, &["+short", "-x", &address]);
    assert!(text.starts_with("attendee-7."), "{text}");

    hotstage.process.signal("TERM");
    assert_eq!(hotstage.process.wait(LIMIT), Some(0));
}
