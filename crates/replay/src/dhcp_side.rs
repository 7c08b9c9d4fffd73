//! The crowd's DHCP clients and the relay agents in front of them, on real sockets.

use std::{
    collections::{BTreeSet, HashMap},
    net::{Ipv4Addr, SocketAddrV4},
    task::{Context, Poll},
    time::Duration,
};

use dhcp::{
    client::{self, ClientReply, Request, Sender},
    message::MessageType,
};
use model::{Mac, TimeLine};
use rand_chacha::ChaCha8Rng;
use rehearse::course::{Act, Course};
use tokio::net::UdpSocket;

use crate::{
    ReplayError, Settings, Summary,
    lease_client::{Answer, AnswerKind, LeaseClient, Note, Now, Outgoing, OutgoingKind, Step},
    ledger::{Ledger, LedgerEntry},
    sockets::{poll_readable, receive, udp_towards},
    summary::Latencies,
};

/// Relay agents simulated; each has a socket of its own and serves every so-many-th access point.
const RELAYS: usize = 4;

/// Every device's client, its timers, and what came of them.
pub(crate) struct DhcpSide<'a> {
    course: &'a Course,
    line: TimeLine,
    server: SocketAddrV4,
    relays: Vec<UdpSocket>,
    giaddr: Vec<Ipv4Addr>,
    /// Option 82 as each access point's relay adds it.
    information: Vec<Vec<u8>>,
    clients: Vec<LeaseClient>,
    by_mac: HashMap<Mac, u32>,
    /// When each client wants to be called, in wall time, and the same by device.
    timers: BTreeSet<(Duration, u32)>,
    timer_of: Vec<Option<Duration>>,
    /// Which devices may use the network now.
    is_bound: Vec<bool>,
    /// Thousandths of a DNS query a minute that those devices ask together.
    milliqueries_per_minute: u64,
    random: ChaCha8Rng,
    ledger: Ledger,
    waits: Latencies,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Counts {
    exchanges: u64,
    renewals: u64,
    releases: u64,
    failed: u64,
    lapsed: u64,
    interrupted: u64,
    naks: u64,
    retransmissions: u64,
    clients_unique: u64,
}

impl<'a> DhcpSide<'a> {
    /// Opens the relays' sockets.
    pub(crate) fn bind(course: &'a Course, settings: &Settings, random: ChaCha8Rng) -> Result<Self, ReplayError> {
        let server = settings.endpoints.dhcp;
        let bound = |source| ReplayError::Socket { what: "relay agent", source };
        let relays: Vec<UdpSocket> =
            (0..RELAYS).map(|_| udp_towards(server.into())).collect::<Result<_, _>>().map_err(bound)?;
        let giaddr = relays.iter().map(giaddr).collect::<Result<_, _>>().map_err(bound)?;
        let information = course.access_points.iter().map(|access_point| {
            let circuit_id = format!("{}:{}", access_point.device, settings.network_name);
            client::unprivileged_relay(circuit_id.as_bytes(), access_point.device.as_str().as_bytes(), settings.subnet)
        });
        let devices = course.devices.len();
        Ok(Self {
            course,
            line: settings.time_line.clone(),
            server,
            relays,
            giaddr,
            information: information.collect(),
            clients: vec![LeaseClient::default(); devices],
            by_mac: (0..).zip(&course.devices).map(|(index, device)| (device.mac, index)).collect(),
            timers: BTreeSet::new(),
            timer_of: vec![None; devices],
            is_bound: vec![false; devices],
            milliqueries_per_minute: 0,
            random,
            ledger: Ledger::new(settings.ledger.clone()),
            waits: Latencies::default(),
            counts: Counts::default(),
        })
    }

    /// A device does something, at an access point (the one it leaves when it leaves).
    pub(crate) fn on_action(&mut self, elapsed: Duration, device: u32, act: Act, access_point: u32) {
        let now = Now { elapsed, line: &self.line };
        let index = device as usize;
        let (Some(client), Some(shape)) = (self.clients.get_mut(index), self.course.devices.get(index)) else { return };
        let step = match act {
            Act::Associate(_) => client.on_associate(&now, &mut self.random),
            Act::Roam(_) => Step::default(),
            Act::Leave => client.on_leave(&now, shape.releases, &mut self.random),
        };
        self.take(elapsed, device, access_point, step);
    }

    /// Lets at most `budget` clients do what is due; returns what is left of the budget.
    pub(crate) fn on_deadlines(
        &mut self,
        elapsed: Duration,
        mut budget: usize,
        access_point_of: impl Fn(u32) -> Option<u32>,
    ) -> usize {
        while budget > 0
            && let Some(&(at, device)) = self.timers.first()
            && at <= elapsed
        {
            budget -= 1;
            let now = Now { elapsed, line: &self.line };
            let Some(client) = self.clients.get_mut(device as usize) else { break };
            let step = client.on_deadline(&now, &mut self.random);
            self.take(elapsed, device, access_point_of(device).unwrap_or(0), step);
        }
        budget
    }

    /// When a client wants to be called next.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// Ready when an answer has come.
    pub(crate) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<()> {
        poll_readable(&self.relays, context)
    }

    /// Takes the answers that have come.
    pub(crate) fn receive(&mut self, elapsed: Duration, access_point_of: impl Fn(u32) -> Option<u32>) {
        let relays = std::mem::take(&mut self.relays);
        for relay in &relays {
            receive(relay, |_, bytes| {
                let Some((mac, answer)) = read_answer(bytes) else { return };
                let Some(&device) = self.by_mac.get(&mac) else { return };
                let now = Now { elapsed, line: &self.line };
                let Some(client) = self.clients.get_mut(device as usize) else { return };
                let step = client.on_answer(&now, &answer, &mut self.random);
                self.send(&relays, device, access_point_of(device).unwrap_or(0), step);
                self.settle(elapsed, device, step);
            });
        }
        self.relays = relays;
    }

    /// True while an exchange is open.
    pub(crate) fn is_asking(&self) -> bool {
        self.clients.iter().any(LeaseClient::is_asking)
    }

    /// DNS queries a minute that devices with a lease ask together, in thousandths.
    pub(crate) fn milliqueries_per_minute(&self) -> u64 {
        self.milliqueries_per_minute
    }

    /// Different clients with a lease so far, exchanges, acquisitions failed.
    pub(crate) fn progress(&self) -> (u64, u64, u64) {
        (self.counts.clients_unique, self.counts.exchanges, self.counts.failed)
    }

    /// Writes the result.
    pub(crate) fn finish(self, summary: &mut Summary) {
        let open = self.clients.iter().filter(|client| client.is_asking() && !client.is_bound()).count() as u64;
        summary.clients_unique = self.ledger.clients_unique();
        summary.leases_granted = self.ledger.leases_granted();
        summary.leases_duplicate = self.ledger.duplicates();
        summary.exchanges = self.counts.exchanges;
        summary.renewals = self.counts.renewals;
        summary.releases = self.counts.releases;
        summary.leases_failed = self.counts.failed;
        summary.leases_lapsed = self.counts.lapsed;
        summary.leases_interrupted = self.counts.interrupted + open;
        summary.naks = self.counts.naks;
        summary.dhcp_retransmissions = self.counts.retransmissions;
        summary.dhcp_p50_ms = self.waits.ms(0.5);
        summary.dhcp_p99_ms = self.waits.ms(0.99);
        summary.ledger_entries_lost = self.ledger.unheard();
    }

    fn take(&mut self, elapsed: Duration, device: u32, access_point: u32, step: Step) {
        let relays = std::mem::take(&mut self.relays);
        self.send(&relays, device, access_point, step);
        self.relays = relays;
        self.settle(elapsed, device, step);
    }

    /// Sends what the step wants sent. What the kernel does not take now is lost, as on any network, and asked again.
    fn send(&mut self, relays: &[UdpSocket], device: u32, access_point: u32, step: Step) {
        let Some(message) = step.send else { return };
        let relay = access_point as usize % RELAYS;
        let giaddr = self.giaddr.get(relay).copied().unwrap_or(Ipv4Addr::LOCALHOST);
        let information = self.information.get(access_point as usize).map_or(&[][..], Vec::as_slice);
        let (Some(relay), Some(shape)) = (relays.get(relay), self.course.devices.get(device as usize)) else { return };
        let sender = Sender {
            host_name: shape.host_name.as_ref().map(|name| name.as_str()),
            ..Sender::new(message.xid, shape.mac).relayed(giaddr, information)
        };
        let _ = relay.try_send_to(&encode(&sender, &message), self.server.into());
        self.counts.retransmissions += u64::from(step.is_retransmission);
    }

    /// Counts what the step says and sets the client's timer anew.
    fn settle(&mut self, elapsed: Duration, device: u32, step: Step) {
        if let Some(note) = step.note {
            self.count(elapsed, device, &note);
        }
        let index = device as usize;
        let deadline = self.clients.get(index).and_then(LeaseClient::deadline);
        if let Some(timer) = self.timer_of.get_mut(index)
            && *timer != deadline
        {
            if let Some(before) = std::mem::replace(timer, deadline) {
                self.timers.remove(&(before, device));
            }
            self.timers.extend(deadline.map(|at| (at, device)));
        }
        let is_bound = self.clients.get(index).is_some_and(LeaseClient::is_bound);
        if let Some(was_bound) = self.is_bound.get_mut(index)
            && *was_bound != is_bound
        {
            *was_bound = is_bound;
            let rate = self.course.devices.get(index).map_or(0, |device| milliqueries(device.dns_queries_per_minute));
            let sum = self.milliqueries_per_minute;
            self.milliqueries_per_minute = if is_bound { sum + rate } else { sum.saturating_sub(rate) };
        }
    }

    fn count(&mut self, elapsed: Duration, device: u32, note: &Note) {
        let event = self.line.event_time(elapsed);
        let mac = self.course.devices.get(device as usize).map(|device| device.mac).unwrap_or_default();
        match note {
            Note::Granted(grant) => {
                self.counts.exchanges += 1;
                self.counts.renewals += u64::from(grant.is_renewal);
                self.waits.record(grant.waited);
                let (address, expires) = (grant.address, grant.expires);
                let is_new = self.ledger.grant(device, LedgerEntry { mac, address, acked_at: event, expires });
                self.counts.clients_unique += u64::from(is_new);
            }
            Note::Refused => {
                self.counts.naks += 1;
                self.ledger.drop_held(device);
            }
            Note::Lapsed => {
                self.counts.lapsed += 1;
                self.ledger.drop_held(device);
            }
            Note::Failed { refused } => {
                self.counts.failed += 1;
                self.counts.naks += u64::from(*refused);
                self.ledger.drop_held(device);
            }
            Note::Released => {
                self.counts.releases += 1;
                self.ledger.release(device, mac, event);
            }
            Note::Interrupted => self.counts.interrupted += 1,
        }
    }
}

/// A device's rate in whole thousandths, so that sums of rates are exact.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a sensible range before")]
pub(crate) fn milliqueries(per_minute: f32) -> u64 {
    let clamped = if per_minute.is_finite() { per_minute.clamp(0.0, 60_000.0) } else { 0.0 };
    (f64::from(clamped) * 1_000.0) as u64
}

fn giaddr(relay: &UdpSocket) -> std::io::Result<Ipv4Addr> {
    match relay.local_addr()?.ip() {
        std::net::IpAddr::V4(address) => Ok(address),
        std::net::IpAddr::V6(_) => Err(std::io::Error::other("DHCPv4 needs an IPv4 address")),
    }
}

fn encode(sender: &Sender<'_>, message: &Outgoing) -> Vec<u8> {
    match message.kind {
        OutgoingKind::Discover { wanted } => client::discover(sender, wanted),
        OutgoingKind::Select { offered, server } => {
            client::request(sender, Request::Selecting { address: offered, server })
        }
        OutgoingKind::Reboot { remembered } => client::request(sender, Request::Rebooting { address: remembered }),
        OutgoingKind::Renew { ciaddr } => client::request(sender, Request::Extending { address: ciaddr }),
        OutgoingKind::Release { ciaddr, server } => client::release(sender, ciaddr, server),
    }
}

/// Whom an answer is for and what it says; `None` when it is no answer that a client could use.
fn read_answer(bytes: &[u8]) -> Option<(Mac, Answer)> {
    let reply = ClientReply::parse(bytes).ok()??;
    let kind = match reply.message_type {
        MessageType::Offer => AnswerKind::Offer { address: reply.yiaddr(), server: reply.server_identifier()? },
        MessageType::Ack => AnswerKind::Ack {
            address: reply.yiaddr(),
            server: reply.server_identifier(),
            lease: reply.lease_time()?,
            renewal: reply.renewal_time(),
        },
        MessageType::Nak => AnswerKind::Nak,
        MessageType::Discover
        | MessageType::Request
        | MessageType::Decline
        | MessageType::Release
        | MessageType::Inform
        | MessageType::LeaseQuery
        | MessageType::LeaseUnassigned
        | MessageType::LeaseUnknown
        | MessageType::LeaseActive => return None,
    };
    Some((reply.message.mac()?, Answer { xid: reply.xid(), kind }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_whole_thousandths() {
        for (rate, whole) in [(0.5, 500), (2.0, 2_000), (-1.0, 0), (f32::NAN, 0), (f32::INFINITY, 0), (1e9, 60_000_000)]
        {
            assert_eq!(milliqueries(rate), whole, "{rate}");
        }
    }

    #[test]
    fn bytes_that_are_no_answer_are_ignored() {
        let mac = Mac([2, 0, 0x5e, 0, 0x53, 1]);
        let question = client::discover(&Sender::new(1, mac), None);
        for bytes in [&[][..], &[0; 300], &question] {
            assert_eq!(read_answer(bytes), None);
        }
    }
}
