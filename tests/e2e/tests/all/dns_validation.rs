//! DNSSEC: a root of our own with secure, insecure, forged and expired zones below it, served by NSD; `dig` and `delv` ask.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use e2e::{Hotstage, Namespace, Process, ready};

use crate::event::{run_command, write_plan};

const LIMIT: Duration = Duration::from_secs(30);
const HEAD: &str = "$TTL 300\n@ IN SOA ns hostmaster 1 3600 600 86400 60\n@ IN NS ns\nns IN A 127.0.0.1\n";

/// The folder with keys and zones.
struct Zones {
    dir: PathBuf,
}

impl Zones {
    fn run(&self, program: &str, arguments: &[&str]) -> String {
        let output = Command::new(program).args(arguments).current_dir(&self.dir).output().unwrap();
        assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// A key signing key and the DS record of it.
    fn key(&self, zone: &str) -> (String, String) {
        let key = self.run("ldns-keygen", &["-a", "ECDSAP256SHA256", "-k", zone]);
        let ds = fs::read_to_string(self.dir.join(format!("{key}.ds"))).unwrap();
        (key, ds)
    }

    fn write(&self, file: &str, text: &str) {
        fs::write(self.dir.join(file), text).unwrap();
    }

    /// Signs `file` as `zone` into `file.signed`.
    fn sign(&self, zone: &str, file: &str, key: &str, options: &[&str]) {
        let signed = format!("{file}.signed");
        self.run("ldns-signzone", &[options, &["-o", zone, "-f", &signed, file, key]].concat());
    }
}

/// Root, `signed`, `forged` (changed after it was signed), `expired`, `plain` (no DS); the root's DS record.
fn make(dir: &Path) -> (Zones, String) {
    let zones = Zones { dir: dir.join("zones") };
    fs::create_dir(&zones.dir).unwrap();
    let mut root = HEAD
        .replace("ns hostmaster", "ns. hostmaster.")
        .replace("@ IN NS ns", "@ IN NS ns.")
        .replace("\nns IN", "\nns. IN");
    for zone in ["signed", "forged", "expired", "plain"] {
        root.push_str(&format!("{zone}. IN NS ns.{zone}.\nns.{zone}. IN A 127.0.0.1\n"));
        let text = format!("{HEAD}www IN A 192.0.2.66\nalias IN CNAME www\n*.wild IN A 192.0.2.77\n");
        zones.write(zone, &text);
        if zone == "plain" {
            continue;
        }
        let (key, ds) = zones.key(zone);
        root.push_str(&ds);
        let options: &[&str] = match zone {
            "signed" => &["-n", "-t", "0"],
            "expired" => &["-i", "20190101000000", "-e", "20200101000000"],
            _ => &[],
        };
        zones.sign(zone, zone, &key, options);
    }
    let forged = fs::read_to_string(zones.dir.join("forged.signed")).unwrap();
    zones.write("forged.signed", &forged.replace("192.0.2.66", "192.0.2.67"));
    zones.write("root", &root);
    let (key, ds) = zones.key(".");
    zones.sign(".", "root", &key, &[]);
    (zones, ds)
}

fn serve(server: &Namespace, zones: &Zones) -> Process {
    let path = zones.dir.display();
    let mut conf = format!(
        "server:\n  ip-address: 127.0.0.1@5300\n  username: \"\"\n  chroot: \"\"\n  zonesdir: \"{path}\"\n  database: \"\"\n  pidfile: \"{path}/nsd.pid\"\n  xfrdfile: \"{path}/xfrd.state\"\n  zonelistfile: \"{path}/zone.list\"\n  rrl-ratelimit: 0\nremote-control:\n  control-enable: no\n"
    );
    let files = [
        (".", "root.signed"),
        ("signed", "signed.signed"),
        ("forged", "forged.signed"),
        ("expired", "expired.signed"),
        ("plain", "plain"),
    ];
    for (zone, file) in files {
        conf.push_str(&format!("zone:\n  name: \"{zone}\"\n  zonefile: \"{file}\"\n"));
    }
    zones.write("nsd.conf", &conf);
    let mut command = server.command("nsd");
    command.args(["-d", "-V", "1", "-c"]).arg(zones.dir.join("nsd.conf"));
    let (process, _, mut errors) = Process::spawn(&mut command);
    errors.wait_for("started nsd", LIMIT, |line| line.contains("nsd started"));
    process
}

fn dig(client: &Namespace, arguments: &[&str]) -> String {
    let mut command = client.command("dig");
    command.args(["@10.77.0.2", "+tries=1", "+time=6"]).args(arguments);
    String::from_utf8_lossy(&command.output().unwrap().stdout).into_owned()
}

/// RFC 4035 section 4: what is secure, insecure, bogus; section 3.2: DO, AD and CD; RFC 8914: why.
#[test]
fn signatures_are_checked_for_clients_that_do_not() {
    if !ready(true, &["ip", "dig", "delv", "nsd", "ldns-keygen", "ldns-signzone"]) {
        return;
    }
    let (server, client) = (Namespace::new("srv"), Namespace::new("cli"));
    server.connect("srv0", "10.77.0.2/24", &client, "cli0", "10.77.0.9/24");
    let dir = tempfile::tempdir().unwrap();
    let (zones, anchor) = make(dir.path());
    let _upstream = serve(&server, &zones);
    let plan = write_plan(dir.path());
    let key = dir.path().join("root.key");
    fs::write(&key, &anchor).unwrap();
    let anchors = format!("services.dns.trust_anchors=\"{}\"", key.display());
    let settings = [
        "--set",
        "services.dns.upstreams=[\"127.0.0.1:5300\"]",
        "--set",
        "services.dns.validate=true",
        "--set",
        &anchors,
    ];
    let hotstage = Hotstage::start(run_command(&server, &plan, &dir.path().join("state")).args(settings));

    let table: [(&[&str], &[&str], &[&str]); 12] = [
        // Secure, with signatures for who wants them, from upstream and from the cache.
        (&["+dnssec", "www.signed"], &["NOERROR", " ad", "192.0.2.66", "RRSIG"], &[]),
        (&["+dnssec", "www.signed"], &["NOERROR", " ad", "RRSIG"], &[]),
        (&["www.signed"], &["NOERROR", " ad", "192.0.2.66"], &["RRSIG"]),
        (&["+noadflag", "www.signed"], &["NOERROR", "192.0.2.66"], &[" ad"]),
        (&["alias.signed"], &["NOERROR", " ad", "192.0.2.66"], &[]),
        (&["any.wild.signed"], &["NOERROR", " ad", "192.0.2.77"], &[]),
        (&["nope.signed"], &["NXDOMAIN", " ad"], &[]),
        (&["www.signed", "AAAA"], &["NOERROR", " ad", "ANSWER: 0"], &[]),
        // Insecure: provably without a DS.
        (&["+dnssec", "www.plain"], &["NOERROR", "192.0.2.66"], &[" ad"]),
        // Bogus, and why; who checks himself gets the data.
        (&["www.forged"], &["SERVFAIL", "EDE: 6"], &["192.0.2.67"]),
        (&["+cd", "www.forged"], &["NOERROR", "192.0.2.67"], &[" ad"]),
        (&["www.expired"], &["SERVFAIL", "EDE: "], &["192.0.2.66"]),
    ];
    for (arguments, wanted, unwanted) in table {
        let text = dig(&client, arguments);
        for part in wanted {
            assert!(text.contains(part), "{arguments:?} without `{part}`:\n{text}");
        }
        let flags = text.lines().find(|line| line.contains("flags:")).unwrap_or_default();
        for part in unwanted {
            let place = if *part == " ad" { flags } else { &text };
            assert!(!place.contains(part), "{arguments:?} with `{part}`:\n{text}");
        }
    }

    // delv checks itself, through us: "fully validated".
    let fields: Vec<&str> = anchor.split_whitespace().collect();
    let [.., tag, algorithm, kind, digest] = fields[..] else { panic!("{anchor}") };
    let anchors = format!("trust-anchors {{ . initial-ds {tag} {algorithm} {kind} \"{digest}\"; }};\n");
    let file = dir.path().join("anchors");
    fs::write(&file, anchors).unwrap();
    let mut delv = client.command("delv");
    delv.args(["@10.77.0.2", "+root=.", "www.signed", "A", "-a"]).arg(&file);
    let output = delv.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("fully validated"), "{text}{}", String::from_utf8_lossy(&output.stderr));

    hotstage.process.signal("TERM");
    assert_eq!(hotstage.process.wait(LIMIT), Some(0));
}

/// Passes questions on to NSD; the first for the DS record of `plain` fails.
const RELAY: &str = r#"
import socket
listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
listener.bind(("127.0.0.1", 5301))
print("ready", flush=True)
failed = False
while True:
    query, client = listener.recvfrom(65535)
    if not failed and query[12:].lower().startswith(b"\x05plain\x00\x00\x2b"):
        failed = True
        listener.sendto(query[:2] + b"\x81\x82" + query[4:], client)
        print("failed", flush=True)
        continue
    upstream = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    upstream.settimeout(2)
    upstream.sendto(query, ("127.0.0.1", 5300))
    try:
        listener.sendto(upstream.recv(65535), client)
    except OSError:
        pass
    upstream.close()
"#;

/// RFC 9520: one SERVFAIL on the way to a proof is forgotten in seconds; it says nothing of the zone.
#[test]
fn a_failed_ds_question_does_not_take_a_zone_away() {
    if !ready(true, &["ip", "dig", "nsd", "ldns-keygen", "ldns-signzone", "python3"]) {
        return;
    }
    let (server, client) = (Namespace::new("srv"), Namespace::new("cli"));
    server.connect("srv0", "10.77.0.2/24", &client, "cli0", "10.77.0.9/24");
    let dir = tempfile::tempdir().unwrap();
    let (zones, anchor) = make(dir.path());
    let _upstream = serve(&server, &zones);
    let (_relay, mut said, _) = Process::spawn(server.command("python3").args(["-c", RELAY]));
    said.wait_for("the relay", LIMIT, |line| line.contains("ready"));
    let plan = write_plan(dir.path());
    let key = dir.path().join("root.key");
    fs::write(&key, &anchor).unwrap();
    let anchors = format!("services.dns.trust_anchors=\"{}\"", key.display());
    let settings = [
        "--set",
        "services.dns.upstreams=[\"127.0.0.1:5301\"]",
        "--set",
        "services.dns.validate=true",
        "--set",
        &anchors,
    ];
    let hotstage = Hotstage::start(run_command(&server, &plan, &dir.path().join("state")).args(settings));
    assert!(dig(&client, &["www.plain"]).contains("SERVFAIL"), "no proof, no answer");
    said.wait_for("the failure", LIMIT, |line| line.contains("failed"));
    // A failure is remembered for some seconds; each look takes some milliseconds.
    const LOOKS_MAX: usize = 6_000;
    let is_back = || dig(&client, &["www.plain"]).contains("192.0.2.66");
    assert!((0..LOOKS_MAX).any(|_| is_back()), "the zone is gone for longer than a failure is remembered");
    hotstage.process.signal("TERM");
    assert_eq!(hotstage.process.wait(LIMIT), Some(0));
}
