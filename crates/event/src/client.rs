//! Where an exchange came from, as values that can be compared between accounts.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use exchange::Network;
use serde::{Deserialize, Serialize};

use crate::Hash;

/// The comparable part of a client.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientProfile {
    /// The address block.
    pub block: Option<Block>,
    /// The autonomous system.
    pub asn: Option<u32>,
    /// ISO 3166-1 alpha-2, upper case.
    pub country: Option<[u8; 2]>,
    /// The kind of network.
    pub network: Option<Network>,
    /// The software: TLS fingerprint and user agent together.
    pub software: Option<Hash>,
    /// The same as it was written, for a person; empty where there is none.
    pub software_name: Box<str>,
}

/// A block of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Block {
    /// The first three octets of an IPv4 address.
    V4([u8; 3]),
    /// The first 48 bits of an IPv6 address.
    V6([u16; 3]),
}

impl Block {
    /// The first address of the block.
    #[must_use]
    pub fn base(self) -> IpAddr {
        match self {
            Block::V4([a, b, c]) => Ipv4Addr::new(a, b, c, 0).into(),
            Block::V6([a, b, c]) => Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0).into(),
        }
    }
}

impl std::fmt::Display for Block {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Block::V4([a, b, c]) => write!(f, "{a}.{b}.{c}.0/24"),
            Block::V6([a, b, c]) => write!(f, "{a:x}:{b:x}:{c:x}::/48"),
        }
    }
}
