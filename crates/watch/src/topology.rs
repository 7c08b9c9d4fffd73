//! Which device is reached through which, seen from where the services run.

use std::collections::BTreeMap;

use model::DeviceId;

/// The next device on the way from each device to the services; a device without one is next to them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Topology {
    parents: BTreeMap<DeviceId, DeviceId>,
}

impl Topology {
    /// From pairs of a device and its parent.
    pub fn new(parents: impl IntoIterator<Item = (DeviceId, DeviceId)>) -> Self {
        Self { parents: parents.into_iter().collect() }
    }

    /// The device whose failure explains that `device` is not reached: the one nearest to the services on the way there
    /// that is down itself. `None` when every device on the way is up. O(depth); a circle of parents ends.
    pub fn cause<'a>(&'a self, device: &'a DeviceId, is_down: impl Fn(&DeviceId) -> bool) -> Option<&'a DeviceId> {
        let mut found = None;
        let mut at = device;
        // A device is passed at most once, or the parents are a circle.
        for _ in 0..self.parents.len() {
            let Some(parent) = self.parents.get(at) else { break };
            if parent == device {
                break;
            }
            if is_down(parent) {
                found = Some(parent);
            }
            at = parent;
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(parents: &[(&str, &str)], down: &[&str], device: &str, cause: Option<&str>) {
        let topology = Topology::new(parents.iter().map(|(child, parent)| ((*child).into(), (*parent).into())));
        let device = DeviceId::from(device);
        let found = topology.cause(&device, |device| down.contains(&device.as_str()));
        assert_eq!(found.map(DeviceId::as_str), cause, "{parents:?} {down:?}");
    }

    #[test]
    fn the_nearest_failure_to_us_explains_the_rest() {
        let tree = [("ap", "access"), ("access", "core"), ("core", "edge")];
        check(&tree, &["ap"], "ap", None);
        check(&tree, &["ap", "access"], "ap", Some("access"));
        check(&tree, &["ap", "access", "core"], "ap", Some("core"));
        check(&tree, &["ap", "core"], "ap", Some("core"));
        check(&tree, &["edge"], "unknown", None);
    }

    #[test]
    fn a_circle_of_parents_ends() {
        check(&[("a", "b"), ("b", "c"), ("c", "b")], &["b", "c"], "a", Some("b"));
        check(&[("a", "a")], &["a"], "a", None);
        check(&[("a", "b"), ("b", "a")], &["a", "b"], "a", Some("b"));
    }
}
