//! The key of the log page: made once for a state directory, whose reader may read the log anyway.

use std::{fs::File, io::Read as _, net::SocketAddr, path::Path};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use store::{Mode, StateDir};

use crate::{Answer, output};

const DOCUMENT: &str = "page-access.json";
/// Octets of randomness in a key.
const KEY_OCTETS: usize = 16;

/// What opens the log page, and where it was last.
#[derive(Serialize, Deserialize, Debug)]
pub(crate) struct PageAccess {
    pub(crate) key: String,
    http: Vec<SocketAddr>,
}

impl PageAccess {
    /// That of a state directory, or a new one.
    pub(crate) fn of(state: &Path) -> Result<Self> {
        match read(state) {
            Some(access) => Ok(access),
            None => Ok(Self { key: random_key()?, http: Vec::new() }),
        }
    }

    /// Keeps it for the next start and for [`show_link`].
    pub(crate) fn save(&self, state: &Path, http: &[SocketAddr]) -> Result<()> {
        let access = Self { key: self.key.clone(), http: http.to_vec() };
        let dir = StateDir::open(state, "", Mode::Read)?;
        let written = dir.write_document(DOCUMENT, &serde_json::to_vec_pretty(&access)?);
        written.with_context(|| format!("the key of the log page cannot be kept in `{}`", state.display()))
    }
}

/// Shows the link to the log page of the services that serve, or last served, from `state`.
pub(crate) fn show_link(state: &Path) -> Result<Answer> {
    let shown = state.display();
    let Some(access) = read(state) else {
        bail!("`{shown}` has no log page yet; start the services with `hotstage run PLAN --state {shown}`");
    };
    for address in &access.http {
        let is_any = address.ip().is_unspecified();
        let local = match address {
            SocketAddr::V4(_) => SocketAddr::from(([127, 0, 0, 1], address.port())),
            SocketAddr::V6(_) => SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], address.port())),
        };
        let address = if is_any { local } else { *address };
        output::line(&format!("http://{address}/logs?key={}", access.key))?;
        if is_any {
            output::note(
                "from other machines with this one's address instead; over networks that others use, through `ssh -L`",
            );
        }
    }
    if access.http.is_empty() {
        output::note("the services have no page: they listen nowhere for HTTP");
    }
    Ok(Answer::Good)
}

/// `None` when there is none, or none that can be read.
fn read(state: &Path) -> Option<PageAccess> {
    let bytes = StateDir::open(state, "", Mode::Read).ok()?.read_document(DOCUMENT).ok()??;
    serde_json::from_slice(&bytes).ok()
}

/// From the system's randomness, in hexadecimal.
fn random_key() -> Result<String> {
    let mut octets = [0; KEY_OCTETS];
    let read = File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut octets));
    read.context("the system gives no randomness for the key of the log page")?;
    Ok(octets.iter().map(|octet| format!("{octet:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_differ_and_are_long_enough_for_the_page() {
        let (one, other) = (random_key().unwrap(), random_key().unwrap());
        assert_ne!(one, other);
        assert!(web::LogDesk::new("state".into(), one, Vec::new(), |_, _| None).is_some());
    }
}
