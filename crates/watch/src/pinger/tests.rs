use proptest::prelude::*;

use super::*;

const TOKEN: u64 = 0x1122_3344_5566_7788;
const START: Timestamp = Timestamp::from_secs(1_700_000_000);

fn pinger(targets: usize) -> Pinger {
    let target = |number: usize| Target {
        device: format!("sw-{number}").into(),
        address: match number % 2 {
            0 => IpAddr::from([192, 0, (number >> 8) as u8, number as u8]),
            _ => IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, number as u16]),
        },
        was_seen: false,
    };
    let settings = PingSettings { targets: (0..targets).map(target).collect(), ..PingSettings::default() };
    Pinger::new(settings, TOKEN, START)
}

fn millis(millis: u64) -> Timestamp {
    START + Duration::from_millis(millis)
}

/// Runs until `end`, answering after 2 ms where `answers` says so; returns what was sent when.
fn run(
    pinger: &mut Pinger,
    from: Timestamp,
    end: Timestamp,
    answers: impl Fn(Timestamp, IpAddr) -> bool,
) -> Vec<Timestamp> {
    let mut sent = Vec::new();
    let mut now = from;
    while let Some(deadline) = pinger.deadline() {
        now = now.max(deadline);
        if now >= end {
            break;
        }
        pinger.on_deadline(now);
        while let Some(Effect::Send { to, bytes, .. }) = pinger.next_effect() {
            sent.push(now);
            if answers(now, to) {
                pinger.on_message(now + Duration::from_millis(2), to, false, &reply_to(to, bytes));
            }
        }
    }
    sent
}

fn reply_to(to: IpAddr, mut bytes: [u8; ECHO_BYTES]) -> [u8; ECHO_BYTES] {
    bytes[0] = if to.is_ipv4() { 0 } else { 129 };
    bytes
}

fn state(pinger: &Pinger) -> Reachability {
    pinger.report()[0].reachability
}

#[test]
fn a_thousand_targets_are_spread_evenly() {
    let mut pinger = pinger(1_000);
    let sent = run(&mut pinger, START, millis(3_000), |_, _| true);
    assert!((3_000..=3_010).contains(&sent.len()), "{}", sent.len());
    for window in 0..30 {
        let (from, to) = (millis(window * 100), millis(window * 100 + 100));
        let count = sent.iter().filter(|at| (from..to).contains(at)).count();
        assert!((85..=115).contains(&count), "{count} in window {window}");
    }
    let wakes = sent.iter().collect::<std::collections::BTreeSet<_>>().len();
    assert!(wakes <= 330, "{wakes} wake-ups");
    assert!(pinger.counters().replies >= 2_990 && pinger.counters().lost == 0, "{:?}", pinger.counters());
}

#[test]
fn down_after_three_losses_and_up_after_three_replies() {
    let mut pinger = pinger(1);
    assert_eq!(state(&pinger), Reachability::Unseen);
    run(&mut pinger, START, millis(4_900), |_, _| true);
    assert_eq!(state(&pinger), Reachability::Up(millis(2)));
    // Nothing at 5, 6 s: an echo is lost when the next one leaves.
    run(&mut pinger, millis(4_900), millis(7_500), |_, _| false);
    assert!(matches!(state(&pinger), Reachability::Up(_)), "two losses are no outage");
    run(&mut pinger, millis(7_500), millis(9_500), |_, _| false);
    let Reachability::Down(since) = state(&pinger) else { panic!("{:?}", state(&pinger)) };
    assert!(since <= millis(5_010), "since the first loss, not the last");
    run(&mut pinger, millis(9_500), millis(11_500), |_, _| true);
    assert!(matches!(state(&pinger), Reachability::Down(_)), "two replies are no recovery");
    run(&mut pinger, millis(11_500), millis(13_500), |_, _| true);
    assert!(matches!(state(&pinger), Reachability::Up(_)));
}

#[test]
fn what_has_long_been_silent_is_asked_less_often_and_found_again() {
    let mut pinger = pinger(1);
    run(&mut pinger, START, millis(2_900), |_, _| true);
    let sent = run(&mut pinger, millis(2_900), millis(62_500), |_, _| false);
    assert!((59..=60).contains(&sent.len()), "{} in the first minute", sent.len());
    let sent = run(&mut pinger, millis(62_500), millis(122_500), |_, _| false);
    assert!((6..=8).contains(&sent.len()), "{} in the second minute", sent.len());
    assert!(matches!(state(&pinger), Reachability::Down(_)));
    run(&mut pinger, millis(122_500), millis(136_500), |_, _| true);
    assert!(matches!(state(&pinger), Reachability::Up(_)), "one of ten rounds, and two more");
}

#[test]
fn the_more_are_silent_the_fewer_are_asked_in_each_round() {
    let mut pinger = pinger(3_000);
    let well = |to: IpAddr| to == IpAddr::from([192, 0, 0, 0]);
    run(&mut pinger, START, millis(12_000), |_, to| well(to));
    let sent = run(&mut pinger, millis(12_000), millis(42_000), |_, to| well(to));
    // 100 a second of the 2,999, and the one that answers each second.
    assert!((2_900..=3_100).contains(&sent.len()), "{}", sent.len());
    assert_eq!(pinger.report()[0].window.loss_percent(), 0.0);
    assert!(matches!(state(&pinger), Reachability::Up(_)));
}

#[test]
fn a_round_trip_begins_when_the_echo_left() {
    let mut pinger = pinger(1);
    pinger.on_deadline(START);
    let Some(Effect::Send { target, to, bytes }) = pinger.next_effect() else { panic!("nothing was sent") };
    pinger.on_sent(millis(5), target);
    pinger.on_message(millis(7), to, false, &reply_to(to, bytes));
    assert_eq!(pinger.report()[0].window.rtt_mean, Duration::from_millis(2));
    pinger.on_sent(millis(8), 99);
}

#[test]
fn what_never_answered_is_not_down() {
    let mut pinger = pinger(2);
    run(&mut pinger, START, millis(60_000), |_, _| false);
    assert!(pinger.report().iter().all(|report| report.reachability == Reachability::Unseen));
    assert_eq!(pinger.report()[0].window.loss_percent(), 100.0);
}

#[test]
fn a_reply_of_another_run_address_or_echo_counts_for_nobody() {
    let mut pinger = pinger(3);
    pinger.on_deadline(START);
    let Some(Effect::Send { to, bytes, .. }) = pinger.next_effect() else { panic!("nothing was sent") };
    let reply = reply_to(to, bytes);
    let forged = {
        let mut forged = reply;
        forged[8] ^= 1;
        forged
    };
    pinger.on_message(START, to, false, &forged);
    pinger.on_message(START, [203, 0, 113, 9].into(), false, &reply);
    assert_eq!((pinger.counters().foreign, pinger.counters().replies), (2, 0));
    pinger.on_message(START, to, false, &reply);
    pinger.on_message(START, to, false, &reply);
    assert_eq!((pinger.counters().late, pinger.counters().replies), (1, 1), "a duplicate counts once");
}

#[test]
fn a_gap_or_a_step_back_makes_no_burst_and_no_losses() {
    let mut pinger = pinger(10);
    run(&mut pinger, START, millis(3_000), |_, _| true);
    for now in [millis(3_600_000), millis(1_000)] {
        let lost = pinger.counters().lost;
        pinger.on_deadline(now);
        let sent = std::iter::from_fn(|| pinger.next_effect()).count();
        assert!(sent <= 10, "{sent} at once");
        assert_eq!(pinger.counters().lost, lost);
    }
}

#[test]
fn without_targets_there_is_no_deadline() {
    let mut pinger = pinger(0);
    assert_eq!(pinger.deadline(), None);
    pinger.on_deadline(START);
    assert_eq!(pinger.next_effect(), None);
}

proptest! {
    #[test]
    fn no_clock_and_no_octets_upset_it(steps in proptest::collection::vec((any::<i64>(), proptest::collection::vec(any::<u8>(), 0..40)), 0..60)) {
        let mut pinger = pinger(5);
        for (nanos, bytes) in steps {
            let now = Timestamp::from_nanos(nanos);
            pinger.on_deadline(now);
            pinger.on_message(now, [192, 0, 2, 1].into(), false, &bytes);
            let sent = std::iter::from_fn(|| pinger.next_effect()).count();
            prop_assert!(sent <= 5);
        }
    }
}
