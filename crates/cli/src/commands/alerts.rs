//! `hotstage alerts`.

use anyhow::Result;
use daemon::{AlertId, ControlRequest};

use crate::{
    Answer,
    args::{Alerts, AlertsAction},
    commands::ask_services,
};

pub(crate) fn run(arguments: &Alerts) -> Result<Answer> {
    let request = match &arguments.action {
        None => ControlRequest::Alerts { json: arguments.json },
        Some(AlertsAction::Ack { id, by }) => ControlRequest::AcknowledgeAlert { id: AlertId(*id), by: by.clone() },
        Some(AlertsAction::Silence { rule, device, room, minutes, by }) => ControlRequest::SilenceAlerts {
            rule: rule.clone(),
            device: device.clone(),
            room: room.clone(),
            seconds: u64::from(*minutes) * 60,
            by: by.clone(),
        },
    };
    ask_services(&arguments.state, &request)
}
