use model::{LogRecord, Transport};

/// What the collector took in, and what was wrong with it. All counts only grow.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Lines turned into records, whatever they held.
    pub lines: u64,
    /// Lines that came as datagrams; part of `lines`.
    pub datagrams: u64,
    /// Octets of the lines as received, framing removed.
    pub octets: u64,
    /// Lines without a usable PRI (RFC 5424 section 6.2.1); stored raw all the same.
    pub unparsed: u64,
    /// Lines without a device time that could be read; the receive time orders them anyway.
    pub undated: u64,
    /// Lines longer than the bound, cut there.
    pub oversize: u64,
}

impl Counters {
    /// Counts one record; `cut` says that the framer or the datagram bound cut it.
    pub fn count(&mut self, record: &LogRecord, cut: bool) {
        self.lines += 1;
        self.datagrams += u64::from(record.transport == Transport::Udp);
        self.octets += record.raw.len() as u64;
        self.unparsed += u64::from(record.severity.is_none());
        self.undated += u64::from(record.device_time.is_none());
        self.oversize += u64::from(cut);
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use jiff::tz::TimeZone;
    use model::Timestamp;

    use super::*;
    use crate::{Context, parse};

    #[test]
    fn counts_by_cause() {
        let context = Context::new(TimeZone::UTC);
        let source = SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), 514));
        let mut counters = Counters::default();
        for (raw, transport, cut) in [
            (&b"<13>Sep 16 10:00:00 sw1 app: hello"[..], Transport::Udp, false),
            (b"no header", Transport::Udp, false),
            (b"<13>x", Transport::Tcp, true),
        ] {
            counters.count(&parse(Timestamp::EPOCH, source, transport, raw, &context), cut);
        }
        let want = Counters { lines: 3, datagrams: 2, octets: 34 + 9 + 5, unparsed: 1, undated: 2, oversize: 1 };
        assert_eq!(counters, want);
    }
}
