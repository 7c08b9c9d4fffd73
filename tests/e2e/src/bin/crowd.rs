//! A crowd of DHCP clients behind one relay agent, for tests: binds, renews, reboots, releases, at random by a seed.
//!
//! `crowd SERVER GIADDR CLIENTS WINDOW SEED [ACKS_MAX]` sends from GIADDR:67, keeps WINDOW messages outstanding, prints
//! `acks N` for every hundredth ACK, and ends after ACKS_MAX of them. Each client has an option 82 of its own shape, and
//! asks for options of its own choice. It goes on when the server is away for a while.

use std::{
    error::Error,
    io::{ErrorKind, Write},
    net::{Ipv4Addr, SocketAddrV4, UdpSocket},
    time::Duration,
};

use e2e::{DhcpMessage, Kind};

/// Silence after which what is outstanding counts as lost.
const SILENCE: Duration = Duration::from_millis(60);
/// Losses in a row after which a client starts anew.
const LOSSES_MAX: u32 = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Discover,
    Select { address: Ipv4Addr, server: Ipv4Addr },
    Rebind(Ipv4Addr),
    Reboot(Ipv4Addr),
}

#[derive(Debug, Clone, Copy, Default)]
struct Client {
    xid: u32,
    address: Option<Ipv4Addr>,
    /// What it waits for the answer to.
    step: Option<Step>,
    losses: u32,
}

struct Crowd {
    socket: UdpSocket,
    server: SocketAddrV4,
    giaddr: Ipv4Addr,
    clients: Vec<Client>,
    outstanding: usize,
    next: usize,
    random: u64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [server, giaddr, clients, window, seed, rest @ ..] = &arguments[..] else {
        return Err("usage: crowd SERVER GIADDR CLIENTS WINDOW SEED [ACKS_MAX]".into());
    };
    let giaddr: Ipv4Addr = giaddr.parse()?;
    let socket = UdpSocket::bind((giaddr, 67))?;
    socket.set_read_timeout(Some(SILENCE))?;
    let clients = vec![Client::default(); clients.parse::<usize>()?.clamp(1, 50_000)];
    let server = SocketAddrV4::new(server.parse()?, 67);
    let random = seed.parse::<u64>()? | 1;
    let mut crowd = Crowd { socket, server, giaddr, clients, outstanding: 0, next: 0, random };
    let acks_max = rest.first().map_or(Ok(u64::MAX), |text| text.parse())?;
    crowd.run(window.parse()?, acks_max)
}

impl Crowd {
    fn run(&mut self, window: usize, acks_max: u64) -> Result<(), Box<dyn Error>> {
        let mut out = std::io::stdout();
        let mut acks = 0;
        let mut buffer = [0; 2_048];
        while acks < acks_max {
            while self.outstanding < window && self.start_next() {}
            let length = match self.socket.recv(&mut buffer) {
                Ok(length) => length,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    self.lose_outstanding();
                    continue;
                }
                // The port is closed while the server is away.
                Err(_) => continue,
            };
            let Some(message) = DhcpMessage::read(Duration::ZERO, Ipv4Addr::UNSPECIFIED, &buffer[..length]) else {
                continue;
            };
            if self.on_reply(&message) {
                acks += 1;
                if acks % 100 == 0 {
                    writeln!(out, "acks {acks}")?;
                }
            }
        }
        Ok(())
    }

    /// Lets the next idle client do something; false when all are busy.
    fn start_next(&mut self) -> bool {
        for _ in 0..self.clients.len() {
            let index = self.next;
            self.next = (self.next + 1) % self.clients.len();
            if self.clients[index].step.is_none() {
                self.start(index);
                return true;
            }
        }
        false
    }

    fn start(&mut self, index: usize) {
        let dice = self.dice(100);
        let step = match (self.clients[index].address, dice) {
            (Some(address), 0..50) => Step::Rebind(address),
            (Some(address), 50..65) => Step::Reboot(address),
            (Some(address), 65..85) => {
                self.send(index, 7, Some(address), None, None);
                self.clients[index].address = None;
                Step::Discover
            }
            (None, _) | (Some(_), _) => Step::Discover,
        };
        self.take(index, step);
        self.outstanding += 1;
    }

    fn take(&mut self, index: usize, step: Step) {
        let generation = self.dice(1 << 12);
        let client = &mut self.clients[index];
        client.step = Some(step);
        if !matches!(step, Step::Select { .. }) {
            client.xid = (u32::try_from(generation).unwrap_or(0) << 16) | u32::try_from(index).unwrap_or(0);
        }
        match step {
            Step::Discover => self.send(index, 1, None, None, None),
            Step::Select { address, server } => self.send(index, 3, None, Some(address), Some(server)),
            Step::Rebind(address) => self.send(index, 3, Some(address), None, None),
            Step::Reboot(address) => self.send(index, 3, None, Some(address), None),
        }
    }

    /// True for an ACK that was waited for.
    fn on_reply(&mut self, message: &DhcpMessage) -> bool {
        let index = (message.xid & 0xffff) as usize;
        let Some(client) = self.clients.get_mut(index).filter(|client| client.xid == message.xid) else {
            return false;
        };
        let Some(step) = client.step else { return false };
        client.losses = 0;
        match (message.kind, step) {
            (Kind::Offer, Step::Discover) => {
                let server = message.server.unwrap_or(*self.server.ip());
                self.take(index, Step::Select { address: message.yiaddr, server });
                return false;
            }
            (Kind::Ack, Step::Select { .. } | Step::Rebind(_) | Step::Reboot(_)) => {
                client.address = Some(message.yiaddr);
            }
            (Kind::Nak, _) => client.address = None,
            _ => return false,
        }
        self.clients[index].step = None;
        self.outstanding -= 1;
        message.kind == Kind::Ack
    }

    fn lose_outstanding(&mut self) {
        for client in self.clients.iter_mut().filter(|client| client.step.is_some()) {
            client.step = None;
            client.losses += 1;
            if client.losses > LOSSES_MAX {
                client.address = None;
                client.losses = 0;
            }
        }
        self.outstanding = 0;
    }

    fn send(
        &mut self,
        index: usize,
        kind: u8,
        ciaddr: Option<Ipv4Addr>,
        requested: Option<Ipv4Addr>,
        server: Option<Ipv4Addr>,
    ) {
        let id = u16::try_from(index).unwrap_or(0).to_be_bytes();
        let mut bytes = vec![0_u8; 236];
        bytes[..4].copy_from_slice(&[1, 1, 6, 1]);
        bytes[4..8].copy_from_slice(&self.clients[index].xid.to_be_bytes());
        bytes[12..16].copy_from_slice(&ciaddr.unwrap_or(Ipv4Addr::UNSPECIFIED).octets());
        bytes[24..28].copy_from_slice(&self.giaddr.octets());
        bytes[28..34].copy_from_slice(&[0x02, 0x00, 0x5e, 0x10, id[0], id[1]]);
        bytes.extend([99, 130, 83, 99]);
        let mut option = |code: u8, value: &[u8]| {
            bytes.push(code);
            bytes.push(u8::try_from(value.len()).unwrap_or(u8::MAX));
            bytes.extend(value);
        };
        option(53, &[kind]);
        if let Some(requested) = requested {
            option(50, &requested.octets());
        }
        // A client that releases names the server it releases from (RFC 2131 section 4.4.6).
        if let Some(server) = server.or((kind == 7).then_some(*self.server.ip())) {
            option(54, &server.octets());
        }
        option(55, &wishes(index));
        option(82, &agent_information(index));
        bytes.push(255);
        bytes.resize(bytes.len().max(300), 0);
        // A refusal while the server is away is a loss like others.
        let _ = self.socket.send_to(&bytes, self.server);
    }

    /// xorshift64*.
    fn dice(&mut self, sides: u64) -> u64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        (self.random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % sides
    }
}

/// What a client wants to know: the usual, and some codes of its own.
fn wishes(index: usize) -> Vec<u8> {
    let own = (0..index % 40).map(|number| u8::try_from(1 + (index * 7 + number * 11) % 254).unwrap_or(1));
    [1, 3, 6, 15, 51, 54].into_iter().chain(own).collect()
}

/// Option 82 as relay agents of many makers write it: text, any bytes, unknown sub-options, empty ones, long ones.
fn agent_information(index: usize) -> Vec<u8> {
    let port = format!("ge-0/0/{}", index % 48);
    let low = u8::try_from(index % 256).unwrap_or(0);
    let mut value = Vec::new();
    let mut suboption = |code: u8, data: &[u8]| {
        value.push(code);
        value.push(u8::try_from(data.len()).unwrap_or(0));
        value.extend(data);
    };
    suboption(1, port.as_bytes());
    match index % 6 {
        0 => {}
        1 => suboption(2, &[0x00, 0x06, 0x02, 0x00, 0x5e, 0x10, 0x00, low]),
        2 => suboption(9, &[0x00, 0x00, 0x0d, 0xe9, 0x03, 0x01, 0xff, low]),
        3 => suboption(200, &[low, 0xff, 0x00, 0x52]),
        // Not remote-id: `tshark` has no word for an empty one and calls that an error of its own.
        4 => suboption(201, &[]),
        _ => suboption(2, &[low; 150]),
    }
    value
}
