//! Questions to upstreams over UDP: a few connected sockets for each upstream, on random ports, soon replaced.
//!
//! Every question leaves from a socket picked at random, with the engine's random id and case, so that a forger has to
//! guess port, id and case together (RFC 5452 section 9). The sockets are of the whole process, not of a thread, and
//! none is used for long. A socket for each question would cost five system calls more.
//!
//! Questions of one turn of the engine leave by one socket for each upstream, up to a batch, in one system call, and so do
//! their answers come: the port is picked anew for every batch.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    os::fd::{AsFd as _, BorrowedFd},
};

use dns::AskId;
use foldhash::fast::RandomState;
use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};
use rand::Rng;
use rand_chacha::ChaCha12Rng;

use crate::batch_io::{self, Outgoing, Received, Target};

/// Sockets of one upstream that take new questions.
const SOCKETS_EACH: usize = 32;
/// Questions after which a socket takes no more, so that a port that became known is of no use for long.
const USES_MAX: u32 = 512;
/// Messages nobody waited for, after which a socket takes no more questions: somebody has found its port.
const UNWANTED_MAX: u32 = 8;
/// All sockets, those included that only wait for their last answers.
const SOCKETS_MAX: usize = 2_048;
/// Ports asked from. Below lie those of services that may be started after us.
const PORTS: std::ops::RangeInclusive<u16> = 16_384..=65_535;
const PORT_TRIES_MAX: usize = 16;
/// Longest answer over UDP; we ask for 1,232 octets.
pub(crate) const ANSWER_BYTES_MAX: usize = 4_096;
/// Messages sent and taken in one system call; also what one socket takes before the others have their turn.
const BATCH_MAX: usize = 16;

/// All sockets towards upstreams. Those that can be read are told by `Epoll` with the number of their slot.
pub(crate) struct UdpAsks {
    slots: Vec<Option<Slot>>,
    free: Vec<usize>,
    by_upstream: HashMap<SocketAddr, Vec<usize>, RandomState>,
    asks: HashMap<AskId, (usize, u16), RandomState>,
    random: ChaCha12Rng,
    buffer: Box<[u8]>,
    /// Questions of this turn by socket.
    outbox: Vec<Outbox>,
    /// Messages for which nobody waited.
    pub(crate) unexpected: u64,
}

struct Slot {
    socket: UdpSocket,
    upstream: SocketAddr,
    /// Asks by the id of their message.
    waiting: HashMap<u16, AskId, RandomState>,
    uses: u32,
    unwanted: u32,
}

/// What leaves by one socket in this turn.
struct Outbox {
    number: usize,
    upstream: SocketAddr,
    questions: Vec<(AskId, Vec<u8>)>,
}

impl UdpAsks {
    /// `random` picks ports and sockets; it must not be guessable.
    pub(crate) fn new(random: ChaCha12Rng) -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            by_upstream: HashMap::default(),
            asks: HashMap::default(),
            random,
            buffer: vec![0; ANSWER_BYTES_MAX * BATCH_MAX].into(),
            outbox: Vec::new(),
            unexpected: 0,
        }
    }

    /// Puts a question with those that [`Self::flush`] sends. The error is the network's, or
    /// [`io::ErrorKind::OutOfMemory`] when too many sockets wait.
    pub(crate) fn ask(&mut self, epoll: &Epoll, ask: AskId, upstream: SocketAddr, bytes: Vec<u8>) -> io::Result<()> {
        let id = message_id(&bytes).ok_or(io::ErrorKind::InvalidInput)?;
        let place = match self.open_outbox(upstream, id) {
            Some(place) => place,
            None => {
                let number = self.pick(epoll, upstream, id)?;
                self.outbox.push(Outbox { number, upstream, questions: Vec::with_capacity(BATCH_MAX) });
                self.outbox.len() - 1
            }
        };
        let outbox = &mut self.outbox[place];
        let slot = self.slots.get_mut(outbox.number).and_then(Option::as_mut).ok_or(io::ErrorKind::NotFound)?;
        slot.uses += 1;
        slot.waiting.insert(id, ask);
        self.asks.insert(ask, (outbox.number, id));
        outbox.questions.push((ask, bytes));
        Ok(())
    }

    /// The outbox of this turn that may take one more question with this id.
    fn open_outbox(&self, upstream: SocketAddr, id: u16) -> Option<usize> {
        let place = self.outbox.iter().rposition(|outbox| outbox.upstream == upstream)?;
        let outbox = &self.outbox[place];
        let slot = self.slots.get(outbox.number)?.as_ref()?;
        let has_room = outbox.questions.len() < BATCH_MAX && slot.uses < USES_MAX && !slot.waiting.contains_key(&id);
        has_room.then_some(place)
    }

    /// Sends what [`Self::ask`] has gathered; `failed` gets the asks that could not be sent.
    pub(crate) fn flush(&mut self, mut failed: impl FnMut(AskId)) {
        for outbox in std::mem::take(&mut self.outbox) {
            let Some(slot) = self.slots.get(outbox.number).and_then(Option::as_ref) else { continue };
            for at in send_questions(slot.socket.as_fd(), &outbox.questions) {
                failed(outbox.questions[at].0);
            }
            if slot.uses >= USES_MAX {
                self.retire(outbox.number);
                self.close_if_done(outbox.number);
            }
        }
    }

    /// Nothing more is expected for `ask`.
    pub(crate) fn forget(&mut self, ask: AskId) {
        let Some((number, id)) = self.asks.remove(&ask) else { return };
        if let Some(slot) = self.slots.get_mut(number).and_then(Option::as_mut)
            && slot.waiting.get(&id) == Some(&ask)
        {
            slot.waiting.remove(&id);
        }
        self.close_if_done(number);
    }

    /// Takes what a socket has received. `each` gets the ask, the upstream and the message; `None` instead of a message
    /// when the upstream cannot be reached. What fits no id goes to any ask of the socket, for the engine to count.
    pub(crate) fn receive(&mut self, number: usize, mut each: impl FnMut(AskId, SocketAddr, Option<&[u8]>)) {
        let Some(slot) = self.slots.get_mut(number).and_then(Option::as_mut) else { return };
        let received: Received<BATCH_MAX> =
            match batch_io::receive(slot.socket.as_fd(), &mut self.buffer, ANSWER_BYTES_MAX) {
                Ok(received) => received,
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => return,
                Err(_) => {
                    for ask in slot.waiting.values() {
                        each(*ask, slot.upstream, None);
                    }
                    return;
                }
            };
        let messages = received.datagrams.iter().zip(self.buffer.chunks_exact(ANSWER_BYTES_MAX)).take(received.count);
        for (datagram, octets) in messages {
            let bytes = octets.get(..datagram.length).unwrap_or_default();
            // A forged message with the right id must not end the wait for the right one: the engine forgets.
            let wanted = message_id(bytes).and_then(|id| slot.waiting.get(&id).copied());
            if let Some(ask) = wanted.or_else(|| slot.waiting.values().next().copied()) {
                each(ask, slot.upstream, Some(bytes));
            }
            if wanted.is_none() {
                self.unexpected += 1;
                slot.unwanted += 1;
            }
        }
        if slot.unwanted >= UNWANTED_MAX && slot.uses < USES_MAX {
            self.retire(number);
        }
    }

    /// Sockets open now.
    pub(crate) fn open(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// A socket for `upstream` on which nobody waits for `id`.
    fn pick(&mut self, epoll: &Epoll, upstream: SocketAddr, id: u16) -> io::Result<usize> {
        let ready = self.by_upstream.entry(upstream).or_default();
        if ready.len() >= SOCKETS_EACH {
            let first = self.random.next_u32() as usize % ready.len();
            for step in 0..ready.len() {
                let number = ready[(first + step) % ready.len()];
                let is_free = self.slots.get(number).and_then(Option::as_ref);
                if is_free.is_some_and(|slot| !slot.waiting.contains_key(&id)) {
                    return Ok(number);
                }
            }
        }
        self.open_one(epoll, upstream)
    }

    fn open_one(&mut self, epoll: &Epoll, upstream: SocketAddr) -> io::Result<usize> {
        if self.open() >= SOCKETS_MAX {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        let socket = bind_random(upstream, &mut self.random)?;
        socket.connect(upstream)?;
        socket.set_nonblocking(true)?;
        let number = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        if let Err(error) = epoll.add(&socket, EpollEvent::new(EpollFlags::EPOLLIN, number as u64)) {
            self.free.push(number);
            return Err(error.into());
        }
        self.slots[number] = Some(Slot { socket, upstream, waiting: HashMap::default(), uses: 0, unwanted: 0 });
        self.by_upstream.entry(upstream).or_default().push(number);
        Ok(number)
    }

    /// Gives a socket no more questions; it is closed when nobody waits on it.
    fn retire(&mut self, number: usize) {
        let Some(slot) = self.slots.get_mut(number).and_then(Option::as_mut) else { return };
        slot.uses = USES_MAX;
        if let Some(ready) = self.by_upstream.get_mut(&slot.upstream) {
            ready.retain(|other| *other != number);
        }
    }

    fn close_if_done(&mut self, number: usize) {
        let is_done = |slot: &Slot| slot.uses >= USES_MAX && slot.waiting.is_empty();
        // Closing a descriptor takes it out of the epoll set (epoll(7)).
        if let Some(slot) = self.slots.get_mut(number)
            && slot.as_ref().is_some_and(is_done)
        {
            *slot = None;
            self.free.push(number);
        }
    }
}

/// Sends all, in as few system calls as it takes; the places of those that could not be sent.
fn send_questions(socket: BorrowedFd<'_>, questions: &[(AskId, Vec<u8>)]) -> Vec<usize> {
    let outgoing: Vec<Outgoing<'_>> =
        questions.iter().map(|(_, bytes)| Outgoing { target: Target::Connected, head: &[], body: bytes }).collect();
    let (mut sent, mut is_retry, mut failed) = (0, false, Vec::new());
    while sent < outgoing.len() {
        match batch_io::send(socket, &outgoing[sent..]) {
            Ok(count) => {
                sent += count.max(1);
                is_retry = false;
            }
            // An ICMP error of an earlier question is reported once; the question itself is then sent again.
            Err(_) if !is_retry => is_retry = true,
            Err(_) => {
                failed.push(sent);
                sent += 1;
                is_retry = false;
            }
        }
    }
    failed
}

fn bind_random(upstream: SocketAddr, random: &mut ChaCha12Rng) -> io::Result<UdpSocket> {
    let any: IpAddr = if upstream.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    for _ in 0..PORT_TRIES_MAX {
        let offset = random.next_u32() % (u32::from(*PORTS.end()) - u32::from(*PORTS.start()) + 1);
        let port = u16::try_from(u32::from(*PORTS.start()) + offset).unwrap_or(0);
        match UdpSocket::bind((any, port)) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            other => return other,
        }
    }
    UdpSocket::bind((any, 0))
}

fn message_id(bytes: &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes([*bytes.first()?, *bytes.get(1)?]))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, time::Duration};

    use nix::sys::epoll::{EpollCreateFlags, EpollTimeout};
    use rand::SeedableRng;

    use super::*;

    struct World {
        epoll: Epoll,
        asks: UdpAsks,
        upstream: UdpSocket,
    }

    impl World {
        fn new() -> Self {
            let upstream = UdpSocket::bind("127.0.0.1:0").unwrap();
            upstream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).unwrap();
            Self { epoll, asks: UdpAsks::new(ChaCha12Rng::seed_from_u64(1)), upstream }
        }

        /// Asks, and gives the port it came from.
        fn ask(&mut self, number: u64, id: u16) -> SocketAddr {
            let address = self.upstream.local_addr().unwrap();
            self.asks.ask(&self.epoll, AskId(number), address, id.to_be_bytes().to_vec()).unwrap();
            self.asks.flush(|ask| panic!("{ask:?} was not sent"));
            self.upstream.recv_from(&mut [0; 16]).unwrap().1
        }

        fn receive(&mut self) -> Vec<(u64, Option<Vec<u8>>)> {
            let mut events = [EpollEvent::empty(); 8];
            let count = self.epoll.wait(&mut events, EpollTimeout::from(5_000_u16)).unwrap();
            let mut seen = Vec::new();
            for event in &events[..count] {
                let number = usize::try_from(event.data()).unwrap();
                self.asks.receive(number, |ask, _, bytes| seen.push((ask.0, bytes.map(<[u8]>::to_vec))));
            }
            seen
        }
    }

    #[test]
    fn answers_find_their_ask_and_wrong_ones_do_not_end_the_wait() {
        let mut world = World::new();
        let from = world.ask(1, 0x0102);
        world.upstream.send_to(&[1, 2, 7], from).unwrap();
        assert_eq!(world.receive(), [(1, Some(vec![1, 2, 7]))]);
        world.upstream.send_to(&[9, 9, 7], from).unwrap();
        assert_eq!(world.receive(), [(1, Some(vec![9, 9, 7]))], "counted by the engine for somebody who waits");
        assert_eq!(world.asks.unexpected, 1);
        world.upstream.send_to(&[1, 2, 8], from).unwrap();
        assert_eq!(world.receive(), [(1, Some(vec![1, 2, 8]))]);
        world.asks.forget(AskId(1));
        world.upstream.send_to(&[1, 2, 9], from).unwrap();
        assert_eq!(world.receive(), []);
    }

    #[test]
    fn sockets_are_few_random_and_replaced() {
        let mut world = World::new();
        let mut ports = BTreeSet::new();
        let total = SOCKETS_EACH as u64 * u64::from(USES_MAX) * 2;
        for number in 0..total {
            ports.insert(world.ask(number, (number % 7) as u16).port());
            world.asks.forget(AskId(number));
            assert!(world.asks.open() <= SOCKETS_EACH);
        }
        assert!(ports.len() >= SOCKETS_EACH * 2, "{} ports", ports.len());
        assert!(ports.iter().all(|port| PORTS.contains(port)));
    }

    #[test]
    fn two_asks_with_one_id_never_share_a_socket() {
        let mut world = World::new();
        let ports: BTreeSet<u16> = (0..200).map(|number| world.ask(number, 5).port()).collect();
        assert_eq!(ports.len(), 200);
        (0..200).for_each(|number| world.asks.forget(AskId(number)));
    }

    #[test]
    fn a_port_that_somebody_found_takes_no_more_questions() {
        let mut world = World::new();
        let found = world.ask(0, 1);
        for _ in 0..UNWANTED_MAX {
            world.upstream.send_to(&[8, 8], found).unwrap();
            world.receive();
        }
        let later: BTreeSet<u16> = (1..500).map(|number| world.ask(number, number as u16).port()).collect();
        assert!(!later.contains(&found.port()));
    }

    /// A batch leaves by one socket and its answers are told apart; the next batch has a port of its own.
    #[test]
    fn questions_of_one_turn_share_a_socket_and_turns_do_not() {
        let mut world = World::new();
        let address = world.upstream.local_addr().unwrap();
        let mut ports = BTreeSet::new();
        for turn in 0..10_u64 {
            let asked = (0..20).map(|number| turn * 20 + number);
            for number in asked.clone() {
                let id = (number as u16 + 1).to_be_bytes();
                world.asks.ask(&world.epoll, AskId(number), address, id.to_vec()).unwrap();
            }
            world.asks.flush(|ask| panic!("{ask:?} was not sent"));
            let mut of_turn = BTreeSet::new();
            for _ in asked.clone() {
                let mut question = [0; 16];
                let (length, from) = world.upstream.recv_from(&mut question).unwrap();
                of_turn.insert(from.port());
                world.upstream.send_to(&question[..length], from).unwrap();
            }
            assert_eq!(of_turn.len(), 2, "20 questions are more than one batch and less than three");
            ports.extend(of_turn);
            let mut answered = BTreeSet::new();
            while answered.len() < 20 {
                answered.extend(world.receive().into_iter().map(|(ask, _)| ask));
            }
            assert_eq!(answered, asked.clone().collect());
            asked.for_each(|number| world.asks.forget(AskId(number)));
        }
        assert_eq!(ports.len(), 20);
    }

    #[test]
    fn an_upstream_that_is_not_there_fails_at_once() {
        let mut world = World::new();
        let gone = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        world.asks.ask(&world.epoll, AskId(4), gone, vec![0, 4]).unwrap();
        world.asks.flush(|ask| panic!("{ask:?} was not sent"));
        assert_eq!(world.receive(), [(4, None)]);
    }
}
