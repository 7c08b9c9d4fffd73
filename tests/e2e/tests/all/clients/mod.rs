//! The life of a client that we did not write: bind, renew, reboot, move to another VLAN, rebind, release; direct and
//! through a relay agent. What the client does is read from the wire, what it has from its interface, what the server
//! thinks from its command line and its metrics.

mod dhclient;
mod dhcpcd;
mod network_manager;
mod networkd;
mod udhcpc;

use std::{process::Command, thread, time::Duration};

use e2e::{DhcpMessage, Kind, Process, RequestState, ready};

use crate::campus::{Campus, Path4};

/// Above the longest timer: leases are of 20 seconds at most.
const LIMIT: Duration = Duration::from_secs(40);

/// How a client comes to ask for the address it had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WakesUp {
    /// Started again, with its lease file.
    Restarted,
    /// Its cable was pulled and put back.
    Replugged,
    /// It does not know the state INIT-REBOOT.
    Never,
}

/// A DHCP client of somebody else.
pub(crate) trait Client: Sync {
    /// Programs it needs.
    fn tools(&self) -> &'static [&'static str];
    /// The shortest lease it takes as it is.
    fn lease_seconds(&self) -> u32 {
        16
    }
    /// The foreground process on `cli0`; `last` is an address to ask for, for those that remember nothing.
    fn command(&self, campus: &Campus, last: Option<&str>) -> Command;
    /// After a reboot.
    fn reboots(&self) -> WakesUp;
    /// After a move to another VLAN.
    fn roams(&self) -> WakesUp;
    /// Has it give its address back; false when it has no means to.
    fn release(&self, campus: &Campus, process: &Process) -> bool;
}

struct Life<'a> {
    client: &'a dyn Client,
    campus: Campus,
    process: Process,
}

impl Life<'_> {
    fn restart(&mut self, last: Option<&str>, meanwhile: impl Fn(&Campus)) {
        self.process.signal("KILL");
        // Dropped, and so waited for, before the next one starts.
        self.process = Process::spawn(&mut Command::new("true")).0;
        self.campus.forget_addresses();
        meanwhile(&self.campus);
        self.campus.wait_for_switch();
        self.process = Process::spawn(&mut self.client.command(&self.campus, last)).0;
    }

    /// Checks an ACK against the client's interface and the server's table; the address and the end of its lease.
    fn bound(&self, reply: &DhcpMessage, prefix: &str) -> (String, i64) {
        let address = reply.yiaddr.to_string();
        assert!(address.starts_with(prefix), "{address} is not in {prefix}0/24");
        self.campus.wait_for_address(&address);
        let lease = self.campus.wait_for_lease(&address, "bound");
        assert_eq!(lease["mac"], reply.mac().as_str(), "{lease:#}");
        (address, lease["expires_seconds"].as_i64().unwrap())
    }

    fn exchange(&mut self, state: RequestState, answer: Kind) -> DhcpMessage {
        self.campus.wire.exchange(state, answer, LIMIT).1
    }

    fn binds(&mut self, prefix: &str) -> (String, i64) {
        let reply = self.exchange(RequestState::Selecting, Kind::Ack);
        self.bound(&reply, prefix)
    }

    /// Renews or rebinds: the same address, for longer.
    fn extends(&mut self, state: RequestState, lease: &(String, i64)) {
        let reply = self.exchange(state, Kind::Ack);
        let prefix = lease.0.clone();
        let (address, ends) = self.bound(&reply, &prefix);
        assert_eq!(address, lease.0);
        assert!(ends > lease.1, "{state:?} did not extend the lease of {address}: {ends}");
    }

    fn reboots(&mut self, lease: &(String, i64)) {
        let before = self.campus.wire.seen().len();
        match self.client.reboots() {
            WakesUp::Restarted => self.restart(None, |_| {}),
            WakesUp::Replugged => {
                self.campus.unplug_client();
                self.campus.plug_client();
            }
            WakesUp::Never => {
                // What it has instead: the address goes into its DISCOVER.
                self.restart(Some(&lease.0), |_| {});
                let reply = self.exchange(RequestState::Selecting, Kind::Ack);
                assert_eq!(reply.yiaddr.to_string(), lease.0);
                return;
            }
        }
        let reply = self.exchange(RequestState::InitReboot, Kind::Ack);
        assert_eq!(self.bound(&reply, &lease.0).0, lease.0);
        let since = &self.campus.wire.seen()[before..];
        assert!(since.iter().all(|message| message.kind != Kind::Discover), "{since:?}");
    }

    /// To VLAN B: told that its address is wrong there, then bound again.
    fn moves(&mut self) -> (String, i64) {
        const NAKS: &str = "hotstage_dhcp_messages_sent_total{type=\"nak\"}";
        let naks = self.campus.metric(NAKS);
        let asks = match self.client.roams() {
            WakesUp::Restarted => {
                self.restart(None, Campus::move_client);
                RequestState::InitReboot
            }
            WakesUp::Replugged => {
                self.campus.unplug_client();
                self.campus.move_client();
                self.campus.plug_client();
                RequestState::InitReboot
            }
            WakesUp::Never => {
                // It has not noticed, so it asks the old server in vain and then everybody.
                self.campus.move_client();
                RequestState::Rebinding
            }
        };
        let refused = self.exchange(asks, Kind::Nak);
        assert!(refused.to.is_broadcast(), "RFC 2131 section 4.3.2: {refused:?}");
        let prefix = self.campus.prefix_b();
        let lease = self.binds(prefix);
        self.campus.wait_for_metric(NAKS, naks + 1);
        lease
    }

    /// The server does not hear unicast any more; the broadcast at T2 saves the lease.
    fn rebinds(&mut self, lease: &(String, i64)) {
        self.campus.server_is_gone();
        self.extends(RequestState::Rebinding, lease);
        self.campus.server_is_back();
    }

    fn releases(&mut self, address: &str) {
        if !self.client.release(&self.campus, &self.process) {
            return;
        }
        let release = self.campus.wire.wait_for("RELEASE", LIMIT, |message| message.kind == Kind::Release);
        assert_eq!(release.ciaddr.to_string(), address);
        self.campus.wait_for_lease(address, "released");
    }
}

/// The whole life of one client on one path.
fn live(client: &dyn Client, path: Path4) {
    let mut campus = Campus::new(path, client.lease_seconds());
    campus.write("resolv.conf", "");
    let process = Process::spawn(&mut client.command(&campus, None)).0;
    campus.wire.seen();
    let mut life = Life { client, campus, process };
    let prefix = life.campus.prefix_a();
    let lease = life.binds(prefix);
    life.extends(RequestState::Renewing, &lease);
    life.reboots(&lease);
    let lease = life.moves();
    life.rebinds(&lease);
    life.releases(&lease.0);
    drop(life.process);
    life.campus.finish();
}

/// Both paths at once: nearly all of the time is waiting for the client's timers.
fn live_on_both_paths(client: &dyn Client) {
    let tools = [&["ip", "tcpdump", "tshark", "nft", "bash", "unshare", "dhcrelay"], client.tools()].concat();
    if !ready(true, &tools) {
        return;
    }
    thread::scope(|scope| {
        let direct = scope.spawn(|| live(client, Path4::Direct));
        let relayed = scope.spawn(|| live(client, Path4::Relayed));
        let ends = [("direct", direct.join()), ("relayed", relayed.join())];
        let failed: Vec<_> = ends.into_iter().filter(|(_, end)| end.is_err()).map(|(path, _)| path).collect();
        assert!(failed.is_empty(), "failed, as said above: {failed:?}");
    });
}

/// The server that gave the lease has another address from one day to the next: unicast finds nobody, the broadcast at
/// T2 finds the server's new identity, and renewals go there.
#[test]
fn a_lease_outlives_the_address_of_its_server() {
    if !ready(true, &["ip", "tcpdump", "tshark", "dhclient"]) {
        return;
    }
    let client = dhclient::Dhclient;
    let campus = Campus::new(Path4::Direct, client.lease_seconds());
    let process = Process::spawn(&mut client.command(&campus, None)).0;
    let mut life = Life { client: &client, campus, process };
    let lease = life.binds("10.77.0.");
    life.campus.renumber_server();
    let reply = life.exchange(RequestState::Rebinding, Kind::Ack);
    assert_eq!((reply.yiaddr.to_string(), reply.server), (lease.0.clone(), Some([10, 77, 0, 3].into())));
    let (request, _) = life.campus.wire.exchange(RequestState::Renewing, Kind::Ack, LIMIT);
    assert_eq!(request.to.octets(), [10, 77, 0, 3]);
    drop(life.process);
    life.campus.finish();
}
