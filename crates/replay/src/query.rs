//! DNS messages of a stub resolver (RFC 1035 section 4), as much as a device needs.

const HEADER_BYTES: usize = 12;
/// The OPT record at the end of our queries: root name, type, class, TTL, no options (RFC 6891 section 6.1.2).
const OPT_BYTES: usize = 11;

/// What came of an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// Records, or that there are none, or no such name.
    Useful,
    /// TC is set: ask again over TCP (RFC 7766 section 5).
    Truncated,
    /// SERVFAIL, REFUSED and whatever else is of no use.
    Failed,
}

/// A query with RD and EDNS.
pub(crate) fn encode(id: u16, name: &str, record_type: u16) -> Vec<u8> {
    dns::client::query(id, name, record_type, true)
}

/// The id of a message, if it is long enough to have one.
pub(crate) fn id(message: &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes([*message.first()?, *message.get(1)?]))
}

/// What `answer` says to `query`; `None` when it is not an answer to it (RFC 5452 section 4.2).
pub(crate) fn verdict(query: &[u8], answer: &[u8]) -> Option<Verdict> {
    let flags = [*answer.get(2)?, *answer.get(3)?];
    let question = query.get(HEADER_BYTES..query.len().checked_sub(OPT_BYTES)?)?;
    let is_response = flags[0] & 0x80 != 0 && flags[0] & 0x78 == 0;
    if id(query) != id(answer) || !is_response {
        return None;
    }
    let code = flags[1] & 0x0f;
    let asked = answer.get(HEADER_BYTES..HEADER_BYTES + question.len());
    if asked.is_none_or(|asked| !asked.eq_ignore_ascii_case(question)) {
        // A server that could not read the question need not repeat it.
        let has_no_question = answer.get(4..6) == Some(&[0, 0]);
        return (code != 0 && has_no_question).then_some(Verdict::Failed);
    }
    Some(match (flags[0] & 0x02 != 0, code) {
        (true, _) => Verdict::Truncated,
        (false, 0 | 3) => Verdict::Useful,
        (false, _) => Verdict::Failed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The query turned into an answer with the given flag octets.
    fn answer(query: &[u8], flags: [u8; 2]) -> Vec<u8> {
        let mut answer = query.to_vec();
        answer[2..4].copy_from_slice(&flags);
        answer
    }

    #[test]
    fn a_query_ends_with_its_opt_record() {
        let message = encode(0x1234, "www.example.net", 28);
        assert_eq!(message[12..33], *b"\x03www\x07example\x03net\0\x00\x1c\x00\x01");
        assert_eq!(message.len() - OPT_BYTES, 33);
        assert_eq!(id(&message), Some(0x1234));
    }

    #[test]
    fn answers_are_judged() {
        let query = encode(7, "www.example.net", 1);
        let table = [
            ([0x81, 0x80], Some(Verdict::Useful)),
            ([0x81, 0x83], Some(Verdict::Useful)),
            ([0x83, 0x80], Some(Verdict::Truncated)),
            ([0x81, 0x82], Some(Verdict::Failed)),
            ([0x81, 0x85], Some(Verdict::Failed)),
            ([0x01, 0x00], None),
            ([0xa1, 0x80], None),
        ];
        for (flags, expected) in table {
            assert_eq!(verdict(&query, &answer(&query, flags)), expected, "{flags:02x?}");
        }
        assert_eq!(verdict(&query, &answer(&encode(8, "www.example.net", 1), [0x81, 0x80])), None);
        assert_eq!(verdict(&query, &answer(&encode(7, "www.example.org", 1), [0x81, 0x80])), None);
        assert_eq!(verdict(&query, &answer(&encode(7, "WWW.example.NET", 1), [0x81, 0x80])), Some(Verdict::Useful));
        assert_eq!(verdict(&query, &[0, 7, 0x81, 0x81, 0, 0, 0, 0, 0, 0, 0, 0]), Some(Verdict::Failed));
        for length in 0..query.len() - OPT_BYTES {
            assert_eq!(verdict(&query, &answer(&query, [0x81, 0x80])[..length]), None, "{length}");
        }
    }
}
