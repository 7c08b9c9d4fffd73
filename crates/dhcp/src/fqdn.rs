//! What the server says about a client's name: option 81 (RFC 4702).

/// The client's flags (RFC 4702 section 2.1).
const SERVER_UPDATES: u8 = 0b0001;
const OVERRIDES: u8 = 0b0010;
const ENCODED: u8 = 0b0100;

/// The option for a reply to a client that sent `sent` and is now called `name` in `domain`. The server's own DNS knows
/// the name from the lease, so the server does the update (S), also for clients that meant to do it themselves (O).
/// Both response codes are 255 (section 2.2), the form is the client's (section 4).
pub(crate) fn answer(sent: &[u8], name: &str, domain: &str) -> Option<Vec<u8>> {
    let flags = *sent.first()?;
    let overrides = if flags & SERVER_UPDATES == 0 { OVERRIDES } else { 0 };
    let mut data = vec![SERVER_UPDATES | overrides | (flags & ENCODED), 255, 255];
    let labels = || [name].into_iter().chain(domain.split('.')).filter(|label| !label.is_empty());
    if flags & ENCODED == 0 {
        data.extend(labels().collect::<Vec<_>>().join(".").bytes());
    } else {
        for label in labels() {
            data.push(u8::try_from(label.len()).ok().filter(|len| *len < 64)?);
            data.extend(label.bytes());
        }
        data.push(0);
    }
    (data.len() <= 255).then_some(data)
}
