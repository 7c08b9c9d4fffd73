use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use model::{Place, SiteId};

use super::Build;
use crate::{
    Day, Floor, Room, RoomKind, Site, Walk,
    file::{
        leaf::Moment,
        v1::{FloorTable, RoomTable, SiteTable, WalkTable},
    },
};

/// Rooms that a plan may have.
const ROOMS_MAX: usize = 1_000;

/// Walks between rooms that a plan may have.
const WALKS_MAX: usize = 100_000;

impl Build {
    pub(super) fn rooms(
        &mut self,
        floors: &[FloorTable],
        rooms: &[RoomTable],
        first_day: Option<&Day>,
    ) -> (Vec<Floor>, Vec<Room>) {
        if let Some(beyond) = rooms.get(ROOMS_MAX) {
            let says = format!("there are more than {ROOMS_MAX} rooms");
            self.problems.add(&beyond.here, says, "plan a smaller venue, or several");
        }
        let mut floors = self.floors(floors);
        let stated = !floors.is_empty();
        let mut seen = BTreeMap::new();
        let mut built = Vec::new();
        for table in rooms.iter().take(ROOMS_MAX) {
            let room = self.room(table, floors.first().map(|floor| floor.id.as_str().to_owned()), first_day);
            self.refuse_twice(&mut seen, "room", room.id.as_str(), &table.id.at);
            if !floors.iter().any(|floor| floor.id == room.floor) {
                match &table.floor {
                    Some(floor) if stated => {
                        self.refer(&floor.at, "floor", &floor.value.0, "floor", |names| &names.floors);
                    }
                    _ => {
                        let name = room.floor.as_str().to_owned();
                        floors.push(Floor { id: room.floor.clone(), name, at: table.here.clone() });
                    }
                }
            }
            built.push(room);
        }
        (floors, built)
    }

    fn floors(&mut self, tables: &[FloorTable]) -> Vec<Floor> {
        let mut seen = BTreeMap::new();
        let mut floors = Vec::new();
        for table in tables.iter().take(ROOMS_MAX) {
            let id = table.id.value.0.as_str();
            self.refuse_odd_name("floor", id, &table.id.at);
            self.refuse_twice(&mut seen, "floor", id, &table.id.at);
            let name = table.name.as_ref().map_or(id, |name| &name.value.0).to_owned();
            floors.push(Floor { id: id.into(), name, at: table.here.clone() });
        }
        floors
    }

    fn room(&mut self, table: &RoomTable, first_floor: Option<String>, first_day: Option<&Day>) -> Room {
        let id = table.id.value.0.as_str();
        self.refuse_odd_name("room", id, &table.id.at);
        let floor = match &table.floor {
            Some(floor) => floor.value.0.clone(),
            None => {
                let floor = first_floor.unwrap_or_else(|| "1F".into());
                self.took(&format!("room.{id}.floor"), &floor, "the first floor of the plan");
                floor
            }
        };
        let access = table.access.as_ref().and_then(|access| match access.value {
            Moment::DateTime(moment) => Some(moment),
            Moment::Time(time) => first_day.map(|day| day.date.to_datetime(time)),
        });
        let aliases = table.aliases.iter().flat_map(|aliases| &aliases.0);
        Room {
            id: id.into(),
            name: table.name.as_ref().map_or(id, |name| &name.value.0).to_owned(),
            aliases: aliases.map(|alias| alias.value.0.clone()).collect(),
            floor: floor.into(),
            kind: table.kind.as_ref().map_or(RoomKind::Talk, |kind| kind.value),
            area_m2: table.area_m2.as_ref().map_or(0.0, |area| area.value),
            seats: table.seats.as_ref().map_or(0, |seats| seats.value),
            standing: table.standing.as_ref().map_or(0, |standing| standing.value),
            access,
            at: table.here.clone(),
        }
    }

    pub(super) fn walks(&mut self, tables: &[WalkTable]) -> Vec<Walk> {
        if let Some(beyond) = tables.get(WALKS_MAX) {
            self.problems.add(&beyond.here, format!("there are more than {WALKS_MAX} walks"), "state fewer");
        }
        let mut pairs = BTreeSet::new();
        let mut walks = Vec::new();
        for table in tables.iter().take(WALKS_MAX) {
            let (from, to) = (table.from.value.0.as_str(), table.to.value.0.as_str());
            self.refer(&table.from.at, "from", from, "room", |names| &names.rooms);
            self.refer(&table.to.at, "to", to, "room", |names| &names.rooms);
            let pair = if from < to { (from, to) } else { (to, from) };
            if !pairs.insert(pair) {
                let says = format!("the walk between `{}` and `{}` is stated twice", pair.0, pair.1);
                self.problems.add(&table.here, says, "keep one; a walk goes both ways");
            }
            if let Some(time) = self.walk_time(table) {
                walks.push(Walk { from: from.into(), to: to.into(), time, at: table.here.clone() });
            }
        }
        walks
    }

    fn walk_time(&mut self, table: &WalkTable) -> Option<Duration> {
        /// Nobody walks longer inside a venue.
        const WALK_SECONDS_MAX: f64 = 6.0 * 3_600.0;
        let seconds = match (&table.minutes, &table.seconds) {
            (Some(minutes), None) => minutes.value * 60.0,
            (None, Some(seconds)) => seconds.value,
            (Some(_), Some(seconds)) => {
                self.problems.add(&seconds.at, "a walk has both `minutes` and `seconds`", "keep one of the two");
                return None;
            }
            (None, None) => {
                self.problems.add(&table.here, "a walk has no length", "add `minutes = 2` or `seconds = 90`");
                return None;
            }
        };
        if seconds > WALK_SECONDS_MAX {
            self.problems.add(&table.here, "a walk takes more than six hours", "state a shorter one");
            return None;
        }
        Some(Duration::from_secs_f64(seconds))
    }

    pub(super) fn sites(&mut self, tables: &BTreeMap<String, SiteTable>) -> BTreeMap<SiteId, Site> {
        let any_services = tables.values().any(|table| table.services.as_ref().is_some_and(|claim| claim.value));
        let mut sites = BTreeMap::new();
        for (name, table) in tables {
            self.refuse_odd_name("site", name, &table.here);
            let services = table.services.as_ref().map_or(name == "venue" && !any_services, |claim| claim.value);
            sites.insert(name.as_str().into(), Site { id: name.as_str().into(), services, at: table.here.clone() });
        }
        let at = Place::file("event.toml");
        sites.entry("venue".into()).or_insert(Site { id: "venue".into(), services: !any_services, at });
        sites
    }
}
