//! The report: one page that a person can read, print and mail.
//!
//! Promises everything that a finding rests on and nothing that needs a network, a script or another file. Facts and
//! inference are kept apart, and what could not be seen has a place of its own. Text from outside is escaped and carries no
//! control characters. Bounded by [`limits`]; what is left out is counted.

use askama::Template;
use detect::Findings;
use findings::{Campaign, Cleared, Evidence, Member, ModelTokens, Segment, SignalFamily, TimeBin};

use crate::plot::{Active, Lanes, Paper, Shares, Timeline, Weight, column, joined, percent};
use crate::prices::Prices;
use crate::words::{
    self, MEMBER_PROBABILITY_MIN, counted, grouped, members, minute, printable, strength, verdict, words,
};

/// How much is shown of each.
mod limits {
    /// Campaigns with a section of their own.
    pub(super) const CAMPAIGNS: usize = 50;
    /// Accounts listed for each campaign.
    pub(super) const ACCOUNTS: usize = 10_000;
    /// Accounts listed on the page in all, but at least [`ACCOUNTS_LEAST`] for each campaign.
    pub(super) const ACCOUNTS_PAGE: usize = 18_000;
    /// Accounts listed for each campaign, however many came before.
    pub(super) const ACCOUNTS_LEAST: usize = 100;
    /// Sample exchanges for each campaign.
    pub(super) const SAMPLES: usize = 6;
    /// Groups that were looked at and not reported.
    pub(super) const CLEARED: usize = 30;
    /// Pieces of a template.
    pub(super) const SEGMENTS: usize = 80;
    /// Characters of a sample or of a piece of a template.
    pub(super) const TEXT_CHARS: usize = 1_600;
    /// Characters of a sentence.
    pub(super) const SENTENCE_CHARS: usize = 600;
    /// Characters of an identifier.
    pub(super) const ID_CHARS: usize = crate::words::ID_CHARS_MAX;
    /// Characters at either end of fixed text that a sample shows of it.
    pub(super) const SAME_CHARS: usize = 120;
}

/// What the page says of the run itself.
pub(crate) struct Run {
    /// What was read, as it was named.
    pub sources: Vec<String>,
    /// The version of this program.
    pub version: &'static str,
    /// Exchanges read.
    pub records: u64,
    /// What was done with records besides reading them, in sentences.
    pub read: Vec<String>,
    /// Sources that ended early, with the reason.
    pub broken_sources: Vec<String>,
    /// Accounts described by the provider.
    pub account_facts: u64,
    /// What tokens cost, where it is known.
    pub prices: Option<Prices>,
    /// Whether exchanges were counted in a second pass, and so are those of `--exchanges-out`.
    pub counted_again: bool,
}

/// The page.
///
/// # Errors
///
/// When the template cannot be rendered.
pub(crate) fn html(findings: &Findings, run: &Run) -> Result<String, askama::Error> {
    Page::new(findings, run).render()
}

#[derive(Template)]
#[template(path = "report/page.html")]
struct Page {
    verdict: String,
    heading: Vec<Word>,
    tone: &'static str,
    tiles: Vec<Tile>,
    overview: Vec<Lanes>,
    cards: Vec<Card>,
    cards_more: usize,
    cleared: Vec<ClearedGroup>,
    cleared_more: usize,
    blind_spots: Vec<String>,
    limits_reached: Vec<String>,
    guarantee: String,
    alpha: String,
    read: Vec<String>,
    version: &'static str,
}

/// A word of a heading; a date is one that is not broken at its hyphens.
struct Word {
    text: String,
    date: bool,
}

/// A text by words, with its dates known as such.
fn unbroken(text: &str) -> Vec<Word> {
    let date = |word: &str| word.len() == 10 && word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    text.split(' ').map(|word| Word { text: word.to_owned(), date: date(word) }).collect()
}

/// A number that is seen first.
struct Tile {
    value: String,
    label: &'static str,
}

impl Page {
    fn new(findings: &Findings, run: &Run) -> Page {
        let shown = findings.campaigns.iter().take(limits::CAMPAIGNS);
        let mut room = limits::ACCOUNTS_PAGE;
        let mut card = |(place, campaign): (usize, &Campaign)| {
            let listed = room.clamp(limits::ACCOUNTS_LEAST, limits::ACCOUNTS).min(campaign.accounts.len());
            room = room.saturating_sub(listed);
            Card::new(place + 1, campaign, listed, run)
        };
        let cards: Vec<Card> = shown.enumerate().map(&mut card).collect();
        let tone = match (findings.population.exchanges, cards.is_empty()) {
            (0, _) => "empty",
            (_, true) => "clear",
            (_, false) => "found",
        };
        Page {
            verdict: verdict(findings),
            heading: unbroken(&verdict(findings)),
            tone,
            tiles: tiles(findings),
            overview: overview(findings),
            cards_more: findings.campaigns.len().saturating_sub(limits::CAMPAIGNS),
            cards,
            cleared: findings.cleared.iter().take(limits::CLEARED).map(ClearedGroup::new).collect(),
            cleared_more: findings.cleared.len().saturating_sub(limits::CLEARED),
            blind_spots: sentences(&findings.blind_spots),
            limits_reached: sentences(&findings.limits_reached),
            guarantee: sentence(&findings.guarantee.text),
            alpha: percent(findings.guarantee.alpha),
            read: read(run),
            version: run.version,
        }
    }
}

/// One campaign.
struct Card {
    anchor: String,
    id: String,
    headline: Vec<Word>,
    takes: String,
    operator: String,
    lineage: Vec<String>,
    strength: &'static str,
    tiles: Vec<Tile>,
    evidence: Vec<Weighed>,
    total: String,
    threshold: String,
    timelines: Vec<Timeline>,
    activity: Vec<Activity>,
    column: String,
    distributions: Vec<Distribution>,
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
    fn new(place: usize, campaign: &Campaign, listed: usize, run: &Run) -> Card {
        let prices = run.prices.as_ref();
        let anchor = format!("campaign-{place}");
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
            shared: portrait.infrastructure.iter().map(Sharing::new).collect(),
            template,
            slots,
            samples: campaign
                .samples
                .iter()
                .take(limits::SAMPLES)
                .map(|sample| Sample::new(sample, &campaign.skeleton))
                .collect(),
            members: counts(sure, campaign.accounts.len() as u64),
            mixed: words::mostly_other(campaign).unwrap_or_default(),
            counted: if run.counted_again { COUNTED_AGAIN } else { COUNTED_ONCE },
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

/// One family of signals and what it says.
struct Weighed {
    name: &'static str,
    text: String,
    value: String,
    weight: Weight,
    aside: bool,
    observations: String,
}

impl Weighed {
    fn new(evidence: &Evidence) -> Weighed {
        let aside = !evidence.counts;
        Weighed {
            name: signal_name(evidence.family),
            text: sentence(&evidence.text),
            value: exponent(evidence.log10_e),
            weight: Weight::draw(evidence.log10_e, !aside),
            aside,
            observations: grouped(evidence.observations),
        }
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
    fn new(sample: &findings::Sample, skeleton: &[Segment]) -> Sample {
        Sample {
            exchange: identifier(&sample.exchange),
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

/// A group that was looked at and not reported.
struct ClearedGroup {
    accounts: String,
    exchanges: String,
    label: String,
    reason: String,
    total: String,
    evidence: Vec<Weighed>,
}

impl ClearedGroup {
    fn new(cleared: &Cleared) -> ClearedGroup {
        ClearedGroup {
            accounts: counted(cleared.accounts, "account"),
            exchanges: counted(cleared.exchanges, "exchange"),
            label: printable(&cleared.label, limits::ID_CHARS),
            reason: sentence(&cleared.reason),
            total: exponent(cleared.log10_e),
            evidence: cleared.evidence.iter().map(Weighed::new).collect(),
        }
    }
}

fn tiles(findings: &Findings) -> Vec<Tile> {
    let population = &findings.population;
    vec![
        Tile {
            value: grouped(findings.campaigns.len() as u64),
            label: if findings.campaigns.len() == 1 { "campaign" } else { "campaigns" },
        },
        Tile { value: grouped(population.exchanges), label: "exchanges read" },
        Tile { value: grouped(population.accounts), label: "accounts" },
        Tile { value: grouped(population.payers), label: "payers behind them" },
        Tile { value: grouped(population.clusters), label: "shared texts followed" },
        Tile { value: grouped(findings.guarantee.hypotheses), label: "groups tested" },
    ]
}

/// All campaigns in one picture, over the traffic as the first of them saw it.
fn overview(findings: &Findings) -> Vec<Lanes> {
    let Some(first) = findings.campaigns.first() else { return Vec::new() };
    let bins = &first.portrait.timeline;
    let active: Vec<Active> = findings
        .campaigns
        .iter()
        .take(limits::CAMPAIGNS)
        .map(|campaign| Active {
            name: identifier(&campaign.id),
            first: campaign.first_seen,
            last: campaign.last_seen,
            detected: campaign.detected_at,
        })
        .collect();
    [Paper::Wide, Paper::Narrow].into_iter().filter_map(|paper| Lanes::draw(bins, &active, paper)).collect()
}

fn read(run: &Run) -> Vec<String> {
    let sources: Vec<String> = run.sources.iter().map(|source| printable(source, limits::SENTENCE_CHARS)).collect();
    let mut lines = vec![format!("{} from {}", counted(run.records, "exchange"), sources.join(", "))];
    if run.account_facts > 0 {
        lines.push(format!("{} about accounts", counted(run.account_facts, "record")));
    }
    lines.extend(run.read.iter().map(|line| sentence(line)));
    lines.extend(run.broken_sources.iter().map(|broken| format!("incomplete: {}", sentence(broken))));
    lines
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

fn signal_name(family: SignalFamily) -> &'static str {
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

/// An e-value as an exponent of ten.
fn exponent(log10: f64) -> String {
    if log10.is_nan() {
        return "?".to_owned();
    }
    let text = format!("{log10:.1}").replace('-', "−");
    text.strip_suffix(".0").map_or_else(|| text.clone(), str::to_owned)
}

/// A probability that never claims to be certain.
fn probability(probability: f64) -> String {
    if probability > 0.999 { "over 99.9 %".to_owned() } else { percent(probability) }
}

fn identifier(text: &str) -> String {
    printable(text, limits::ID_CHARS)
}

fn sentence(text: &str) -> String {
    printable(text, limits::SENTENCE_CHARS)
}

fn sentences(texts: &[String]) -> Vec<String> {
    texts.iter().map(|text| sentence(text)).collect()
}

/// A text with its line breaks kept.
fn lines(text: &str) -> String {
    let cut: String = text.chars().take(limits::TEXT_CHARS).collect();
    let more = if text.chars().nth(limits::TEXT_CHARS).is_some() { "…" } else { "" };
    // Spaces at the ends keep a piece of a template apart from its neighbours.
    let space = |c: Option<char>| if c.is_some_and(char::is_whitespace) { " " } else { "" };
    let line = |line: &str| {
        let (before, after) = (space(line.chars().next()), space(line.chars().last()));
        format!("{before}{}{after}", printable(line, limits::TEXT_CHARS))
    };
    cut.split('\n').map(line).collect::<Vec<_>>().join("\n") + more
}

/// How exchanges were counted, where the log was read once.
const COUNTED_ONCE: &str = "Exchanges were counted while the log was read once: of what was sent before its template was known only \
                            a part is in these numbers. With --exchanges-out the log is read a second time, and this page has \
                            the numbers of that file.";
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
    use crate::table::fixtures;

    fn run() -> Run {
        Run {
            sources: vec!["log <1>.jsonl".into()],
            version: "0",
            records: 10,
            read: vec!["2 lines could not be read".into()],
            broken_sources: vec!["b.gz: ends early".into()],
            account_facts: 0,
            prices: None,
            counted_again: false,
        }
    }

    /// Every page, as XML: it is well-formed, and what is in it can be asked for.
    fn pages() -> Vec<String> {
        [fixtures::quiet(), fixtures::three_campaigns(), fixtures::hostile(), Findings::default()]
            .iter()
            .map(|findings| html(findings, &run()).unwrap())
            .collect()
    }

    #[test]
    fn pages_are_well_formed_and_need_nothing_else() {
        for page in pages() {
            let options = roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() };
            let document = roxmltree::Document::parse_with_options(&page, options).unwrap();
            for node in document.descendants().filter(roxmltree::Node::is_element) {
                assert_ne!(node.tag_name().name(), "script");
                assert!(node.attribute("src").is_none() && !node.attributes().any(|a| a.name().starts_with("on")));
                assert!(node.attribute("href").is_none_or(|href| href.starts_with('#')), "{node:?}");
            }
            let ids: Vec<&str> = document.descendants().filter_map(|node| node.attribute("id")).collect();
            let distinct: std::collections::BTreeSet<&str> = ids.iter().copied().collect();
            assert_eq!(ids.len(), distinct.len(), "{ids:?}");
            for node in document.descendants().filter(|node| node.tag_name().name() == "svg") {
                let named = node.attribute("aria-labelledby").is_some() || node.attribute("aria-hidden").is_some();
                assert!(named, "a picture without a name");
            }
        }
    }

    #[test]
    fn text_from_outside_is_inert() {
        let mut findings = fixtures::hostile();
        if let Some(campaign) = findings.campaigns.first_mut() {
            campaign.samples[0].text = "<script>alert(1)</script>\u{1b}[2J\u{202e}x & \"'".into();
            campaign.skeleton =
                vec![Segment::Fixed("<img src=x onerror=y>".into()), Segment::Slot(vec!["</p>".into()])];
        }
        let page = html(&findings, &run()).unwrap();
        assert!(!page.contains("<script") && !page.contains("<img"));
        assert!(page.chars().all(|c| c == '\n' || !c.is_control()));
        assert!(!page.contains(['\u{202e}', '\u{2066}']));
    }

    #[test]
    fn verdict_and_reading_errors_are_told() {
        let pages = pages();
        assert!(pages[0].contains("No campaign was found") && pages[0].contains("2 lines could not be read"));
        assert!(pages[1].contains("3 campaigns were found") && pages[1].contains("b.gz: ends early"));
        assert!(pages[3].contains("nothing can be said"));
    }

    #[test]
    fn large_findings_stay_small_enough_to_mail() {
        let mut findings = fixtures::three_campaigns();
        let mut campaign = findings.campaigns[0].clone();
        campaign.accounts = vec![campaign.accounts[0].clone(); 4000];
        findings.campaigns = vec![campaign; 20];
        let page = html(&findings, &run()).unwrap();
        assert!(page.len() < 8_000_000, "{}", page.len());
        assert!(page.contains("and 3,900 more"), "what is left out is counted");
    }

    #[test]
    fn accounts_are_listed_up_to_their_limit() {
        for (more, told) in [(0, false), (1, true)] {
            let mut findings = fixtures::three_campaigns();
            let member = findings.campaigns[0].accounts[0].clone();
            findings.campaigns[0].accounts = vec![member; limits::ACCOUNTS + more];
            assert_eq!(html(&findings, &run()).unwrap().contains("and 1 more, all of which"), told);
        }
    }

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

    #[test]
    fn tokens_and_their_cost_are_told_by_model() {
        let prices = "currency = \"EUR\"\n[models]\n\"m-2*\" = { input = 3, output = 15 }";
        let run = Run { prices: Prices::parse(prices).ok(), ..run() };
        let page = html(&fixtures::three_campaigns(), &run).unwrap();
        for told in [
            "2,544,000 tokens of requests and 12,720,000 of answers",
            "for 5.0 % of its exchanges",
            "EUR 187.20 at the prices given; no price is given for m-1",
            "m-2-large",
            "2 further wordings",
            "212 accounts take part",
            "1 of a lower probability",
        ] {
            assert!(page.contains(told), "{told}");
        }
    }

    #[test]
    fn who_mostly_does_something_else_is_marked() {
        for (exchanges, marked) in [(24, true), (25, false)] {
            let mut findings = fixtures::three_campaigns();
            findings.campaigns.truncate(1);
            let members = &mut findings.campaigns[0].accounts;
            members.truncate(2);
            members.iter_mut().for_each(|member| (member.exchanges, member.exchanges_total) = (90, 100));
            members[0].exchanges = exchanges;
            let page = html(&findings, &run()).unwrap();
            assert_eq!(page.matches("mostly other use").count(), usize::from(marked));
            assert_eq!(page.contains("less than 25 % of what 1 of 2 accounts sent"), marked);
            assert!(page.contains(&format!("class=\"number\">{exchanges} %")) && page.contains("90 %"));
        }
    }

    #[test]
    fn models_without_a_name_are_counted() {
        let mut findings = fixtures::three_campaigns();
        let rest = findings::ModelTokens { others: 7, ..fixtures::model("", 0.1, 5, 6) };
        findings.campaigns[0].models.push(rest);
        let page = html(&findings, &run()).unwrap();
        assert!(page.contains("7 further models, and requests that name none"));
    }

    #[test]
    fn lines_are_kept_and_cut() {
        assert_eq!(lines("a\n b\u{7}"), "a\n b\u{fffd}");
        let long = "x".repeat(limits::TEXT_CHARS);
        assert_eq!(lines(&long), long);
        assert!(lines(&(long + "y")).ends_with("x…"));
    }
}
