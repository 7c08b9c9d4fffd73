use model::{Mac, Timestamp};

use super::*;

const INTERFACE: u32 = 3;
const START: Timestamp = Timestamp::from_secs(1_568_595_600);
const MS: Duration = Duration::from_millis(1);

fn event() -> Advertisement {
    Advertisement {
        prefixes: vec![PrefixSetting::new(network("2001:db8:10::/64"))],
        has_other: true,
        name_servers: vec![address("2001:db8::53")],
        domains: vec!["event.example".into()],
        pref64: Some(network("64:ff9b::/96")),
        captive_portal: Some("https://portal.example.net/api".into()),
        mtu: Some(1_500),
        router_lifetime: Duration::from_secs(1_800),
        ..Advertisement::default()
    }
}

fn interface() -> RaInterface {
    RaInterface {
        mac: Some(Mac([0x02, 0, 0x5e, 0, 0x53, 1])),
        own_addresses: vec![address("fe80::1")],
        routers_expected: vec![address("fe80::2")],
        advertisement: Some(event()),
        ..RaInterface::new(INTERFACE)
    }
}

fn settings() -> RaSettings {
    RaSettings { interfaces: vec![interface()] }
}

fn engine() -> RaEngine {
    RaEngine::new(settings(), 7, START).unwrap()
}

fn effects(engine: &mut RaEngine) -> Vec<RaEffect> {
    std::iter::from_fn(|| engine.next_effect()).collect()
}

/// Keeps every deadline up to `end`; when messages left.
fn run(engine: &mut RaEngine, end: Timestamp) -> Vec<Timestamp> {
    let mut sent = Vec::new();
    while let Some(deadline) = engine.deadline().filter(|&deadline| deadline <= end) {
        engine.on_deadline(deadline);
        sent.extend(effects(engine).into_iter().map(|_| deadline));
    }
    sent
}

fn gaps(times: &[Timestamp]) -> Vec<Duration> {
    times.windows(2).map(|pair| pair[1].since(pair[0])).collect()
}

fn hear(engine: &mut RaEngine, now: Timestamp, source: &str, hop_limit: u8, bytes: &[u8]) -> Vec<RaEffect> {
    let origin = RaOrigin { source: address(source), interface: INTERFACE, hop_limit };
    engine.on_packet(now, &origin, bytes);
    effects(engine)
}

fn solicit(engine: &mut RaEngine, now: Timestamp) {
    hear(engine, now, "fe80::99", 255, &RouterSolicitation::default().to_bytes());
}

#[test]
fn rfc_4861_section_6_2_4_three_early_ones_then_every_200_to_600_s() {
    let mut engine = engine();
    let times = run(&mut engine, START + Duration::from_secs(7_200));
    assert!(times[0].since(START) <= RA_DELAY_MAX);
    let gaps = gaps(&times);
    assert!(gaps[..2].iter().all(|gap| *gap <= INITIAL_INTERVAL_MAX && *gap >= RA_SPACING_MIN), "{gaps:?}");
    let later = &gaps[2..];
    assert!(later.iter().all(|gap| (200..=600).contains(&gap.as_secs())), "{gaps:?}");
    assert!(later.len() > 10 && later.windows(2).any(|pair| pair[0] != pair[1]), "{gaps:?}");
    assert_eq!(engine.counters().advertisements, times.len() as u64);
}

#[test]
fn settings_become_the_advertisement() {
    let mut engine = engine();
    engine.on_deadline(START + RA_DELAY_MAX);
    let [RaEffect::Send(message)] = &effects(&mut engine)[..] else { panic!("one message") };
    assert_eq!((message.interface, message.to), (INTERFACE, ALL_NODES));
    let told = RouterAdvertisement::parse(&message.bytes).unwrap();
    assert!(told.has_other && !told.is_managed);
    assert_eq!(told.router_lifetime, 1_800);
    let servers = RaOption::NameServers { lifetime: 1_800, servers: vec![address("2001:db8::53")] };
    assert!(told.options.contains(&servers));
    assert!(told.options.contains(&RaOption::Pref64 { prefix: network("64:ff9b::/96"), lifetime: 1_800 }));
    assert!(told.options.contains(&RaOption::CaptivePortal("https://portal.example.net/api".into())));
    assert_eq!(told.options.len(), 7);
}

#[test]
fn rfc_4861_section_6_2_6_a_solicitation_is_answered_within_half_a_second() {
    let mut engine = engine();
    run(&mut engine, START + Duration::from_secs(60));
    let now = START + Duration::from_secs(100);
    solicit(&mut engine, now);
    let times = run(&mut engine, now + Duration::from_secs(1));
    assert_eq!(times.len(), 1);
    assert!(times[0] >= now && times[0].since(now) <= RA_DELAY_MAX);
}

#[test]
fn rfc_4861_section_6_2_6_a_storm_of_solicitations_is_answered_every_three_seconds() {
    let mut engine = engine();
    let mut sent = Vec::new();
    for step in 0..60_000 {
        let now = START + MS * step;
        sent.extend(run(&mut engine, now));
        solicit(&mut engine, now);
    }
    let gaps = gaps(&sent);
    assert!(gaps.iter().all(|gap| *gap >= RA_SPACING_MIN && *gap <= RA_SPACING_MIN + RA_DELAY_MAX + MS), "{gaps:?}");
    assert!((17..=21).contains(&sent.len()), "{}", sent.len());
    let counters = engine.counters();
    assert_eq!(counters.solicitations, 60_000);
    assert!(counters.solicitations_joined > 59_900);
}

#[test]
fn rfc_4861_section_6_1_what_is_dropped_is_counted() {
    let mut engine = engine();
    run(&mut engine, START + Duration::from_secs(60));
    let now = START + Duration::from_secs(61);
    let solicitation = RouterSolicitation { options: vec![RaOption::SourceLinkLayer(Mac([2, 0, 0, 0, 0, 1]))] };
    let solicitation = solicitation.to_bytes();
    let foreign = RouterAdvertisement::default().to_bytes();
    for (source, hop_limit, bytes) in [
        ("fe80::9", 254, &solicitation[..]),
        ("::", 255, &solicitation),
        ("ff02::1", 255, &solicitation),
        ("2001:db8::9", 255, &foreign),
        ("fe80::9", 255, &[134, 0]),
        ("fe80::9", 255, &[]),
        ("fe80::9", 255, &[135, 0, 0, 0]),
    ] {
        assert_eq!(hear(&mut engine, now, source, hop_limit, bytes), []);
    }
    engine.on_packet(now, &RaOrigin { source: address("fe80::9"), interface: 9, hop_limit: 255 }, &foreign);
    let counters = *engine.counters();
    let expected = RaCounters {
        packets: 8,
        advertisements: 3,
        dropped_hop_limit: 1,
        dropped_malformed: 5,
        dropped_other_type: 1,
        dropped_unknown_interface: 1,
        ..RaCounters::default()
    };
    assert_eq!(counters, expected);
}

#[test]
fn foreign_routers_are_told_of_once_a_minute_and_bounded() {
    let mut engine = engine();
    run(&mut engine, START + Duration::from_secs(60));
    let foreign = RouterAdvertisement {
        router_lifetime: 9_000,
        options: vec![
            RaOption::SourceLinkLayer(Mac([0x02, 0, 0x5e, 0, 0x53, 0x66])),
            RaOption::Prefix {
                prefix: network("2001:db8:bad::/64"),
                is_on_link: true,
                is_autonomous: true,
                valid: 1,
                preferred: 1,
            },
        ],
        ..RouterAdvertisement::default()
    };
    let bytes = foreign.to_bytes();
    let now = START + Duration::from_secs(61);
    assert_eq!(hear(&mut engine, now, "fe80::1", 255, &bytes), [], "our own");
    assert_eq!(hear(&mut engine, now, "fe80::2", 255, &bytes), [], "expected");
    let told = [RaEffect::Event(RaEvent::ForeignRouter {
        interface: INTERFACE,
        source: address("fe80::bad"),
        mac: Some(Mac([0x02, 0, 0x5e, 0, 0x53, 0x66])),
        router_lifetime: 9_000,
        prefixes: vec![network("2001:db8:bad::/64")],
    })];
    assert_eq!(hear(&mut engine, now, "fe80::bad", 255, &bytes), told);
    assert_eq!(hear(&mut engine, now + MS, "fe80::bad", 255, &bytes), []);
    assert_eq!(hear(&mut engine, now + Duration::from_secs(60), "fe80::bad", 255, &bytes), told);
    let later = now + Duration::from_secs(61);
    let events: usize =
        (0..1_000).map(|number| hear(&mut engine, later, &format!("fe80::bad:{number:x}"), 255, &bytes).len()).sum();
    assert_eq!(events, 15, "sixteen, one of which was told before");
    assert_eq!(engine.counters().foreign_untold, 985);
    let next = later + Duration::from_secs(61);
    assert_eq!(hear(&mut engine, next, "fe80::bad:ffff", 255, &bytes).len(), 1, "room again a minute later");
}

#[test]
fn rfc_4861_section_6_2_5_the_last_one_has_lifetime_zero() {
    let mut engine = engine();
    run(&mut engine, START + Duration::from_secs(60));
    let now = START + Duration::from_secs(61);
    engine.stop(now);
    let [RaEffect::Send(message)] = &effects(&mut engine)[..] else { panic!("one message") };
    assert_eq!(RouterAdvertisement::parse(&message.bytes).unwrap().router_lifetime, 0);
    assert_eq!(engine.deadline(), None);
    solicit(&mut engine, now);
    assert_eq!(engine.counters().dropped_not_a_router, 1);
    engine.stop(now);
    assert_eq!(engine.next_effect(), None, "said once");
}

#[test]
fn rfc_4861_section_6_2_4_news_are_advertised_soon() {
    let mut engine = engine();
    run(&mut engine, START + Duration::from_secs(60));
    let now = START + Duration::from_secs(70);
    let regular = engine.deadline();
    engine.reconfigure(settings(), now).unwrap();
    assert_eq!(engine.deadline(), regular, "nothing new");
    let mut changed = settings();
    changed.interfaces[0].advertisement.as_mut().unwrap().mtu = Some(1_280);
    engine.reconfigure(changed, now).unwrap();
    let times = run(&mut engine, now + Duration::from_secs(60));
    assert_eq!(times.len(), 3);
    assert!(times[0].since(now) <= RA_DELAY_MAX);
    let mut silent = settings();
    silent.interfaces[0].advertisement = None;
    engine.reconfigure(silent, now).unwrap();
    assert_eq!(effects(&mut engine).len(), 1, "a farewell");
    engine.reconfigure(RaSettings::default(), now).unwrap();
    assert_eq!((effects(&mut engine).len(), engine.deadline()), (0, None));
}

#[test]
fn a_clock_that_steps_neither_floods_nor_silences() {
    let mut engine = engine();
    run(&mut engine, START + Duration::from_secs(60));
    let day = Duration::from_secs(86_400);
    let back = START - day;
    solicit(&mut engine, back);
    let times = run(&mut engine, back + Duration::from_secs(1_200));
    assert!((2..=7).contains(&times.len()), "{times:?}");
    let times = run(&mut engine, START + day);
    assert!(gaps(&times).iter().all(|gap| *gap >= RA_SPACING_MIN));
    engine.on_deadline(START + day * 9);
    assert_eq!(effects(&mut engine).len(), 1, "one, not all that were missed");
}

#[test]
fn settings_that_cannot_be_are_refused() {
    type Change = fn(&mut RaInterface, &mut Advertisement);
    let table: [(Change, &str); 12] = [
        (|interface, _| interface.interval_max = Duration::from_secs(3), "advertisements every"),
        (|interface, _| interface.interval_min = Duration::from_secs(599), "advertisements every"),
        (|_, told| told.prefixes[0].preferred = Duration::MAX, "preferred for longer"),
        (|_, told| told.prefixes[0].prefix = network("2001:db8::/48"), "only of a /64"),
        (|_, told| told.prefixes[0].prefix = network("fe80::/64"), "no prefix to advertise"),
        (|_, told| told.prefixes = vec![told.prefixes[0].clone(); 17], "17 prefixes"),
        (|_, told| told.domains = vec!["a b".into()], "not a domain name"),
        (|_, told| told.pref64 = Some(network("64:ff9b::/95")), "NAT64 prefix"),
        (|_, told| told.captive_portal = Some("https://p\0".into()), "captive portal"),
        (|_, told| told.mtu = Some(1_279), "MTU 1279"),
        (|_, told| told.router_lifetime = Duration::from_secs(9_001), "9001 s"),
        (|_, told| told.domains = vec![["a".repeat(60), "b".repeat(60)].join("."); 16], "octets, more than fit"),
    ];
    for (change, says) in table {
        let (mut interface, mut told) = (interface(), event());
        change(&mut interface, &mut told);
        interface.advertisement = Some(told);
        let error = RaEngine::new(RaSettings { interfaces: vec![interface] }, 7, START).unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
    }
    let twice = RaSettings { interfaces: vec![interface(), interface()] };
    assert!(matches!(RaEngine::new(twice, 7, START), Err(RaSettingsError::DuplicateInterface { .. })));
}

proptest! {
    #[test]
    fn any_messages_at_any_time_do_no_harm(
        messages in vec((vec(any::<u8>(), 0..64), 132..136_u8, any::<bool>(), 0..100_000_i64), 0..50)
    ) {
        let mut engine = engine();
        let mut sent: Vec<Timestamp> = Vec::new();
        let mut now = START;
        for (mut bytes, kind, is_plain, millis) in messages {
            if let [first, code, ..] = &mut bytes[..] {
                (*first, *code) = (kind, if is_plain { 0 } else { *code });
            }
            now = now + MS * u32::try_from(millis).unwrap();
            let origin = RaOrigin { source: address("fe80::9"), interface: INTERFACE, hop_limit: 255 };
            engine.on_packet(now, &origin, &bytes);
            sent.extend(effects(&mut engine).iter().filter(|effect| matches!(effect, RaEffect::Send(_))).map(|_| now));
        }
        prop_assert!(gaps(&sent).iter().all(|gap| *gap >= RA_SPACING_MIN));
    }
}
