//! DHCP clients and a relay agent that mean no good, for tests.
//!
//! `hostile SERVER GIADDR OTHER_GIADDR WHAT` sends one kind of bad input again and again, and prints `round N` after each
//! round, until it is ended, at no more than 16,000 messages a second: what the kernel drops before the server sees it is not what
//! is tried. The kinds are [`KINDS`]. Replies go to GIADDR's port 67, where this program does not listen.

use std::{
    cell::Cell,
    error::Error,
    io::Write,
    net::{Ipv4Addr, SocketAddrV4, UdpSocket},
    thread,
    time::Duration,
};

/// Its name, and what makes the messages of one round.
type BadInput = (&'static str, fn(&mut Hostile));

const KINDS: [BadInput; 10] = [
    ("truncated", Hostile::truncated),
    ("headers", Hostile::headers),
    ("options", Hostile::options),
    ("fragments", Hostile::fragments),
    ("names", Hostile::names),
    ("agents", Hostile::agents),
    ("crowd", Hostile::crowd),
    ("informs", Hostile::informs),
    ("transactions", Hostile::transactions),
    ("forged", Hostile::forged),
];

const DISCOVER: u8 = 1;
const REQUEST: u8 = 3;
const DECLINE: u8 = 4;
const RELEASE: u8 = 7;
const INFORM: u8 = 8;

/// So many messages, then a pause.
const MESSAGES_AT_ONCE: u32 = 64;
const PAUSE: Duration = Duration::from_millis(4);

struct Hostile {
    sent: Cell<u32>,
    socket: UdpSocket,
    server: SocketAddrV4,
    giaddr: Ipv4Addr,
    other_giaddr: Ipv4Addr,
}

/// A message by its parts; what the tests bend is public to them.
struct Message {
    header: [u8; 240],
    options: Vec<u8>,
}

impl Message {
    fn new(kind: u8, giaddr: Ipv4Addr, number: u32) -> Self {
        let mut header = [0; 240];
        header[..4].copy_from_slice(&[1, 1, 6, 1]);
        header[4..8].copy_from_slice(&number.to_be_bytes());
        header[24..28].copy_from_slice(&giaddr.octets());
        header[28..30].copy_from_slice(&[0x02, 0xbd]);
        header[30..34].copy_from_slice(&number.to_be_bytes());
        header[236..].copy_from_slice(&[99, 130, 83, 99]);
        Self { header, options: vec![53, 1, kind] }
    }

    fn option(mut self, code: u8, value: &[u8]) -> Self {
        for piece in value.chunks(255) {
            self.options.extend([code, u8::try_from(piece.len()).unwrap_or(u8::MAX)]);
            self.options.extend(piece);
        }
        if value.is_empty() {
            self.options.extend([code, 0]);
        }
        self
    }

    fn raw(mut self, octets: &[u8]) -> Self {
        self.options.extend(octets);
        self
    }

    fn field(mut self, at: usize, octets: &[u8]) -> Self {
        self.header[at..at + octets.len()].copy_from_slice(octets);
        self
    }

    fn behind(self, port: &[u8]) -> Self {
        let length = u8::try_from(port.len()).unwrap_or(u8::MAX);
        self.option(82, &[&[1, length], port].concat())
    }

    fn bytes(&self) -> Vec<u8> {
        [&self.header[..], &self.options, &[255]].concat()
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [server, giaddr, other_giaddr, what] = &arguments[..] else {
        return Err("usage: hostile SERVER GIADDR OTHER_GIADDR WHAT".into());
    };
    let (_, round) = KINDS.iter().find(|(name, _)| name == what).ok_or("there is no such kind")?;
    let mut hostile = Hostile {
        sent: Cell::new(0),
        socket: UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?,
        server: SocketAddrV4::new(server.parse()?, 67),
        giaddr: giaddr.parse()?,
        other_giaddr: other_giaddr.parse()?,
    };
    let mut out = std::io::stdout();
    for number in 1_u64.. {
        round(&mut hostile);
        writeln!(out, "round {number}")?;
    }
    Ok(())
}

impl Hostile {
    fn send(&self, bytes: &[u8]) {
        // A full buffer is the flood's own loss.
        let _ = self.socket.send_to(bytes, self.server);
        self.sent.set(self.sent.get().wrapping_add(1));
        if self.sent.get().is_multiple_of(MESSAGES_AT_ONCE) {
            thread::park_timeout(PAUSE);
        }
    }

    fn discover(&self, number: u32) -> Message {
        Message::new(DISCOVER, self.giaddr, number)
    }

    /// A good message, cut at every length.
    fn truncated(&mut self) {
        let whole = self.discover(1).option(12, b"cut").option(55, &[1, 3, 6]).behind(b"port-1").bytes();
        (0..whole.len()).for_each(|length| self.send(&whole[..length]));
    }

    fn headers(&mut self) {
        let change = |at: usize, octets: &[u8]| self.discover(2).field(at, octets).behind(b"port-1").bytes();
        for op in [0, 2, 255] {
            self.send(&change(0, &[op]));
        }
        for hlen in [0, 17, 255] {
            self.send(&change(2, &[hlen]));
        }
        self.send(&change(236, &[0]));
        for giaddr in [[192, 0, 2, 1], [255; 4], [224, 0, 0, 1], [127, 0, 0, 1], self.server.ip().octets()] {
            self.send(&change(24, &giaddr));
        }
        self.send(&[0; 9_300]);
    }

    fn options(&mut self) {
        let all: Vec<u8> = (0..=254).collect();
        let overloaded = {
            let mut message = self.discover(3).option(52, &[3]);
            for field in [44..108, 108..236] {
                let (start, end) = (field.start, field.end);
                message = message.field(start, &[52, 1, 3]).field(end - 2, &[12, 200]);
            }
            message
        };
        let messages = [
            self.discover(3).raw(&[12, 200, 1]),
            self.discover(3).raw(&[12]),
            self.discover(3).option(55, &all),
            self.discover(3).option(55, &[]),
            self.discover(3).option(53, &[3, 3]),
            self.discover(3).option(50, &[1, 2, 3]),
            self.discover(3).option(57, &[0, 0]),
            self.discover(3).option(61, &[]),
            self.discover(3).option(61, &[7; 600]),
            self.discover(3).option(82, &[1, 200, 1]),
            self.discover(3).option(82, &[]),
            overloaded,
        ];
        for message in messages {
            self.send(&message.bytes());
        }
    }

    /// 60,000 octets of options; the network takes no datagram of more than 65,507.
    fn fragments(&mut self) {
        for code in [43, 12, 82, 125] {
            self.send(&self.discover(4).option(code, &[7; 60_000]).bytes());
            self.send(&self.discover(4).option(code, &[7; 8_000]).bytes());
        }
    }

    fn names(&mut self) {
        let long = [b'a'; 255];
        let names: [&[u8]; 10] = [
            b"",
            &long,
            &[0xff, 0xfe, 0x80],
            b"../../../etc/passwd",
            b"\"quoted\"; $(reboot)",
            b"....",
            b"a..b",
            b"wpad",
            b"nul\0byte",
            "\u{65e5}\u{672c}".as_bytes(),
        ];
        for (number, name) in (5..).zip(names) {
            let rapid = |message: Message| message.option(12, name).option(81, &[&[0, 0, 0], name].concat());
            self.send(&rapid(self.discover(number)).behind(b"port-2").bytes());
            let request = Message::new(REQUEST, self.giaddr, number).option(50, &[10, 78, 0, 150]);
            self.send(&rapid(request).option(54, &self.server.ip().octets()).behind(b"port-2").bytes());
        }
    }

    /// Relay agents that strip option 82, re-order it, say it twice, and two that forward one broadcast.
    fn agents(&mut self) {
        let values: [&[u8]; 4] = [b"\x01\x02p3\x02\x01r", b"\x02\x01r\x01\x02p3", b"\x01\x02p3\x01\x02p4", b"\xff\x00"];
        for value in values {
            self.send(&self.discover(6).option(82, value).bytes());
        }
        self.send(&self.discover(6).bytes());
        for giaddr in [self.giaddr, self.other_giaddr] {
            self.send(&Message::new(DISCOVER, giaddr, 6).behind(b"port-3").bytes());
        }
    }

    /// 100,000 hardware addresses from one port.
    fn crowd(&mut self) {
        for number in 0..100_000 {
            self.send(&self.discover(0x0100_0000 + number).behind(b"port-7").bytes());
        }
    }

    fn informs(&mut self) {
        for number in 0..20_000_u32 {
            let [.., last] = number.to_be_bytes();
            let inform = Message::new(INFORM, self.giaddr, 0x0200_0000 + number);
            self.send(&inform.field(12, &[10, 78, 0, last]).behind(b"port-8").bytes());
        }
    }

    /// One transaction number for all.
    fn transactions(&mut self) {
        for number in 0..2_000 {
            let discover = self.discover(0x0300_0000 + number).field(4, &[0; 4]);
            self.send(&discover.behind(b"port-9").bytes());
        }
    }

    /// RELEASE and DECLINE of everybody's address, REQUESTs for it.
    fn forged(&mut self) {
        for last in 0..=255 {
            let (address, number) = ([10, 78, 0, last], 0x0400_0000 + u32::from(last));
            let by = |kind| Message::new(kind, self.giaddr, number).option(54, &self.server.ip().octets());
            self.send(&by(RELEASE).field(12, &address).behind(b"port-6").bytes());
            self.send(&by(DECLINE).option(50, &address).behind(b"port-6").bytes());
            self.send(&by(REQUEST).option(50, &address).behind(b"port-6").bytes());
            let renew = Message::new(REQUEST, self.giaddr, number).field(12, &address);
            self.send(&renew.behind(b"port-6").bytes());
        }
    }
}
