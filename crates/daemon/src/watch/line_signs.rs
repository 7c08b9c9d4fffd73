//! What log lines say, handed to the engine that makes alerts of it.

use std::sync::{Arc, Mutex, PoisonError};

use model::LogRef;
use syslog::{LineEvent, PoeWord, SpanningTreeWord};
use watch::{LineSign, LineSigns};

/// Shared by the thread that writes the log and the one that looks for what is wrong.
pub(crate) type SharedSigns = Arc<Mutex<LineSigns>>;

/// Takes the event of a line, if it is one that alerts are made of.
pub(crate) fn take_event(signs: &SharedSigns, record: &LogRef<'_>, event: &LineEvent) {
    if record.host.is_empty() {
        return;
    }
    let Some(sign) = sign(event) else { return };
    signs.lock().unwrap_or_else(PoisonError::into_inner).on_sign(record.received, &record.host, sign);
}

/// Takes the time that a line bears.
pub(crate) fn take_clock(signs: &SharedSigns, record: &LogRef<'_>) {
    let Some(time) = record.device_time.filter(|_| !record.host.is_empty()) else { return };
    let behind = (record.received.as_nanos().saturating_sub(time.as_nanos())) / 1_000_000_000;
    signs.lock().unwrap_or_else(PoisonError::into_inner).on_clock(record.received, &record.host, behind);
}

fn sign(event: &LineEvent) -> Option<LineSign> {
    match event {
        LineEvent::LinkUp { port } => Some(LineSign::LinkUp(port.clone())),
        LineEvent::LinkDown { port } => Some(LineSign::LinkDown(port.clone())),
        LineEvent::Poe { what: PoeWord::Granted, port } => Some(LineSign::PowerGiven(port.clone())),
        LineEvent::Poe { what: PoeWord::Removed | PoeWord::Denied | PoeWord::Fault, port } => {
            Some(LineSign::PowerLost(port.clone()))
        }
        LineEvent::SpanningTree { what: SpanningTreeWord::Blocked | SpanningTreeWord::Flapping, port } => {
            Some(LineSign::Loop(port.clone()))
        }
        LineEvent::SpanningTree { what: SpanningTreeWord::TopologyChange | SpanningTreeWord::RootChange, .. } => {
            Some(LineSign::TreeChanged)
        }
        LineEvent::Login { is_accepted: false, .. } => Some(LineSign::LoginFailed),
        LineEvent::Login { is_accepted: true, .. }
        | LineEvent::StationAssociated { .. }
        | LineEvent::StationLeft { .. }
        | LineEvent::StationRefused { .. }
        | LineEvent::Dhcp { .. }
        | LineEvent::ConfigChanged => None,
    }
}
