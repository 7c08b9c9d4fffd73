use std::{
    fs::File,
    io::{BufReader, BufWriter, Read, Write},
    net::Ipv4Addr,
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::Duration,
};

use crate::{DhcpMessage, Kind, Lines, Namespace, Process, RequestState};

const LIMIT: Duration = Duration::from_secs(20);
/// Messages that are not the one waited for, before it is given up.
const PASSED_OVER_MAX: usize = 20;
/// Octets of a frame that are kept. The kernel's buffer has a slot of this size for each, so small means many.
const SNAP: &str = "4096";
const FRAME_LENGTH_MAX: usize = 4_096;

/// The DHCP messages of an interface as `tcpdump` sees them, one by one while they pass and in a file to be decoded later.
pub struct Wire {
    messages: Receiver<DhcpMessage>,
    seen: Vec<DhcpMessage>,
    tcpdump: Process,
    errors: Lines,
    file: PathBuf,
}

impl Wire {
    /// Starts to listen on an interface, or on `any`; everything is also written to `file`.
    ///
    /// # Panics
    /// When `tcpdump` does not listen in time.
    pub fn start(namespace: &Namespace, interface: &str, file: &Path) -> Self {
        let mut command = namespace.command("tcpdump");
        command.args(["-n", "-U", "--immediate-mode", "-Z", "root", "-B", "65536", "-s", SNAP, "-i", interface]);
        command.args(["-w", "-", "udp port 67 or udp port 68"]);
        let (tcpdump, out, mut errors) = Process::spawn_bytes(&mut command);
        errors.wait_for("capture", LIMIT, |line| line.contains("listening on"));
        let (sender, messages) = channel();
        let copy = File::create(file).unwrap_or_else(|error| panic!("{} cannot be made: {error}", file.display()));
        thread::spawn(move || follow(BufReader::new(out), BufWriter::new(copy), &sender));
        Self { messages, seen: Vec::new(), tcpdump, errors, file: file.to_owned() }
    }

    /// The next message that `wanted` likes; earlier ones are passed over.
    ///
    /// # Panics
    /// When none comes for `limit`, or too many others come; says what came.
    pub fn wait_for(&mut self, what: &str, limit: Duration, wanted: impl Fn(&DhcpMessage) -> bool) -> DhcpMessage {
        for _ in 0..PASSED_OVER_MAX {
            let Ok(message) = self.messages.recv_timeout(limit) else { break };
            self.seen.push(message.clone());
            if wanted(&message) {
                return message;
            }
        }
        panic!("no {what} within {limit:?}; what came was:\n{}", self.transcript());
    }

    /// The next REQUEST of a client in `state`, and its answer, which must be of a kind.
    ///
    /// # Panics
    /// When either does not come in time, another answer comes, or the client starts anew because none came.
    pub fn exchange(&mut self, state: RequestState, answer: Kind, limit: Duration) -> (DhcpMessage, DhcpMessage) {
        let request =
            self.wait_for(&format!("REQUEST {state:?}"), limit, |message| message.request_state() == Some(state));
        let reply = self.wait_for(&format!("answer to REQUEST {state:?}"), limit, |message| {
            let is_answer = message.xid == request.xid && matches!(message.kind, Kind::Ack | Kind::Nak);
            is_answer || message.kind == Kind::Discover
        });
        assert_eq!(reply.kind, answer, "the answer to REQUEST {state:?} is another:\n{}", self.transcript());
        (request, reply)
    }

    /// Everything so far, also what nobody has waited for.
    pub fn seen(&mut self) -> &[DhcpMessage] {
        self.seen.extend(self.messages.try_iter());
        &self.seen
    }

    /// The messages so far, one a line.
    pub fn transcript(&self) -> String {
        let lines = self.seen.iter().map(ToString::to_string);
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Ends the capture; every message and the file that holds them.
    ///
    /// # Panics
    /// When the kernel dropped packets of it: then what is not in it proves nothing.
    pub fn stop(mut self) -> (Vec<DhcpMessage>, PathBuf) {
        self.tcpdump.signal("INT");
        let dropped = self.errors.wait_for("count of drops", LIMIT, |line| line.contains("dropped by kernel"));
        assert!(dropped.starts_with("0 packets"), "the capture is not whole: {dropped}");
        self.tcpdump.wait(LIMIT);
        // Ends when the thread that reads the capture has come to its end and hung up.
        self.seen.extend(self.messages.iter());
        (self.seen, self.file)
    }
}

/// Reads the pcap format (pcap-savefile(5)) until it ends.
fn follow(mut from: impl Read, mut copy: impl Write, messages: &Sender<DhcpMessage>) {
    let mut take = |length: usize| -> Option<Vec<u8>> {
        let mut bytes = vec![0; length];
        from.read_exact(&mut bytes).ok()?;
        copy.write_all(&bytes).ok()?;
        Some(bytes)
    };
    let Some(header) = take(24) else { return };
    let link = word(&header, 20);
    while let Some(record) = take(16) {
        let length = word(&record, 8) as usize;
        assert!(length <= FRAME_LENGTH_MAX, "the capture is not in the pcap format of this machine");
        let Some(frame) = take(length) else { return };
        let at = Duration::from_secs(word(&record, 0).into()) + Duration::from_micros(word(&record, 4).into());
        if let Some(message) = dhcp_of_frame(at, link, &frame) {
            let _ = messages.send(message);
        }
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes[at..at + 4].try_into().map_or(0, u32::from_ne_bytes)
}

/// Option 61 of the server's own DISCOVERs, by which it looks for other servers at any time; no client's.
const SERVER_PROBE: &[u8] = b"\0hotstage server probe";

fn dhcp_of_frame(at: Duration, link: u32, frame: &[u8]) -> Option<DhcpMessage> {
    if frame.windows(SERVER_PROBE.len()).any(|part| part == SERVER_PROBE) {
        return None;
    }
    // Ethernet, Linux cooked version 1 and 2: lengths of the header before IP.
    let ip = match link {
        1 => frame.get(14..)?,
        113 => frame.get(16..)?,
        276 => frame.get(20..)?,
        other => panic!("link type {other} was not expected"),
    };
    let header_length = usize::from(ip.first()? & 15) * 4;
    let to: [u8; 4] = ip.get(16..20)?.try_into().ok()?;
    DhcpMessage::read(at, Ipv4Addr::from(to), ip.get(header_length + 8..)?)
}
