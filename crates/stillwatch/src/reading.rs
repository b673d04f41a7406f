//! The account of a reading: what was read, what was wrong with it, what was done with it, and what to be warned of.
//!
//! The table, the JSON, the report and `inspect` draw the same data.

use std::collections::BTreeMap;

use exchange::{Format, ReadOptions, ReadReport, Remark, Tally, Who};
use serde::Serialize;

use report::words;

/// What a reading came to.
#[derive(Debug, Serialize)]
pub(crate) struct Reading {
    /// Exchanges that went on.
    pub exchanges: u64,
    /// Exchanges of each format.
    pub formats: BTreeMap<&'static str, u64>,
    /// Lines that were no record.
    pub bad_lines: u64,
    /// Facts of accounts.
    pub account_facts: u64,
    /// Lines that were no account fact.
    pub bad_account_lines: u64,
    /// Records that were read although something was wrong with them.
    pub damaged: u64,
    /// By what was wrong.
    pub damage: Vec<Counted>,
    /// Accounts with damaged records, the most first.
    pub damaged_accounts: Vec<DamagedAccount>,
    /// What was done with records besides reading them.
    pub treated: Vec<Counted>,
    /// Calls by as what their account was found.
    pub accounts_from: BTreeMap<&'static str, u64>,
    /// Sources that ended early or could not be read, as messages.
    pub incomplete: Vec<String>,
    /// What to look at before trusting a result.
    pub warnings: Vec<String>,
}

/// How often something was met, and where first.
#[derive(Debug, Serialize)]
pub(crate) struct Counted {
    pub what: String,
    pub count: u64,
    pub example: String,
}

/// An account and how many of its records were damaged.
#[derive(Debug, Serialize)]
pub(crate) struct DamagedAccount {
    pub account: String,
    pub records: u64,
}

impl Reading {
    /// What was read of exchanges and of accounts.
    pub(crate) fn of(exchanges: &ReadReport, accounts: &ReadReport, options: &ReadOptions) -> Reading {
        let counted = |what: String, tally: &Tally| Counted {
            what,
            count: tally.count,
            example: format!("{}:{}", tally.source, tally.line),
        };
        let mut damaged_accounts: Vec<DamagedAccount> = exchanges
            .damaged_accounts
            .iter()
            .map(|(account, records)| DamagedAccount { account: account.clone(), records: *records })
            .collect();
        damaged_accounts.sort_by(|one, other| other.records.cmp(&one.records).then(one.account.cmp(&other.account)));
        damaged_accounts.truncate(DAMAGED_ACCOUNTS_TOLD);
        Reading {
            exchanges: exchanges.records,
            formats: exchanges.by_format.iter().map(|(format, count)| (format.name(), *count)).collect(),
            bad_lines: exchanges.bad_lines,
            account_facts: accounts.records,
            bad_account_lines: accounts.bad_lines,
            damaged: exchanges.damaged,
            damage: exchanges.damage.iter().map(|(damage, tally)| counted(damage.to_string(), tally)).collect(),
            damaged_accounts,
            treated: exchanges.remarks.iter().map(|(remark, tally)| counted(remark.to_string(), tally)).collect(),
            accounts_from: Who::ALL
                .into_iter()
                .map(|who| (who.name(), exchanges.census.found_as(who)))
                .filter(|(_, count)| *count > 0)
                .collect(),
            incomplete: exchanges.broken_sources.iter().chain(&accounts.broken_sources).cloned().collect(),
            warnings: warnings(exchanges, accounts, options),
        }
    }

    /// The same in sentences, without the warnings; empty where everything was plain.
    pub(crate) fn sentences(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for Counted { what, count, example } in self.treated.iter() {
            lines.push(format!("{what}: {}, first {example}", words::counted(*count, "record")));
        }
        if self.damaged > 0 {
            let kinds: Vec<String> = self
                .damage
                .iter()
                .map(|kind| format!("{} ({}, first {})", kind.what, words::grouped(kind.count), kind.example))
                .collect();
            let by: Vec<String> = self
                .damaged_accounts
                .iter()
                .take(DAMAGED_ACCOUNTS_NAMED)
                .map(|account| format!("{} ({})", account.account, words::grouped(account.records)))
                .collect();
            lines.push(format!(
                "{} read although damaged: {}; by account: {}",
                words::counted(self.damaged, "record"),
                kinds.join(", "),
                by.join(", ")
            ));
        }
        if self.bad_lines > 0 {
            lines.push(format!("{} could not be read", words::counted(self.bad_lines, "line")));
        }
        lines
    }
}

/// What makes a result worth little, with numbers and with what to do.
fn warnings(exchanges: &ReadReport, accounts: &ReadReport, options: &ReadOptions) -> Vec<String> {
    let census = &exchanges.census;
    let mut warnings = Vec::new();
    let lines = exchanges.bad_lines + census.calls;
    if exchanges.bad_share() > UNREAD_SHARE_MAX {
        warnings.push(format!(
            "{} of {} could not be read; what they hold cannot be seen",
            words::grouped(exchanges.bad_lines),
            words::counted(lines, "line")
        ));
    }
    if census.accounts() == 1 && census.calls > 1 {
        warnings.push(format!(
            "all {} are of one account, so no group can be found; name the field that tells customers apart by --account",
            words::counted(census.calls, "call")
        ));
    }
    let accounts_read = words::counted(census.accounts() as u64, "account");
    match census.only_org().map(|org| words::printable(org, ACCOUNT_CHARS)) {
        Some(org) if options.one_org => warnings.push(format!(
            "all {accounts_read} name the same organisation, {org}; it was left out, since they would be one payer"
        )),
        None if options.one_org => warnings.push(
            "the log begins with accounts of one organisation, so organisations were left out; later records name others or \
             none: hunt in these apart"
                .to_owned(),
        ),
        Some(org) if census.accounts() > 1 => warnings.push(format!(
            "all {accounts_read} name the same organisation, {org}, and so are one payer: no group can be found; leave the \
             organisation out of such a log"
        )),
        _ => {}
    }
    let by_service = census.found_as(Who::Service);
    if by_service > 0 {
        warnings.push(format!(
            "the account of {} of {} is the name of a service, which is the same for everybody behind it; name the field \
             that tells customers apart by --account",
            words::grouped(by_service),
            words::counted(census.calls, "call")
        ));
    }
    let placeholders: Vec<(&str, u64)> = census.placeholders().collect();
    if !placeholders.is_empty() {
        let words: Vec<String> =
            placeholders.iter().map(|(word, calls)| format!("`{word}` ({})", words::grouped(*calls))).collect();
        let sum = placeholders.iter().map(|(_, calls)| calls).sum::<u64>();
        warnings.push(format!(
            "the account of {} of {} is a word for none, {}; all that have the same word are taken for one customer: name the \
             field that tells customers apart by --account, or leave these calls out",
            words::grouped(sum),
            words::counted(census.calls, "call"),
            words.join(", ")
        ));
    }
    // A customer with many users is nothing odd; one that holds most of a log is a front end.
    let is_front_end = |users: usize, calls: u64| users >= USERS_OF_ONE_ACCOUNT && calls * 2 > census.calls;
    if let Some((account, users, _)) = census.most_users().filter(|(_, users, calls)| is_front_end(*users, *calls)) {
        warnings.push(format!(
            "account {} holds {} end users; if these are your customers, hunt with --account naming their field ({})",
            words::printable(account, ACCOUNT_CHARS),
            words::grouped(users as u64),
            end_user_paths(exchanges)
        ));
    }
    if accounts.records > 0 && census.calls > 0 && census.known == 0 {
        warnings.push(format!(
            "the accounts file names {} and none of the {} read; nothing is known of sign-ups and payments",
            words::counted(options.known.as_ref().map_or(0, |known| known.len() as u64), "account"),
            words::counted(census.accounts() as u64, "account")
        ));
    }
    let elsewhere = exchanges.remarks.get(&Remark::Elsewhere).map_or(0, |tally| tally.count);
    if elsewhere > 0 {
        warnings.push(format!(
            "the bodies of {} lie in another place and were not read",
            words::counted(elsewhere, "record")
        ));
    }
    if exchanges.damaged > 0 && exchanges.damaged as f64 > DAMAGED_SHARE_MAX * census.calls as f64 {
        warnings.push(format!(
            "{} of {} {} damaged; somebody may be hiding what he sends",
            words::grouped(exchanges.damaged),
            words::counted(census.calls, "record"),
            words::either(exchanges.damaged, "was", "were")
        ));
    }
    warnings
}

/// Where the end users of the formats that were read stand.
fn end_user_paths(exchanges: &ReadReport) -> String {
    let mut paths: Vec<&str> =
        exchanges.by_format.keys().filter_map(|format: &Format| format.end_user_path()).collect();
    paths.dedup();
    if paths.is_empty() { "end_user".to_owned() } else { paths.join(",") }
}

/// The share of lines beyond which what was not read is told among what cannot be seen.
const UNREAD_SHARE_MAX: f64 = 0.05;
/// The share of damaged records that accidents explain.
const DAMAGED_SHARE_MAX: f64 = 0.01;
/// End users of one account that make it look like a front end and not like a customer.
const USERS_OF_ONE_ACCOUNT: usize = 50;
/// Accounts with damaged records that are told.
const DAMAGED_ACCOUNTS_TOLD: usize = 100;
/// Accounts with damaged records that are named in a sentence.
const DAMAGED_ACCOUNTS_NAMED: usize = 3;
const ACCOUNT_CHARS: usize = 48;
