/// Figures that a rule of the plan may name, with what each is of; `watch` gets a reading of each every second.
pub const ALERT_METRICS: &[(&str, &str)] = &[
    ("access_point_clients", "an access point"),
    ("clients", "the whole event"),
    ("dhcp_acks_per_second", "the whole event"),
    ("disk_free_bytes", "the state directory"),
    ("disk_free_files", "the state directory"),
    ("disk_hours_left", "the state directory"),
    ("dns_failure_percent", "the whole event"),
    ("dns_hit_percent", "the whole event"),
    ("dns_queries_per_second", "the whole event"),
    ("dns_upstreams_up", "the whole event"),
    ("files_hours_left", "the state directory"),
    ("log_lines_per_second", "the whole event"),
    ("ping_loss_percent", "a device"),
    ("ping_rtt_ms", "a device"),
    ("pool_used_percent", "a pool"),
    ("room_clients", "a room"),
];
