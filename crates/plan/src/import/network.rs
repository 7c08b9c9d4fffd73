//! What every server's configuration comes down to, and the plan that says it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    net::Ipv4Addr,
};

use ipnet::Ipv4Net;

use super::{
    Imported, Note, Notes,
    value::{Item, Meaning, Options, domain, hex, meaning, quoted, text_or_hex, toml},
};
pub(super) use crate::ReservationClient as Client;
use crate::{build::is_domain, options};

/// Subnets that are taken over; VLAN identifiers are given out from [`FIRST_VLAN`] on.
const SUBNETS_MAX: usize = 800;

/// First VLAN identifier that is guessed; with [`SUBNETS_MAX`] it stays below those that Cisco IOS keeps (1002 on).
const FIRST_VLAN: u16 = 101;

/// Fixed addresses that are taken over.
const RESERVATIONS_MAX: usize = 10_000;

/// Classes that are taken over, as many as a plan may have.
const CLASSES_MAX: usize = 64;

/// Ways to be a member of a class, of all classes together, as many as a plan may have.
const WAYS_MAX: usize = 1_024;

/// Notes that stand in the file as comments.
const COMMENTS_MAX: usize = 100;

/// A configuration, as far as it was understood.
#[derive(Default, Debug)]
pub(super) struct Network {
    /// What made it, e.g. `Kea`.
    pub(super) source: &'static str,
    pub(super) subnets: Vec<Subnet>,
    pub(super) classes: Vec<Class>,
    pub(super) upstreams: Vec<std::net::IpAddr>,
    pub(super) domain: Option<String>,
    pub(super) conflict_probe: bool,
    pub(super) notes: Notes,
}

/// What may be said of all subnets, of those of a shared network, or of one.
#[derive(Clone, Default, Debug)]
pub(super) struct Scope {
    pub(super) lease: Option<u64>,
    pub(super) options: Options,
    /// Codes that are sent unasked.
    pub(super) always: BTreeSet<u8>,
    pub(super) routers: Vec<Ipv4Addr>,
    pub(super) ipv6_only_wait: Option<u64>,
    pub(super) captive_portal: Option<String>,
    pub(super) host_name: Option<String>,
    pub(super) shared: Option<String>,
    pub(super) interface: Option<String>,
    pub(super) rapid_commit: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Subnet {
    pub(super) line: u32,
    pub(super) prefix: Ipv4Net,
    pub(super) pools: Vec<PoolRange>,
    pub(super) reservations: Vec<Fixed>,
    pub(super) scope: Scope,
}

#[derive(Clone, Debug)]
pub(super) struct PoolRange {
    pub(super) first: Ipv4Addr,
    pub(super) last: Ipv4Addr,
    pub(super) class: Option<String>,
}

#[derive(Clone, Debug)]
pub(super) struct Fixed {
    pub(super) line: u32,
    pub(super) client: Client,
    pub(super) address: Ipv4Addr,
    pub(super) name: Option<String>,
    pub(super) options: Options,
}

#[derive(Clone, Default, Debug)]
pub(super) struct Class {
    pub(super) line: u32,
    pub(super) name: String,
    /// Values by key of the plan, e.g. `vendor_class`.
    pub(super) when: BTreeMap<&'static str, Vec<Vec<u8>>>,
    pub(super) lease: Option<u64>,
    pub(super) options: Options,
}

impl Scope {
    /// Takes an option over; `told` is how the configuration calls it.
    pub(super) fn option(&mut self, line: u32, told: &str, code: u8, items: &[Item], notes: &mut Notes) {
        let kind =
            options::by_code(code).unwrap_or(options::OptionKind { code, names: &[], of: options::OptionType::Octets });
        let text = || match items {
            [Item::Word(word)] => Some(word.clone()),
            [Item::Text(octets)] => String::from_utf8(octets.clone()).ok(),
            _ => None,
        };
        match meaning(code) {
            Meaning::Follows => {}
            Meaning::Lease => match text().and_then(|text| text.trim().parse().ok()) {
                Some(seconds) => self.lease = Some(seconds),
                None => notes.add(line, format!("option {told}: the lease time is not a number")),
            },
            Meaning::Ipv6OnlyWait => match text().and_then(|text| text.trim().parse().ok()) {
                Some(seconds) => self.ipv6_only_wait = Some(seconds),
                None => notes.add(line, format!("option {told}: the wait is not a number")),
            },
            Meaning::CaptivePortal => self.captive_portal = text().filter(|text| !text.is_empty()),
            Meaning::HostName => match text() {
                Some(name) => self.host_name = Some(name),
                None => notes.add(line, format!("option {told} is not text")),
            },
            Meaning::Refused(why) => notes.add(line, format!("option {told} is left out: {why}")),
            Meaning::Option => match toml(kind, items) {
                Ok(value) => {
                    if code == 3 {
                        self.routers = super::value::addresses(items).unwrap_or_default();
                    }
                    self.options.insert(code, value);
                }
                Err(why) => notes.add(line, format!("option {told} {why}, and is left out")),
            },
        }
    }

    /// What a narrower scope says, and this one where that is silent.
    pub(super) fn narrowed(&self, inner: &Self) -> Self {
        let mut options = self.options.clone();
        options.extend(inner.options.clone());
        Self {
            lease: inner.lease.or(self.lease),
            options,
            always: self.always.union(&inner.always).copied().collect(),
            routers: if inner.routers.is_empty() { self.routers.clone() } else { inner.routers.clone() },
            ipv6_only_wait: inner.ipv6_only_wait.or(self.ipv6_only_wait),
            captive_portal: inner.captive_portal.clone().or_else(|| self.captive_portal.clone()),
            host_name: inner.host_name.clone(),
            shared: inner.shared.clone().or_else(|| self.shared.clone()),
            interface: inner.interface.clone().or_else(|| self.interface.clone()),
            rapid_commit: inner.rapid_commit || self.rapid_commit,
        }
    }
}

impl Class {
    /// Another value that makes a client a member.
    pub(super) fn any_of(&mut self, key: &'static str, value: Vec<u8>) {
        let values = self.when.entry(key).or_default();
        if !values.contains(&value) {
            values.push(value);
        }
    }
}

impl Network {
    /// The class of that name, made when it is not there yet.
    pub(super) fn class(&mut self, name: &str, line: u32) -> &mut Class {
        let index = self.classes.iter().position(|class| class.name == name).unwrap_or_else(|| {
            self.classes.push(Class { line, name: name.to_owned(), ..Class::default() });
            self.classes.len() - 1
        });
        &mut self.classes[index]
    }

    /// The plan that says it.
    pub(super) fn into_plan(mut self) -> Imported {
        self.tidy();
        let mut text = format!(
            "# Made from a configuration of {}. What that does not say is a guess: correct it.\nversion = 1\n\n\
             [event]\nname = \"Imported network\"\ntimezone = \"Asia/Tokyo\"            # of the venue: correct it\n\
             people = 100                      # a guess: correct it\n",
            self.source
        );
        if let Some(domain) = &self.domain {
            let _ = writeln!(text, "domain = {}", quoted(domain));
        }
        text += "days = [{ date = \"2026-05-16\" }]    # correct it\n\n\
                 [[room]]\nid = \"noc-room\"\nfloor = \"1F\"\nkind = \"noc\"\n";
        self.write_classes(&mut text);
        self.write_subnets(&mut text);
        self.write_gear(&mut text);
        let subnets = self.subnets.len();
        let (notes, notes_beyond) = self.notes.into_sorted();
        write_notes(&mut text, &notes, notes_beyond);
        Imported { event_toml: text, subnets, notes, notes_beyond }
    }

    /// Leaves out what a plan does not take, each with a note.
    fn tidy(&mut self) {
        let notes = &mut self.notes;
        let mut seen = BTreeSet::new();
        self.subnets.retain(|subnet| {
            let why = if subnet.prefix.prefix_len() > 30 {
                "has no room for clients"
            } else if !seen.insert(subnet.prefix) {
                "is there twice"
            } else if seen.len() > SUBNETS_MAX {
                "is beyond the 800 subnets that are taken over"
            } else {
                return true;
            };
            notes.add(subnet.line, format!("the subnet {} {why}, and is left out", subnet.prefix));
            false
        });
        for class in self.classes.iter().skip(CLASSES_MAX) {
            notes.add(class.line, format!("class `{}` is beyond the {CLASSES_MAX} that a plan may have", class.name));
        }
        self.classes.truncate(CLASSES_MAX);
        // Each of the classes after this one needs a way at least.
        let mut left = WAYS_MAX - self.classes.len();
        for class in &mut self.classes {
            tidy_class(class, notes);
            let ways = |class: &Class| class.when.values().map(Vec::len).fold(1, usize::saturating_mul);
            if ways(class) > left + 1 {
                let says = "has too many values; only the first of each field is kept";
                notes.add(class.line, format!("class `{}` {says}", class.name));
                class.when.values_mut().for_each(|values| values.truncate(1));
            }
            left -= ways(class) - 1;
        }
        let names: BTreeSet<String> = self.classes.iter().map(|class| class.name.clone()).collect();
        let mut left = RESERVATIONS_MAX;
        for subnet in &mut self.subnets {
            tidy_subnet(subnet, &names, &mut left, notes);
        }
        let named = self.domain.take();
        self.domain = named.as_deref().and_then(domain).filter(|name| is_domain(name));
        if let (Some(name), None) = (&named, &self.domain) {
            notes.add(0, format!("domain `{}` cannot be the event's: it is not made of host names", name.trim()));
        }
        // The name that all subnets share is the event's.
        let of_subnets: BTreeSet<Option<&String>> =
            self.subnets.iter().map(|subnet| subnet.scope.options.get(&15)).collect();
        if let (None, [Some(name)]) = (&self.domain, of_subnets.into_iter().collect::<Vec<_>>().as_slice()) {
            self.domain = domain(name.trim_matches('"')).filter(|name| is_domain(name));
        }
        if let Some(name) = self.domain.as_ref().map(|name| quoted(name)) {
            for subnet in self.subnets.iter_mut().filter(|subnet| subnet.scope.options.get(&15) == Some(&name)) {
                subnet.scope.options.remove(&15);
            }
        }
    }

    fn write_classes(&self, text: &mut String) {
        let names = self.class_names();
        if self.conflict_probe {
            *text += "\n[dhcp]\nconflict_probe = true\n";
        }
        for class in &self.classes {
            let _ = writeln!(text, "\n[dhcp.class.{}]", names[&class.name]);
            for (key, values) in &class.when {
                let shown = |octets: &Vec<u8>| match *key {
                    "mac_prefix" => {
                        let octets: Vec<String> = octets.iter().map(|octet| format!("{octet:02x}")).collect();
                        format!("\"{}\"", octets.join(":"))
                    }
                    "parameter_list" => hex(octets),
                    _ => text_or_hex(octets),
                };
                let values: Vec<String> = values.iter().map(shown).collect();
                let _ = match values.as_slice() {
                    [one] => writeln!(text, "{key} = {one}"),
                    _ => writeln!(text, "{key} = [{}]", values.join(", ")),
                };
            }
            if let Some(seconds) = class.lease {
                let _ = writeln!(text, "lease = \"{seconds}s\"");
            }
            if !class.options.is_empty() {
                let _ = writeln!(text, "options = {}", inline(&class.options, &BTreeSet::new()));
            }
        }
    }

    /// Names that a plan takes, by the names that the configuration has.
    fn class_names(&self) -> BTreeMap<String, String> {
        let mut names = BTreeMap::new();
        let mut taken = BTreeSet::new();
        for class in &self.classes {
            let name = key(&class.name, "class", &taken);
            taken.insert(name.clone());
            names.insert(class.name.clone(), name);
        }
        names
    }

    fn write_subnets(&self, text: &mut String) {
        let classes = self.class_names();
        let mut links: BTreeMap<&str, u16> = BTreeMap::new();
        let mut taken = BTreeSet::new();
        let hinted: BTreeSet<u16> = self.subnets.iter().filter_map(|subnet| vlan_hint(&subnet.scope)).collect();
        let mut next = FIRST_VLAN;
        for subnet in &self.subnets {
            let scope = &subnet.scope;
            let octets = subnet.prefix.network().octets().map(|octet| octet.to_string()).join("-");
            let name = key(&format!("net-{octets}"), "net", &taken);
            taken.insert(name.clone());
            let (id, comment) = match (scope.shared.as_deref(), vlan_hint(scope)) {
                (Some(shared), _) if links.contains_key(shared) => {
                    (links[shared], "as the others of its shared network")
                }
                (_, Some(hint)) => (hint, "from the name of the interface"),
                (_, None) => {
                    while hinted.contains(&next) {
                        next += 1;
                    }
                    next += 1;
                    (next - 1, "a guess: correct it")
                }
            };
            if let Some(shared) = scope.shared.as_deref() {
                links.insert(shared, id);
            }
            let _ = write!(text, "\n[vlan.{name}]");
            let _ = writeln!(text, "{:>width$}# line {} of the configuration", "", subnet.line, width = 20);
            let _ = writeln!(text, "id = {id:<29} # {comment}");
            let _ = writeln!(text, "subnet = \"{}\"", subnet.prefix);
            *text += "kind = \"staff\"                    # attendee, staff or management: correct it\n";
            write_gateway(text, subnet);
            write_pools(text, subnet, &classes);
            write_dhcp(text, &name, subnet);
            write_reservations(text, &name, subnet);
        }
    }

    fn write_gear(&self, text: &mut String) {
        *text += "\n# The router that relays to hotstage, and the computer that hotstage runs on: correct them.\n\
                  [device.edge]\nmodel = \"generic-router\"\nroom = \"noc-room\"\n";
        *text += "\n[device.noc]\nmodel = \"generic-server\"\nroom = \"noc-room\"\nconnects = \"edge:2\"\n";
        match self.subnets.iter().find_map(free_host) {
            Some(address) => {
                let _ = writeln!(text, "address = \"{address}\"           # a free one: correct it");
            }
            None => *text += "# address = \"ADDRESS\"             # no free one was found: add it\n",
        }
        *text += "\n[services]\ndevice = \"noc\"\n";
        if !self.upstreams.is_empty() {
            let list: Vec<String> = self.upstreams.iter().map(|address| format!("\"{address}\"")).collect();
            let _ = writeln!(text, "dns.upstreams = [{}]", list.join(", "));
        }
    }
}

fn tidy_class(class: &mut Class, notes: &mut Notes) {
    let line = class.line;
    class.lease = class.lease.map(|seconds| lease(seconds, line, notes));
    for (key, values) in &mut class.when {
        let longest = if *key == "mac_prefix" { 6 } else { 255 };
        let before = values.len();
        values.retain(|octets| (1..=longest).contains(&octets.len()));
        values.truncate(WAYS_MAX);
        if values.len() < before {
            let lost = before - values.len();
            notes.add(line, format!("class `{}`: {lost} values of {key} are left out", class.name));
        }
    }
    class.when.retain(|_, values| !values.is_empty());
}

fn tidy_subnet(subnet: &mut Subnet, classes: &BTreeSet<String>, left: &mut usize, notes: &mut Notes) {
    let line = subnet.line;
    subnet.scope.lease = subnet.scope.lease.map(|seconds| lease(seconds, line, notes));
    if let Some(seconds) = &mut subnet.scope.ipv6_only_wait {
        *seconds = (*seconds).min(LONGEST);
        notes.add(line, format!("option 108 of {} is a comment until the VLAN has IPv6", subnet.prefix));
    }
    for pool in &mut subnet.pools {
        if let Some(class) = pool.class.take_if(|class| !classes.contains(class)) {
            notes.add(
                line,
                format!(
                    "the pool {}-{} is for class `{class}`, which is not there; it is for everyone now",
                    pool.first, pool.last
                ),
            );
        }
    }
    subnet.pools.retain(|pool| {
        let good = pool.first <= pool.last;
        if !good {
            notes.add(line, format!("the pool {}-{} ends before it starts, and is left out", pool.first, pool.last));
        }
        good
    });
    let (network, broadcast) = (subnet.prefix.network(), subnet.prefix.broadcast());
    for pool in subnet.pools.iter_mut().filter(|pool| pool.first < pool.last) {
        let given = (pool.first, pool.last);
        if pool.first == network {
            pool.first = Ipv4Addr::from(u32::from(network) + 1);
        }
        if pool.last == broadcast {
            pool.last = Ipv4Addr::from(u32::from(broadcast) - 1);
        }
        if given != (pool.first, pool.last) {
            let says = "no longer holds the network's or broadcast address";
            notes.add(line, format!("the pool {}-{} {says}", given.0, given.1));
        }
    }
    let mut clients: BTreeSet<Client> = BTreeSet::new();
    let mut addresses = BTreeSet::new();
    subnet.reservations.retain(|own| {
        let why = if clients.contains(&own.client) {
            "its client has one already"
        } else if addresses.contains(&own.address) {
            "its address is reserved already"
        } else if *left == 0 {
            "there are too many"
        } else {
            clients.insert(own.client.clone());
            addresses.insert(own.address);
            *left -= 1;
            return true;
        };
        notes.add(own.line, format!("the reservation of {} is left out: {why}", own.address));
        false
    });
}

/// Seconds of the longest lease of a plan: a year.
const LONGEST: u64 = 366 * 86_400;

/// A lease time that a plan takes.
fn lease(seconds: u64, line: u32, notes: &mut Notes) -> u64 {
    let taken = seconds.clamp(10, LONGEST);
    if taken != seconds {
        notes.add(line, format!("a lease of {seconds} s becomes one of {taken} s"));
    }
    taken
}

/// A key that a plan takes: letters, digits, `-`, `_`, and none of `taken`.
fn key(name: &str, otherwise: &str, taken: &BTreeSet<String>) -> String {
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '-' })
        .take(50)
        .collect();
    let plain = plain.trim_matches('-');
    let plain = if plain.is_empty() { otherwise } else { plain };
    let mut found = plain.to_owned();
    let mut count = 1;
    while taken.contains(&found) {
        count += 1;
        found = format!("{plain}-{count}");
    }
    found
}

/// The VLAN identifier in an interface's name: `vlan30`, `eth0.30`.
fn vlan_hint(scope: &Scope) -> Option<u16> {
    let name = scope.interface.as_deref()?;
    let digits = name.rsplit_once('.').map(|(_, digits)| digits).or_else(|| name.strip_prefix("vlan"))?;
    digits.parse().ok().filter(|id| (2..=4_093).contains(id) && !(1_002..=1_005).contains(id))
}

fn write_gateway(text: &mut String, subnet: &Subnet) {
    let is_inside = |address: &&Ipv4Addr| {
        subnet.prefix.contains(*address)
            && **address != subnet.prefix.network()
            && **address != subnet.prefix.broadcast()
    };
    match subnet.scope.routers.iter().find(is_inside) {
        Some(gateway) => {
            let _ = writeln!(text, "gateway = \"{gateway}\"");
        }
        None => {
            let free =
                subnet.prefix.hosts().take(65_536).find(|host| !subnet.pools.iter().any(|pool| holds(pool, *host)));
            if let Some(host) = free {
                let _ = writeln!(text, "gateway = \"{host}\"           # not stated: correct it");
            }
        }
    }
}

fn write_pools(text: &mut String, subnet: &Subnet, classes: &BTreeMap<String, String>) {
    let pool = |pool: &PoolRange| {
        let range = format!("\"{}-{}\"", pool.first, pool.last);
        match pool.class.as_ref().and_then(|class| classes.get(class)) {
            Some(class) => format!("{{ range = {range}, class = \"{class}\" }}"),
            None => range,
        }
    };
    let pools: Vec<String> = subnet.pools.iter().map(pool).collect();
    let _ = writeln!(text, "pool = [{}]", pools.join(", "));
}

fn write_dhcp(text: &mut String, name: &str, subnet: &Subnet) {
    let scope = &subnet.scope;
    let _ = writeln!(text, "\n[vlan.{name}.dhcp]");
    if let Some(seconds) = scope.lease {
        let _ = writeln!(text, "lease = \"{seconds}s\"");
    }
    if scope.rapid_commit {
        *text += "rapid_commit = true\n";
    }
    if let Some(seconds) = scope.ipv6_only_wait {
        let _ = writeln!(text, "# ipv6_only_wait = \"{seconds}s\"   # first add [vlan.{name}.ipv6]");
    }
    if let Some(uri) = scope.captive_portal.as_deref().filter(|uri| is_line(uri)) {
        let _ = writeln!(text, "captive_portal = {}", quoted(uri.trim()));
    }
    if let Some(shared) = scope.shared.as_deref().filter(|name| is_line(name)) {
        let _ = writeln!(text, "shared_network = {}", quoted(shared));
    }
    let mut options = scope.options.clone();
    // One router inside the subnet is the gateway.
    if matches!(scope.routers.as_slice(), [router] if subnet.prefix.contains(router)) {
        options.remove(&3);
    }
    if !options.is_empty() {
        let _ = writeln!(text, "options = {}", inline(&options, &scope.always));
    }
}

fn write_reservations(text: &mut String, vlan: &str, subnet: &Subnet) {
    for own in &subnet.reservations {
        let _ = writeln!(text, "\n[[vlan.{vlan}.reservations]]");
        let _ = match &own.client {
            Client::Mac(mac) => writeln!(text, "mac = \"{mac}\""),
            Client::ClientId(octets) => writeln!(text, "client_id = {}", text_or_hex(octets)),
            Client::CircuitId(octets) => writeln!(text, "circuit_id = {}", text_or_hex(octets)),
            Client::RemoteId(octets) => writeln!(text, "remote_id = {}", text_or_hex(octets)),
        };
        let _ = writeln!(text, "address = \"{}\"", own.address);
        if let Some(name) = own.name.as_deref().filter(|name| is_line(name)) {
            let name: String = name.chars().take(255).collect();
            let _ = writeln!(text, "name = {}", quoted(&name));
        }
        if !own.options.is_empty() {
            let _ = writeln!(text, "options = {}", inline(&own.options, &BTreeSet::new()));
        }
    }
}

/// True for what a plan takes as a line of text when control characters are left out.
fn is_line(text: &str) -> bool {
    text.chars().any(|c| !c.is_control() && !c.is_whitespace()) && text.chars().count() <= 400
}

/// Options as an inline table.
fn inline(options: &Options, always: &BTreeSet<u8>) -> String {
    let one = |(code, value): (&u8, &String)| {
        let name = options::by_code(*code).map_or_else(|| code.to_string(), |kind| kind.names[0].to_owned());
        match always.contains(code) {
            true => format!("{name} = {{ value = {value}, always = true }}"),
            false => format!("{name} = {value}"),
        }
    };
    format!("{{ {} }}", options.iter().map(one).collect::<Vec<_>>().join(", "))
}

fn holds(pool: &PoolRange, address: Ipv4Addr) -> bool {
    (pool.first..=pool.last).contains(&address)
}

/// A host that nothing has, looked for from the end of a subnet.
fn free_host(subnet: &Subnet) -> Option<Ipv4Addr> {
    let (network, broadcast) = (u32::from(subnet.prefix.network()), u32::from(subnet.prefix.broadcast()));
    let is_free = |host: &Ipv4Addr| {
        !subnet.pools.iter().any(|pool| holds(pool, *host))
            && !subnet.reservations.iter().any(|own| own.address == *host)
            && !subnet.scope.routers.contains(host)
    };
    // The first free host may be the guessed gateway.
    (network + 2..broadcast).rev().take(65_536).map(Ipv4Addr::from).find(is_free)
}

fn write_notes(text: &mut String, notes: &[Note], beyond: usize) {
    if notes.is_empty() {
        return;
    }
    *text += "\n# Not taken over as it stands:\n";
    for note in notes.iter().take(COMMENTS_MAX) {
        let _ = writeln!(text, "#   {note}");
    }
    let more = notes.len().saturating_sub(COMMENTS_MAX) + beyond;
    if more > 0 {
        let _ = writeln!(text, "#   and {more} more");
    }
}
