//! The behaviours that DHCP servers most often get wrong, one test each, by the number under which the manual lists
//! them. Other tests go deeper; these are the list to tick off.
//!
//! | | what | source |
//! |---|---|---|
//! | B1-B4 | [`addressing`]: where replies go, which subnet a message is of | RFC 2131 section 4.1, 3011, 3527, 5107 |
//! | B5-B12 | [`states`]: the four kinds of REQUEST, DISCOVER, RELEASE, DECLINE, INFORM | RFC 2131 section 4.3, 4039 |
//! | B13-B26 | [`options`]: identity, sizes, and what each option must look like | RFC 2132, 3046, 3396, 3442, 4702, 6842, 8910, 8925 |
//! | B27-B32 | [`operation`]: pools, bad input, clocks, reloads, probes, exhaustion | RFC 2131 section 2.2, 4.3 |

mod addressing;
mod operation;
mod options;
mod states;

use std::net::Ipv4Addr;

use super::Bench;
use crate::{
    client::{self, Request, Sender},
    message::code,
};

/// The message with these options added at its end.
pub(super) fn with(mut bytes: Vec<u8>, options: &[(u8, &[u8])]) -> Vec<u8> {
    let end = bytes.iter().rposition(|&octet| octet == code::END).expect("a message of the client side has END");
    bytes.truncate(end);
    for (code, data) in options {
        bytes.extend([*code, u8::try_from(data.len()).unwrap()]);
        bytes.extend(*data);
    }
    bytes.push(code::END);
    bytes
}

/// A DISCOVER with these options.
fn discover_with(who: &Sender<'_>, options: &[(u8, &[u8])]) -> Vec<u8> {
    with(client::discover(who, None), options)
}

fn selecting(who: &Sender<'_>, address: Ipv4Addr, server: Ipv4Addr) -> Vec<u8> {
    client::request(who, Request::Selecting { address, server })
}

/// Holds `address` for the client, who need not be heard again.
fn hold(bench: &mut Bench, who: &Sender<'_>, address: Ipv4Addr) {
    let offer = bench.send(&client::discover(who, Some(address))).expect("an offer");
    assert_eq!(offer.yiaddr, address);
    bench.select(who, address).expect("an ACK");
}
