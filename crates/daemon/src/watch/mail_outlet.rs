//! Telling people by e-mail (SMTP, RFC 5321), with TLS from the start, by STARTTLS (RFC 3207), or in clear text to a
//! relay that is told so.

use std::time::Duration;

use generate::Mail;
use lettre::{
    Message, SmtpTransport, Transport as _,
    message::{Mailbox, header::ContentType},
    transport::smtp::{
        authentication::Credentials,
        client::{Tls, TlsParameters},
    },
};

use crate::http_client::Outcome;

/// How long the server may take for each step.
const STEP_TIME_MAX: Duration = Duration::from_secs(10);
/// A subject is cut here.
const SUBJECT_CHARACTERS_MAX: usize = 120;
/// Tried again after so long, at least.
const RETRY_WAIT: Duration = Duration::from_secs(5);

/// Schemes of a server's address: how it begins, its usual port, and how TLS is used.
const SCHEMES: [(&str, u16, Security); 3] =
    [("smtps://", 465, Security::Tls), ("smtp://", 587, Security::StartTls), ("smtp+clear://", 25, Security::Clear)];

#[derive(Clone, Copy)]
enum Security {
    Tls,
    StartTls,
    Clear,
}

/// Why a mail outlet cannot be.
#[derive(Debug, thiserror::Error)]
pub(super) enum MailError {
    #[error("`{0}` is no mail server; write `smtps://HOST`, `smtp://HOST` or `smtp+clear://HOST`")]
    Server(String),
    #[error("`{0}` is no e-mail address")]
    Address(String),
    #[error("TLS cannot be set up")]
    Tls(#[from] lettre::transport::smtp::Error),
}

/// Writes to the same people through the same server.
pub(super) struct Mailer {
    transport: SmtpTransport,
    from: Mailbox,
    to: Vec<Mailbox>,
    event: String,
}

impl Mailer {
    /// `url` is the server's; `password` goes with `mail.user`.
    pub(super) fn open(url: &str, password: Option<String>, mail: &Mail, event: &str) -> Result<Self, MailError> {
        let (host, port, security) = server(url).ok_or_else(|| MailError::Server(url.to_owned()))?;
        let tls = match security {
            Security::Clear => Tls::None,
            Security::StartTls => Tls::Required(parameters(host)?),
            Security::Tls => Tls::Wrapper(parameters(host)?),
        };
        let mut builder = SmtpTransport::builder_dangerous(host).port(port).tls(tls).timeout(Some(STEP_TIME_MAX));
        if let (Some(user), Some(password)) = (mail.user.clone(), password) {
            builder = builder.credentials(Credentials::new(user, password));
        }
        let address = |text: &String| text.parse::<Mailbox>().map_err(|_| MailError::Address(text.clone()));
        Ok(Self {
            transport: builder.build(),
            from: address(&mail.from)?,
            to: mail.to.iter().map(address).collect::<Result<_, _>>()?,
            event: event.to_owned(),
        })
    }

    /// Sends all of `texts` as one message, and says what came of it.
    pub(super) fn send(&self, texts: &[&str]) -> (Outcome, String) {
        let message = match self.message(texts) {
            Ok(message) => message,
            Err(error) => return (Outcome::Refused, error.to_string()),
        };
        match self.transport.send(&message) {
            Ok(_) => (Outcome::Delivered, String::new()),
            // RFC 5321 section 4.2.1: a reply of 5yz says never.
            Err(error) if error.is_permanent() => (Outcome::Refused, chain(&error)),
            Err(error) => (Outcome::Later(RETRY_WAIT), chain(&error)),
        }
    }

    fn message(&self, texts: &[&str]) -> Result<Message, lettre::error::Error> {
        let mut builder = Message::builder().from(self.from.clone()).subject(subject(texts, &self.event));
        for to in &self.to {
            builder = builder.to(to.clone());
        }
        // RFC 3834: nobody's absence is to be answered to us.
        let automatic = lettre::message::header::HeaderValue::new(
            lettre::message::header::HeaderName::new_from_ascii_str("Auto-Submitted"),
            "auto-generated".to_owned(),
        );
        builder = builder.raw_header(automatic);
        builder.header(ContentType::TEXT_PLAIN).body(texts.join("\n\n"))
    }
}

/// Host, port and security of a server's address; IPv6 in brackets.
fn server(url: &str) -> Option<(&str, u16, Security)> {
    let (scheme, port, security) = SCHEMES.iter().find(|(scheme, ..)| url.starts_with(scheme))?;
    let rest = url[scheme.len()..].trim_end_matches('/');
    let (host, port) = match rest.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']')?;
            (host, if rest.is_empty() { *port } else { rest.strip_prefix(':')?.parse().ok()? })
        }
        None => match rest.split_once(':') {
            Some((host, port)) => (host, port.parse().ok()?),
            None => (rest, *port),
        },
    };
    let is_name = !host.is_empty() && !host.contains(|letter: char| "/@ ".contains(letter));
    is_name.then_some((host, port, *security))
}

/// The system's trust anchors, as for all else.
fn parameters(host: &str) -> Result<TlsParameters, lettre::transport::smtp::Error> {
    TlsParameters::builder(host.to_owned()).build_rustls()
}

fn subject(texts: &[&str], event: &str) -> String {
    let line = match texts {
        [text] => text.lines().next().unwrap_or_default().to_owned(),
        texts => format!("{} messages about alerts of {event}", texts.len()),
    };
    line.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(SUBJECT_CHARACTERS_MAX).collect()
}

fn chain(error: &lettre::transport::smtp::Error) -> String {
    let mut said = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        said = format!("{said}: {error}");
        source = error.source();
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_and_their_usual_ports() {
        let of = |url| server(url).map(|(host, port, security)| (host, port, security as u8));
        assert_eq!(of("smtps://mail.example"), Some(("mail.example", 465, 0)));
        assert_eq!(of("smtp://mail.example/"), Some(("mail.example", 587, 1)));
        assert_eq!(of("smtp+clear://[2001:db8::9]:2525"), Some(("2001:db8::9", 2_525, 2)));
        for url in ["", "mail.example", "http://mail.example", "smtp://", "smtp://user@host", "smtp://host:x"] {
            assert_eq!(of(url), None, "{url}");
        }
    }

    #[test]
    fn a_message_holds_what_a_person_needs_and_no_header_of_a_device() {
        let mail = Mail { from: "noc@event.example".to_owned(), to: vec!["a@b.example".to_owned()], user: None };
        let mailer = Mailer::open("smtp+clear://127.0.0.1:2525", None, &mail, "Small").unwrap();
        let one = mailer.message(&["ALERT #1 x\r\nBcc: evil@example.org\nwhere: 会場"]).unwrap();
        let text = String::from_utf8(one.formatted()).unwrap();
        let (headers, _) = text.split_once("\r\n\r\n").unwrap();
        assert!(headers.contains("Subject: ALERT #1 x") && !headers.contains("Bcc"), "{headers}");
        assert!(headers.contains("Auto-Submitted: auto-generated") && headers.contains("From: noc@event.example"));
        let many = mailer.message(&["ALERT #1 x", "OVER #1 x"]).unwrap();
        let text = String::from_utf8(many.formatted()).unwrap();
        assert!(text.contains("Subject: 2 messages about alerts of Small"), "{text}");
    }
}
