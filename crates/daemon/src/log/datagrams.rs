//! Lines over UDP (RFC 5426, and what came before it): one line a datagram.

use std::{
    fs,
    io::{self, BufRead, BufReader},
    net::SocketAddr,
    os::{fd::AsRawFd, unix::fs::MetadataExt},
    sync::atomic::Ordering,
    thread,
    time::Duration,
};

use model::Transport;
use store::LogBatch;

use super::{Batch, Intake, IntakeCounters};
use crate::{
    batch_io::BATCH_MAX,
    clock::instant,
    udp::{BatchSocket, RECEIVE_BUFFER_OCTETS, wait_readable},
};

/// The longest datagram of UDP over IPv4 is 65,507 octets; a line more than a power of two apart keeps the first
/// octets of a batch out of one set of the processor's cache.
const DATAGRAM_OCTETS_MAX: usize = (64 << 10) + 64;
const STOP_INTERVAL: Duration = Duration::from_millis(200);
/// Senders do not stop when we do: how long what still arrives is taken.
const STOP_MAX: Duration = Duration::from_secs(1);
/// Lines handed to the writer at one time.
const LINES_MAX: usize = 1_024;
/// Octets made ready for them.
const LINES_OCTETS: usize = 256 << 10;
/// So many datagrams at one time are a storm: the next are gathered for a moment in the kernel's buffer, which holds far
/// more, instead of waking up for each few.
const MANY: usize = 16;
const GATHER_INTERVAL: Duration = Duration::from_millis(1);

/// Binds a UDP socket with the largest receive buffer that the kernel grants, and says so when that is not enough.
pub(crate) fn bind_datagrams(address: SocketAddr, counters: &IntakeCounters) -> io::Result<BatchSocket> {
    let socket = BatchSocket::bind_sized(address, None, DATAGRAM_OCTETS_MAX)?;
    let granted = socket.receive_buffer_octets()?;
    let before = counters.receive_buffer_octets.load(Ordering::Relaxed);
    if before == 0 || granted < before {
        counters.receive_buffer_octets.store(granted, Ordering::Relaxed);
    }
    if granted < RECEIVE_BUFFER_OCTETS as u64 {
        tracing::warn!(
            granted,
            wanted = RECEIVE_BUFFER_OCTETS,
            "bursts of log lines over UDP may be dropped: set `sysctl net.core.rmem_max={RECEIVE_BUFFER_OCTETS}` or \
             give `CAP_NET_ADMIN`"
        );
    }
    Ok(socket)
}

impl Intake {
    /// Receives datagrams until told to stop and nothing is left in the kernel's buffer, or [`STOP_MAX`] after.
    pub(crate) fn run_udp(self, socket: BatchSocket) -> io::Result<()> {
        let mut sockets = [socket];
        let (mut told, mut is_told, mut octets_before) = (KernelDrops::default(), true, 0);
        let mut stop_at = None;
        loop {
            wait_readable(&sockets, STOP_INTERVAL)?;
            let mut lines = LogBatch::with_capacity(octets_before);
            let received = self.receive(&mut sockets[0], &mut lines)?;
            octets_before = lines.octets().next_power_of_two().min(LINES_OCTETS);
            self.counters.lines_udp.fetch_add(received as u64, Ordering::Relaxed);
            let new_drops = told.new_drops(sockets[0].kernel_drops);
            self.counters.kernel_drops.fetch_add(new_drops, Ordering::Relaxed);
            if !lines.is_empty() && self.queue.send(Batch::Logs(lines)).is_err() {
                return Ok(());
            }
            if (MANY..LINES_MAX).contains(&received) {
                thread::park_timeout(GATHER_INTERVAL);
            }
            let is_over = self.is_stopping() && {
                let until = *stop_at.get_or_insert_with(|| instant() + STOP_MAX);
                received == 0 || instant() >= until
            };
            is_told &= received == 0;
            if received > 0 && !is_over {
                continue;
            }
            // With a datagram the kernel tells only what it dropped before that one.
            if !is_told && let Some(drops) = kernel_drops_of(&sockets[0]) {
                self.counters.kernel_drops.fetch_add(told.new_drops(drops), Ordering::Relaxed);
                is_told = true;
            }
            if is_over {
                return Ok(());
            }
        }
    }

    /// Takes what is there, about [`LINES_MAX`] at most.
    fn receive(&self, socket: &mut BatchSocket, lines: &mut LogBatch) -> io::Result<usize> {
        let now = self.clock.now();
        while lines.len() < LINES_MAX {
            let count = socket.receive(|datagram, octets| {
                self.take(now, datagram.source, Transport::Udp, octets, lines);
            })?;
            if count < BATCH_MAX {
                break;
            }
        }
        Ok(lines.len())
    }
}

/// The kernel's count of one socket as last told; it wraps.
#[derive(Default)]
pub(crate) struct KernelDrops(u32);

impl KernelDrops {
    /// What was dropped since the last time. An older count, told with a datagram that waited long, adds nothing.
    pub(crate) fn new_drops(&mut self, drops: u32) -> u64 {
        let more = drops.wrapping_sub(self.0);
        if more > u32::MAX / 2 {
            return 0;
        }
        self.0 = drops;
        u64::from(more)
    }
}

/// The last column of the socket's line in `/proc/net/udp`; `None` where there is no such file.
pub(crate) fn kernel_drops_of(socket: &BatchSocket) -> Option<u32> {
    let inode = fs::metadata(format!("/proc/self/fd/{}", socket.socket.as_raw_fd())).ok()?.ino().to_string();
    let table = if socket.socket.local_addr().ok()?.is_ipv4() { "udp" } else { "udp6" };
    let lines = BufReader::new(fs::File::open(format!("/proc/self/net/{table}")).ok()?).lines();
    lines.map_while(Result::ok).find_map(|line| drops_in(&line, &inode))
}

/// `sl local remote st tx:rx tr:when retrnsmt uid timeout inode ref pointer drops` (proc(5)).
fn drops_in(line: &str, inode: &str) -> Option<u32> {
    let mut fields = line.split_ascii_whitespace();
    (fields.nth(9)? == inode).then(|| fields.next_back()?.parse().ok())?
}

#[cfg(test)]
mod tests {
    use std::{
        net::UdpSocket,
        sync::{Arc, atomic::AtomicBool, mpsc::sync_channel},
    };

    use super::*;
    use crate::clock::Clock;

    #[test]
    fn ends_while_lines_still_arrive() {
        const PATIENCE: Duration = Duration::from_secs(20);
        let socket = bind_datagrams("127.0.0.1:0".parse().unwrap(), &IntakeCounters::default()).unwrap();
        let address = socket.socket.local_addr().unwrap();
        let (queue, batches) = sync_channel(super::super::QUEUE_BATCHES_MAX);
        let stop = Arc::new(AtomicBool::new(false));
        let intake = Intake {
            clock: Clock::Wall,
            context: Arc::default(),
            queue,
            counters: Arc::default(),
            stop: Arc::clone(&stop),
        };
        let counters = Arc::clone(&intake.counters);
        let receiver = thread::spawn(move || intake.run_udp(socket));
        // It drops its end of the queue when it ends.
        let writer = thread::spawn(move || batches.iter().count());
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        let begun = instant();
        while !receiver.is_finished() && begun.elapsed() < PATIENCE {
            sender.send_to(b"<14>still here", address).unwrap();
            stop.store(counters.lines_udp.load(Ordering::Relaxed) >= 20, Ordering::Relaxed);
            thread::park_timeout(Duration::from_millis(10));
        }
        assert!(receiver.is_finished(), "it never ends while lines arrive");
        receiver.join().unwrap().unwrap();
        assert!(writer.join().unwrap() > 0);
    }

    #[test]
    fn drops_are_counted_once_over_all_sockets() {
        let mut told = KernelDrops::default();
        let seen: Vec<u64> = [0, 5, 5, 3, 9, 9].into_iter().map(|drops| told.new_drops(drops)).collect();
        assert_eq!(seen, [0, 5, 0, 0, 4, 0]);
        let mut told = KernelDrops(u32::MAX - 1);
        assert_eq!(told.new_drops(2), 4);
    }

    #[test]
    fn reads_the_column_of_drops() {
        let line = "  123: 0100007F:0202 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4711 2 0000000000000000 1234";
        assert_eq!((drops_in(line, "4711"), drops_in(line, "471")), (Some(1_234), None));
        assert_eq!(drops_in("  sl  local_address rem_address   st tx_queue", "4711"), None);
    }

    #[test]
    fn a_full_buffer_is_seen_although_no_datagram_follows() {
        let counters = IntakeCounters::default();
        let mut socket = bind_datagrams("127.0.0.1:0".parse().unwrap(), &counters).unwrap();
        assert!(counters.receive_buffer_octets.load(Ordering::Relaxed) > 0);
        nix::sys::socket::setsockopt(&socket.socket, nix::sys::socket::sockopt::RcvBuf, &4_096).unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.socket.local_addr().unwrap();
        const SENT: u64 = 200;
        for _ in 0..SENT {
            sender.send_to(&[b'x'; 1_000], address).unwrap();
        }
        let (mut received, mut told, mut drops) = (0, KernelDrops::default(), 0);
        while let count @ 1.. = socket.receive(|_, _| {}).unwrap() {
            received += count as u64;
            drops += told.new_drops(socket.kernel_drops);
        }
        let seen_with_datagrams = drops;
        drops += told.new_drops(kernel_drops_of(&socket).unwrap());
        assert_eq!((received + drops, seen_with_datagrams), (SENT, 0));
    }

    #[test]
    fn the_longest_datagram_is_whole() {
        let mut socket = bind_datagrams("127.0.0.1:0".parse().unwrap(), &IntakeCounters::default()).unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        for length in [0, 1, 8_192, 65_507] {
            sender.send_to(&vec![b'x'; length], socket.socket.local_addr().unwrap()).unwrap();
        }
        let mut lengths = Vec::new();
        while socket.receive(|_, octets| lengths.push(octets.len())).unwrap() > 0 {}
        assert_eq!(lengths, [0, 1, 8_192, 65_507]);
    }
}
