//! DNS load with known arrival times, for what a closed loop cannot show: how long clients wait when doors open, what the
//! others get during a flood of random names, and how many connections of one query a server takes.
//!
//! ```text
//! dns_load SERVER ramp RATE MISS_PERCENT SECONDS    from 0 to RATE queries/s within a second, then RATE; 128 flows
//! dns_load SERVER flood COUNT WINDOW                COUNT names that exist once each, WINDOW outstanding, as fast as it goes
//! dns_load SERVER connect SECONDS CLIENTS           a TCP connection for every query
//! ```
//! Names are `hNNNNNN.ZONE` (1,000 of them) and, for misses and floods, `rNUMBER.u.ZONE`; ZONE is `bench.example` or `$DNS_ZONE`.
//! Prints one line of JSON: counts, and percentiles of the time from sending to the answer, in microseconds.

use std::{
    env,
    error::Error,
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

/// Source ports: many clients, and every socket of a server with SO_REUSEPORT gets some of them.
const FLOWS: usize = 128;
/// Names that a warm cache has.
const WARM_NAMES: u64 = 1_000;
/// How long answers are waited for at the end.
const PATIENCE: Duration = Duration::from_secs(3);
const RAMP: Duration = Duration::from_secs(1);
/// Flood threads; each has a window of its own.
const FLOODERS: u64 = 8;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let [server, mode, rest @ ..] = &words[..] else {
        return Err("usage: dns_load SERVER MODE ...; see the source".into());
    };
    let server: SocketAddr = server.parse()?;
    let result = match (*mode, rest) {
        ("ramp", [rate, miss, seconds]) => ramp(server, rate.parse()?, miss.parse()?, seconds.parse()?)?,
        ("flood", [count, window]) => flood(server, count.parse()?, window.parse()?)?,
        ("connect", [seconds, clients]) => connect(server, seconds.parse()?, clients.parse()?)?,
        _ => {
            return Err(
                "usage: dns_load SERVER ramp RATE MISS SECONDS | flood COUNT WINDOW | connect SECONDS CLIENTS".into()
            );
        }
    };
    writeln!(std::io::stdout(), "{result}")?;
    Ok(())
}

/// One flow: a socket, and when each id was sent (nanoseconds since the start, 0: not outstanding).
struct Flow {
    socket: UdpSocket,
    sent: Vec<AtomicU64>,
}

/// Arrivals by the clock, not by answers: who waits does not slow the others down.
fn ramp(server: SocketAddr, rate: f64, miss_percent: u64, seconds: f64) -> Outcome<Value> {
    if !(1.0..=200_000.0).contains(&rate) || !(1.0..=120.0).contains(&seconds) || miss_percent > 100 {
        return Err("RATE 1 to 200000, MISS_PERCENT 0 to 100, SECONDS 1 to 120".into());
    }
    let flows: Vec<Arc<Flow>> = (0..FLOWS).map(|_| Flow::new(server).map(Arc::new)).collect::<Outcome<_>>()?;
    let start = now();
    let done = Arc::new(AtomicBool::new(false));
    let receivers: Vec<_> = flows
        .iter()
        .map(|flow| {
            let (flow, done) = (Arc::clone(flow), Arc::clone(&done));
            thread::spawn(move || flow.receive(start, &done))
        })
        .collect();
    let (mut sent, mut misses, mut random) = (0_u64, 0_u64, 88_172_645_463_325_252_u64);
    let total = (rate * (seconds - RAMP.as_secs_f64() / 2.0)) as u64;
    let mut query = Vec::with_capacity(64);
    while sent < total {
        let elapsed = start.elapsed().as_secs_f64();
        // The area under the ramp, then under the plateau.
        let due = if elapsed < 1.0 { rate * elapsed * elapsed / 2.0 } else { rate * (elapsed - 0.5) } as u64;
        while sent < due.min(total) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let is_miss = random % 100 < miss_percent;
            misses += u64::from(is_miss);
            let number = if is_miss { random >> 8 } else { (random >> 8) % WARM_NAMES };
            let flow = &flows[sent as usize % FLOWS];
            let id = (sent as usize / FLOWS) as u16;
            write_query(&mut query, id, is_miss, number);
            flow.sent[usize::from(id)].store(start.elapsed().as_nanos() as u64, Ordering::Relaxed);
            // A full buffer is a loss, and shows as one.
            let _ = flow.socket.send(&query);
            sent += 1;
        }
        pause(Duration::from_micros(200));
    }
    let span = start.elapsed();
    pause(PATIENCE);
    done.store(true, Ordering::Relaxed);
    let mut all = Vec::new();
    for receiver in receivers {
        all.extend(receiver.join().map_err(|_| "a receiver panicked")?);
    }
    let in_ramp = all.iter().filter(|(at, _)| *at < RAMP.as_nanos() as u64).map(|(_, took)| *took).collect();
    let after = all.iter().filter(|(at, _)| *at >= RAMP.as_nanos() as u64).map(|(_, took)| *took).collect();
    Ok(json!({
        "sent": sent, "misses": misses, "answered": all.len(), "lost": sent - all.len() as u64,
        "rate": (sent as f64 / span.as_secs_f64()).round(),
        "ramp_us": percentiles(in_ramp), "after_us": percentiles(after),
    }))
}

impl Flow {
    fn new(server: SocketAddr) -> Outcome<Self> {
        let socket = UdpSocket::bind(if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" })?;
        socket.connect(server)?;
        socket.set_read_timeout(Some(Duration::from_millis(100)))?;
        Ok(Self { socket, sent: (0..=u16::MAX).map(|_| AtomicU64::new(0)).collect() })
    }

    /// When each was sent and how long it took, nanoseconds.
    fn receive(&self, start: Instant, done: &AtomicBool) -> Vec<(u64, u64)> {
        let (mut buffer, mut took) = ([0; 1_500], Vec::new());
        while !done.load(Ordering::Relaxed) {
            let Ok(length) = self.socket.recv(&mut buffer) else { continue };
            let arrived = start.elapsed().as_nanos() as u64;
            let is_answer = length >= 12 && buffer[3] & 15 == 0;
            let sent = self.sent[usize::from(u16::from_be_bytes([buffer[0], buffer[1]]))].swap(0, Ordering::Relaxed);
            if sent > 0 && is_answer {
                took.push((sent, arrived - sent));
            }
        }
        took
    }
}

/// Names that nobody asked for before, as fast as answers come.
fn flood(server: SocketAddr, count: u64, window: u64) -> Outcome<Value> {
    if count > 100_000_000 || !(FLOODERS..=10_000).contains(&window) {
        return Err("COUNT at most 100000000, WINDOW 8 to 10000".into());
    }
    let start = now();
    let threads: Vec<_> = (0..FLOODERS)
        .map(|thread| {
            thread::spawn(move || {
                flood_one(server, thread * (count / FLOODERS), count / FLOODERS, window / FLOODERS)
                    .map_err(|error| error.to_string())
            })
        })
        .collect();
    let (mut answered, mut failed, mut lost) = (0, 0, 0);
    for thread in threads {
        let (good, bad, gone) = thread.join().map_err(|_| "a thread panicked")??;
        (answered, failed, lost) = (answered + good, failed + bad, lost + gone);
    }
    let rate = (answered as f64 / start.elapsed().as_secs_f64()).round();
    Ok(json!({ "sent": count, "answered": answered, "failed": failed, "lost": lost, "rate": rate }))
}

fn flood_one(server: SocketAddr, first: u64, count: u64, window: u64) -> Outcome<(u64, u64, u64)> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.connect(server)?;
    socket.set_read_timeout(Some(Duration::from_millis(500)))?;
    let (mut next, mut outstanding) = (0, 0);
    let (mut answered, mut failed, mut lost) = (0, 0, 0);
    let (mut query, mut buffer) = (Vec::with_capacity(64), [0; 1_500]);
    while next < count || outstanding > 0 {
        while outstanding < window && next < count {
            write_query(&mut query, next as u16, true, first + next);
            let _ = socket.send(&query);
            next += 1;
            outstanding += 1;
        }
        match socket.recv(&mut buffer) {
            Ok(length) if length >= 12 => {
                outstanding -= outstanding.min(1);
                if buffer[3] & 15 == 0 { answered += 1 } else { failed += 1 }
            }
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                lost += outstanding;
                outstanding = 0;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok((answered, failed, lost))
}

/// A connection, a query, its answer, the end; again.
fn connect(server: SocketAddr, seconds: f64, clients: usize) -> Outcome<Value> {
    if !(0.1..=120.0).contains(&seconds) || !(1..=256).contains(&clients) {
        return Err("SECONDS 0.1 to 120, CLIENTS 1 to 256".into());
    }
    let start = now();
    let threads: Vec<_> = (0..clients)
        .map(|client| {
            thread::spawn(move || {
                let (mut took, mut failed, mut number) = (Vec::new(), 0_u64, client as u64);
                while start.elapsed().as_secs_f64() < seconds {
                    let begun = now();
                    number += 1;
                    match one_connection(server, number % WARM_NAMES) {
                        Ok(()) => took.push(begun.elapsed().as_nanos() as u64),
                        Err(_) => failed += 1,
                    }
                }
                (took, failed)
            })
        })
        .collect();
    let (mut all, mut failed) = (Vec::new(), 0);
    for thread in threads {
        let (took, more) = thread.join().map_err(|_| "a thread panicked")?;
        all.extend(took);
        failed += more;
    }
    let rate = (all.len() as f64 / start.elapsed().as_secs_f64()).round();
    Ok(json!({ "answered": all.len(), "failed": failed, "rate": rate, "us": percentiles(all) }))
}

fn one_connection(server: SocketAddr, number: u64) -> Outcome<()> {
    let mut stream = TcpStream::connect(server)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut query = Vec::with_capacity(64);
    write_query(&mut query, number as u16, false, number);
    let framed = [&(query.len() as u16).to_be_bytes()[..], &query].concat();
    stream.write_all(&framed)?;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut answer)?;
    if answer.len() >= 12 && answer[..2] == query[..2] && answer[3] & 15 == 0 {
        Ok(())
    } else {
        Err("no answer".into())
    }
}

fn write_query(query: &mut Vec<u8>, id: u16, is_miss: bool, number: u64) {
    query.clear();
    query.extend_from_slice(&id.to_be_bytes());
    query.extend_from_slice(&[1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    let mut label = |text: &str| {
        query.push(text.len() as u8);
        query.extend_from_slice(text.as_bytes());
    };
    if is_miss {
        label(&format!("r{number:x}"));
        label("u");
    } else {
        label(&format!("h{number:06}"));
    }
    zone().split('.').for_each(label);
    query.extend_from_slice(&[0, 0, 1, 0, 1]);
}

fn zone() -> &'static str {
    static ZONE: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    ZONE.get_or_init(|| env::var("DNS_ZONE").unwrap_or_else(|_| "bench.example".to_owned()))
}

fn percentiles(mut took: Vec<u64>) -> Value {
    took.sort_unstable();
    let at = |part: f64| {
        took.get(((took.len() as f64 * part) as usize).min(took.len().saturating_sub(1))).map(|nanos| nanos / 1_000)
    };
    json!({ "count": took.len(), "p50": at(0.5), "p90": at(0.9), "p99": at(0.99), "p999": at(0.999), "max": at(1.0) })
}

#[expect(clippy::disallowed_methods, reason = "load is sent by the wall's clock")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "load is sent by the wall's clock")]
fn pause(duration: Duration) {
    thread::sleep(duration);
}
