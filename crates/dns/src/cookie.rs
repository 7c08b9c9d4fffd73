//! Cookies of clients (RFC 7873), made as RFC 9018 says: they prove that a client hears what is sent to its address.

use std::{hash::Hasher as _, net::IpAddr};

use model::Timestamp;
use siphasher::sip::SipHasher24;

/// Octets of a client's own part.
pub(crate) const CLIENT_LEN: usize = 8;
/// Octets of the part that we make (RFC 9018 section 4).
pub(crate) const SERVER_LEN: usize = 16;
/// The version and the three reserved octets after it (RFC 9018 sections 4.2 and 4.3).
const VERSION: [u8; 4] = [1, 0, 0, 0];
/// How old ours may be, and how far ahead when clocks differ (RFC 9018 section 4.3).
const AGE_MAX_S: i32 = 3_600;
const AHEAD_MAX_S: i32 = 300;

/// What a client's cookie option says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ClientCookie {
    pub(crate) client: [u8; CLIENT_LEN],
    /// What it believes to have from us; `None` when it has nothing, or something of another length.
    pub(crate) server: Option<[u8; SERVER_LEN]>,
}

impl ClientCookie {
    /// From the octets of the option; `None` when its length is none of RFC 7873 section 4: 8, or 16 to 40.
    pub(crate) fn read(octets: &[u8]) -> Option<Self> {
        let (client, server) = octets.split_first_chunk()?;
        matches!(server.len(), 0 | 8..=32).then(|| Self { client: *client, server: server.try_into().ok() })
    }
}

/// The octets of the option in a reply.
pub(crate) type ReplyCookie = [u8; CLIENT_LEN + SERVER_LEN];

/// Makes and checks cookies. Nothing is kept of clients.
#[derive(Clone)]
pub(crate) struct Cookies {
    secret: [u8; 16],
}

impl Cookies {
    pub(crate) fn new(secret: [u8; 16]) -> Self {
        Self { secret }
    }

    /// What a reply carries, and whether what the client sent was ours.
    pub(crate) fn answer(&self, now: Timestamp, address: IpAddr, cookie: &ClientCookie) -> (ReplyCookie, bool) {
        // Seconds wrap in 2106; they are compared as serial numbers (RFC 1982).
        let now_s = now.as_secs() as u32;
        let is_ours = cookie.server.is_some_and(|server| {
            let made_s = u32::from_be_bytes([server[4], server[5], server[6], server[7]]);
            let age_s = now_s.wrapping_sub(made_s) as i32;
            (-AHEAD_MAX_S..=AGE_MAX_S).contains(&age_s) && self.make(made_s, address, &cookie.client) == server
        });
        let mut reply = [0; CLIENT_LEN + SERVER_LEN];
        reply[..CLIENT_LEN].copy_from_slice(&cookie.client);
        reply[CLIENT_LEN..].copy_from_slice(&self.make(now_s, address, &cookie.client));
        (reply, is_ours)
    }

    /// RFC 9018 section 4.4: SipHash-2-4 over the client's part, our head and the client's address.
    fn make(&self, made_s: u32, address: IpAddr, client: &[u8; CLIENT_LEN]) -> [u8; SERVER_LEN] {
        let mut server = [0; SERVER_LEN];
        server[..4].copy_from_slice(&VERSION);
        server[4..8].copy_from_slice(&made_s.to_be_bytes());
        let mut hasher = SipHasher24::new_with_key(&self.secret);
        hasher.write(client);
        hasher.write(&server[..8]);
        match address {
            IpAddr::V4(address) => hasher.write(&address.octets()),
            IpAddr::V6(address) => hasher.write(&address.octets()),
        }
        server[8..].copy_from_slice(&hasher.finish().to_le_bytes());
        server
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn octets<const N: usize>(hex: &str) -> [u8; N] {
        std::array::from_fn(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap())
    }

    /// RFC 9018 appendix A.1: learning a new server cookie.
    #[test]
    fn makes_what_the_rfc_makes() {
        let cookies = Cookies::new(octets("e5e973e5a6b2a43f48e7dc849e37bfcf"));
        let cookie = ClientCookie { client: octets("2464c4abcf10c957"), server: None };
        let (reply, is_ours) =
            cookies.answer(Timestamp::from_secs(1_559_731_985), "198.51.100.100".parse().unwrap(), &cookie);
        assert_eq!(reply, octets("2464c4abcf10c957010000005cf79f111f8130c3eee29480"));
        assert!(!is_ours);
    }

    /// RFC 9018 section 4.3: an hour old at most, five minutes ahead at most, bound to the address.
    #[test]
    fn knows_its_own() {
        let cookies = Cookies::new([7; 16]);
        let here: IpAddr = "2001:db8::1".parse().unwrap();
        let made = Timestamp::from_secs(2_000_000_000);
        let first = ClientCookie { client: [1; 8], server: None };
        let (reply, _) = cookies.answer(made, here, &first);
        let second = ClientCookie::read(&reply).unwrap();
        let table = [
            (0, "2001:db8::1", true),
            (3_600, "2001:db8::1", true),
            (3_601, "2001:db8::1", false),
            (-300, "2001:db8::1", true),
            (-301, "2001:db8::1", false),
            (0, "2001:db8::2", false),
        ];
        for (later_s, address, is_ours) in table {
            let now = Timestamp::from_secs(2_000_000_000 + later_s);
            assert_eq!(cookies.answer(now, address.parse().unwrap(), &second).1, is_ours, "{later_s} s, {address}");
        }
        let changed = ClientCookie { client: [2; 8], ..second };
        assert!(!cookies.answer(made, here, &changed).1);
    }

    /// RFC 7873 section 4: 8 octets, or 16 to 40.
    #[test]
    fn lengths() {
        for length in 0..=50 {
            let read = ClientCookie::read(&vec![0; length]);
            assert_eq!(read.is_some(), matches!(length, 8 | 16..=40), "{length}");
            assert_eq!(read.is_some_and(|cookie| cookie.server.is_some()), length == 24, "{length}");
        }
    }
}
