//! `hotstage check`.

use anyhow::Result;
use model::{Finding, Severity};
use plan::Plan;
use serde_json::json;

use crate::{
    Answer,
    args::{Check, CheckFormat},
    output, plan_dir,
};

pub(crate) fn run(arguments: &Check) -> Result<Answer> {
    let plan = plan_dir::load(&arguments.plan)?;
    let findings = ::check::check(&plan);
    match arguments.format {
        CheckFormat::Human => human(&plan, &findings)?,
        CheckFormat::Json => output::json(&as_json(&plan, &findings))?,
        CheckFormat::Sarif => output::json(&as_sarif(&findings))?,
    }
    Ok(if count(&findings, Severity::Error) > 0 { Answer::Bad } else { Answer::Good })
}

fn count(findings: &[Finding], severity: Severity) -> usize {
    findings.iter().filter(|finding| finding.severity == severity).count()
}

/// A finding as one sentence with its place and remedy.
pub(crate) fn sentence(finding: &Finding) -> String {
    let Finding { code, severity, place, at, says, remedy } = finding;
    format!("{severity}[{code}] {at}: {place}: {says}\n    {remedy}")
}

fn human(plan: &Plan, findings: &[Finding]) -> Result<()> {
    for finding in findings {
        output::line(&sentence(finding))?;
    }
    let (bytes, files) = (plan.services.telemetry_bytes_max, plan::TELEMETRY_FILES_MAX);
    #[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
    let gib = bytes as f64 / f64::from(1_u32 << 30);
    output::line(&format!("telemetry will take at most {gib:.1} GiB in {files} files, whoever sends it"))?;
    let (errors, warnings, infos) =
        (count(findings, Severity::Error), count(findings, Severity::Warning), count(findings, Severity::Info));
    let verdict = if errors + warnings == 0 { "clean: " } else { "" };
    output::line(&format!("{verdict}{errors} errors, {warnings} warnings, {infos} notes"))
}

fn as_json(plan: &Plan, findings: &[Finding]) -> serde_json::Value {
    let list: Vec<_> = findings
        .iter()
        .map(|finding| {
            json!({
                "code": finding.code,
                "severity": finding.severity,
                "place": finding.place,
                "file": finding.at.file,
                "line": finding.at.line,
                "says": finding.says,
                "remedy": finding.remedy,
            })
        })
        .collect();
    json!({
        "findings": list,
        "summary": {
            "errors": count(findings, Severity::Error),
            "warnings": count(findings, Severity::Warning),
            "infos": count(findings, Severity::Info),
        },
        "ceilings": {
            "telemetry_bytes": plan.services.telemetry_bytes_max,
            "telemetry_files": plan::TELEMETRY_FILES_MAX,
        },
    })
}

/// SARIF 2.1.0 (OASIS), for editors and code hosts.
fn as_sarif(findings: &[Finding]) -> serde_json::Value {
    let rules: Vec<_> = ::check::RULES
        .iter()
        .map(|rule| json!({ "id": rule.code, "shortDescription": { "text": rule.says } }))
        .collect();
    let results: Vec<_> = findings
        .iter()
        .map(|finding| {
            let level = match finding.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
                Severity::Info => "note",
            };
            let mut physical = json!({ "artifactLocation": { "uri": finding.at.file } });
            if finding.at.line > 0 {
                physical["region"] = json!({ "startLine": finding.at.line });
            }
            json!({
                "ruleId": finding.code,
                "level": level,
                "message": { "text": format!("{}: {}. {}", finding.place, finding.says, finding.remedy) },
                "locations": [{ "physicalLocation": physical }],
            })
        })
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "hotstage", "version": env!("CARGO_PKG_VERSION"), "rules": rules } },
            "results": results,
        }],
    })
}
