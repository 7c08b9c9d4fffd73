//! Which kinds of client a message is of.

use crate::{
    ClassSettings, Match,
    message::{MessageView, RelayAgentView, code},
};

/// A set of classes; bit n stands for the n-th of the settings.
pub(crate) type ClassSet = u64;

/// The classes that a message matches.
pub(crate) fn classes_of(classes: &[ClassSettings], view: &MessageView<'_>, relay: &RelayAgentView<'_>) -> ClassSet {
    let matching = classes.iter().enumerate().filter(|(_, class)| is_of(class, view, relay));
    matching.fold(0, |set, (index, _)| set | bit(index))
}

/// The set of one class.
pub(crate) fn bit(index: usize) -> ClassSet {
    1_u64.checked_shl(u32::try_from(index).unwrap_or(u32::MAX)).unwrap_or(0)
}

fn is_of(class: &ClassSettings, view: &MessageView<'_>, relay: &RelayAgentView<'_>) -> bool {
    class.when.iter().any(|way| !way.is_empty() && way.iter().all(|condition| holds(condition, view, relay)))
}

fn holds(condition: &Match, view: &MessageView<'_>, relay: &RelayAgentView<'_>) -> bool {
    let begins = |octets: &[u8], prefix: &[u8]| !prefix.is_empty() && octets.starts_with(prefix);
    match condition {
        Match::VendorClassPrefix(prefix) => {
            view.option(code::VENDOR_CLASS).is_some_and(|vendor| begins(vendor, prefix))
        }
        Match::UserClass(wanted) => view.option(code::USER_CLASS).is_some_and(|data| has_user_class(data, wanted)),
        Match::CircuitIdPrefix(prefix) => begins(relay.circuit_id, prefix),
        Match::RemoteIdPrefix(prefix) => begins(relay.remote_id, prefix),
        Match::MacPrefix(prefix) => begins(view.chaddr(), prefix),
        Match::ParameterList(wanted) => view.option(code::PARAMETER_LIST).is_some_and(|list| list == wanted),
    }
}

/// RFC 3004 counts each class with a length octet; many clients (iPXE, Windows) send the bare text.
fn has_user_class(data: &[u8], wanted: &[u8]) -> bool {
    if data == wanted {
        return true;
    }
    let mut rest = data;
    while let [length, tail @ ..] = rest {
        let Some((class, tail)) = tail.split_at_checked(usize::from(*length)) else { return false };
        if class == wanted {
            return true;
        }
        rest = tail;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_classes_come_counted_or_bare() {
        let table: [(&[u8], &[u8], bool); 6] = [
            (b"iPXE", b"iPXE", true),
            (b"\x04iPXE", b"iPXE", true),
            (b"\x02ab\x04iPXE", b"iPXE", true),
            (b"\x02ab\x09iPXE", b"iPXE", false),
            (b"", b"iPXE", false),
            (b"\x00\x00\x00", b"iPXE", false),
        ];
        for (data, wanted, has) in table {
            assert_eq!(has_user_class(data, wanted), has, "{data:?}");
        }
    }

    #[test]
    fn there_is_a_bit_for_every_class() {
        assert_eq!((bit(0), bit(63), bit(64)), (1, 1 << 63, 0));
    }
}
