//! Tests of codec and engine; each names the section of the RFC that it holds them to.

use proptest::{collection::vec, prelude::*};

use super::*;

mod codec;
mod engine;

fn address(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}

fn network(text: &str) -> ipnet::Ipv6Net {
    text.parse().unwrap()
}
