//! The command line. Stable: scripts and acceptance checks use it.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};

/// The network operations centre of an event in one program.
#[derive(Parser, Debug)]
#[command(name = "hotstage", version, about, long_about = None, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Start a plan: an empty one with comments, an example, or last year's with its dates shifted
    Init(Init),
    /// Say what is wrong with a plan; exit 0 clean, 1 errors found, 2 could not run
    Check(Check),
    /// Say what was understood: days, people, rooms, pools, loads, gear
    Show(Show),
    /// Play the event with a simulated crowd, in virtual time or with real packets
    Rehearse(Rehearse),
    /// Run DHCP, DNS, syslog and the live page for the event
    Run(Run),
    /// Take the changed plan into the services that run, or say what would change
    Reload(Reload),
    /// List, watch or take away the leases of a state directory
    Leases(Leases),
    /// Ask the DNS service that runs
    Dns(Dns),
    /// Start a plan from another server's configuration, or take over its leases
    Import(Import),
    /// Find log lines in a state directory
    Logs(Logs),
    /// List the samples of a state directory
    Samples(Samples),
    /// List the incidents of a state directory
    Incidents(Incidents),
    /// List the alerts that are open, take one or silence some
    Alerts(Alerts),
    /// Write files with which Prometheus, Grafana and Zabbix take the figures
    Feeds(Feeds),
    /// Write what was planned and what happened, side by side
    Report(Report),
}

/// The plan, and values overridden for this run.
#[derive(Args, Debug, Clone)]
pub(crate) struct PlanArguments {
    /// The plan directory
    pub(crate) dir: PathBuf,
    /// Override a value of the plan for this run, e.g. `vlan.attendee.dhcp.lease=30m`; may repeat
    #[arg(long = "set", value_name = "PATH=VALUE")]
    pub(crate) set: Vec<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Init {
    /// The plan directory to make; must not exist or be empty
    pub(crate) dir: PathBuf,
    /// Start from an example that comes with hotstage
    #[arg(long, value_name = "NAME", conflicts_with = "from")]
    pub(crate) example: Option<String>,
    /// Start from another plan directory, its dates shifted
    #[arg(long, value_name = "OLD_DIR")]
    pub(crate) from: Option<PathBuf>,
    /// First day of the new event, `YYYY-MM-DD`; with `--from`, default the same weekday a year later
    #[arg(long, value_name = "DATE", requires = "from")]
    pub(crate) first_day: Option<String>,
    /// Take days, rooms and programme from a timetable: frab or pretalx JSON, schedule.xml
    #[arg(long, value_name = "FILE", conflicts_with_all = ["from", "example"])]
    pub(crate) timetable: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum CheckFormat {
    /// For people
    Human,
    /// `{"findings": [...], "summary": {...}}`
    Json,
    /// SARIF 2.1.0, for editors and code hosts
    Sarif,
}

#[derive(Args, Debug)]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) plan: PlanArguments,
    #[arg(long, value_enum, default_value = "human")]
    pub(crate) format: CheckFormat,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum TextFormat {
    /// For people
    Human,
    /// For programs
    Json,
}

#[derive(Args, Debug)]
pub(crate) struct Show {
    #[command(flatten)]
    pub(crate) plan: PlanArguments,
    #[arg(long, value_enum, default_value = "human")]
    pub(crate) format: TextFormat,
}

#[derive(Args, Debug)]
pub(crate) struct Feeds {
    #[command(flatten)]
    pub(crate) plan: PlanArguments,
    /// The folder to make; must not exist or be empty
    #[arg(short = 'o', long, value_name = "OUT")]
    pub(crate) out: PathBuf,
    /// Where the page is, e.g. `http://192.0.2.2:8080`; by default what the plan says
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// Where Grafana finds Prometheus
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9090")]
    pub(crate) prometheus: String,
}

#[derive(Args, Debug)]
pub(crate) struct Rehearse {
    #[command(flatten)]
    pub(crate) plan: PlanArguments,
    /// Real packets against the real services on loopback, time compressed
    #[arg(long, conflicts_with = "runs")]
    pub(crate) live: bool,
    /// How many times faster than the wall clock; default so that the event takes 90 seconds
    #[arg(long, value_name = "X", requires = "live")]
    pub(crate) speed: Option<f64>,
    /// State directory of the services; default one made for this rehearsal beside the report
    #[arg(long, value_name = "DIR", requires = "live")]
    pub(crate) state: Option<PathBuf>,
    /// Where the report goes; default `out/NAME-rehearsal`
    #[arg(long, short = 'o', value_name = "DIR", requires = "live")]
    pub(crate) out: Option<PathBuf>,
    /// Where the live page listens during a live rehearsal
    #[arg(long, value_name = "A:P", requires = "live")]
    pub(crate) listen_http: Option<SocketAddr>,
    /// Most DNS queries a second of wall time that a live rehearsal sends; beyond it they are thinned out
    #[arg(long, value_name = "N", requires = "live", default_value_t = 2_000.0)]
    pub(crate) dns_rate_max: f64,
    /// Write every lease that the crowd was told of to this CSV file, as it comes
    #[arg(long, value_name = "FILE", requires = "live")]
    pub(crate) ledger: Option<PathBuf>,
    /// Runs in virtual time, each with another seed
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) runs: u32,
    /// Seed of the crowd; the same seed gives the same bytes
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub(crate) seed: u64,
    #[arg(long, value_enum, default_value = "human")]
    pub(crate) format: TextFormat,
}

#[derive(Args, Debug)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) plan: PlanArguments,
    /// The state directory: leases, logs, samples, incidents
    #[arg(long, value_name = "DIR")]
    pub(crate) state: PathBuf,
    /// Which site's services to run; default the site of the plan with `services = true`
    #[arg(long, value_name = "NAME")]
    pub(crate) site: Option<String>,
    /// Listen for DHCP here instead of where the plan says; may repeat
    #[arg(long, value_name = "A:P")]
    pub(crate) listen_dhcp: Vec<SocketAddr>,
    /// Listen for DHCPv6 here instead of where the plan says, e.g. `[::]:547`; may repeat
    #[arg(long, value_name = "[A]:P")]
    pub(crate) listen_dhcp6: Vec<SocketAddr>,
    /// Listen for DNS here instead of where the plan says; may repeat
    #[arg(long, value_name = "A:P")]
    pub(crate) listen_dns: Vec<SocketAddr>,
    /// Listen for DNS over TLS here instead of where the plan says; may repeat
    #[arg(long, value_name = "A:P")]
    pub(crate) listen_dns_tls: Vec<SocketAddr>,
    /// Listen for DNS over HTTPS here instead of where the plan says; may repeat
    #[arg(long, value_name = "A:P")]
    pub(crate) listen_dns_https: Vec<SocketAddr>,
    /// Listen for syslog here instead of where the plan says; may repeat
    #[arg(long, value_name = "A:P")]
    pub(crate) listen_syslog: Vec<SocketAddr>,
    /// Listen for syslog over TLS here instead of where the plan says; may repeat
    #[arg(long, value_name = "A:P")]
    pub(crate) listen_syslog_tls: Vec<SocketAddr>,
    /// Listen for flows (NetFlow 5 and 9, IPFIX, sFlow) here instead of where the plan says; may repeat
    #[arg(long, value_name = "A:P")]
    pub(crate) listen_flows: Vec<SocketAddr>,
    /// Serve the live page here instead of where the plan says; may repeat
    #[arg(long, value_name = "A:P")]
    pub(crate) listen_http: Vec<SocketAddr>,
    /// Logs of hotstage itself as JSON lines on stderr
    #[arg(long)]
    pub(crate) log_json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum TableFormat {
    /// Columns for people
    Table,
    /// One JSON array
    Json,
    /// RFC 4180 with a header
    Csv,
}

/// Which records, and how they are shown.
#[derive(Args, Debug, Clone)]
pub(crate) struct RecordArguments {
    /// The state directory
    #[arg(long, value_name = "DIR")]
    pub(crate) state: PathBuf,
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: TableFormat,
}

/// A span of time.
#[derive(Args, Debug, Clone)]
pub(crate) struct SpanArguments {
    /// Not before: RFC 3339 (`2019-09-16T09:00:00+09:00`) or seconds since 1970
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// Not after
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Reload {
    /// The state directory of the services that run
    #[arg(long, value_name = "DIR")]
    pub(crate) state: PathBuf,
    /// Do it; without, only say what would change
    #[arg(long)]
    pub(crate) apply: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Dns {
    #[command(subcommand)]
    pub(crate) command: DnsCommand,
}

#[derive(Subcommand, Debug)]
pub(crate) enum DnsCommand {
    /// Who is asked for names that are not ours, and how each does
    Upstreams(DnsState),
    /// Why a name is answered as it is: what is kept, our own names, upstreams
    Explain(DnsExplain),
    /// Who asks most, and for what, in the last hour at most; counted when the plan has `dns.top = true`
    Top(DnsTop),
    /// Forget answers of upstreams
    Flush(DnsFlush),
}

#[derive(Args, Debug)]
pub(crate) struct DnsTop {
    /// How many names and clients
    #[arg(long, default_value_t = 20, value_name = "COUNT")]
    pub(crate) most: usize,
    #[command(flatten)]
    pub(crate) state: DnsState,
}

#[derive(Args, Debug)]
pub(crate) struct DnsExplain {
    /// The name
    pub(crate) name: String,
    /// The record type
    #[arg(default_value = "A", value_name = "TYPE")]
    pub(crate) qtype: String,
    #[command(flatten)]
    pub(crate) state: DnsState,
}

#[derive(Args, Debug)]
pub(crate) struct DnsFlush {
    /// One name, all its types
    #[arg(required_unless_present_any = ["suffix", "all"], conflicts_with_all = ["suffix", "all"])]
    pub(crate) name: Option<String>,
    /// A name and all below it
    #[arg(long, value_name = "NAME", conflicts_with = "all")]
    pub(crate) suffix: Option<String>,
    /// Everything
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) state: DnsState,
}

#[derive(Args, Debug)]
pub(crate) struct DnsState {
    /// The state directory of the services that run
    #[arg(long, value_name = "DIR")]
    pub(crate) state: PathBuf,
}

#[derive(Args, Debug)]
pub(crate) struct Leases {
    #[command(flatten)]
    pub(crate) records: RecordArguments,
    /// Only IPv6 leases
    #[arg(long, conflicts_with_all = ["watch", "release"])]
    pub(crate) v6: bool,
    /// Only this state
    #[arg(long, value_name = "active|bound|released|declined|expired")]
    pub(crate) only: Option<String>,
    /// Only leases whose circuit-id or remote-id (option 82; IPv6: options 18 and 37) contains this
    #[arg(long, value_name = "TEXT")]
    pub(crate) circuit: Option<String>,
    /// Only addresses of this VLAN of the plan; needs `--plan`
    #[arg(long, value_name = "NAME", requires = "plan")]
    pub(crate) vlan: Option<String>,
    /// Only leases that came through gear of this room (its name or MAC stands in option 82); needs `--plan`
    #[arg(long, value_name = "ROOM", requires = "plan")]
    pub(crate) room: Option<String>,
    /// Only leases that came through this access point or switch; needs `--plan`
    #[arg(long, value_name = "DEVICE", requires = "plan")]
    pub(crate) device: Option<String>,
    /// The plan that rooms, devices and VLANs are looked up in
    #[arg(long, value_name = "DIR")]
    pub(crate) plan: Option<PathBuf>,
    /// Go on showing changes as they happen, until interrupted
    #[arg(long, conflicts_with = "release")]
    pub(crate) watch: bool,
    /// Take this lease away from its client; the services must run
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) release: Option<std::net::IpAddr>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum ImportSource {
    /// Kea's JSON configuration, or its lease file (CSV)
    Kea,
    /// ISC dhcpd's `dhcpd.conf`, or its `dhcpd.leases`
    Dhcpd,
    /// `dnsmasq.conf`, or `dnsmasq.leases`
    Dnsmasq,
}

#[derive(Args, Debug)]
pub(crate) struct Import {
    /// Whose files
    #[arg(value_enum)]
    pub(crate) source: ImportSource,
    /// The configuration to make a plan of
    #[arg(long, value_name = "FILE", requires = "plan_out")]
    pub(crate) config: Option<PathBuf>,
    /// The plan directory to make; must not exist or be empty
    #[arg(long = "out", short = 'o', value_name = "DIR", id = "plan_out")]
    pub(crate) out: Option<PathBuf>,
    /// The lease file to take over
    #[arg(long, value_name = "FILE", requires = "plan", requires = "state", conflicts_with = "config")]
    pub(crate) leases: Option<PathBuf>,
    /// The plan whose subnets the leases belong to
    #[arg(long, value_name = "DIR")]
    pub(crate) plan: Option<PathBuf>,
    /// The state directory that takes the leases; no services may run on it
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum LogsFormat {
    /// Columns for people
    #[value(alias = "text")]
    Table,
    /// One JSON array; with `--follow` one object a line
    Json,
    /// RFC 4180 with a header
    Csv,
    /// The columns of the sealed files; needs `--output`
    Parquet,
}

#[derive(Args, Debug)]
pub(crate) struct Logs {
    /// The state directory
    #[arg(long, value_name = "DIR")]
    pub(crate) state: PathBuf,
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: LogsFormat,
    /// Write to this file instead
    #[arg(long, short = 'o', value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Not before: RFC 3339 (`2019-09-16T09:00:00+09:00`), seconds since 1970, or so long ago (`15m`, `2h`, `1d`)
    #[arg(long, visible_alias = "since", value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// Before this, written in the same way
    #[arg(long, visible_alias = "until", value_name = "TIME")]
    pub(crate) to: Option<String>,
    /// Only lines of this originator, a device of the plan or what the line says; `*` and `?` as in a shell; may repeat
    #[arg(long, visible_alias = "device", value_name = "NAME")]
    pub(crate) host: Vec<String>,
    /// Only lines of the devices of this room; needs `--plan`
    #[arg(long, value_name = "ROOM", requires = "plan", conflicts_with = "host")]
    pub(crate) room: Option<String>,
    /// The plan that rooms and devices are looked up in
    #[arg(long, value_name = "DIR")]
    pub(crate) plan: Option<PathBuf>,
    /// Only lines this severe or worse: emergency, alert, critical, error, warning, notice, info, debug
    #[arg(long, value_name = "SEVERITY")]
    pub(crate) severity: Option<String>,
    /// Only lines of this facility, by name (`auth`, `local7`) or number
    #[arg(long, value_name = "FACILITY")]
    pub(crate) facility: Option<String>,
    /// Only lines that tell of this: station, dhcp, link, poe, spanning-tree, login, config, or any of them
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: Option<String>,
    /// Only lines of this program, e.g. `hostapd`, `%LINK-*`; may repeat
    #[arg(long, value_name = "NAME")]
    pub(crate) program: Vec<String>,
    /// Only lines that contain this text, upper and lower case alike
    #[arg(long, value_name = "TEXT")]
    pub(crate) text: Option<String>,
    /// Only lines whose message matches this regular expression; `(?i)` in front for any case
    #[arg(long, value_name = "PATTERN")]
    pub(crate) regex: Option<String>,
    /// At most so many lines, the newest
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    pub(crate) limit: u64,
    /// All lines, however many
    #[arg(long, conflicts_with = "limit")]
    pub(crate) all: bool,
    /// Newest first
    #[arg(long)]
    pub(crate) reverse: bool,
    /// Also so many lines of the same originator before and after each
    #[arg(long, value_name = "N", conflicts_with_all = ["all", "follow", "count"])]
    pub(crate) context: Option<usize>,
    /// Go on with new lines as they come, until interrupted
    #[arg(long, conflicts_with_all = ["all", "reverse", "count", "to"])]
    pub(crate) follow: bool,
    /// Only say how many
    #[arg(long)]
    pub(crate) count: bool,
    /// Only show the link to the log page of the services, with its key
    #[arg(long)]
    pub(crate) page: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Samples {
    #[command(flatten)]
    pub(crate) records: RecordArguments,
    #[command(flatten)]
    pub(crate) span: SpanArguments,
    /// Only this metric, e.g. `clients`
    #[arg(long, value_name = "NAME")]
    pub(crate) metric: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Incidents {
    #[command(flatten)]
    pub(crate) records: RecordArguments,
}

#[derive(Args, Debug)]
pub(crate) struct Alerts {
    /// The state directory of the services that run
    #[arg(long, value_name = "DIR", global = true, default_value = "state")]
    pub(crate) state: PathBuf,
    /// One JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) action: Option<AlertsAction>,
}

#[derive(Subcommand, Debug)]
pub(crate) enum AlertsAction {
    /// Take an alert: it is not told again, but for its end
    Ack {
        /// Its number
        id: u32,
        /// Who takes it
        #[arg(long, value_name = "NAME")]
        by: String,
    },
    /// Tell nobody of some alerts for a while; incidents are still written
    Silence {
        /// Code of a rule, e.g. `device-down`
        #[arg(long)]
        rule: Option<String>,
        /// A device
        #[arg(long)]
        device: Option<String>,
        /// A room
        #[arg(long)]
        room: Option<String>,
        /// For how long
        #[arg(long)]
        minutes: u32,
        /// By whose word
        #[arg(long, value_name = "NAME")]
        by: String,
    },
}

#[derive(Args, Debug)]
pub(crate) struct Report {
    #[command(flatten)]
    pub(crate) plan: PlanArguments,
    /// The state directory
    #[arg(long, value_name = "DIR")]
    pub(crate) state: PathBuf,
    /// Where the files go
    #[arg(long, short = 'o', value_name = "OUT")]
    pub(crate) out: PathBuf,
    /// Languages, best first
    #[arg(long, value_delimiter = ',', default_value = "ja,en")]
    pub(crate) lang: Vec<String>,
}
