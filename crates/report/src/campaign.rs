//! One campaign, with everything that its finding rests on, as a part of a page.

use askama::Template;
use findings::{Campaign, Cleared, Estimate, Measures, Member, ModelTokens, Segment, TimeBin};
use policy::price::Prices;

use crate::limits;
use crate::pieces::{Tile, Weighed, Word, exponent, identifier, lines, probability, sentence, sentences, unbroken};
use crate::plot::strip::Strip;
use crate::plot::{Paper, Shares, Timeline, column, joined, percent};
use crate::words::{self, MEMBER_PROBABILITY_MIN, counted, grouped, members, minute, strength, words};

/// Where a campaign is shown, which decides what it refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// On the page of a hunt, which needs nothing but itself.
    Hunt {
        /// Whether exchanges were counted in a second pass, and so are those of `--exchanges-out`.
        counted_again: bool,
    },
    /// In the console, where accounts have pages of their own.
    Console {
        /// Whether exchanges have, too: those that the gateway recorded.
        exchanges_have_pages: bool,
    },
}

/// One campaign.
#[derive(Template)]
#[template(path = "report/card.html")]
pub struct Card {
    pub(crate) anchor: String,
    pub(crate) id: String,
    pub(crate) headline: Vec<Word>,
    pub(crate) takes: String,
    pub(crate) operator: String,
    is_console: bool,
    lineage: Vec<String>,
    pub(crate) strength: &'static str,
    tiles: Vec<Tile>,
    evidence: Vec<Weighed>,
    pub(crate) total: String,
    threshold: String,
    timelines: Vec<Timeline>,
    activity: Vec<Activity>,
    column: String,
    distributions: Vec<Distribution>,
    exchangeable: Vec<Exchangeable>,
    shared: Vec<Sharing>,
    template: Vec<Piece>,
    slots: Vec<Slot>,
    samples: Vec<Sample>,
    members: String,
    mixed: String,
    counted: &'static str,
    tokens: String,
    cost: String,
    models: Vec<ModelRow>,
    wordings: String,
    accounts: Vec<AccountRow>,
    accounts_more: String,
    not_observed: Vec<String>,
    alternatives: Vec<String>,
}

impl Card {
    /// Draws a campaign beside other groups, with so many of its accounts; `anchor` is its name on the page, which no other has.
    #[must_use]
    pub fn new(
        anchor: String,
        campaign: &Campaign,
        others: &[Cleared],
        listed: usize,
        place: Place,
        prices: Option<&Prices>,
    ) -> Card {
        let listed = listed.min(campaign.accounts.len());
        let sure = members(campaign).count() as u64;
        let takes: Vec<&str> = campaign.capabilities.iter().map(|&capability| words(capability)).collect();
        let takes = if takes.is_empty() { "not known".to_owned() } else { takes.join(", ") };
        let (template, slots) = template(&campaign.skeleton);
        let portrait = &campaign.portrait;
        let columns = joined(&portrait.timeline, Paper::Wide);
        let distribution = |name: &str, title, note, bins| Distribution::new(&anchor, name, title, note, bins);
        Card {
            id: identifier(&campaign.id),
            headline: unbroken(&format!(
                "{} sent {} from {} to {} UTC",
                counted(sure, "account"),
                counted(campaign.exchanges, "exchange"),
                minute(campaign.first_seen),
                minute(campaign.last_seen)
            )),
            operator: identifier(&campaign.operator),
            lineage: campaign.judgements.iter().map(words::judgement).chain(campaign.lineage.clone()).map(|text| sentence(&text)).collect(),
            strength: strength(campaign.log10_e),
            tiles: vec![
                Tile { value: grouped(sure), label: "accounts" },
                Tile { value: grouped(campaign.exchanges), label: "exchanges" },
                Tile { value: takes.clone(), label: "taken" },
                Tile { value: strength(campaign.log10_e).to_owned(), label: "evidence" },
            ],
            takes,
            evidence: campaign.evidence.iter().map(Weighed::new).collect(),
            total: exponent(campaign.log10_e),
            threshold: exponent(campaign.log10_threshold),
            timelines: [Paper::Wide, Paper::Narrow]
                .into_iter()
                .filter_map(|paper| Timeline::draw(&format!("{anchor}-time"), &portrait.timeline, &portrait.marks, paper))
                .collect(),
            activity: columns.iter().filter(|bin| bin.group > 0).map(Activity::new).collect(),
            column: column(&columns),
            distributions: [
                distribution(
                    "rates",
                    "Exchanges per account",
                    "People use anything unevenly; a dispatcher hands out equal shares, so its accounts stand close together.",
                    &portrait.rates,
                ),
                distribution(
                    "hours",
                    "Hours of the day (UTC) in which accounts were active",
                    "Share of active account-hours. People sleep; the gaps of a group tell its time zone, or that it has none.",
                    &portrait.hours,
                ),
                distribution(
                    "ages",
                    "Age of the account at its first exchange seen",
                    "Accounts made for a purpose are young, or were bought at about the same age.",
                    &portrait.ages,
                ),
            ]
            .into_iter()
            .flatten()
            .collect(),
            exchangeable: [
                (
                    "content",
                    "In what they ask for",
                    "Strangers who share a tool bring subjects of their own. Accounts that are fed from one list ask as if they were one.",
                    measured(campaign, others, |measures| measures.content),
                ),
                (
                    "hours-own",
                    "In when they ask",
                    "People keep their own hours from one day to another. A dispatcher gives any hour to any account.",
                    measured(campaign, others, |measures| measures.hours),
                ),
            ]
            .into_iter()
            .filter_map(|(name, title, note, measured)| {
                let (own, others) = measured?;
                let plot = Strip::draw(&format!("{anchor}-{name}"), title, own, &others)?;
                Some(Exchangeable { title, note, plot })
            })
            .collect(),
            shared: portrait.infrastructure.iter().map(Sharing::new).collect(),
            template,
            slots,
            samples: campaign
                .samples
                .iter()
                .take(limits::SAMPLES)
                .map(|sample| Sample::new(sample, &campaign.skeleton, place))
                .collect(),
            members: counts(sure, campaign.accounts.len() as u64),
            mixed: words::mostly_other(campaign).unwrap_or_default(),
            counted: match place {
                Place::Hunt { counted_again: true } => COUNTED_AGAIN,
                Place::Hunt { counted_again: false } => COUNTED_ONCE,
                Place::Console { .. } => COUNTED_LIVE,
            },
            is_console: matches!(place, Place::Console { .. }),
            tokens: words::tokens(campaign).unwrap_or_default(),
            cost: prices.map(|prices| words::cost(campaign, prices)).unwrap_or_default(),
            models: campaign.models.iter().map(|model| ModelRow::new(model, prices)).collect(),
            wordings: match campaign.further_wordings {
                0 => String::new(),
                more => counted(more, "further wording"),
            },
            accounts: campaign.accounts.iter().take(listed).map(AccountRow::new).collect(),
            accounts_more: match campaign.accounts.len() - listed {
                0 => String::new(),
                rest => grouped(rest as u64),
            },
            not_observed: sentences(&campaign.not_observed),
            alternatives: sentences(&campaign.alternatives),
            anchor,
        }
    }
}

/// What was taken from one model.
struct ModelRow {
    name: String,
    share: String,
    input: String,
    output: String,
    cost: String,
}

impl ModelRow {
    fn new(model: &ModelTokens, prices: Option<&Prices>) -> ModelRow {
        let cost = prices.map(|prices| match prices.cost(&model.model, model.input_tokens, model.output_tokens) {
            Some(amount) => words::money(amount, prices),
            None => "no price".to_owned(),
        });
        ModelRow {
            name: if model.model.is_empty() { words::others(model) } else { identifier(&model.model) },
            share: percent(model.share),
            input: grouped(model.input_tokens),
            output: grouped(model.output_tokens),
            cost: cost.unwrap_or_default(),
        }
    }
}

/// How many accounts take part, and how many of those listed do not count.
fn counts(sure: u64, listed: u64) -> String {
    let least = percent(MEMBER_PROBABILITY_MIN);
    let takers = format!("{} {}", counted(sure, "account"), words::either(sure, "takes", "take"));
    match listed.saturating_sub(sure) {
        0 => format!("{takers} part with a probability of {least} or more."),
        unsure => format!(
            "{takers} part with a probability of {least} or more; only these are counted. {} of a lower probability {} last in \
             the list and {} nowhere.",
            grouped(unsure),
            words::either(unsure, "stands", "stand"),
            words::either(unsure, "counts", "count")
        ),
    }
}

/// One interval of the campaign's activity, for the table.
struct Activity {
    time: String,
    group: String,
    population: String,
}

impl Activity {
    fn new(bin: &TimeBin) -> Activity {
        Activity { time: minute(bin.start), group: grouped(bin.group), population: grouped(bin.population) }
    }
}

/// A distribution of the group beside everybody else's.
struct Distribution {
    title: &'static str,
    note: &'static str,
    plot: Shares,
}

impl Distribution {
    fn new(
        anchor: &str,
        name: &str,
        title: &'static str,
        note: &'static str,
        bins: &[findings::ShareBin],
    ) -> Option<Distribution> {
        let plot = Shares::draw(&format!("{anchor}-{name}"), title, bins)?;
        Some(Distribution { title, note, plot })
    }
}

/// A measure of how far accounts could stand for each other.
struct Exchangeable {
    title: &'static str,
    note: &'static str,
    plot: Strip,
}

/// One measure of a campaign, and the same of other groups.
fn measured(
    campaign: &Campaign,
    others: &[Cleared],
    of: fn(&Measures) -> Option<Estimate>,
) -> Option<(Estimate, Vec<f64>)> {
    let own = campaign.identity.habits.as_ref().and_then(of)?;
    let others = others.iter().filter_map(|other| other.identity.habits.as_ref().and_then(of));
    Some((own, others.map(|estimate| estimate.value).collect()))
}

/// How one kind of infrastructure is shared.
struct Sharing {
    kind: String,
    known: String,
    distinct: String,
    largest: String,
    value: String,
    elsewhere: String,
    verdict: &'static str,
}

impl Sharing {
    fn new(sharing: &findings::TokenSharing) -> Sharing {
        let inside = sharing.largest as f64 / sharing.known.max(1) as f64;
        let verdict = if sharing.distinct == sharing.known {
            "nothing shared"
        } else if inside >= SHARED_TIMES * sharing.population_share && sharing.largest >= SHARED_MIN {
            "shared more than elsewhere"
        } else {
            "as elsewhere"
        };
        Sharing {
            kind: sentence(&sharing.kind),
            known: grouped(sharing.known),
            distinct: grouped(sharing.distinct),
            largest: format!("{} ({})", grouped(sharing.largest), percent(inside)),
            value: identifier(&sharing.largest_value),
            elsewhere: percent(sharing.population_share),
            verdict,
        }
    }
}

/// A piece of the template, with the number of the slot where it varies.
struct Piece {
    text: String,
    slot: Option<usize>,
}

/// A place in the template that varies.
struct Slot {
    number: usize,
    values: Vec<String>,
}

struct Sample {
    exchange: String,
    /// The page of the exchange; empty where it has none.
    address: String,
    account: String,
    time: String,
    text: Vec<Said>,
    answer: String,
}

/// A part of a sample, or what stands in place of one.
struct Said {
    text: String,
    left_out: bool,
}

impl Sample {
    fn new(sample: &findings::Sample, skeleton: &[Segment], place: Place) -> Sample {
        Sample {
            exchange: identifier(&sample.exchange),
            address: match place {
                Place::Console { exchanges_have_pages: true } => {
                    words::exchange_page(sample.time, &sample.account, &sample.exchange)
                }
                _ => String::new(),
            },
            account: identifier(&sample.account),
            time: minute(sample.time),
            text: said(&sample.text, skeleton),
            answer: lines(&sample.answer),
        }
    }
}

/// A sample with what varies in it whole: of long text that is the same in all of them only both ends are shown.
fn said(text: &str, skeleton: &[Segment]) -> Vec<Said> {
    let mut parts = Vec::new();
    let mut rest = text;
    let fixed = skeleton.iter().filter_map(|segment| match segment {
        Segment::Fixed(text) => Some(text),
        Segment::Slot(_) => None,
    });
    let fixed = fixed.flat_map(|text| text.split(signals::EXCERPT_GAP)).map(str::trim);
    for same in fixed {
        let (Some(start), Some((from, to, chars))) = (rest.find(same), middle(same)) else { continue };
        let (before, after) = (rest.get(..start + from), rest.get(start + to..));
        let (Some(before), Some(after)) = (before, after) else { continue };
        parts.push(Said { text: lines(before), left_out: false });
        parts.push(Said { text: format!(" … {} characters the same … ", grouped(chars as u64)), left_out: true });
        rest = after;
    }
    parts.push(Said { text: lines(rest), left_out: false });
    parts
}

/// The middle of a long text: where it begins and ends, in bytes, and its characters.
fn middle(text: &str) -> Option<(usize, usize, usize)> {
    let chars = text.chars().count();
    let left_out = chars.checked_sub(2 * limits::SAME_CHARS).filter(|&left_out| left_out > limits::SAME_CHARS)?;
    let at = |place: usize| text.char_indices().nth(place).map(|(at, _)| at);
    Some((at(limits::SAME_CHARS)?, at(limits::SAME_CHARS + left_out)?, left_out))
}

struct AccountRow {
    account: String,
    probability: String,
    exchanges: String,
    total: String,
    share: String,
    /// Whether it mostly does something else.
    mixed: bool,
    first: String,
    last: String,
}

impl AccountRow {
    fn new(member: &Member) -> AccountRow {
        AccountRow {
            account: identifier(&member.account),
            probability: probability(member.probability),
            exchanges: grouped(member.exchanges),
            total: grouped(member.exchanges_total),
            share: percent(words::own_share(member)),
            mixed: words::is_mostly_other(member),
            first: minute(member.first_seen),
            last: minute(member.last_seen),
        }
    }
}

/// The template as pieces of text, and its slots.
fn template(skeleton: &[Segment]) -> (Vec<Piece>, Vec<Slot>) {
    let (mut pieces, mut slots) = (Vec::new(), Vec::new());
    for segment in skeleton.iter().take(limits::SEGMENTS) {
        match segment {
            Segment::Fixed(text) => pieces.push(Piece { text: lines(text), slot: None }),
            Segment::Slot(values) => {
                let number = slots.len() + 1;
                let values: Vec<String> = values.iter().map(|value| sentence(value)).collect();
                let first = values.first().map_or_else(|| "…".to_owned(), Clone::clone);
                pieces.push(Piece { text: first, slot: Some(number) });
                slots.push(Slot { number, values });
            }
        }
    }
    (pieces, slots)
}

/// How exchanges were counted, where the log was read once.
const COUNTED_ONCE: &str = "Exchanges were counted while the log was read once: of what was sent before its template was known only \
                            a part is in these numbers. With --exchanges-out the log is read a second time, and this page has \
                            the numbers of that file.";
/// And where exchanges are counted as they come.
const COUNTED_LIVE: &str = "Exchanges are counted as they come: of what was sent before its template was known only a part is in \
                            these numbers.";
/// And where it was read twice.
const COUNTED_AGAIN: &str = "Exchanges were counted when the log was read a second time: they are those of the file that \
                             --exchanges-out wrote, each counted for one campaign.";
/// A value is shared more than elsewhere when it is this many times as common in the group,
const SHARED_TIMES: f64 = 3.0;
/// and at least this many accounts have it.
const SHARED_MIN: u64 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_varies_is_shown_whole_and_what_is_the_same_by_its_ends() {
        let shown = |length: usize| {
            let same = "abcdefghij ".repeat(length / 11 + 1).chars().take(length).collect::<String>();
            let same = same.trim().to_owned();
            let skeleton = [Segment::Fixed(same.clone()), Segment::Slot(vec!["17 + 4".into()])];
            said(&format!("{same} 17 + 4"), &skeleton)
        };
        assert_eq!(shown(3 * limits::SAME_CHARS).len(), 1);
        let parts = shown(1_500);
        assert_eq!(parts.len(), 3);
        assert!(parts[1].left_out && parts[1].text.contains("characters the same"), "{}", parts[1].text);
        assert!(parts[2].text.ends_with("17 + 4") && parts[0].text.starts_with("abc"));
    }
}
