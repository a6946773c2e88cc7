//! Connecting: opens one connection, and where that fails, says what the kernel knows of it.
//!
//! An error number alone does not tell a missing route from a firewall that rejects: Linux makes the same
//! number of several ICMP messages (`icmp_err_convert`). With `IP_RECVERR` it also keeps the message that
//! ended the attempt for the socket (ip(7); for TCP since Linux 5.9).

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd};

use nix::cmsg_space;
use nix::errno::Errno;
use nix::libc::{self, sock_extended_err};
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, MsgFlags, SockFlag, SockType, SockaddrStorage, connect,
    recvmsg, setsockopt, socket, sockopt,
};
use privatelink_verdict::address::Family;
use privatelink_verdict::observation::IcmpError;
use tokio::net::TcpStream;

/// Why a connection was not opened.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct ConnectError {
    /// What the system says.
    pub error: io::Error,
    /// The ICMP message that ended the attempt, where one did.
    pub icmp: Option<IcmpError>,
}

impl From<io::Error> for ConnectError {
    fn from(error: io::Error) -> Self {
        Self { error, icmp: None }
    }
}

/// Opens a connection to `address`. It sets no deadline.
pub(super) async fn open(address: SocketAddr) -> Result<TcpStream, ConnectError> {
    let stream = begin(address)?;
    // As with any connection that is being opened: it can be written to once it is decided.
    stream.writable().await?;
    if let Some(error) = stream.take_error()? {
        let icmp = icmp_error(&stream);
        return Err(ConnectError { error, icmp });
    }
    // From here on, one stray message must not end the connection.
    keep_errors(&stream, address, false)?;
    Ok(stream)
}

/// A socket whose connection is being opened.
fn begin(address: SocketAddr) -> io::Result<TcpStream> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::Inet,
        SocketAddr::V6(_) => AddressFamily::Inet6,
    };
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let socket = socket(family, SockType::Stream, flags, None)?;
    keep_errors(&socket, address, true)?;
    match connect(socket.as_raw_fd(), &SockaddrStorage::from(address)) {
        Ok(()) | Err(Errno::EINPROGRESS) => TcpStream::from_std(socket.into()),
        Err(errno) => Err(errno.into()),
    }
}

/// Whether the kernel keeps ICMP messages for the socket, and ends the connection at the first.
fn keep_errors(socket: &impl AsFd, address: SocketAddr, keep: bool) -> io::Result<()> {
    match address {
        SocketAddr::V4(_) => setsockopt(socket, sockopt::Ipv4RecvErr, &keep)?,
        SocketAddr::V6(_) => setsockopt(socket, sockopt::Ipv6RecvErr, &keep)?,
    }
    Ok(())
}

/// The ICMP message that ended the attempt, if one did: an older kernel keeps none.
fn icmp_error(socket: &impl AsRawFd) -> Option<IcmpError> {
    let mut control = cmsg_space!(sock_extended_err, libc::sockaddr_in6);
    let mut packet: [IoSliceMut<'_>; 0] = [];
    let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
    let received =
        recvmsg::<()>(socket.as_raw_fd(), &mut packet, Some(&mut control), flags).ok()?;
    received.cmsgs().ok()?.find_map(|message| {
        let (family, said, from) = match message {
            ControlMessageOwned::Ipv4RecvErr(said, from) => {
                let from = from.map(|from| Ipv4Addr::from(u32::from_be(from.sin_addr.s_addr)));
                (Family::Ipv4, said, from.map(IpAddr::V4))
            }
            ControlMessageOwned::Ipv6RecvErr(said, from) => {
                let from = from.map(|from| Ipv6Addr::from(from.sin6_addr.s6_addr));
                (Family::Ipv6, said, from.map(IpAddr::V6))
            }
            _ => return None,
        };
        let is_icmp = [libc::SO_EE_ORIGIN_ICMP, libc::SO_EE_ORIGIN_ICMP6].contains(&said.ee_origin);
        is_icmp.then_some(IcmpError {
            family,
            kind: said.ee_type,
            code: said.ee_code,
            from: from.filter(|from| !from.is_unspecified()),
        })
    })
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpSocket;

    use super::*;

    #[tokio::test]
    async fn a_port_that_is_closed_is_refused_without_an_icmp_message() {
        for ip in ["127.0.0.1", "::1"] {
            let any = SocketAddr::new(ip.parse().expect("an address"), 0);
            let socket = match any {
                SocketAddr::V4(_) => TcpSocket::new_v4(),
                SocketAddr::V6(_) => TcpSocket::new_v6(),
            };
            let socket = socket.expect("a socket");
            socket.bind(any).expect("a port");
            let address = socket.local_addr().expect("an address");
            let failed = open(address).await.expect_err("nothing listens yet");
            assert_eq!(failed.error.kind(), io::ErrorKind::ConnectionRefused);
            assert_eq!(failed.icmp, None);
            let _listener = socket.listen(1).expect("it listens");
            open(address).await.expect("a connection");
        }
    }
}
