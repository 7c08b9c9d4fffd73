//! ISC dhcpd's `dhcpd.conf`.

use std::{collections::BTreeMap, net::Ipv4Addr};

use ipnet::Ipv4Net;
use model::Mac;

use super::{
    ImportError, Imported,
    network::{Client, Fixed, Network, PoolRange, Scope, Subnet},
    refuse_huge,
    statements::{Reader, Statement, Token},
    value::{Item, hex_word, text_or_hex},
};
use crate::options;

/// A plan that says what a configuration of ISC dhcpd says.
///
/// Taken over: subnets, ranges, pools and the class they are for, options, lease times, hosts, groups, shared networks,
/// classes by simple matches and their subclasses. Everything else is a note. Errors: the text has not the form of
/// dhcpd's files.
pub fn from_dhcpd(text: &str) -> Result<Imported, ImportError> {
    refuse_huge(text)?;
    let mut reader = Reader::new(text.as_bytes());
    let mut statements = Vec::new();
    while let Some(statement) = reader.next() {
        statements.push(statement.map_err(|error| ImportError::new(error.line, error.says))?);
    }
    let mut dhcpd = Dhcpd {
        network: Network { source: "ISC dhcpd", ..Network::default() },
        definitions: Vec::new(),
        hosts: Vec::new(),
        strays: Vec::new(),
        matches: BTreeMap::new(),
    };
    dhcpd.block(&statements, &Scope::default(), false);
    Ok(dhcpd.finish())
}

struct Dhcpd {
    network: Network,
    /// `option NAME code N = TYPE`.
    definitions: Vec<(String, u8)>,
    /// Fixed addresses, with what the blocks around each say.
    hosts: Vec<(Fixed, Scope)>,
    /// Pools of a shared network that stand outside its subnets.
    strays: Vec<(u32, PoolRange)>,
    /// What `subclass` values of a class are compared with, by its name.
    matches: BTreeMap<String, &'static str>,
}

impl Dhcpd {
    fn note(&mut self, line: u32, says: impl AsRef<str>) {
        self.network.notes.add(line, says);
    }

    fn left_out(&mut self, statement: &Statement) {
        self.note(statement.line, format!("`{}` is not taken over", statement.shown()));
    }

    fn finish(mut self) -> Imported {
        for (line, pool) in std::mem::take(&mut self.strays) {
            match self.network.subnets.iter_mut().find(|subnet| subnet.prefix.contains(&pool.first)) {
                Some(subnet) => subnet.pools.push(pool),
                None => self.note(line, format!("the range from {} is in no subnet, and is left out", pool.first)),
            }
        }
        for (mut own, around) in std::mem::take(&mut self.hosts) {
            let Some(subnet) = self.network.subnets.iter_mut().find(|subnet| subnet.prefix.contains(&own.address))
            else {
                self.note(own.line, format!("the reservation of {} is in no subnet, and is left out", own.address));
                continue;
            };
            // What a group says goes for its hosts; what their subnet says reaches them anyway.
            for (code, value) in around.options {
                if subnet.scope.options.get(&code) != Some(&value) && code != 3 {
                    own.options.entry(code).or_insert(value);
                }
            }
            subnet.reservations.push(own);
        }
        self.network.into_plan()
    }

    /// The file itself, a group, or a shared network: first what it says of all in it, then what is in it.
    fn block(&mut self, statements: &[Statement], outer: &Scope, shared: bool) {
        let mut own = Scope::default();
        let rest: Vec<&Statement> =
            statements.iter().filter(|statement| !self.parameter(statement, &mut own)).collect();
        let scope = outer.narrowed(&own);
        for statement in rest {
            let Some(block) = &statement.block else {
                match statement.word(0) {
                    Some("subclass") => self.subclass(statement),
                    _ => self.left_out(statement),
                }
                continue;
            };
            match statement.word(0).unwrap_or_default() {
                "subnet" => self.subnet(statement, block, &scope),
                "group" => self.block(block, &scope, shared),
                "shared-network" => {
                    let inner = Scope { shared: statement.words.get(1).and_then(Token::name), ..scope.clone() };
                    self.block(block, &inner, true);
                }
                "pool" if shared => {
                    let pools = self.pool(block);
                    self.strays.extend(pools.into_iter().map(|pool| (statement.line, pool)));
                }
                "host" => self.host(statement, block, &scope),
                "class" => self.class(statement, block),
                "subclass" => self.subclass(statement),
                _ => self.left_out(statement),
            }
        }
    }

    /// Takes over a statement that holds for a whole block; false when it is not one.
    fn parameter(&mut self, statement: &Statement, scope: &mut Scope) -> bool {
        if statement.block.is_some() {
            return false;
        }
        let line = statement.line;
        let value = statement.words.get(1).and_then(Token::name);
        match statement.word(0).unwrap_or_default().to_ascii_lowercase().as_str() {
            "option" => self.option(statement, scope),
            "authoritative" => {}
            "default-lease-time" => match value.as_deref().and_then(seconds) {
                Some(seconds) => scope.lease = Some(seconds),
                None => self.left_out(statement),
            },
            "max-lease-time" | "min-lease-time" => {
                let seconds = value.as_deref().and_then(seconds);
                if scope.lease.is_none() || seconds != scope.lease {
                    self.note(
                        line,
                        format!("`{}`: a plan has one lease time, that of default-lease-time", statement.shown()),
                    );
                }
            }
            "filename" => match value {
                Some(file) => drop(scope.options.insert(67, text_or_hex(file.as_bytes()))),
                None => self.left_out(statement),
            },
            "next-server" | "server-name" => match value {
                Some(server) => {
                    self.note(line, format!("`{}` becomes option 66; the header field is not set", statement.shown()));
                    scope.options.insert(66, text_or_hex(server.as_bytes()));
                }
                None => self.left_out(statement),
            },
            "interface" => scope.interface = value,
            "ping-check" => match value.as_deref() {
                Some("true" | "on") => self.network.conflict_probe = true,
                _ => self.network.conflict_probe = false,
            },
            _ => return false,
        }
        true
    }

    fn option(&mut self, statement: &Statement, scope: &mut Scope) {
        let line = statement.line;
        let Some(name) = statement.word(1) else { return self.left_out(statement) };
        if statement.word(2).is_some_and(|word| word == "code") {
            let code = statement.word(3).and_then(|code| code.parse::<u8>().ok());
            let is_plain =
                !name.contains('.') && !statement.words.iter().any(|word| word.word() == Some("encapsulate"));
            return match code.filter(|code| (1..=254).contains(code) && is_plain) {
                Some(code) => self.definitions.push((name.to_owned(), code)),
                None => self.left_out(statement),
            };
        }
        let defined = self.definitions.iter().find(|(known, _)| known == name).map(|(_, code)| *code);
        let plain = name.strip_prefix("dhcp.").unwrap_or(name);
        let unnamed = plain.strip_prefix("option-").or_else(|| plain.strip_prefix("unknown-"));
        let code = defined
            .or_else(|| unnamed.and_then(|code| code.parse().ok()))
            .or_else(|| options::find(plain).map(|kind| kind.code));
        let items = items(statement.words.get(2..).unwrap_or_default());
        match (code, items) {
            (Some(code), Some(items)) if (1..=254).contains(&code) => {
                scope.option(line, name, code, &items, &mut self.network.notes);
            }
            _ => self.left_out(statement),
        }
    }

    fn subnet(&mut self, statement: &Statement, block: &[Statement], outer: &Scope) {
        let (network, mask) = (statement.word(1), statement.word(3).filter(|_| statement.word(2) == Some("netmask")));
        let address = |text: Option<&str>| text.and_then(|text| text.parse::<Ipv4Addr>().ok());
        let prefix = address(network).zip(address(mask)).and_then(|(net, mask)| Ipv4Net::with_netmask(net, mask).ok());
        let Some(prefix) = prefix else { return self.left_out(statement) };
        let mut own = Scope::default();
        let mut pools = Vec::new();
        let mut rest = Vec::new();
        for inner in block {
            match (inner.word(0), &inner.block) {
                _ if self.parameter(inner, &mut own) => {}
                (Some("range"), None) => pools.extend(self.range(inner, None)),
                (Some("pool"), Some(block)) => pools.extend(self.pool(block)),
                _ => rest.push(inner),
            }
        }
        let scope = outer.narrowed(&own);
        for inner in rest {
            match (inner.word(0), &inner.block) {
                (Some("host"), Some(block)) => self.host(inner, block, &scope),
                (Some("group"), Some(block)) => self.block(block, &scope, false),
                _ => self.left_out(inner),
            }
        }
        let (line, prefix) = (statement.line, prefix.trunc());
        self.network.subnets.push(Subnet { line, prefix, pools, reservations: Vec::new(), scope });
    }

    fn range(&mut self, statement: &Statement, class: Option<&String>) -> Option<PoolRange> {
        let words: Vec<&str> = statement.words.iter().skip(1).filter_map(Token::word).collect();
        let words = match words.as_slice() {
            ["dynamic-bootp", rest @ ..] => {
                self.note(statement.line, "BOOTP clients get no address; the range is for DHCP");
                rest
            }
            all => all,
        };
        let ends: Option<Vec<Ipv4Addr>> = words.iter().map(|word| word.parse().ok()).collect();
        match ends.as_deref() {
            Some([first]) => Some(PoolRange { first: *first, last: *first, class: class.cloned() }),
            Some([first, last]) => Some(PoolRange { first: *first, last: *last, class: class.cloned() }),
            _ => {
                self.left_out(statement);
                None
            }
        }
    }

    fn pool(&mut self, block: &[Statement]) -> Vec<PoolRange> {
        let mut class = None;
        for inner in block.iter().filter(|inner| inner.is(&["allow", "members", "of"])) {
            match inner.words.get(3).and_then(Token::name) {
                Some(name) if class.is_none() => class = Some(name),
                _ => self.left_out(inner),
            }
        }
        let mut pools = Vec::new();
        for inner in block {
            if inner.is(&["range"]) {
                pools.extend(self.range(inner, class.as_ref()));
            } else if inner.is(&["allow", "known-clients"]) || inner.is(&["deny", "unknown-clients"]) {
                self.note(inner.line, format!("`{}`: the pool is for everyone now", inner.shown()));
            } else if !inner.is(&["allow", "members", "of"]) {
                self.left_out(inner);
            }
        }
        pools
    }

    fn host(&mut self, statement: &Statement, block: &[Statement], outer: &Scope) {
        let mut own = Scope::default();
        let mut client = None;
        let mut address = None;
        for inner in block {
            let is_id = inner.is(&["option", "dhcp-client-identifier"]);
            if inner.is(&["hardware", "ethernet"]) {
                client = inner.word(2).and_then(mac_of).map(Client::Mac).or(client);
            } else if is_id && client.is_none() {
                client = items(&inner.words[2..]).and_then(|items| identifier(&items)).map(Client::ClientId);
            } else if inner.is(&["host-identifier", "option"]) {
                let octets = items(inner.words.get(3..).unwrap_or_default()).and_then(|items| identifier(&items));
                client = match (inner.word(2), octets) {
                    (Some("agent.circuit-id"), Some(octets)) => Some(Client::CircuitId(octets)),
                    (Some("agent.remote-id"), Some(octets)) => Some(Client::RemoteId(octets)),
                    (Some("dhcp-client-identifier"), Some(octets)) => Some(Client::ClientId(octets)),
                    _ => {
                        self.left_out(inner);
                        client
                    }
                };
            } else if inner.is(&["fixed-address"]) {
                address = inner.word(1).and_then(|word| word.parse::<Ipv4Addr>().ok());
                if address.is_none() || inner.words.len() > 2 {
                    self.note(inner.line, format!("`{}`: only one address, in figures, is taken over", inner.shown()));
                }
            } else if is_id || !self.parameter(inner, &mut own) {
                self.left_out(inner);
            }
        }
        let (Some(client), Some(address)) = (client, address) else {
            let says = format!("`{}` has no client or no address, and is left out", statement.shown());
            return self.note(statement.line, says);
        };
        let name = own.host_name.or_else(|| statement.words.get(1).and_then(Token::name));
        let fixed = Fixed { line: statement.line, client, address, name, options: own.options };
        self.hosts.push((fixed, outer.clone()));
    }

    fn class(&mut self, statement: &Statement, block: &[Statement]) {
        let Some(name) = statement.words.get(1).and_then(Token::name) else { return self.left_out(statement) };
        let mut own = Scope::default();
        let mut found = Vec::new();
        for inner in block {
            if inner.is(&["match", "if"]) {
                match conditions(&inner.words[2..]) {
                    Some(conditions) => found = conditions,
                    None => self.left_out(inner),
                }
            } else if inner.is(&["match"]) {
                match key_of(&inner.words[1..]) {
                    Some(key) => drop(self.matches.insert(name.clone(), key)),
                    None => self.left_out(inner),
                }
            } else if !self.parameter(inner, &mut own) {
                self.left_out(inner);
            }
        }
        let exact = found.iter().any(|condition| condition.exact);
        let class = self.network.class(&name, statement.line);
        (class.lease, class.options) = (own.lease, own.options);
        for condition in found {
            class.any_of(condition.key, condition.value);
        }
        if exact {
            let says = format!("class `{name}`: the whole field was compared; here its start is");
            self.note(statement.line, says);
        }
    }

    /// `subclass "NAME" VALUE;`
    fn subclass(&mut self, statement: &Statement) {
        let name = statement.words.get(1).and_then(Token::name);
        let Some((name, key)) = name.and_then(|name| Some((name.clone(), *self.matches.get(&name)?))) else {
            return self.left_out(statement);
        };
        let octets = items(&statement.words[2..]).and_then(|items| identifier(&items));
        let octets = match (key, octets) {
            ("mac_prefix", Some(octets)) if octets.len() == 7 && octets[0] == 1 => Some(octets[1..].to_vec()),
            ("mac_prefix", _) => None,
            (_, octets) => octets,
        };
        match octets {
            Some(octets) => self.network.class(&name, statement.line).any_of(key, octets),
            None => return self.left_out(statement),
        }
        if statement.block.as_ref().is_some_and(|block| !block.is_empty()) {
            self.note(statement.line, format!("what a subclass of `{name}` says of its own is left out"));
        }
    }
}

struct Condition {
    key: &'static str,
    value: Vec<u8>,
    /// All of the field was compared.
    exact: bool,
}

/// Comparisons joined by `and`, each of another field.
fn conditions(words: &[Token]) -> Option<Vec<Condition>> {
    let mut found: Vec<Condition> = Vec::new();
    for part in words.split(|word| word.word() == Some("and")) {
        let condition = condition(part)?;
        if found.iter().any(|known| known.key == condition.key) {
            return None;
        }
        found.push(condition);
    }
    Some(found)
}

/// `substring (FIELD, 0, N) = VALUE`, or `FIELD = VALUE`; for the hardware address from octet 1 on.
fn condition(words: &[Token]) -> Option<Condition> {
    let words = match words {
        [Token::Mark(b'('), inside @ .., Token::Mark(b')')] => inside,
        all => all,
    };
    let equal = words.iter().position(|word| *word == Token::Mark(b'='))?;
    let (field, value) = (&words[..equal], items(&words[equal + 1..])?);
    let value = identifier(&value)?;
    let key = key_of(field)?;
    let exact = field.first().and_then(Token::word) != Some("substring");
    if exact {
        return match (key, value.as_slice()) {
            ("mac_prefix", [1, mac @ ..]) if mac.len() == 6 => {
                Some(Condition { key, value: mac.to_vec(), exact: false })
            }
            ("mac_prefix", _) => None,
            _ => Some(Condition { key, exact: key != "user_class", value }),
        };
    }
    let numbers: Vec<usize> = field.iter().filter_map(|word| word.word()?.parse().ok()).collect();
    let [start, length] = numbers.as_slice() else { return None };
    let starts = usize::from(key == "mac_prefix");
    (*start == starts && *length == value.len()).then_some(Condition { key, value, exact: false })
}

/// The key of a plan's class for what dhcpd looks at.
fn key_of(words: &[Token]) -> Option<&'static str> {
    let names: Vec<&str> = words.iter().filter_map(Token::word).collect();
    let names: Vec<&str> = names.into_iter().filter(|name| !["substring", "pick-first-value"].contains(name)).collect();
    match names.as_slice() {
        ["option", "vendor-class-identifier", ..] => Some("vendor_class"),
        ["option", "user-class", ..] => Some("user_class"),
        ["option", "agent.circuit-id", ..] => Some("circuit_id"),
        ["option", "agent.remote-id", ..] => Some("remote_id"),
        ["option", "dhcp-parameter-request-list", ..] => Some("parameter_list"),
        ["hardware", ..] | ["option", "dhcp-client-identifier", "hardware", ..] => Some("mac_prefix"),
        _ => None,
    }
}

/// The values of a statement; `None` when they are an expression.
fn items(words: &[Token]) -> Option<Vec<Item>> {
    let mut items = Vec::new();
    for word in words {
        match word {
            Token::Word(word) => items.push(Item::Word(word.clone())),
            Token::Text(octets) => items.push(Item::Text(octets.clone())),
            Token::Mark(b',') => {}
            Token::Mark(_) => return None,
        }
    }
    (!items.is_empty()).then_some(items)
}

/// Octets of an identifier, 1 to 255.
fn identifier(items: &[Item]) -> Option<Vec<u8>> {
    let octets = match items {
        [Item::Word(word)] => hex_word(word)?,
        all => super::value::octets(all)?,
    };
    (1..=255).contains(&octets.len()).then_some(octets)
}

/// dhcpd takes `0:0:5e:0:53:1` too.
fn mac_of(text: &str) -> Option<Mac> {
    let octets: [u8; 6] = hex_word(text)?.try_into().ok()?;
    Some(Mac(octets))
}

/// Seconds; -1 and what is beyond 32 bits is for ever.
fn seconds(text: &str) -> Option<u64> {
    let seconds: i64 = text.parse().ok()?;
    Some(u64::try_from(seconds).unwrap_or(u64::from(u32::MAX)))
}
