use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// One measured value of one thing at one moment, e.g. `clients` of `ap-4f-1` = 57.
///
/// `metric` comes from a short closed list (`clients`, `dhcp_acks`, ...), `subject` names a thing of the plan
/// (a room, an access point, a pool) or is empty for the whole event. Never a client's MAC or address.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Sample {
    /// When.
    pub at: Timestamp,
    /// What was measured; its name ends in the unit where there is one.
    pub metric: String,
    /// Of which thing; empty for the whole event.
    pub subject: String,
    /// How much.
    pub value: f64,
}
