use ipnet::Ipv6Net;
use model::Mac;

use super::*;

fn prefixes() -> impl Strategy<Value = Ipv6Net> {
    (any::<u128>(), 0..=128_u8).prop_map(|(address, len)| Ipv6Net::new(address.into(), len).unwrap().trunc())
}

fn preferences() -> impl Strategy<Value = Preference> {
    prop_oneof![Just(Preference::Low), Just(Preference::Medium), Just(Preference::High)]
}

fn options() -> impl Strategy<Value = RaOption> {
    let address = any::<u128>().prop_map(Ipv6Addr::from);
    let lengths = proptest::sample::select(&[96_u8, 64, 56, 48, 40, 32][..]);
    prop_oneof![
        any::<[u8; 6]>().prop_map(|octets| RaOption::SourceLinkLayer(Mac(octets))),
        any::<u32>().prop_map(RaOption::Mtu),
        (prefixes(), any::<bool>(), any::<bool>(), any::<u32>(), any::<u32>()).prop_map(
            |(prefix, is_on_link, is_autonomous, valid, preferred)| RaOption::Prefix {
                prefix,
                is_on_link,
                is_autonomous,
                valid,
                preferred
            }
        ),
        (prefixes(), preferences(), any::<u32>()).prop_map(|(prefix, preference, lifetime)| RaOption::Route {
            prefix,
            preference,
            lifetime
        }),
        (any::<u32>(), vec(address, 1..20)).prop_map(|(lifetime, servers)| RaOption::NameServers { lifetime, servers }),
        (any::<u32>(), vec("[a-z0-9_-]{1,63}(\\.[a-z]{1,20}){0,3}", 1..5))
            .prop_map(|(lifetime, domains)| RaOption::SearchList { lifetime, domains }),
        "https://[a-z]{1,20}\\.example/[a-z/]{0,60}".prop_map(RaOption::CaptivePortal),
        (any::<u128>(), lengths, any::<u16>()).prop_map(|(address, len, lifetime)| RaOption::Pref64 {
            prefix: Ipv6Net::new((address >> 32 << 32).into(), len).unwrap().trunc(),
            lifetime: lifetime & !7
        }),
        // Type 200 is nobody's.
        vec(any::<[u8; 8]>(), 0..30).prop_map(|eights| {
            let mut data = eights.concat();
            data.extend([1; 6]);
            RaOption::Unknown { kind: 200, data }
        }),
    ]
}

fn advertisements() -> impl Strategy<Value = RouterAdvertisement> {
    let flags = (any::<bool>(), any::<bool>(), preferences());
    (any::<u8>(), flags, any::<u16>(), any::<u32>(), any::<u32>(), vec(options(), 0..12)).prop_map(
        |(hop_limit, (is_managed, has_other, preference), router_lifetime, reachable, retransmission, options)| {
            RouterAdvertisement {
                hop_limit,
                is_managed,
                has_other,
                preference,
                router_lifetime,
                reachable_time: reachable,
                retransmission_timer: retransmission,
                options,
            }
        },
    )
}

proptest! {
    #[test]
    fn what_is_printed_is_read_back(message in advertisements()) {
        prop_assert_eq!(RouterAdvertisement::parse(&message.to_bytes()), Ok(message));
    }

    #[test]
    fn any_octets_are_read_or_refused(mut bytes in vec(any::<u8>(), 0..200), kind in 132..136_u8) {
        for code in [None, Some(0)] {
            if let Some(first) = bytes.first_mut() {
                *first = kind;
            }
            if let (Some(code), Some(octet)) = (code, bytes.get_mut(1)) {
                *octet = code;
            }
            if let Ok(message) = RouterAdvertisement::parse(&bytes) {
                // What was understood is understood again, whatever the first print was like.
                prop_assert_eq!(RouterAdvertisement::parse(&message.to_bytes()), Ok(message));
            }
            _ = RouterSolicitation::parse(&bytes);
        }
    }

    #[test]
    fn a_message_cut_or_changed_anywhere_does_no_harm(message in advertisements(), cut: u16, at: u16, octet: u8) {
        let mut bytes = message.to_bytes();
        let index = usize::from(at) % bytes.len();
        bytes[index] = octet;
        bytes.truncate(usize::from(cut) % (bytes.len() + 1));
        if let Ok(message) = RouterAdvertisement::parse(&bytes) {
            prop_assert_eq!(RouterAdvertisement::parse(&message.to_bytes()), Ok(message));
        }
    }
}

#[test]
fn rfc_4861_section_4_2_an_advertisement_octet_by_octet() {
    let mac = Mac([0x02, 0, 0x5e, 0, 0x53, 1]);
    let message = RouterAdvertisement {
        hop_limit: 64,
        is_managed: true,
        has_other: true,
        preference: Preference::High,
        router_lifetime: 1_800,
        reachable_time: 1,
        retransmission_timer: 2,
        options: vec![
            RaOption::SourceLinkLayer(mac),
            RaOption::Mtu(1_500),
            RaOption::Prefix {
                prefix: network("2001:db8:10::/64"),
                is_on_link: true,
                is_autonomous: true,
                valid: 86_400,
                preferred: 14_400,
            },
        ],
    };
    let wire = [
        &[134, 0, 0, 0, 64, 0xc8, 0x07, 0x08, 0, 0, 0, 1, 0, 0, 0, 2][..],
        &[1, 1, 0x02, 0, 0x5e, 0, 0x53, 1],
        &[5, 1, 0, 0, 0, 0, 0x05, 0xdc],
        &[3, 4, 64, 0xc0, 0, 1, 0x51, 0x80, 0, 0, 0x38, 0x40, 0, 0, 0, 0],
        &address("2001:db8:10::").octets(),
    ];
    assert_eq!(message.to_bytes(), wire.concat());
    assert_eq!(message.source_link_layer(), Some(mac));
}

/// RFC 4191 section 2.3, RFC 8106 section 5, RFC 8781 section 4, RFC 8910 section 2.3.
#[test]
fn further_options_octet_by_octet() {
    let table: [(RaOption, Vec<u8>); 6] = [
        (
            RaOption::NameServers { lifetime: 1_800, servers: vec![address("2001:db8::53")] },
            [&[25, 3, 0, 0, 0, 0, 7, 8][..], &address("2001:db8::53").octets()].concat(),
        ),
        (
            RaOption::SearchList { lifetime: 1_800, domains: vec!["event.example".into()] },
            [&[31, 3, 0, 0, 0, 0, 7, 8][..], b"\x05event\x07example\0\0"].concat(),
        ),
        (
            RaOption::Pref64 { prefix: network("64:ff9b::/96"), lifetime: 1_800 },
            vec![38, 2, 0x07, 0x08, 0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0],
        ),
        (
            RaOption::Pref64 { prefix: network("2001:db8:64::/48"), lifetime: 8 },
            vec![38, 2, 0, 0x0b, 0x20, 0x01, 0x0d, 0xb8, 0, 0x64, 0, 0, 0, 0, 0, 0],
        ),
        (RaOption::CaptivePortal("https://p.example".into()), b"\x25\x03https://p.example\0\0\0\0\0".into()),
        (
            RaOption::Route { prefix: network("2001:db8::/32"), preference: Preference::Low, lifetime: 16 },
            vec![24, 2, 32, 0x18, 0, 0, 0, 16, 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0],
        ),
    ];
    for (option, wire) in table {
        let mut bytes = Vec::new();
        assert!(option.write(&mut bytes));
        assert_eq!(bytes, wire, "{option:?}");
        assert_eq!(RaOption::read(wire[0], &wire[2..]), option);
    }
}

#[test]
fn rfc_4861_section_4_6_options_that_say_nothing_sensible_are_kept_unread() {
    let table: [&[u8]; 8] = [
        &[1, 2, 1, 2, 3, 4, 5, 6, 0, 0, 0, 0, 0, 0, 0, 0],
        &[3, 1, 64, 0, 0, 0, 0, 0],
        &[5, 2, 0, 0, 0, 0, 5, 220, 0, 0, 0, 0, 0, 0, 0, 0],
        &[24, 1, 64, 0, 0, 0, 0, 16],
        &[24, 1, 0, 0x10, 0, 0, 0, 16],
        &[25, 1, 0, 0, 0, 0, 7, 8],
        &[31, 2, 0, 0, 0, 0, 7, 8, 0xc0, 0, 0, 0, 0, 0, 0, 0],
        &[38, 2, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ];
    for wire in table {
        let read = RaOption::read(wire[0], &wire[2..]);
        assert!(matches!(read, RaOption::Unknown { .. }), "{read:?}");
    }
}

#[test]
fn rfc_4861_section_6_1_what_is_refused() {
    let good = RouterAdvertisement::default().to_bytes();
    let with = |options: &[u8]| [&good, options].concat();
    let table = [
        (Vec::new(), RaParseError::TooShort(0)),
        (good[..15].to_vec(), RaParseError::TooShort(15)),
        (with(&[3, 0]), RaParseError::OptionLength(3)),
        (with(&[3]), RaParseError::OptionLength(3)),
        (with(&[3, 4, 64, 0]), RaParseError::OptionLength(3)),
        (with(&[0; 10_000]), RaParseError::TooLong),
        (with(&[200, 1, 0, 0, 0, 0, 0, 0].repeat(200)), RaParseError::TooLong),
        (vec![134, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], RaParseError::Type(134, 1)),
        (vec![133; 16], RaParseError::Type(133, 133)),
    ];
    for (bytes, error) in table {
        assert_eq!(RouterAdvertisement::parse(&bytes), Err(error), "{} octets", bytes.len());
    }
    let solicitation = RouterSolicitation { options: vec![RaOption::SourceLinkLayer(Mac([2, 0, 0, 0, 0, 1]))] };
    assert_eq!(RouterSolicitation::parse(&solicitation.to_bytes()), Ok(solicitation));
    assert_eq!(RouterSolicitation::parse(&[133, 0, 0, 0]), Err(RaParseError::TooShort(4)));
}
