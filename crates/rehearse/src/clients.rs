//! The DHCP clients of the crowd in virtual time, against the real engine: what they send it gets, what it answers
//! they take. Packets arrive at once; nothing is lost.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    net::{Ipv4Addr, SocketAddrV4},
    time::Duration,
};

use dhcp::{
    Effect, Engine, Origin, SERVER_PORT, Settings, SettingsError,
    client::{self, ClientReply, Request, Sender},
    message::MessageType,
};
use model::{HostName, Mac, SubnetId, Timestamp};
use plan::Plan;

use crate::course::CourseDevice;

/// Waits after a DISCOVER that nobody answered (RFC 2131 section 4.1); the last one again and again, as phones do.
const RETRY_SECONDS: [u64; 6] = [4, 8, 16, 32, 64, 300];
/// Shortest wait for a renewal, whatever the lease time says.
const RENEWAL_MIN: Duration = Duration::from_secs(5);

/// All clients and their server.
pub(crate) struct Clients<'a> {
    engine: Engine,
    server: Ipv4Addr,
    subnets: Vec<ClientSubnet>,
    devices: &'a [CourseDevice],
    clients: Vec<Client>,
    timers: BinaryHeap<Reverse<(Timestamp, u32)>>,
    xid: u32,
    pub(crate) tally: Tally,
    second: (i64, u64),
}

/// What came of it.
#[derive(Clone, Default, Debug)]
pub(crate) struct Tally {
    /// Addresses granted to clients that had none.
    pub(crate) granted: u64,
    /// Leases of before that were confirmed (INIT-REBOOT).
    pub(crate) confirmed: u64,
    pub(crate) renewed: u64,
    /// Associations that got no address at once.
    pub(crate) refused: u64,
    pub(crate) messages: u64,
    pub(crate) messages_per_second_peak: u64,
    /// By attendees' subnet: most addresses in use, associations refused, and when the first was.
    pub(crate) pools: Vec<PoolTally>,
}

/// How one pool fared.
#[derive(Clone, Default, Debug)]
pub(crate) struct PoolTally {
    pub(crate) name: String,
    pub(crate) size: u64,
    pub(crate) used_peak: u64,
    pub(crate) refused: u64,
    pub(crate) first_refused: Option<Timestamp>,
}

/// A subnet of attendees that the engine serves, behind its relay agent.
struct ClientSubnet {
    id: SubnetId,
    giaddr: Ipv4Addr,
    information: Vec<u8>,
}

/// A client. Its address outlives its time on the network, until the lease ends.
#[derive(Clone, Default)]
struct Client {
    subnet: usize,
    is_on: bool,
    address: Option<Ipv4Addr>,
    expires: Timestamp,
    /// The timer that counts; others in the queue are of the past.
    timer: Option<Timestamp>,
    tries: usize,
}

/// What a client reads in an ACK.
struct Granted {
    address: Ipv4Addr,
    lease: Duration,
    renewal: Duration,
}

impl<'a> Clients<'a> {
    /// Clients of `devices`, spread over the attendees' subnets that `settings` serve.
    pub(crate) fn new(
        plan: &Plan,
        settings: &Settings,
        devices: &'a [CourseDevice],
        seed: u64,
    ) -> Result<Self, SettingsError> {
        let settings = Settings { clock_step_min: Duration::MAX, ..settings.clone() };
        let of_vlan = |vlan: &plan::VlanPlan| {
            let subnet = settings.subnets.iter().find(|subnet| subnet.name == vlan.name.as_str())?;
            let information = client::unprivileged_relay(vlan.name.as_str().as_bytes(), b"gateway", vlan.gateway);
            Some(ClientSubnet { id: subnet.id, giaddr: vlan.gateway, information })
        };
        let subnets: Vec<ClientSubnet> = plan.attendee_vlans().filter_map(of_vlan).collect();
        let engine = Engine::new(settings, seed)?;
        let count = subnets.len().max(1);
        let clients = (0..devices.len()).map(|index| Client { subnet: index % count, ..Client::default() }).collect();
        let sizes: Vec<(SubnetId, String, u64)> =
            engine.pool_use(Timestamp::EPOCH).map(|(id, name, _, size)| (id, name.to_owned(), size)).collect();
        let pool = |subnet: &ClientSubnet| {
            let (_, name, size) = sizes.iter().find(|(id, ..)| *id == subnet.id).cloned().unwrap_or_default();
            PoolTally { name, size, ..PoolTally::default() }
        };
        let tally = Tally { pools: subnets.iter().map(pool).collect(), ..Tally::default() };
        let server = plan.server_address().unwrap_or(Ipv4Addr::LOCALHOST);
        Ok(Self { engine, server, subnets, devices, clients, timers: BinaryHeap::new(), xid: 0, tally, second: (0, 0) })
    }

    /// A device came onto the network.
    pub(crate) fn join(&mut self, now: Timestamp, device: u32) {
        if self.subnets.is_empty() {
            return;
        }
        let client = &mut self.clients[device as usize];
        (client.is_on, client.tries) = (true, 0);
        if let Some(address) = client.address.filter(|_| client.expires > now) {
            if let Some(granted) = self.ask(now, device, Request::Rebooting { address }, true) {
                self.tally.confirmed += 1;
                self.bind(now, device, &granted);
                return;
            }
            self.clients[device as usize].address = None;
        }
        if !self.acquire(now, device) {
            self.tally.refused += 1;
            let pool = &mut self.tally.pools[self.clients[device as usize].subnet];
            pool.refused += 1;
            pool.first_refused.get_or_insert(now);
        }
    }

    /// A device left the network. Few say so to the server.
    pub(crate) fn leave(&mut self, now: Timestamp, device: u32) {
        let client = &mut self.clients[device as usize];
        (client.is_on, client.timer) = (false, None);
        let is_held = client.expires > now;
        if let Some(address) = client.address.filter(|_| is_held && self.devices[device as usize].releases) {
            client.address = None;
            let bytes = client::release(&self.sender(device, false), address, self.server);
            self.exchange(now, device, Some(address), &bytes);
        }
    }

    /// When somebody renews or tries again.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        self.timers.peek().map(|Reverse((at, _))| *at)
    }

    /// Renews or tries again what is due at `now`.
    pub(crate) fn on_deadline(&mut self, now: Timestamp) {
        while let Some(&Reverse((at, device))) = self.timers.peek()
            && at <= now
        {
            self.timers.pop();
            if self.clients[device as usize].timer == Some(at) {
                self.clients[device as usize].timer = None;
                self.on_timer(at, device);
            }
        }
    }

    fn on_timer(&mut self, now: Timestamp, device: u32) {
        if let Some(address) = self.clients[device as usize].address {
            if let Some(granted) = self.ask(now, device, Request::Extending { address }, false) {
                self.tally.renewed += 1;
                self.bind(now, device, &granted);
                return;
            }
            self.clients[device as usize].address = None;
        }
        self.acquire(now, device);
    }

    /// DISCOVER, OFFER, REQUEST, ACK. On failure a timer for the next try is set.
    fn acquire(&mut self, now: Timestamp, device: u32) -> bool {
        if let Some(granted) = self.try_to_acquire(now, device) {
            self.tally.granted += 1;
            self.bind(now, device, &granted);
            return true;
        }
        let client = &mut self.clients[device as usize];
        let wait = RETRY_SECONDS[client.tries.min(RETRY_SECONDS.len() - 1)];
        client.tries += 1;
        self.set_timer(device, now + Duration::from_secs(wait));
        false
    }

    fn try_to_acquire(&mut self, now: Timestamp, device: u32) -> Option<Granted> {
        let bytes = client::discover(&self.sender(device, true), None);
        let offer = self.exchange(now, device, None, &bytes)?;
        let offer = ClientReply::parse(&offer).ok()?.filter(|reply| reply.message_type == MessageType::Offer)?;
        let server = offer.server_identifier()?;
        self.ask(now, device, Request::Selecting { address: offer.yiaddr(), server }, true)
    }

    /// What a REQUEST is answered with; `None` for NAK and silence.
    fn ask(&mut self, now: Timestamp, device: u32, request: Request, is_relayed: bool) -> Option<Granted> {
        let own = match request {
            Request::Extending { address } => Some(address),
            Request::Selecting { .. } | Request::Rebooting { .. } => None,
        };
        let bytes = client::request(&self.sender(device, is_relayed), request);
        let answer = self.exchange(now, device, own, &bytes)?;
        let answer = ClientReply::parse(&answer).ok()?.filter(|reply| reply.message_type == MessageType::Ack)?;
        let lease = answer.lease_time()?;
        let renewal = answer.renewal_time().unwrap_or(lease / 2);
        Some(Granted { address: answer.yiaddr(), lease, renewal })
    }

    fn bind(&mut self, now: Timestamp, device: u32, granted: &Granted) {
        let client = &mut self.clients[device as usize];
        client.address = Some(granted.address);
        client.expires = now + granted.lease;
        client.tries = 0;
        self.set_timer(device, now + granted.renewal.max(RENEWAL_MIN));
    }

    fn set_timer(&mut self, device: u32, at: Timestamp) {
        let client = &mut self.clients[device as usize];
        client.timer = (client.is_on && at < Timestamp::MAX).then_some(at);
        self.timers.extend(client.timer.map(|at| Reverse((at, device))));
    }

    fn sender(&self, device: u32, is_relayed: bool) -> Sender<'_> {
        let (shape, client) = (&self.devices[device as usize], &self.clients[device as usize]);
        let mac: Mac = shape.mac;
        let host_name = shape.host_name.as_ref().map(HostName::as_str);
        let sender = Sender { host_name, ..Sender::new(self.xid, mac) };
        let subnet = &self.subnets[client.subnet];
        if is_relayed { sender.relayed(subnet.giaddr, &subnet.information) } else { sender }
    }

    /// Hands a message to the server, from the client itself if it has an address, else from its relay agent.
    fn exchange(&mut self, now: Timestamp, device: u32, own: Option<Ipv4Addr>, bytes: &[u8]) -> Option<Vec<u8>> {
        let subnet = self.clients[device as usize].subnet;
        let source = match own {
            Some(address) => SocketAddrV4::new(address, dhcp::CLIENT_PORT),
            None => SocketAddrV4::new(self.subnets[subnet].giaddr, SERVER_PORT),
        };
        self.xid = self.xid.wrapping_add(1);
        self.engine.on_packet(now, &Origin { source, local: self.server, interface: 0, is_broadcast: false }, bytes);
        let mut answer = None;
        while let Some(effect) = self.engine.next_effect() {
            if let Effect::Send(reply) = effect {
                answer = Some(reply.bytes);
            }
        }
        self.count(now, 1 + u64::from(answer.is_some()));
        let id = self.subnets[subnet].id;
        let used = self.engine.pool_use(now).find(|(subnet, ..)| *subnet == id).map_or(0, |(_, _, used, _)| used);
        let pool = &mut self.tally.pools[subnet];
        pool.used_peak = pool.used_peak.max(used);
        answer
    }

    fn count(&mut self, now: Timestamp, messages: u64) {
        let second = now.as_secs();
        if self.second.0 != second {
            self.second = (second, 0);
        }
        self.second.1 += messages;
        self.tally.messages += messages;
        self.tally.messages_per_second_peak = self.tally.messages_per_second_peak.max(self.second.1);
    }
}
