//! A syslog collector, told over TCP or TLS (RFC 5425).
//!
//! Syslog confirms nothing: what was written when a connection breaks may have arrived or not, and is sent again.

use std::{
    io::{self, Read as _, Write},
    net::{Shutdown, TcpStream, ToSocketAddrs as _},
    sync::Arc,
    time::Duration,
};

use generate::{DnsCertificate, HostPort, SyslogFeed};
use rustls::{ClientConfig, ClientConnection, StreamOwned, pki_types::ServerName};
use socket2::SockRef;
use store::LogLine;

use super::{
    lines::{LineReceiver, Sent},
    syslog_format::append_counted,
};
use crate::{
    dns::{CertificateError, client_config},
    http_client::Outcome,
};

/// How long the collector may take for each step; a collector that reads slower than this holds us up, not the services.
const STEP_TIME_MAX: Duration = Duration::from_secs(10);
/// The kernel gives a connection up when what was written was not acknowledged for so long.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(10);
/// Asked again after so long, at least, when nothing was heard.
const UNREACHED_WAIT: Duration = Duration::from_secs(1);

pub(super) struct SyslogReceiver {
    to: HostPort,
    tls: Option<Arc<ClientConfig>>,
    stream: Option<Stream>,
    octets: Vec<u8>,
    is_unreached: bool,
}

enum Stream {
    Tcp(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl SyslogReceiver {
    /// Errors: a certificate cannot be used.
    pub(super) fn open(settings: &SyslogFeed) -> Result<Self, CertificateError> {
        let config = |tls: &generate::SyslogFeedTls| {
            let own = tls.certificate.clone().map(|(certificate, key)| DnsCertificate { certificate, key });
            client_config(tls.authority.as_deref(), own.as_ref())
        };
        let tls = settings.tls.as_ref().map(config).transpose()?;
        Ok(Self { to: settings.to.clone(), tls, stream: None, octets: Vec::new(), is_unreached: false })
    }

    fn connect(&self) -> io::Result<Stream> {
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for address in (self.to.host.as_str(), self.to.port).to_socket_addrs()? {
            let stream = match TcpStream::connect_timeout(&address, STEP_TIME_MAX) {
                Ok(stream) => stream,
                Err(error) => {
                    last = error;
                    continue;
                }
            };
            stream.set_read_timeout(Some(STEP_TIME_MAX))?;
            stream.set_write_timeout(Some(STEP_TIME_MAX))?;
            let socket = SockRef::from(&stream);
            socket.set_keepalive(true)?;
            socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX))?;
            let Some(config) = &self.tls else { return Ok(Stream::Tcp(stream)) };
            let name = ServerName::try_from(self.to.host.clone()).map_err(io::Error::other)?;
            let connection = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
            let mut stream = StreamOwned::new(connection, stream);
            // So that a certificate that is not trusted is told before a line is sent.
            while stream.conn.is_handshaking() {
                stream.conn.complete_io(&mut stream.sock)?;
            }
            return Ok(Stream::Tls(Box::new(stream)));
        }
        Err(last)
    }

    fn write(&mut self) -> io::Result<()> {
        if self.stream.is_none() {
            self.stream = Some(self.connect()?);
        }
        match &mut self.stream {
            Some(stream) => {
                if !stream.is_open() {
                    return Err(io::ErrorKind::ConnectionAborted.into());
                }
                let writer = stream.writer();
                writer.write_all(&self.octets)?;
                writer.flush()
            }
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

impl Stream {
    fn writer(&mut self) -> &mut dyn Write {
        match self {
            Self::Tcp(stream) => stream,
            Self::Tls(stream) => stream.as_mut(),
        }
    }

    /// False when the collector has ended its side. A collector says nothing else that counts.
    fn is_open(&mut self) -> bool {
        let socket = match self {
            Self::Tcp(stream) => &*stream,
            Self::Tls(stream) => &stream.sock,
        };
        if socket.set_nonblocking(true).is_err() {
            return false;
        }
        let mut octets = [0; 4_096];
        let read = match self {
            Self::Tcp(stream) => stream.read(&mut octets),
            Self::Tls(stream) => stream.read(&mut octets),
        };
        let socket = match self {
            Self::Tcp(stream) => &*stream,
            Self::Tls(stream) => &stream.sock,
        };
        let is_blocking = socket.set_nonblocking(false).is_ok();
        let is_open = match read {
            Ok(0) => false,
            Ok(_) => true,
            Err(error) => matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted),
        };
        is_blocking && is_open
    }
}

impl LineReceiver for SyslogReceiver {
    const LINES_MAX: usize = 1_024;
    const UNCONFIRMED: Duration = Duration::from_secs(15);
    // What the kernel holds of a connection at either end.
    const UNCONFIRMED_OCTETS_MAX: u64 = 16 << 20;

    fn send(&mut self, lines: &[LogLine]) -> Sent {
        self.octets.clear();
        lines.iter().for_each(|line| append_counted(&line.log, &mut self.octets));
        let outcome = match self.write() {
            Ok(()) => {
                self.is_unreached = false;
                Outcome::Delivered
            }
            Err(error) => {
                self.stream = None;
                if !std::mem::replace(&mut self.is_unreached, true) {
                    tracing::warn!(to = %self.to, %error, "the collector of `feeds.syslog` is not reached; lines wait in the log store");
                }
                Outcome::Later(UNREACHED_WAIT)
            }
        };
        Sent { outcome, refused: 0, octets: self.octets.len() as u64 }
    }

    fn is_there(&mut self) -> bool {
        let Some(stream) = &mut self.stream else { return true };
        let is_open = stream.is_open();
        if !is_open {
            self.stream = None;
        }
        is_open
    }

    fn close(&mut self) {
        match &mut self.stream {
            Some(Stream::Tls(stream)) => {
                stream.conn.send_close_notify();
                // Best effort: it is over in any case.
                let _ = stream.flush();
                let _ = stream.sock.shutdown(Shutdown::Write);
            }
            Some(Stream::Tcp(stream)) => {
                let _ = stream.shutdown(Shutdown::Write);
            }
            None => {}
        }
    }
}
