use super::*;

const RULE: &str = "device-down";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_secs(1_700_000_000 + seconds)
}

fn condition(place: &str) -> Condition {
    Condition {
        rule: RULE.to_owned(),
        place: place.to_owned(),
        severity: Severity::Error,
        subject: crate::Subject { device: Some(place.into()), room: Some("hall".into()), port: None },
        says: format!("{place} does not answer"),
        cause: String::new(),
        remedy: "look at its port".to_owned(),
        remedy_for_operators: None,
        since: None,
        hold: Duration::ZERO,
        calm: Duration::ZERO,
        hidden_by: None,
    }
}

fn words(changes: &[AlertChange]) -> Vec<String> {
    let word = |change: &AlertChange| match change {
        AlertChange::Began(alert) => format!("began {}", alert.place),
        AlertChange::Ended(alert) => format!("ended {}", alert.place),
        AlertChange::Taken(alert) => format!("taken {}", alert.place),
        AlertChange::Escalated(alert) => format!("again {}", alert.place),
        AlertChange::Silenced(silence) => format!("silenced by {}", silence.by),
        AlertChange::Tell(alert) => format!("tell {} {:?} {}", alert.place, alert.state, alert.escalations),
    };
    changes.iter().map(word).collect()
}

/// Looks at each moment; `true` = the condition is there.
fn check(book: &mut AlertBook, looks: &[(i64, bool, &[&str])], condition: &Condition) {
    for (seconds, is_there, expected) in looks {
        let seen = is_there.then(|| condition.clone()).into_iter().collect();
        assert_eq!(words(&book.observe(at(*seconds), seen)), *expected, "at {seconds} s");
    }
}

#[test]
fn begins_is_told_once_and_ends() {
    let looks: &[(i64, bool, &[&str])] = &[
        (0, true, &["began a", "tell a Firing 0"]),
        (1, true, &[]),
        (2, false, &["ended a", "tell a Resolved 0"]),
        (3, false, &[]),
    ];
    check(&mut AlertBook::new(Damping::default()), looks, &condition("a"));
}

#[test]
fn hold_and_calm_keep_short_spells_quiet() {
    let condition = Condition { hold: Duration::from_secs(5), calm: Duration::from_secs(5), ..condition("a") };
    let looks: &[(i64, bool, &[&str])] = &[
        (0, true, &[]),
        (4, false, &[]),
        (6, true, &[]),
        (10, true, &[]),
        (11, true, &["began a", "tell a Firing 0"]),
        (12, false, &[]),
        (16, true, &[]),
        (17, false, &[]),
        (22, false, &["ended a", "tell a Resolved 0"]),
    ];
    check(&mut AlertBook::new(Damping::default()), looks, &condition);
}

#[test]
fn a_flapping_alert_stays_until_it_is_calm() {
    let mut book = AlertBook::new(Damping::default());
    let condition = condition("a");
    for round in 0..3 {
        book.observe(at(round * 10), vec![condition.clone()]);
        assert_eq!(book.observe(at(round * 10 + 5), Vec::new()).len(), 2, "round {round}");
    }
    book.observe(at(30), vec![condition.clone()]);
    assert!(book.alerts().next().unwrap().is_flapping);
    for round in 3..20 {
        assert_eq!(words(&book.observe(at(round * 10 + 5), Vec::new())), [""; 0], "round {round}");
        book.observe(at(round * 10 + 9), vec![condition.clone()]);
    }
    assert_eq!(words(&book.observe(at(400), Vec::new())), [""; 0]);
    assert_eq!(words(&book.observe(at(700), Vec::new())), ["ended a", "tell a Resolved 0"]);
}

#[test]
fn what_another_explains_is_listed_and_not_told() {
    let mut book = AlertBook::new(Damping::default());
    let hidden = Condition { hidden_by: Some("core".into()), ..condition("ap") };
    let changes = book.observe(at(0), vec![condition("core"), hidden]);
    assert_eq!(words(&changes), ["began core", "tell core Firing 0"]);
    assert_eq!(book.alerts().count(), 2);
    let changes = book.observe(at(1), vec![condition("ap")]);
    assert_eq!(words(&changes), ["ended core", "tell core Resolved 0"], "it boots");
    assert_eq!(words(&book.observe(at(179), vec![condition("ap")])), [""; 0]);
    assert_eq!(words(&book.observe(at(180), vec![condition("ap")])), ["began ap", "tell ap Firing 0"]);
}

#[test]
fn a_restart_keeps_numbers_who_took_what_and_silences() {
    let mut book = AlertBook::new(Damping::default());
    book.observe(at(0), vec![condition("a"), condition("b")]);
    let id = book.alerts().next().unwrap().id;
    book.acknowledge(id, "ops");
    let silence =
        Silence { rule: None, device: Some("c".to_owned()), room: None, until: at(600), by: "ops".to_owned() };
    book.silence(at(1), silence).unwrap();
    let text = serde_json::to_string(&book.saved()).unwrap();

    let mut book = AlertBook::new(Damping::default());
    book.restore(at(10), serde_json::from_str(&text).unwrap());
    assert_eq!(words(&book.observe(at(11), Vec::new())), [""; 0], "not looked yet");
    assert_eq!(words(&book.observe(at(15), vec![condition("a"), condition("c")])), ["began c"], "c is silenced");
    let taken = book.alerts().next().unwrap();
    assert_eq!((taken.id, taken.acknowledged_by.as_deref(), taken.since), (id, Some("ops"), at(0)));
    assert_eq!(words(&book.observe(at(16), Vec::new())), ["ended a", "tell a Resolved 0", "ended c"]);
    assert_eq!(words(&book.observe(at(71), Vec::new())), ["ended b", "tell b Resolved 0"]);
}

#[test]
fn an_error_that_nobody_takes_is_told_again_at_most_three_times() {
    let mut book = AlertBook::new(Damping::default());
    let mut told = Vec::new();
    for minute in 0..120 {
        told.extend(words(&book.observe(at(minute * 60), vec![condition("a")])));
    }
    let again = ["again a", "tell a Firing 1", "again a", "tell a Firing 2", "again a", "tell a Firing 3"];
    assert_eq!(told, [&["began a", "tell a Firing 0"][..], &again].concat());

    let warning = Condition { severity: Severity::Warning, ..condition("b") };
    let mut book = AlertBook::new(Damping::default());
    let told: usize = (0..120).map(|minute| book.observe(at(minute * 60), vec![warning.clone()]).len()).sum();
    assert_eq!(told, 2, "a warning is told once");
}

#[test]
fn an_alert_that_is_taken_is_not_told_again_but_for_its_end() {
    let mut book = AlertBook::new(Damping::default());
    book.observe(at(0), vec![condition("a")]);
    let id = book.alerts().next().unwrap().id;
    assert!(book.acknowledge(AlertId(99), "ops").is_none());
    assert_eq!(book.acknowledge(id, "ops").unwrap().acknowledged_by.as_deref(), Some("ops"));
    book.acknowledge(id, "ops");
    assert_eq!(words(&book.observe(at(3_600), vec![condition("a")])), ["taken a"]);
    assert_eq!(words(&book.observe(at(3_601), Vec::new())), ["ended a", "tell a Resolved 0"]);
}

#[test]
fn a_silence_ends_and_then_the_alert_is_told() {
    let mut book = AlertBook::new(Damping::default());
    let silence = |until| Silence {
        rule: None,
        device: None,
        room: Some("hall".to_owned()),
        until: at(until),
        by: "ops".to_owned(),
    };
    assert_eq!(book.silence(at(10), silence(10)), Err(SilenceError::Ended));
    assert_eq!(book.silence(at(0), Silence { room: None, ..silence(60) }), Err(SilenceError::Everything));
    assert_eq!(book.silence(at(0), silence(60)), Ok(()));
    assert_eq!(words(&book.observe(at(1), vec![condition("a")])), ["silenced by ops", "began a"], "written, not told");
    assert_eq!(book.alerts().next().unwrap().silenced_until, Some(at(60)));
    assert_eq!(book.counters().silenced, 1);
    assert_eq!(words(&book.observe(at(60), vec![condition("a")])), ["tell a Firing 0"]);
    for _ in 0..256 {
        assert_eq!(book.silence(at(60), silence(120)), Ok(()));
    }
    assert_eq!(book.silence(at(60), silence(120)), Err(SilenceError::Full));
}

#[test]
fn a_clock_set_back_does_not_hold_an_alert_for_ever() {
    let mut book = AlertBook::new(Damping::default());
    let held = Condition { hold: Duration::from_secs(5), ..condition("a") };
    book.observe(at(10_000), vec![held.clone()]);
    book.observe(at(0), vec![held.clone()]);
    assert_eq!(words(&book.observe(at(5), vec![held])), ["began a", "tell a Firing 0"]);
}

#[test]
fn alerts_are_bounded_and_the_rest_counted() {
    let mut book = AlertBook::new(Damping::default());
    let many = (0..ALERTS_MAX + 10).map(|number| condition(&format!("d{number}"))).collect();
    book.observe(at(0), many);
    assert_eq!((book.alerts().count(), book.counters().refused), (ALERTS_MAX, 10));
}
