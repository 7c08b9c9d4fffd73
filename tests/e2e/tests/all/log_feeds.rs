//! The log given on: real rsyslog takes it over TLS, a receiver of OTLP counts it, a mail server gets alerts.

use std::{
    collections::BTreeMap,
    fs,
    net::{SocketAddr, TcpListener, UdpSocket},
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use e2e::{Hotstage, Process, output, program, ready};

const LIMIT: Duration = Duration::from_secs(60);

const PLAN: &str = r#"
version = 1

[event]
name = "Fed"
timezone = "Asia/Tokyo"
domain = "fed.example"
people = 20
devices_per_person = 1
days = [{ date = "2026-05-16", doors = "09:00", close = "18:00" }]

[[room]]
id = "hall"
name = "Hall"
floor = "1F"
seats = 20

[vlan.guest]
id = 10
subnet = "10.77.0.0/24"
kind = "attendee"
gateway = "10.77.0.1"
pool = ["10.77.0.100-10.77.0.199"]
dhcp = { lease = "10m", via = "relay" }

[device.sw-1]
model = "generic-router"
room = "hall"
address = "10.77.0.1"
ports = { "1" = { untagged = "guest" }, "2" = { untagged = "guest" } }

[device.sw-2]
model = "generic-router"
room = "hall"
address = "10.77.0.3"
connects = "sw-1:2"

[services]
at = "sw-1:1"
address = "10.77.0.2"
watch.ping = false
"#;

fn command(dir: &str) -> Command {
    let mut command = Command::new(program());
    command.args(["run", &format!("{dir}/plan"), "--state", &format!("{dir}/state")]);
    command.args(["--listen-dhcp", "127.0.0.1:0", "--listen-dns", "127.0.0.1:0"]);
    command.args(["--listen-syslog", "127.0.0.1:0", "--listen-http", "127.0.0.1:0"]);
    command
}

fn write_plan(dir: &Path, more: &str) {
    fs::create_dir_all(dir.join("plan")).unwrap();
    fs::write(dir.join("plan/event.toml"), format!("{PLAN}{more}")).unwrap();
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn wait(what: &str, is_so: impl Fn() -> bool) {
    let began = instant();
    while !is_so() {
        assert!(began.elapsed() < LIMIT, "no {what} within {LIMIT:?}");
        thread::park_timeout(Duration::from_millis(200));
    }
}

fn send(to: SocketAddr, lines: impl IntoIterator<Item = String>) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for (number, line) in lines.into_iter().enumerate() {
        socket.send_to(line.as_bytes(), to).unwrap();
        // No faster than a small receive buffer takes.
        if number % 50 == 49 {
            thread::park_timeout(Duration::from_millis(5));
        }
    }
}

fn metric(hotstage: &Hotstage, name: &str) -> f64 {
    let text = output("curl", &["-fsS", &format!("http://{}/metrics", hotstage.address("http"))]);
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
}

/// How often each line `number N` is in a text.
fn numbers(text: &str) -> BTreeMap<u32, u32> {
    let mut found = BTreeMap::new();
    for line in text.lines() {
        if let Some((_, rest)) = line.split_once("number ") {
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            *found.entry(digits.parse().unwrap()).or_default() += 1;
        }
    }
    found
}

#[test]
fn rsyslog_takes_every_line_over_tls_also_after_it_was_away() {
    if !ready(false, &["curl", "openssl", "rsyslogd"]) {
        return;
    }
    if !Path::new("/usr/lib/x86_64-linux-gnu/rsyslog/lmnsd_gtls.so").exists() {
        println!("skipped: rsyslog-gnutls is not installed");
        return;
    }
    const LINES: u32 = 2_000;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    let (key, certificate) = (format!("{path}/rsyslog.key"), format!("{path}/rsyslog.pem"));
    let subject =
        ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=CA:FALSE"];
    let request = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
    output("openssl", &[&request[..], &subject, &["-keyout", &key, "-out", &certificate]].concat());
    let port = free_port();
    let configuration = format!("{path}/rsyslog.conf");
    fs::write(
        &configuration,
        format!(
            r#"global(defaultNetstreamDriver="gtls" defaultNetstreamDriverCAFile="{certificate}"
  defaultNetstreamDriverCertFile="{certificate}" defaultNetstreamDriverKeyFile="{key}" maxMessageSize="64k")
module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="anon")
input(type="imtcp" port="{port}" address="127.0.0.1")
template(name="whole" type="string" string="%timestamp:::date-rfc3339%|%hostname%|%app-name%|%structured-data%|%msg%\n")
action(type="omfile" file="{path}/received.log" template="whole")
"#
        ),
    )
    .unwrap();
    let rsyslog = || {
        let mut command = Command::new("rsyslogd");
        command.args(["-n", "-f", &configuration, "-i", &format!("{path}/rsyslog.pid")]);
        Process::spawn(&mut command).0
    };
    write_plan(dir.path(), &format!("feeds.syslog = {{ to = \"tls://localhost:{port}\", ca = \"{certificate}\" }}\n"));
    let received = || fs::read_to_string(format!("{path}/received.log")).unwrap_or_default();

    let (hotstage, first) = (Hotstage::start(&mut command(&path)), rsyslog());
    let to = hotstage.address("syslog");
    let line = |number: u32| format!("<165>1 2026-05-16T10:00:00.5+09:00 ap-7 app 7 ID [a@1 x=\"y\"] number {number}");
    send(to, (0..LINES).map(line));
    send(to, ["<187>12: May 16 10:00:01.250: %LINK-3-UPDOWN: Interface Gi1/0/1, changed state to down".to_owned()]);
    wait("lines", || numbers(&received()).len() == LINES as usize && received().contains("changed state"));
    let text = received();
    assert!(numbers(&text).values().all(|count| *count == 1), "no line twice while nothing breaks");
    let first_line = text.lines().find(|line| line.ends_with("number 0")).unwrap();
    for part in ["2026-05-16T10:00:00.5", "+09:00|ap-7|app|[a@1 x=\"y\"]|"] {
        assert!(first_line.contains(part), "{part} in {first_line}");
    }
    let cisco = text.lines().find(|line| line.contains("changed state")).unwrap();
    for part in ["|%LINK-3-UPDOWN|", "[origin ip=\"127.0.0.1\"]", "Interface Gi1/0/1"] {
        assert!(cisco.contains(part), "{part} in {cisco}");
    }
    let delivered = || metric(&hotstage, "hotstage_feed_records_total{feed=\"syslog\",result=\"delivered\"}");
    wait("lines counted as delivered", || delivered() >= f64::from(LINES + 1));
    assert!(delivered() <= f64::from(LINES + 1), "each is counted once");

    // Away while lines come, and we are killed meanwhile: all arrive, a few perhaps twice.
    first.signal("TERM");
    first.wait(LIMIT);
    send(to, (LINES..LINES * 2).map(line));
    wait("failed tries", || metric(&hotstage, "hotstage_feed_failed_tries_total{feed=\"syslog\"}") >= 1.0);
    // What the log has is not lost; what it has not yet may be.
    let kept = || {
        let state = format!("{path}/state");
        let count =
            output(&program().display().to_string(), &["logs", "--state", &state, "--text", "number", "--count"]);
        count.trim().parse::<u32>().unwrap()
    };
    wait("lines kept", || kept() == LINES * 2);
    hotstage.process.signal("KILL");
    drop(hotstage);
    let hotstage = Hotstage::start(&mut command(&path));
    send(hotstage.address("syslog"), (LINES * 2..LINES * 2 + 10).map(line));
    let _second = rsyslog();
    let all = LINES as usize * 2 + 10;
    wait("lines that waited", || numbers(&received()).len() == all);
    hotstage.process.signal("TERM");
    assert_eq!(hotstage.process.wait(LIMIT), Some(0));
    // Ended in order, it goes on exactly where it was.
    let before = received().lines().count();
    let hotstage = Hotstage::start(&mut command(&path));
    send(hotstage.address("syslog"), [line(999_999)]);
    wait("the next line", || received().contains("number 999999"));
    assert_eq!(received().lines().count(), before + 1);
}

/// A receiver of OTLP/HTTP that looks at each request, refuses the first for now and one record of the second, and says
/// what it got.
const OTLP: &str = r#"
import http.server, json, sys
count = 0
class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        global count
        body = self.rfile.read(int(self.headers["Content-Length"]))
        assert self.path == "/v1/logs" and self.headers["Content-Type"] == "application/json", self.path
        assert self.headers["Authorization"] == "Bearer secret", self.headers
        count += 1
        if count == 1:
            self.answer(429, b"", {"Retry-After": "1"})
            return
        if MODULE:
            from google.protobuf.json_format import Parse
            from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
            Parse(body, ExportLogsServiceRequest())
        for resource in json.loads(body)["resourceLogs"]:
            host = {a["key"]: a["value"] for a in resource["resource"]["attributes"]}.get("host.name", {}).get("stringValue")
            for record in resource["scopeLogs"][0]["logRecords"]:
                kinds = [a["value"]["stringValue"] for a in record["attributes"] if a["key"] == "event.kind"]
                print(host, record["severityNumber"], record["observedTimeUnixNano"].isdigit(), record["body"]["stringValue"], kinds, flush=True)
        partial = {"partialSuccess": {"rejectedLogRecords": "1", "errorMessage": "one too many"}} if count == 2 else {}
        self.answer(200, json.dumps(partial).encode(), {"Content-Type": "application/json"})
    def answer(self, status, body, headers):
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
"#;

/// A Python with the message definitions of OpenTelemetry, if there is one.
fn python() -> (String, bool) {
    let python = std::env::var("HOTSTAGE_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let check =
        Command::new(&python).args(["-c", "import opentelemetry.proto.collector.logs.v1.logs_service_pb2"]).output();
    let has_module = check.is_ok_and(|output| output.status.success());
    (python, has_module)
}

#[test]
fn a_receiver_of_otlp_gets_every_line_in_its_own_form() {
    if !ready(false, &["curl", "python3"]) {
        return;
    }
    let (python, has_module) = python();
    if !has_module {
        println!("not compared with opentelemetry-proto: it is not installed");
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    let port = free_port();
    let script = OTLP.replace("MODULE", if has_module { "True" } else { "False" });
    let (_receiver, mut got, _said) = Process::spawn(Command::new(python).args(["-c", &script, &port.to_string()]));
    write_plan(
        dir.path(),
        &format!("feeds.otlp = {{ url = \"http://127.0.0.1:{port}/v1/logs\", token = \"env:E2E_OTLP\" }}\n"),
    );
    let hotstage = Hotstage::start(command(&path).env("E2E_OTLP", "secret"));
    let to = hotstage.address("syslog");
    send(
        to,
        ["<187>1 2026-05-16T10:00:00Z sw-1 %LINK-3-UPDOWN - - - Interface Gi0/2, changed state to down".to_owned()],
    );
    let line = got.wait_for("record", LIMIT, |_| true);
    assert_eq!(line, "sw-1 17 True Interface Gi0/2, changed state to down ['link']");
    send(to, (0..1_500).map(|number| format!("<190>1 2026-05-16T10:00:00Z ap-1 app - - - number {number}")));
    for number in 0..1_500 {
        let line = got.wait_for("record", LIMIT, |_| true);
        assert_eq!(line, format!("ap-1 9 True number {number} []"), "in order and once");
    }
    let of =
        |result: &str| metric(&hotstage, &format!("hotstage_feed_records_total{{feed=\"otlp\",result=\"{result}\"}}"));
    wait("counts", || of("delivered") + of("refused") == 1_501.0);
    assert_eq!(of("refused"), 1.0, "what was refused of an accepted request is not sent again");
    assert_eq!(metric(&hotstage, "hotstage_feed_failed_tries_total{feed=\"otlp\"}"), 1.0);
}

/// A mail server that asks for STARTTLS and a password, and says each message it took.
const MAIL: &str = r#"
import asyncio, ssl, sys
async def serve(reader, writer):
    async def say(text):
        writer.write((text + "\r\n").encode())
        await writer.drain()
    is_tls = is_known = False
    await say("220 mail.test")
    while line := (await reader.readline()).decode().strip():
        word = line.split(" ")[0].upper()
        if word == "EHLO":
            await say("250-mail.test\r\n250-8BITMIME\r\n250-" + ("AUTH PLAIN" if is_tls else "STARTTLS") + "\r\n250 SMTPUTF8")
        elif word == "STARTTLS":
            await say("220 go on")
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(sys.argv[2], sys.argv[3])
            await writer.start_tls(context)
            is_tls = True
        elif word == "AUTH":
            import base64
            is_known = base64.b64decode(line.split(" ")[2]) == b"\0noc\0secret"
            await say("235 welcome" if is_known else "535 no")
        elif word in ("MAIL", "RCPT"):
            await say("250 ok" if is_tls and is_known else "530 sign in first")
            if word == "RCPT": print(line, flush=True)
        elif word == "DATA":
            await say("354 go on")
            while (line := (await reader.readline()).decode().rstrip("\r\n")) != ".":
                print(line, flush=True)
            print("END", flush=True)
            await say("250 taken")
        elif word == "QUIT":
            await say("221 bye")
            writer.close()
            return
        else:
            await say("250 ok")
async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()
asyncio.run(main())
"#;

#[test]
fn a_link_that_a_switch_says_is_down_is_mailed_with_device_room_and_port() {
    if !ready(false, &["curl", "openssl", "python3"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    let (key, certificate) = (format!("{path}/mail.key"), format!("{path}/mail.pem"));
    let subject =
        ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=CA:FALSE"];
    let request = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
    output("openssl", &[&request[..], &subject, &["-keyout", &key, "-out", &certificate]].concat());
    let port = free_port();
    let arguments = ["-c", MAIL, &port.to_string(), &certificate, &key];
    let (_server, mut mail, _said) = Process::spawn(Command::new("python3").args(arguments));
    let outlet = format!(
        "[outlet.noc]\nkind = \"mail\"\nurl = \"smtp://localhost:{port}\"\nuser = \"noc\"\ntoken = \"env:E2E_MAIL\"\nfrom = \"hotstage@fed.example\"\nto = [\"noc@fed.example\"]\n"
    );
    write_plan(dir.path(), &outlet);
    let hotstage = Hotstage::start(command(&path).env("E2E_MAIL", "secret").env("SSL_CERT_FILE", &certificate));
    let began = instant();
    let say = |state: &str| {
        let line = format!("<187>1 - sw-1 %LINK-3-UPDOWN - - - Interface GigabitEthernet0/2, changed state to {state}");
        send(hotstage.address("syslog"), [line]);
    };
    say("down");
    mail.wait_for("addressee", LIMIT, |line| line.contains("RCPT TO:<noc@fed.example>"));
    let told = began.elapsed();
    mail.wait_for("subject", LIMIT, |line| line.starts_with("Subject: WARNING #1 Fed: the link of sw-1:2"));
    mail.wait_for("place", LIMIT, |line| line.contains("where: device sw-1, room hall, port sw-1:2"));
    mail.wait_for("remedy", LIMIT, |line| line.contains("do: look at the lamps of both ends"));
    assert!(told < Duration::from_secs(15), "told after {told:?}");
    say("up");
    let state = format!("{path}/state");
    let alerts = || output(&program().display().to_string(), &["alerts", "--state", &state]);
    wait("end", || alerts() == "no alert is open\n");
    let incidents = output(&program().display().to_string(), &["incidents", "--state", &state]);
    assert!(incidents.contains("the link of sw-1:2 to sw-2 is down"), "{incidents}");

    // A loop is told at once, and is an error.
    let flap = "<188>1 - sw-1 %SW_MATM-4-MACFLAP_NOTIF - - - Host 0000.5e00.5301 in vlan 10 is flapping between port Gi0/1 and port Gi0/3";
    send(hotstage.address("syslog"), [flap.to_owned()]);
    wait("loop", || alerts().contains("error") && alerts().contains("sw-1 sees a loop at port Gi0/1, says its log"));
}

#[expect(clippy::disallowed_methods, reason = "a wait has a limit")]
fn instant() -> Instant {
    Instant::now()
}
