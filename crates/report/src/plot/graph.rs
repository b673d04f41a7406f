//! A campaign as a graph: the campaign within, values that its accounts share around it, the accounts on the rim.

use std::collections::BTreeMap;
use std::f64::consts::TAU;

use askama::Template;
use findings::{Campaign, Shared};

use crate::words::{counted, either, grouped, printable};

/// The most marks of a graph. Accounts beyond it are counted in a mark for each group.
pub const MARKS_MAX: usize = 500;

/// A campaign as a graph.
#[derive(Template)]
#[template(path = "plot/graph.svg")]
pub struct Graph {
    description: String,
    lines: Vec<Line>,
    hubs: Vec<Hub>,
    dots: Vec<Dot>,
}

/// A line from one mark to another.
struct Line {
    from: Point,
    to: Point,
    /// The shared value that it belongs to; 0 for none.
    hub: usize,
    class: &'static str,
}

/// A value that accounts share.
struct Hub {
    number: usize,
    at: Point,
    radius: f64,
    text: String,
}

/// An account, or several that have no mark of their own.
struct Dot {
    at: Point,
    radius: f64,
    /// The account; empty for several.
    account: String,
    /// The shared values that it holds, by their numbers.
    hubs: String,
    /// The one of them that it stands on the rim by; 0 for none.
    own: usize,
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Point {
    x: f64,
    y: f64,
}

impl Graph {
    /// Draws a campaign with its members.
    #[must_use]
    pub fn draw(campaign: &Campaign) -> Graph {
        let shared = &campaign.portrait.shared;
        let held = Held::of(shared);
        let sectors = sectors(campaign, &held);
        let members: usize = sectors.iter().map(|(_, accounts)| accounts.len()).sum();
        let used = sectors.iter().filter(|(_, accounts)| !accounts.is_empty()).count();
        // A mark for the campaign, one for each value, and one for those of each sector that have none of their own.
        let room = MARKS_MAX.saturating_sub(1 + shared.len() + used);
        let mut dots: Vec<Dot> = Vec::new();
        let mut middles: Vec<(usize, f64)> = Vec::new();
        let gap = if used > 1 { GAP } else { 0.0 };
        let step = (TAU - gap * used as f64) / members.max(1) as f64;
        let mut angle = -TAU / 4.0 + gap / 2.0;
        for (hub, accounts) in sectors.iter().filter(|(_, accounts)| !accounts.is_empty()) {
            let whole = step * accounts.len() as f64;
            middles.push((*hub, angle + whole / 2.0));
            let drawn = if members <= room { accounts.len() } else { accounts.len() * room / members };
            let marks = drawn + usize::from(drawn < accounts.len());
            for place in 0..marks {
                let at = on_ring(RIM, angle + whole * (place as f64 + 0.5) / marks as f64);
                match accounts.get(place).filter(|_| place < drawn) {
                    Some(name) => dots.push(account(name, at, *hub, held.by(name))),
                    None => {
                        let rest = (accounts.len() - drawn) as u64;
                        let text = format!("{} more {}", grouped(rest), either(rest, "account", "accounts"));
                        dots.push(Dot {
                            at,
                            radius: 8.0,
                            account: String::new(),
                            hubs: hub.to_string(),
                            own: *hub,
                            text,
                        });
                    }
                }
            }
            angle += whole + gap;
        }
        let hubs = hubs(shared, &middles);
        let lines = lines(&hubs, &dots);
        Graph { description: description(campaign, &held), lines, hubs, dots }
    }

    /// The graph in words.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }

    /// How many marks there are.
    #[must_use]
    pub fn marks(&self) -> usize {
        1 + self.hubs.len() + self.dots.len()
    }
}

/// Which shared values each account holds, by their numbers.
struct Held<'a>(BTreeMap<&'a str, Vec<usize>>);

impl<'a> Held<'a> {
    fn of(shared: &'a [Shared]) -> Held<'a> {
        let mut held: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (shared, number) in shared.iter().zip(1..) {
            for account in &shared.accounts {
                held.entry(account).or_default().push(number);
            }
        }
        Held(held)
    }

    fn by(&self, account: &str) -> &[usize] {
        self.0.get(account).map(Vec::as_slice).unwrap_or_default()
    }
}

/// The members by the shared value of each that fewest hold, which says most about it; those who share nothing last, with 0.
fn sectors<'a>(campaign: &'a Campaign, held: &Held<'_>) -> Vec<(usize, Vec<&'a str>)> {
    let mut sectors: Vec<(usize, Vec<&str>)> =
        (1..=campaign.portrait.shared.len()).chain([0]).map(|number| (number, Vec::new())).collect();
    let loose = sectors.len();
    for member in crate::words::members(campaign) {
        let holders =
            |number: &usize| campaign.portrait.shared.get(number - 1).map_or(0, |shared| shared.accounts.len());
        let place = held.by(member).iter().copied().min_by_key(holders).unwrap_or(loose) - 1;
        if let Some((_, accounts)) = sectors.get_mut(place) {
            accounts.push(member);
        }
    }
    sectors
}

fn account(name: &str, at: Point, own: usize, held: &[usize]) -> Dot {
    let numbers = |between: &str| held.iter().map(ToString::to_string).collect::<Vec<_>>().join(between);
    let text = match held.len() {
        0 => format!("{}: shares nothing that was seen", printable(name, 80)),
        _ => format!("{}: shares {}", printable(name, 80), numbers(", ")),
    };
    Dot { at, radius: 4.0, account: name.to_owned(), hubs: numbers(" "), own, text }
}

/// Values, each near the accounts that stand on the rim by it.
fn hubs(shared: &[Shared], middles: &[(usize, f64)]) -> Vec<Hub> {
    let most = shared.iter().map(|shared| shared.accounts.len()).max().unwrap_or(1).max(1) as f64;
    // One that is nobody's first has no sector; those stand in the gaps of a ring of their own.
    let without: Vec<usize> =
        (1..=shared.len()).filter(|number| !middles.iter().any(|(hub, _)| hub == number)).collect();
    let place = |number: usize| match middles.iter().find(|(hub, _)| *hub == number) {
        Some((_, angle)) => on_ring(MIDDLE, *angle),
        None => {
            let order = without.iter().position(|other| *other == number).unwrap_or_default();
            on_ring(INNER, TAU * (order as f64 + 0.5) / without.len().max(1) as f64)
        }
    };
    let hub = |(shared, number): (&Shared, usize)| {
        let count = shared.accounts.len() as u64;
        let value = printable(&shared.value, 80);
        Hub {
            number,
            at: place(number),
            radius: 9.0 + 9.0 * (count as f64 / most).sqrt(),
            text: format!("{number}: {} {value}, {}", shared.kind, counted(count, "account")),
        }
    };
    shared.iter().zip(1..).map(hub).collect()
}

fn lines(hubs: &[Hub], dots: &[Dot]) -> Vec<Line> {
    let mut lines: Vec<Line> =
        hubs.iter().map(|hub| Line { from: CENTRE, to: hub.at, hub: hub.number, class: "trunk" }).collect();
    for dot in dots {
        let held = dot.hubs.split_whitespace().filter_map(|number| number.parse::<usize>().ok());
        let held: Vec<&Hub> = held.filter_map(|number| hubs.get(number.checked_sub(1)?)).collect();
        for hub in held.iter().take(LINES_MAX) {
            let class = if hub.number == dot.own { "twig" } else { "also" };
            lines.push(Line { from: hub.at, to: dot.at, hub: hub.number, class });
        }
        if held.is_empty() {
            lines.push(Line { from: CENTRE, to: dot.at, hub: 0, class: "loose" });
        }
    }
    lines
}

/// The graph in words.
fn description(campaign: &Campaign, held: &Held<'_>) -> String {
    let shared = &campaign.portrait.shared;
    let all = crate::words::members(campaign).count() as u64;
    let loose = crate::words::members(campaign).filter(|name| held.by(name).is_empty()).count() as u64;
    if shared.is_empty() {
        return format!(
            "{}; no value was seen that several of them hold and others seldom do.",
            counted(all, "account")
        );
    }
    let most = shared.iter().take(3).map(|shared| {
        format!("{} the {} {}", grouped(shared.accounts.len() as u64), shared.kind, printable(&shared.value, 40))
    });
    let tied = match loose {
        0 => "each holds".to_owned(),
        _ => format!("{} of them {}", grouped(all - loose), either(all - loose, "holds", "hold")),
    };
    let rest = match loose {
        0 => String::new(),
        _ => format!(" {} {} nothing that was seen.", grouped(loose), either(loose, "shares", "share")),
    };
    let values = match shared.len() {
        1 => "the one value that they share".to_owned(),
        many => format!("at least one of {many} values that they share"),
    };
    format!("{}; {tied} {values}: {}.{rest}", counted(all, "account"), most.collect::<Vec<_>>().join(", "))
}

fn on_ring(radius: f64, angle: f64) -> Point {
    Point { x: CENTRE.x + radius * angle.cos(), y: CENTRE.y + radius * angle.sin() }
}

const CENTRE: Point = Point { x: 360.0, y: 360.0 };
const RIM: f64 = 338.0;
const MIDDLE: f64 = 195.0;
const INNER: f64 = 95.0;
/// Between two groups of accounts on the rim.
const GAP: f64 = 0.05;
/// Lines of one account.
const LINES_MAX: usize = 6;

#[cfg(test)]
mod tests {
    use findings::Member;

    use super::*;

    fn campaign(members: usize, values: usize) -> Campaign {
        let mut campaign = crate::fixtures::three_campaigns().campaigns.remove(0);
        let name = |number: usize| format!("a{number}");
        let likely = campaign.accounts.first().cloned().unwrap();
        campaign.accounts =
            (0..members).map(|n| Member { account: name(n), probability: 0.9, ..likely.clone() }).collect();
        campaign.portrait.shared = (0..values)
            .map(|value| Shared {
                kind: "payment instrument".to_owned(),
                value: format!("card {value}"),
                accounts: (0..members)
                    .filter(|n| n % (values + 1) == value || (n + 1) % 7 == value)
                    .map(name)
                    .collect(),
                population_share: 0.0,
            })
            .collect();
        campaign
    }

    #[test]
    fn it_has_so_many_marks_and_loses_nobody() {
        for (members, values) in
            [(2, 0), (2, 1), (43, 5), (400, 40), (459, 0), (498, 1), (499, 1), (5_000, 3), (90_000, 40)]
        {
            let campaign = campaign(members, values);
            let graph = Graph::draw(&campaign);
            assert!(graph.marks() <= MARKS_MAX, "{members} {values}: {}", graph.marks());
            let rest = |dot: &Dot| dot.text.split(' ').next().unwrap().replace(',', "").parse::<usize>().unwrap();
            let told: usize = graph.dots.iter().map(|dot| if dot.account.is_empty() { rest(dot) } else { 1 }).sum();
            assert_eq!(told, members, "{values}");
            if members < 400 {
                assert!(graph.dots.iter().all(|dot| !dot.account.is_empty()));
            }
            for at in graph.dots.iter().map(|dot| dot.at).chain(graph.hubs.iter().map(|hub| hub.at)) {
                assert!((0.0..=720.0).contains(&at.x) && (0.0..=720.0).contains(&at.y), "{at:?}");
            }
        }
    }

    #[test]
    fn whoever_shares_a_value_hangs_on_it() {
        let graph = Graph::draw(&campaign(9, 2));
        let dot = graph.dots.iter().find(|dot| dot.account == "a0").unwrap();
        // Fewer hold the first one.
        assert_eq!((dot.hubs.as_str(), dot.own), ("1 2", 1));
        let line =
            |hub, class| graph.lines.iter().any(|line| line.to == dot.at && line.hub == hub && line.class == class);
        assert!(line(1, "twig") && line(2, "also"));
        let loose = graph.dots.iter().find(|dot| dot.account == "a2").unwrap();
        assert!(loose.hubs.is_empty() && graph.lines.iter().any(|line| line.to == loose.at && line.class == "loose"));
        assert!(graph.description().starts_with("9 accounts; "), "{}", graph.description());
    }
}
