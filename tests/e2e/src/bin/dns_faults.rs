//! What clients of a DNS forwarder see while its upstreams fail: three upstreams of our own that die, lose packets and dawdle by
//! a timetable, clients that ask for known and new names at a fixed rate, and a picture of what they got.
//!
//! `dns_faults SERVER PORT1 PORT2 PORT3 DEAD_SECONDS PICTURE.svg` serves upstreams on 127.0.0.1 and prints one line of JSON for
//! each phase.

use std::{
    env,
    error::Error,
    fmt::Write as _,
    fs,
    io::Write as _,
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Queries per second for names asked for all the time, and for names asked for once.
const KNOWN_RATE: u64 = 200;
const NEW_RATE: u64 = 20;
const KNOWN_NAMES: u64 = 100;
/// Short, so that what is known runs out while upstreams are gone.
const TTL: u32 = 5;
/// A stub resolver asks again after this (resolv.conf(5)); what comes later is lost.
const CLIENT_PATIENCE: Duration = Duration::from_secs(5);
const UPSTREAM_DELAY: Duration = Duration::from_secs(3);

/// How an upstream behaves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mood {
    Well,
    Dead,
    LosesHalf,
    Dawdles,
}

/// What became of a query.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Answered,
    Stale,
    Failed,
    Lost,
}

/// One query: when it was sent, whether its name is a known one, and how it ended.
#[derive(Clone, Copy)]
struct Query {
    sent: Duration,
    is_known: bool,
    fate: Fate,
    took: Duration,
}

struct Phase {
    name: &'static str,
    moods: [Mood; 3],
    seconds: u64,
}

fn main() -> Outcome<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let [server, ports @ .., dead, picture] = &words[..] else { return Err("usage: see the source".into()) };
    let (server, dead_seconds): (SocketAddr, u64) = (server.parse()?, dead.parse()?);
    if ports.len() != 3 || !(5..=600).contains(&dead_seconds) {
        return Err("three ports, and 5 to 600 seconds".into());
    }
    let phases = phases(dead_seconds);
    let moods = Arc::new(Mutex::new([Mood::Well; 3]));
    let done = Arc::new(AtomicBool::new(false));
    for (number, port) in ports.iter().enumerate() {
        let socket = UdpSocket::bind(("127.0.0.1", port.parse()?))?;
        let (moods, done) = (Arc::clone(&moods), Arc::clone(&done));
        thread::spawn(move || upstream(&socket, number, &moods, &done));
    }
    let queries = ask(server, &phases, &moods, &done)?;
    let mut begin = 0;
    for phase in &phases {
        let of = |is_known: bool, fate: Option<Fate>| {
            let in_phase = |query: &&Query| (begin..begin + phase.seconds).contains(&query.sent.as_secs());
            let wanted = queries.iter().filter(in_phase).filter(|query| query.is_known == is_known);
            wanted.filter(|query| fate.is_none_or(|fate| query.fate == fate)).copied().collect::<Vec<Query>>()
        };
        let count = |is_known, fate| of(is_known, Some(fate)).len();
        let counts = |is_known| {
            json!({
                "sent": of(is_known, None).len(), "answered": count(is_known, Fate::Answered),
                "stale": count(is_known, Fate::Stale), "failed": count(is_known, Fate::Failed),
                "lost": count(is_known, Fate::Lost), "p99_ms": p99(&of(is_known, None)),
            })
        };
        let line =
            json!({ "phase": phase.name, "seconds": phase.seconds, "known": counts(true), "new": counts(false) });
        writeln!(std::io::stdout(), "{line}")?;
        begin += phase.seconds;
    }
    fs::write(picture, draw(&phases, &queries)?)?;
    Ok(())
}

fn phases(dead_seconds: u64) -> Vec<Phase> {
    use Mood::{Dawdles, Dead, LosesHalf, Well};
    let phase = |name, moods, seconds| Phase { name, moods, seconds };
    vec![
        phase("all well", [Well; 3], 10),
        phase("one dead", [Dead, Well, Well], 10),
        phase("all dead", [Dead; 3], dead_seconds),
        phase("back", [Well; 3], 10),
        phase("half lost", [LosesHalf; 3], 15),
        phase("3 s late", [Dawdles; 3], 15),
        phase("well again", [Well; 3], 10),
    ]
}

/// Answers A for every name; what it should not answer it reads and forgets.
fn upstream(socket: &UdpSocket, number: usize, moods: &Mutex<[Mood; 3]>, done: &AtomicBool) {
    let mut buffer = [0; 1_500];
    let mut late: Vec<(Instant, Vec<u8>, SocketAddr)> = Vec::new();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64 + number as u64;
    if socket.set_read_timeout(Some(Duration::from_millis(20))).is_err() {
        return;
    }
    while !done.load(Ordering::Relaxed) {
        let at = now();
        late.retain(|(due, bytes, to)| {
            let is_due = *due <= at;
            if is_due {
                let _ = socket.send_to(bytes, to);
            }
            !is_due
        });
        let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
        let Some(answer) = answer(&buffer[..length]) else { continue };
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        match moods.lock().unwrap_or_else(PoisonError::into_inner)[number] {
            Mood::Well => drop(socket.send_to(&answer, from)),
            Mood::LosesHalf if random.is_multiple_of(2) => drop(socket.send_to(&answer, from)),
            Mood::Dawdles if late.len() < 100_000 => late.push((now() + UPSTREAM_DELAY, answer, from)),
            Mood::Dead | Mood::LosesHalf | Mood::Dawdles => {}
        }
    }
}

fn answer(query: &[u8]) -> Option<Vec<u8>> {
    let mut end = 12;
    while *query.get(end)? != 0 {
        end += 1 + usize::from(query[end]);
    }
    let mut answer = query.get(..end + 5)?.to_vec();
    answer[2] |= 0x80;
    answer[3] = 0x80;
    let has_data = query[end + 2] == 1;
    answer[6..12].copy_from_slice(&[0, u8::from(has_data), 0, 0, 0, 0]);
    if has_data {
        answer.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1]);
        answer.extend_from_slice(&TTL.to_be_bytes());
        answer.extend_from_slice(&[0, 4, 192, 0, 2, 1]);
    }
    Some(answer)
}

/// Sends by the clock, changes moods by the timetable, collects what comes back.
fn ask(server: SocketAddr, phases: &[Phase], moods: &Mutex<[Mood; 3]>, done: &AtomicBool) -> Outcome<Vec<Query>> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.connect(server)?;
    socket.set_read_timeout(Some(Duration::from_millis(100)))?;
    let receiver = socket.try_clone()?;
    let start = now();
    let queries: Arc<Mutex<Vec<Query>>> = Arc::default();
    let ended = Arc::new(AtomicU64::new(0));
    let reading = {
        let (queries, ended) = (Arc::clone(&queries), Arc::clone(&ended));
        thread::spawn(move || {
            let mut buffer = [0; 1_500];
            while ended.load(Ordering::Relaxed) == 0 {
                let Ok(length) = receiver.recv(&mut buffer) else { continue };
                let at = start.elapsed();
                settle(&mut queries.lock().unwrap_or_else(PoisonError::into_inner), &buffer[..length], at);
            }
        })
    };
    let rate = KNOWN_RATE + NEW_RATE;
    let total: u64 = phases.iter().map(|phase| phase.seconds).sum();
    let mut sent = 0;
    while sent < total * rate {
        let elapsed = start.elapsed();
        let mut begin = 0;
        for phase in phases {
            if (begin..begin + phase.seconds).contains(&elapsed.as_secs()) {
                *moods.lock().unwrap_or_else(PoisonError::into_inner) = phase.moods;
            }
            begin += phase.seconds;
        }
        let due = (elapsed.as_secs_f64() * rate as f64) as u64;
        while sent < due.min(total * rate) {
            let is_known = !(sent % rate).is_multiple_of(rate / NEW_RATE);
            let number = if is_known { sent % KNOWN_NAMES } else { sent };
            let bytes = query(sent as u16, is_known, number);
            queries.lock().unwrap_or_else(PoisonError::into_inner).push(Query {
                sent: elapsed,
                is_known,
                fate: Fate::Lost,
                took: CLIENT_PATIENCE,
            });
            let _ = socket.send(&bytes);
            sent += 1;
        }
        pause(Duration::from_millis(1));
    }
    pause(CLIENT_PATIENCE);
    ended.store(1, Ordering::Relaxed);
    reading.join().map_err(|_| "the reader panicked")?;
    done.store(true, Ordering::Relaxed);
    let queries = std::mem::take(&mut *queries.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(queries)
}

/// Finds the query of a reply by its id, the latest first, and notes its end.
fn settle(queries: &mut [Query], reply: &[u8], at: Duration) {
    let [high, low, _, flags, ..] = *reply else { return };
    let id = u16::from_be_bytes([high, low]);
    let newest = queries.len().saturating_sub(1);
    let number = newest - usize::from((newest as u16).wrapping_sub(id)).min(newest);
    let Some(query) = queries.get_mut(number).filter(|query| query.fate == Fate::Lost) else { return };
    let took = at.saturating_sub(query.sent);
    if took < CLIENT_PATIENCE {
        // Extended errors 3 and 19: past its end.
        let is_stale = reply.windows(6).any(|part| matches!(part, [0, 15, 0, 2, 0, 3 | 19]));
        query.took = took;
        query.fate = match (flags & 15, is_stale) {
            (0, false) => Fate::Answered,
            (0, true) => Fate::Stale,
            _ => Fate::Failed,
        };
    }
}

fn query(id: u16, is_known: bool, number: u64) -> Vec<u8> {
    let mut bytes = [&id.to_be_bytes()[..], &[1, 0, 0, 1, 0, 0, 0, 0, 0, 1]].concat();
    for label in [&format!("{}{number}", if is_known { 'k' } else { 'n' }), "faults", "example"] {
        bytes.push(label.len() as u8);
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.extend_from_slice(&[0, 0, 1, 0, 1, 0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0]);
    bytes
}

fn p99(queries: &[Query]) -> u128 {
    let mut took: Vec<u128> = queries.iter().map(|query| query.took.as_millis()).collect();
    took.sort_unstable();
    took.get(took.len() * 99 / 100).copied().unwrap_or(0)
}

/// Two rows, known and new names: for each second what became of the queries, as shares of a column.
fn draw(phases: &[Phase], queries: &[Query]) -> Outcome<String> {
    const WIDTH: f64 = 900.0;
    const HEIGHT: f64 = 120.0;
    let total: u64 = phases.iter().map(|phase| phase.seconds).sum();
    let step = WIDTH / total as f64;
    let fates = [
        (Fate::Answered, "#0b6e63", "answered"),
        (Fate::Stale, "#c98500", "answered as it was"),
        (Fate::Failed, "#b3261e", "SERVFAIL"),
        (Fate::Lost, "#555555", "nothing within 5 s"),
    ];
    let mut svg = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 1000 400\" font-family=\"sans-serif\" \
                   font-size=\"12\"><rect width=\"1000\" height=\"400\" fill=\"white\"/>\n"
        .to_owned();
    for (row, (is_known, title)) in
        [(true, "names asked for all the time"), (false, "new names")].into_iter().enumerate()
    {
        let top = 60.0 + row as f64 * (HEIGHT + 50.0);
        writeln!(svg, "<text x=\"60\" y=\"{}\" font-weight=\"bold\">{title}</text>", top - 8.0)?;
        // A path for each fate, which keeps the picture small.
        let mut paths = fates.map(|_| String::new());
        for second in 0..total {
            let of: Vec<Fate> = queries
                .iter()
                .filter(|query| query.is_known == is_known && query.sent.as_secs() == second)
                .map(|query| query.fate)
                .collect();
            let mut y = top + HEIGHT;
            for ((fate, ..), path) in fates.into_iter().zip(&mut paths) {
                let count = of.iter().filter(|seen| **seen == fate).count();
                let height = HEIGHT * count as f64 / of.len().max(1) as f64;
                y -= height;
                if count > 0 {
                    let x = 60.0 + second as f64 * step;
                    write!(path, "M{x:.1} {y:.1}h{step:.2}v{height:.1}h-{step:.2}z")?;
                }
            }
        }
        for ((_, colour, _), path) in fates.into_iter().zip(paths).filter(|(_, path)| !path.is_empty()) {
            writeln!(svg, "<path d=\"{path}\" fill=\"{colour}\"/>")?;
        }
    }
    let mut begin = 0;
    for (number, phase) in phases.iter().enumerate() {
        let x = 60.0 + begin as f64 * step;
        writeln!(svg, "<path d=\"M{x:.1} 50V350\" stroke=\"black\" stroke-dasharray=\"2 3\"/>")?;
        writeln!(svg, "<text x=\"{:.1}\" y=\"{}\">{}</text>", x + 3.0, 364 + number % 2 * 14, phase.name)?;
        begin += phase.seconds;
    }
    for (number, (_, colour, title)) in fates.into_iter().enumerate() {
        let x = 60 + number * 190;
        writeln!(svg, "<rect x=\"{x}\" y=\"12\" width=\"12\" height=\"12\" fill=\"{colour}\"/>")?;
        writeln!(svg, "<text x=\"{}\" y=\"23\">{title}</text>", x + 18)?;
    }
    svg.push_str("</svg>\n");
    Ok(svg)
}

#[expect(clippy::disallowed_methods, reason = "clients wait by the wall's clock")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "clients wait by the wall's clock")]
fn pause(duration: Duration) {
    thread::sleep(duration);
}
