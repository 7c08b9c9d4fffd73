use std::fmt::{Display, Formatter, Result};

use super::{Bounds, Summary, VlanSummary};

impl Display for Bounds {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        let (low, likely, high) = (self.low, self.likely, self.high);
        formatter.pad(&if low == high { likely.to_string() } else { format!("{likely} ({low} to {high})") })
    }
}

impl Display for Summary {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        writeln!(out, "{} ({}, {})", self.event, self.time_zone, self.domain)?;
        for day in &self.days {
            let (date, kind, doors, close) = (&day.date, day.kind, &day.doors, &day.close);
            writeln!(out, "  {date} {kind} {doors} to {close}: {} people, {} devices", day.people, day.devices)?;
        }
        writeln!(out, "  at the peak {} devices", self.devices_peak)?;
        self.rooms(out)?;
        self.vlans(out)?;
        self.gear(out)?;
        self.lists(out)?;
        if !self.notes.is_empty() {
            writeln!(out, "\nNotes")?;
            self.notes.iter().try_for_each(|note| writeln!(out, "  {note}"))?;
        }
        writeln!(out, "\nTaken because the plan does not say")?;
        for default in &self.defaults {
            writeln!(out, "  {} = {}  ({})", default.path, default.value, default.reason)?;
        }
        Ok(())
    }
}

impl Summary {
    fn rooms(&self, out: &mut Formatter<'_>) -> Result {
        writeln!(out, "\nRooms: floor, seats + standing, devices when full, access points and what they carry, talks")?;
        for room in &self.rooms {
            let (id, floor, seats, standing) = (&room.id, &room.floor, room.seats, room.standing);
            let (clients, points, capacity, talks) = (room.clients, room.access_points, room.capacity, room.talks);
            let carries = format!("{points} carry {capacity}");
            writeln!(out, "  {id:<24} {floor:<4} {seats:>5} + {standing:<4} {clients:<22} {carries:<14} {talks}")?;
        }
        Ok(())
    }

    fn vlans(&self, out: &mut Formatter<'_>) -> Result {
        writeln!(out, "\nVLANs: identifier, subnet, gateway, addresses handed out, devices expected, lease, DHCP")?;
        for vlan in &self.vlans {
            let (name, id, subnet, gateway) = (&vlan.name, vlan.id, &vlan.subnet, &vlan.gateway);
            let expected = vlan.expected.map_or_else(|| "-".to_owned(), |expected| expected.to_string());
            let (pool, lease, dhcp) = (vlan.pool, vlan.lease_seconds, vlan.dhcp);
            writeln!(
                out,
                "  {name:<16} {id:>4} {subnet:<18} {gateway:<15} {pool:>7} {expected:<22} {lease:>6} s {dhcp}"
            )?;
            let more = vlan_more(vlan);
            if !more.is_empty() {
                writeln!(out, "  {:<16} {}", "", more.join("; "))?;
            }
        }
        self.classes(out)
    }

    fn classes(&self, out: &mut Formatter<'_>) -> Result {
        if self.dhcp_classes.is_empty() {
            return Ok(());
        }
        writeln!(out, "\nClasses of DHCP clients, by priority: who is a member, lease, options")?;
        for class in &self.dhcp_classes {
            let lease = class.lease_seconds.map_or_else(|| "-".to_owned(), |seconds| format!("{seconds} s"));
            let when = if class.when.is_empty() { "nobody".to_owned() } else { class.when.join(" and ") };
            let options = if class.options.is_empty() { "-".to_owned() } else { class.options.join(", ") };
            writeln!(out, "  {:<16} {when}; lease {lease}; options {options}", class.name)?;
        }
        Ok(())
    }

    fn gear(&self, out: &mut Formatter<'_>) -> Result {
        writeln!(out, "\nGear")?;
        self.gear.iter().try_for_each(|(model, count)| writeln!(out, "  {count:>4} x {model}"))?;
        for poe in &self.poe {
            writeln!(out, "  {} gives {:.1} of {:.1} W", poe.device, poe.drawn_w, poe.budget_w)?;
        }
        Ok(())
    }

    fn lists(&self, out: &mut Formatter<'_>) -> Result {
        if let Some(cables) = &self.cables {
            writeln!(out, "  {} cables of {:.1} m in all", cables.count, cables.metres)?;
        }
        if let Some(talks) = self.talks {
            writeln!(out, "  {talks} talks")?;
        }
        if let Some(shifts) = self.shifts {
            writeln!(out, "  {shifts} shifts")?;
        }
        #[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
        let gib = self.telemetry_bytes_max as f64 / f64::from(1_u32 << 30);
        writeln!(out, "  telemetry may take {gib:.1} GiB in {} files", self.telemetry_files_max)
    }
}

/// What is to be said of a VLAN besides its row.
fn vlan_more(vlan: &VlanSummary) -> Vec<String> {
    let mut more = Vec::new();
    if !vlan.options.is_empty() {
        more.push(format!("options {}", vlan.options.join(", ")));
    }
    if vlan.reservations > 0 {
        more.push(format!("{} reserved", vlan.reservations));
    }
    more.extend(vlan.class_pools.iter().map(|(class, size)| format!("{size} for class {class}")));
    more.extend(vlan.shared_network.iter().map(|name| format!("one link with the others of {name}")));
    more.extend(vlan.ipv6.iter().map(|ipv6| format!("IPv6 {ipv6}")));
    more
}
