//! The drawing as a graph: devices and the cables between them.

use std::collections::{BTreeMap, VecDeque};

use model::{DeviceId, PortRef, VlanName};
use plan::{Device, Link, Plan, catalogue::DeviceKind};

/// Devices and links of a plan. Links whose ends are not devices of the plan are left out.
pub(crate) struct Wiring<'a> {
    pub(crate) devices: Vec<&'a Device>,
    pub(crate) edges: Vec<Edge>,
    index: BTreeMap<&'a DeviceId, usize>,
    /// For each device, the edges at it.
    near: Vec<Vec<usize>>,
}

/// A link between two devices, given by their positions in `devices`.
pub(crate) struct Edge {
    pub(crate) a: usize,
    pub(crate) b: usize,
    pub(crate) link: Link,
}

impl Edge {
    /// The other end.
    pub(crate) fn beyond(&self, device: usize) -> usize {
        if self.a == device { self.b } else { self.a }
    }

    /// The port at `device`.
    pub(crate) fn port_at(&self, device: usize) -> &PortRef {
        if self.a == device { &self.link.a } else { &self.link.b }
    }
}

impl<'a> Wiring<'a> {
    pub(crate) fn of(plan: &'a Plan) -> Self {
        let devices: Vec<&Device> = plan.devices.values().collect();
        let index: BTreeMap<&DeviceId, usize> =
            devices.iter().enumerate().map(|(position, device)| (&device.id, position)).collect();
        let mut near = vec![Vec::new(); devices.len()];
        let mut edges = Vec::new();
        for link in plan.links() {
            let (Some(&a), Some(&b)) = (index.get(&link.a.device), index.get(&link.b.device)) else { continue };
            near[a].push(edges.len());
            if a != b {
                near[b].push(edges.len());
            }
            edges.push(Edge { a, b, link });
        }
        Self { devices, edges, index, near }
    }

    pub(crate) fn position(&self, device: &DeviceId) -> Option<usize> {
        self.index.get(device).copied()
    }

    /// The edges at a device.
    pub(crate) fn at(&self, device: usize) -> impl Iterator<Item = &Edge> {
        self.near[device].iter().map(|&edge| &self.edges[edge])
    }

    /// Which devices frames from `from` can reach over the edges that `passes` lets through. Servers and access
    /// points are ends: nothing passes through them.
    pub(crate) fn reach(&self, from: usize, passes: impl Fn(&Edge) -> bool) -> Vec<bool> {
        let mut reached = vec![false; self.devices.len()];
        reached[from] = true;
        let mut queue = VecDeque::from([from]);
        while let Some(here) = queue.pop_front() {
            if here != from && !forwards(self.devices[here]) {
                continue;
            }
            for edge in self.at(here).filter(|edge| passes(edge)) {
                let next = edge.beyond(here);
                if !std::mem::replace(&mut reached[next], true) {
                    queue.push_back(next);
                }
            }
        }
        reached
    }

    /// True when neither end of the edge states VLANs without `vlan`.
    pub(crate) fn carries(&self, edge: &Edge, vlan: &VlanName) -> bool {
        [edge.a, edge.b].iter().all(|&end| self.port_carries(edge.port_at(end), end, vlan))
    }

    /// True when the port does not state VLANs, or `vlan` is among them.
    pub(crate) fn port_carries(&self, port: &PortRef, device: usize, vlan: &VlanName) -> bool {
        self.devices[device].ports.get(&port.port).is_none_or(|stated| {
            stated.untagged.as_ref() == Some(vlan) || stated.tagged.as_ref().is_none_or(|tagged| tagged.contains(vlan))
        })
    }

    /// A depth-first walk over the edges that `follows` lets through. It starts at each of `first` that was not met,
    /// then at every other device.
    pub(crate) fn walk(&self, first: &[usize], follows: impl Fn(&Edge) -> bool) -> Walked {
        let count = self.devices.len();
        let mut walked = Walked {
            met: Vec::with_capacity(count),
            number: vec![usize::MAX; count],
            low: vec![usize::MAX; count],
            size: vec![1; count],
            parent: vec![None; count],
            in_cycle: vec![false; self.edges.len()],
        };
        for root in first.iter().copied().chain(0..count) {
            if walked.number[root] == usize::MAX {
                self.walk_from(root, &follows, &mut walked);
            }
        }
        walked
    }

    fn walk_from(&self, root: usize, follows: &impl Fn(&Edge) -> bool, walked: &mut Walked) {
        walked.meet(root, None);
        let mut stack = vec![(root, 0)];
        while let Some(top) = stack.last_mut() {
            let here = top.0;
            let Some(&edge) = self.near[here].get(top.1) else {
                stack.pop();
                walked.leave(here, &self.edges);
                continue;
            };
            top.1 += 1;
            let link = &self.edges[edge];
            if walked.parent[here] == Some(edge) || link.a == link.b || !follows(link) {
                continue;
            }
            let next = link.beyond(here);
            if walked.number[next] == usize::MAX {
                walked.meet(next, Some(edge));
                stack.push((next, 0));
            } else {
                walked.in_cycle[edge] = true;
                walked.low[here] = walked.low[here].min(walked.number[next]);
            }
        }
    }
}

/// What a depth-first walk learnt (Tarjan 1972: bridges and articulation points from low points).
pub(crate) struct Walked {
    /// Devices in the order met; those behind a device follow it at once.
    pub(crate) met: Vec<usize>,
    number: Vec<usize>,
    low: Vec<usize>,
    size: Vec<usize>,
    parent: Vec<Option<usize>>,
    /// For each edge, whether it is part of a loop.
    pub(crate) in_cycle: Vec<bool>,
}

impl Walked {
    fn meet(&mut self, device: usize, edge: Option<usize>) {
        self.number[device] = self.met.len();
        self.low[device] = self.met.len();
        self.parent[device] = edge;
        self.met.push(device);
    }

    fn leave(&mut self, device: usize, edges: &[Edge]) {
        let Some(edge) = self.parent[device] else { return };
        let parent = edges[edge].beyond(device);
        self.size[parent] += self.size[device];
        self.low[parent] = self.low[parent].min(self.low[device]);
        if self.low[device] <= self.number[parent] {
            self.in_cycle[edge] = true;
        }
    }

    /// The devices that lose their way to the root when `device` fails.
    pub(crate) fn cut_off_by<'a>(&'a self, device: usize, edges: &'a [Edge]) -> impl Iterator<Item = usize> + 'a {
        let first = self.number[device];
        let behind = &self.met[first..first + self.size[device]];
        let is_child = move |next: usize| self.parent[next].is_some_and(|edge| edges[edge].beyond(next) == device);
        behind
            .iter()
            .copied()
            .filter(move |&next| is_child(next) && self.low[next] >= first)
            .flat_map(|child| self.met[self.number[child]..self.number[child] + self.size[child]].iter().copied())
    }
}

/// True when frames pass through a device: routers (by their built-in hub), switches and injectors.
pub(crate) fn forwards(device: &Device) -> bool {
    match device.model.kind {
        DeviceKind::Router | DeviceKind::Switch | DeviceKind::Injector => true,
        DeviceKind::AccessPoint | DeviceKind::Server => false,
    }
}

/// True when a device is part of the network at the venue: neither spare nor elsewhere.
pub(crate) fn at_venue(device: &Device) -> bool {
    device.site.as_str() == "venue" && device.role != plan::Role::Spare
}

#[cfg(test)]
mod tests {
    use plan::SourceFile;

    use super::*;

    /// Switches `s0` to `s<count - 1>` joined as given.
    fn plan(count: usize, joined: &[(usize, usize)]) -> Plan {
        let mut event = String::from("version = 1\n[event]\nname = \"T\"\ntimezone = \"UTC\"\npeople = 1\n");
        event.push_str("days = [{ date = \"2026-05-16\" }]\n");
        for number in 0..count {
            event.push_str(&format!("[device.s{number}]\nmodel = \"generic-switch-8\"\n"));
        }
        let mut cables = String::from("label,length_m,from,to\n");
        for (number, (a, b)) in joined.iter().enumerate() {
            cables.push_str(&format!("{number},1,s{a}:{number},s{b}:x{number}\n"));
        }
        let file = |name: &str, text: String| SourceFile { name: name.into(), bytes: text.into_bytes() };
        plan::load(&[file("event.toml", event), file("cables.csv", cables)], &[]).expect("a plan")
    }

    fn number(name: &DeviceId) -> usize {
        name.as_str()[1..].parse().expect("a number")
    }

    /// Numbers of the switches that `from` reaches without cable `cable` and switch `device`.
    fn reached(joined: &[(usize, usize)], from: usize, cable: usize, device: usize) -> Vec<usize> {
        let mut reached = vec![from];
        let mut next = 0;
        while let Some(&here) = reached.get(next) {
            next += 1;
            for (_, &(a, b)) in joined.iter().enumerate().filter(|(index, _)| *index != cable) {
                let there = if a == here { b } else { a };
                if (a == here || b == here) && there != device && !reached.contains(&there) {
                    reached.push(there);
                }
            }
        }
        reached
    }

    fn check(count: usize, joined: &[(usize, usize)]) {
        let plan = plan(count, joined);
        let wiring = Wiring::of(&plan);
        let root = wiring.position(&"s0".into()).expect("there is a first");
        let walked = wiring.walk(&[root], |_| true);
        for (index, (a, b)) in joined.iter().enumerate() {
            let looped = a != b && reached(joined, *a, index, usize::MAX).contains(b);
            assert_eq!(walked.in_cycle[index], looped, "cable {index} of {joined:?}");
        }
        for (position, device) in wiring.devices.iter().enumerate().filter(|(position, _)| *position != root) {
            let mut cut: Vec<usize> =
                walked.cut_off_by(position, &wiring.edges).map(|behind| number(&wiring.devices[behind].id)).collect();
            let whole = reached(joined, 0, usize::MAX, usize::MAX);
            let left = reached(joined, 0, usize::MAX, number(&device.id));
            let mut wanted: Vec<usize> =
                whole.iter().copied().filter(|other| !left.contains(other) && *other != number(&device.id)).collect();
            cut.sort_unstable();
            wanted.sort_unstable();
            if whole.contains(&number(&device.id)) {
                assert_eq!(cut, wanted, "without {} of {joined:?}", device.id);
            }
        }
    }

    #[test]
    fn loops_and_cuts_agree_with_taking_each_cable_and_switch_away() {
        check(1, &[(0, 0)]);
        check(2, &[(0, 1), (0, 1)]);
        check(4, &[(0, 1), (1, 2), (2, 0), (2, 3)]);
        // Graphs from a congruential sequence, so that every run tries the same.
        let mut state = 12_345_u64;
        let mut draw = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        for _ in 0..60 {
            let count = 2 + draw(9);
            let cables = draw(14);
            let joined: Vec<(usize, usize)> = (0..cables).map(|_| (draw(count), draw(count))).collect();
            check(count, &joined);
        }
    }

    #[test]
    fn a_long_chain_does_not_exhaust_the_stack() {
        let joined: Vec<(usize, usize)> = (1..5_000).map(|number| (number - 1, number)).collect();
        let plan = plan(5_000, &joined);
        let walked = Wiring::of(&plan).walk(&[], |_| true);
        assert!(walked.in_cycle.iter().all(|looped| !looped));
    }
}
