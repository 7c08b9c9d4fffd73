//! The event's own zones, compiled for lookup: every name folded, RDATA in wire form.

use std::collections::HashMap;

use foldhash::quality::FixedState;

use crate::{
    name::{from_text, is_at_or_below, suffixes},
    settings::{Designated, Record, RecordData, Settings, SettingsError, Zone},
    wire::rtype,
    writer::{Section, TooLong, Writer},
    zone_file::ZoneFile,
};

/// SOA timers (RFC 1912 section 2.2). Nobody transfers these zones, so only MINIMUM matters.
const SOA_TIMERS: [u32; 4] = [1, 3_600, 900, 604_800];
/// Octets of text in one TXT record that surely fit a message.
const TEXT_LEN_MAX: usize = 65_000;

/// All local zones.
pub(crate) struct Zones {
    by_origin: HashMap<Box<[u8]>, LocalZone, FixedState>,
}

/// One zone.
pub(crate) struct LocalZone {
    pub(crate) origin: Box<[u8]>,
    ttl: u32,
    negative_ttl: u32,
    soa: Box<[u8]>,
    nodes: HashMap<Box<[u8]>, Node, FixedState>,
}

/// The records of one name and type, which share a TTL (RFC 2181 section 5.2).
pub(crate) struct RrSet {
    rtype: u16,
    pub(crate) ttl: u32,
    pub(crate) rdatas: Vec<Box<[u8]>>,
}

/// The records of one name; none for a name that exists only because longer ones do (RFC 8020).
#[derive(Default)]
pub(crate) struct Node {
    rrsets: Vec<RrSet>,
}

impl Node {
    /// The records of one type.
    pub(crate) fn rrset(&self, rtype: u16) -> Option<&RrSet> {
        self.rrsets.iter().find(|set| set.rtype == rtype)
    }

    /// True when the name has records of its own.
    pub(crate) fn has_records(&self) -> bool {
        !self.rrsets.is_empty()
    }

    fn add(&mut self, rtype: u16, ttl: u32, rdata: Box<[u8]>) {
        match self.rrsets.iter_mut().find(|set| set.rtype == rtype) {
            Some(set) => {
                set.ttl = set.ttl.min(ttl);
                if !set.rdatas.contains(&rdata) {
                    set.rdatas.push(rdata);
                }
            }
            None => self.rrsets.push(RrSet { rtype, ttl, rdatas: vec![rdata] }),
        }
    }
}

impl Zones {
    /// Compiles the zones; the clients' domain becomes a zone of its own when none holds it.
    pub(crate) fn compile(
        settings: &Settings,
        designated: Option<&Designated>,
        hash_seed: u64,
    ) -> Result<Self, SettingsError> {
        let mut zones = Self { by_origin: HashMap::with_hasher(FixedState::with_seed(hash_seed)) };
        let negative_ttl_max = if settings.client_names_zone.is_some() { settings.client_names_ttl } else { u32::MAX };
        for zone in &settings.zones {
            let compiled = LocalZone::compile(zone, negative_ttl_max, hash_seed)?;
            if zones.by_origin.insert(compiled.origin.clone(), compiled).is_some() {
                return Err(SettingsError::DuplicateZone { origin: zone.origin.clone() });
            }
        }
        for file in &settings.zone_files {
            match zones.by_origin.get_mut(&file.origin) {
                Some(zone) => zone.add_file(file)?,
                None => {
                    let compiled = LocalZone::of_file(file, negative_ttl_max, hash_seed)?;
                    zones.by_origin.insert(compiled.origin.clone(), compiled);
                }
            }
        }
        if let Some(designated) = designated {
            let name = parse(&format!("_dns.{}", designated.name))?;
            let target = parse(&designated.name)?;
            if let Some(zone) = zones.find_mut(&name) {
                for rdata in designated.rdatas(&target) {
                    zone.add(&name, rtype::SVCB, zone.ttl, rdata);
                }
            }
        }
        if let Some(domain) = &settings.client_names_zone {
            let name = parse(domain)?;
            match zones.find_mut(&name) {
                Some(zone) => zone.make_node(&name),
                None => {
                    let zone = Zone {
                        origin: domain.clone(),
                        primary: domain.clone(),
                        records: Vec::new(),
                        ttl: settings.client_names_ttl,
                    };
                    zones.by_origin.insert(name, LocalZone::compile(&zone, negative_ttl_max, hash_seed)?);
                }
            }
        }
        Ok(zones)
    }

    /// The closest zone that holds folded `name`.
    pub(crate) fn find(&self, name: &[u8]) -> Option<&LocalZone> {
        suffixes(name).find_map(|suffix| self.by_origin.get(suffix))
    }

    fn find_mut(&mut self, name: &[u8]) -> Option<&mut LocalZone> {
        let origin = self.find(name)?.origin.clone();
        self.by_origin.get_mut(&origin)
    }
}

impl LocalZone {
    /// The records of folded `name`, `None` when it does not exist.
    pub(crate) fn node(&self, name: &[u8]) -> Option<&Node> {
        self.nodes.get(name)
    }

    /// The records that stand for a name that does not exist (RFC 4592 section 3.3.1): those of the asterisk below the
    /// closest name that does.
    pub(crate) fn wildcard(&self, name: &[u8]) -> Option<&Node> {
        let encloser = suffixes(name).skip(1).find(|suffix| self.nodes.contains_key(*suffix))?;
        let asterisk = [b"\x01*", encloser].concat();
        self.nodes.get(asterisk.as_slice()).filter(|node| node.has_records())
    }

    /// Adds the SOA that makes an answer a negative one (RFC 2308 section 3).
    pub(crate) fn write_soa(&self, writer: &mut Writer) -> Result<(), TooLong> {
        writer.record(Section::Authority, &self.origin, rtype::SOA, self.negative_ttl, &self.soa)
    }

    fn compile(zone: &Zone, negative_ttl_max: u32, hash_seed: u64) -> Result<Self, SettingsError> {
        let origin = parse(&zone.origin)?;
        let primary = parse(&zone.primary)?;
        let negative_ttl = zone.ttl.min(negative_ttl_max);
        let soa = soa_rdata(&primary, &origin, negative_ttl);
        let nodes = HashMap::with_hasher(FixedState::with_seed(hash_seed));
        let mut compiled = Self { origin, ttl: zone.ttl, negative_ttl, soa, nodes };
        let apex = compiled.origin.clone();
        compiled.add(&apex, rtype::SOA, zone.ttl, compiled.soa.clone());
        compiled.add(&apex, rtype::NS, zone.ttl, primary);
        for record in &zone.records {
            compiled.add_record(zone, record)?;
        }
        Ok(compiled)
    }

    /// A zone of a file alone.
    fn of_file(file: &ZoneFile, negative_ttl_max: u32, hash_seed: u64) -> Result<Self, SettingsError> {
        // RFC 2308 section 4: the lesser of the SOA's TTL and MINIMUM, its last field.
        let minimum = file.soa.last_chunk().map_or(0, |minimum| u32::from_be_bytes(*minimum));
        let negative_ttl = file.soa_ttl.min(minimum).min(negative_ttl_max);
        let nodes = HashMap::with_hasher(FixedState::with_seed(hash_seed));
        let mut zone =
            Self { origin: file.origin.clone(), ttl: file.soa_ttl, negative_ttl, soa: file.soa.clone(), nodes };
        zone.add(&file.origin, rtype::SOA, file.soa_ttl, file.soa.clone());
        zone.add_file(file)?;
        Ok(zone)
    }

    /// The records of a file, the SOA left out: a zone that is the plan's keeps its own.
    fn add_file(&mut self, file: &ZoneFile) -> Result<(), SettingsError> {
        for record in &file.records {
            self.check_alone(&record.owner, record.rtype, || {
                domain::base::Name::from_slice(&record.owner).map(ToString::to_string).unwrap_or_default()
            })?;
            self.add(&record.owner, record.rtype, record.ttl, record.rdata.clone());
        }
        Ok(())
    }

    fn add_record(&mut self, zone: &Zone, record: &Record) -> Result<(), SettingsError> {
        let owner = parse(&record.name)?;
        if !is_at_or_below(&owner, &self.origin) {
            return Err(SettingsError::OutsideZone { name: record.name.clone(), origin: zone.origin.clone() });
        }
        let (rtype, rdata) = rdata(record)?;
        self.check_alone(&owner, rtype, || record.name.clone())?;
        self.add(&owner, rtype, zone.ttl, rdata);
        Ok(())
    }

    /// RFC 2181 section 10.1.
    fn check_alone(&self, owner: &[u8], rtype: u16, name: impl Fn() -> String) -> Result<(), SettingsError> {
        let clashes = self.nodes.get(owner).is_some_and(|node| match rtype {
            rtype::CNAME => node.has_records(),
            _ => node.rrset(rtype::CNAME).is_some(),
        });
        if clashes { Err(SettingsError::CnameNotAlone { name: name() }) } else { Ok(()) }
    }

    fn add(&mut self, owner: &[u8], rtype: u16, ttl: u32, rdata: Box<[u8]>) {
        self.make_node(owner);
        if let Some(node) = self.nodes.get_mut(owner) {
            node.add(rtype, ttl, rdata);
        }
    }

    /// Makes `owner` and the names between it and the origin exist.
    fn make_node(&mut self, owner: &[u8]) {
        for name in suffixes(owner) {
            if name.len() < self.origin.len() || self.nodes.contains_key(name) {
                return;
            }
            self.nodes.insert(name.into(), Node::default());
        }
    }
}

/// SOA RDATA (RFC 1035 section 3.3.13). RNAME is `hostmaster` of the zone where that fits (RFC 2142 section 7).
pub(crate) fn soa_rdata(primary: &[u8], origin: &[u8], minimum: u32) -> Box<[u8]> {
    let mut rdata = primary.to_vec();
    if origin.len() + 11 <= crate::wire::NAME_LEN_MAX {
        rdata.extend_from_slice(b"\x0ahostmaster");
    }
    rdata.extend_from_slice(origin);
    for number in SOA_TIMERS {
        rdata.extend_from_slice(&number.to_be_bytes());
    }
    rdata.extend_from_slice(&minimum.to_be_bytes());
    rdata.into()
}

fn rdata(record: &Record) -> Result<(u16, Box<[u8]>), SettingsError> {
    Ok(match &record.data {
        RecordData::A(address) => (rtype::A, address.octets().into()),
        RecordData::Aaaa(address) => (rtype::AAAA, address.octets().into()),
        RecordData::Ptr(name) => (rtype::PTR, parse(name)?),
        RecordData::Cname(name) => (rtype::CNAME, parse(name)?),
        RecordData::Txt(text) if text.len() > TEXT_LEN_MAX => {
            return Err(SettingsError::TextTooLong { name: record.name.clone() });
        }
        RecordData::Txt(text) if text.is_empty() => (rtype::TXT, [0].into()),
        RecordData::Txt(text) => {
            let strings = text.as_bytes().chunks(255);
            (rtype::TXT, strings.flat_map(|chunk| [&[chunk.len() as u8], chunk].concat()).collect())
        }
    })
}

fn parse(text: &str) -> Result<Box<[u8]>, SettingsError> {
    from_text(text).ok_or_else(|| SettingsError::BadName { name: text.into() })
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn check(records: &[(&str, RecordData)], expected: Result<(), SettingsError>) {
        let records = records.iter().map(|(name, data)| Record { name: (*name).into(), data: data.clone() }).collect();
        let zone = Zone { origin: "event.example".into(), primary: "ns.event.example".into(), records, ttl: 300 };
        let compiled = LocalZone::compile(&zone, 60, 1).map(|_| ());
        assert_eq!(compiled, expected);
    }

    #[test]
    fn zones_are_checked() {
        let a = RecordData::A(Ipv4Addr::new(192, 0, 2, 1));
        let cname = RecordData::Cname("x.event.example".into());
        check(&[("a.event.example", a.clone()), ("A.event.example.", a.clone())], Ok(()));
        check(&[("a.event.example", a.clone()), ("b.a.event.example", cname.clone())], Ok(()));
        let name = "a.event.example".to_owned();
        let clash = Err(SettingsError::CnameNotAlone { name: name.clone() });
        check(&[(&name, a.clone()), (&name, cname.clone())], clash.clone());
        check(&[(&name, cname.clone()), (&name, a.clone())], clash.clone());
        check(&[(&name, cname.clone()), (&name, cname)], clash);
        let outside = SettingsError::OutsideZone { name: "a.example".into(), origin: "event.example".into() };
        check(&[("a.example", a.clone())], Err(outside));
        check(&[("a..example", a)], Err(SettingsError::BadName { name: "a..example".into() }));
    }
}
