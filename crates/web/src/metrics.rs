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
        if metric.name != last {
            let kind = match metric.kind {
                MetricKind::Counter => "counter",
                MetricKind::Gauge => "gauge",
            };
            let help = metric.help.replace('\\', "\\\\").replace('\n', "\\n");
            let _ = write!(text, "# HELP {family} {help}\n# TYPE {family} {kind}\n");
            last = &metric.name;
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
