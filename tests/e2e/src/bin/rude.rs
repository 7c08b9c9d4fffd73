//! A client of DNS without manners, for tests. Prints `ready` when what it does has begun, and goes on until it is ended.
//!
//! `rude idle SERVER COUNT` holds COUNT connections over TCP and says nothing on them; opens new ones for those that
//! are closed. `rude drip SERVER COUNT` sends a query on each, an octet a second. `rude junk SERVER COUNT` sends COUNT
//! datagrams of junk at a time, without a pause: queries cut short, lies, responses, other protocols.

use std::{
    error::Error,
    io::{Read, Write},
    net::{SocketAddr, TcpStream, UdpSocket},
    thread,
    time::Duration,
};

const SECOND: Duration = Duration::from_secs(1);
/// A query for `a.example` A, with its length before it.
const QUERY: &[u8] = b"\x00\x1b\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x07example\x00\x00\x01\x00\x01";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [how, server, count] = &arguments[..] else { return Err("usage: rude idle|drip|junk SERVER COUNT".into()) };
    let (server, count): (SocketAddr, usize) = (server.parse()?, count.parse()?);
    match how.as_str() {
        "idle" => hold(server, count, &[]),
        "drip" => hold(server, count, QUERY),
        "junk" => junk(server, count),
        other => Err(format!("`{other}` is not idle, drip or junk").into()),
    }
}

/// Holds connections; each gets one more octet of `drip` a second.
fn hold(server: SocketAddr, count: usize, drip: &[u8]) -> Result<(), Box<dyn Error>> {
    let mut connections: Vec<Option<(TcpStream, usize)>> = (0..count).map(|_| None).collect();
    let mut is_ready = false;
    loop {
        for connection in &mut connections {
            *connection = match connection.take() {
                Some((mut stream, sent)) => {
                    let is_alive = match stream.read(&mut [0; 512]) {
                        Ok(0) => false,
                        Ok(_) => true,
                        Err(error) => error.kind() == std::io::ErrorKind::WouldBlock,
                    };
                    let next = drip.get(sent..=sent).unwrap_or_default();
                    (is_alive && stream.write_all(next).is_ok()).then_some((stream, sent + next.len()))
                }
                None => connect(server).map(|stream| (stream, 0)),
            };
        }
        if !is_ready {
            is_ready = true;
            writeln!(std::io::stdout(), "ready")?;
        }
        thread::park_timeout(SECOND);
    }
}

fn connect(server: SocketAddr) -> Option<TcpStream> {
    let stream = TcpStream::connect_timeout(&server, SECOND).ok()?;
    stream.set_nonblocking(true).ok()?;
    Some(stream)
}

fn junk(server: SocketAddr, count: usize) -> Result<(), Box<dyn Error>> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.connect(server)?;
    writeln!(std::io::stdout(), "ready")?;
    let mut random = 1_u64;
    loop {
        for _ in 0..count {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let mut message = QUERY[2..].to_vec();
            let at = (random >> 8) as usize % message.len();
            match random % 4 {
                0 => message.truncate(at),
                1 => message[at] = (random >> 32) as u8,
                2 => message[2] |= 0x80,
                _ => message = random.to_le_bytes().repeat(1 + at),
            }
            // A full buffer or an ICMP error is the server's answer.
            let _ = socket.send(&message);
        }
        thread::park_timeout(Duration::from_millis(1));
    }
}
