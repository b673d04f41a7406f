//! Syslog over UDP (RFC 5426), and over TCP with octet counting (RFC 6587).
//!
//! Promises a connection for each alert, since there are few and an old one may be gone without a sign. Syslog has no answers: what the system
//! took counts as delivered.

use std::io;
use std::net::SocketAddr;

use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpStream, UdpSocket, lookup_host};

use crate::limits::DATAGRAM_BYTES_MAX;
use crate::send::failed::Failed;

/// A server of syslog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Syslog {
    /// Whether it is reached by TCP; by UDP otherwise.
    pub is_tcp: bool,
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
}

impl Syslog {
    /// Brings a message there.
    ///
    /// # Errors
    ///
    /// When it cannot be sent.
    pub async fn send(&self, message: &str) -> Result<(), Failed> {
        if self.is_tcp {
            let mut stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
            stream.write_all(format!("{} {message}", message.len()).as_bytes()).await?;
            // Whoever reads gets all of it before the end.
            return Ok(stream.shutdown().await?);
        }
        let mut addresses = lookup_host((self.host.as_str(), self.port)).await?;
        let there = addresses.next().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        let any: SocketAddr = if there.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0_u16; 8], 0).into() };
        let socket = UdpSocket::bind(any).await?;
        socket.send_to(cut(message).as_bytes(), there).await?;
        Ok(())
    }
}

/// As much of a message as goes into one datagram.
fn cut(message: &str) -> &str {
    let end = message.floor_char_boundary(DATAGRAM_BYTES_MAX);
    message.get(..end).unwrap_or(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datagram_has_so_many_bytes() {
        let at = "a".repeat(DATAGRAM_BYTES_MAX);
        assert_eq!(cut(&at), at);
        assert_eq!(cut(&format!("{at}b")), at);
        let beyond = format!("{}ä", "a".repeat(DATAGRAM_BYTES_MAX - 1));
        assert_eq!(cut(&beyond).len(), DATAGRAM_BYTES_MAX - 1);
    }
}
