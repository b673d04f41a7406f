//! The report: one page that a person can read, print and mail.
//!
//! Promises everything that a finding rests on and nothing that needs a network, a script or another file. Facts and
//! inference are kept apart, and what could not be seen has a place of its own. Text from outside is escaped and carries no
//! control characters. Bounded by [`limits`]; what is left out is counted.

use askama::Template;
use findings::{Campaign, Cleared, Findings, TimeBin, Traffic};
use policy::price::Prices;

use crate::campaign::{Card, Place};
use crate::limits;
use crate::pieces::{Tile, Weighed, Word, exponent, identifier, sentence, sentences, unbroken};
use crate::plot::{Active, Lanes, Paper, percent};
use crate::words::{counted, grouped, printable, verdict};

/// What the page says of the run itself.
pub struct Run {
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
pub fn html(findings: &Findings, run: &Run) -> Result<String, askama::Error> {
    Page::new(findings, run).render()
}

/// How the page looks, and what the console's pages build on.
pub const STYLE: &str = include_str!("../templates/report/style.css");

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

impl Page {
    fn new(findings: &Findings, run: &Run) -> Page {
        let shown = findings.campaigns.iter().take(limits::CAMPAIGNS);
        let mut room = limits::ACCOUNTS_PAGE;
        let mut card = |(place, campaign): (usize, &Campaign)| {
            let listed = room.clamp(limits::ACCOUNTS_LEAST, limits::ACCOUNTS).min(campaign.accounts.len());
            room = room.saturating_sub(listed);
            let at = Place::Hunt { counted_again: run.counted_again };
            Card::new(format!("campaign-{}", place + 1), campaign, &findings.cleared, listed, at, run.prices.as_ref())
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

/// All campaigns in one picture, over all traffic; none where neither is known.
#[must_use]
pub fn overview(findings: &Findings) -> Vec<Lanes> {
    let traffic =
        |bin: &Traffic| TimeBin { start: bin.start, seconds: bin.seconds, group: 0, population: bin.exchanges };
    let bins: Vec<TimeBin> = match findings.campaigns.first() {
        // As findings of earlier builds have it.
        Some(first) if findings.population.timeline.is_empty() => first.portrait.timeline.clone(),
        _ => findings.population.timeline.iter().map(traffic).collect(),
    };
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
    [Paper::Wide, Paper::Narrow].into_iter().filter_map(|paper| Lanes::draw(&bins, &active, paper)).collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use findings::Segment;

    use crate::fixtures;

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
}
