//! How findings are put into words, for whatever shows them.
//!
//! Whatever came from outside is shown without control and formatting characters, so that no prompt or account name can
//! move a cursor, change colours or reverse a line.

use std::collections::BTreeSet;

use detect::finding::{Campaign, Capability, Findings, Judgement};
use detect::label::Verdict;
pub(crate) use detect::number::{counted, either, grouped, one_or_many};
use exchange::Time;

use crate::prices::Prices;

/// What was found, in one sentence.
pub(crate) fn verdict(findings: &Findings) -> String {
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
pub(crate) fn verdict_of_person(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Benign => "honest",
        Verdict::Research => "approved research",
        Verdict::Campaign => "a confirmed campaign",
    }
}

/// What a person said of a campaign, and who of it is new since, in sentences.
pub(crate) fn judgement(judgement: &Judgement) -> String {
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
pub(crate) fn tokens(campaign: &Campaign) -> Option<String> {
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
pub(crate) fn cost(campaign: &Campaign, prices: &Prices) -> String {
    let cost = prices.cost_of(campaign);
    let named = |model: &String| {
        if model.is_empty() { "models that are not named".to_owned() } else { printable(model, ID_CHARS_MAX) }
    };
    let unpriced: Vec<String> = cost.unpriced.iter().map(named).collect();
    let without =
        if unpriced.is_empty() { String::new() } else { format!("no price is given for {}", unpriced.join(", ")) };
    match (cost.unpriced.len() < campaign.models.len(), without.is_empty()) {
        (true, true) => format!("{} at the prices given", money(cost.amount, prices)),
        (true, false) => format!("{} at the prices given; {without}", money(cost.amount, prices)),
        (false, _) => format!("not known: {}", if without.is_empty() { "no model is recorded" } else { &without }),
    }
}

/// An amount with its thousands apart and its currency.
pub(crate) fn money(amount: f64, prices: &Prices) -> String {
    // Amounts beyond what a float counts exactly stay at the largest.
    let hundredths = (amount * 100.0).round() as u64;
    format!("{} {}.{:02}", printable(&prices.currency, CURRENCY_CHARS), grouped(hundredths / 100), hundredths % 100)
}

const CURRENCY_CHARS: usize = 12;

/// Characters of an identifier: as many as anybody may want to copy.
pub(crate) const ID_CHARS_MAX: usize = 512;

/// The accounts that count as members, surest first.
pub(crate) fn members(campaign: &Campaign) -> impl Iterator<Item = &str> {
    let sure = campaign.accounts.iter().filter(|member| member.probability >= MEMBER_PROBABILITY_MIN);
    sure.map(|member| member.account.as_str())
}

/// Accounts from this probability on are members, and only they are counted.
pub(crate) const MEMBER_PROBABILITY_MIN: f64 = 0.5;

/// How strong evidence is, in words and as a power of ten.
pub(crate) fn confidence(log10_e: f64) -> String {
    match log10_e {
        f64::INFINITY => strength(log10_e).to_owned(),
        f64::NEG_INFINITY.. => format!("{} ({})", strength(log10_e), power(log10_e.floor())),
        _ => strength(log10_e).to_owned(),
    }
}

/// How strong evidence is, in words: an e-value of 100 is strong, of 10⁴ very strong, of 10⁸ overwhelming.
pub(crate) fn strength(log10_e: f64) -> &'static str {
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
pub(crate) const MESSAGE_CHARS_MAX: usize = 2_000;

/// A text from outside as one line: no control or formatting characters, white space collapsed, cut with an ellipsis.
pub(crate) fn printable(text: &str, chars_max: usize) -> String {
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
pub(crate) fn is_format(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// A capability in a word or two.
pub(crate) fn words(capability: Capability) -> &'static str {
    match capability {
        Capability::ReasoningTrace => "reasoning",
        Capability::Grading => "grading",
        Capability::DataGeneration => "training data",
        Capability::ToolUse => "tool use",
        Capability::Coding => "code",
        Capability::Logits => "logits",
        Capability::TraceCleaning => "trace cleaning",
        Capability::Translation => "translation",
        Capability::General => "answers",
    }
}

/// A time to the minute, in UTC.
pub(crate) fn minute(time: Time) -> String {
    let text = time.to_string();
    match text.split_once('T') {
        Some((date, clock)) => format!("{date} {}", clock.get(..5).unwrap_or(clock)),
        None => text,
    }
}

/// A power of ten with at most one decimal.
pub(crate) fn power(log10: f64) -> String {
    let text = format!("{log10:.1}");
    format!("10^{}", text.strip_suffix(".0").unwrap_or(&text))
}
