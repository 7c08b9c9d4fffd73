//! Flows of routers and switches: the thread that receives them, and what is told of them.

mod figures;
mod service;

pub(crate) use figures::{flow_metrics, flow_samples};
pub(crate) use service::{FlowSeen, FlowService, FlowViews, bind_flows};
