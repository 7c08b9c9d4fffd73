use std::{collections::BTreeMap, path::Path};

use serde_json::Value;

use crate::output;

/// What a capture had.
#[derive(Debug, Default, Clone, Copy)]
pub struct Replies {
    /// Replies of the server.
    pub all: usize,
    /// Those with relay agent information.
    pub with_agent_information: usize,
}

/// Decodes a capture with `tshark`: every reply is well-formed, and its option 82 is that of the request, byte for byte.
///
/// # Panics
/// When one is not; says which.
pub fn check_replies(capture: &Path) -> Replies {
    let capture = capture.display().to_string();
    let text = output("tshark", &["-n", "-r", &capture, "-Y", "dhcp", "-T", "json", "--no-duplicate-keys"]);
    let packets: Vec<Value> = serde_json::from_str(&text).unwrap_or_else(|error| panic!("tshark's JSON: {error}"));
    let mut asked: BTreeMap<(String, String), Vec<Option<String>>> = BTreeMap::new();
    let mut replies = Replies::default();
    for packet in &packets {
        let layers = &packet["_source"]["layers"];
        let (frame, dhcp) = (&layers["frame"]["frame.number"], &layers["dhcp"]);
        let key = (text_of(&dhcp["dhcp.id"]), text_of(&dhcp["dhcp.hw.mac_addr"]));
        let agent = agent_information(dhcp);
        if dhcp["dhcp.type"] == "1" {
            asked.entry(key).or_default().push(agent);
            continue;
        }
        replies.all += 1;
        replies.with_agent_information += usize::from(agent.is_some());
        assert!(
            asked.get(&key).is_some_and(|asked| asked.contains(&agent)),
            "frame {frame}: option 82 differs: {dhcp:#}"
        );
    }
    let wrong = output(
        "tshark",
        &["-n", "-r", &capture, "-Y", "dhcp.type == 2 && (_ws.malformed || _ws.expert.severity >= 0x400000)", "-V"],
    );
    assert!(wrong.trim().is_empty(), "tshark complains about replies:\n{wrong}");
    assert!(replies.all > 0, "no reply in {capture}");
    replies
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The bytes of option 82 in hex; `None` without it.
fn agent_information(dhcp: &Value) -> Option<String> {
    let codes = dhcp["dhcp.option.type"].as_array()?;
    let at = codes.iter().position(|code| code == "82")?;
    Some(text_of(&dhcp["dhcp.option.type_tree"][at]["dhcp.option.value"]))
}
