//! Rules over figures: those that ship, and those of the plan.

use std::time::Duration;

use model::Severity;
use plan::{AlertRule, Plan, Threshold};
use watch::{Comparison, Rule};

/// Log lines a second that are a storm, whatever the plan expects.
const LOG_STORM_MIN: f64 = 1_000.0;
/// How many times the planned mean is a storm.
const LOG_STORM_FACTOR: f64 = 50.0;
const SECONDS_PER_DAY: f64 = 86_400.0;
/// 85 in 100 of the 65,535 entries that small routers hold; a plan whose routers hold more has a rule of its own.
const NAPT_ENTRIES_FULL: f64 = 55_000.0;

/// A rule of the plan replaces the one that ships of the same name.
pub(crate) fn rules(plan: &Plan) -> Vec<Rule> {
    let own: Vec<Rule> = plan.alerts.iter().map(of_plan).collect();
    let shipped = shipped(plan).into_iter().filter(|shipped| own.iter().all(|own| own.code != shipped.code));
    shipped.chain(own.iter().cloned()).collect()
}

fn shipped(plan: &Plan) -> Vec<Rule> {
    let lines_per_second = plan.services.log_lines_per_day.unwrap_or(0) as f64 / SECONDS_PER_DAY;
    let log_storm = (lines_per_second * LOG_STORM_FACTOR).max(LOG_STORM_MIN);
    let rule = |code: &str, metric: &str, comparison, threshold, seconds, severity, words: [&str; 3]| Rule {
        code: code.to_owned(),
        metric: metric.to_owned(),
        name: None,
        comparison,
        threshold,
        hold: Duration::from_secs(seconds),
        severity,
        says: words[0].to_owned(),
        cause: words[1].to_owned(),
        remedy: words[2].to_owned(),
    };
    let (above, below) = (Comparison::Above, Comparison::Below);
    let (error, warning) = (Severity::Error, Severity::Warning);
    let mut rules = vec![
        rule(
            "dns-failures",
            "dns_failure_percent",
            above,
            10.0,
            30,
            error,
            [
                "DNS answers fail",
                "the upstreams or the uplink are in trouble",
                "see `hotstage incidents` for an upstream that is down, and check the uplink",
            ],
        ),
        rule(
            "log-storm",
            "log_lines_per_second",
            above,
            log_storm,
            30,
            warning,
            [
                "devices write far more log lines than planned",
                "a loop, a flapping port or debugging left on",
                "find the loudest with `hotstage logs`, and shut its port or its debugging",
            ],
        ),
        rule(
            "disk-filling",
            "disk_hours_left",
            below,
            6.0,
            300,
            error,
            [
                "the disk will be full soon",
                "logs come faster than planned, or something else writes to the same file system",
                "free space or lower `services.telemetry`",
            ],
        ),
        rule(
            "files-filling",
            "files_hours_left",
            below,
            6.0,
            300,
            error,
            [
                "the file system will have no inodes left soon",
                "another program makes many small files on the same file system",
                "find its folder with `du --inodes` and remove what is old",
            ],
        ),
        rule(
            "device-lossy",
            "ping_loss_percent",
            above,
            20.0,
            60,
            warning,
            [
                "a device loses echoes",
                "a bad cable, a full link or a busy device",
                "check the errors and the speed of its port, then swap the cable",
            ],
        ),
        rule(
            "poe-nearly-spent",
            "poe_used_percent",
            above,
            85.0,
            30,
            warning,
            [
                "a switch has little PoE left",
                "more or hungrier devices than planned",
                "move a device to another switch or an injector before the next one is plugged in",
            ],
        ),
        rule(
            "port-full",
            "port_used_percent",
            above,
            90.0,
            60,
            warning,
            ["a link is full", "more traffic than the link carries", "find who sends it, or add a link"],
        ),
        rule(
            "port-errors",
            "port_errors_per_second",
            above,
            1.0,
            60,
            warning,
            [
                "a port receives broken frames",
                "a bad cable, plug or SFP, or a duplex mismatch",
                "swap the cable, then compare speed and duplex of both ends",
            ],
        ),
        rule(
            "device-hot",
            "temperature_celsius",
            above,
            70.0,
            60,
            warning,
            [
                "a device is hot",
                "no air around it, a dead fan or the sun",
                "give it air, look at its fans, and move it out of the sun",
            ],
        ),
        rule(
            "napt-nearly-full",
            "napt_entries",
            above,
            NAPT_ENTRIES_FULL,
            30,
            error,
            [
                "the NAPT table of a router is nearly full",
                "many clients, or one that opens thousands of connections",
                "find the client with most connections on the router, shorten the NAPT timeouts, or share the load",
            ],
        ),
        rule(
            "airtime-full",
            "airtime_used_percent",
            above,
            70.0,
            120,
            warning,
            [
                "the air around an access point is full",
                "too many stations, a slow station, or another network on the channel",
                "move it to another channel, make its channels narrower, or add an access point on another one",
            ],
        ),
        rule(
            "device-busy",
            "cpu_used_percent",
            above,
            90.0,
            60,
            warning,
            [
                "a device has no processor time left",
                "a loop, a flood of broadcasts, or more traffic than it can forward",
                "look for a loop, and at what is new in its log",
            ],
        ),
    ];
    if !plan.services.dns.upstreams.is_empty() {
        rules.push(rule(
            "uplink-down",
            "dns_upstreams_up",
            below,
            1.0,
            10,
            error,
            [
                "no DNS upstream answers",
                "the uplink or the tunnel is down",
                "check the edge router, its uplink port and the provider",
            ],
        ));
    }
    rules
}

fn of_plan(rule: &AlertRule) -> Rule {
    let (comparison, threshold) = match rule.threshold {
        Threshold::Above(threshold) => (Comparison::Above, threshold),
        Threshold::Below(threshold) => (Comparison::Below, threshold),
    };
    Rule {
        code: rule.name.clone(),
        metric: rule.metric.clone(),
        name: rule.of.clone(),
        comparison,
        threshold,
        hold: rule.hold,
        severity: rule.severity,
        says: rule.says.clone(),
        cause: String::new(),
        remedy: rule.remedy.clone(),
    }
}
