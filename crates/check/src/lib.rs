//! A validated plan -> findings: what will not work, what may hurt, what is good to know.
//!
//! Findings are data: a stable code, a severity, the thing concerned, the line, what is wrong, what to do.
//! This crate never opens a file, reads no clock, changes no plan and parses nothing (that is `plan`).
//! Start at [`check`] and the table [`RULES`]; each rule is one small function in the module of its family.

mod cables;
mod capacity;
mod dhcp;
mod findings;
mod inventory;
mod ipv6;
mod layer2;
mod layer3;
mod power;
mod process;
mod radio;
mod rules;
mod services;
mod wiring;

use std::ops::Deref;

use model::{Finding, Severity};
use plan::Plan;

pub use rules::{Family, RULES, Rule};

use crate::{findings::Findings, wiring::Wiring};

/// Every finding about `plan`, the worst first, then by file and line. Pure: the same plan gives the same findings.
pub fn check(plan: &Plan) -> Vec<Finding> {
    let wiring = Wiring::of(plan);
    let mut all = Vec::new();
    for rule in RULES {
        let mut findings = Findings::new(rule);
        rule.run(plan, &wiring, &mut findings);
        all.extend(findings.into_vec());
    }
    all.sort_by(|one, other| order(one).cmp(&order(other)));
    all
}

fn order(finding: &Finding) -> (Severity, &model::Place, &str, &str, &str) {
    (finding.severity, &finding.at, finding.code, &finding.place, &finding.says)
}

/// Lets a plan through that has no error. `Err` holds every finding, at least one of them an error.
pub fn approve(plan: Plan) -> Result<ApprovedPlan, Vec<Finding>> {
    let findings = check(&plan);
    if findings.iter().any(|finding| finding.severity == Severity::Error) {
        return Err(findings);
    }
    Ok(ApprovedPlan { plan, findings })
}

/// A plan without errors: the only kind from which settings are generated.
#[derive(Clone, Debug)]
pub struct ApprovedPlan {
    plan: Plan,
    findings: Vec<Finding>,
}

impl ApprovedPlan {
    /// Warnings and notes that remain.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }
}

impl Deref for ApprovedPlan {
    type Target = Plan;

    fn deref(&self) -> &Plan {
        &self.plan
    }
}

#[cfg(test)]
mod tests;
