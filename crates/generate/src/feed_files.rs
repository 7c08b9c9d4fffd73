//! Files with which Prometheus, Grafana and Zabbix take the figures of `/metrics`.

use std::net::IpAddr;

use check::ApprovedPlan;

/// Name of each file, below the folder that a person names, and its text before addresses are filled in.
const FILES: [(&str, &str); 6] = [
    ("grafana/dashboards/hotstage.json", include_str!("../assets/feeds/dashboard.json")),
    ("grafana/provisioning/dashboards/hotstage.yml", include_str!("../assets/feeds/grafana-dashboards.yml")),
    ("grafana/provisioning/datasources/hotstage.yml", include_str!("../assets/feeds/grafana-datasource.yml")),
    ("prometheus/hotstage.rules.yml", include_str!("../assets/feeds/hotstage.rules.yml")),
    ("prometheus/prometheus.yml", include_str!("../assets/feeds/prometheus.yml")),
    ("zabbix/hotstage.yaml", include_str!("../assets/feeds/zabbix-hotstage.yaml")),
];

/// The text is no address of HTTP that could be written into the files.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{0}` is no address such as `http://192.0.2.2:8080`")]
pub struct FeedUrlError(String);

/// The files, as path and text. `hotstage` is where the page is, `prometheus` where Grafana asks; both as in
/// `http://192.0.2.2:8080`. The uids in them never change, so that a later version replaces an earlier one.
pub fn feed_files(hotstage: &str, prometheus: &str) -> Result<Vec<(&'static str, String)>, FeedUrlError> {
    let (hotstage, scheme, target) = parts(hotstage)?;
    let (prometheus, ..) = parts(prometheus)?;
    let filled = |text: &str| {
        let text = text.replace("HOTSTAGE_URL", hotstage).replace("HOTSTAGE_SCHEME", scheme);
        text.replace("HOTSTAGE_TARGET", target).replace("PROMETHEUS_URL", prometheus)
    };
    let mut files: Vec<_> = FILES.iter().map(|(path, text)| (*path, filled(text))).collect();
    files.push((SENDER_FILE, for_sender(&filled(ZABBIX_TEMPLATE))));
    Ok(files)
}

/// Zabbix fetches with the one template and is sent to with the other; else they are alike.
const ZABBIX_TEMPLATE: &str = include_str!("../assets/feeds/zabbix-hotstage.yaml");
const SENDER_FILE: &str = "zabbix/hotstage-sender.yaml";
/// What differs: in the one, and in the other.
const SENDER_CHANGES: [(&str, &str); 6] = [
    (
        "Import. Link it to a host and set {$HOTSTAGE.URL} there.",
        "Import. Link it to the host that `services.feeds.zabbix` names.",
    ),
    ("template: hotstage\n", "template: hotstage-sender\n"),
    ("name: hotstage\n", "name: hotstage-sender\n"),
    ("fetched over HTTP by the server or a proxy", "sent by `services.feeds.zabbix` to the server or a proxy"),
    (
        "type: HTTP_AGENT\n          key: hotstage.raw\n          delay: 15s\n",
        "type: TRAP\n          key: hotstage.raw\n          delay: '0'\n",
    ),
    ("          timeout: 5s\n          url: '{$HOTSTAGE.URL}/metrics'\n", ""),
];

/// The template for values that are sent. Its uids are others, and never change either.
fn for_sender(template: &str) -> String {
    let changed = SENDER_CHANGES.iter().fold(template.to_owned(), |text, (from, to)| text.replacen(from, to, 1));
    let changed = changed.replace("(/hotstage/", "(/hotstage-sender/");
    // Without the macro of the address, which nobody asks for.
    let changed = changed.split_once("      macros:\n").map_or(changed.as_str(), |(before, _)| before);
    let mut text = String::with_capacity(changed.len());
    for line in changed.lines() {
        match line.split_once("uuid: ") {
            // The group is one that every Zabbix has.
            Some((before, uid)) if uid != TEMPLATE_GROUP_UID => {
                text.push_str(before);
                text.push_str("uuid: ");
                text.push_str(&other_uid(uid));
            }
            Some(_) | None => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

const TEMPLATE_GROUP_UID: &str = "d005287e85604441a8c86299a7c1465a";

/// Another UUID of version 4: its first half turned round by octets of four bits, marks of version and variant left alone.
fn other_uid(uid: &str) -> String {
    let first = uid.get(..12).unwrap_or_default();
    first.chars().rev().chain(uid.chars().skip(12)).collect()
}

/// Where the plan says that the page is, seen from elsewhere.
pub fn page_url(plan: &ApprovedPlan) -> String {
    let listen = plan.services.listen.http.first();
    let own = listen.map(|listen| listen.ip()).filter(|ip| !ip.is_unspecified());
    let address = own.or(plan.services.address.map(IpAddr::V4)).unwrap_or(IpAddr::from([127, 0, 0, 1]));
    let port = listen.map_or(8080, |listen| listen.port());
    format!("http://{}", std::net::SocketAddr::new(address, port))
}

/// The whole without slashes at its end, the scheme, and what follows it.
fn parts(url: &str) -> Result<(&str, &str, &str), FeedUrlError> {
    let url = url.trim_end_matches('/');
    let harmless = |character: char| character.is_ascii_alphanumeric() || "-._~:/[]".contains(character);
    match url.split_once("://") {
        Some((scheme @ ("http" | "https"), rest)) if !rest.is_empty() && rest.chars().all(harmless) => {
            Ok((url, scheme, rest))
        }
        _ => Err(FeedUrlError(url.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_filled_in_everywhere() {
        let files = feed_files("https://noc.example:8443/", "http://[2001:db8::9]:9090").unwrap();
        for (path, text) in &files {
            assert!(!text.contains("HOTSTAGE_") && !text.contains("PROMETHEUS_URL"), "{path}");
        }
        let text = |end: &str| &files.iter().find(|(path, _)| path.ends_with(end)).unwrap().1;
        assert!(
            text("prometheus.yml").contains("scheme: \"https\"")
                && text("prometheus.yml").contains("[\"noc.example:8443\"]")
        );
        assert!(text("zabbix/hotstage.yaml").contains("value: 'https://noc.example:8443'"));
        assert!(text("datasources/hotstage.yml").contains("url: \"http://[2001:db8::9]:9090\""));
    }

    #[test]
    fn what_would_break_a_file_is_refused() {
        for url in
            ["", "noc.example", "ftp://noc.example", "http://", "http://a\"b", "http://a b", "http://a'", "http://a\n"]
        {
            assert!(feed_files(url, "http://192.0.2.9:9090").is_err(), "{url:?}");
            assert!(feed_files("http://192.0.2.9:9090", url).is_err(), "{url:?}");
        }
    }
}
