//! A crowd of DHCPv6 clients on one link: each asks for an address by rapid commit (RFC 8415 section 18.2.1), says on
//! stdout which one it got, and makes room for the next. Knows no code of hotstage.
//!
//! `crowd6 INTERFACE-INDEX WINDOW SEED`: so many ask at a time; runs until it is killed.

use std::{
    collections::BTreeMap,
    error::Error,
    io::{self, Write},
    net::{Ipv6Addr, SocketAddrV6, UdpSocket},
    time::Duration,
};

const SOLICIT: u8 = 1;
const REPLY: u8 = 7;
const CLIENT_ID: u16 = 1;
const IA_NA: u16 = 3;
const IAADDR: u16 = 5;
const RAPID_COMMIT: u16 = 14;
/// A question without answer is asked again after this.
const PATIENCE: Duration = Duration::from_millis(200);

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<u32> = std::env::args().skip(1).map(|text| text.parse()).collect::<Result<_, _>>()?;
    let [interface, window, seed] = arguments[..] else { return Err("crowd6 INTERFACE-INDEX WINDOW SEED".into()) };
    let socket = UdpSocket::bind("[::]:546")?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let servers = SocketAddrV6::new(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2), 547, 0, interface);
    let mut next = seed << 12;
    let mut asking = BTreeMap::new();
    let mut buffer = [0; 2_048];
    loop {
        while asking.len() < window as usize {
            asking.insert(next & 0xff_ffff, solicit(next));
            next += 1;
            let (_, message) = asking.last_key_value().ok_or("just put in")?;
            socket.send_to(message, servers)?;
        }
        match socket.recv(&mut buffer) {
            Ok(length) => {
                let Some((transaction, address)) = leased(&buffer[..length]) else { continue };
                if asking.remove(&transaction).is_some() {
                    writeln!(io::stdout(), "lease {address}")?;
                }
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                for message in asking.values() {
                    socket.send_to(message, servers)?;
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn solicit(client: u32) -> Vec<u8> {
    let [high, a, b, c] = client.to_be_bytes();
    let mut message = vec![SOLICIT, a, b, c];
    let mut option = |code: u16, data: &[u8]| {
        message.extend_from_slice(&code.to_be_bytes());
        message.extend_from_slice(&u16::try_from(data.len()).unwrap_or(0).to_be_bytes());
        message.extend_from_slice(data);
    };
    option(CLIENT_ID, &[0, 3, 0, 1, 0x02, high, 0x5e, a, b, c]);
    option(RAPID_COMMIT, &[]);
    option(IA_NA, &[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    message
}

/// Transaction and address of a REPLY that grants one.
fn leased(message: &[u8]) -> Option<(u32, Ipv6Addr)> {
    let (&[kind, a, b, c], options) = message.split_first_chunk::<4>()?;
    if kind != REPLY {
        return None;
    }
    let association = option(options, IA_NA)?;
    let address = option(association.get(12..)?, IAADDR)?.first_chunk::<16>()?;
    Some((u32::from_be_bytes([0, a, b, c]), Ipv6Addr::from(*address)))
}

fn option(mut options: &[u8], wanted: u16) -> Option<&[u8]> {
    loop {
        let (&[a, b, c, d], rest) = options.split_first_chunk::<4>()?;
        let (data, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([c, d])))?;
        if u16::from_be_bytes([a, b]) == wanted {
            return Some(data);
        }
        options = rest;
    }
}
