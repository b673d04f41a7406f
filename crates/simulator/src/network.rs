//! Networks, addresses and client software.
//!
//! Without corpora everything is made up and nobody's: autonomous systems have numbers from the private range (RFC 6996),
//! addresses come from 240.0.0.0/4 (RFC 1112, reserved; the documentation ranges hold only three blocks of 256) and
//! 2001:db8::/32 (RFC 3849). With corpora, systems, ranges and user agents are those of the tables. Which account sits
//! where is made up in either case.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

use exchange::Network;
use rand::{Rng, RngExt};

use crate::arrival::Profile;
use crate::draw::{chance, mix, pick, stream, weighted};
use crate::scenario::Language;

/// The networks of the world.
pub(crate) struct World {
    seed: u64,
    systems: Vec<System>,
    browsers: Vec<(String, f64)>,
    libraries: Vec<(String, f64)>,
    fingerprints: Vec<String>,
    throwaway: Vec<String>,
    profiles: Vec<Profile>,
}

/// What corpora know of the world.
#[derive(Default)]
pub(crate) struct Tables {
    pub systems: Vec<System>,
    pub browsers: Vec<(String, f64)>,
    pub fingerprints: Vec<String>,
    /// Throw-away mail domains.
    pub throwaway: Vec<String>,
    pub profiles: Vec<Profile>,
}

/// An autonomous system.
#[derive(Clone, Debug)]
pub(crate) struct System {
    pub number: u32,
    pub country: &'static Country,
    pub network: Network,
    /// How many people use it, in no unit.
    pub weight: f64,
    /// First and last address of each IPv4 range; none means reserved space.
    pub ranges: Vec<(u32, u32)>,
}

/// A country, as far as the simulation knows it.
#[derive(Debug, PartialEq)]
pub(crate) struct Country {
    pub code: &'static str,
    /// Share of accounts.
    pub weight: f64,
    /// Hours east of UTC.
    pub utc_offset: f64,
    pub language: Language,
}

/// A place from where requests come: a home line, an office, a server.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub system: u32,
    pub country: &'static str,
    pub network: Network,
    pub block: Block,
    /// Addresses of the block in use by this customer, from the first on: 1 is a fixed address.
    pub spread: u8,
    pub first: u8,
}

/// A block of 256 IPv4 addresses, or an IPv6 site prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Block {
    V4(u32),
    V6(u16),
}

/// What software sends the requests.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Software {
    pub user_agent: String,
    pub ja4: String,
}

impl World {
    /// The made-up world of this seed.
    pub(crate) fn invented(seed: u64) -> World {
        let mut rng = stream(seed, &[WORLD]);
        let mut systems = Vec::new();
        for number in 0..SYSTEMS {
            let Some(country) = weighted(&mut rng, COUNTRIES, |country| country.weight) else { break };
            let Some(&(network, share)) = weighted(&mut rng, KINDS, |&(_, share)| share) else { break };
            // Sizes of networks follow a power law; a provider in the long tail has a handful of customers.
            let weight = share / libm::pow(rng.random::<f64>().max(1e-3), 0.8);
            systems.push(System { number: SYSTEM_FIRST + number * 7, country, network, weight, ranges: Vec::new() });
        }
        let texts = |table: &[(&str, f64)]| table.iter().map(|&(text, weight)| (text.to_owned(), weight)).collect();
        World {
            seed,
            systems,
            browsers: texts(BROWSERS),
            libraries: texts(LIBRARIES),
            fingerprints: Vec::new(),
            throwaway: Vec::new(),
            profiles: Vec::new(),
        }
    }

    /// Leaves the `most` largest systems of each kind in each country.
    pub(crate) fn with_few_systems(mut self, most: usize) -> World {
        self.systems.sort_by(|a, b| b.weight.total_cmp(&a.weight).then(a.number.cmp(&b.number)));
        let mut kept: BTreeMap<(&str, u8), usize> = BTreeMap::new();
        self.systems.retain(|system| {
            let count = kept.entry((system.country.code, system.network as u8)).or_default();
            *count += 1;
            *count <= most
        });
        self
    }

    /// Replaces what is made up by tables; an empty one leaves it as it is.
    pub(crate) fn with_tables(mut self, tables: Tables) -> World {
        if !tables.systems.is_empty() {
            self.systems = tables.systems;
        }
        if !tables.browsers.is_empty() {
            self.browsers = tables.browsers;
        }
        self.fingerprints = tables.fingerprints;
        self.throwaway = tables.throwaway;
        self.profiles = tables.profiles;
        self
    }

    /// A mail domain for a day.
    pub(crate) fn throwaway(&self, rng: &mut impl Rng) -> String {
        pick(rng, &self.throwaway).cloned().unwrap_or_else(|| mail_domain(rng))
    }

    /// The day of a real client, if the tables hold any.
    pub(crate) fn profile(&self, rng: &mut impl Rng) -> Option<Profile> {
        pick(rng, &self.profiles).cloned()
    }

    /// A place of this kind in this country, or the kind anywhere where the country has none.
    pub(crate) fn place(&self, network: Network, country: Option<&Country>, rng: &mut impl Rng) -> Place {
        let fits = |system: &&System| system.network == network;
        let local: Vec<&System> =
            self.systems.iter().filter(fits).filter(|s| country.is_none_or(|c| c == s.country)).collect();
        let any: Vec<&System> = if local.is_empty() { self.systems.iter().filter(fits).collect() } else { local };
        let Some(&system) = weighted(rng, &any, |system| system.weight) else {
            return Place::nowhere(network);
        };
        self.place_in(system, rng)
    }

    fn place_in(&self, system: &System, rng: &mut impl Rng) -> Place {
        // Customers of a network crowd into as many blocks as its size asks for.
        let blocks = (system.weight * BLOCKS_PER_WEIGHT).clamp(2.0, 4096.0) as u64;
        let index = mix(self.seed, &[u64::from(system.number), rng.random_range(0..blocks)]);
        let line = !matches!(system.network, Network::Hosting | Network::Vpn) && chance(rng, V6_SHARE);
        // The tables hold no IPv6 ranges.
        let v6 = line && system.ranges.is_empty();
        let block = if v6 { Block::V6(index as u16) } else { Block::V4(v4_block(&system.ranges, index)) };
        let spread = match system.network {
            Network::Mobile => 200,
            Network::Vpn | Network::Tor => 24,
            Network::Business => 4,
            _ => 1,
        };
        Place {
            system: system.number,
            country: system.country.code,
            network: system.network,
            block,
            spread,
            first: rng.random_range(1..=250),
        }
    }

    /// What an interactive user sits in front of, or a program runs on.
    pub(crate) fn software(&self, kind: SoftwareKind, rng: &mut impl Rng) -> Software {
        let table = if kind == SoftwareKind::Browser { &self.browsers } else { &self.libraries };
        let user_agent = weighted(rng, table, |(_, weight)| *weight).map(|(text, _)| text.clone()).unwrap_or_default();
        let ja4 = self.fingerprint(&user_agent);
        Software { user_agent, ja4 }
    }

    /// The TLS fingerprint of this software: the same for the same library whatever its minor version.
    fn fingerprint(&self, user_agent: &str) -> String {
        let family = user_agent.bytes().take_while(|byte| *byte != b'.').fold(0_u64, |h, b| mix(h, &[u64::from(b)]));
        if let Some(known) = self.fingerprints.get((family % self.fingerprints.len().max(1) as u64) as usize) {
            return known.clone();
        }
        let (a, b) = (mix(family, &[1]), mix(family, &[2]));
        format!("t13d{:02}{:02}h2_{:012x}_{:012x}", 9 + a % 20, 7 + b % 12, a >> 16, b >> 16)
    }
}

impl Place {
    /// The address used for `session`; writes it into `text`.
    pub(crate) fn address(&self, seed: u64, session: u64, text: &mut String) {
        let host = u32::from(self.first) + (mix(seed, &[session]) % u64::from(self.spread.max(1))) as u32;
        // A String takes whatever is written.
        let _ = match self.block {
            Block::V4(block) => write!(text, "{}", Ipv4Addr::from((block << 8) | (1 + (host - 1) % 254))),
            Block::V6(site) => {
                let subnet = mix(seed, &[u64::from(self.first), 6]) as u16;
                let low = mix(seed, &[u64::from(host), 7]);
                let low: [u16; 4] = [(low >> 48) as u16, (low >> 32) as u16, (low >> 16) as u16, low as u16];
                let [a, b, c, d] = low;
                write!(text, "{}", Ipv6Addr::new(0x2001, 0xdb8, site, subnet, a, b, c, d))
            }
        };
    }

    fn nowhere(network: Network) -> Place {
        Place { system: SYSTEM_FIRST, country: "US", network, block: Block::V4(0x00f0_0000), spread: 1, first: 1 }
    }
}

/// Interactive or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SoftwareKind {
    Browser,
    Library,
}

/// A country by share of accounts.
pub(crate) fn country(rng: &mut impl Rng) -> &'static Country {
    weighted(rng, COUNTRIES, |country| country.weight).unwrap_or(&ELSEWHERE)
}

/// The country of this code; `None` if the simulation does not know it.
pub(crate) fn country_of(code: &str) -> Option<&'static Country> {
    COUNTRIES.iter().find(|country| country.code == code)
}

/// One of the `most` mail providers that most people use.
pub(crate) fn mail_provider(rng: &mut impl Rng, most: usize) -> &'static str {
    weighted(rng, MAIL.get(..most).unwrap_or(MAIL), |&(_, weight)| weight).map_or("", |&(name, _)| name)
}

/// A mail domain of one's own.
pub(crate) fn mail_domain(rng: &mut impl Rng) -> String {
    let part = |rng: &mut _| pick(rng, SYLLABLES).copied().unwrap_or_default();
    let (a, b, c) = (part(rng), part(rng), part(rng));
    match rng.random_range(0..3) {
        0 => format!("{a}{b}.example"),
        1 => format!("{a}{b}{c}.example"),
        _ => format!("{a}-{b}{c}{}.example", rng.random_range(1..100)),
    }
}

/// The first 24 bits of a block: in the ranges given, or in reserved space.
fn v4_block(ranges: &[(u32, u32)], index: u64) -> u32 {
    let blocks = |&(start, end): &(u32, u32)| u64::from((end >> 8) - (start >> 8) + 1);
    let total: u64 = ranges.iter().map(blocks).sum();
    let mut left = index % total.max(1);
    for range in ranges {
        if left < blocks(range) {
            return (range.0 >> 8) + left as u32;
        }
        left -= blocks(range);
    }
    0x00f0_0000 | (index as u32 & 0x000f_ffff)
}

const WORLD: u64 = 0x776f_726c;
const SYSTEMS: u32 = 420;
/// Of the 32-bit private range of RFC 6996.
const SYSTEM_FIRST: u32 = 4_200_000_000;
const BLOCKS_PER_WEIGHT: f64 = 400.0;
const V6_SHARE: f64 = 0.25;

const KINDS: &[(Network, f64)] = &[
    (Network::Residential, 0.42),
    (Network::Business, 0.28),
    (Network::Mobile, 0.12),
    (Network::Hosting, 0.13),
    (Network::Vpn, 0.05),
];

const fn land(code: &'static str, weight: f64, utc_offset: f64, language: Language) -> Country {
    Country { code, weight, utc_offset, language }
}

static ELSEWHERE: Country = land("NL", 1.0, 1.0, Language::English);
/// Shares are rough: developers of public code hosting by country.
static COUNTRIES: &[Country] = &[
    land("US", 24.0, -5.0, Language::English),
    land("IN", 13.0, 5.5, Language::English),
    land("GB", 5.0, 0.0, Language::English),
    land("DE", 5.0, 1.0, Language::German),
    land("BR", 5.0, -3.0, Language::English),
    land("JP", 5.0, 9.0, Language::Japanese),
    land("FR", 4.0, 1.0, Language::English),
    land("CA", 4.0, -5.0, Language::English),
    land("SG", 3.0, 8.0, Language::English),
    land("CN", 3.0, 8.0, Language::Chinese),
    land("TW", 2.5, 8.0, Language::Chinese),
    land("HK", 2.5, 8.0, Language::Chinese),
    land("MX", 3.0, -6.0, Language::Spanish),
    land("ES", 3.0, 1.0, Language::Spanish),
    land("AU", 3.0, 10.0, Language::English),
    land("PL", 3.0, 1.0, Language::English),
    land("VN", 3.0, 7.0, Language::English),
    land("NG", 2.0, 1.0, Language::English),
    land("NL", 2.0, 1.0, Language::English),
    land("KR", 2.0, 9.0, Language::English),
];

const MAIL: &[(&str, f64)] = &[
    ("postbox.example", 0.55),
    ("mailhub.example", 0.2),
    ("letters.example", 0.1),
    ("inbox-one.example", 0.06),
    ("qmail.example", 0.05),
    ("netpost.example", 0.04),
];

const SYLLABLES: &[&str] = &[
    "al", "bar", "cor", "dan", "el", "fin", "gran", "hol", "in", "jur", "kel", "lor", "mar", "nov", "or", "pel",
    "quin", "ros", "sol", "tan", "ur", "ven", "wil", "xen", "yar", "zen", "bright", "stone", "field", "wood", "lake",
    "tech", "lab", "soft", "works", "data", "cloud", "craft", "port", "hill",
];

const BROWSERS: &[(&str, f64)] = &[
    (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/145.0.0.0 Safari/537.36",
        30.0,
    ),
    (
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/145.0.0.0 Safari/537.36",
        20.0,
    ),
    (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.6 Mobile/15E148 Safari/604.1",
        16.0,
    ),
    (
        "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/145.0.0.0 Mobile Safari/537.36",
        14.0,
    ),
    ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:147.0) Gecko/20100101 Firefox/147.0", 6.0),
    ("Mozilla/5.0 (X11; Linux x86_64; rv:147.0) Gecko/20100101 Firefox/147.0", 4.0),
    (
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.6 Safari/605.1.15",
        7.0,
    ),
    (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/144.0.0.0 Safari/537.36 Edg/144.0.0.0",
        3.0,
    ),
];

const LIBRARIES: &[(&str, f64)] = &[
    ("openai-python/2.14.0", 20.0),
    ("openai-python/2.9.1", 12.0),
    ("openai-python/1.99.1", 9.0),
    ("openai-node/6.15.0", 11.0),
    ("openai-node/5.20.0", 5.0),
    ("anthropic-sdk-python/0.84.0", 9.0),
    ("anthropic-sdk-python/0.71.0", 5.0),
    ("anthropic-sdk-typescript/0.72.1", 5.0),
    ("langchain-core/1.2.5", 4.0),
    ("litellm/1.81.2", 4.0),
    ("python-httpx/0.28.1", 4.0),
    ("python-requests/2.33.0", 4.0),
    ("aiohttp/3.13.2", 3.0),
    ("axios/1.13.2", 3.0),
    ("Go-http-client/2.0", 3.0),
    ("reqwest/0.13.1", 1.5),
    ("okhttp/5.3.0", 1.5),
    ("curl/8.18.0", 2.0),
    ("node-fetch/3.3.2", 1.5),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invented_addresses_belong_to_nobody_and_stay_in_their_block() {
        let world = World::invented(1);
        let mut rng = stream(1, &[]);
        for &(network, _) in KINDS {
            for session in 0..200 {
                let place = world.place(network, None, &mut rng);
                let mut text = String::new();
                place.address(5, session, &mut text);
                assert_eq!(place.network, network);
                let block = signals_block(&text);
                assert!(text.starts_with("2001:db8:") || (240..=255).contains(&block.0), "{text}");
                if let Block::V4(bits) = place.block {
                    assert_eq!(block.1, bits, "{text}");
                }
            }
        }
    }

    fn signals_block(text: &str) -> (u8, u32) {
        text.parse::<Ipv4Addr>().map_or((0, 0), |ip| (ip.octets()[0], u32::from(ip) >> 8))
    }

    #[test]
    fn ranges_are_kept_to() {
        let ranges = [(0x0102_0000, 0x0102_01ff), (0x0505_0500, 0x0505_05ff)];
        let blocks: std::collections::BTreeSet<u32> = (0..300).map(|index| v4_block(&ranges, index)).collect();
        assert_eq!(blocks.into_iter().collect::<Vec<_>>(), [0x0001_0200, 0x0001_0201, 0x0005_0505]);
    }

    #[test]
    fn software_versions_share_fingerprints() {
        let world = World::invented(1);
        assert_eq!(world.fingerprint("openai-python/2.14.0"), world.fingerprint("openai-python/2.9.1"));
        assert_ne!(world.fingerprint("openai-python/2.9.1"), world.fingerprint("litellm/1.81.2"));
    }
}
