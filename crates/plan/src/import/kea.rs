//! Kea's `Dhcp4` configuration.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use model::Mac;

use super::{
    ImportError, Imported,
    jsonc::{self, Json, Value},
    network::{Client, Fixed, Network, PoolRange, Scope, Subnet},
    refuse_huge,
    value::{Item, Options, hex_word},
};
use crate::options;

mod test;

/// Members whose values change nothing that a plan says.
const SILENT: &[&str] = &["comment", "id"];

/// A plan that says what a configuration of Kea's DHCPv4 server says.
///
/// Taken over: subnets with pools, option data, reservations, shared networks, client classes by simple tests, lease
/// times. Everything else is a note. Errors: the text is no JSON, includes other files, or has no `Dhcp4`.
pub fn from_kea(text: &str) -> Result<Imported, ImportError> {
    refuse_huge(text)?;
    let root = jsonc::parse(text)?;
    let server = root.get("Dhcp4").or_else(|| root.get("subnet4").map(|_| &root));
    let Some(server) = server.filter(|server| matches!(server.value, Value::Object(_))) else {
        return Err(ImportError::new(root.line, "there is no `Dhcp4` in it"));
    };
    let mut kea = Kea { network: Network { source: "Kea", ..Network::default() }, definitions: Vec::new() };
    for (line, key, _) in root.members().iter().filter(|(_, key, _)| root.get("Dhcp4").is_some() && key != "Dhcp4") {
        kea.note(*line, format!("`{key}` is not taken over"));
    }
    kea.server(server);
    Ok(kea.network.into_plan())
}

struct Kea {
    network: Network,
    /// Names and codes of `option-def`.
    definitions: Vec<(String, u8)>,
}

impl Kea {
    fn note(&mut self, line: u32, says: impl AsRef<str>) {
        self.network.notes.add(line, says);
    }

    fn server(&mut self, server: &Json) {
        for definition in server.get("option-def").map(Json::items).unwrap_or_default() {
            self.definition(definition);
        }
        for class in server.get("client-classes").map(Json::items).unwrap_or_default() {
            self.class(class);
        }
        let scope = self.scope(server, &Scope::default());
        let mut global = Vec::new();
        for (line, key, value) in server.members() {
            match key.as_str() {
                "option-def" | "client-classes" | "option-data" | "valid-lifetime" => {}
                "subnet4" => value.items().iter().for_each(|subnet| self.subnet(subnet, &scope)),
                "shared-networks" => value.items().iter().for_each(|shared| self.shared(shared, &scope)),
                "reservations" => global = self.reservations(value),
                "authoritative" if value.boolean() == Some(true) => {}
                key => self.leftover(*line, key, value),
            }
        }
        for own in global {
            let home = self.network.subnets.iter_mut().find(|subnet| subnet.prefix.contains(&own.address));
            match home {
                Some(subnet) => subnet.reservations.push(own),
                None => {
                    self.note(own.line, format!("the reservation of {} is in no subnet, and is left out", own.address));
                }
            }
        }
    }

    /// What no rule above knows.
    fn leftover(&mut self, line: u32, key: &str, value: &Json) {
        let is_empty = match &value.value {
            Value::Null => true,
            Value::Text(text) => text.is_empty() || text == "0.0.0.0",
            Value::List(items) => items.is_empty(),
            Value::Object(members) => members.is_empty(),
            Value::Boolean(_) | Value::Number(_) => false,
        };
        if !SILENT.contains(&key) && !SCOPE.contains(&key) && !is_empty {
            self.note(line, format!("`{key}` is not taken over"));
        }
    }

    fn definition(&mut self, definition: &Json) {
        let name = definition.get("name").and_then(Json::text);
        let code = definition.get("code").and_then(Json::number).and_then(|code| u8::try_from(code).ok());
        let space = definition.get("space").and_then(Json::text).unwrap_or("dhcp4");
        match (name, code) {
            (Some(name), Some(code)) if space == "dhcp4" => self.definitions.push((name.to_owned(), code)),
            _ => self.note(definition.line, format!("the option definition in space `{space}` is not taken over")),
        }
    }

    /// What a level says, and `outer` where it is silent.
    fn scope(&mut self, level: &Json, outer: &Scope) -> Scope {
        let mut own = Scope::default();
        for option in level.get("option-data").map(Json::items).unwrap_or_default() {
            self.option(option, &mut own);
        }
        own.lease = level.get("valid-lifetime").and_then(Json::number).or(own.lease);
        own.interface = level.get("interface").and_then(Json::text).filter(|name| !name.is_empty()).map(str::to_owned);
        self.boot(level, &mut own.options);
        outer.narrowed(&own)
    }

    /// Where clients boot from: header fields of Kea, options of a plan.
    fn boot(&mut self, level: &Json, options: &mut Options) {
        for (key, code) in [("boot-file-name", 67), ("next-server", 66), ("server-hostname", 66)] {
            let Some(value) = level.get(key) else { continue };
            let Some(text) = value.text().filter(|text| !text.is_empty() && *text != "0.0.0.0") else { continue };
            self.note(value.line, format!("`{key}` becomes option {code}; the header fields are not set"));
            options.insert(code, super::value::text_or_hex(text.as_bytes()));
        }
    }

    fn option(&mut self, option: &Json, scope: &mut Scope) {
        let line = option.line;
        let name = option.get("name").and_then(Json::text);
        let space = option.get("space").and_then(Json::text).unwrap_or("dhcp4");
        let code = match (option.get("code").and_then(Json::number), name) {
            (Some(code), _) => u8::try_from(code).ok(),
            (None, Some(name)) => {
                let defined = self.definitions.iter().find(|(known, _)| known == name).map(|(_, code)| *code);
                defined.or_else(|| options::find(name).map(|kind| kind.code))
            }
            (None, None) => None,
        };
        let told =
            name.map_or_else(|| code.map_or_else(|| "without name".into(), |code| code.to_string()), str::to_owned);
        let Some(code) = code.filter(|code| (1..=254).contains(code) && space == "dhcp4") else {
            self.note(line, format!("option {told} of space `{space}` is not known, and is left out"));
            return;
        };
        let data = option.get("data").map(|data| match &data.value {
            Value::Text(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Boolean(claim) => claim.to_string(),
            _ => String::new(),
        });
        let items = if option.get("csv-format").and_then(Json::boolean) == Some(false) {
            octets_of(data.as_deref().unwrap_or_default()).map(|octets| vec![Item::Text(octets)])
        } else {
            Some(items(code, data.as_deref().unwrap_or_default()))
        };
        match items {
            // Octets of Kea are octets of a plan, whatever the type is.
            Some(items) if option.get("csv-format").and_then(Json::boolean) == Some(false) => {
                if let [Item::Text(octets)] = items.as_slice() {
                    match super::value::meaning(code) {
                        super::value::Meaning::Option => drop(scope.options.insert(code, super::value::hex(octets))),
                        _ => scope.option(line, &told, code, &items, &mut self.network.notes),
                    }
                }
            }
            Some(items) => scope.option(line, &told, code, &items, &mut self.network.notes),
            None => self.note(line, format!("option {told}: its data are not octets, and it is left out")),
        }
        if option.get("always-send").and_then(Json::boolean) == Some(true) {
            scope.always.insert(code);
        }
        if option.get("never-send").and_then(Json::boolean) == Some(true) {
            scope.options.remove(&code);
            self.note(line, format!("option {told} is never sent; it is left out"));
        }
        for (line, key, value) in option.members() {
            const KNOWN: &[&str] =
                &["name", "code", "space", "data", "csv-format", "always-send", "never-send", "user-context"];
            if !KNOWN.contains(&key.as_str()) {
                self.leftover(*line, key, value);
            }
        }
    }

    fn shared(&mut self, shared: &Json, outer: &Scope) {
        let mut scope = self.scope(shared, outer);
        scope.shared = shared.get("name").and_then(Json::text).map(str::to_owned);
        for (line, key, value) in shared.members() {
            match key.as_str() {
                "name" => {}
                "subnet4" => value.items().iter().for_each(|subnet| self.subnet(subnet, &scope)),
                key => self.leftover(*line, key, value),
            }
        }
    }

    fn subnet(&mut self, subnet: &Json, outer: &Scope) {
        let prefix = subnet.get("subnet").and_then(Json::text).and_then(|text| text.trim().parse::<Ipv4Net>().ok());
        let Some(prefix) = prefix else {
            self.note(subnet.line, "a subnet has no usable `subnet`, and is left out");
            return;
        };
        let scope = self.scope(subnet, outer);
        let class = self.guard(subnet);
        let mut pools = Vec::new();
        let mut reservations = Vec::new();
        for (line, key, value) in subnet.members() {
            match key.as_str() {
                "subnet" | "client-class" | "client-classes" => {}
                "pools" => value.items().iter().for_each(|pool| pools.extend(self.pool(pool, class.as_ref()))),
                "reservations" => reservations = self.reservations(value),
                "relay" => {
                    let addresses = value.get("ip-addresses").map(Json::items).unwrap_or_default();
                    let outside = addresses
                        .iter()
                        .filter_map(Json::text)
                        .any(|text| text.parse::<Ipv4Addr>().is_ok_and(|address| !prefix.contains(&address)));
                    if outside {
                        self.note(*line, "`relay`: requests from a relay agent outside the subnet are not told apart");
                    }
                }
                key => self.leftover(*line, key, value),
            }
        }
        self.network.subnets.push(Subnet { line: subnet.line, prefix: prefix.trunc(), pools, reservations, scope });
    }

    /// The class that a pool or subnet is for.
    fn guard(&mut self, level: &Json) -> Option<String> {
        let one = level.get("client-class").filter(|class| class.text().is_some_and(|name| !name.is_empty()));
        let listed = level.get("client-classes").map(Json::items).unwrap_or_default();
        if listed.len() > 1 {
            self.note(level.line, "it is for several classes; only the first is taken over");
        }
        let class = one.or(listed.first())?;
        let name = class.text()?.to_owned();
        match name.as_str() {
            "ALL" => return None,
            "KNOWN" | "UNKNOWN" | "DROP" | "BOOTP" => {
                self.note(class.line, format!("class `{name}` is Kea's own; it is for everyone now"));
                return None;
            }
            _ => {}
        }
        if let Some(vendor) = name.strip_prefix("VENDOR_CLASS_") {
            let vendor = vendor.as_bytes().to_vec();
            self.network.class(&name, class.line).any_of("vendor_class", vendor);
        }
        Some(name)
    }

    fn pool(&mut self, pool: &Json, of_subnet: Option<&String>) -> Option<PoolRange> {
        let range = pool.get("pool").and_then(Json::text).and_then(pool_range);
        for (line, key, value) in pool.members() {
            if !["pool", "client-class", "client-classes"].contains(&key.as_str()) {
                match key.as_str() {
                    "option-data" if !value.items().is_empty() => {
                        self.note(*line, "options of a pool are left out; give them to a class");
                    }
                    "pool-id" => {}
                    key => self.leftover(*line, key, value),
                }
            }
        }
        let Some((first, last)) = range else {
            self.note(pool.line, "a pool has no usable range, and is left out");
            return None;
        };
        let class = self.guard(pool).or_else(|| of_subnet.cloned());
        Some(PoolRange { first, last, class })
    }

    fn reservations(&mut self, list: &Json) -> Vec<Fixed> {
        list.items().iter().filter_map(|own| self.reservation(own)).collect()
    }

    fn reservation(&mut self, own: &Json) -> Option<Fixed> {
        let text = |key: &str| own.get(key).and_then(Json::text).filter(|text| !text.is_empty());
        let mac = text("hw-address").and_then(|text| text.parse::<Mac>().ok()).map(Client::Mac);
        let octets = |key: &str| text(key).and_then(identifier);
        let client = mac
            .or_else(|| octets("client-id").map(Client::ClientId))
            .or_else(|| octets("circuit-id").map(Client::CircuitId));
        let address = text("ip-address").and_then(|text| text.parse::<Ipv4Addr>().ok());
        let mut scope = Scope::default();
        for option in own.get("option-data").map(Json::items).unwrap_or_default() {
            self.option(option, &mut scope);
        }
        self.boot(own, &mut scope.options);
        for (line, key, value) in own.members() {
            const KNOWN: &[&str] = &["hw-address", "client-id", "circuit-id", "ip-address", "hostname"];
            if !KNOWN.contains(&key.as_str()) {
                self.leftover(*line, key, value);
            }
        }
        let (Some(client), Some(address)) = (client, address) else {
            self.note(own.line, "a reservation without address, or without MAC, client or circuit id, is left out");
            return None;
        };
        let name = text("hostname").map(str::to_owned).or(scope.host_name);
        Some(Fixed { line: own.line, client, address, name, options: scope.options })
    }

    fn class(&mut self, class: &Json) {
        let Some(name) = class.get("name").and_then(Json::text).map(str::to_owned) else {
            self.note(class.line, "a client class without name is left out");
            return;
        };
        let mut scope = self.scope(class, &Scope::default());
        let mut made = super::network::Class { line: class.line, name: name.clone(), ..Default::default() };
        for (line, key, value) in class.members() {
            match (key.as_str(), value.text()) {
                ("name", _) => {}
                ("test", Some(expression)) => match test::conditions(expression, &self.network.classes) {
                    Ok(understood) => {
                        made.when = understood.when;
                        for says in understood.notes {
                            self.note(*line, format!("class `{name}`: {says}"));
                        }
                    }
                    Err(why) => self.note(*line, format!("class `{name}`: the test is not taken over: {why}")),
                },
                (key, _) => self.leftover(*line, key, value),
            }
        }
        made.lease = scope.lease;
        made.options = std::mem::take(&mut scope.options);
        self.network.classes.retain(|class| class.name != name);
        self.network.classes.push(made);
    }
}

/// Members that [`Kea::scope`] reads.
const SCOPE: &[&str] =
    &["option-data", "valid-lifetime", "interface", "boot-file-name", "next-server", "server-hostname"];

/// Data of an option in Kea's comma-separated form; a comma in a text is `\,`.
fn items(code: u8, data: &str) -> Vec<Item> {
    let is_text = options::by_code(code).is_some_and(|kind| kind.of == options::OptionType::Text);
    if is_text {
        return vec![Item::Text(data.replace("\\,", ",").into_bytes())];
    }
    let is_octets = options::by_code(code)
        .is_some_and(|kind| matches!(kind.of, options::OptionType::Octets | options::OptionType::SubOptions));
    if is_octets {
        return octets_of(data).map(|octets| vec![Item::Text(octets)]).unwrap_or_default();
    }
    data.split(',').map(str::trim).filter(|part| !part.is_empty()).map(Item::word).collect()
}

/// `0x0102`, `0102`, `01:02`, `01 02`, or text in single quotes.
fn octets_of(data: &str) -> Option<Vec<u8>> {
    let data = data.trim();
    match data.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        Some(text) => Some(text.as_bytes().to_vec()),
        None => hex_word(data),
    }
}

/// Octets of an identifier, 1 to 255.
fn identifier(text: &str) -> Option<Vec<u8>> {
    octets_of(text).filter(|octets| (1..=255).contains(&octets.len()))
}

/// `192.0.2.10 - 192.0.2.99` or `192.0.2.64/26`.
fn pool_range(text: &str) -> Option<(Ipv4Addr, Ipv4Addr)> {
    if let Some((first, last)) = text.split_once('-') {
        return Some((first.trim().parse().ok()?, last.trim().parse().ok()?));
    }
    let net = text.trim().parse::<Ipv4Net>().ok()?;
    Some((net.network(), net.broadcast()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::Notes;

    #[test]
    fn ranges_and_octets() {
        assert_eq!(pool_range("192.0.2.10-192.0.2.20"), Some(([192, 0, 2, 10].into(), [192, 0, 2, 20].into())));
        assert_eq!(pool_range("192.0.2.64/30"), Some(([192, 0, 2, 64].into(), [192, 0, 2, 67].into())));
        assert_eq!(pool_range("192.0.2.64"), None);
        assert_eq!(identifier("'sw-1'"), Some(b"sw-1".to_vec()));
        assert_eq!(identifier("01:0a:b"), Some(vec![1, 10, 11]));
        assert_eq!(identifier("0x0102"), Some(vec![1, 2]));
        assert_eq!(identifier("xyz"), None);
        let mut notes = Notes::default();
        notes.add(1, "x".repeat(1_000));
        assert_eq!(notes.into_sorted().0[0].says.len(), 300);
    }
}
