//! Checks signatures (DNSSEC) on a thread of its own, with NLnet Labs' validator. What it has to know, keys and delegations,
//! it asks of our own engine, which keeps it like anything else.
//!
//! The only module that knows the library's unstable part.

use std::{
    collections::HashMap,
    future::Future,
    io,
    net::{Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    pin::Pin,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use dns::{Transport, ValidationId, Validity};
use domain::{
    base::{
        Message,
        iana::{ExtendedErrorCode, Rcode},
    },
    dnssec::validator::{
        anchor::TrustAnchors,
        context::{Config, ValidationContext, ValidationState},
    },
    net::client::request::{ComposeRequest, Error as RequestError, GetResponse, RequestMessage, SendRequest},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot},
    task::LocalSet,
    time::{Instant, timeout},
};

use super::inbox::{EngineHandle, Inbound, ReplyTo};

/// The keys of the root zone (IANA, root-anchors.xml): those of 2017 and 2024.
const ROOT_ANCHORS: &str = "\
. 86400 IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D
. 86400 IN DS 38696 8 2 683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16
";
/// Answers on their way to the thread; more are told to be unknown.
const QUEUE_MAX: usize = 1_024;
/// Answers that wait for validation or are validated; more are told to be unknown.
const WAITING_MAX: usize = 4_096;
/// Answers validated at one time.
const AT_ONCE_MAX: usize = 512;
/// The same below one name of two labels, so that a zone whose servers are slow does not hold up the others.
const AT_ONCE_EACH_MAX: usize = 64;
/// Less than the engine waits for anything.
const TIME_MAX: Duration = Duration::from_secs(4);
/// Zones and NSEC3 hashes that the library keeps; its own defaults are for one user.
const CACHE_ENTRIES: u64 = 20_000;
/// Signatures that the library keeps the outcome of, with all that was signed, at most 16 KiB each: of keys, and of answers.
const SIGNATURE_ENTRIES: u64 = 1_000;
/// How long the library believes what it found out about a zone, bogus too: the shortest it can be told. What it asks
/// for again is in our own cache.
const ZONE_BELIEVED: Duration = Duration::from_secs(60);
/// The same when what it asked for did not come: the least of RFC 9520 section 3.2.
const FAILURE_BELIEVED: Duration = Duration::from_secs(1);
/// The library keeps the outcome of a signature, in its time or not, until it is pushed out: so all of it is forgotten.
const CONTEXT_AGE_MAX: Duration = Duration::from_secs(600);
/// How the library says that it could not ask, in the text of its extended errors.
const COULD_NOT_ASK: [&[u8]; 2] = [b"request for DS or DNSKEY failed", b"No DNSKEY RRset for trust anchor"];
const STOP_INTERVAL: Duration = Duration::from_millis(100);
/// Longest file of trust anchors.
const ANCHORS_BYTES_MAX: u64 = 1 << 20;

/// Why there are no trust anchors.
#[derive(Debug, thiserror::Error)]
pub enum TrustAnchorError {
    /// The file cannot be read.
    #[error("`{path}`: the trust anchors cannot be read; give a file with DS or DNSKEY records")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file has something else in it.
    #[error("`{path}`: not DS or DNSKEY records in zone file format: {says}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// What the parser says.
        says: String,
    },
}

/// DS or DNSKEY records in zone file format, which can be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct AnchorRecords(String);

impl AnchorRecords {
    fn new(text: &str, path: &Path) -> Result<Self, TrustAnchorError> {
        // A key file says `IN DS`, with or without a TTL; the parser wants every line to end.
        let text = format!("{text}\n");
        match TrustAnchors::from_u8(text.as_bytes()) {
            Ok(_) => Ok(Self(text)),
            Err(error) => Err(TrustAnchorError::Parse { path: path.into(), says: error.to_string() }),
        }
    }

    /// As they were read.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The library's own form, which cannot be copied.
    fn anchors(&self) -> TrustAnchors {
        TrustAnchors::from_u8(self.0.as_bytes()).unwrap_or_else(|_| TrustAnchors::empty())
    }
}

/// The anchors of a file, or those of the real root.
pub(crate) fn trust_anchors(path: Option<&Path>) -> Result<AnchorRecords, TrustAnchorError> {
    let Some(path) = path else { return AnchorRecords::new(ROOT_ANCHORS, Path::new("built in")) };
    let read = || {
        let length = std::fs::metadata(path)?.len();
        if length > ANCHORS_BYTES_MAX { Err(io::ErrorKind::FileTooLarge.into()) } else { std::fs::read_to_string(path) }
    };
    let text = read().map_err(|source| TrustAnchorError::Read { path: path.into(), source })?;
    AnchorRecords::new(&text, path)
}

/// The way to the validator.
#[derive(Clone)]
pub(crate) struct ValidatorHandle(mpsc::Sender<(ValidationId, Vec<u8>)>);

impl ValidatorHandle {
    /// False when there is no room.
    pub(crate) fn validate(&self, validation: ValidationId, bytes: Vec<u8>) -> bool {
        self.0.try_send((validation, bytes)).is_ok()
    }
}

/// The work of a thread.
pub(crate) struct ValidatorThread {
    queue: mpsc::Receiver<(ValidationId, Vec<u8>)>,
    anchors: AnchorRecords,
    engine: EngineHandle,
    stop: Arc<AtomicBool>,
}

impl ValidatorThread {
    pub(crate) fn new(anchors: AnchorRecords, engine: EngineHandle, stop: Arc<AtomicBool>) -> (ValidatorHandle, Self) {
        let (sender, queue) = mpsc::channel(QUEUE_MAX);
        (ValidatorHandle(sender), Self { queue, anchors, engine, stop })
    }

    /// Validates until told to stop.
    pub(crate) fn run(self) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        LocalSet::new().block_on(&runtime, self.serve());
        Ok(())
    }

    fn context(&self) -> Rc<ValidationContext<OwnEngine>> {
        let mut config = Config::new();
        config.set_max_node_cache(CACHE_ENTRIES);
        config.set_max_nsec3_cache(CACHE_ENTRIES);
        config.set_max_isig_cache(SIGNATURE_ENTRIES);
        config.set_max_usig_cache(SIGNATURE_ENTRIES);
        config.set_max_validity(ZONE_BELIEVED);
        config.set_max_bogus_validity(FAILURE_BELIEVED);
        Rc::new(ValidationContext::with_config(self.anchors.anchors(), OwnEngine(self.engine.clone()), config))
    }

    async fn serve(mut self) {
        let (mut context, mut made) = (self.context(), Instant::now());
        let (places, mut zones) = (Arc::new(Semaphore::new(AT_ONCE_MAX)), Zones::new());
        while !self.stop.load(Ordering::Relaxed) {
            let Ok(next) = timeout(STOP_INTERVAL, self.queue.recv()).await else { continue };
            let Some((validation, bytes)) = next else { return };
            if made.elapsed() >= CONTEXT_AGE_MAX {
                // Judgements in progress keep the one they began with.
                (context, made) = (self.context(), Instant::now());
            }
            let Some((waits, of_zone)) = zones.enter(&bytes) else {
                self.engine.send_of_validator(Inbound::Validated { validation, validity: Validity::Unknown });
                continue;
            };
            let (context, engine, places) = (Rc::clone(&context), self.engine.clone(), Arc::clone(&places));
            tokio::task::spawn_local(async move {
                let judged = async {
                    // That of the zone first: whoever waits for it holds up nobody else.
                    let _of_zone = of_zone.acquire().await;
                    let _place = places.acquire().await;
                    judge(&context, bytes).await
                };
                let validity = timeout(TIME_MAX, judged).await.unwrap_or(Validity::Unknown);
                engine.send_of_validator(Inbound::Validated { validation, validity });
                drop(waits);
            });
        }
    }
}

/// What is being validated below each name of two labels.
struct Zones {
    /// Places of each; forgotten when nobody has one.
    places: HashMap<Vec<u8>, Arc<Semaphore>>,
    waits: Arc<Semaphore>,
}

impl Zones {
    fn new() -> Self {
        Self { places: HashMap::new(), waits: Arc::new(Semaphore::new(WAITING_MAX)) }
    }

    /// The right to wait, and whose place is waited for; `None` when too many wait.
    fn enter(&mut self, message: &[u8]) -> Option<(OwnedSemaphorePermit, Arc<Semaphore>)> {
        let waits = Arc::clone(&self.waits).try_acquire_owned().ok()?;
        if self.places.len() >= WAITING_MAX {
            self.places.retain(|_, places| Arc::strong_count(places) > 1);
        }
        let places =
            self.places.entry(last_labels(message)).or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE_EACH_MAX)));
        Some((waits, Arc::clone(places)))
    }
}

/// The last two labels of the name asked for, folded.
fn last_labels(message: &[u8]) -> Vec<u8> {
    let (mut labels, mut at) = (Vec::new(), 12);
    while let Some(length @ 1..64) = message.get(at).copied() {
        let end = at + 1 + usize::from(length);
        labels.push(message.get(at..end).unwrap_or_default());
        at = end;
    }
    labels[labels.len().saturating_sub(2)..].concat().to_ascii_lowercase()
}

async fn judge(context: &ValidationContext<OwnEngine>, bytes: Vec<u8>) -> Validity {
    let Ok(mut message) = Message::from_octets(bytes) else { return Validity::Bogus(0) };
    match context.validate_msg::<Vec<u8>, Vec<u8>>(&mut message).await {
        Ok((ValidationState::Secure, _)) => Validity::Secure,
        Ok((ValidationState::Insecure | ValidationState::Indeterminate, _)) => Validity::Insecure,
        Ok((ValidationState::Bogus, error)) => {
            let text = error.as_ref().and_then(|error| error.text_slice()).unwrap_or_default();
            if COULD_NOT_ASK.iter().any(|says| text.starts_with(says)) {
                return Validity::Unknown;
            }
            let code = error.map_or(ExtendedErrorCode::DNSSEC_BOGUS, |error| error.code());
            Validity::Bogus(code.to_int())
        }
        Err(error) => {
            tracing::debug!(%error, "an answer could not be validated");
            Validity::Unknown
        }
    }
}

/// Our own engine as the library sees a transport.
#[derive(Clone)]
struct OwnEngine(EngineHandle);

impl SendRequest<RequestMessage<Vec<u8>>> for OwnEngine {
    fn send_request(&self, mut request: RequestMessage<Vec<u8>>) -> Box<dyn GetResponse + Send + Sync> {
        request.set_dnssec_ok(true);
        request.header_mut().set_rd(true);
        request.header_mut().set_cd(true);
        let Ok(bytes) = request.to_vec() else { return Box::new(Reply(None)) };
        let (sender, receiver) = oneshot::channel();
        let from = SocketAddr::from((Ipv6Addr::LOCALHOST, 0));
        let reply_to = ReplyTo::Request(sender);
        let is_sent = self.0.send_of_validator(Inbound::Query { from, transport: Transport::Own, reply_to, bytes });
        Box::new(Reply(is_sent.then_some(receiver)))
    }
}

/// A reply of our engine that is on its way; `None` when there will be none.
#[derive(Debug)]
struct Reply(Option<oneshot::Receiver<Vec<u8>>>);

impl GetResponse for Reply {
    fn get_response(
        &mut self,
    ) -> Pin<Box<dyn Future<Output = Result<Message<Bytes>, RequestError>> + Send + Sync + '_>> {
        Box::pin(async move {
            let receiver = self.0.as_mut().ok_or(RequestError::ConnectionClosed)?;
            let bytes = receiver.await.map_err(|_| RequestError::ConnectionClosed)?;
            let message = Message::from_octets(Bytes::from(dns::without_unsound_proof(bytes)))
                .map_err(|_| RequestError::ShortMessage)?;
            // The library does not look at the code: a failure is not the lack of a proof.
            let rcode = message.header().rcode();
            let is_answer = rcode == Rcode::NOERROR || rcode == Rcode::NXDOMAIN;
            if is_answer { Ok(message) } else { Err(RequestError::ConnectionClosed) }
        })
    }
}

#[cfg(test)]
mod tests;
