use serde::{Deserialize, Serialize};

/// What a person does with an alert.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum AlertAction {
    /// Takes it: it is told again only when it is over.
    Take {
        /// Its number.
        id: u32,
        /// Who takes it.
        by: String,
    },
    /// Has nobody told of some alerts for a while. What is `None` matches everything; not all may be.
    Silence {
        /// Code of a rule.
        rule: Option<String>,
        /// A device.
        device: Option<String>,
        /// A room.
        room: Option<String>,
        /// For how long.
        seconds: u64,
        /// By whose word.
        by: String,
    },
}
