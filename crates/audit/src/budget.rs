//! The extraction budget: how many days it takes to ask for so much, at the rates that are permitted.
//!
//! It is an upper bound on speed and says nothing about whether somebody does: whoever takes longer is not stopped by it, and whoever is held to it
//! gives detection that long to see them.

use serde::{Deserialize, Serialize};

use crate::assumptions::Assumptions;
use crate::facts::{Control, Quota, QuotaOf, Unit};

/// How fast somebody may ask.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Budget {
    /// Who: an account without or with a high rate, or a group of accounts.
    pub who: String,
    /// Accounts.
    pub accounts: u64,
    /// Exchanges a day that the quotas permit; none without a limit.
    pub exchanges_a_day: Option<f64>,
    /// Days for what is wanted; none without a limit, since then it is the servers that set it.
    pub days: Option<f64>,
    /// The quotas that set it.
    pub set_by: Vec<String>,
}

const DAY_SECONDS: f64 = 86_400.0;

/// The budgets of one account and of a group, without and with a high rate.
#[must_use]
pub fn budgets(control: &Control, assumptions: &Assumptions) -> Vec<Budget> {
    let strangers_have_high_rate =
        control.strangers.iter().any(|stranger| stranger.actions.iter().any(|action| action == "high_rate"));
    let rates: &[(bool, &str)] = if strangers_have_high_rate {
        &[(true, "with a high rate, as strangers have it")]
    } else {
        &[(false, "without a high rate"), (true, "with a high rate")]
    };
    let both = rates.iter().flat_map(|(high, called)| {
        [1, assumptions.accounts.max(1)].map(|accounts| {
            let who =
                if accounts == 1 { format!("one account {called}") } else { format!("{accounts} accounts {called}") };
            budget(control, assumptions, who, accounts, *high)
        })
    });
    both.collect()
}

/// Whether these are accounts as anybody gets them.
#[must_use]
pub fn is_of_strangers(control: &Control, budget: &Budget) -> bool {
    let high = control.strangers.iter().any(|stranger| stranger.actions.iter().any(|action| action == "high_rate"));
    high || !budget.who.ends_with("with a high rate")
}

fn budget(control: &Control, assumptions: &Assumptions, who: String, accounts: u64, high_rate: bool) -> Budget {
    let keys_of_an_account = most_keys(control);
    // Quotas of the same reach in each bound what any of them bounds.
    let mut least: Option<(f64, Vec<String>)> = None;
    for quota in control.quotas.iter().filter(|quota| !(high_rate && quota.except_high_rate)) {
        let Some(a_day) = a_day(quota, assumptions) else { continue };
        let shares = match quota.of {
            QuotaOf::EachKey => accounts.saturating_mul(keys_of_an_account),
            QuotaOf::EachAccount | QuotaOf::EachOrganisation => accounts,
            QuotaOf::EachPaymentGroup => accounts.div_ceil(assumptions.accounts_of_an_instrument.max(1)),
            QuotaOf::Everybody => 1,
            QuotaOf::Some => continue,
        };
        let all = a_day * shares as f64;
        match &mut least {
            Some((known, by)) if *known == all => by.push(quota.id.clone()),
            Some((known, _)) if *known < all => {}
            _ => least = Some((all, vec![quota.id.clone()])),
        }
    }
    let (exchanges_a_day, set_by) = least.unzip();
    Budget {
        who,
        accounts,
        exchanges_a_day,
        days: exchanges_a_day.map(|a_day| assumptions.exchanges as f64 / a_day),
        set_by: set_by.unwrap_or_default(),
    }
}

/// Exchanges a day that a quota permits whoever shares it; none where that cannot be told, as of costs.
fn a_day(quota: &Quota, assumptions: &Assumptions) -> Option<f64> {
    let amount = quota.amount as f64 * DAY_SECONDS / quota.seconds.max(1) as f64;
    match quota.unit {
        Unit::Requests => Some(amount),
        Unit::Tokens => Some(amount / assumptions.tokens.max(1) as f64),
        Unit::Cost => None,
    }
}

/// The most keys that an account has: nothing says that the next one gets fewer.
fn most_keys(control: &Control) -> u64 {
    let mut counts = std::collections::BTreeMap::new();
    for key in &control.keys {
        *counts.entry(key.account.as_str()).or_insert(0) += 1;
    }
    counts.into_values().max().unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Stranger;

    fn quota(id: &str, of: QuotaOf, unit: Unit, amount: u64, seconds: u64) -> Quota {
        Quota { id: id.to_owned(), of, unit, amount, seconds, except_high_rate: false }
    }

    fn of(quotas: Vec<Quota>, actions: &[&str]) -> Vec<(String, Option<f64>, Vec<String>)> {
        let actions = actions.iter().map(|action| (*action).to_owned()).collect();
        let control =
            Control { quotas, strangers: vec![Stranger { tier: "free".to_owned(), actions }], ..Control::default() };
        budgets(&control, &Assumptions::default())
            .into_iter()
            .map(|budget| (budget.who, budget.days, budget.set_by))
            .collect()
    }

    #[test]
    fn the_least_quota_sets_it_and_a_group_multiplies_what_each_has() {
        let quotas = vec![
            quota("minute", QuotaOf::EachAccount, Unit::Requests, 60, 60),
            quota("day", QuotaOf::EachAccount, Unit::Requests, 1_000, 86_400),
            quota("all", QuotaOf::Everybody, Unit::Requests, 50_000, 86_400),
            quota("spent", QuotaOf::EachAccount, Unit::Cost, 1, 86_400),
            quota("one", QuotaOf::Some, Unit::Requests, 1, 86_400),
        ];
        let budgets = of(quotas, &[]);
        let days: Vec<(Option<f64>, &str)> = budgets.iter().map(|(_, days, by)| (*days, by[0].as_str())).collect();
        // 150,000 exchanges: one account 1,000 a day; a hundred would have 100,000, of which all together have half.
        assert_eq!(days, [(Some(150.0), "day"), (Some(3.0), "all"), (Some(150.0), "day"), (Some(3.0), "all")]);
        assert_eq!(budgets[0].0, "one account without a high rate");
    }

    #[test]
    fn tokens_instruments_and_high_rates_count_as_they_are_assumed() {
        let mut except = quota("slow", QuotaOf::EachPaymentGroup, Unit::Tokens, 1_000_000, 86_400);
        except.except_high_rate = true;
        // A million tokens are a thousand exchanges; a hundred accounts have ten instruments.
        let days: Vec<Option<f64>> = of(vec![except.clone()], &[]).into_iter().map(|(_, days, _)| days).collect();
        assert_eq!(days, [Some(150.0), Some(15.0), None, None]);
        // Where everybody has a high rate there is no other.
        let budgets = of(vec![except], &["high_rate"]);
        assert_eq!(budgets.iter().map(|(_, days, _)| *days).collect::<Vec<_>>(), [None, None]);
    }
}
