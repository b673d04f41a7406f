//! Networks, client software, mail domains and arrivals.

use std::net::Ipv4Addr;
use std::path::Path;

use exchange::Network;
use serde::Deserialize;

use super::rows::rows;
use crate::arrival::{Gaps, Profile, Window};
use crate::error::SimulateError;
use crate::network::{System, Tables, World, country_of};

/// The world that the tables of `folder` describe.
pub(super) fn read(folder: &Path, seed: u64) -> Result<World, SimulateError> {
    let at = |name: &str| folder.join(format!("open/{name}.jsonl.zst"));
    let browser = |agent: UserAgent| Some((agent.user_agent, agent.weight?));
    let tables = Tables {
        systems: rows::<Asn>(&at("network/asn"))?.into_iter().filter_map(system).collect(),
        browsers: rows::<UserAgent>(&at("network/user-agents"))?.into_iter().filter_map(browser).collect(),
        fingerprints: rows::<Ja4>(&at("network/ja4"))?.into_iter().map(|row| row.ja4).collect(),
        throwaway: rows::<Domain>(&at("network/disposable-email-domains"))?.into_iter().map(|row| row.domain).collect(),
        profiles: rows::<Day>(&at("arrivals/servegen-m-large"))?.into_iter().filter_map(profile).collect(),
    };
    Ok(World::invented(seed).with_tables(tables))
}

#[derive(Deserialize)]
struct Asn {
    asn: u32,
    country: Option<String>,
    datacentre: bool,
    vpn: bool,
    addresses: f64,
    name_hint: Option<String>,
    ranges: Vec<Range>,
}

#[derive(Deserialize)]
struct Range {
    start: Ipv4Addr,
    end: Ipv4Addr,
}

#[derive(Deserialize)]
struct UserAgent {
    user_agent: String,
    weight: Option<f64>,
}

#[derive(Deserialize)]
struct Ja4 {
    ja4: String,
}

#[derive(Deserialize)]
struct Domain {
    domain: String,
}

/// One day of one client.
#[derive(Deserialize)]
struct Day {
    window: Vec<u8>,
    rate: Vec<f64>,
    family: String,
    shape: Vec<f64>,
}

/// A system in a country that the simulation knows; others are left out.
fn system(row: Asn) -> Option<System> {
    let network = match row.name_hint.as_deref() {
        _ if row.vpn => Network::Vpn,
        _ if row.datacentre => Network::Hosting,
        Some("hosting") => Network::Hosting,
        Some("mobile") => Network::Mobile,
        Some("education" | "business" | "government") => Network::Business,
        // The hints know few offices: small networks of their own are mostly some company's.
        _ if row.addresses < 4096.0 => Network::Business,
        _ => Network::Residential,
    };
    let ranges = row.ranges.into_iter().map(|range| (u32::from(range.start), u32::from(range.end)));
    let ranges: Vec<(u32, u32)> = ranges.filter(|(start, end)| start <= end).collect();
    let weight = libm::sqrt(row.addresses) / 256.0;
    (!ranges.is_empty()).then_some(System {
        number: row.asn,
        country: country_of(row.country.as_deref()?)?,
        network,
        weight,
        ranges,
    })
}

/// A day with enough in it to be a shape.
fn profile(day: Day) -> Option<Profile> {
    let shapes = day.shape.iter().zip(day.family.bytes());
    let windows = day.window.iter().zip(&day.rate).zip(shapes).filter_map(|((&number, &rate), (&shape, family))| {
        let gaps = match family {
            b'G' => Gaps::Gamma(shape),
            b'W' => Gaps::Weibull(shape),
            _ => return None,
        };
        Some(Window { number, rate, gaps })
    });
    let windows: Vec<Window> = windows.collect();
    (windows.len() >= WINDOWS_MIN).then_some(Profile { windows })
}

const WINDOWS_MIN: usize = 24;
