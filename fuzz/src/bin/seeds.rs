//! Writes the kept corpus: a few ordinary inputs for each target, made by our own encoders.

use std::{fs, io, net::Ipv4Addr, path::Path};

use dhcp::client as dhcp4;
use dhcp6::{
    client::ClientMessage,
    message::MessageType,
    ra::{RaOption, RouterAdvertisement, RouterSolicitation},
};
use hotstage_fuzz::{RELOAD, RESTART, Script};
use model::{Duid, Mac};

const SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);

fn main() -> io::Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (target, inputs) in [
        ("dhcp4_message", dhcp4_messages()),
        ("dhcp4_engine", dhcp4_conversations()),
        ("dhcp6_message", dhcp6_messages()),
        ("dhcp6_engine", dhcp6_conversations()),
        ("ra", router_messages()),
        ("dns_query", dns_queries()),
        ("dns_answer", dns_answers()),
        ("dns_name", names()),
        ("dns_stream", dns_streams()),
        ("syslog_line", syslog_lines()),
        ("syslog_stream", syslog_streams()),
        ("flows", flow_datagrams()),
    ] {
        let dir = corpus.join(target);
        fs::create_dir_all(&dir)?;
        for (index, input) in inputs.iter().enumerate() {
            fs::write(dir.join(format!("seed-{index}")), input)?;
        }
    }
    Ok(())
}

fn mac(last: u8) -> Mac {
    Mac([0x02, 0, 0x5e, 0x10, 0, last])
}

fn sender(last: u8) -> dhcp4::Sender<'static> {
    dhcp4::Sender { host_name: Some("laptop"), ..dhcp4::Sender::new(u32::from(last), mac(last)) }
}

/// Sub-options 1 and 2 and one that nobody knows.
const INFORMATION: &[u8] = &[1, 4, b'p', b'o', b'r', b't', 2, 2, b's', b'w', 151, 2, 0, 1];

fn dhcp4_messages() -> Vec<Vec<u8>> {
    let address = Ipv4Addr::new(198, 51, 100, 10);
    let one = sender(1);
    let relayed = one.relayed(GATEWAY, INFORMATION);
    vec![
        dhcp4::discover(&one, None),
        dhcp4::discover(&relayed, Some(address)),
        dhcp4::request(&relayed, dhcp4::Request::Selecting { address, server: SERVER }),
        dhcp4::request(&one, dhcp4::Request::Extending { address }),
        dhcp4::release(&one, address, SERVER),
        dhcp4::decline(&one, address, SERVER),
        dhcp4::inform(&one, address),
    ]
}

fn dhcp4_conversations() -> Vec<Vec<u8>> {
    let address = |last| Ipv4Addr::new(198, 51, 100, last);
    let selecting = |who: &dhcp4::Sender<'_>, last| {
        dhcp4::request(who, dhcp4::Request::Selecting { address: address(last), server: SERVER })
    };
    let (one, two) = (sender(1).relayed(GATEWAY, INFORMATION), sender(2));
    let relayed = Script::default()
        .then(0, &dhcp4::discover(&one, None))
        .then(0, &selecting(&one, 10))
        .then(2, &dhcp4::request(&sender(1), dhcp4::Request::Extending { address: address(10) }))
        .then(2, &dhcp4::release(&sender(1), address(10), SERVER));
    let direct = Script::default()
        .then(1, &dhcp4::discover(&two, None))
        .then(1, &selecting(&two, 10))
        .then(1, &dhcp4::decline(&two, address(10), SERVER))
        .then(0xfd, &dhcp4::discover(&two, None))
        .then(1, &selecting(&two, 11))
        .then(2, &dhcp4::inform(&two, address(11)));
    let crowd = (1..=8).fold(Script::default(), |script, last| {
        let who = sender(last).relayed(GATEWAY, &[]);
        script.then(0, &dhcp4::discover(&who, None)).then(4, &selecting(&who, 9 + last))
    });
    // A restart and a reload between the offer and the request, and a phone of the class.
    let (three, phone) = (sender(3).relayed(GATEWAY, b"\x01\x02up"), sender(4).relayed(GATEWAY, b"\x01\x03ph1"));
    let shaken = Script::default()
        .then(0, &dhcp4::discover(&three, None))
        .then(0, &selecting(&three, 10))
        .then(RESTART, &dhcp4::request(&sender(3), dhcp4::Request::Extending { address: address(10) }))
        .then(0, &dhcp4::discover(&phone, None))
        .then(0, &selecting(&phone, 20))
        .then(RELOAD, &dhcp4::discover(&phone, None))
        .then(4, &dhcp4::discover(&two, None))
        .then(1, &selecting(&two, 12));
    [relayed, direct, crowd, shaken].map(Script::into_bytes).into()
}

fn dhcp6_messages() -> Vec<Vec<u8>> {
    let duid = Duid::from_link_layer(mac(1));
    let mut solicit = ClientMessage::solicit(1, &duid, 1);
    solicit.rapid_commit = true;
    solicit.requests = vec![23, 24, 82];
    solicit.host_name = Some("laptop".into());
    let relay = std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 2, 0, 0, 0, 1);
    let peer = std::net::Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0xc);
    let mut request = ClientMessage::solicit(2, &duid, 1);
    request.message_type = MessageType::Request;
    request.server = Some(Duid::from_uuid([7; 16]));
    request.associations = vec![(1, vec!["2001:db8:0:1::10".parse().expect("an address")])];
    let of_type = |message_type| ClientMessage { message_type, ..request.clone() }.to_bytes();
    vec![
        solicit.to_bytes(),
        dhcp6::client::relayed(relay, peer, b"port-1", &solicit.to_bytes()),
        ClientMessage::information_request(3, &duid).to_bytes(),
        of_type(MessageType::Request),
        of_type(MessageType::Renew),
        of_type(MessageType::Decline),
        of_type(MessageType::Release),
        ClientMessage { server: None, ..request.clone() }.to_bytes(),
    ]
}

fn dhcp6_conversations() -> Vec<Vec<u8>> {
    let messages = dhcp6_messages();
    let all = messages.iter().fold(Script::default(), |script, message| script.then(0, message));
    let late = messages.iter().rev().fold(Script::default(), |script, message| script.then(0x41, message));
    let shaken = Script::default()
        .then(0, &messages[0])
        .then(RESTART, &messages[4])
        .then(RELOAD, &messages[4])
        .then(0, &messages[7])
        .then(1, &messages[1]);
    [all, late, shaken].map(Script::into_bytes).into()
}

fn router_messages() -> Vec<Vec<u8>> {
    let solicitation = RouterSolicitation { options: vec![RaOption::SourceLinkLayer(mac(1))] }.to_bytes();
    let mut advertisement = RouterAdvertisement::default();
    advertisement.options.push(RaOption::Mtu(1_500));
    let advertisement = advertisement.to_bytes();
    let script = Script::default().then(0, &solicitation).then(80, &advertisement).into_bytes();
    vec![solicitation, advertisement, script]
}

fn dns_queries() -> Vec<Vec<u8>> {
    let query = |name, qtype, edns| dns::client::query(1, name, qtype, edns);
    let all = ["www.event.example", "out.event.example", "2.0.0.10.in-addr.arpa", "localhost", "www.example.com"];
    let script = all.iter().fold(Script::default(), |script, name| script.then(1, &query(name, 255, true)));
    let named = Script::default()
        .then(2, b"laptop")
        .then(0, &query("laptop.clients.event.example", 1, false))
        .then(1, &query("2.1.0.10.in-addr.arpa", 12, true))
        .then(3, b"");
    vec![
        query("ns.event.example", 1, true),
        query("note.event.example", 16, false),
        script.into_bytes(),
        named.into_bytes(),
    ]
}

/// Eight octets of flags and counts, then records whose names point to the question.
fn dns_answers() -> Vec<Vec<u8>> {
    let record = |qtype: u16, data: &[u8]| {
        let mut bytes = vec![0xc0, 12];
        bytes.extend_from_slice(&qtype.to_be_bytes());
        bytes.extend_from_slice(&[0, 1, 0, 0, 0, 60]);
        bytes.extend_from_slice(&(data.len() as u16).to_be_bytes());
        bytes.extend_from_slice(data);
        bytes
    };
    let address = [&[0x81, 0x80, 0, 1, 0, 0, 0, 0][..], &record(1, &[192, 0, 2, 80])].concat();
    let alias = [&[0x81, 0x80, 0, 2, 0, 0, 0, 0][..], &record(5, &[1, b'x', 0xc0, 16]), &record(1, &[192, 0, 2, 81])];
    let soa = record(6, &[0; 22]);
    let nothing = [&[0x81, 0x83, 0, 0, 0, 1, 0, 0][..], &soa].concat();
    let script = |octets: &[u8]| Script::default().then(0, octets).then(0x25, octets).into_bytes();
    vec![script(&address), script(&alias.concat()), script(&nothing), script(&[0x83, 0x80, 0, 0, 0, 0, 0, 0])]
}

fn names() -> Vec<Vec<u8>> {
    vec![
        b"\x03www\x07example\x03WWW\x07eXample".to_vec(),
        b"\x03www\x03foo\x03www\x03bar".to_vec(),
        b"\x01a\x01A".to_vec(),
    ]
}

/// The size of the pieces, then messages with their lengths: good ones, an empty one, one that lies, and one cut off.
fn dns_streams() -> Vec<Vec<u8>> {
    let query = |name, edns| dns::client::query(7, name, 1, edns);
    let stream = |piece: u8, messages: &[Vec<u8>], tail: &[u8]| {
        let mut octets = vec![piece];
        messages.iter().for_each(|message| assert!(dns::append_message(&mut octets, message), "short enough"));
        octets.extend_from_slice(tail);
        octets
    };
    let (own, other) = (query("ns.event.example", true), query("www.example.com", false));
    vec![
        stream(1, std::slice::from_ref(&own), b""),
        stream(7, &[own.clone(), Vec::new(), other.clone(), own.clone()], b""),
        stream(64, &[other], b"\xff\xffno such length"),
        stream(255, &[own], b"\x00"),
    ]
}

fn syslog_lines() -> Vec<Vec<u8>> {
    [
        "<34>1 2026-04-01T10:00:00.003Z sw-4f-1 su 77 ID47 [x@1 a=\"b\"] failed",
        "<189>45: *Apr  1 10:00:00.123: %LINK-3-UPDOWN: Interface GigabitEthernet0/1, changed state to up",
        "<30>Apr  1 10:00:00 ap-1 hostapd: wlan0: STA 02:00:5e:10:00:01 IEEE 802.11: associated",
        "no priority at all",
    ]
    .map(|line| line.as_bytes().to_vec())
    .into()
}

fn syslog_streams() -> Vec<Vec<u8>> {
    vec![
        b"\x03<13>one\n<14>two\0".to_vec(),
        b"\x015 <13>x12 <14>hello wo<15>end".to_vec(),
        b"\x07999999999 <1>x".to_vec(),
    ]
}

/// One of each format: NetFlow version 5; version 9 and IPFIX with a template, options and data; sFlow.
fn flow_datagrams() -> Vec<Vec<u8>> {
    let words = |words: &[u16]| -> Vec<u8> { words.iter().flat_map(|word| word.to_be_bytes()).collect() };
    let longs = |longs: &[u32]| -> Vec<u8> { longs.iter().flat_map(|long| long.to_be_bytes()).collect() };
    let set = |id: u16, body: &[u8]| [&words(&[id, body.len() as u16 + 4])[..], body].concat();
    let (client, outside) = ([10, 10, 3, 4], [203, 0, 113, 9]);

    let mut v5 = [words(&[5, 1]), longs(&[1_000, 1_700_000_000, 0, 42]), words(&[0, 0x4064])].concat();
    v5.extend(
        [&outside[..], &client, &[0; 8], &longs(&[10, 9_000, 1, 2]), &words(&[443, 50_000]), &[0, 16, 6, 0]].concat(),
    );
    v5.extend([0; 8]);

    let template = words(&[300, 7, 8, 4, 12, 4, 7, 2, 11, 2, 4, 1, 1, 4, 2, 4]);
    let record = [&outside[..], &client, &words(&[443, 50_000]), &[17], &longs(&[9_000, 10]), &[0; 3]].concat();
    let options9 = words(&[400, 4, 12, 1, 4, 48, 1, 49, 1, 50, 4]);
    let sampler = [&longs(&[1])[..], &[3, 2], &longs(&[100]), &[0; 2]].concat();
    let sets9 = [set(1, &[&options9[..], &[0; 2]].concat()), set(400, &sampler), set(0, &template), set(300, &record)];
    let v9 = [words(&[9, 4]), longs(&[1_000, 1_700_000_000, 7, 1]), sets9.concat()].concat();

    let varying = [words(&[310, 3, 371, 0xffff, 0x8001, 4]), longs(&[29_305]), words(&[1, 4])].concat();
    let options = words(&[401, 2, 1, 302, 8, 305, 4]);
    let sets = [
        set(2, &varying),
        set(3, &[&options[..], &[0; 2]].concat()),
        set(310, b"\x03abc\0\0\0\x09\0\0\0\x05"),
        set(401, &[1; 12]),
    ];
    let sets = sets.concat();
    let ipfix = [words(&[10, sets.len() as u16 + 16]), longs(&[1_700_000_000, 3, 1]), sets].concat();

    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x81, 0, 0, 100, 8, 0];
    frame.extend(
        [&[0x45, 0, 5, 220, 0, 1, 0, 0, 64, 6, 0, 0][..], &outside, &client, &words(&[443, 50_000, 0, 0])].concat(),
    );
    frame.extend([0; 2]);
    let header = [longs(&[1, 1_522, 4, frame.len() as u32]), frame].concat();
    let sample = [longs(&[9, 3, 512, 100_000, 0, 3, 4, 1, 1, header.len() as u32]), header].concat();
    let sample = [longs(&[1, sample.len() as u32]), sample, longs(&[2, 8, 0, 0])].concat();
    let sflow = [longs(&[5, 1, 0xc000_0201, 0, 11, 1_000, 2]), sample].concat();

    let waits = Script::default().then(0, &[&v9[..20], &set(300, &record)].concat()).then(4, &v9).then(1, &ipfix);
    let mut inputs: Vec<_> = [&v5, &v9, &ipfix, &sflow]
        .map(|datagram| Script::default().then(0, datagram).then(2, datagram).into_bytes())
        .into();
    inputs.push(waits.into_bytes());
    inputs
}
