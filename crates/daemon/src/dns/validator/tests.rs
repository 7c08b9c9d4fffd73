//! The thread as the engine sees it: the tests play the engine.

use std::thread::JoinHandle;

use domain::{
    base::{
        MessageBuilder, Name, Record, Rtype,
        iana::Class,
        name::{FlattenInto, ToName},
    },
    rdata::ZoneRecordData,
    zonefile::inplace::{Entry, Zonefile},
};

use super::*;
use crate::{clock::instant, dns::inbox::Inbox};

/// A root signed until 2090, in which `plain.` has no DS; made with ldns-signzone.
const ROOT: &str = "\
. 300 IN SOA ns. hostmaster. 1 3600 600 86400 60
. 300 IN RRSIG SOA 13 0 300 20900101000000 20250101000000 21809 . UVB0CKj6ixmR0FUgmpeL5pPj17mVJlGR04HKHxjy4EN07wkr+BESlMnax+TPcNDyGLMI35JPy/M3j/xsebQRvA==
. 300 IN DNSKEY 257 3 13 NN1p4PDgyAZ+JCCo3Syl9gRdR4wkiP1t1zrMn02zO2Hx2N1J6p2BNW9rNnQsXI4VPJRmp1bpQ9vvTIKSO8C11w==
. 300 IN RRSIG DNSKEY 13 0 300 20900101000000 20250101000000 21809 . iuYEyiz+6/RfTLsha1orbJSYKSsDf52tQqIQwN1F8ogsErIUC1yJXq/nm2y7dEzP1pv8uYyJrWuspbstUfRHpw==
. 60 IN NSEC ns. NS SOA RRSIG NSEC DNSKEY
. 60 IN RRSIG NSEC 13 0 60 20900101000000 20250101000000 21809 . yCOYzdT204F/nPYFWWweqRQaPZYURr947lm/OuIP31TaFBiggnOF4AWEOEw3rkAVoVex+LRcMVeAVSpRZ0KO/A==
plain. 300 IN NS ns.plain.
plain. 60 IN NSEC www. NS RRSIG NSEC
plain. 60 IN RRSIG NSEC 13 1 60 20900101000000 20250101000000 21809 . imeiBquExayWSSTnshFc3KeEaXGcIsn8/fC1l3m5vsnYFzgWQkNH6hEyRGvXOvoKHizEOx8qMITrlU367lNtsg==
www. 300 IN A 192.0.2.66
www. 300 IN RRSIG A 13 1 300 20900101000000 20250101000000 21809 . 50PvMyo5QQluACknP0Ym2XIFpLwoNDqIU2CZIQJvkngNviL2RaRwHGcijPHc8NRjjdKGzR+KCS+93I4yRF7dyA==
www. 60 IN NSEC . A RRSIG NSEC
www. 60 IN RRSIG NSEC 13 1 60 20900101000000 20250101000000 21809 . let4TMVDa+IM6KXF+dg84ahqf0RRgj1++LoG7zMRZw5iY/gDLATaVEN+icKfBBzDQLok5fQkj5ScGlwSi/kH0A==
";
const ANCHOR: &str = ". IN DS 21809 13 2 d5ef69d8364191e4067aecb670c61b33455cf330998c6e4956803d20f104526e";
const LIMIT: Duration = Duration::from_secs(20);

/// A validator, and the end of the queue that an engine would read.
struct Rig {
    validator: ValidatorHandle,
    inbox: Inbox,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Rig {
    fn new() -> Self {
        let (handle, inbox) = Inbox::new().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let anchors = AnchorRecords::new(ANCHOR, Path::new("test")).unwrap();
        let (validator, thread) = ValidatorThread::new(anchors, handle, Arc::clone(&stop));
        let thread = std::thread::spawn(move || thread.run().unwrap());
        Self { validator, inbox, stop, thread: Some(thread) }
    }

    /// The verdict on `message`; `fails` says which questions get SERVFAIL meanwhile.
    fn judge(&self, message: Vec<u8>, mut fails: impl FnMut(Rtype) -> bool) -> Validity {
        assert!(self.validator.validate(ValidationId(1), message));
        loop {
            match self.next() {
                Inbound::Validated { validity, .. } => return validity,
                Inbound::Query { transport: Transport::Own, reply_to: ReplyTo::Request(sender), bytes, .. } => {
                    let question = Message::from_octets(bytes).unwrap();
                    let is_failing = fails(question.sole_question().unwrap().qtype());
                    let _ = sender.send(answer(&question, if is_failing { Rcode::SERVFAIL } else { Rcode::NOERROR }));
                }
                _ => panic!("nothing else comes from a validator"),
            }
        }
    }

    fn next(&self) -> Inbound {
        let begin = instant();
        loop {
            if let Some(inbound) = self.inbox.take() {
                return inbound;
            }
            assert!(begin.elapsed() < LIMIT, "the validator says nothing");
            std::thread::park_timeout(Duration::from_millis(1));
        }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() || std::thread::panicking());
    }
}

type ZoneRecord = Record<Name<Bytes>, ZoneRecordData<Bytes, Name<Bytes>>>;

fn records() -> Vec<ZoneRecord> {
    let mut file = Zonefile::from(ROOT);
    file.set_default_class(Class::IN);
    let mut records = Vec::new();
    while let Some(entry) = file.next_entry().unwrap() {
        if let Entry::Record(record) = entry {
            records.push(record.flatten_into());
        }
    }
    records
}

/// What an authority says: the records and their signatures, else SOA and NSEC with theirs.
fn answer(question: &Message<Vec<u8>>, rcode: Rcode) -> Vec<u8> {
    let asked = question.sole_question().unwrap();
    let name: Name<Vec<u8>> = asked.qname().to_name();
    let is_or_signs = |record: &ZoneRecord, rtype: Rtype| match record.data() {
        ZoneRecordData::Rrsig(signature) => signature.type_covered() == rtype,
        _ => record.rtype() == rtype,
    };
    let mut message = MessageBuilder::new_vec().start_answer(question, rcode).unwrap();
    let all = if rcode == Rcode::NOERROR { records() } else { Vec::new() };
    let mut is_empty = true;
    for record in all.iter().filter(|record| *record.owner() == name && is_or_signs(record, asked.qtype())) {
        message.push(record.clone()).unwrap();
        is_empty = false;
    }
    let mut message = message.authority();
    for record in all.iter().filter(|_| is_empty) {
        let is_proof = *record.owner() == name && is_or_signs(record, Rtype::NSEC);
        if is_proof || is_or_signs(record, Rtype::SOA) {
            message.push(record.clone()).unwrap();
        }
    }
    message.finish()
}

/// An answer from the unsigned zone.
fn of_plain() -> Vec<u8> {
    let name = Name::vec_from_str("www.plain.").unwrap();
    let mut message = MessageBuilder::new_vec().question();
    message.push((&name, Rtype::A)).unwrap();
    let mut message = message.answer();
    message.header_mut().set_qr(true);
    message.push((&name, 60, domain::rdata::A::from_octets(192, 0, 2, 1))).unwrap();
    message.finish()
}

/// An answer from the signed one.
fn of_www() -> Vec<u8> {
    let mut question = MessageBuilder::new_vec().question();
    question.push((Name::vec_from_str("www.").unwrap(), Rtype::A)).unwrap();
    answer(&question.into_message(), Rcode::NOERROR)
}

#[test]
fn anchors_are_built_in_or_read_and_say_what_is_wrong() {
    assert!(trust_anchors(None).is_ok());
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        trust_anchors(Some(&path)).map(|_| ()).map_err(|error| error.to_string())
    };
    let key = format!(". IN DS 20326 8 2 {}", "AB".repeat(32));
    assert_eq!(file("good.key", &key), Ok(()));
    assert!(file("bad.key", "this is no key").unwrap_err().contains("bad.key"));
    let missing = trust_anchors(Some(Path::new("/nowhere/root.key"))).map(|_| ()).unwrap_err();
    assert!(missing.to_string().contains("/nowhere/root.key"));
}

/// RFC 9520: what could not be asked is not known, and is asked again after a second; it says nothing of the zone.
#[test]
fn a_failed_question_does_not_make_a_zone_bogus() {
    for failing in [Rtype::DS, Rtype::DNSKEY] {
        let rig = Rig::new();
        let mut failures = 0;
        let first = rig.judge(of_plain(), |rtype| {
            failures += u32::from(rtype == failing);
            rtype == failing
        });
        assert_eq!((first, failures), (Validity::Unknown, 1), "{failing}");
        std::thread::park_timeout(FAILURE_BELIEVED + Duration::from_millis(100));
        assert_eq!(rig.judge(of_plain(), |_| false), Validity::Insecure, "{failing}");
        assert_eq!(rig.judge(of_www(), |_| false), Validity::Secure, "{failing}");
    }
}

/// A zone whose servers say nothing holds some places, and others are judged meanwhile.
#[test]
fn a_slow_zone_does_not_hold_up_others() {
    let rig = Rig::new();
    assert_eq!(rig.judge(of_www(), |_| false), Validity::Secure);
    let count = AT_ONCE_MAX as u64 + 100;
    let mut held = Vec::new();
    let handle = rig.validator.clone();
    for number in 0..count {
        assert!(handle.validate(ValidationId(10 + number), of_plain()));
        std::thread::yield_now();
    }
    // The first that come are those of the slow zone; nobody answers them.
    let begin = instant();
    while held.is_empty() {
        held.extend(rig.inbox.take());
        assert!(begin.elapsed() < LIMIT);
    }
    assert!(handle.validate(ValidationId(1), of_www()));
    let verdict = loop {
        match rig.next() {
            Inbound::Validated { validation, validity } => break (validation, validity),
            question => held.push(question),
        }
    };
    assert_eq!(verdict, (ValidationId(1), Validity::Secure));
    assert!(held.len() <= AT_ONCE_EACH_MAX, "{} questions of one zone", held.len());
}

#[test]
fn zones_are_told_apart_by_two_labels() {
    let message = |name: &[u8]| [&[0; 12], name, &[0, 0, 1, 0, 1]].concat();
    let table: [(&[u8], &[u8]); 4] =
        [(b"abExampleCom", b"examplecom"), (b"com", b"com"), (b"", b""), (b"?cut", b"")];
    for (name, expected) in table {
        assert_eq!(last_labels(&message(name)), expected);
    }
}
