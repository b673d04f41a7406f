//! Whose word about a caller is taken: identity headers count only from configured load balancers.
//!
//! Promises that what a client writes about itself (`X-Forwarded-For`, `Forwarded`, a JA4 of its own) changes nothing:
//! without a trusted peer the address is the connection's, and everything else is unknown. Unknown counts for and
//! against nobody.

use std::net::IpAddr;
use std::sync::Arc;

use hyper::HeaderMap;
use hyper::header::HeaderName;
use policy::network::Network;

/// What is known of the connection that a request came on.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The address at the other end.
    pub address: IpAddr,
    /// The thumbprint of the certificate that it showed: SHA-256, base64url.
    pub certificate: Option<Arc<str>>,
    /// Whether it speaks TLS with us.
    pub tls: bool,
}

/// Which peers are believed, and in which headers they say what.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// Load balancers, by their networks.
    pub peers: Vec<Network>,
    /// The header with the caller's address; of a list, the rightmost that is not a trusted peer.
    pub address: Option<HeaderName>,
    /// The header with the TLS fingerprint of the caller (JA4).
    pub ja4: Option<HeaderName>,
    /// The header with the number of the caller's autonomous system.
    pub asn: Option<HeaderName>,
    /// The header with the caller's country, ISO 3166-1 alpha-2.
    pub country: Option<HeaderName>,
}

/// What is known of the connection behind a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Caller {
    /// Its address.
    pub address: IpAddr,
    /// Its TLS fingerprint.
    pub ja4: Option<String>,
    /// The number of its autonomous system.
    pub asn: Option<u32>,
    /// Its country.
    pub country: Option<String>,
}

impl Trust {
    /// Who calls, by a connection from `peer` with `headers`.
    #[must_use]
    pub fn caller(&self, peer: IpAddr, headers: &HeaderMap) -> Caller {
        let peer = peer.to_canonical();
        let mut caller = Caller { address: peer, ja4: None, asn: None, country: None };
        if !self.trusts(peer) {
            return caller;
        }
        caller.address = self.forwarded(headers).unwrap_or(peer);
        caller.ja4 = said(headers, self.ja4.as_ref()).filter(|text| text.len() <= 64).map(str::to_owned);
        caller.asn = said(headers, self.asn.as_ref()).and_then(|text| text.trim_start_matches("AS").parse().ok());
        caller.country = said(headers, self.country.as_ref())
            .filter(|text| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_alphabetic()))
            .map(str::to_ascii_uppercase);
        caller
    }

    /// The headers that are not passed on: what they say is for us.
    pub fn headers(&self) -> impl Iterator<Item = &HeaderName> {
        [&self.address, &self.ja4, &self.asn, &self.country].into_iter().flatten()
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.peers.iter().any(|network| network.contains(address))
    }

    /// The rightmost address that is not one of ours. Where one cannot be read, everything left of it is hearsay.
    fn forwarded(&self, headers: &HeaderMap) -> Option<IpAddr> {
        let name = self.address.as_ref()?;
        let mut last = None;
        for value in headers.get_all(name).iter().rev() {
            for part in value.to_str().ok()?.rsplit(',') {
                let Some(address) = address(part.trim()) else { return last };
                last = Some(address);
                if !self.trusts(address) {
                    return last;
                }
            }
        }
        last
    }
}

/// An address, perhaps with brackets and a port.
fn address(text: &str) -> Option<IpAddr> {
    let plain = text.parse::<IpAddr>().or_else(|_| text.parse::<std::net::SocketAddr>().map(|it| it.ip()));
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    plain.ok().or_else(bracketed).map(|address: IpAddr| address.to_canonical())
}

/// What a header says, when it is there once.
fn said<'h>(headers: &'h HeaderMap, name: Option<&HeaderName>) -> Option<&'h str> {
    let mut values = headers.get_all(name?).iter();
    let only = values.next()?;
    if values.next().is_some() { None } else { only.to_str().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trust() -> Trust {
        Trust {
            peers: vec!["10.0.0.0/8".parse().unwrap()],
            address: Some(HeaderName::from_static("x-forwarded-for")),
            ja4: Some(HeaderName::from_static("x-ja4")),
            asn: Some(HeaderName::from_static("x-asn")),
            country: Some(HeaderName::from_static("x-country")),
        }
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn a_client_says_nothing_about_itself() {
        let said = headers(&[("x-forwarded-for", "1.2.3.4"), ("x-ja4", "t13"), ("x-asn", "1"), ("x-country", "SG")]);
        let peer = "203.0.113.9".parse().unwrap();
        let expected = Caller { address: peer, ja4: None, asn: None, country: None };
        assert_eq!(trust().caller(peer, &said), expected);
        assert_eq!(Trust::default().caller("10.0.0.1".parse().unwrap(), &said).address.to_string(), "10.0.0.1");
    }

    #[test]
    fn a_load_balancer_is_believed_as_far_as_it_can_see() {
        for (said, expected) in [
            ("1.2.3.4", "1.2.3.4"),
            ("6.6.6.6, 1.2.3.4", "1.2.3.4"),
            ("6.6.6.6, 1.2.3.4, 10.0.0.7", "1.2.3.4"),
            ("6.6.6.6, unknown, 10.0.0.7", "10.0.0.7"),
            ("10.0.0.8, 10.0.0.7", "10.0.0.8"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("::ffff:1.2.3.4", "1.2.3.4"),
            ("garbage", "10.1.1.1"),
        ] {
            let caller = trust().caller("::ffff:10.1.1.1".parse().unwrap(), &headers(&[("x-forwarded-for", said)]));
            assert_eq!(caller.address.to_string(), expected, "{said}");
        }
        let both = headers(&[("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "1.2.3.4")]);
        assert_eq!(trust().caller("10.1.1.1".parse().unwrap(), &both).address.to_string(), "1.2.3.4");
    }

    #[test]
    fn what_is_said_twice_is_not_known() {
        let peer = "10.1.1.1".parse().unwrap();
        let caller = trust()
            .caller(peer, &headers(&[("x-ja4", "a"), ("x-ja4", "b"), ("x-asn", "AS64500"), ("x-country", "sg")]));
        assert_eq!((caller.ja4, caller.asn, caller.country.as_deref()), (None, Some(64_500), Some("SG")));
    }
}
