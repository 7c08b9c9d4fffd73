//! Checks signatures (DNSSEC) on a thread of its own, with NLnet Labs' validator. What it has to know, keys and delegations,
//! it asks of our own engine, which keeps it like anything else.
//!
//! The only module that knows the library's unstable part.

use std::{
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
    base::{Message, iana::ExtendedErrorCode},
    dnssec::validator::{
        anchor::TrustAnchors,
        context::{Config, ValidationContext, ValidationState},
    },
    net::client::request::{ComposeRequest, Error as RequestError, GetResponse, RequestMessage, SendRequest},
};
use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    task::LocalSet,
    time::timeout,
};

use super::inbox::{EngineHandle, Inbound, ReplyTo};

/// The keys of the root zone (IANA, root-anchors.xml): those of 2017 and 2024.
const ROOT_ANCHORS: &str = "\
. 86400 IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D
. 86400 IN DS 38696 8 2 683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16
";
/// Answers that may wait for validation; more are told to be unknown.
const QUEUE_MAX: usize = 4_096;
/// Answers validated at one time.
const AT_ONCE_MAX: usize = 512;
/// Less than the engine waits for anything.
const TIME_MAX: Duration = Duration::from_secs(4);
/// Entries of each of the library's caches; its own defaults are for one user.
const CACHE_ENTRIES: u64 = 20_000;
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

/// The anchors of a file, or those of the real root.
pub(crate) fn trust_anchors(path: Option<&Path>) -> Result<TrustAnchors, TrustAnchorError> {
    let parse = |text: &str, path: &Path| {
        // A key file says `IN DS`, with or without a TTL; the parser wants every line to end.
        TrustAnchors::from_u8(format!("{text}\n").as_bytes())
            .map_err(|error| TrustAnchorError::Parse { path: path.into(), says: error.to_string() })
    };
    let Some(path) = path else { return parse(ROOT_ANCHORS, Path::new("built in")) };
    let read = || {
        let length = std::fs::metadata(path)?.len();
        if length > ANCHORS_BYTES_MAX { Err(io::ErrorKind::FileTooLarge.into()) } else { std::fs::read_to_string(path) }
    };
    let text = read().map_err(|source| TrustAnchorError::Read { path: path.into(), source })?;
    parse(&text, path)
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
    anchors: TrustAnchors,
    engine: EngineHandle,
    stop: Arc<AtomicBool>,
}

impl ValidatorThread {
    pub(crate) fn new(anchors: TrustAnchors, engine: EngineHandle, stop: Arc<AtomicBool>) -> (ValidatorHandle, Self) {
        let (sender, queue) = mpsc::channel(QUEUE_MAX);
        (ValidatorHandle(sender), Self { queue, anchors, engine, stop })
    }

    /// Validates until told to stop.
    pub(crate) fn run(self) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        LocalSet::new().block_on(&runtime, self.serve());
        Ok(())
    }

    async fn serve(mut self) {
        let mut config = Config::new();
        config.set_max_node_cache(CACHE_ENTRIES);
        config.set_max_nsec3_cache(CACHE_ENTRIES);
        config.set_max_isig_cache(CACHE_ENTRIES);
        config.set_max_usig_cache(CACHE_ENTRIES);
        let context = Rc::new(ValidationContext::with_config(self.anchors, OwnEngine(self.engine.clone()), config));
        let places = Arc::new(Semaphore::new(AT_ONCE_MAX));
        while !self.stop.load(Ordering::Relaxed) {
            let Ok(next) = timeout(STOP_INTERVAL, self.queue.recv()).await else { continue };
            let Some((validation, bytes)) = next else { return };
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            let (context, engine) = (Rc::clone(&context), self.engine.clone());
            tokio::task::spawn_local(async move {
                let validity = timeout(TIME_MAX, judge(&context, bytes)).await.unwrap_or(Validity::Unknown);
                // An engine that has no room gives up waiting by itself.
                let _ = engine.send(Inbound::Validated { validation, validity });
                drop(place);
            });
        }
    }
}

async fn judge(context: &ValidationContext<OwnEngine>, bytes: Vec<u8>) -> Validity {
    let Ok(mut message) = Message::from_octets(bytes) else { return Validity::Bogus(0) };
    match context.validate_msg::<Vec<u8>, Vec<u8>>(&mut message).await {
        Ok((ValidationState::Secure, _)) => Validity::Secure,
        Ok((ValidationState::Insecure | ValidationState::Indeterminate, _)) => Validity::Insecure,
        Ok((ValidationState::Bogus, error)) => {
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
        let is_sent = self.0.send(Inbound::Query { from, transport: Transport::Own, reply_to, bytes }).is_ok();
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
            Message::from_octets(Bytes::from(dns::without_unsound_proof(bytes))).map_err(|_| RequestError::ShortMessage)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
