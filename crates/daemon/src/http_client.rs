//! Requests to other people's receivers over HTTP, and what comes of an answer.

use std::{sync::Arc, time::Duration};

use ureq::{
    http::HeaderMap,
    tls::{Certificate, RootCerts, TlsConfig},
};

/// How long a receiver may take in all.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(5);
/// A receiver that asks for more patience than this is asked again all the same.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(600);

/// What a receiver answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    Delivered,
    /// Try again, not before so long.
    Later(Duration),
    /// It will never take it.
    Refused,
}

/// HTTP with the trust anchors of the system, as DNS over TLS has them; `SSL_CERT_FILE` names others.
pub(crate) fn http_agent() -> ureq::Agent {
    let native = rustls_native_certs::load_native_certs();
    let roots: Vec<_> = native.certs.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
    let tls = TlsConfig::builder()
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .root_certs(RootCerts::Specific(Arc::new(roots)))
        .build();
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(REQUEST_TIME_MAX))
        .http_status_as_error(false)
        .max_redirects(0)
        .tls_config(tls)
        .build();
    config.into()
}

/// RFC 9110 section 15: 2xx took it; 429 and 5xx may take it later; the rest never will.
pub(crate) fn outcome(status: u16, retry_after_seconds: Option<u64>) -> Outcome {
    match status {
        200..=299 => Outcome::Delivered,
        408 | 429 | 500..=599 => {
            Outcome::Later(Duration::from_secs(retry_after_seconds.unwrap_or(0)).min(RETRY_AFTER_MAX))
        }
        _ => Outcome::Refused,
    }
}

/// `Retry-After` in seconds (RFC 9110 section 10.2.3), of Discord with decimals; a date counts as none.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<u64> {
    let seconds: f64 = headers.get("retry-after")?.to_str().ok()?.trim().parse().ok()?;
    (seconds.is_finite() && seconds >= 0.0).then(|| seconds.ceil() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_of_a_status() {
        let word = |status, after| match outcome(status, after) {
            Outcome::Delivered => "delivered".to_owned(),
            Outcome::Later(least) => format!("later {}", least.as_secs()),
            Outcome::Refused => "refused".to_owned(),
        };
        for (status, after, expected) in [
            (200, None, "delivered"),
            (204, None, "delivered"),
            (301, None, "refused"),
            (404, None, "refused"),
            (429, Some(7), "later 7"),
            (429, Some(86_400), "later 600"),
            (503, None, "later 0"),
        ] {
            assert_eq!(word(status, after), expected, "{status}");
        }
    }

    #[test]
    fn patience_in_seconds_and_not_as_a_date() {
        for (value, expected) in
            [("7", Some(7)), ("0.65", Some(1)), ("-1", None), ("inf", None), ("Wed, 21 Oct 2026 07:28:00 GMT", None)]
        {
            let headers: HeaderMap = [("retry-after".parse().unwrap(), value.parse().unwrap())].into_iter().collect();
            assert_eq!(retry_after(&headers), expected, "{value}");
        }
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }
}
