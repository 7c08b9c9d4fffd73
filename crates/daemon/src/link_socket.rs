//! Ethernet frames of one EtherType on one interface: an AF_PACKET socket with a filter in the kernel.

use std::{
    io::{self, Read},
    os::fd::{AsFd, AsRawFd, BorrowedFd},
};

use model::Mac;
use nix::{
    ifaddrs::getifaddrs,
    sys::socket::{LinkAddr, bind},
};
use socket2::{Domain, Protocol, SockFilter, Socket, Type};

/// Octets before a frame's payload: destination, source, EtherType.
pub(crate) const ETHERNET_HEADER_BYTES: usize = 14;
/// ARPHRD_ETHER, the hardware type of Ethernet and Wi-Fi (RFC 826).
const ETHERNET: u16 = 1;
/// Frames passed over at a time that were there before anybody listened.
const STALE_MAX: usize = 8_192;

/// Sends and hears whole frames.
pub(crate) struct LinkSocket {
    socket: Socket,
    /// Our address on the link.
    pub(crate) mac: Mac,
}

impl LinkSocket {
    /// Needs `CAP_NET_RAW`. Errors: `NotFound` when there is no such interface of Ethernet's kind.
    pub(crate) fn open(interface: u32, ether_type: u16, filter: &[SockFilter]) -> io::Result<Self> {
        let link = link_address(interface)?.ok_or(io::ErrorKind::NotFound)?;
        let mac = link.addr().map(Mac).ok_or(io::ErrorKind::NotFound)?;
        // packet(7): the EtherType in network order.
        let protocol = Protocol::from(i32::from(ether_type.to_be()));
        let socket = Socket::new(Domain::PACKET, Type::RAW, Some(protocol))?;
        socket.set_nonblocking(true)?;
        socket.attach_filter(filter)?;
        // The address names no EtherType, so the socket keeps its own.
        bind(socket.as_raw_fd(), &link)?;
        let socket = Self { socket, mac };
        // Until then it heard every interface.
        socket.forget();
        Ok(socket)
    }

    /// Sends a frame, its header included.
    pub(crate) fn send(&self, frame: &[u8]) -> io::Result<()> {
        self.socket.send(frame).map(|_| ())
    }

    /// The next frame, if there is one; what is longer than `buffer` is cut.
    pub(crate) fn receive<'b>(&self, buffer: &'b mut [u8]) -> io::Result<Option<&'b [u8]>> {
        match (&self.socket).read(buffer) {
            Ok(length) => Ok(Some(buffer.get(..length).unwrap_or_default())),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Passes over what has been heard so far.
    pub(crate) fn forget(&self) {
        let mut octet = [0; 1];
        for _ in 0..STALE_MAX {
            if !matches!(self.receive(&mut octet), Ok(Some(_))) {
                return;
            }
        }
    }
}

impl AsFd for LinkSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn link_address(interface: u32) -> io::Result<Option<LinkAddr>> {
    let addresses = getifaddrs()?.filter_map(|one| one.address);
    let mut links = addresses.filter_map(|address| address.as_link_addr().copied());
    Ok(links.find(|link| u32::try_from(link.ifindex()) == Ok(interface) && link.hatype() == ETHERNET))
}
