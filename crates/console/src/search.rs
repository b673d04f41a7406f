//! The search for recorded exchanges: what may be asked for, and what is found in the lake.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use axum::http::StatusCode;
use exchange::{Exchange, Fingerprint, Time};
use findings::{Capability, Findings};
use lake::Lake;
use lake::row::Row;
use lake::search::{Column, Found, Key, Only, SEARCH_ROWS_MAX, Wanted};
use policy::network::Network;
use report::words::{exchange_place, printable};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::context::Console;
use crate::desk::{Known, campaign_of};
use crate::fault::Fault;
use crate::times;

/// What is asked for, as it is typed.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub(crate) struct Sought {
    /// From when, in UTC: a day, a day and a minute, or any time that logs have.
    #[serde(default)]
    pub(crate) from: String,
    /// Before when.
    #[serde(default)]
    pub(crate) until: String,
    /// Of this account only.
    #[serde(default)]
    pub(crate) account: String,
    /// Of the accounts of this campaign, within its time.
    #[serde(default)]
    pub(crate) campaign: String,
    /// What it is after.
    #[serde(default)]
    pub(crate) capability: String,
    /// From this block of addresses, such as 203.0.113.0/24.
    #[serde(default)]
    pub(crate) network: String,
    /// What the name of the model has in it.
    #[serde(default)]
    pub(crate) model: String,
    /// An exchange that it has to be like: its place.
    #[serde(default)]
    pub(crate) like: String,
    /// The place of the exchange behind which the part begins.
    #[serde(default)]
    pub(crate) behind: String,
}

impl Sought {
    /// What fields of a query ask for; one that is not known is refused, since a search without it would be wider.
    pub(crate) fn of(fields: Vec<(String, String)>) -> Result<Sought, Fault> {
        let mut sought = Sought::default();
        for (name, value) in fields {
            let field = match name.as_str() {
                "from" => &mut sought.from,
                "until" => &mut sought.until,
                "account" => &mut sought.account,
                "campaign" => &mut sought.campaign,
                "capability" => &mut sought.capability,
                "network" => &mut sought.network,
                "model" => &mut sought.model,
                "like" => &mut sought.like,
                "behind" => &mut sought.behind,
                _ => return Err(Fault::bad(format!("`{}`: there is no such field of a search", printable(&name, 80)))),
            };
            *field = value;
        }
        Ok(sought)
    }
}

/// The place of an exchange in an address: its time, account and id.
pub(crate) fn place(exchange: &Exchange<'_>) -> String {
    exchange_place(exchange.time, exchange.account.as_str(), exchange.id.as_str())
}

pub(crate) fn read_place(text: &str) -> Option<Key> {
    let mut parts = text.splitn(3, ' ');
    let (time, account, id) = (parts.next()?, parts.next()?, parts.next()?);
    Some((Time::from_nanos(time.parse().ok()?), account.to_owned(), id.to_owned()))
}

/// Whether an exchange is one of those that are asked for, beyond its time and account.
struct Filter {
    capability: Option<&'static str>,
    network: Option<Network>,
    model: String,
    like: Option<BTreeSet<String>>,
}

impl Filter {
    /// What is asked for of single columns, by which rows are passed over before they are read.
    fn columns(&self, accounts: Option<BTreeSet<String>>) -> Vec<Only> {
        let mut only = Vec::new();
        // The rarest first.
        only.extend(accounts.map(|accounts| Only::new(Column::Account, move |account| accounts.contains(account))));
        only.extend(self.network.map(|network| {
            Only::new(Column::Address, move |text| text.parse().is_ok_and(|address: IpAddr| network.contains(address)))
        }));
        only.extend(self.capability.map(|wanted| Only::new(Column::Intent, move |intent| intent == wanted)));
        let model = self.model.clone();
        only.extend((!model.is_empty()).then(|| Only::new(Column::Model, move |text| text.contains(&model))));
        only
    }

    fn has(&self, exchange: &Exchange<'_>) -> bool {
        let print = exchange.fingerprint.as_ref();
        let intents = || print.into_iter().flat_map(|print| &print.intents);
        let address = || exchange.client.ip.as_deref()?.parse::<IpAddr>().ok();
        self.capability.is_none_or(|wanted| intents().any(|intent| intent == wanted))
            && self.network.as_ref().is_none_or(|network| address().is_some_and(|address| network.contains(address)))
            && (self.model.is_empty() || exchange.model.as_deref().is_some_and(|model| model.contains(&self.model)))
            && self.like.as_ref().is_none_or(|like| print.is_some_and(|print| is_like(like, &prints(print))))
    }
}

/// The fingerprints of what was asked.
fn prints(print: &Fingerprint<'_>) -> BTreeSet<String> {
    let digits: Vec<char> = print.prints.chars().collect();
    digits.chunks(Fingerprint::PRINT_DIGITS).map(|print| print.iter().collect()).collect()
}

/// Whether two texts have much in common: this share of the fingerprints of the shorter one.
const LIKE_SHARE: f64 = 0.3;

fn is_like(one: &BTreeSet<String>, other: &BTreeSet<String>) -> bool {
    let least = one.len().min(other.len());
    least > 0 && one.intersection(other).count() as f64 >= LIKE_SHARE * least as f64
}

/// The latest exchanges that are as asked, at most `most`, and the findings that campaigns were looked up in.
pub(crate) async fn look(
    console: &Arc<Console>,
    sought: &Sought,
    most: usize,
) -> Result<(Found, Arc<Findings>), Fault> {
    let lake = lake(console).await?;
    let found = console.desk.findings(&console.admin).await;
    let findings = if sought.campaign.is_empty() { found.unwrap_or_default() } else { found? };
    let (mut from, mut until) = (times::typed("from", &sought.from)?, times::typed("until", &sought.until)?);
    if from.zip(until).is_some_and(|(from, until)| from >= until) {
        return Err(Fault::bad("`from`: expected a time before `until`"));
    }
    let mut accounts: Option<BTreeSet<String>> = None;
    if !sought.account.trim().is_empty() {
        accounts = Some([sought.account.trim().to_owned()].into());
    }
    if !sought.campaign.is_empty() {
        let Known { campaign, .. } = campaign_of(&console.admin, &findings, &sought.campaign)?;
        let members: BTreeSet<String> = report::words::members(&campaign).map(str::to_owned).collect();
        accounts = Some(accounts.map_or(members.clone(), |asked| asked.intersection(&members).cloned().collect()));
        from = from.max(Some(campaign.first_seen));
        let end = Time::from_nanos(campaign.last_seen.nanos().saturating_add(1));
        until = Some(until.map_or(end, |until| until.min(end)));
    }
    let like = match sought.like.as_str() {
        "" => None,
        text => Some(read_place(text).ok_or_else(|| Fault::bad("`like`: expected the place of an exchange"))?),
    };
    let filter = Filter {
        capability: capability(&sought.capability)?,
        network: network(&sought.network)?,
        model: sought.model.trim().to_owned(),
        like: None,
    };
    let behind = match sought.behind.as_str() {
        "" => None,
        text => Some(read_place(text).ok_or_else(|| Fault::bad("`behind`: expected the place of an exchange"))?),
    };
    let looked = tokio::task::spawn_blocking(move || {
        let filter = match like {
            None => filter,
            Some(key) => {
                let row = one(&lake, &key)?;
                let like = row.exchange().fingerprint.as_ref().map(prints).unwrap_or_default();
                Filter { like: Some(like), ..filter }
            }
        };
        let is_wanted = |exchange: &Exchange<'_>| filter.has(exchange);
        let only = filter.columns(accounts.clone());
        let wanted = Wanted {
            from,
            until,
            behind: behind.as_ref(),
            accounts: accounts.as_ref(),
            only: &only,
            rows_max: SEARCH_ROWS_MAX,
            is_whole: false,
            is_wanted: &is_wanted,
        };
        lake.latest(wanted, most).map_err(broken)
    });
    let found = looked.await.map_err(broken)??;
    Ok((found, findings))
}

/// What an exchange is after, by its name.
fn capability(name: &str) -> Result<Option<&'static str>, Fault> {
    if name.is_empty() {
        return Ok(None);
    }
    let names = Capability::ALL.map(Capability::id);
    let known = names.into_iter().find(|id| *id == name);
    let expected = || Fault::bad(format!("`capability`: expected one of {}", names.join(", ")));
    known.map(Some).ok_or_else(expected)
}

/// A block of addresses as it is typed.
fn network(text: &str) -> Result<Option<Network>, Fault> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let expected =
        |_| Fault::bad(format!("`network`: `{text}` is none; expected such as 203.0.113.0/24 or 203.0.113.7"));
    // What is recorded of an address is its block.
    let whole = match text.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => format!("{}/24", Ipv4Addr::from_bits(address.to_bits() & (u32::MAX << 8))),
        Ok(IpAddr::V6(address)) => format!("{}/48", Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 80))),
        Err(_) => text.to_owned(),
    };
    whole.parse().map(Some).map_err(expected)
}

pub(crate) fn broken(why: impl std::fmt::Display) -> Fault {
    Fault::new(StatusCode::SERVICE_UNAVAILABLE, format!("recorded exchanges cannot be read: {why}"))
}

/// The lake of recorded exchanges.
pub(crate) async fn lake(console: &Arc<Console>) -> Result<Lake, Fault> {
    let console = Arc::clone(console);
    let opened = tokio::task::spawn_blocking(move || console.records.lake()).await.map_err(broken)?;
    let none = "Recorded exchanges are searched in the lake, and there is none yet. Set `enabled = true` under `[lake]` in the configuration and start the gateway again; what is recorded by then is taken in as well.";
    opened.map_err(broken)?.ok_or_else(|| Fault::new(StatusCode::CONFLICT, none))
}

/// One exchange by its place.
pub(crate) fn one(lake: &Lake, key: &Key) -> Result<Row<'static>, Fault> {
    let (time, account, id) = key;
    let accounts: BTreeSet<String> = [account.clone()].into();
    let whose = account.clone();
    let only = [Only::new(Column::Account, move |account| *account == whose)];
    let is_it = |exchange: &Exchange<'_>| exchange.id.as_str() == id;
    let until = Some(Time::from_nanos(time.nanos().saturating_add(1)));
    let wanted = Wanted {
        from: Some(*time),
        until,
        behind: None,
        accounts: Some(&accounts),
        only: &only,
        rows_max: SEARCH_ROWS_MAX,
        is_whole: true,
        is_wanted: &is_it,
    };
    let found = lake.latest(wanted, 1).map_err(broken)?;
    let missing =
        || Fault::missing("this exchange is not in the lake: it was erased, or it is older than what is kept");
    found.rows.into_iter().next().ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_as_they_are_written() {
        let time = Time::from_nanos(1_800_000_000_000_000_001);
        let text = exchange_place(time, "acc_1", "id with spaces");
        assert_eq!(text, "1800000000000000001 acc_1 id with spaces");
        assert_eq!(read_place(&text), Some((time, "acc_1".to_owned(), "id with spaces".to_owned())));
        for odd in ["", "x", "1 a", "x a b", "99999999999999999999 a b"] {
            assert_eq!(read_place(odd), None, "{odd}");
        }
    }

    #[test]
    fn texts_are_alike_from_a_share_in_common() {
        let set = |from: u32, to: u32| (from..to).map(|n| n.to_string()).collect::<BTreeSet<_>>();
        assert!(is_like(&set(0, 10), &set(7, 100)) && !is_like(&set(0, 10), &set(8, 100)));
        assert!(!is_like(&set(0, 0), &set(0, 10)));
    }
}
