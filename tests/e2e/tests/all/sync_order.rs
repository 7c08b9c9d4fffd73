//! Reads a trace of `strace -f -y -xx`: was each lease written to its file, and the file synced, before its ACK was sent?

use std::{collections::BTreeMap, net::Ipv4Addr, path::Path, time::Duration};

use e2e::{DhcpMessage, Kind};

/// What a trace shows.
#[derive(Debug, Default)]
pub(crate) struct Order {
    /// ACKs sent.
    pub(crate) acks: usize,
    /// Syncs of a lease file that were done.
    pub(crate) syncs: usize,
    /// ACKs that left before the sync of their lease was done.
    pub(crate) wrong: Vec<String>,
}

/// A client's MAC; each is in what is written for its lease, as it is.
type Mac = [u8; 6];

#[derive(Default)]
struct Reader {
    order: Order,
    /// Leases written and not yet synced, by file.
    written: BTreeMap<String, Vec<Mac>>,
    /// Syncs under way by thread: the file, and what had been written when it began.
    syncing: BTreeMap<String, (String, Vec<Mac>)>,
    /// Writes under way by thread.
    writing: BTreeMap<String, (String, Vec<Mac>)>,
    /// Sends under way by thread, with what was on disk when they began: `sendmmsg` is printed with its messages at its end.
    sending: BTreeMap<String, BTreeMap<Mac, usize>>,
    /// How many leases of a client are on disk and not yet acknowledged.
    synced: BTreeMap<Mac, usize>,
}

/// `leases` is the directory whose files count.
pub(crate) fn read(trace: &str, leases: &Path) -> Order {
    let leases = leases.display().to_string();
    let mut reader = Reader::default();
    for line in trace.lines() {
        let Some((thread, call)) = line.split_once(' ') else { continue };
        reader.read(thread, call.trim_start(), &leases);
    }
    reader.order
}

impl Reader {
    /// One line: a whole call, the begin of one (`<unfinished ...>`), or the end of one (`<... NAME resumed>`).
    fn read(&mut self, thread: &str, call: &str, leases: &str) {
        if let Some(rest) = call.strip_prefix("<... ") {
            let is_good = rest.rsplit_once(" = ").is_some_and(|(_, result)| !result.starts_with("-1"));
            if let Some((file, macs)) = self.writing.remove(thread).filter(|_| is_good) {
                self.written.entry(file).or_default().extend(macs);
            }
            if let Some((_, macs)) = self.syncing.remove(thread).filter(|_| is_good) {
                self.on_synced(&macs);
            }
            if let Some(before) = self.sending.remove(thread) {
                self.on_sent(&before, rest);
            }
            return;
        }
        let Some((name, arguments)) = call.split_once('(') else { return };
        let is_begun = call.ends_with("<unfinished ...>");
        // `-xx` prints the path of a descriptor in hex as well where it is not plain; the directory is plain text.
        let file = arguments.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map(|(path, _)| path);
        let file = file.map(plain).filter(|path| path.starts_with(leases));
        match (name, file) {
            ("write" | "writev" | "pwrite64" | "pwritev" | "pwritev2", Some(file)) => {
                self.writing.insert(thread.to_owned(), (file, macs_in(&buffers(arguments))));
            }
            ("fsync" | "fdatasync", Some(file)) => {
                let macs = self.written.remove(&file).unwrap_or_default();
                self.syncing.insert(thread.to_owned(), (file, macs));
            }
            ("sendto" | "sendmsg" | "sendmmsg", None) => {
                let before = self.synced.clone();
                if is_begun {
                    self.sending.insert(thread.to_owned(), before.clone());
                }
                // What a call shows at its begin is not shown again at its end.
                return self.on_sent(&before, call);
            }
            _ => return,
        }
        if !is_begun {
            let result = call.rsplit_once(" = ").map_or("-1", |(_, result)| result);
            self.read(thread, &format!("<... {name} resumed>) = {result}"), leases);
        }
    }

    fn on_synced(&mut self, macs: &[Mac]) {
        self.order.syncs += 1;
        for mac in macs {
            *self.synced.entry(*mac).or_default() += 1;
        }
    }

    /// `before` is what was on disk when the call began.
    fn on_sent(&mut self, before: &BTreeMap<Mac, usize>, call: &str) {
        let mut used: BTreeMap<Mac, usize> = BTreeMap::new();
        for buffer in buffers(call) {
            let Some(ack) = DhcpMessage::read(Duration::ZERO, Ipv4Addr::UNSPECIFIED, &buffer) else { continue };
            if ack.kind != Kind::Ack {
                continue;
            }
            self.order.acks += 1;
            let used = used.entry(ack.chaddr).or_default();
            *used += 1;
            // Each ACK has a write of its own to show, so that an earlier lease does not vouch for a later one.
            if before.get(&ack.chaddr).copied().unwrap_or_default() < *used {
                self.order.wrong.push(format!("{ack}: {}", call.chars().take(80).collect::<String>()));
            }
            if let Some(count) = self.synced.get_mut(&ack.chaddr) {
                *count = count.saturating_sub(1);
            }
        }
    }
}

/// Text that may be in `\x..` form.
fn plain(text: &str) -> String {
    if text.starts_with("\\x") { String::from_utf8_lossy(&unhex(text)).into_owned() } else { text.to_owned() }
}

/// The strings of a call, as bytes.
fn buffers(arguments: &str) -> Vec<Vec<u8>> {
    arguments.split('"').skip(1).step_by(2).map(unhex).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    text.split("\\x").skip(1).filter_map(|digits| u8::from_str_radix(digits.get(..2)?, 16).ok()).collect()
}

/// The crowd's MACs in what is written: they have a prefix that nothing else has.
fn macs_in(buffers: &[Vec<u8>]) -> Vec<Mac> {
    const PREFIX: [u8; 4] = [0x02, 0x00, 0x5e, 0x10];
    let mut found = Vec::new();
    for buffer in buffers {
        // A lease has the MAC twice, in the client's key and by itself; they lie apart by less than one frame, but
        // counting both would let one write vouch for two ACKs.
        let mut seen_before = None;
        for at in 0..buffer.len().saturating_sub(5) {
            if buffer[at..].starts_with(&PREFIX) {
                let mac: Mac = buffer[at..at + 6].try_into().unwrap();
                if seen_before == Some(mac) {
                    seen_before = None;
                } else {
                    seen_before = Some(mac);
                    found.push(mac);
                }
            }
        }
    }
    found
}

#[test]
fn an_ack_before_its_sync_is_seen() {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect::<String>();
    let mut ack = vec![0; 236];
    ack[28..34].copy_from_slice(&[0x02, 0x00, 0x5e, 0x10, 0x00, 0x07]);
    ack.extend([99, 130, 83, 99, 53, 1, 5, 255]);
    let file = format!("4<{}>", hex(b"/state/leases/1.log"));
    let write = format!("7 pwrite64({file}, \"{}\", 6, 0) = 6", hex(&[0x02, 0x00, 0x5e, 0x10, 0x00, 0x07]));
    let (sync, failed) = (format!("7 fdatasync({file}) = 0"), format!("7 fdatasync({file}) = -1 EIO (error)"));
    let (sync_begins, sync_ends) =
        (format!("7 fdatasync({file} <unfinished ...>"), "7 <... fdatasync resumed>) = 0".to_owned());
    let send = format!("8 sendmmsg(5<s>, [{{iov_base=\"{}\"}}], 1, 0) = 1", hex(&ack));
    let (send_begins, send_ends) = (
        "8 sendmmsg(5<s>, <unfinished ...>".to_owned(),
        format!("8 <... sendmmsg resumed>[{{iov_base=\"{}\"}}], 1, 0) = 1", hex(&ack)),
    );
    let check = |lines: &[&String], wrong: usize| {
        let lines: Vec<&str> = lines.iter().map(|line| line.as_str()).collect();
        let order = read(&lines.join("\n"), Path::new("/state/leases"));
        assert_eq!(
            (order.acks, order.wrong.len()),
            (lines.iter().filter(|line| line.contains("iov_base")).count(), wrong),
            "{lines:#?}"
        );
    };
    check(&[&write, &sync, &send], 0);
    check(&[&write, &sync_begins, &sync_ends, &send_begins, &send_ends], 0);
    check(&[&write, &send, &sync], 1);
    check(&[&sync, &write, &send], 1);
    check(&[&write, &failed, &send], 1);
    check(&[&write, &sync_begins, &send, &sync_ends], 1);
    check(&[&write, &sync_begins, &send_begins, &sync_ends, &send_ends], 1);
    check(&[&write, &sync, &send, &send], 1);
    check(&[&send], 1);
}
