//! A lossy network on a virtual clock: every accepted query is answered exactly once.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha12Rng;

use super::*;
use crate::Counters;

struct Weather {
    loss_percent: u32,
    duplicate_percent: u32,
    damage_percent: u32,
    delay_ms_max: u32,
}

/// Runs `queries` clients through one engine; answers from upstreams are lost, doubled, damaged and late.
fn run(seed: u64, queries: u16, pending_max: usize, weather: &Weather) -> (u64, Counters) {
    let mut random = ChaCha12Rng::seed_from_u64(seed);
    let mut rig = Rig::new(Settings { pending_max, waiters_max: 4, cache_bytes_max: 4_000, ..settings() });
    let mut in_air: BTreeMap<(Timestamp, u64), (Asked, Vec<u8>)> = BTreeMap::new();
    let mut sequence = 0;
    let mut roll = |sides: u32| random.next_u32() % sides;
    for number in 0..queries {
        rig.wait(ms(u64::from(roll(40))));
        let (name, qtype) =
            (format!("{}{}.example", ["a", "nx"][roll(2) as usize], roll(30)), [1, 28, 65][roll(3) as usize]);
        rig.query(udp(number), &client::query(number, &name, qtype, roll(2) == 0));
        step(&mut rig, &mut in_air, &mut sequence, &mut roll, weather);
    }
    for _ in 0..200 {
        rig.wait(ms(50));
        step(&mut rig, &mut in_air, &mut sequence, &mut roll, weather);
    }
    let mut answers: HashMap<u16, u32> = HashMap::new();
    for (client, bytes) in &rig.replies {
        assert_eq!(client::Answer::parse(bytes).unwrap().id, client.address.port());
        *answers.entry(client.address.port()).or_default() += 1;
    }
    assert_eq!(answers.len(), usize::from(queries), "seed {seed}: a query without answer");
    assert!(answers.values().all(|count| *count == 1), "seed {seed}: a query answered twice");
    assert_eq!(rig.engine.pending(), 0);
    assert!(rig.engine.cache_use().1 <= 4_000);
    let good = rig.replies.iter().filter(|(_, bytes)| bytes[3] & 15 != 2).count();
    (good as u64, rig.engine.counters())
}

/// Upstreams hear what was asked; what is due of their answers arrives.
fn step(
    rig: &mut Rig,
    in_air: &mut BTreeMap<(Timestamp, u64), (Asked, Vec<u8>)>,
    sequence: &mut u64,
    roll: &mut impl FnMut(u32) -> u32,
    weather: &Weather,
) {
    for _ in 0..1_000 {
        for asked in std::mem::take(&mut rig.asked) {
            let copies = 1 + u32::from(roll(100) < weather.duplicate_percent);
            for _ in 0..copies {
                if roll(100) < weather.loss_percent {
                    continue;
                }
                let mut bytes = authority::answer(&asked.bytes).unwrap();
                if roll(100) < weather.damage_percent {
                    let at = roll(bytes.len() as u32) as usize;
                    bytes[at] = roll(256) as u8;
                }
                *sequence += 1;
                in_air.insert((rig.now + ms(u64::from(roll(weather.delay_ms_max))), *sequence), (asked.clone(), bytes));
            }
        }
        match in_air.first_key_value() {
            Some(((due, _), _)) if *due <= rig.now => {}
            _ => return,
        }
        if let Some((_, (asked, bytes))) = in_air.pop_first() {
            rig.answer(&asked, &bytes);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_query_is_answered_once(
        seed in any::<u64>(),
        loss_percent in 0_u32..100,
        duplicate_percent in 0_u32..50,
        damage_percent in 0_u32..50,
        delay_ms_max in 1_u32..6_000,
    ) {
        run(seed, 150, 20, &Weather { loss_percent, duplicate_percent, damage_percent, delay_ms_max });
    }
}

/// A tunnel that loses half of its packets still serves nearly everyone, and the same seed does the same.
#[test]
fn half_of_all_packets_lost() {
    let weather = Weather { loss_percent: 50, duplicate_percent: 5, damage_percent: 0, delay_ms_max: 60 };
    let (good, counters) = run(11, 1_000, 1_000, &weather);
    assert!(good > 950, "{good} of 1000 answered, {counters:?}");
    assert_eq!((good, counters), run(11, 1_000, 1_000, &weather));
}
