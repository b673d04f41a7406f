//! The address of a client, in whatever form a log has it.
//!
//! Proxies write ports, brackets, IPv4 within IPv6, and whole lists of hops. A list (`X-Forwarded-For`) grows at its end:
//! what the first proxy of one's own added is true, what stands before it was sent by the client and may be invented. So
//! who knows the number of own proxies says it; without, the first public address is taken.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The client's address in `text`, or `text` as it is where none can be told.
///
/// `trusted` is the number of proxies of one's own whose addresses end the list.
pub(crate) fn client(text: Cow<'_, str>, trusted: Option<usize>) -> Cow<'_, str> {
    if is_plain(&text) {
        return text;
    }
    let hops: Vec<IpAddr> = match forwarded(&text) {
        Some(hops) => hops,
        None => text.split([',', ' ', ';', '\t']).filter_map(hop).collect(),
    };
    let chosen = match trusted {
        Some(trusted) => hops.iter().rev().nth(trusted).or(hops.first()),
        None => hops.iter().find(|address| is_public(address)).or(hops.first()),
    };
    match chosen {
        Some(address) => Cow::Owned(address.to_string()),
        None => text,
    }
}

/// Whether a text is an address that need not be looked at: one of IPv4 and nothing else, or one of IPv6 in its one short
/// form (RFC 5952), without an address of IPv4 in it.
pub(crate) fn is_plain(text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.') {
        return true;
    }
    let is_written_so = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b':');
    // A field that begins with a zero could be written shorter, as could two of them.
    let begins_short = matches!(bytes.first(), Some(b'1'..=b'9' | b'a'..=b'f')) && !text.starts_with("64:");
    if !begins_short || !bytes.iter().all(is_written_so) || text.contains(":0") {
        return false;
    }
    let fields = bytes.split(|byte| *byte == b':');
    let (all, empty) = fields.fold((0, 0), |(all, empty), field| (all + 1, empty + usize::from(field.is_empty())));
    match empty {
        0 => all == 8,
        // At least two fields of zeros are left out.
        1 => all - 1 <= 6 && !text.ends_with(':'),
        _ => false,
    }
}

/// The hops of a header `Forwarded` (RFC 7239), each with parameters of which `for` is the address.
fn forwarded(text: &str) -> Option<Vec<IpAddr>> {
    let parameters = text.split([',', ';']).filter_map(|parameter| parameter.split_once('='));
    let of = parameters.filter(|(name, _)| name.trim().eq_ignore_ascii_case("for")).map(|(_, value)| value);
    let hops: Vec<IpAddr> = of.filter_map(hop).collect();
    (!hops.is_empty()).then_some(hops)
}

/// One address, with a port, brackets or a zone, or as an item of a JSON list.
fn hop(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let text = text.strip_prefix("[\"").unwrap_or(text);
    let text = text.strip_suffix("\"]").unwrap_or(text).trim_matches(['"', '\'']);
    let bare = match text.strip_prefix('[') {
        Some(rest) => rest.split(']').next()?,
        // A single colon divides an IPv4 address from its port.
        None if text.matches(':').count() == 1 => text.split(':').next()?,
        None => text,
    };
    let bare = bare.split(['%', '/']).next()?;
    match bare.parse().ok()? {
        IpAddr::V6(address) => Some(embedded(address).map_or(IpAddr::V6(address), IpAddr::V4)),
        address => Some(address),
    }
}

/// The IPv4 address within one of IPv6: mapped, or translated by NAT64 (RFC 6052).
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
            Some(Ipv4Addr::new(a, b, c, d))
        }
        _ => address.to_ipv4_mapped(),
    }
}

fn is_public(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let [a, b, ..] = address.octets();
            // 100.64.0.0/10 is shared by carriers and clouds (RFC 6598).
            !(address.is_private()
                || address.is_loopback()
                || address.is_link_local()
                || address.is_unspecified()
                || (a == 100 && (64..128).contains(&b)))
        }
        IpAddr::V6(address) => !is_local(address),
    }
}

fn is_local(address: &Ipv6Addr) -> bool {
    address.is_loopback() || address.is_unspecified() || address.is_unique_local() || address.is_unicast_link_local()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_plain_is_written_as_it_would_be() {
        for text in ["203.0.113.7", "2001:db8::1", "2001:db8:1:2:3:4:5:6", "fe80::a:b:c:d:e"] {
            assert!(is_plain(text), "{text}");
            assert_eq!(text.parse::<IpAddr>().unwrap().to_string(), text);
        }
        for text in [
            "2001:DB8::1",
            "2001:0db8::1",
            "2001:db8:0:0::1",
            "::ffff:1.2.3.4",
            "::ffff:102:304",
            "::1",
            "64:ff9b::1",
            "2001:db8::1:2:3:4:5",
            "1.2.3.4:5",
            "2001:db8::",
            "2001::db8::1",
            "1:2:3",
            "x",
            "[2001:db8::1]",
        ] {
            assert!(!is_plain(text), "{text}");
        }
    }

    #[test]
    fn every_form_of_an_address() {
        for (text, expected) in [
            ("203.0.113.7", "203.0.113.7"),
            ("203.0.113.7:51822", "203.0.113.7"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("2001:db8:0:0::1", "2001:db8::1"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("fe80::1%eth0", "fe80::1"),
            ("203.0.113.0/24", "203.0.113.0"),
            ("203.0.113.7, 10.2.0.9", "203.0.113.7"),
            ("10.0.0.1, 203.0.113.7,198.51.100.2", "203.0.113.7"),
            ("10.0.0.1, 100.64.3.2", "10.0.0.1"),
            ("for=\"[2001:db8::1]:4711\"", "2001:db8::1"),
            ("203.0.113.7 10.2.0.9", "203.0.113.7"),
            ("[\"203.0.113.7\", \"10.2.0.9\"]", "203.0.113.7"),
            ("[\"203.0.113.7\"]", "203.0.113.7"),
            ("for=203.0.113.7;proto=https", "203.0.113.7"),
            ("proto=https;by=10.2.0.9;For=203.0.113.7, for=198.51.100.2", "203.0.113.7"),
            ("for=\"_hidden\", for=203.0.113.7", "203.0.113.7"),
            ("64:ff9b::203.0.113.7", "203.0.113.7"),
            ("unknown", "unknown"),
            ("", ""),
        ] {
            assert_eq!(client(Cow::Borrowed(text), None), expected, "{text}");
        }
    }

    #[test]
    fn whoever_knows_his_proxies_cannot_be_told_a_false_address() {
        let list = "8.8.8.8, 203.0.113.7, 10.2.0.9";
        assert_eq!(client(Cow::Borrowed(list), Some(1)), "203.0.113.7");
        assert_eq!(client(Cow::Borrowed(list), Some(0)), "10.2.0.9");
        assert_eq!(client(Cow::Borrowed(list), Some(9)), "8.8.8.8");
    }
}
