//! Models of gear that hotstage knows, with ports and power. The plan may add its own with `[model.NAME]`.

/// What a box of some model is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeviceKind {
    /// Routes.
    Router,
    /// Switches.
    Switch,
    /// Sends Wi-Fi.
    AccessPoint,
    /// Puts power on a cable: port `in` from the switch, port `out` to the device.
    Injector,
    /// A computer, virtual or not.
    Server,
}

/// Power over Ethernet as a port gives it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum PoeStandard {
    /// IEEE 802.3af, 15.4 W at the port.
    Af,
    /// IEEE 802.3at, 30 W at the port.
    At,
    /// IEEE 802.3bt type 3, 60 W at the port.
    Bt,
}

impl PoeStandard {
    /// Watts at the port.
    pub fn port_watts(self) -> f64 {
        match self {
            Self::Af => 15.4,
            Self::At => 30.0,
            Self::Bt => 60.0,
        }
    }
}

/// A port of a model.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ModelPort {
    /// Name in the vendor's spelling, as written in the plan: `GE1.1`, `Gi0/1`.
    pub name: String,
    /// Highest speed, Mb/s.
    pub speed_mbps: u32,
    /// Power it gives.
    pub poe: Option<PoeStandard>,
    /// True for fibre (SFP) ports.
    pub fibre: bool,
}

/// A model of gear.
#[derive(Clone, PartialEq, Debug)]
pub struct DeviceModel {
    /// Key, e.g. `nec-ix2105`.
    pub name: String,
    /// What it is.
    pub kind: DeviceKind,
    /// Its ports.
    pub ports: Vec<ModelPort>,
    /// Watts it can give over PoE in all; 0 for none.
    pub poe_budget_w: f64,
    /// Watts it draws over PoE; 0 when it has a power supply of its own.
    pub poe_draw_w: f64,
    /// Watts it draws from the wall at most.
    pub power_w: f64,
    /// Radios (access points).
    pub radios: u32,
    /// Stations it carries well (access points): all radios together.
    pub clients_max: u32,
    /// It can forward DHCP as a relay agent.
    pub dhcp_relay: bool,
}

impl DeviceModel {
    /// The port named `name`, if the model has it.
    pub fn port(&self, name: &str) -> Option<&ModelPort> {
        self.ports.iter().find(|port| port.name == name)
    }
}

/// Ports that a model may have.
pub(crate) const PORTS_MAX: usize = 1_000;

/// Ports of alike kind: `Gi0/1-8` gives `Gi0/1` to `Gi0/8`, any other name one port.
pub(crate) fn ports(name: &str, speed_mbps: u32, poe: Option<PoeStandard>, fibre: bool) -> Vec<ModelPort> {
    let port = |name: String| ModelPort { name, speed_mbps, poe, fibre };
    let Some((prefix, first, last)) = range(name) else { return vec![port(name.to_owned())] };
    (first..=last).map(|number| port(format!("{prefix}{number}"))).collect()
}

/// Prefix, first and last number of a name such as `Gi0/1-8`.
fn range(name: &str) -> Option<(&str, usize, usize)> {
    let (head, last) = name.rsplit_once('-')?;
    let digits = head.len() - head.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let (prefix, first) = head.split_at(head.len() - digits);
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last && last - first < PORTS_MAX).then_some((prefix, first, last))
}

/// Every model that hotstage knows. Figures are the vendors' data sheets where public, else plausible; they are a
/// start, and a plan may describe the gear at hand with `[model.NAME]`.
pub fn builtin() -> Vec<DeviceModel> {
    let mut models = vec![
        router("nec-ix2105", &[("GE0", 1_000), ("GE1.1-4", 1_000)], 7.0),
        router("generic-router", &[("wan", 1_000), ("1-4", 1_000)], 15.0),
        router("pfsense", &[("wan", 10_000), ("lan", 10_000), ("1-4", 1_000)], 40.0),
        server("generic-server"),
        injector("poe-injector-af", PoeStandard::Af, 18.0),
        injector("poe-injector-at", PoeStandard::At, 36.0),
    ];
    models.extend(switches());
    models.extend(access_points());
    models
}

fn switches() -> Vec<DeviceModel> {
    let (af, at) = (Some(PoeStandard::Af), Some(PoeStandard::At));
    let mut switches = vec![
        switch("cisco-c3560-24ps", &[("Fa0/1-24", 100, af, false), ("Gi0/1-2", 1_000, None, true)], 370.0, 485.0),
        switch("cisco-c3560-8pc", &[("Fa0/1-8", 100, af, false), ("Gi0/1", 1_000, None, false)], 124.0, 204.0),
        switch("cisco-c3560cx-8pc", &[("Gi0/1-8", 1_000, at, false), ("Gi0/9-12", 1_000, None, false)], 240.0, 285.0),
        switch("cisco-c3750-24ps", &[("Fa1/0/1-24", 100, af, false), ("Gi1/0/1-2", 1_000, None, true)], 370.0, 540.0),
        switch("cisco-c3850-24p", &[("Gi1/0/1-24", 1_000, at, false), ("Te1/1/1-4", 10_000, None, true)], 435.0, 715.0),
        switch("netgear-gs108e", &[("1-8", 1_000, None, false)], 0.0, 5.0),
        switch("netgear-gs110tp", &[("g1-8", 1_000, af, false), ("g9-10", 1_000, None, true)], 46.0, 59.0),
        switch("netgear-gs728tpp", &[("g1-24", 1_000, at, false), ("g25-28", 1_000, None, true)], 384.0, 480.0),
        switch("generic-switch-8", &[("1-8", 1_000, None, false)], 0.0, 6.0),
        switch("generic-switch-8-poe", &[("1-8", 1_000, at, false)], 120.0, 140.0),
        switch("generic-switch-24-poe", &[("1-24", 1_000, at, false), ("25-28", 10_000, None, true)], 370.0, 430.0),
    ];
    // The name that people write when they do not mind which Catalyst 3560 it is.
    let mut plain = switches[0].clone();
    plain.name = "cisco-c3560".into();
    switches.push(plain);
    for switch in &mut switches {
        // The Catalysts route and relay; the others only switch.
        switch.dhcp_relay = switch.name.starts_with("cisco-");
    }
    switches
}

fn access_points() -> Vec<DeviceModel> {
    // Draws at full radios on 802.3at; on 802.3af these run with fewer chains, as their data sheets say. Stations
    // carried well are a planner's figure for a dense room, illustrative.
    vec![
        access_point("cisco-ap-3702i", &[("eth0", 1_000), ("aux", 1_000)], 16.1, 70),
        access_point("cisco-ap-2702i", &[("eth0", 1_000), ("aux", 1_000)], 15.0, 60),
        access_point("generic-ap-ac", &[("eth0", 1_000)], 13.0, 50),
        access_point("generic-ap-ax", &[("eth0", 2_500)], 20.0, 80),
    ]
}

/// A model without power over Ethernet or radios.
fn plain(name: &str, kind: DeviceKind, ports: Vec<ModelPort>, power_w: f64) -> DeviceModel {
    DeviceModel {
        name: name.into(),
        kind,
        ports,
        poe_budget_w: 0.0,
        poe_draw_w: 0.0,
        power_w,
        radios: 0,
        clients_max: 0,
        dhcp_relay: false,
    }
}

fn copper(names: &[(&str, u32)]) -> Vec<ModelPort> {
    names.iter().flat_map(|(name, speed)| ports(name, *speed, None, false)).collect()
}

fn router(name: &str, names: &[(&str, u32)], power_w: f64) -> DeviceModel {
    DeviceModel { dhcp_relay: true, ..plain(name, DeviceKind::Router, copper(names), power_w) }
}

fn server(name: &str) -> DeviceModel {
    plain(name, DeviceKind::Server, copper(&[("eth0", 1_000), ("eth1", 1_000)]), 65.0)
}

fn injector(name: &str, standard: PoeStandard, power_w: f64) -> DeviceModel {
    let mut all = ports("in", 1_000, None, false);
    all.extend(ports("out", 1_000, Some(standard), false));
    DeviceModel { poe_budget_w: standard.port_watts(), ..plain(name, DeviceKind::Injector, all, power_w) }
}

fn switch(
    name: &str,
    groups: &[(&str, u32, Option<PoeStandard>, bool)],
    poe_budget_w: f64,
    power_w: f64,
) -> DeviceModel {
    let all = groups.iter().flat_map(|(name, speed, poe, fibre)| ports(name, *speed, *poe, *fibre)).collect();
    DeviceModel { poe_budget_w, ..plain(name, DeviceKind::Switch, all, power_w) }
}

fn access_point(name: &str, names: &[(&str, u32)], poe_draw_w: f64, clients_max: u32) -> DeviceModel {
    DeviceModel { poe_draw_w, radios: 2, clients_max, ..plain(name, DeviceKind::AccessPoint, copper(names), 0.0) }
}
