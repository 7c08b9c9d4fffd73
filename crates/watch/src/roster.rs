//! Who is on duty, and who comes after them.

use model::Timestamp;

/// People named in one message.
const NAMED_MAX: usize = 4;

/// A shift of the roster.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Duty {
    /// From.
    pub starts: Timestamp,
    /// To.
    pub ends: Timestamp,
    /// Who, and how to reach them.
    pub who: String,
}

/// The roster, in its order: who stands first of a shift is asked first.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Roster {
    duties: Vec<Duty>,
}

/// Whom a message is for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Addressee {
    /// Whose turn it is; `None` when nobody is on duty now or later.
    pub to: Option<String>,
    /// Who was told before and did not take it.
    pub before: Vec<String>,
    /// Everybody on duty, some of them.
    pub on_duty: Vec<String>,
}

impl Roster {
    /// From shifts in the order of the plan.
    pub fn new(duties: Vec<Duty>) -> Self {
        Self { duties }
    }

    /// Whose turn it is at `now` for an alert that was told again `escalations` times: those on duty in their order, then
    /// those of the next shift, then from the front again.
    pub fn addressee(&self, now: Timestamp, escalations: u32) -> Addressee {
        let mut on_duty: Vec<&Duty> = self.duties.iter().filter(|duty| duty.starts <= now && now < duty.ends).collect();
        // The sort keeps the plan's order among those who began together.
        on_duty.sort_by_key(|duty| duty.starts);
        let later = self.duties.iter().filter(|duty| duty.starts > now);
        let next = later.clone().map(|duty| duty.starts).min();
        let next_shift = later.filter(|duty| Some(duty.starts) == next);
        let mut turns: Vec<&str> = Vec::new();
        for duty in on_duty.iter().copied().chain(next_shift) {
            if !turns.contains(&duty.who.as_str()) {
                turns.push(&duty.who);
            }
        }
        let turn = |number: usize| turns.get(number % turns.len().max(1)).map(|who| (*who).to_owned());
        let escalations = escalations as usize;
        let mut before: Vec<String> = Vec::new();
        for who in (0..escalations.min(turns.len())).filter_map(turn) {
            if Some(&who) != turn(escalations).as_ref() {
                before.push(who);
            }
        }
        before.truncate(NAMED_MAX);
        let on_duty = on_duty.iter().map(|duty| duty.who.clone()).take(NAMED_MAX).collect();
        Addressee { to: turn(escalations), before, on_duty }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(now: i64, escalations: u32, to: Option<&str>, before: &[&str], on_duty: &[&str]) {
        let duty = |starts, ends, who: &str| Duty {
            starts: Timestamp::from_secs(starts),
            ends: Timestamp::from_secs(ends),
            who: who.to_owned(),
        };
        let roster = Roster::new(vec![
            duty(10, 20, "Aki"),
            duty(10, 20, "Ben"),
            duty(20, 30, "Chie"),
            duty(20, 30, "Aki"),
            duty(40, 50, "Dan"),
        ]);
        let found = roster.addressee(Timestamp::from_secs(now), escalations);
        assert_eq!(
            (found.to.as_deref(), found.before, found.on_duty),
            (to, owned(before), owned(on_duty)),
            "{now} {escalations}"
        );
    }

    fn owned(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn those_on_duty_come_first_then_the_next_shift_then_again() {
        check(10, 0, Some("Aki"), &[], &["Aki", "Ben"]);
        check(10, 1, Some("Ben"), &["Aki"], &["Aki", "Ben"]);
        check(10, 2, Some("Chie"), &["Aki", "Ben"], &["Aki", "Ben"]);
        check(10, 3, Some("Aki"), &["Ben", "Chie"], &["Aki", "Ben"]);
        check(25, 0, Some("Chie"), &[], &["Chie", "Aki"]);
        check(35, 0, Some("Dan"), &[], &[]);
        check(60, 5, None, &[], &[]);
    }
}
