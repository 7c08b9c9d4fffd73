//! The server in a namespace and a crowd behind a relay agent in another, and what is true of what passes between them:
//! every reply is well-formed, no ACK leaves before its lease is on disk, and kill -9 forgets nothing.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use e2e::{Hotstage, Lines, Namespace, Process, Wire, output, program, ready};

use crate::{
    checker::{Checker, Kept},
    event::{PLAN, run_command},
    sync_order::Order,
};

pub(crate) const LIMIT: Duration = Duration::from_secs(60);
const LEASE_SECONDS: u32 = 20;
/// More clients than addresses, so that addresses change hands.
const CLIENTS: &str = "115";

/// The server in one namespace, a relay agent and its clients in another.
pub(crate) struct Bench {
    pub(crate) crowd: Namespace,
    server: Namespace,
    plan: PathBuf,
    pub(crate) state: PathBuf,
    dir: tempfile::TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with("")
    }

    /// With more lines in the plan.
    pub(crate) fn with(more: &str) -> Self {
        let (server, crowd) = (Namespace::new("srv"), Namespace::new("crowd"));
        server.connect("srv0", "10.77.0.2/24", &crowd, "up0", "10.77.0.1/24");
        crowd.ip(&["addr", "add", "10.78.0.1/24", "dev", "lo"]);
        server.ip(&["route", "add", "10.78.0.0/24", "via", "10.77.0.1"]);
        let dir = tempfile::tempdir().unwrap();
        let (plan, state) = (dir.path().join("plan"), dir.path().join("state"));
        fs::create_dir(&plan).unwrap();
        let text = format!("{PLAN}{more}").replace("\"12s\"", &format!("\"{LEASE_SECONDS}s\""));
        fs::write(plan.join("event.toml"), text).unwrap();
        Self { crowd, server, plan, state, dir }
    }

    pub(crate) fn server_command(&self) -> Command {
        run_command(&self.server, &self.plan.display().to_string(), &self.state)
    }

    /// A program beside the server.
    pub(crate) fn beside_server(&self, program: &str) -> Command {
        self.server.command(program)
    }

    /// The crowd, and what it says of its ACKs.
    pub(crate) fn start_crowd(&self, window: u32, seed: u64, acks_max: Option<u64>) -> (Process, Lines) {
        let mut command = self.crowd.command(env!("CARGO_BIN_EXE_crowd"));
        command.args(["10.77.0.2", "10.78.0.1", CLIENTS, &window.to_string(), &seed.to_string()]);
        command.args(acks_max.map(|acks| acks.to_string()));
        let (process, out, _) = Process::spawn(&mut command);
        (process, out)
    }

    pub(crate) fn leases_json(&self) -> Vec<serde_json::Value> {
        let state = self.state.display().to_string();
        let text = output(&program().display().to_string(), &["leases", "--state", &state, "--format", "json"]);
        serde_json::from_str(&text).unwrap()
    }

    fn leases(&self) -> Vec<Kept> {
        self.leases_json().iter().map(Kept::of).collect()
    }

    /// `/metrics` as it is now; figures follow at most a second later.
    pub(crate) fn metrics(&self) -> String {
        const GET: &str = "exec 3<>/dev/tcp/127.0.0.1/8080; \
            printf 'GET /metrics HTTP/1.1\\r\\nHost: hotstage\\r\\nConnection: close\\r\\n\\r\\n' >&3; cat <&3";
        output("ip", &["netns", "exec", self.server.name(), "bash", "-c", GET])
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

/// How often the server is killed; `HOTSTAGE_E2E_KILLS` for more.
fn kills() -> u64 {
    const KILLS: u64 = 5;
    std::env::var("HOTSTAGE_E2E_KILLS").map_or(KILLS, |text| text.parse().unwrap())
}

#[test]
fn kill_9_under_load_forgets_no_ack() {
    if !ready(true, &["ip", "tcpdump"]) {
        return;
    }
    let bench = Bench::new();
    let mut wire = Wire::start(&bench.crowd, "up0", &bench.file("load.pcap"));
    let mut checker = Checker::default();
    let mut read = 0;
    let (crowd, mut acks) = bench.start_crowd(24, 20_260_516, None);
    for kill in 0..kills() {
        let hotstage = Hotstage::start(&mut bench.server_command());
        // A different number of batches each time.
        for _ in 0..=(kill * 5 + 3) % 7 {
            acks.wait_for("ACKs", LIMIT, |line| line.starts_with("acks "));
        }
        hotstage.process.signal("KILL");
        drop(hotstage);
        // What has been captured by now was sent before; what comes later is compared next time.
        for message in &wire.seen()[read..] {
            checker.read(message);
            read += 1;
        }
        checker.compare(&bench.leases());
        checker.assert_nothing_wrong();
    }
    drop(crowd);
    let (all, _) = wire.stop();
    all[read..].iter().for_each(|message| checker.read(message));
    checker.compare(&bench.leases());
    checker.assert_nothing_wrong();
    assert!(checker.acks as u64 >= 100 * kills(), "only {} ACKs", checker.acks);
    // And it still serves.
    let wire = Wire::start(&bench.crowd, "up0", &bench.file("after.pcap"));
    let hotstage = Hotstage::start(&mut bench.server_command());
    let (crowd, _acks) = bench.start_crowd(24, 20_260_519, Some(200));
    assert_eq!(crowd.wait(LIMIT), Some(0));
    hotstage.process.signal("TERM");
    assert_eq!(hotstage.process.wait(LIMIT), Some(0));
    wire.stop().0.iter().for_each(|message| checker.read(message));
    checker.compare(&bench.leases());
    checker.assert_nothing_wrong();
}

#[test]
fn every_reply_is_well_formed_and_echoes_option_82() {
    if !ready(true, &["ip", "tcpdump", "tshark"]) {
        return;
    }
    let bench = Bench::new();
    let wire = Wire::start(&bench.server, "any", &bench.file("replies.pcap"));
    let hotstage = Hotstage::start(&mut bench.server_command());
    let (crowd, _acks) = bench.start_crowd(8, 20_260_517, Some(2_000));
    assert_eq!(crowd.wait(LIMIT), Some(0));
    hotstage.process.signal("TERM");
    assert_eq!(hotstage.process.wait(LIMIT), Some(0));
    let replies = e2e::check_replies(&wire.stop().1);
    assert!(replies.all >= 2_000 && replies.with_agent_information == replies.all, "{replies:?}");
}

/// Runs the server under `strace` with more of its arguments, lets a crowd of `window` have `acks`, and reads the trace.
fn traced(bench: &Bench, more: &[&str], window: u32, acks: u64) -> (Order, String) {
    const CALLS: &str = "trace=write,writev,pwrite64,pwritev,pwritev2,fsync,fdatasync,sync_file_range,sendto,sendmsg,\
        sendmmsg,io_uring_enter";
    let trace = bench.file("trace");
    let server = bench.server_command();
    let mut command = Command::new("ip");
    let arguments: Vec<_> = server.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
    // `ip netns exec NAME strace ... hotstage run ...`
    command.args(&arguments[..3]).args(["strace", "-f", "--seccomp-bpf", "-y", "-xx", "-s", "200000", "-e", CALLS]);
    command.args(more).arg("-o").arg(&trace).args(&arguments[3..]);
    let hotstage = Hotstage::start(&mut command);
    let (crowd, _acks) = bench.start_crowd(window, 20_260_518, Some(acks));
    assert_eq!(crowd.wait(LIMIT), Some(0));
    let leases = bench.state.join("leases");
    // The tracer ends with what it traces, which is its only child.
    let children = format!("/proc/{0}/task/{0}/children", hotstage.process.id());
    output("kill", &["-TERM", fs::read_to_string(children).unwrap().trim()]);
    assert_eq!(hotstage.process.wait(LIMIT), Some(0));
    let text = fs::read_to_string(&trace).unwrap();
    (crate::sync_order::read(&text, Path::new(&leases)), text)
}

#[test]
fn every_ack_leaves_after_its_lease_is_synced() {
    if !ready(true, &["ip", "strace"]) {
        return;
    }
    let (order, _) = traced(&Bench::new(), &[], 64, 600);
    assert!(order.wrong.is_empty(), "{} ACKs left too early:\n{}", order.wrong.len(), order.wrong.join("\n"));
    assert!(order.acks >= 600 && order.syncs > 0, "{order:?}");
}

/// A disk that refuses writes, or loses them: no ACK for what is not there, an incident, and service goes on when the
/// disk does.
fn fails_for_a_while(call: &str, error: &str, from: u32, acks: u64) {
    if !ready(true, &["ip", "strace", "tcpdump"]) {
        return;
    }
    let bench = Bench::new();
    let wire = Wire::start(&bench.crowd, "up0", &bench.file("failing.pcap"));
    // Counted for each thread by itself; the commit thread pauses after each failure.
    let injection = format!("inject={call}:error={error}:when={from}..{}", from + 60);
    let (order, trace) = traced(&bench, &["-e", &injection], 24, acks);
    let injected = trace.lines().filter(|line| line.contains("(INJECTED)") && line.contains(error)).count();
    assert!(injected > 50, "{injected} calls failed");
    assert!(order.wrong.is_empty(), "{} ACKs left too early:\n{}", order.wrong.len(), order.wrong.join("\n"));
    let state = bench.state.display().to_string();
    let incidents = output(&program().display().to_string(), &["incidents", "--state", &state]);
    assert!(incidents.contains("the lease journal cannot be written"), "{incidents}");
    let mut checker = Checker::default();
    wire.stop().0.iter().for_each(|message| checker.read(message));
    checker.compare(&bench.leases());
    checker.assert_nothing_wrong();
    assert!(checker.acks as u64 >= acks, "only {} ACKs", checker.acks);
}

#[test]
fn a_disk_that_loses_what_was_written_costs_acks_and_no_lease() {
    fails_for_a_while("fdatasync", "EIO", 25, 1_500);
}

#[test]
fn a_full_disk_costs_acks_and_no_lease() {
    // SQLite writes some hundred times before the services are ready, on another thread.
    fails_for_a_while("pwrite64", "ENOSPC", 500, 16_000);
}
