//! How findings are put into words, for whatever shows them.
//!
//! Whatever came from outside is shown without control and formatting characters, so that no prompt or account name can
//! move a cursor, change colours or reverse a line.

use std::collections::BTreeSet;

use exchange::Time;
use findings::Verdict;
pub use findings::number::{counted, either, grouped, one_or_many, percent};
use findings::{Campaign, Capability, Findings, Judgement, Member, ModelTokens, SignalFamily};
use policy::price::Prices;

use crate::cost;

/// What was found, in one sentence.
pub fn verdict(findings: &Findings) -> String {
    let population = &findings.population;
    let exchanges = counted(population.exchanges, "exchange");
    let span = |first: Option<Time>, last: Option<Time>| match (first, last) {
        (Some(first), Some(last)) => format!(", {} to {} UTC", minute(first), minute(last)),
        _ => String::new(),
    };
    match findings.campaigns.len() {
        0 if population.exchanges == 0 => "No exchange was read, so nothing can be said.".to_owned(),
        0 => format!(
            "No campaign was found in {exchanges} of {}{}.",
            counted(population.accounts, "account"),
            span(population.first_seen, population.last_seen)
        ),
        campaigns => {
            let accounts: BTreeSet<&str> = findings.campaigns.iter().flat_map(members).collect();
            let taken = findings.campaigns.iter().fold(0_u64, |sum, campaign| sum.saturating_add(campaign.exchanges));
            // The dates are those of the campaigns: a log goes on before and after.
            let dates = findings.campaigns.iter().map(|campaign| (campaign.first_seen, campaign.last_seen));
            let were = either(campaigns as u64, "was", "were");
            format!(
                "{} {were} found: {} of {} sent {} of {exchanges}{}.",
                counted(campaigns as u64, "campaign"),
                grouped(accounts.len() as u64),
                counted(population.accounts, "account"),
                grouped(taken),
                span(dates.clone().map(|(first, _)| first).min(), dates.map(|(_, last)| last).max()),
            )
        }
    }
}

/// What a person said of a group.
pub fn verdict_of_person(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Benign => "honest",
        Verdict::Research => "approved research",
        Verdict::Campaign => "a confirmed campaign",
    }
}

/// What a person said of a campaign, and who of it is new since, in sentences.
pub fn judgement(judgement: &Judgement) -> String {
    let Judgement { verdict, by, time, reason, until, new_accounts, .. } = judgement;
    let until = until.map(|until| format!(" until {}", minute(until))).unwrap_or_default();
    let first = new_accounts.iter().take(NEW_ACCOUNTS_SHOWN).map(|account| printable(account, NEW_ACCOUNT_CHARS));
    let first: Vec<String> = first.collect();
    let new = match new_accounts.len() {
        0 => "No account is new since".to_owned(),
        new => {
            let more = new.saturating_sub(first.len());
            let more = if more > 0 { format!(" and {} more", grouped(more as u64)) } else { String::new() };
            format!("Not looked at then: {}, {}{more}", counted(new as u64, "account"), first.join(", "))
        }
    };
    format!("{by} called this {}{until} on {}: {reason}. {new}.", verdict_of_person(*verdict), minute(*time))
}

/// Accounts named that are new since a verdict.
const NEW_ACCOUNTS_SHOWN: usize = 3;
const NEW_ACCOUNT_CHARS: usize = ID_CHARS_MAX;

/// What a campaign took, in tokens; none where none were recorded.
pub fn tokens(campaign: &Campaign) -> Option<String> {
    if campaign.tokens_known <= 0.0 {
        return None;
    }
    let missing = match ((1.0 - campaign.tokens_known) * 100.0).clamp(0.0, 100.0) {
        0.0 => String::new(),
        ..0.1 => "; for less than 0.1 % of its exchanges they are not recorded".to_owned(),
        share => format!("; for {share:.1} % of its exchanges they are not recorded, and not counted"),
    };
    Some(format!(
        "{} of requests and {} of answers{missing}",
        counted(campaign.input_tokens, "token"),
        grouped(campaign.output_tokens)
    ))
}

/// What that cost, at the prices given; none where no model has a price.
pub fn cost(campaign: &Campaign, prices: &Prices) -> String {
    let cost = cost::cost_of(prices, campaign);
    let rest = || campaign.models.iter().find(|model| model.model.is_empty()).map(others).unwrap_or_default();
    let named = |model: &String| if model.is_empty() { rest() } else { printable(model, ID_CHARS_MAX) };
    let mut unpriced: Vec<String> = cost.unpriced.iter().take(UNPRICED_NAMED).map(named).collect();
    if let Some(more @ 1..) = cost.unpriced.len().checked_sub(UNPRICED_NAMED) {
        unpriced.push(format!("{} more", grouped(more as u64)));
    }
    let without =
        if unpriced.is_empty() { String::new() } else { format!("no price is given for {}", unpriced.join(", ")) };
    match (cost.unpriced.len() < campaign.models.len(), without.is_empty()) {
        (true, true) => format!("{} at the prices given", money(cost.amount, prices)),
        (true, false) => format!("{} at the prices given; {without}", money(cost.amount, prices)),
        (false, _) => format!("not known: {}", if without.is_empty() { "no model is recorded" } else { &without }),
    }
}

/// An amount with its thousands apart and its currency.
pub fn money(amount: f64, prices: &Prices) -> String {
    // Amounts beyond what a float counts exactly stay at the largest.
    let hundredths = (amount * 100.0).round() as u64;
    format!("{} {}.{:02}", printable(prices.currency(), CURRENCY_CHARS), grouped(hundredths / 100), hundredths % 100)
}

const CURRENCY_CHARS: usize = 12;
/// Models without a price that a sentence names; the page lists all.
const UNPRICED_NAMED: usize = 5;

/// Characters of an identifier: as many as anybody may want to copy.
pub const ID_CHARS_MAX: usize = 512;

/// The accounts that count as members, surest first.
pub fn members(campaign: &Campaign) -> impl Iterator<Item = &str> {
    sure(campaign).map(|member| member.account.as_str())
}

/// The same with what is known of each.
pub fn sure(campaign: &Campaign) -> impl Iterator<Item = &Member> {
    campaign.accounts.iter().filter(|member| member.probability >= MEMBER_PROBABILITY_MIN)
}

/// The share of an account's own exchanges that are the campaign's.
pub fn own_share(member: &Member) -> f64 {
    (member.exchanges as f64 / member.exchanges_total.max(1) as f64).min(1.0)
}

/// Whether an account mostly does something else.
pub fn is_mostly_other(member: &Member) -> bool {
    own_share(member) < OWN_SHARE_SMALL
}

/// A smaller share of an account's own exchanges is marked: three of four are something else, so whoever acts against the account
/// stops mostly that. It may be cover traffic, or a customer who sends the same text now and then.
pub const OWN_SHARE_SMALL: f64 = 0.25;

/// How many members mostly do something else, and what that means; none where there are none.
pub fn mostly_other(campaign: &Campaign) -> Option<String> {
    let (few, all) = (sure(campaign).filter(|member| is_mostly_other(member)).count(), sure(campaign).count());
    (few > 0).then(|| {
        format!(
            "the campaign is less than {} of what {} of {} sent: cover traffic looks like this, and so does a customer who sends \
             the same text now and then; look at the rest of it before you act",
            percent(OWN_SHARE_SMALL),
            grouped(few as u64),
            counted(all as u64, "account")
        )
    })
}

/// The models of a campaign with the share of each, the most used first, at most `most` by name; none where none is known.
pub fn models(campaign: &Campaign, most: usize) -> Option<String> {
    let (named, _): (Vec<&ModelTokens>, Vec<&ModelTokens>) = campaign.models.iter().partition(|m| !m.model.is_empty());
    let mut words: Vec<String> = named
        .iter()
        .take(most)
        .map(|model| format!("{} ({})", printable(&model.model, ID_CHARS_MAX), percent(model.share)))
        .collect();
    let further =
        campaign.models.iter().map(|model| model.others).sum::<u64>() + named.len().saturating_sub(most) as u64;
    if further > 0 {
        words.push(format!("{} more", grouped(further)));
    }
    (!named.is_empty()).then(|| words.join(", "))
}

/// What stands for the models that are not named.
pub fn others(model: &ModelTokens) -> String {
    match model.others {
        0 => "requests that name no model".to_owned(),
        others => format!("{}, and requests that name none", counted(others, "further model")),
    }
}

/// What most sets a group's client software, or its settings, apart: the value, and who else has it.
pub fn sharing(campaign: &Campaign, kind: &str) -> Option<String> {
    let sharing = campaign.portrait.infrastructure.iter().find(|sharing| sharing.kind == kind)?;
    Some(format!(
        "{} ({} of {}, {} of everybody else; {} in all)",
        printable(&sharing.largest_value, ID_CHARS_MAX),
        grouped(sharing.largest),
        counted(sharing.known, "account"),
        percent(sharing.population_share),
        counted(sharing.distinct, "different value")
    ))
}

/// Accounts from this probability on are members, and only they are counted.
pub const MEMBER_PROBABILITY_MIN: f64 = 0.5;

/// How strong evidence is, in words and as a power of ten.
pub fn confidence(log10_e: f64) -> String {
    match log10_e {
        f64::INFINITY => strength(log10_e).to_owned(),
        f64::NEG_INFINITY.. => format!("{} ({})", strength(log10_e), power(log10_e.floor())),
        _ => strength(log10_e).to_owned(),
    }
}

/// How strong evidence is, in words: an e-value of 100 is strong, of 10⁴ very strong, of 10⁸ overwhelming.
pub fn strength(log10_e: f64) -> &'static str {
    match log10_e {
        8.0.. => "overwhelming",
        4.0.. => "very strong",
        2.0.. => "strong",
        0.0.. => "weak",
        f64::NEG_INFINITY.. => "none",
        _ => "not known",
    }
}

/// Characters of a message, at most.
pub const MESSAGE_CHARS_MAX: usize = 2_000;

/// A text from outside as one line: no control or formatting characters, white space collapsed, cut with an ellipsis.
pub fn printable(text: &str, chars_max: usize) -> String {
    let mut line = String::new();
    let mut chars = 0;
    let mut gap = false;
    for c in text.chars().filter(|c| !is_format(*c)) {
        if c.is_whitespace() {
            gap = chars > 0;
            continue;
        }
        let needed = 1 + usize::from(gap);
        if chars + needed > chars_max {
            // The ellipsis takes the place of the last character where no room is left for it.
            if chars == chars_max {
                line.pop();
            }
            line.push('…');
            return line;
        }
        if gap {
            line.push(' ');
        }
        line.push(if c.is_control() { char::REPLACEMENT_CHARACTER } else { c });
        chars += needed;
        gap = false;
    }
    line
}

/// Characters that take no space but change how the text around them is shown: bidirectional controls, joiners, tags.
pub fn is_format(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// A capability in a word or two.
pub fn words(capability: Capability) -> &'static str {
    match capability {
        Capability::ReasoningTrace => "reasoning",
        Capability::Grading => "grading",
        Capability::DataGeneration => "training data",
        Capability::ToolUse => "tool use",
        Capability::Coding => "code",
        Capability::Logits => "logits",
        Capability::TraceCleaning => "trace cleaning",
        Capability::Translation => "translation",
        Capability::Concealment => "concealment",
        Capability::General => "answers",
    }
}

/// A family of signals, in a few words.
#[must_use]
pub fn signal_name(family: SignalFamily) -> &'static str {
    match family {
        SignalFamily::Template => "Same template",
        SignalFamily::Evenness => "Even shares",
        SignalFamily::WorkQueue => "Split work list",
        SignalFamily::SignUp => "Signed up together",
        SignalFamily::Infrastructure => "Shared infrastructure",
        SignalFamily::Rhythm => "Rhythm of a dispatcher",
        SignalFamily::Content => "Alike in content",
        SignalFamily::Hours => "Alike in hours",
        SignalFamily::Intent => "Worth taking",
        SignalFamily::Silence => "Silent together",
        SignalFamily::Takeover => "Others take over",
        SignalFamily::Pivot => "Change models together",
        SignalFamily::Reply => "Answers taken once",
    }
}

/// A text as a part of a path, or as a value in a query.
#[must_use]
pub fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// What a recorded exchange is found by in the console.
#[must_use]
pub fn exchange_place(time: Time, account: &str, id: &str) -> String {
    format!("{} {account} {id}", time.nanos())
}

/// The address of the page of a recorded exchange in the console.
#[must_use]
pub fn exchange_page(time: Time, account: &str, id: &str) -> String {
    format!("/exchange?at={}", encoded(&exchange_place(time, account, id)))
}

/// A time to the minute, in UTC.
pub fn minute(time: Time) -> String {
    let text = time.to_string();
    match text.split_once('T') {
        Some((date, clock)) => format!("{date} {}", clock.get(..5).unwrap_or(clock)),
        None => text,
    }
}

/// A power of ten with at most one decimal.
pub fn power(log10: f64) -> String {
    let text = format!("{log10:.1}");
    format!("10^{}", text.strip_suffix(".0").unwrap_or(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_the_same_when_it_was_in_a_query() {
        // A `+` there would be read as a space, and a list would begin anew.
        assert_eq!(encoded("user+1@x:y/z é"), "user%2B1%40x%3Ay%2Fz%20%C3%A9");
    }
}
