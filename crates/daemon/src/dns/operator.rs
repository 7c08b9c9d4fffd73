//! What an operator asks of DNS.

use std::fmt::Write as _;

use dns::{Cached, Engine, Explanation, Flush, Shape, Source, Top, UpstreamHealth};
use model::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::inbox::{EngineHandle, Inbound};
use crate::control::{Answer, stopped};

/// What can be asked.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DnsRequest {
    /// How each upstream does.
    Upstreams,
    /// Why a question is answered as it is.
    Explain {
        /// The name.
        name: String,
        /// The type's mnemonic, e.g. `A`.
        qtype: String,
    },
    /// Who asks most, and for what.
    Top {
        /// How many of each.
        most: usize,
    },
    /// Forget what is kept.
    Flush(FlushWhat),
}

/// What to forget.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FlushWhat {
    /// One name, all types.
    Name(String),
    /// A name and all below it.
    Suffix(String),
    /// Everything.
    All,
}

/// Asks the engine and words its answer.
pub(crate) async fn answer(engine: &EngineHandle, request: DnsRequest) -> Answer {
    match request {
        DnsRequest::Upstreams => {
            match ask_engine(engine, |engine, _| engine.upstreams().collect::<Vec<UpstreamHealth>>()).await {
                Some(upstreams) => Answer::Done { says: words(&upstreams) },
                None => stopped(),
            }
        }
        DnsRequest::Explain { name, qtype } => {
            let action = move |engine: &mut Engine, now| {
                engine.explain(now, &name, &qtype).map(|why| (why, engine.upstreams().collect::<Vec<_>>()))
            };
            match ask_engine(engine, action).await {
                Some(Ok((why, upstreams))) => Answer::Done { says: explained(&why, &upstreams) },
                Some(Err(error)) => Answer::Refused { says: vec![error.to_string()] },
                None => stopped(),
            }
        }
        DnsRequest::Top { most } => match ask_engine(engine, move |engine, now| (engine.top(now, most), now)).await {
            Some((Some(top), now)) => Answer::Done { says: top_words(&top, now) },
            Some((None, _)) => Answer::Refused {
                says: vec!["this is not counted; `dns.top = true` in `[services]` of network.toml does it".to_owned()],
            },
            None => stopped(),
        },
        DnsRequest::Flush(what) => {
            let what = match what {
                FlushWhat::Name(name) => Flush::Name(name),
                FlushWhat::Suffix(name) => Flush::Suffix(name),
                FlushWhat::All => Flush::All,
            };
            match ask_engine(engine, move |engine, _| engine.flush(&what)).await {
                Some(Ok(count)) => Answer::Done { says: vec![format!("answers forgotten: {count}")] },
                Some(Err(error)) => Answer::Refused { says: vec![error.to_string()] },
                None => stopped(),
            }
        }
    }
}

/// Runs `action` in the engine's thread; `None` when that has ended.
pub(crate) async fn ask_engine<T: Send + 'static>(
    engine: &EngineHandle,
    action: impl FnOnce(&mut Engine, Timestamp) -> T + Send + 'static,
) -> Option<T> {
    let (sender, receiver) = oneshot::channel();
    let command = Inbound::Command(Box::new(move |engine, now| {
        // Whoever asked may have gone away.
        let _ = sender.send(action(engine, now));
    }));
    engine.send(command).ok()?;
    receiver.await.ok()
}

/// Step by step, in the order in which the engine looks.
fn explained(why: &Explanation, upstreams: &[UpstreamHealth]) -> Vec<String> {
    let mut says = vec![format!("{} {}", why.name, why.qtype)];
    if why.cached.is_empty() {
        says.push("1. nothing is kept".to_owned());
    }
    says.extend(why.cached.iter().map(|cached| format!("1. kept{}: {}", for_whom(cached), kept(cached))));
    let own = |of: &str| match why.own {
        Some(shape) => format!("2. {of} answers: {}", says_what(shape)),
        None => format!("2. {of} holds it but has no answer"),
    };
    says.push(match &why.source {
        Source::OwnZone(origin) => own(&format!("our own zone {origin}")),
        Source::ClientName => own("the lease of a DHCP client"),
        Source::Blocked(name) => own(&format!("the entry {name} of a list of blocked names")),
        Source::SpecialName => own("a special name (RFC 6761)"),
        Source::MinimalAny => own("type ANY (RFC 8482)"),
        Source::Forward(zone) => format!("2. the servers of {zone} are asked (`dns.forward`)"),
        Source::Upstreams => "2. no name of ours and no special one: upstreams are asked".to_owned(),
    });
    if let Some(target) = &why.leads_to {
        says.push(format!(
            "3. that leads to {target}, which is looked up next: `hotstage dns explain {target}` says how"
        ));
    }
    if why.source == Source::Upstreams {
        says.extend(words(upstreams).into_iter().map(|line| format!("3. {line}")));
    }
    if why.is_waited_for {
        says.push("clients wait for the answer of an upstream now".to_owned());
    }
    says
}

fn for_whom(cached: &Cached) -> &'static str {
    match (cached.dnssec_ok, cached.checking_disabled) {
        (false, false) => "",
        (true, false) => " for clients that want DNSSEC records",
        (false, true) => " for clients that check themselves",
        (true, true) => " for clients that want DNSSEC records and check themselves",
    }
}

fn kept(cached: &Cached) -> String {
    let mut says = says_what(cached.shape);
    if cached.is_secure {
        says.push_str(", signatures are good");
    }
    if let Some(code) = cached.extended_error {
        let _ = write!(says, " because {} (extended error {code})", reason(code));
    }
    match cached.fresh_for {
        Some(left) => format!("{says}, served as it is for {} s more", left.as_secs()),
        None if cached.recheck_in.is_zero() => format!(
            "{says}, past its end; served if no upstream answers within 1.8 s, for {} h more",
            cached.usable_for.as_secs() / 3_600
        ),
        None => format!(
            "{says}, past its end and served because upstreams did not answer; they are asked again in {} s",
            cached.recheck_in.as_secs()
        ),
    }
}

/// Extended DNS errors that an answer of ours may have (RFC 8914 section 4).
fn reason(code: u16) -> &'static str {
    match code {
        1 => "the algorithm of its keys is unknown",
        2 => "the digest of its DS record is unknown",
        5 => "its signatures could not be judged",
        6 => "it is bogus",
        7 => "its signature has expired",
        8 => "its signature is not valid yet",
        9 => "no key fits its DS record",
        10 => "signatures are missing",
        11 => "no key is meant for zones",
        12 => "proof that it does not exist is missing",
        15 => "a list blocks it",
        22 => "no server of its zone could be reached",
        23 => "no upstream could be reached",
        _ => "of another reason",
    }
}

fn says_what(shape: Shape) -> String {
    let code = match shape.rcode {
        0 => "NOERROR".to_owned(),
        2 => "SERVFAIL".to_owned(),
        3 => "NXDOMAIN".to_owned(),
        5 => "REFUSED".to_owned(),
        other => format!("RCODE{other}"),
    };
    match shape.records {
        0 => format!("{code} without records"),
        1 => format!("{code} with 1 record"),
        records => format!("{code} with {records} records"),
    }
}

fn top_words(top: &Top, now: Timestamp) -> Vec<String> {
    let Some(since) = top.since else { return vec!["nobody has asked anything yet".to_owned()] };
    let minutes = if now > since { now.since(since).as_secs() / 60 } else { 0 };
    let mut says =
        vec![format!("{} questions in {minutes} min; counts may be up to {} too low", top.questions, top.missing)];
    says.push("names".to_owned());
    says.extend(top.names.iter().map(|(name, count)| format!("{count:>9}  {name}")));
    says.push("clients".to_owned());
    says.extend(top.clients.iter().map(|(client, count)| format!("{count:>9}  {client}")));
    says
}

fn words(upstreams: &[UpstreamHealth]) -> Vec<String> {
    if upstreams.is_empty() {
        return vec!["no upstreams: only the event's own names are answered".to_owned()];
    }
    let one = |upstream: &UpstreamHealth| {
        let mut line = format!("{:<24} {}", upstream.address, if upstream.healthy { "answers" } else { "is silent" });
        if let Some(time) = upstream.srtt {
            let _ = write!(line, ", in {:.1} ms", time.as_secs_f64() * 1_000.0);
        }
        if upstream.failures > 0 {
            let _ = write!(line, ", {} failures in a row", upstream.failures);
        }
        line
    };
    upstreams.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_answer_is_explained_in_the_order_of_looking() {
        let shape = Shape { rcode: 0, records: 2 };
        let cached = Cached {
            dnssec_ok: false,
            checking_disabled: false,
            shape,
            is_secure: false,
            extended_error: None,
            fresh_for: Some(Duration::from_secs(90)),
            usable_for: Duration::from_secs(90_000),
            recheck_in: Duration::ZERO,
        };
        let mut why = Explanation {
            name: "a.example.".to_owned(),
            qtype: "A".to_owned(),
            source: Source::Upstreams,
            own: None,
            leads_to: None,
            cached: vec![cached],
            is_waited_for: false,
        };
        let says = explained(&why, &[]);
        assert_eq!(
            says,
            [
                "a.example. A",
                "1. kept: NOERROR with 2 records, served as it is for 90 s more",
                "2. no name of ours and no special one: upstreams are asked",
                "3. no upstreams: only the event's own names are answered",
            ]
        );
        why.cached[0] = Cached { fresh_for: None, dnssec_ok: true, ..cached };
        assert!(explained(&why, &[])[1].contains("DNSSEC records: NOERROR with 2 records, past its end; served if no"));
        why.cached[0].is_secure = true;
        assert!(explained(&why, &[])[1].contains("2 records, signatures are good, past its end"));
        why.cached[0].recheck_in = Duration::from_secs(12);
        assert!(explained(&why, &[])[1].ends_with("they are asked again in 12 s"));
        (why.cached[0].shape, why.cached[0].extended_error) = (Shape { rcode: 2, records: 0 }, Some(9));
        let says = explained(&why, &[]);
        assert!(
            says[1].contains("SERVFAIL without records")
                && says[1].contains("because no key fits its DS record (extended error 9)")
        );
        (why.source, why.own) = (Source::OwnZone("event.example.".to_owned()), Some(Shape { rcode: 3, records: 0 }));
        why.cached.clear();
        let says = explained(&why, &[]);
        assert_eq!(
            says[1..],
            ["1. nothing is kept", "2. our own zone event.example. answers: NXDOMAIN without records"]
        );
    }

    #[test]
    fn upstreams_are_worded() {
        let good = UpstreamHealth {
            address: "192.0.2.53:53".parse().unwrap(),
            healthy: true,
            srtt: Some(Duration::from_micros(12_340)),
            failures: 0,
        };
        let bad = UpstreamHealth { healthy: false, srtt: None, failures: 7, ..good };
        let says = words(&[good, bad]);
        assert_eq!(says[0], "192.0.2.53:53            answers, in 12.3 ms");
        assert_eq!(says[1], "192.0.2.53:53            is silent, 7 failures in a row");
        assert_eq!(words(&[]).len(), 1);
    }
}
