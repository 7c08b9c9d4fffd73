use std::{
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

use crate::run;

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A network namespace of this test alone; gone when dropped. Loopback is up.
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes one, with a name that no other test has.
    pub fn new(role: &str) -> Self {
        let name = format!("hs{}-{}-{role}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        run("ip", &["netns", "add", &name]);
        let namespace = Self { name };
        namespace.ip(&["link", "set", "lo", "up"]);
        namespace
    }

    /// Its name, for `ip netns exec`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A command that will run inside.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, program]);
        command
    }

    /// Runs `ip` inside; fails the test when `ip` fails.
    pub fn ip(&self, arguments: &[&str]) {
        let mut all = vec!["-n", self.name.as_str()];
        all.extend_from_slice(arguments);
        run("ip", &all);
    }

    /// Connects two namespaces: an interface in each, up, with an address if not empty.
    pub fn connect(&self, interface: &str, address: &str, other: &Self, other_interface: &str, other_address: &str) {
        run(
            "ip",
            &[
                "link",
                "add",
                interface,
                "netns",
                &self.name,
                "type",
                "veth",
                "peer",
                "name",
                other_interface,
                "netns",
                &other.name,
            ],
        );
        for (namespace, interface, address) in [(self, interface, address), (other, other_interface, other_address)] {
            if !address.is_empty() {
                namespace.ip(&["addr", "add", address, "dev", interface]);
            }
            namespace.ip(&["link", "set", interface, "up"]);
        }
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.name]).status();
    }
}
