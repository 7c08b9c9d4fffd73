//! Many clients, one forwarder, Knot DNS as its upstream: `drill`, `delv` and `kdig` check signatures and transports, a dnspython
//! script every rule that a client can see (`dns_lines.py`).

use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use e2e::{Hotstage, Namespace, Process, ready, run};

use crate::event::{run_command, write_plan};

const LIMIT: Duration = Duration::from_secs(30);
const LINES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/all/dns_lines.py");

const ROOT: &str = "$TTL 300
@ IN SOA ns. hostmaster. 1 3600 600 86400 60
@ IN NS ns.
ns. IN A 127.0.0.1
www.secure. IN A 192.0.2.66
zero.secure. 0 IN A 192.0.2.67
*.wild.secure. IN A 192.0.2.77
plain. IN NS ns.plain.
ns.plain. IN A 127.0.0.1
bogus. IN NS ns.bogus.
bogus. IN DS 12345 13 2 0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF
ns.bogus. IN A 127.0.0.1
";
const UNSIGNED: &str = "$TTL 300
@ IN SOA ns hostmaster 1 3600 600 86400 60
@ IN NS ns
ns IN A 127.0.0.1
www IN A 192.0.2.80
www IN TYPE65280 \\# 5 C00C616263
svc IN HTTPS 1 . alpn=h2 ipv4hint=192.0.2.9
private IN A 10.1.2.3
dangling IN CNAME nothing
";

/// Knot DNS on 127.0.0.1:5300, which signs the root itself; the root's DS record.
fn knot(server: &Namespace, dir: &Path) -> (Process, String) {
    let dir = dir.join("knot");
    fs::create_dir(&dir).unwrap();
    let mut root = ROOT.to_owned();
    for number in 10..22 {
        root.push_str(&format!("big.secure. IN TXT \"{number}{}\"\n", "x".repeat(200)));
    }
    fs::write(dir.join("root"), root).unwrap();
    fs::write(dir.join("plain"), UNSIGNED).unwrap();
    fs::write(dir.join("bogus"), UNSIGNED).unwrap();
    let path = dir.display();
    let conf = format!(
        "server:\n    rundir: {path}\n    listen: 127.0.0.1@5300\ndatabase:\n    storage: {path}\nlog:\n  - target: stderr\n    any: info\n\
         policy:\n  - id: one\n    single-type-signing: on\n    algorithm: ECDSAP256SHA256\n\
         template:\n  - id: default\n    storage: {path}\n    zonefile-sync: -1\n\
         zone:\n  - domain: .\n    file: root\n    dnssec-signing: on\n    dnssec-policy: one\n\
         \x20 - domain: plain.\n    file: plain\n  - domain: bogus.\n    file: bogus\n"
    );
    let file = dir.join("knot.conf").display().to_string();
    fs::write(&file, conf).unwrap();
    let mut command = server.command("knotd");
    command.args(["-c", &file]);
    let (process, _, mut errors) = Process::spawn(&mut command);
    errors.wait_for("started knot", LIMIT, |line| line.contains("server started"));
    let keymgr = e2e::output("keymgr", &["-c", &file, ".", "ds"]);
    let ds = keymgr.lines().find(|line| line.contains(" 13 2 ")).unwrap_or_else(|| panic!("no DS in {keymgr}"));
    (process, ds.to_owned())
}

fn python() -> Option<&'static str> {
    let knows_dns = |python: &&str| {
        Command::new(python).args(["-c", "import dns.edns"]).output().is_ok_and(|output| output.status.success())
    };
    ["python3", "/usr/bin/python3"].into_iter().find(knows_dns)
}

fn says(client: &Namespace, program: &str, arguments: &[&str], wanted: &[&str]) {
    let output = client.command(program).args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    for part in wanted {
        assert!(text.contains(part), "{program} {arguments:?} without `{part}`:\n{text}");
    }
}

/// RFC 4033 to 4035, 7858, 8484, and those that `dns_lines.py` names.
#[test]
fn every_client_sees_the_rules_kept() {
    if !ready(true, &["ip", "knotd", "keymgr", "drill", "delv", "kdig", "openssl", "python3"]) {
        return;
    }
    let Some(python) = python() else {
        assert!(std::env::var("HOTSTAGE_E2E").as_deref() != Ok("require"), "skipped: this test needs dnspython");
        eprintln!("skipped: this test needs dnspython");
        return;
    };
    let (server, client) = (Namespace::new("srv"), Namespace::new("cli"));
    server.connect("srv0", "10.77.0.2/24", &client, "cli0", "10.77.0.9/24");
    let dir = tempfile::tempdir().unwrap();
    let (_upstream, ds) = knot(&server, dir.path());
    let plan = write_plan(dir.path());
    let path = |name: &str| Path::new(&plan).join(name).display().to_string();
    let (certificate, key, anchor) = (path("dns.pem"), path("dns.key"), path("root.key"));
    fs::write(&anchor, format!("{ds}\n")).unwrap();
    let names = "subjectAltName=DNS:dns.e2e.example,IP:10.77.0.2";
    let make = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
    let of = ["-subj", "/CN=test", "-addext", names, "-keyout", &key, "-out", &certificate];
    run("openssl", &[&make[..], &of].concat());
    let settings = [
        "services.dns.upstreams=[\"127.0.0.1:5300\"]".to_owned(),
        "services.dns.validate=true".to_owned(),
        format!("services.dns.trust_anchors=\"{anchor}\""),
        format!("services.dns.certificate=\"{certificate}\""),
        format!("services.dns.key=\"{key}\""),
    ];
    let mut command = run_command(&server, &plan, &dir.path().join("state"));
    command.args(settings.iter().flat_map(|setting| ["--set", setting]));
    let hotstage = Hotstage::start(&mut command);

    // The first answer may come before Knot has signed its zone.
    let deadline = e2e_now() + LIMIT;
    loop {
        let output = client.command("kdig").args(["@10.77.0.2", "+dnssec", "www.secure"]).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if text.contains("192.0.2.66") && text.contains("RRSIG") {
            break;
        }
        assert!(e2e_now() < deadline, "{text}");
        std::thread::park_timeout(Duration::from_millis(500));
    }
    says(&client, "drill", &["-D", "@10.77.0.2", "www.secure."], &["NOERROR", "ra ad", "RRSIG"]);
    says(&client, "drill", &["-S", "-k", &anchor, "@10.77.0.2", "www.secure"], &["Chase successful"]);
    let fields: Vec<&str> = ds.split_whitespace().collect();
    let [.., tag, algorithm, kind, digest] = fields[..] else { panic!("{ds}") };
    let anchors = dir.path().join("anchors").display().to_string();
    let text = format!("trust-anchors {{ . initial-ds {tag} {algorithm} {kind} \"{digest}\"; }};\n");
    fs::write(&anchors, text).unwrap();
    let delv =
        |name: &str, wanted: &str| says(&client, "delv", &["@10.77.0.2", "+root=.", "-a", &anchors, name], &[wanted]);
    delv("www.secure.", "; fully validated");
    delv("nope.secure.", "; negative response, fully validated");
    delv("www.plain.", "; unsigned answer");
    let (trust, name) = (format!("+tls-ca={certificate}"), "+tls-hostname=dns.e2e.example");
    for transport in ["+tls", "+https"] {
        let arguments = ["@10.77.0.2", transport, &trust, name, "+dnssec", "www.secure."];
        says(&client, "kdig", &arguments, &["NOERROR", "qr rd ra ad", "192.0.2.66", "PADDING"]);
    }

    let output = client.command(python).args([LINES, "10.77.0.2"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(text.lines().filter(|line| line.starts_with("ok ")).count(), 19, "{text}");

    hotstage.process.signal("TERM");
    assert_eq!(hotstage.process.wait(LIMIT), Some(0));
}

#[expect(clippy::disallowed_methods, reason = "a deadline of the test's own")]
fn e2e_now() -> Instant {
    Instant::now()
}
