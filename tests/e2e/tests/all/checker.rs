//! Compares what a capture shows that clients were promised with what the lease table keeps: no address to two clients,
//! no ACK that is not in the table, no lease forgotten or shortened.

use std::{collections::BTreeMap, time::Duration};

use e2e::{DhcpMessage, Kind};

/// A line of `hotstage leases`.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    address: String,
    mac: String,
    starts: i64,
    expires: i64,
}

impl Kept {
    pub(crate) fn of(lease: &serde_json::Value) -> Self {
        let text = |key: &str| lease[key].as_str().unwrap_or_default().to_owned();
        let number = |key: &str| lease[key].as_i64().unwrap_or_default();
        Self {
            address: text("address"),
            mac: text("mac"),
            starts: number("starts_seconds"),
            expires: number("expires_seconds"),
        }
    }
}

/// What the wire says that a client was promised.
#[derive(Debug, Clone)]
struct Promise {
    mac: String,
    /// Since 1970. From the REQUEST on, as a client counts it (RFC 2131 section 4.4.1).
    until: Duration,
    /// When the client gave it back. It may have been heard or not.
    released: Option<Duration>,
}

/// Reads a capture in order and keeps the last promise of each address.
#[derive(Default)]
pub(crate) struct Checker {
    requests: BTreeMap<(u32, [u8; 6]), Duration>,
    promises: BTreeMap<String, Promise>,
    /// ACKs read.
    pub(crate) acks: usize,
    wrong: Vec<String>,
}

impl Checker {
    pub(crate) fn read(&mut self, message: &DhcpMessage) {
        match message.kind {
            Kind::Request => {
                self.requests.entry((message.xid, message.chaddr)).or_insert(message.at);
            }
            Kind::Discover => {
                self.requests.remove(&(message.xid, message.chaddr));
            }
            Kind::Release => {
                let promise = self.promises.get_mut(&message.ciaddr.to_string());
                if let Some(promise) = promise.filter(|promise| promise.mac == message.mac()) {
                    promise.released = Some(message.at);
                }
            }
            Kind::Ack => self.read_ack(message),
            Kind::Offer | Kind::Nak | Kind::Decline | Kind::Inform => {}
        }
    }

    fn read_ack(&mut self, ack: &DhcpMessage) {
        self.acks += 1;
        let key = (ack.xid, ack.chaddr);
        let Some(asked) = self.requests.get(&key).copied() else {
            return self.wrong.push(format!("an ACK that nobody asked for: {ack}"));
        };
        let (address, mac) = (ack.yiaddr.to_string(), ack.mac());
        if let Some(before) = self.promises.get(&address)
            && before.mac != mac
            && before.released.is_none()
            && asked < before.until
        {
            self.wrong.push(format!("{address} is still {}'s until {:?}: {ack}", before.mac, before.until));
        }
        let until = asked + Duration::from_secs(ack.lease_seconds.unwrap_or_default().into());
        self.promises.insert(address, Promise { mac, until, released: None });
    }

    /// Compares with the lease table.
    pub(crate) fn compare(&mut self, leases: &[Kept]) {
        for (address, promise) in &self.promises {
            let until = i64::try_from(promise.until.as_secs()).unwrap_or(i64::MAX);
            let ended = promise.released.map_or(promise.until, |released| released.min(promise.until));
            let ended = i64::try_from(ended.as_secs()).unwrap_or(i64::MAX);
            let kept: Vec<_> = leases.iter().filter(|lease| lease.address == *address).collect();
            let is_kept = kept.iter().any(|lease| {
                let is_same = lease.mac == promise.mac && (lease.expires >= until || promise.released.is_some());
                // Another client's by now, after the end of this one: its ACK need not have left.
                is_same || (lease.mac != promise.mac && lease.starts >= ended)
            });
            if !is_kept {
                self.wrong.push(format!("{address}: promised {promise:?}, kept {kept:?}"));
            }
        }
        let mut addresses: Vec<_> = leases.iter().map(|lease| &lease.address).collect();
        addresses.sort();
        if addresses.windows(2).any(|pair| pair[0] == pair[1]) {
            self.wrong.push("an address is twice in the lease table".to_owned());
        }
    }

    pub(crate) fn assert_nothing_wrong(&self) {
        assert!(self.wrong.is_empty(), "{} things are wrong:\n{}", self.wrong.len(), self.wrong.join("\n"));
    }
}

/// The checker is worth something: it finds what it is there to find.
#[test]
fn the_checker_sees_what_is_wrong() {
    let message = |seconds: u64, kind: Kind, mac: u8| DhcpMessage {
        at: Duration::from_secs(seconds),
        to: [10, 78, 0, 1].into(),
        kind,
        xid: u32::from(mac),
        ciaddr: if kind == Kind::Release { [10, 78, 0, 100].into() } else { [0, 0, 0, 0].into() },
        yiaddr: [10, 78, 0, 100].into(),
        giaddr: [10, 78, 0, 1].into(),
        chaddr: [2, 0, 0x5e, 0x10, 0, mac],
        requested: None,
        server: None,
        lease_seconds: Some(20),
    };
    let kept = |mac: u8, starts: i64, expires: i64| Kept {
        address: "10.78.0.100".to_owned(),
        mac: format!("02:00:5e:10:00:{mac:02x}"),
        starts,
        expires,
    };
    let bind = |at: u64, mac: u8| [message(at, Kind::Request, mac), message(at, Kind::Ack, mac)];
    let release = message(105, Kind::Release, 1);
    let check = |what: &str, messages: &[DhcpMessage], leases: &[Kept], wrong: usize| {
        let mut checker = Checker::default();
        messages.iter().for_each(|message| checker.read(message));
        checker.compare(leases);
        assert_eq!(checker.wrong.len(), wrong, "{what}: {:?}", checker.wrong);
    };
    check("kept", &bind(100, 1), &[kept(1, 100, 120)], 0);
    check("forgotten", &bind(100, 1), &[], 1);
    check("shortened", &bind(100, 1), &[kept(1, 100, 119)], 1);
    check("given to another too soon", &[bind(100, 1), bind(110, 2)].concat(), &[kept(2, 110, 130)], 1);
    check("given to another in time", &[bind(100, 1), bind(120, 2)].concat(), &[kept(2, 120, 140)], 0);
    check("promised to another, unheard, too soon", &bind(100, 1), &[kept(2, 119, 139)], 1);
    check("promised to another, unheard", &bind(100, 1), &[kept(2, 120, 140)], 0);
    let released = [&bind(100, 1)[..], &[release], &bind(106, 2)[..]].concat();
    check("released before", &released, &[kept(2, 106, 126)], 0);
    check("twice in the table", &bind(100, 1), &[kept(1, 100, 120), kept(1, 100, 120)], 1);
    check("an ACK without a REQUEST", &[message(100, Kind::Ack, 1)], &[], 1);
}
