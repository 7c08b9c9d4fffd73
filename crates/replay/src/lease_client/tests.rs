use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::*;

const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 10);
const OTHER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 11);
const SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const HOUR: Duration = Duration::from_secs(3_600);

/// A client and a clock that only the test moves.
struct Rig {
    client: LeaseClient,
    random: ChaCha8Rng,
    line: TimeLine,
    elapsed: Duration,
    xid: u32,
}

impl Rig {
    fn new(speed: f64) -> Self {
        let day = (Timestamp::from_secs(0), Timestamp::from_secs(86_400));
        let line = TimeLine::new(vec![day], speed).unwrap();
        let (client, random) = (LeaseClient::default(), ChaCha8Rng::seed_from_u64(1));
        Self { client, random, line, elapsed: Duration::from_secs(1), xid: 0 }
    }

    fn call(&mut self, call: impl FnOnce(&mut LeaseClient, &Now<'_>, &mut ChaCha8Rng) -> Step) -> Step {
        let now = Now { elapsed: self.elapsed, line: &self.line };
        let step = call(&mut self.client, &now, &mut self.random);
        self.xid = step.send.map_or(self.xid, |message| message.xid);
        step
    }

    fn associate(&mut self) -> Step {
        self.call(LeaseClient::on_associate)
    }

    fn leave(&mut self, releases: bool) -> Step {
        self.call(|client, now, random| client.on_leave(now, releases, random))
    }

    fn answer(&mut self, kind: AnswerKind) -> Step {
        let answer = Answer { xid: self.xid, kind };
        self.call(|client, now, random| client.on_answer(now, &answer, random))
    }

    fn offer(&mut self) -> Step {
        self.answer(AnswerKind::Offer { address: ADDRESS, server: SERVER })
    }

    fn ack(&mut self, address: Ipv4Addr) -> Step {
        self.answer(AnswerKind::Ack { address, server: Some(SERVER), lease: HOUR, renewal: None })
    }

    /// Lets time pass until the client's deadline and tells it.
    fn deadline(&mut self) -> Step {
        let deadline = self.client.deadline().unwrap();
        assert!(deadline > self.elapsed, "a deadline in the past spins the player");
        self.elapsed = deadline;
        self.call(LeaseClient::on_deadline)
    }

    fn bind(&mut self) -> Grant {
        self.associate();
        self.offer();
        granted(self.ack(ADDRESS))
    }
}

fn sent(step: Step) -> OutgoingKind {
    step.send.unwrap().kind
}

fn granted(step: Step) -> Grant {
    match step.note {
        Some(Note::Granted(grant)) => grant,
        other => panic!("no lease but {other:?}"),
    }
}

#[test]
fn discover_offer_request_ack() {
    let mut rig = Rig::new(1.0);
    assert_eq!(sent(rig.associate()), OutgoingKind::Discover { wanted: None });
    let discovered = rig.xid;
    rig.elapsed += Duration::from_millis(3);
    assert_eq!(sent(rig.offer()), OutgoingKind::Select { offered: ADDRESS, server: SERVER });
    assert_eq!(rig.xid, discovered, "RFC 2131 section 4.4.1: the REQUEST has the DISCOVER's xid");
    rig.elapsed += Duration::from_millis(4);
    let grant = granted(rig.ack(ADDRESS));
    assert_eq!((grant.address, grant.waited, grant.is_renewal), (ADDRESS, Duration::from_millis(7), false));
    // From the moment of the REQUEST, 1.003 s, and not of the ACK.
    assert_eq!(grant.expires, Timestamp::EPOCH + HOUR + Duration::from_millis(1_003));
    assert!(rig.client.is_bound() && !rig.client.is_asking());
}

#[test]
fn a_second_offer_and_foreign_answers_change_nothing() {
    let mut rig = Rig::new(1.0);
    rig.associate();
    assert_eq!(rig.ack(ADDRESS), Step::default(), "an ACK before the REQUEST");
    assert_eq!(rig.answer(AnswerKind::Nak), Step::default());
    rig.offer();
    assert_eq!(rig.answer(AnswerKind::Offer { address: OTHER, server: SERVER }), Step::default());
    rig.xid ^= 1;
    assert_eq!(rig.ack(ADDRESS), Step::default(), "an ACK of another exchange");
    assert!(!rig.client.is_bound());
}

#[test]
fn without_answers_it_tries_five_times_then_rests_and_starts_again() {
    let mut rig = Rig::new(1_440.0);
    let began = rig.elapsed;
    rig.associate();
    for _ in 1..TRIES_MAX {
        let step = rig.deadline();
        assert_eq!((sent(step), step.is_retransmission), (OutgoingKind::Discover { wanted: None }, true));
    }
    let step = rig.deadline();
    assert_eq!((step.send, step.note), (None, Some(Note::Failed { refused: false })));
    let waited = (rig.elapsed - began).as_secs_f64();
    assert!((5.1..6.4).contains(&waited), "compressed time must not shorten the tries: {waited} s");
    let step = rig.deadline();
    assert_eq!((sent(step), step.is_retransmission), (OutgoingKind::Discover { wanted: None }, false));
    rig.offer();
    granted(rig.ack(ADDRESS));
}

#[test]
fn a_lost_ack_is_asked_for_again_then_the_client_starts_afresh() {
    let mut rig = Rig::new(1.0);
    rig.associate();
    rig.offer();
    for _ in 1..REQUEST_TRIES_MAX {
        assert_eq!(sent(rig.deadline()), OutgoingKind::Select { offered: ADDRESS, server: SERVER });
    }
    let asked = rig.xid;
    assert_eq!(sent(rig.deadline()), OutgoingKind::Discover { wanted: None });
    assert_ne!(rig.xid, asked);
    rig.offer();
    assert!(granted(rig.ack(ADDRESS)).waited > Duration::from_secs(3), "the wait counts from the first DISCOVER");
}

#[test]
fn it_renews_at_t1_and_lapses_at_expiry() {
    let mut rig = Rig::new(1.0);
    let grant = rig.bind();
    let bound_at = rig.elapsed;
    assert_eq!(sent(rig.deadline()), OutgoingKind::Renew { ciaddr: ADDRESS });
    let t1 = (rig.elapsed - bound_at).as_secs_f64();
    assert!((1_620.0..=1_800.0).contains(&t1), "{t1}");
    assert!(rig.client.is_bound(), "the lease is good while it is being renewed");
    let renewed = granted(rig.ack(ADDRESS));
    assert!(renewed.is_renewal && renewed.expires > grant.expires);
    rig.deadline();
    let mut tries = 0;
    let lapsed = loop {
        let step = rig.deadline();
        if step.note.is_some() {
            break step;
        }
        assert_eq!(sent(step), OutgoingKind::Renew { ciaddr: ADDRESS });
        tries += 1;
    };
    assert_eq!((lapsed.note, sent(lapsed)), (Some(Note::Lapsed), OutgoingKind::Discover { wanted: Some(ADDRESS) }));
    assert!(tries > 100, "{tries}");
    assert_eq!(rig.line.event_time(rig.elapsed), renewed.expires);
}

#[test]
fn in_compressed_time_a_renewal_has_several_tries() {
    let mut rig = Rig::new(14_400.0);
    rig.bind();
    assert_eq!(sent(rig.deadline()), OutgoingKind::Renew { ciaddr: ADDRESS });
    assert_eq!(sent(rig.deadline()), OutgoingKind::Renew { ciaddr: ADDRESS });
    assert!(granted(rig.ack(ADDRESS)).is_renewal);
}

#[test]
fn a_nak_ends_what_was_held() {
    let mut rig = Rig::new(1.0);
    rig.bind();
    rig.deadline();
    let step = rig.answer(AnswerKind::Nak);
    assert_eq!((step.note, sent(step)), (Some(Note::Refused), OutgoingKind::Discover { wanted: None }));
    assert!(!rig.client.is_bound());
    // A server that takes back every offer is given up on.
    let mut notes = Vec::new();
    for _ in 1..NAKS_MAX {
        rig.offer();
        notes.extend(rig.answer(AnswerKind::Nak).note);
    }
    assert_eq!(notes.pop(), Some(Note::Failed { refused: true }));
    assert!(notes.iter().all(|note| *note == Note::Refused));
}

#[test]
fn a_client_that_returns_confirms_its_lease() {
    let mut rig = Rig::new(1.0);
    rig.bind();
    assert_eq!(rig.leave(false), Step::default());
    assert_eq!(rig.client.deadline(), None);
    rig.elapsed += HOUR / 2;
    assert_eq!(sent(rig.associate()), OutgoingKind::Reboot { remembered: ADDRESS });
    assert!(!granted(rig.ack(ADDRESS)).is_renewal);
    rig.leave(false);
    rig.elapsed += HOUR;
    assert_eq!(sent(rig.associate()), OutgoingKind::Discover { wanted: Some(ADDRESS) }, "the lease has run out");
    rig.leave(false);
}

#[test]
fn a_confirmation_without_answer_falls_back_to_discover() {
    let mut rig = Rig::new(1.0);
    rig.bind();
    rig.leave(false);
    rig.associate();
    for _ in 1..REBOOT_TRIES_MAX {
        assert_eq!(sent(rig.deadline()), OutgoingKind::Reboot { remembered: ADDRESS });
    }
    assert_eq!(sent(rig.deadline()), OutgoingKind::Discover { wanted: Some(ADDRESS) });
}

#[test]
fn the_few_that_release_do_so_once_and_only_what_they_hold() {
    let mut rig = Rig::new(1.0);
    rig.bind();
    let step = rig.leave(true);
    assert_eq!(sent(step), OutgoingKind::Release { ciaddr: ADDRESS, server: SERVER });
    assert_eq!(step.note, Some(Note::Released));
    assert_eq!(rig.leave(true), Step::default());
    assert_eq!(sent(rig.associate()), OutgoingKind::Discover { wanted: Some(ADDRESS) });
    let step = rig.leave(true);
    assert_eq!((step.send, step.note), (None, Some(Note::Interrupted)));
}

#[test]
fn leases_of_any_length_neither_spin_nor_overflow() {
    for lease in [Duration::ZERO, Duration::from_secs(1), HOUR, Duration::from_secs(u32::MAX.into()), Duration::MAX] {
        for renewal in [None, Some(Duration::ZERO), Some(Duration::MAX)] {
            let mut rig = Rig::new(1_440.0);
            rig.associate();
            rig.offer();
            rig.answer(AnswerKind::Ack { address: ADDRESS, server: None, lease, renewal });
            let wait = rig.client.deadline().unwrap() - rig.elapsed;
            assert!(wait >= EXCHANGE_INTERVAL_MIN, "{lease:?} {renewal:?}: {wait:?}");
        }
    }
}
