//! Sets of NetFlow version 9 (FlowSets) and IPFIX: templates are kept, data is read by them.

use model::Timestamp;

use crate::{
    Counters,
    exporter::{ExporterState, Room},
    octets::Octets,
    record::FlowRecord,
    template::{FIELDS_MAX, FieldSpecifier, Format, Template, TemplateKey},
};

/// Identifiers below this are no data (RFC 3954 section 5.2, RFC 7011 section 3.3.2).
const DATA_SETS: u16 = 256;
/// The bit that says: an enterprise number follows (RFC 7011 section 3.2).
const ENTERPRISE: u16 = 0x8000;

/// Something contradicts itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Malformed;

/// What one datagram is read with.
pub(crate) struct Reader<'a, F: FnMut(&FlowRecord)> {
    pub(crate) now: Timestamp,
    pub(crate) state: &'a mut ExporterState,
    pub(crate) room: &'a mut Room,
    pub(crate) counters: &'a mut Counters,
    pub(crate) each: F,
}

impl<F: FnMut(&FlowRecord)> Reader<'_, F> {
    /// Reads the sets of one message. Returns how many data records there were, `None` when that cannot be told because
    /// a template is missing.
    pub(crate) fn sets(&mut self, format: Format, domain: u32, sets: Octets<'_>) -> Result<Option<u32>, Malformed> {
        // Lengths that do not add up make the whole message untrustworthy, so they are looked at first.
        each_set(sets, |_, _| Ok(()))?;
        let mut records = Some(0_u32);
        each_set(sets, |id, body| {
            match (format, id) {
                (Format::Netflow9, 0) | (Format::Ipfix, 2) => self.templates(format, domain, body)?,
                (Format::Netflow9, 1) | (Format::Ipfix, 3) => self.options_templates(format, domain, body)?,
                (_, DATA_SETS..) => {
                    let read = self.data(TemplateKey { format, domain, id }, body);
                    records = records.zip(read).map(|(before, more)| before.saturating_add(more));
                }
                // Reserved.
                _ => {}
            }
            Ok(())
        })?;
        Ok(records)
    }

    fn templates(&mut self, format: Format, domain: u32, mut set: Octets<'_>) -> Result<(), Malformed> {
        while !is_padding(set) {
            let (id, count) = set.u16().zip(set.u16()).ok_or(Malformed)?;
            if id < DATA_SETS {
                return Err(Malformed);
            }
            let fields = fields(format, &mut set, usize::from(count))?;
            // Nothing is withdrawn over UDP (RFC 7011 section 8.4).
            if count > 0 {
                self.learn(TemplateKey { format, domain, id }, &fields, false)?;
            }
        }
        Ok(())
    }

    fn options_templates(&mut self, format: Format, domain: u32, mut set: Octets<'_>) -> Result<(), Malformed> {
        while !is_padding(set) {
            let (id, count) = set.u16().zip(set.u16()).ok_or(Malformed)?;
            if id < DATA_SETS {
                return Err(Malformed);
            }
            let fields = match format {
                // Lengths of the two lists in octets; four a field (RFC 3954 section 6.1).
                Format::Netflow9 => {
                    let options = set.u16().ok_or(Malformed)?;
                    if count % 4 != 0 || options % 4 != 0 {
                        return Err(Malformed);
                    }
                    let mut all = fields(format, &mut set, usize::from(count) / 4)?;
                    all.iter_mut().for_each(|field| field.is_scope = true);
                    all.extend(fields(format, &mut set, usize::from(options) / 4)?);
                    all
                }
                // The count of all, and of them the scopes (RFC 7011 section 3.4.2.2). None means withdrawal.
                Format::Ipfix if count == 0 => continue,
                Format::Ipfix => {
                    let scopes = set.u16().ok_or(Malformed)?;
                    if scopes == 0 || scopes > count {
                        return Err(Malformed);
                    }
                    fields(format, &mut set, usize::from(count))?
                }
            };
            self.learn(TemplateKey { format, domain, id }, &fields, true)?;
        }
        Ok(())
    }

    fn learn(&mut self, key: TemplateKey, fields: &[FieldSpecifier], is_options: bool) -> Result<(), Malformed> {
        let template = Template::new(fields, is_options, self.now).ok_or(Malformed)?;
        for set in self.state.learn(key, template, self.room, self.counters) {
            self.data(key, Octets(&set));
        }
        Ok(())
    }

    /// Reads a set of records, or lets it wait. Returns how many there are.
    fn data(&mut self, key: TemplateKey, mut set: Octets<'_>) -> Option<u32> {
        let Some(template) = self.state.template(key) else {
            self.state.wait(self.now, key, set.0, self.room, self.counters);
            return None;
        };
        // One at a time from here on: what options say holds for the records after them.
        let (is_options, octets_min) = (template.is_options, template.octets_min());
        let mut records = 0;
        while set.len() >= octets_min {
            let Some(values) = self.state.template(key).and_then(|template| template.read(&mut set)) else {
                self.counters.malformed += 1;
                break;
            };
            records += 1;
            if is_options {
                if let Some(rate) = values.sampling() {
                    self.state.set_sampler(key.format, key.domain, values.sampler, rate);
                }
                continue;
            }
            let sampling = values.sampling();
            let sampling = sampling.unwrap_or_else(|| self.state.sampling(key.format, key.domain, values.sampler));
            (self.each)(&values.record(sampling));
        }
        Some(records)
    }
}

/// Goes through sets by their headers: identifier, length with the header. Fewer than four octets at the end are padding.
fn each_set<'a>(
    mut rest: Octets<'a>,
    mut each: impl FnMut(u16, Octets<'a>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    while rest.len() >= 4 {
        let (id, length) = rest.u16().zip(rest.u16()).ok_or(Malformed)?;
        let body = usize::from(length).checked_sub(4).and_then(|length| rest.take(length)).ok_or(Malformed)?;
        each(id, Octets(body))?;
    }
    Ok(())
}

fn fields(format: Format, set: &mut Octets<'_>, count: usize) -> Result<Vec<FieldSpecifier>, Malformed> {
    if count > FIELDS_MAX {
        return Err(Malformed);
    }
    let mut fields = Vec::with_capacity(count);
    for _ in 0..count {
        let (id, octets) = set.u16().zip(set.u16()).ok_or(Malformed)?;
        let is_enterprise = format == Format::Ipfix && id & ENTERPRISE != 0;
        let enterprise = if is_enterprise { Some(set.u32().ok_or(Malformed)?) } else { None };
        let id = if is_enterprise { id & !ENTERPRISE } else { id };
        // Version 9 has no fields that state their own length.
        if format == Format::Netflow9 && octets == u16::MAX {
            return Err(Malformed);
        }
        fields.push(FieldSpecifier { id, enterprise, octets, is_scope: false });
    }
    Ok(fields)
}

/// Nothing, or too little for a template, or only zeros.
fn is_padding(set: Octets<'_>) -> bool {
    set.len() < 4 || set.0.iter().all(|octet| *octet == 0)
}
