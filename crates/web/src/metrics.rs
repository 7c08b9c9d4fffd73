//! `/metrics` in the Prometheus text format 0.0.4, or OpenMetrics 1.0.0 when asked for.

use std::fmt::Write as _;

use model::{Metric, MetricKind};

/// The form of the text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Form {
    Prometheus,
    OpenMetrics,
}

impl Form {
    /// By the Accept header.
    pub(crate) fn asked_for(accept: &str) -> Self {
        if accept.contains("application/openmetrics-text") { Self::OpenMetrics } else { Self::Prometheus }
    }

    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// How the names of a histogram's parts end.
const HISTOGRAM_PARTS: [&str; 3] = ["_bucket", "_sum", "_count"];

/// All metrics; HELP and TYPE once for each name.
pub(crate) fn text(metrics: &[Metric], form: Form) -> String {
    let mut text = String::with_capacity(metrics.len() * 96);
    let mut last = "";
    for metric in metrics {
        let family = match form {
            Form::Prometheus => metric.name.as_str(),
            // A counter's family has no `_total` (OpenMetrics section 5.1).
            Form::OpenMetrics => metric.name.strip_suffix("_total").unwrap_or(&metric.name),
        };
        let family = match metric.kind {
            MetricKind::Histogram => {
                HISTOGRAM_PARTS.iter().find_map(|part| family.strip_suffix(part)).unwrap_or(family)
            }
            MetricKind::Counter | MetricKind::Gauge => family,
        };
        if family != last {
            let kind = match metric.kind {
                MetricKind::Counter => "counter",
                MetricKind::Gauge => "gauge",
                MetricKind::Histogram => "histogram",
            };
            let help = metric.help.replace('\\', "\\\\").replace('\n', "\\n");
            let _ = write!(text, "# HELP {family} {help}\n# TYPE {family} {kind}\n");
            last = family;
        }
        text.push_str(&metric.name);
        for (index, (key, value)) in metric.labels.iter().enumerate() {
            let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(text, "{}{key}=\"{value}\"", if index == 0 { '{' } else { ',' });
        }
        if !metric.labels.is_empty() {
            text.push('}');
        }
        let _ = writeln!(text, " {}", metric.value);
    }
    if form == Form::OpenMetrics {
        text.push_str("# EOF\n");
    }
    text
}
