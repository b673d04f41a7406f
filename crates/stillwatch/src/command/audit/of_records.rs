//! What rules look at of what was recorded lately.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;

use audit::facts::Records;
use exchange::{BadRecord, Exchange, Notes, read_exchanges};

use crate::failure::Failure;
use crate::replay;

/// Records that are looked at, the latest first.
const RECORDS_MAX: usize = 20_000;
/// Bytes of a record that is looked at. A longer one is passed over: a hunt reads it.
const RECORD_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The facts of the latest records in a folder.
pub(super) fn facts(folder: &Path) -> Result<Records, Failure> {
    let mut records = Records { folder: folder.display().to_string(), ..Records::default() };
    let mut networks: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in replay::lines(folder)?.take(RECORDS_MAX) {
        let line = line?;
        if line.len() > RECORD_BYTES_MAX || line.trim().is_empty() {
            continue;
        }
        let read =
            read_exchanges(&line, &mut Notes::default(), &mut |exchange| see(&exchange, &mut records, &mut networks));
        match read {
            Ok(()) => {}
            Err(BadRecord::Missing { field: "account", .. }) => {
                records.exchanges += 1;
                records.without_account += 1;
            }
            Err(_) => records.damaged += 1,
        }
    }
    records.networks_of_keys = networks.into_iter().map(|(key, networks)| (key, networks.len() as u64)).collect();
    Ok(records)
}

fn see(exchange: &Exchange<'_>, records: &mut Records, networks: &mut BTreeMap<String, BTreeSet<String>>) {
    records.exchanges += 1;
    let is_answered = exchange.status.is_none_or(|status| (200..300).contains(&status));
    records.without_model += u64::from(exchange.model.is_none());
    records.without_usage +=
        u64::from(is_answered && exchange.usage.output_tokens.is_none() && exchange.usage.input_tokens.is_none());
    let network = exchange.client.ip.as_deref().map(network);
    records.without_address += u64::from(network.is_none());
    if let (Some(key), Some(network)) = (exchange.key.as_ref(), network) {
        networks.entry(key.as_str().to_owned()).or_default().insert(network);
    }
}

/// The /24 or /48 of an address; the text itself where it is none.
fn network(address: &str) -> String {
    match address.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V4(address)) => format!("{}/24", std::net::Ipv4Addr::from_bits(address.to_bits() & 0xffff_ff00)),
        Ok(IpAddr::V6(address)) => format!("{}/48", std::net::Ipv6Addr::from_bits(address.to_bits() >> 80 << 80)),
        Err(_) => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_network_count_once() {
        let networks: BTreeSet<String> = [
            "192.0.2.1",
            "192.0.2.200",
            "::ffff:192.0.2.7",
            "2001:db8::1",
            "2001:db8:0:ffff::1",
            "2001:db8:1::1",
            "h:ab",
        ]
        .into_iter()
        .map(network)
        .collect();
        assert_eq!(
            networks.into_iter().collect::<Vec<_>>(),
            ["192.0.2.0/24", "2001:db8:1::/48", "2001:db8::/48", "h:ab"]
        );
    }
}
