//! DNS over UDP, TCP, TLS and HTTPS, on both sides; upstreams that fail and come back; clients without manners.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use e2e::{Hotstage, Namespace, Process, ready, run};

use crate::event::{PLAN, run_command};

const LIMIT: Duration = Duration::from_secs(30);
/// Name in the certificate.
const NAME: &str = "dns.e2e.example";

/// A directory with a plan whose table `services` ends with `services`.
fn plan(dir: &Path, services: &str) -> String {
    let plan = dir.join("plan");
    fs::create_dir_all(&plan).unwrap();
    const UPSTREAMS: &str = "dns.upstreams = [\"127.0.0.1:5300\", \"127.0.0.1:5301\"]\n";
    assert!(PLAN.contains(UPSTREAMS), "the plan has other upstreams now");
    fs::write(plan.join("event.toml"), PLAN.replace(UPSTREAMS, services)).unwrap();
    plan.display().to_string()
}

/// An authority of our own, `ca-ID.pem`, and a certificate `dns.pem` with `dns.key` signed by it.
fn certificate(dir: &Path, id: &str) -> PathBuf {
    let path = |name: &str| dir.join(name).display().to_string();
    let (authority, authority_key) = (path(&format!("ca-{id}.pem")), path(&format!("ca-{id}.key")));
    let (request, extensions) = (path("dns.csr"), path("dns.ext"));
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    let subject = format!("/CN=test authority {id}");
    let mut arguments = vec!["req", "-x509", "-days", "30", "-subj", &subject, "-keyout", &authority_key];
    arguments.extend(key);
    run("openssl", &[&arguments[..], &["-out", &authority]].concat());
    let (new_key, new_certificate) = (path("new.key"), path("new.pem"));
    let mut arguments = vec!["req", "-subj", "/CN=test", "-keyout", &new_key, "-out", &request];
    arguments.extend(key);
    run("openssl", &arguments);
    fs::write(&extensions, format!("subjectAltName=DNS:{NAME}\n")).unwrap();
    let mut arguments = vec!["x509", "-req", "-in", &request, "-days", "20", "-CAcreateserial"];
    arguments.extend(["-CA", &authority, "-CAkey", &authority_key, "-extfile", &extensions, "-out", &new_certificate]);
    run("openssl", &arguments);
    fs::rename(new_key, dir.join("dns.key")).unwrap();
    fs::rename(new_certificate, dir.join("dns.pem")).unwrap();
    PathBuf::from(authority)
}

/// NSD with the zone `upstream.example`, on 127.0.0.1 and a port.
fn nsd(server: &Namespace, dir: &Path, port: u16) -> Process {
    let dir = dir.join(format!("nsd-{port}"));
    fs::create_dir_all(&dir).unwrap();
    let mut zone = "$ORIGIN upstream.example.\n$TTL 300\n@ IN SOA ns hostmaster 1 3600 600 86400 60\n@ IN NS ns\n\
                    ns IN A 192.0.2.53\n* IN A 192.0.2.80\nshort 1 IN A 192.0.2.81\n"
        .to_owned();
    for number in 0..12 {
        zone.push_str(&format!("big IN TXT \"{number:02}{}\"\n", "x".repeat(200)));
    }
    fs::write(dir.join("upstream.example.zone"), zone).unwrap();
    let path = dir.display();
    let conf = format!(
        "server:\n  ip-address: 127.0.0.1@{port}\n  username: \"\"\n  chroot: \"\"\n  zonesdir: \"{path}\"\n  database: \"\"\n  pidfile: \"{path}/nsd.pid\"\n  xfrdfile: \"{path}/xfrd.state\"\n  zonelistfile: \"{path}/zone.list\"\n  rrl-ratelimit: 0\nremote-control:\n  control-enable: no\nzone:\n  name: upstream.example\n  zonefile: upstream.example.zone\n"
    );
    fs::write(dir.join("nsd.conf"), conf).unwrap();
    let mut command = server.command("nsd");
    command.args(["-d", "-V", "1", "-c"]).arg(dir.join("nsd.conf"));
    let (process, _, mut errors) = Process::spawn(&mut command);
    errors.wait_for("started nsd", LIMIT, |line| line.contains("nsd started"));
    process
}

/// What `kdig` prints, and how long it took.
fn kdig(client: &Namespace, arguments: &[&str]) -> (String, Duration) {
    let started = now();
    let mut command = client.command("kdig");
    command.args(["@10.77.0.2", "+retry=0", "+time=6"]).args(arguments);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (text, started.elapsed())
}

#[track_caller]
fn check(client: &Namespace, arguments: &[&str], wanted: &[&str]) {
    let (text, _) = kdig(client, arguments);
    for wanted in wanted {
        assert!(text.contains(wanted), "{arguments:?}: no `{wanted}` in\n{text}");
    }
}

/// Asks until `wanted` is in the answer; how many times it was not.
fn ask_until(client: &Namespace, name: impl Fn(u32) -> String, wanted: &str) -> u32 {
    let started = now();
    let mut failed = 0;
    loop {
        let (text, _) = kdig(client, &[&name(failed), "A"]);
        if text.contains(wanted) {
            return failed;
        }
        failed += 1;
        assert!(started.elapsed() < LIMIT, "no `{wanted}` within {LIMIT:?}, last:\n{text}");
        thread::park_timeout(Duration::from_millis(200));
    }
}

fn two() -> (Namespace, Namespace) {
    let (server, client) = (Namespace::new("srv"), Namespace::new("cli"));
    server.connect("srv0", "10.77.0.2/24", &client, "cli0", "10.77.0.9/24");
    (server, client)
}

#[expect(clippy::disallowed_methods, reason = "how long a client waits is what is tested")]
fn now() -> Instant {
    Instant::now()
}

/// Waits until a value of `/metrics`, which are made once a second, is above zero.
fn wait_for_metric(namespace: &Namespace, of: &str) {
    let started = now();
    while metric(namespace, of) == 0.0 {
        assert!(started.elapsed() < LIMIT, "`{of}` stays 0");
        thread::park_timeout(Duration::from_millis(200));
    }
}

/// A value of `/metrics`, by the beginning of its line.
fn metric(namespace: &Namespace, of: &str) -> f64 {
    const GET: &str = "exec 3<>/dev/tcp/127.0.0.1/8080; \
                       printf 'GET /metrics HTTP/1.1\\r\\nHost: hotstage\\r\\nConnection: close\\r\\n\\r\\n' >&3; cat <&3";
    let mut command: Command = namespace.command("bash");
    let output = command.args(["-c", GET]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find(|line| line.starts_with(of)).unwrap_or_else(|| panic!("no `{of}` in\n{text}"));
    line.rsplit(' ').next().and_then(|value| value.parse().ok()).unwrap()
}

#[test]
fn clients_ask_over_tls_and_https_and_the_certificate_is_renewed() {
    if !ready(true, &["ip", "kdig", "nsd", "openssl"]) {
        return;
    }
    let (server, client) = two();
    let dir = tempfile::tempdir().unwrap();
    let _upstream = nsd(&server, dir.path(), 5300);
    let services = "dns.upstreams = [\"127.0.0.1:5300\"]\ndns.certificate = \"dns.pem\"\ndns.key = \"dns.key\"\n";
    let plan = plan(dir.path(), services);
    let authority = certificate(Path::new(&plan), "1");
    let mut hotstage = Hotstage::start(&mut run_command(&server, &plan, &dir.path().join("state")));
    assert_eq!((hotstage.address("dns_tls").port(), hotstage.address("dns_https").port()), (853, 443));

    // RFC 7858 and RFC 8484, with the certificate checked, for local names, names of the upstream, and long answers.
    let trust = format!("+tls-ca={}", authority.display());
    let name = format!("+tls-hostname={NAME}");
    for transport in [&["+tcp"][..], &["+tls", &trust, &name], &["+https", &trust, &name]] {
        let ask = |arguments: &[&str], wanted: &[&str]| check(&client, &[transport, arguments].concat(), wanted);
        ask(&["ap-1.e2e.example", "A"], &["NOERROR", "10.77.0.11"]);
        ask(&["a.upstream.example", "A"], &["NOERROR", "192.0.2.80"]);
        ask(&["no-such-name.e2e.example", "A"], &["NXDOMAIN"]);
        ask(&["big.upstream.example", "TXT"], &["NOERROR", "ANSWER: 12"]);
    }
    check(&client, &["+https-get", &trust, &name, "b.upstream.example", "A"], &["NOERROR", "192.0.2.80"]);
    check(&client, &["+https=/other", &trust, &name, "b.upstream.example", "A"], &["404"]);
    // Several queries on one connection (RFC 7766 section 6.2.1).
    let (text, _) = kdig(&client, &["+tls", "+keepopen", "c.upstream.example", "A", "d.upstream.example", "A"]);
    assert_eq!(text.matches("status: NOERROR").count(), 2, "{text}");

    // Another authority signs a new certificate: it is taken without a restart.
    let newer = certificate(Path::new(&plan), "2");
    hotstage.errors.wait_for("the new certificate", LIMIT, |line| line.contains("certificate of DNS has changed"));
    let trust_newer = format!("+tls-ca={}", newer.display());
    check(&client, &["+tls", &trust_newer, &name, "ap-1.e2e.example", "A"], &["NOERROR"]);
    let (text, _) = kdig(&client, &["+tls", &trust, &name, "ap-1.e2e.example", "A"]);
    assert!(!text.contains("NOERROR"), "the old certificate is still shown:\n{text}");

    hotstage.process.signal("TERM");
    assert_eq!(hotstage.process.wait(LIMIT), Some(0));
}

#[test]
fn upstreams_are_asked_over_tls_and_https_and_never_in_clear_text() {
    if !ready(true, &["ip", "kdig", "nsd", "openssl", "bash"]) {
        return;
    }
    let (server, client) = two();
    let internet = Namespace::new("net");
    server.connect("up0", "198.51.100.2/24", &internet, "net0", "198.51.100.1/24");
    let (dir, dir_internet) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let _authority = nsd(&internet, dir_internet.path(), 5300);
    let services = "dns.upstreams = [\"127.0.0.1:5300\"]\ndns.certificate = \"dns.pem\"\ndns.key = \"dns.key\"\n\
                    dns.allow = [\"198.51.100.0/24\"]\n";
    let plan_internet = plan(dir_internet.path(), services);
    let trust = certificate(Path::new(&plan_internet), "1");
    let start = || {
        let mut command = run_command(&internet, &plan_internet, &dir_internet.path().join("state"));
        // The plan's interface is the other one's.
        command.args(["--set", "vlan.direct.dhcp.interface=net0"]);
        Hotstage::start(&mut command)
    };
    let resolver = start();

    let upstream = |text: &str| format!("dns.upstreams = [\"{text}\"]\ndns.trust = \"{}\"\n", trust.display());
    for (id, text) in
        [("tls", format!("tls://198.51.100.1#{NAME}")), ("https", format!("https://198.51.100.1/dns-query#{NAME}"))]
    {
        let plan = plan(dir.path(), &upstream(&text));
        let hotstage = Hotstage::start(&mut run_command(&server, &plan, &dir.path().join(id)));
        for number in 0..5 {
            check(&client, &[&format!("{id}-{number}.upstream.example"), "A"], &["NOERROR", "192.0.2.80"]);
        }
        check(&client, &["+tcp", "big.upstream.example", "TXT"], &["NOERROR", "ANSWER: 12"]);
        hotstage.process.signal("TERM");
        assert_eq!(hotstage.process.wait(LIMIT), Some(0));
    }

    // The upstream goes away and comes back: new connections, without a restart of ours.
    let tls = plan(dir.path(), &upstream(&format!("tls://198.51.100.1#{NAME}")));
    let hotstage = Hotstage::start(&mut run_command(&server, &tls, &dir.path().join("again")));
    check(&client, &["before.upstream.example", "A"], &["NOERROR"]);
    resolver.process.signal("TERM");
    assert_eq!(resolver.process.wait(LIMIT), Some(0));
    check(&client, &["meanwhile.upstream.example", "A"], &["SERVFAIL"]);
    let resolver = start();
    ask_until(&client, |number| format!("after-{number}.upstream.example"), "192.0.2.80");
    wait_for_metric(&internet, "hotstage_dns_queries_total{transport=\"tls\"}");
    let clear = metric(&internet, "hotstage_dns_queries_total{transport=\"udp\"}");
    assert_eq!(clear, 0.0, "a question left in clear text");
    hotstage.process.signal("TERM");
    assert_eq!(hotstage.process.wait(LIMIT), Some(0));

    // Somebody else's certificate: no answer, and nothing in clear text instead.
    let wrong = plan(dir.path(), &upstream("tls://198.51.100.1#other.e2e.example"));
    let hotstage = Hotstage::start(&mut run_command(&server, &wrong, &dir.path().join("wrong")));
    check(&client, &["wrong.upstream.example", "A"], &["SERVFAIL"]);
    drop((hotstage, resolver));
}

#[test]
fn upstreams_die_and_return_one_by_one_and_all_together() {
    if !ready(true, &["ip", "kdig", "nsd"]) {
        return;
    }
    let (server, client) = two();
    let dir = tempfile::tempdir().unwrap();
    let first = nsd(&server, dir.path(), 5300);
    let second = nsd(&server, dir.path(), 5301);
    let plan = plan(dir.path(), "dns.upstreams = [\"127.0.0.1:5300\", \"127.0.0.1:5301\"]\n");
    let hotstage = Hotstage::start(&mut run_command(&server, &plan, &dir.path().join("state")));
    check(&client, &["warm.upstream.example", "A"], &["192.0.2.80"]);
    check(&client, &["short.upstream.example", "A"], &["192.0.2.81"]);

    // One of two dies: nobody notices.
    drop(first);
    for number in 0..20 {
        let (text, took) = kdig(&client, &[&format!("one-{number}.upstream.example"), "A"]);
        assert!(text.contains("192.0.2.80"), "{text}");
        assert!(took < Duration::from_secs(2), "took {took:?}");
    }
    // All die: what is cached is answered, the rest fails soon enough for a stub resolver to hear it.
    drop(second);
    check(&client, &["warm.upstream.example", "A"], &["192.0.2.80"]);
    let (text, took) = kdig(&client, &["all.upstream.example", "A"]);
    assert!(text.contains("SERVFAIL") && took < Duration::from_secs(5), "took {took:?}\n{text}");
    // What has ended is answered still, and that it has is said (RFC 8767, RFC 8914).
    thread::park_timeout(Duration::from_millis(1_100));
    let (text, took) = kdig(&client, &["+edns", "short.upstream.example", "A"]);
    assert!(text.contains("192.0.2.81") && text.contains("EDE: 3"), "{text}");
    assert!(took < Duration::from_secs(3), "took {took:?}");
    let state = dir.path().join("state").display().to_string();
    let operator = |arguments: &[&str]| {
        let hotstage = e2e::program().display().to_string();
        e2e::output(&hotstage, &[&["dns"], arguments, &["--state", &state]].concat())
    };
    let said = operator(&["explain", "Short.Upstream.Example"]);
    assert!(said.contains("1. kept") && said.contains("past its end"), "{said}");
    assert!(said.contains("3. 127.0.0.1:5300") && said.contains("is silent"), "{said}");
    // They return, and names are answered again.
    let _first = nsd(&server, dir.path(), 5300);
    ask_until(&client, |number| format!("back-{number}.upstream.example"), "192.0.2.80");
    assert_eq!(operator(&["flush", "--suffix", "short.upstream.example"]), "answers forgotten: 1\n");
    check(&client, &["short.upstream.example", "A"], &["192.0.2.81"]);
    hotstage.process.signal("TERM");
    assert_eq!(hotstage.process.wait(LIMIT), Some(0));
}

#[test]
fn good_clients_are_served_beside_rude_ones() {
    if !ready(true, &["ip", "kdig", "nsd"]) {
        return;
    }
    let (server, client) = two();
    for host in 20..=24 {
        client.ip(&["addr", "add", &format!("10.77.0.{host}/24"), "dev", "cli0"]);
    }
    let dir = tempfile::tempdir().unwrap();
    let _upstream = nsd(&server, dir.path(), 5300);
    let plan = plan(dir.path(), "dns.upstreams = [\"127.0.0.1:5300\"]\n");
    let hotstage = Hotstage::start(&mut run_command(&server, &plan, &dir.path().join("state")));
    for (how, count) in [("idle", "1000"), ("drip", "200"), ("junk", "50")] {
        let mut command = client.command(env!("CARGO_BIN_EXE_rude"));
        command.args([how, "10.77.0.2:53", count]);
        let (rude, mut lines, _) = Process::spawn(&mut command);
        lines.wait_for("line `ready`", LIMIT, |line| line == "ready");
        for number in 0..10 {
            let name = format!("{how}-{number}.upstream.example");
            let (text, took) = kdig(&client, &[&name, "A"]);
            assert!(text.contains("192.0.2.80"), "{how}: {text}");
            assert!(took < Duration::from_secs(2), "{how}: took {took:?}");
            // From an address of its own, as a well-behaved client has.
            let (text, took) = kdig(&client, &["-b", "10.77.0.20", "+tcp", &name, "A"]);
            assert!(text.contains("192.0.2.80"), "{how} over TCP: {text}");
            assert!(took < Duration::from_secs(2), "{how} over TCP: took {took:?}");
        }
        drop(rude);
    }
    // A thousand connections of one client are not all taken.
    wait_for_metric(&server, "hotstage_dns_connections_refused_total");
    hotstage.process.signal("TERM");
    assert_eq!(hotstage.process.wait(LIMIT), Some(0));
}
