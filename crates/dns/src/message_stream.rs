//! Messages on a stream: two octets of length before each (RFC 1035 section 4.2.2, RFC 7766 section 8).

/// Longest message: what two octets can say.
const MESSAGE_LEN_MAX: usize = u16::MAX as usize;
const LENGTH_LEN: usize = 2;
/// Room that a stream without a message in progress keeps; more, made for one large message, is given back.
const IDLE_ROOM_MAX: usize = 16 << 10;

/// Cuts messages out of a stream, however it arrives in pieces. Holds what the pieces hold and no more: make room with
/// [`Self::room`], take messages until there are none, then read on.
#[derive(Debug, Default)]
pub struct MessageStream {
    octets: Vec<u8>,
    /// Octets before it have been taken.
    begin: usize,
}

impl MessageStream {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Where to append what is read next, with room for the rest of the message that has begun, and for `least` octets.
    pub fn room(&mut self, least: usize) -> &mut Vec<u8> {
        self.octets.drain(..self.begin);
        self.begin = 0;
        if self.octets.is_empty() && self.octets.capacity() > least.max(IDLE_ROOM_MAX) {
            self.octets = Vec::new();
        }
        let missing = self.message_end().map_or(0, |end| end.saturating_sub(self.octets.len()));
        self.octets.reserve(missing.max(least));
        &mut self.octets
    }

    /// Appends octets that were read elsewhere.
    pub fn push(&mut self, octets: &[u8]) {
        self.room(octets.len()).extend_from_slice(octets);
    }

    /// The next whole message, without its length; it may be empty.
    pub fn next_message(&mut self) -> Option<&[u8]> {
        let end = self.message_end().filter(|end| *end <= self.octets.len())?;
        let begin = self.begin + LENGTH_LEN;
        self.begin = end;
        self.octets.get(begin..end)
    }

    /// True when [`Self::next_message`] has one.
    pub fn has_message(&self) -> bool {
        self.message_end().is_some_and(|end| end <= self.octets.len())
    }

    /// Octets read and not yet taken.
    pub fn len(&self) -> usize {
        self.octets.len() - self.begin
    }

    /// True between messages.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where the message at the front ends or will end, once its length is there.
    fn message_end(&self) -> Option<usize> {
        let length = self.octets.get(self.begin..)?.first_chunk::<LENGTH_LEN>()?;
        Some(self.begin + LENGTH_LEN + usize::from(u16::from_be_bytes(*length)))
    }
}

/// Appends `message` with its length in front; false, and nothing is appended, when it is longer than 65,535 octets.
pub fn append_message(out: &mut Vec<u8>, message: &[u8]) -> bool {
    let Ok(length) = u16::try_from(message.len().min(MESSAGE_LEN_MAX + 1)) else { return false };
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(message);
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn messages(stream: &mut MessageStream) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| stream.next_message().map(<[u8]>::to_vec)).collect()
    }

    /// RFC 7766 section 8: the length may come in a piece of its own, or cut in two.
    #[test]
    fn messages_are_cut_out_wherever_the_stream_breaks() {
        let octets = [0, 3, 1, 2, 3, 0, 0, 0, 2, 8, 9];
        for cut in 0..=octets.len() {
            let mut stream = MessageStream::new();
            stream.push(&octets[..cut]);
            let mut seen = messages(&mut stream);
            stream.push(&octets[cut..]);
            seen.extend(messages(&mut stream));
            assert_eq!(seen, [vec![1, 2, 3], vec![], vec![8, 9]], "cut at {cut}");
            assert!(stream.is_empty());
        }
    }

    #[test]
    fn room_is_for_the_message_that_has_begun_and_given_back_after_it() {
        let mut stream = MessageStream::new();
        stream.push(&[0xff, 0xff, 1]);
        assert!(!stream.has_message() && stream.len() == 3);
        assert!(stream.room(10).capacity() >= 65_537);
        stream.push(&vec![7; 65_534]);
        assert_eq!(stream.next_message().map(<[u8]>::len), Some(65_535));
        assert!(stream.room(2_048).capacity() <= IDLE_ROOM_MAX, "an idle connection holds little");
    }

    #[test]
    fn what_two_octets_cannot_say_is_not_sent() {
        let mut out = Vec::new();
        assert!(!append_message(&mut out, &vec![0; 65_536]) && out.is_empty());
        assert!(append_message(&mut out, &vec![0; 65_535]) && out.len() == 65_537);
    }

    proptest! {
        /// Whatever the messages and wherever the stream is cut, the same come out, and nothing is held beyond them.
        #[test]
        fn reads_what_was_written(
            written in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..20),
            pieces in proptest::collection::vec(1_usize..90, 1..40),
        ) {
            let mut octets = Vec::new();
            for message in &written {
                prop_assert!(append_message(&mut octets, message));
            }
            let (mut stream, mut seen, mut at) = (MessageStream::new(), Vec::new(), 0);
            for piece in pieces.iter().cycle() {
                let end = (at + piece).min(octets.len());
                stream.push(&octets[at..end]);
                seen.extend(messages(&mut stream));
                prop_assert!(stream.len() < 302);
                at = end;
                if at == octets.len() {
                    break;
                }
            }
            prop_assert_eq!(seen, written);
            prop_assert!(stream.is_empty());
        }
    }
}
