//! Zone files, names to block, who asks most, and designated encrypted service, as an operator and clients use them.

use std::{fs, path::Path, process::Command, time::Duration};

use e2e::{Hotstage, Namespace, program, ready, run};

use crate::event::{run_command, write_plan};

const LIMIT: Duration = Duration::from_secs(30);
const ZONE: &str = "$ORIGIN corp.example.\n$TTL 1h\n@ SOA ns hostmaster 1 1h 15m 1w 1m\n@ NS ns\nns A 192.0.2.53\n\
    www A 192.0.2.80\n*.apps 5m A 192.0.2.81\nold CNAME www\n";

fn dig(client: &Namespace, arguments: &[&str]) -> String {
    let mut command = client.command("dig");
    command.args(["@10.77.0.2", "+tries=1", "+time=6"]).args(arguments);
    String::from_utf8_lossy(&command.output().unwrap().stdout).into_owned()
}

fn check(client: &Namespace, arguments: &[&str], wanted: &[&str]) {
    let text = dig(client, arguments);
    for part in wanted {
        assert!(text.contains(part), "{arguments:?} without `{part}`:\n{text}");
    }
}

/// `hotstage ARGUMENTS --state STATE`: what it prints on both ways, and whether it succeeded.
fn operator(state: &Path, arguments: &[&str]) -> (String, bool) {
    let output = Command::new(program()).args(arguments).arg("--state").arg(state).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (String::from_utf8_lossy(&text).into_owned(), output.status.success())
}

/// A certificate that names the server's address, as clients that want proof need it (RFC 9462 section 4.2).
fn certificate(dir: &Path) {
    let path = |name: &str| dir.join(name).display().to_string();
    let (key, certificate) = (path("dns.key"), path("dns.pem"));
    let mut arguments = vec!["req", "-x509", "-days", "30", "-subj", "/CN=test", "-keyout", &key, "-out", &certificate];
    arguments.extend(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]);
    arguments.extend(["-addext", "subjectAltName=IP:10.77.0.2,DNS:ns.e2e.example"]);
    run("openssl", &arguments);
}

/// RFC 1035 section 5, RFC 4592, RFC 8914 section 4.16, RFC 9462.
#[test]
fn files_of_the_team_are_answered_from_and_read_again() {
    if !ready(true, &["ip", "dig", "kdig", "openssl"]) {
        return;
    }
    let (server, client) = (Namespace::new("srv"), Namespace::new("cli"));
    server.connect("srv0", "10.77.0.2/24", &client, "cli0", "10.77.0.9/24");
    let dir = tempfile::tempdir().unwrap();
    let plan = write_plan(dir.path());
    let plan_dir = Path::new(&plan);
    fs::write(plan_dir.join("corp.zone"), ZONE).unwrap();
    fs::write(plan_dir.join("block.txt"), "0.0.0.0 ads.example\n||evil.example^\n").unwrap();
    certificate(plan_dir);
    let state = dir.path().join("state");
    let mut settings = Vec::new();
    for setting in [
        "services.dns.zones=[\"corp.zone\"]",
        "services.dns.block=[\"block.txt\"]",
        "services.dns.top=true",
        "services.dns.certificate=\"dns.pem\"",
        "services.dns.key=\"dns.key\"",
    ] {
        settings.extend(["--set", setting]);
    }

    let hotstage = Hotstage::start(run_command(&server, &plan, &state).args(&settings));
    check(&client, &["www.corp.example"], &["NOERROR", " aa", "192.0.2.80", "3600"]);
    check(&client, &["any.apps.corp.example"], &["NOERROR", "any.apps.corp.example.\t300\tIN\tA\t192.0.2.81"]);
    check(&client, &["old.corp.example"], &["CNAME", "192.0.2.80"]);
    check(&client, &["none.corp.example"], &["NXDOMAIN", "corp.example.\t\t60\tIN\tSOA"]);
    for qtype in ["A", "AAAA", "HTTPS"] {
        check(&client, &["www.ADS.example", qtype], &["NXDOMAIN", "EDE: 15 (Blocked)"]);
    }

    // A client that is told where to ask encrypted can do so, and gets proof.
    check(&client, &["+short", "_dns.resolver.arpa", "TYPE64"], &["alpn=\"dot\"", "ipv4hint=10.77.0.2", "port=853"]);
    check(&client, &["+short", "_dns.resolver.arpa", "TYPE64"], &["alpn=\"h2\"", "port=443", "/dns-query{?dns}"]);
    for way in ["+tls", "+https=/dns-query"] {
        let mut kdig = client.command("kdig");
        kdig.args(["@10.77.0.2", way, "+tls-hostname=ns.e2e.example", "www.corp.example"]);
        kdig.arg(format!("+tls-ca={}", plan_dir.join("dns.pem").display()));
        let output = kdig.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("192.0.2.80"), "{way}: {text}{}", String::from_utf8_lossy(&output.stderr));
    }

    let (top, _) = operator(&state, &["dns", "top", "--most", "2"]);
    assert!(top.contains("        3  www.ads.example.") && top.contains("10.77.0.9"), "{top}");
    let (why, _) = operator(&state, &["dns", "explain", "evil.example"]);
    assert!(why.contains("of a list of blocked names"), "{why}");

    // A broken file changes nothing and is named with its line; a mended one is taken.
    fs::write(plan_dir.join("corp.zone"), format!("{ZONE}new A 192.0.2.999\n")).unwrap();
    let (says, done) = operator(&state, &["reload", "--apply"]);
    assert!(!done && says.contains("corp.zone:9: expected IPv4 address"), "{says}");
    fs::write(plan_dir.join("corp.zone"), format!("{ZONE}new A 192.0.2.99\n")).unwrap();
    fs::write(plan_dir.join("block.txt"), "evil.example\n").unwrap();
    let (says, done) = operator(&state, &["reload", "--apply"]);
    assert!(done && says.contains("zone files: 5 records become 6"), "{says}");
    assert!(says.contains("names blocked: 2 become 1"), "{says}");
    check(&client, &["new.corp.example"], &["NOERROR", "192.0.2.99"]);
    check(&client, &["evil.example"], &["NXDOMAIN", "EDE: 15 (Blocked)"]);

    hotstage.process.signal("TERM");
    assert_eq!(hotstage.process.wait(LIMIT), Some(0));
}
