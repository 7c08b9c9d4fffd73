//! Master files (RFC 1035 section 5) as zones of our own. Reading the syntax is left to `domain`.

use domain::{
    base::{
        Rtype,
        iana::Class,
        name::{Name, ToName as _},
        rdata::ComposeRecordData as _,
    },
    zonefile::inplace::{Entry, ScannedRecord, Zonefile},
};
use thiserror::Error;

use crate::{name::is_at_or_below, wire::rtype};

/// Octets of one file.
pub const ZONE_FILE_LEN_MAX: usize = 64 << 20;
/// Records of one file.
const RECORDS_MAX: usize = 1_000_000;

/// A zone as a file says it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ZoneFile {
    /// Folded, as all names here; the owner of the SOA record.
    pub(crate) origin: Box<[u8]>,
    pub(crate) soa_ttl: u32,
    pub(crate) soa: Box<[u8]>,
    pub(crate) records: Vec<FileRecord>,
}

/// One record of it beside the SOA.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct FileRecord {
    pub(crate) owner: Box<[u8]>,
    pub(crate) rtype: u16,
    pub(crate) ttl: u32,
    pub(crate) rdata: Box<[u8]>,
}

/// Why a file cannot be served.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum ZoneFileError {
    /// Not a master file; begins with line and column.
    #[error("{0}")]
    Syntax(String),
    /// `$INCLUDE`.
    #[error("`$INCLUDE` is not followed; put the records into this file")]
    Include,
    /// No SOA.
    #[error("there is no SOA record; a zone file begins with one (RFC 1035 section 5.2)")]
    NoSoa,
    /// More than one.
    #[error("there is more than one SOA record; give every zone a file of its own")]
    SecondSoa,
    /// A record that belongs elsewhere.
    #[error("`{name}` lies outside the zone `{origin}`")]
    Outside {
        /// Its owner.
        name: String,
        /// The zone.
        origin: String,
    },
    /// What a server of signed or delegating zones would need.
    #[error("`{name}` has a record of type {rtype}, which is not served: {why}")]
    NotServed {
        /// Its owner.
        name: String,
        /// Its type.
        rtype: String,
        /// The reason, and what to do.
        why: &'static str,
    },
    /// Another class than IN.
    #[error("`{name}` has class {class}; only IN is served")]
    Class {
        /// Its owner.
        name: String,
        /// Its class.
        class: String,
    },
    /// Too much.
    #[error("more than {RECORDS_MAX} records")]
    TooMany,
}

impl ZoneFile {
    /// Reads a file. Names without a final dot need an `$ORIGIN` in it. Times may have units, as in `1h30m`.
    pub fn read(text: &[u8]) -> Result<Self, ZoneFileError> {
        let plain = without_units(text);
        let (soa, records) = read_all(&plain).map_err(|error| located(&plain, error))?;
        let soa = soa.ok_or(ZoneFileError::NoSoa)?;
        for (record, name) in &records {
            check_place(record, name, &soa.owner)?;
        }
        let records = records.into_iter().map(|(record, _)| record).collect();
        Ok(Self { origin: soa.owner, soa_ttl: soa.ttl, soa: soa.rdata, records })
    }

    /// The zone's name.
    pub fn origin(&self) -> String {
        Name::from_slice(&self.origin).map(ToString::to_string).unwrap_or_default()
    }

    /// Records, the SOA left out.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// True when the zone has nothing but its SOA.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }
}

type Records = Vec<(FileRecord, String)>;

fn read_all(text: &[u8]) -> Result<(Option<FileRecord>, Records), ZoneFileError> {
    let mut file = Zonefile::with_capacity(text.len() + 1);
    file.extend_from_slice(text);
    file.extend_from_slice(b"\n");
    file.set_default_class(Class::IN);
    let (mut soa, mut records) = (None, Vec::new());
    loop {
        match file.next_entry().map_err(|error| ZoneFileError::Syntax(error.to_string()))? {
            Some(Entry::Record(record)) => {
                let owner: Name<Vec<u8>> = record.owner().to_name();
                let read = read_record(&record, &owner)?;
                match read.rtype {
                    rtype::SOA if soa.is_some() => return Err(ZoneFileError::SecondSoa),
                    rtype::SOA => soa = Some(read),
                    _ => records.push((read, owner.to_string())),
                }
            }
            Some(Entry::Include { .. }) => return Err(ZoneFileError::Include),
            None => return Ok((soa, records)),
        }
        if records.len() > RECORDS_MAX {
            return Err(ZoneFileError::TooMany);
        }
    }
}

/// The parser has read past the end of a line when its last word is wrong, and so names the next one.
fn located(text: &[u8], error: ZoneFileError) -> ZoneFileError {
    let ZoneFileError::Syntax(says) = &error else { return error };
    let mut parts = says.splitn(3, ':');
    let numbers = (parts.next().and_then(|line| line.parse::<usize>().ok()), parts.next());
    let (Some(line @ 2..), Some("1"), Some(rest)) = (numbers.0, numbers.1, parts.next()) else { return error };
    let before: Vec<&[u8]> = text.split_inclusive(|octet| *octet == b'\n').take(line - 1).collect();
    match read_all(&before.concat()) {
        Err(ZoneFileError::Syntax(_)) => ZoneFileError::Syntax(format!("{}:{rest}", line - 1)),
        _ => error,
    }
}

/// Times with units, which many files have and RFC 1035 does not, as seconds: of `$TTL`, in the TTL's place, and in a SOA
/// record.
fn without_units(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    // Words of a SOA record that may be times.
    let mut soa_words = 0;
    for line in text.split_inclusive(|octet| *octet == b'\n') {
        let code_end = line.iter().position(|octet| matches!(octet, b';' | b'"')).unwrap_or(line.len());
        let (code, rest) = line.split_at(code_end);
        // The owner comes first, unless the line begins with a blank.
        let mut may_be_ttl = true;
        for (number, word) in code.split_inclusive(u8::is_ascii_whitespace).enumerate() {
            let length = word.trim_ascii_end().len();
            let opening = usize::from(soa_words > 0 && word.starts_with(b"("));
            let closing = usize::from(soa_words > 0 && word[opening..length].ends_with(b")"));
            let (bare, blank) = (&word[opening..length - closing], &word[length - closing..]);
            out.extend_from_slice(&word[..opening]);
            let is_owner = number == 0 && bare != b"";
            let seconds = if (may_be_ttl && !is_owner) || soa_words > 0 { seconds(bare) } else { None };
            match seconds {
                Some(seconds) => out.extend_from_slice(seconds.to_string().as_bytes()),
                None => out.extend_from_slice(bare),
            }
            out.extend_from_slice(blank);
            if bare.is_empty() {
                continue;
            }
            soa_words = if bare.eq_ignore_ascii_case(b"SOA") { SOA_WORDS } else { u32::saturating_sub(soa_words, 1) };
            let is_before_type = is_owner || seconds.is_some() || bare.eq_ignore_ascii_case(b"IN");
            may_be_ttl &= is_before_type || bare.iter().all(u8::is_ascii_digit);
        }
        out.extend_from_slice(rest);
    }
    out
}

/// Two names, five numbers; parentheses are not counted.
const SOA_WORDS: u32 = 7;

/// `1h30m` in seconds; `None` for what has no unit or is no time.
fn seconds(word: &[u8]) -> Option<u32> {
    let (mut total, mut number) = (0_u32, None);
    for &octet in word {
        match octet {
            b'0'..=b'9' => {
                let digit = u32::from(octet - b'0');
                number = Some(number.unwrap_or(0_u32).checked_mul(10)?.checked_add(digit)?);
            }
            _ => {
                let unit = match octet.to_ascii_lowercase() {
                    b's' => 1,
                    b'm' => 60,
                    b'h' => 3_600,
                    b'd' => 86_400,
                    b'w' => 604_800,
                    _ => return None,
                };
                total = total.checked_add(number.take()?.checked_mul(unit)?)?;
            }
        }
    }
    (number.is_none() && !word.is_empty()).then_some(total)
}

fn read_record(record: &ScannedRecord, owner: &Name<Vec<u8>>) -> Result<FileRecord, ZoneFileError> {
    let name = || owner.to_string();
    if record.class() != Class::IN {
        return Err(ZoneFileError::Class { name: name(), class: record.class().to_string() });
    }
    let why = match record.rtype() {
        Rtype::DNAME => Some("write a CNAME for every name"),
        Rtype::RRSIG | Rtype::NSEC | Rtype::NSEC3 | Rtype::NSEC3PARAM | Rtype::DNSKEY | Rtype::DS => {
            Some("zones of our own are not signed; give the file from before signing")
        }
        _ => None,
    };
    if let Some(why) = why {
        return Err(ZoneFileError::NotServed { name: name(), rtype: record.rtype().to_string(), why });
    }
    let mut rdata = Vec::new();
    // Composing into a vector of octets has no way to fail.
    let _ = record.data().compose_rdata(&mut rdata);
    Ok(FileRecord {
        owner: owner.as_slice().to_ascii_lowercase().into(),
        rtype: record.rtype().to_int(),
        ttl: record.ttl().as_secs(),
        rdata: rdata.into(),
    })
}

fn check_place(record: &FileRecord, name: &str, origin: &[u8]) -> Result<(), ZoneFileError> {
    if !is_at_or_below(&record.owner, origin) {
        let origin = Name::from_slice(origin).map(ToString::to_string).unwrap_or_default();
        return Err(ZoneFileError::Outside { name: name.to_owned(), origin });
    }
    if record.rtype == rtype::NS && *record.owner != *origin {
        let why = "nothing is delegated from here; forward the name to its servers";
        return Err(ZoneFileError::NotServed { name: name.to_owned(), rtype: "NS".to_owned(), why });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "$ORIGIN corp.example.\n$TTL 1h\n@ SOA ns hostmaster 1 3600 900 604800 60\n@ NS ns\n";

    fn check(rest: &str, expected: &str) {
        let read = ZoneFile::read(format!("{HEAD}{rest}").as_bytes());
        let says = match read {
            Ok(zone) => format!("{} {}", zone.origin(), zone.len()),
            Err(error) => error.to_string(),
        };
        assert!(says.starts_with(expected), "{rest}: {says}");
    }

    /// Units stand where times do, and nowhere else.
    #[test]
    fn times_may_have_units() {
        let text =
            "$ORIGIN a.example.\n$TTL 1h\n@ SOA a a (1 1h ; 2h\n 15m 1w 1d)\n1h 1h30m IN A 192.0.2.1\n 2d TXT 1h\n";
        let zone = ZoneFile::read(text.as_bytes()).unwrap();
        assert_eq!(zone.soa_ttl, 3_600);
        assert!(zone.soa.ends_with(&[0, 0, 0x0e, 0x10, 0, 0, 3, 0x84, 0, 9, 0x3a, 0x80, 0, 1, 0x51, 0x80]));
        let ttls: Vec<u32> = zone.records.iter().map(|record| record.ttl).collect();
        assert_eq!((ttls, &*zone.records[1].rdata), (vec![5_400, 172_800], b"\x021h".as_slice()));
        assert!(zone.records[0].owner.starts_with(b"\x021h"));
    }

    #[test]
    fn files_are_read_and_checked() {
        check("ns A 192.0.2.1\nNS AAAA 2001:db8::1\n* 5m TXT \"a b\" c\nmail MX 10 ns\n", "corp.example 5");
        check("_sip._tcp SRV 1 2 5060 ns\nwww HTTPS 1 . alpn=h2\n", "corp.example 3");
        check("a A 192.0.2.300\n", "5: expected IPv4 address");
        check("a A 192.0.2.300 ; no\nb A 192.0.2.1\n", "5: expected IPv4 address");
        check("a A 192.0.2.3\nb A\n", "6:");
        check("other.example. A 192.0.2.1\n", "`other.example` lies outside the zone `corp.example`");
        check("sub NS ns.sub\n", "`sub.corp.example` has a record of type NS, which is not served");
        check("sub DNAME example.\n", "`sub.corp.example` has a record of type DNAME");
        check("@ SOA ns hostmaster 1 2 3 4 5\n", "there is more than one SOA");
        check("a CH A 192.0.2.1\n", "5:");
        check("1h 1h30m IN A 192.0.2.1\n 2d TXT 1h\nw IN 1W TXT \"1h\"\n", "corp.example 4");
        check("$INCLUDE other\n", "`$INCLUDE` is not followed");
        assert_eq!(ZoneFile::read(b"a.example. 60 IN A 192.0.2.1\n"), Err(ZoneFileError::NoSoa));
        assert!(matches!(ZoneFile::read(b"a 60 IN A 192.0.2.1\n"), Err(ZoneFileError::Syntax(_))));
        assert!(ZoneFile::read(b"\xff\x00( \n").is_err());
    }
}
