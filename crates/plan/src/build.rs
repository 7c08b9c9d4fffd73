//! File shape -> [`Plan`]: defaults are filled in, references resolved, contradictions refused.

mod alerts;
mod devices;
mod dhcp;
mod event;
mod feeds;
mod flows;
mod lists;
mod network;
mod option;
mod services;
mod venue;

pub(crate) use event::{hour, is_domain, slug};

use std::collections::{BTreeMap, BTreeSet};

use model::Place;

use crate::{
    DefaultUsed, FILE_NAMES, Override, Plan, Problem, SourceFile,
    file::{
        expand, merge,
        shape::{At, Shape},
        tree::{self, Node, Table, Value},
        v1,
    },
    problem::{Problems, did_you_mean, shown},
    source,
};

/// Reads the files of a plan directory, with values overridden. Every problem is reported at once.
///
/// The order of `files` does not matter. Never panics and never takes long, whatever the bytes.
pub fn load(files: &[SourceFile], overrides: &[Override]) -> Result<Plan, Vec<Problem>> {
    let mut build = Build::default();
    let Some(mut document) = build.document(files) else {
        // Without the tables only the lists can be read; their problems are worth telling too.
        build.inventory(files, overrides);
        build.cables(files, overrides);
        return Err(build.problems.into_sorted());
    };
    for value in overrides {
        value.apply(&mut document, &mut build.problems);
    }
    expand::expand(&mut document, &mut build.problems);
    build.names = Names::of(&document);
    let node = Node { at: Place::file("event.toml"), value: Value::Table(document) };
    let shape = v1::Document::read(&node, "plan", &mut build.problems);
    let plan = shape.and_then(|shape| build.plan(&shape, files, overrides));
    if !build.problems.is_empty() {
        return Err(build.problems.into_sorted());
    }
    plan.ok_or_else(|| {
        vec![Problem { at: Place::file("event.toml"), says: "cannot be read".into(), remedy: String::new() }]
    })
}

/// What is collected while a plan is built.
#[derive(Default)]
struct Build {
    problems: Problems,
    notes: Problems,
    defaults: Vec<DefaultUsed>,
    names: Names,
}

/// Names that others may refer to. A thing that could not be read still has a name, so that one mistake
/// makes one problem.
#[derive(Default)]
struct Names {
    event: bool,
    days: bool,
    rooms: BTreeSet<String>,
    floors: BTreeSet<String>,
    sites: BTreeSet<String>,
    ssids: BTreeSet<String>,
    vlans: BTreeSet<String>,
    classes: BTreeSet<String>,
    devices: BTreeSet<String>,
    models: BTreeSet<String>,
}

impl Names {
    fn of(document: &Table) -> Self {
        let ids = |key: &str| match document.get(key) {
            Some((_, Node { value: Value::Array(items), .. })) => items.iter().filter_map(id).collect(),
            _ => BTreeSet::new(),
        };
        let keys = |key: &str| match document.get(key) {
            Some((_, Node { value: Value::Table(items), .. })) => items.keys().cloned().collect(),
            _ => BTreeSet::new(),
        };
        let mut names = Self {
            event: document.contains_key("event"),
            days: document.contains_key("day") || inline_days(document),
            rooms: ids("room"),
            floors: ids("floor"),
            sites: keys("site"),
            ssids: keys("ssid"),
            vlans: keys("vlan"),
            classes: classes(document),
            devices: keys("device"),
            models: keys("model"),
        };
        names.sites.insert("venue".into());
        names
    }
}

fn classes(document: &Table) -> BTreeSet<String> {
    let Some((_, Node { value: Value::Table(dhcp), .. })) = document.get("dhcp") else { return BTreeSet::new() };
    match dhcp.get("class") {
        Some((_, Node { value: Value::Table(classes), .. })) => classes.keys().cloned().collect(),
        _ => BTreeSet::new(),
    }
}

fn inline_days(document: &Table) -> bool {
    let Some((_, Node { value: Value::Table(event), .. })) = document.get("event") else { return true };
    match event.get("days") {
        Some((_, Node { value: Value::Array(days), .. })) => !days.is_empty(),
        Some(_) => true,
        None => false,
    }
}

fn id(item: &Node) -> Option<String> {
    let Value::Table(table) = &item.value else { return None };
    match &table.get("id")?.1.value {
        Value::Text(text) => Some(text.trim().to_owned()),
        _ => None,
    }
}

impl Build {
    /// The TOML files as one table; `None` when one of them is not TOML or of another version.
    fn document(&mut self, files: &[SourceFile]) -> Option<Table> {
        let mut all = Table::new();
        let mut whole = true;
        self.refuse_strangers(files);
        for name in FILE_NAMES.iter().filter(|name| name.ends_with(".toml")) {
            let Some(file) = files.iter().find(|file| file.name == **name) else { continue };
            let text = source::text(name, &file.bytes, false, &mut self.problems, &mut self.notes);
            let table = text.and_then(|text| tree::parse(name, &text, &mut self.problems));
            let Some(mut table) = table else {
                whole = false;
                continue;
            };
            whole &= merge::version_is_known(name, &mut table, &mut self.problems);
            merge::merge(&mut all, table, &mut self.problems);
        }
        whole.then_some(all)
    }

    fn refuse_strangers(&mut self, files: &[SourceFile]) {
        for file in files {
            if !FILE_NAMES.contains(&file.name.as_str()) {
                let says = format!("`{}` is not a file of a plan", shown(&file.name));
                let remedy = did_you_mean(&file.name, FILE_NAMES.iter().copied());
                self.problems.add(&Place::file(&file.name), says, remedy);
            }
        }
        if !files.iter().any(|file| file.name == "event.toml") {
            let remedy = "write one, or start with `hotstage init DIR`";
            self.problems.add(&Place::file("event.toml"), "is missing", remedy);
        }
    }

    /// The plan, `None` when the event itself is not known (the problems say why).
    fn plan(&mut self, shape: &v1::Document, files: &[SourceFile], overrides: &[Override]) -> Option<Plan> {
        let event_table = match &shape.event {
            Some(event) => Some(event),
            None if !self.names.event => {
                let remedy = "add `[event]` with name, timezone and people";
                self.problems.add(&Place::file("event.toml"), "`[event]` is missing", remedy);
                None
            }
            None => None,
        };
        let event = event_table.map(|table| self.event(table));
        let days = self.days(event_table, &shape.day, event.as_ref().map(|event| event.people));
        let (floors, rooms) = self.rooms(&shape.floor, &shape.room, days.first());
        let walks = self.walks(&shape.walk);
        let sites = self.sites(&shape.site);
        let inventory = self.inventory(files, overrides);
        let vlans = self.vlans(&shape.vlan, inventory.as_deref());
        let dhcp = self.dhcp_server(shape.dhcp.as_ref());
        let ssids = self.ssids(&shape.ssid, &vlans);
        let devices = self.devices(shape, &vlans, &ssids);
        let tunnels = self.tunnels(&shape.tunnel);
        let uplinks = self.uplinks(&shape.uplink);
        let alerts = self.alert_rules(&shape.alert);
        let outlets = self.outlets(&shape.outlet);
        let services = self.services(shape.services.as_ref(), &devices);
        let crowd = self.crowd(shape.crowd.as_ref());
        let privacy = self.privacy(shape.privacy.as_ref(), days.last());
        let cables = self.cables(files, overrides);
        let event = event?;
        let zone = event.time_zone.clone();
        let timetable = self.timetable(files, overrides, &rooms, &days, &zone);
        let roster = self.roster(files, overrides, &zone);
        let notes = std::mem::take(&mut self.notes).into_sorted();
        let defaults = std::mem::take(&mut self.defaults);
        Some(Plan {
            event,
            days,
            floors,
            rooms,
            walks,
            sites,
            ssids,
            vlans,
            dhcp,
            devices,
            tunnels,
            uplinks,
            alerts,
            outlets,
            services,
            crowd,
            privacy,
            inventory,
            cables,
            timetable,
            roster,
            notes,
            defaults,
        })
    }

    /// The value stated, or else `default`, which is kept for `show` with its reason.
    fn or_default<T: Clone + ToString>(&mut self, stated: Option<&At<T>>, path: &str, default: T, reason: &str) -> T {
        match stated {
            Some(stated) => stated.value.clone(),
            None => {
                self.took(path, default.to_string(), reason);
                default
            }
        }
    }

    /// Keeps a value that was taken because the plan is silent.
    fn took(&mut self, path: &str, value: impl Into<String>, reason: &str) {
        self.defaults.push(DefaultUsed { path: path.into(), value: value.into(), reason: reason.into() });
    }

    /// Refuses a reference to a `kind` whose name is not `known`, with a suggestion.
    fn refer(&mut self, at: &Place, what: &str, name: &str, kind: &str, known: fn(&Names) -> &BTreeSet<String>) {
        let known = known(&self.names);
        if !known.contains(name) {
            let says = format!("`{what}`: there is no {kind} `{}`", shown(name));
            self.problems.add(at, says, did_you_mean(name, known.iter().map(String::as_str)));
        }
    }

    /// Refuses the second of two things of one name, naming both places.
    fn refuse_twice(&mut self, seen: &mut BTreeMap<String, Place>, kind: &str, name: &str, at: &Place) -> bool {
        if let Some(first) = seen.get(name) {
            let says = format!("{kind} `{}` is already written at {first}", shown(name));
            self.problems.add(at, says, "give one of them another name");
            return true;
        }
        seen.insert(name.to_owned(), at.clone());
        false
    }

    /// Refuses a key that cannot be a name: it must be short and plain, as it ends up in host names and labels.
    fn refuse_odd_name(&mut self, kind: &str, name: &str, at: &Place) {
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '+');
        if name.is_empty() || name.chars().count() > 63 || !name.chars().all(plain) {
            let says = format!("{kind} `{}` has a name that cannot be used", shown(name));
            self.problems.add(at, says, "use up to 63 letters, digits, `-`, `_` or `+`");
        }
    }
}
