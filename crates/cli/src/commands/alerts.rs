//! `hotstage alerts`.

use anyhow::Result;
use daemon::ControlRequest;
use model::AlertAction;

use crate::{
    Answer,
    args::{Alerts, AlertsAction},
    commands::ask_services,
};

pub(crate) fn run(arguments: &Alerts) -> Result<Answer> {
    let request = match &arguments.action {
        None => ControlRequest::Alerts { json: arguments.json },
        Some(AlertsAction::Ack { id, by }) => {
            ControlRequest::HandleAlert(AlertAction::Take { id: *id, by: by.clone() })
        }
        Some(AlertsAction::Silence { rule, device, room, minutes, by }) => {
            ControlRequest::HandleAlert(AlertAction::Silence {
                rule: rule.clone(),
                device: device.clone(),
                room: room.clone(),
                seconds: u64::from(*minutes) * 60,
                by: by.clone(),
            })
        }
    };
    ask_services(&arguments.state, &request)
}
