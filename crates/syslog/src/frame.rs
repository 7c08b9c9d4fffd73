/// The longest line kept, in octets; what is longer is cut there. RFC 5424 section 6.1 asks for 480, wants 2048.
pub const LINE_BYTES_MAX: usize = 64 * 1024;

/// The most digits of MSG-LEN taken as octet counting; more is text.
const COUNT_DIGITS_MAX: usize = 9;

/// One line of a stream, framing removed; never empty.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frame<'a> {
    /// The octets of the line, at most [`LINE_BYTES_MAX`].
    pub bytes: &'a [u8],
    /// True when the line was longer, or the stream ended within it.
    pub is_cut: bool,
}

/// Cuts a TCP stream into lines (RFC 6587): octet counting (section 3.4.1) and LF or NUL (section 3.4.2), told apart
/// for each message, since some senders mix them.
///
/// ```text
///             digits SP '<'                        count reached
///   Boundary ---------------> Counted(octets left) -------------> Boundary
///       |  anything else      LF / NUL
///       +-------------------------------------------------------> Boundary
///   over LINE_BYTES_MAX: the head is a frame, then Skip{Octets,Line} until the message ends
/// ```
/// Memory: one push plus [`LINE_BYTES_MAX`] and a little, provided that each push is drained by
/// [`Framer::next_frame`] before the next. An octet count that lies costs its own connection only.
#[derive(Debug, Default)]
pub struct Framer {
    buffer: Vec<u8>,
    /// Where the octets not yet framed begin.
    start: usize,
    /// How far `buffer` was searched for the end of the line, so that no octet is looked at twice.
    searched: usize,
    state: State,
    oversize: u64,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Boundary,
    /// In an octet-counted message of which this many octets are still to come.
    Counted(usize),
    /// In a message cut at the bound; these many octets of it are thrown away.
    SkipOctets(usize),
    /// In a line cut at the bound; thrown away until LF or NUL.
    SkipLine,
}

impl Framer {
    /// At the boundary between two messages.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds octets as they came from the stream.
    pub fn push(&mut self, octets: &[u8]) {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.searched = self.searched.saturating_sub(self.start);
            self.start = 0;
        }
        self.buffer.extend_from_slice(octets);
    }

    /// Works in `spare` from now on, so that many silent streams share one large buffer; take it back with
    /// [`Framer::take_back`] when [`Framer::next_frame`] has said `None`.
    pub fn lend(&mut self, mut spare: Vec<u8>) {
        spare.clear();
        spare.extend_from_slice(&self.buffer[self.start..]);
        self.searched = self.searched.saturating_sub(self.start);
        self.start = 0;
        self.buffer = spare;
    }

    /// The buffer that was lent; the framer keeps a copy of the octets not yet framed, and no more.
    pub fn take_back(&mut self) -> Vec<u8> {
        let rest = self.buffer[self.start..].to_vec();
        self.searched = self.searched.saturating_sub(self.start);
        self.start = 0;
        std::mem::replace(&mut self.buffer, rest)
    }

    /// Octets pushed that belong to no frame yet.
    pub fn pending_octets(&self) -> usize {
        self.buffer.len() - self.start
    }

    /// The next whole line, or `None` until more is pushed.
    pub fn next_frame(&mut self) -> Option<Frame<'_>> {
        loop {
            match self.state {
                State::Boundary => match self.boundary()? {
                    Found::Nothing => {}
                    Found::Line { from, to, is_cut } => {
                        return Some(Frame { bytes: &self.buffer[from..to], is_cut });
                    }
                },
                State::Counted(octets) => {
                    let kept = octets.min(LINE_BYTES_MAX);
                    if self.buffer.len() - self.start < kept {
                        return None;
                    }
                    let from = self.start;
                    self.consume(kept);
                    let is_cut = octets > kept;
                    self.oversize += u64::from(is_cut);
                    self.state = if is_cut { State::SkipOctets(octets - kept) } else { State::Boundary };
                    let to = from + trimmed(&self.buffer[from..from + kept]);
                    if to > from {
                        return Some(Frame { bytes: &self.buffer[from..to], is_cut });
                    }
                }
                State::SkipOctets(octets) => {
                    let here = octets.min(self.buffer.len() - self.start);
                    self.consume(here);
                    if here < octets {
                        self.state = State::SkipOctets(octets - here);
                        return None;
                    }
                    self.state = State::Boundary;
                }
                State::SkipLine => {
                    let end = line_end(&self.buffer[self.start..]);
                    let Some(end) = end else {
                        self.consume(self.buffer.len() - self.start);
                        return None;
                    };
                    self.consume(end + 1);
                    self.state = State::Boundary;
                }
            }
        }
    }

    /// The last line when the stream has ended without an end of line; call after [`Framer::next_frame`] says `None`.
    pub fn finish(self) -> Option<Vec<u8>> {
        let rest = &self.buffer[self.start..];
        let rest = &rest[..trimmed(rest)];
        match self.state {
            State::Boundary | State::Counted(_) => (!rest.is_empty()).then(|| rest.to_vec()),
            State::SkipOctets(_) | State::SkipLine => None,
        }
    }

    /// Lines that were longer than [`LINE_BYTES_MAX`] and were cut.
    pub fn oversize(&self) -> u64 {
        self.oversize
    }

    /// One step at a boundary; `None` = more octets are needed.
    fn boundary(&mut self) -> Option<Found> {
        let rest = &self.buffer[self.start..];
        match octet_count(rest) {
            Count::Undecided => return None,
            Count::Octets { prefix, octets } => {
                self.consume(prefix);
                self.state = State::Counted(octets);
                return Some(Found::Nothing);
            }
            Count::None => {}
        }
        let from = self.start;
        let searched = self.searched.max(from);
        let end = line_end(&self.buffer[searched..]).map(|end| searched + end);
        let Some(end) = end.filter(|end| end - from <= LINE_BYTES_MAX) else {
            self.searched = self.buffer.len();
            if self.buffer.len() - from <= LINE_BYTES_MAX {
                return None;
            }
            self.oversize += 1;
            self.consume(LINE_BYTES_MAX);
            self.state = State::SkipLine;
            return Some(Found::Line { from, to: from + LINE_BYTES_MAX, is_cut: true });
        };
        self.consume(end + 1 - from);
        let to = from + trimmed(&self.buffer[from..end]);
        Some(if to > from { Found::Line { from, to, is_cut: false } } else { Found::Nothing })
    }

    fn consume(&mut self, octets: usize) {
        self.start += octets;
        self.searched = self.start;
    }
}

enum Found {
    Nothing,
    Line { from: usize, to: usize, is_cut: bool },
}

enum Count {
    Undecided,
    None,
    Octets { prefix: usize, octets: usize },
}

/// MSG-LEN SP in front of `<` (RFC 6587 section 3.4.1).
fn octet_count(bytes: &[u8]) -> Count {
    if !matches!(bytes.first(), Some(b'1'..=b'9')) {
        return if bytes.is_empty() { Count::Undecided } else { Count::None };
    }
    let digits = bytes.iter().take(COUNT_DIGITS_MAX + 1).take_while(|octet| octet.is_ascii_digit()).count();
    match (bytes.get(digits), bytes.get(digits + 1)) {
        _ if digits > COUNT_DIGITS_MAX => Count::None,
        (None, _) | (Some(b' '), None) => Count::Undecided,
        (Some(b' '), Some(b'<')) => {
            let octets = bytes[..digits].iter().fold(0, |sum, octet| sum * 10 + usize::from(octet - b'0'));
            Count::Octets { prefix: digits + 1, octets }
        }
        (Some(_), _) => Count::None,
    }
}

/// Where the first LF or NUL is.
fn line_end(octets: &[u8]) -> Option<usize> {
    memchr::memchr2(b'\n', 0, octets)
}

/// Length without the line ends that some senders put inside the count, or before LF.
fn trimmed(line: &[u8]) -> usize {
    line.iter().rposition(|octet| !matches!(octet, b'\n' | b'\r' | 0)).map_or(0, |last| last + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frames(stream: &[u8], chunk: usize) -> Vec<Vec<u8>> {
        let mut framer = Framer::new();
        let mut lines = Vec::new();
        for octets in stream.chunks(chunk.max(1)) {
            framer.push(octets);
            while let Some(frame) = framer.next_frame() {
                lines.push(frame.bytes.to_vec());
            }
        }
        lines.extend(framer.finish());
        lines
    }

    #[test]
    fn tells_the_framings_apart() {
        for (stream, want) in [
            (&b"<13>a\n<13>b\n"[..], &["<13>a", "<13>b"][..]),
            (b"<13>a\0<13>b\0", &["<13>a", "<13>b"]),
            (b"<13>a\r\n\r\n\n<13>b", &["<13>a", "<13>b"]),
            (b"5 <13>a5 <13>b", &["<13>a", "<13>b"]),
            (b"6 <13>a\n5 <13>b<13>c\n5 <13>d", &["<13>a", "<13>b", "<13>c", "<13>d"]),
            (b"7 <13>a\nb<13>c\n", &["<13>a\nb", "<13>c"]),
            (b"12 monkeys\n<13>b\n", &["12 monkeys", "<13>b"]),
            (b"1234567890123 <13>x\n", &["1234567890123 <13>x"]),
            (b"99 <13>short", &["<13>short"]),
            (b"0 <13>a\n", &["0 <13>a"]),
            (b"123", &["123"]),
            (b"", &[]),
        ] {
            for chunk in [1, 2, 3, 100] {
                let got = frames(stream, chunk);
                assert_eq!(
                    got,
                    want.iter().map(|line| line.as_bytes().to_vec()).collect::<Vec<_>>(),
                    "{stream:?} {chunk}"
                );
            }
        }
    }

    #[test]
    fn too_long_lines_are_cut_and_counted_and_the_next_is_whole() {
        let long = vec![b'x'; 10_000_000];
        for head in [&b""[..], b"10000000 <"] {
            let mut stream = head.to_vec();
            stream.extend(&long[..long.len() - head.len().min(1)]);
            if head.is_empty() {
                stream.push(b'\n');
            }
            stream.extend(b"<13>next\n");
            let mut framer = Framer::new();
            let mut lines = Vec::new();
            for octets in stream.chunks(8_192) {
                framer.push(octets);
                while let Some(frame) = framer.next_frame() {
                    lines.push((frame.bytes.len(), frame.is_cut));
                }
                assert!(framer.buffer.capacity() < 4 * LINE_BYTES_MAX);
            }
            assert_eq!(lines, [(LINE_BYTES_MAX, true), (8, false)]);
            assert_eq!(framer.oversize(), 1);
        }
    }

    #[test]
    fn the_bound_itself_is_not_cut() {
        let mut stream = vec![b'x'; LINE_BYTES_MAX];
        stream.push(b'\n');
        assert_eq!(frames(&stream, 1_000), [vec![b'x'; LINE_BYTES_MAX]]);
    }

    proptest! {
        #[test]
        fn any_stream_in_any_chunks(stream in prop::collection::vec(prop_oneof![Just(b'\n'), Just(b' '), Just(b'<'), b'0'..=b'9', any::<u8>()], 0..400), chunk in 1_usize..50) {
            prop_assert_eq!(frames(&stream, chunk), frames(&stream, 1_000));
        }
    }
}
