//! Where an exchange came from, as values that can be compared between accounts.
//!
//! Takes only what a trusted front wrote into the record; computes no network fingerprint of its own. Addresses are
//! widened to the block that one customer usually holds (/24 for IPv4, /48 for IPv6).

use std::net::{IpAddr, Ipv4Addr};

use event::client::{Block, ClientProfile};
use event::{Hash, NAME_BYTES_MAX};
use exchange::Client;

use crate::head;

/// The profile of one client.
#[must_use]
pub fn profile(client: &Client<'_>) -> ClientProfile {
    ClientProfile {
        block: client.ip.as_deref().and_then(block),
        asn: client.asn,
        country: client.country.as_deref().and_then(country),
        network: client.network,
        software: software(client),
        software_name: software_name(client),
    }
}

/// The block of an address; none when the text is no address.
#[must_use]
pub fn block(ip: &str) -> Option<Block> {
    match ip.parse().ok()? {
        IpAddr::V4(v4) => Some(v4_block(v4)),
        IpAddr::V6(v6) => Some(match v6.to_ipv4_mapped() {
            Some(v4) => v4_block(v4),
            None => {
                let [a, b, c, ..] = v6.segments();
                Block::V6([a, b, c])
            }
        }),
    }
}

fn v4_block(address: Ipv4Addr) -> Block {
    let [a, b, c, _] = address.octets();
    Block::V4([a, b, c])
}

fn country(text: &str) -> Option<[u8; 2]> {
    let code: [u8; 2] = text.as_bytes().try_into().ok()?;
    code.iter().all(u8::is_ascii_alphabetic).then(|| code.map(|letter| letter.to_ascii_uppercase()))
}

fn software(client: &Client<'_>) -> Option<Hash> {
    if client.ja4.is_none() && client.user_agent.is_none() {
        return None;
    }
    let ja4 = client.ja4.as_deref().map_or(0, |ja4| Hash::of(ja4).0);
    let agent = client.user_agent.as_deref().map_or(0, |agent| Hash::of(agent).0);
    Some(Hash(ja4.rotate_left(1) ^ agent))
}

/// The user agent, with the TLS fingerprint where one is known; of the two together [`NAME_BYTES_MAX`] are kept.
fn software_name(client: &Client<'_>) -> Box<str> {
    let name = match (client.user_agent.as_deref(), client.ja4.as_deref()) {
        (Some(agent), Some(ja4)) => {
            let ja4 = format!(" (TLS {})", head(ja4, JA4_BYTES_MAX));
            return format!("{}{ja4}", head(agent, NAME_BYTES_MAX.saturating_sub(ja4.len()))).into();
        }
        (Some(agent), None) => head(agent, NAME_BYTES_MAX),
        (None, Some(ja4)) => {
            return format!("TLS fingerprint {}; no user agent is recorded", head(ja4, JA4_BYTES_MAX)).into();
        }
        (None, None) => "",
    };
    name.into()
}

/// Bytes of a TLS fingerprint that are shown: one of JA4 has 36.
const JA4_BYTES_MAX: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_widen_to_blocks() {
        for (ip, expected) in [
            ("203.0.113.7", Some("203.0.113.0/24")),
            ("::ffff:203.0.113.9", Some("203.0.113.0/24")),
            ("2001:db8:1:2::3", Some("2001:db8:1::/48")),
            ("203.0.113", None),
            ("", None),
        ] {
            assert_eq!(block(ip).map(|block| block.to_string()).as_deref(), expected, "{ip}");
        }
    }

    #[test]
    fn countries_are_two_letters() {
        assert_eq!(country("sg"), Some(*b"SG"));
        assert_eq!(country("SGP"), None);
        assert_eq!(country("1x"), None);
    }

    #[test]
    fn software_is_named_as_it_was_written() {
        let named = |agent: Option<&'static str>, ja4: Option<&'static str>| {
            let client = Client { user_agent: agent.map(Into::into), ja4: ja4.map(Into::into), ..Client::default() };
            profile(&client).software_name
        };
        assert_eq!(&*named(Some("x/1"), None), "x/1");
        assert_eq!(&*named(Some("x/1"), Some("t13d")), "x/1 (TLS t13d)");
        assert_eq!(&*named(None, Some("t13d")), "TLS fingerprint t13d; no user agent is recorded");
        assert_eq!(&*named(None, None), "");
    }

    #[test]
    fn nothing_known_is_no_profile() {
        assert_eq!(profile(&Client::default()), ClientProfile::default());
    }
}
