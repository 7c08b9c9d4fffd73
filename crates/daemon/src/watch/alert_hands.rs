//! What people do with alerts, from the control socket or the page.

use std::{sync::Arc, time::Duration};

use model::AlertAction;
use watch::{AlertId, Silence, SilenceError};

use super::AlertDesk;
use crate::clock::Clock;

/// Names of people are no longer.
const NAME_CHARACTERS_MAX: usize = 64;
/// A silence ends within so long, whoever asks.
const SILENCE_MAX: Duration = Duration::from_secs(7 * 86_400);

/// Takes and silences alerts. Cheap to clone.
#[derive(Clone)]
pub struct AlertHands {
    pub(crate) desk: Arc<AlertDesk>,
    pub(crate) clock: Clock,
}

impl AlertHands {
    /// Does it and says so, durably; or says why not.
    pub fn handle(&self, action: AlertAction) -> Result<Vec<String>, String> {
        match action {
            AlertAction::Take { id, by } => self.take(id, &name(&by)?),
            AlertAction::Silence { rule, device, room, seconds, by } => {
                let time = Duration::from_secs(seconds);
                if time > SILENCE_MAX {
                    return Err("a silence lasts a week at most".to_owned());
                }
                let until = self.clock.now() + time;
                self.silence(Silence { rule, device, room, until, by: name(&by)? })
            }
        }
    }

    fn take(&self, id: u32, by: &str) -> Result<Vec<String>, String> {
        let taken = self.desk.book().acknowledge(AlertId(id), by).map(|alert| alert.says.clone());
        match taken {
            Some(says) => Ok(self.saved(format!("{by} took alert #{id}: {says}"))),
            None => Err(format!("there is no alert #{id}; `hotstage alerts` lists those that are open")),
        }
    }

    fn silence(&self, silence: Silence) -> Result<Vec<String>, String> {
        let (by, until) = (silence.by.clone(), silence.until);
        let silenced = self.desk.book().silence(self.clock.now(), silence);
        match silenced {
            Ok(()) => {
                tracing::info!(by, %until, "alerts are silenced");
                Ok(self.saved(format!("nobody is told until {until}; the incidents are still written")))
            }
            Err(SilenceError::Ended) => Err("the silence would be over at once; give it a longer time".to_owned()),
            Err(SilenceError::Everything) => {
                Err("name a rule, a device or a room; everything cannot be silenced".to_owned())
            }
            Err(SilenceError::Full) => Err("there are too many silences; wait until some end".to_owned()),
        }
    }

    /// Says `done` once it is on disk.
    fn saved(&self, done: String) -> Vec<String> {
        match self.desk.save() {
            Ok(()) => vec![done],
            Err(error) => vec![done, format!("it will not outlive a restart: {error}")],
        }
    }
}

fn name(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > NAME_CHARACTERS_MAX || text.contains(char::is_control) {
        return Err(format!("say who you are, in at most {NAME_CHARACTERS_MAX} characters"));
    }
    Ok(text.to_owned())
}
