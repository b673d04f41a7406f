//! From tested clusters to findings: clusters of the same accounts become one campaign, campaigns of the same operator are
//! linked, and everything a person needs to judge them is written down.

use std::collections::{BTreeMap, BTreeSet};

use event::Capability;
use exchange::Time;
use signals::sketch;

use crate::group;
use crate::group::closures::{self, Span, Wave};
use crate::group::{membership, sample, usage};
use crate::judge::Assessment;
use crate::limits::{
    ACCOUNTS_MAX, CLEARED_MAX, CLUSTERS_MAX, FORGOTTEN_DAYS, LIKENESS_PAYERS_ALL_MAX, LIKENESS_PAYERS_MAX,
    LOOKED_AT_MAX, SKELETON_MAX,
};
use crate::report::portrait::{self, Subject};
use crate::report::spend;
use crate::report::template;
use crate::report::trace::{Template, Trace, Traced};
use crate::report::view::View;
use crate::report::vouched;
use crate::signs::{infrastructure, intent, sign_up};
use crate::standings::{Reported, Standings};
use crate::state::account::{Account, AccountNo};
use crate::state::cluster::Cluster;
use crate::state::timeline::Timeline;
use crate::state::trial::Trial;
use crate::state::value::{Kind, Value};
use findings::number::{counted, either, many};
use findings::{
    Campaign, Cleared, Discovery, Evidence, Findings, Guarantee, Mark, Member, Population, Sample, SignalFamily,
};

/// The campaigns that are reported, strongest first.
pub(crate) fn reported(view: View<'_>) -> Vec<Reported> {
    bundles(view).iter().map(Bundle::reported).collect()
}

/// All findings as the last looks left them, and with what to find their exchanges again. Campaigns are named as they stand.
pub(crate) fn findings(view: View<'_>, standings: &mut Standings) -> (Findings, Trace) {
    let bundles = bundles(view);
    let (numbers, _) = standings.update(&bundles.iter().map(Bundle::reported).collect::<Vec<_>>());
    let mut campaigns: Vec<Campaign> = bundles.iter().map(|bundle| campaign(view, bundle)).collect();
    for (campaign, number) in campaigns.iter_mut().zip(numbers) {
        campaign.id = findings::campaign_id(number);
    }
    name_operators(view, &bundles, &mut campaigns);
    let (told, wordings) = cleared(view, &bundles);
    for (campaign, wordings) in campaigns.iter_mut().zip(wordings) {
        campaign.further_wordings = wordings;
    }
    let mut trace = Trace::default();
    for (campaign, bundle) in campaigns.iter().zip(&bundles) {
        let sure = campaign.accounts.iter().filter(|member| member.probability >= 0.5);
        let traced = Traced { campaign: campaign.id.clone(), templates: templates(view, bundle) };
        trace.add(traced, sure.map(|member| member.account.as_str()));
    }
    let by_text = campaigns.iter().any(|campaign| campaign.discovery == Discovery::Text);
    let findings = Findings {
        version: findings::VERSION,
        cleared: told,
        campaigns,
        population: population(view),
        blind_spots: blind_spots(view, by_text),
        guarantee: guarantee(view),
        limits_reached: limits_reached(view),
    };
    (findings, trace)
}

/// The templates of a campaign.
fn templates(view: View<'_>, bundle: &Bundle<'_>) -> Vec<Template> {
    let clusters = bundle.clusters.iter().flat_map(|tested| view.state.texts(tested.number));
    clusters
        .map(|(_, cluster)| Template { core: cluster.core().collect(), needed: cluster.needed() })
        .filter(|template| !template.core.is_empty())
        .collect()
}

/// Clusters reported for the same accounts.
struct Bundle<'e> {
    /// The cluster with the strongest evidence first.
    clusters: Vec<Tested<'e>>,
    members: BTreeMap<AccountNo, Part>,
}

/// A cluster with its trial and what came of it.
#[derive(Clone, Copy)]
struct Tested<'e> {
    number: u32,
    cluster: &'e Cluster,
    trial: &'e Trial,
    assessment: &'e Assessment,
}

/// How an account takes part.
#[derive(Clone, Copy)]
struct Part {
    probability: f64,
    exchanges: u64,
    input_tokens: u64,
    output_tokens: u64,
    first: Time,
    last: Time,
}

impl Part {
    /// Tokens of requests and answers, where any were recorded.
    fn tokens(&self) -> Option<(u64, u64)> {
        (self.input_tokens > 0 || self.output_tokens > 0).then_some((self.input_tokens, self.output_tokens))
    }
}

fn tested(view: View<'_>) -> impl Iterator<Item = Tested<'_>> {
    view.state.clusters.iter().enumerate().filter_map(|(number, cluster)| {
        let trial = cluster.trial.as_deref()?;
        let assessment = view.judge.last(number as u32, trial)?;
        Some(Tested { number: number as u32, cluster, trial, assessment })
    })
}

/// A cluster with its members.
type Draft<'e> = (Tested<'e>, BTreeMap<AccountNo, Part>);

/// Puts reported clusters together whose members are mostly the same, and leaves out what stronger ones explain; the strongest first.
fn bundles(view: View<'_>) -> Vec<Bundle<'_>> {
    let mut reported: Vec<Tested<'_>> = tested(view)
        .filter(|tested| tested.trial.detected_at.is_some() && tested.assessment.cleared.is_none())
        .collect();
    reported.sort_by(|a, b| b.assessment.log10_e.total_cmp(&a.assessment.log10_e).then(a.number.cmp(&b.number)));
    let of =
        |discovery: Discovery| reported.iter().copied().filter(move |tested| tested.cluster.discovery == discovery);
    let mut drafts: Vec<Vec<Draft<'_>>> = Vec::new();
    for tested in of(Discovery::Text) {
        let members = parts(view, tested);
        // One that overlaps with several shows that they are one.
        let (home, others): (Vec<_>, Vec<_>) = drafts.into_iter().partition(|draft| overlaps(draft, &members));
        let mut home: Vec<Draft<'_>> = home.into_iter().flatten().collect();
        home.push((tested, members));
        drafts = others;
        drafts.push(home);
    }
    // Where no cluster says who sends the variants, since each is one wording of many, all of them say it together.
    for tested in of(Discovery::Variants) {
        let members = parts(view, tested);
        let enough = sure(&members).len() * LEADS.0;
        let (mut home, others): (Vec<_>, Vec<_>) = drafts.into_iter().partition(|draft| overlaps(draft, &members));
        // One of many wordings fills a part of what its senders ask, and one template that strangers' phrases were put together with most of it.
        let filled_by_all = filled(view, &members);
        let leads = |draft: &Vec<Draft<'_>>| {
            draft.get(lead(view, draft)).is_some_and(|(_, members)| {
                sure(members).len() * LEADS.1 >= enough || filled(view, members) > filled_by_all
            })
        };
        if !home.iter().any(leads) {
            let clusters = home.drain(..).flatten();
            home = vec![std::iter::once((tested, members)).chain(clusters).collect()];
        }
        drafts = home.into_iter().chain(others).collect();
    }
    // One operator's pool may send several templates: a pool goes with one that most of it sends, and joins none. Who is after the
    // same, or signed up at the same time, may be of several campaigns, likewise.
    for tested in of(Discovery::Intent).chain(of(Discovery::Infrastructure)).chain(of(Discovery::SignUp)) {
        let members = parts(view, tested);
        let most = sure(&members).len();
        match drafts.iter_mut().find(|draft| in_common(draft, &members).any(|(common, _)| common * 2 > most)) {
            Some(draft) => draft.push((tested, members)),
            None => drafts.push(vec![(tested, members)]),
        }
    }
    let mut bundles: Vec<Bundle<'_>> = drafts.into_iter().map(|draft| join(view, draft)).collect();
    let telling = |bundle: &Bundle<'_>| bundle.clusters.first().map_or(0.0, |tested| telling(view, *tested));
    // Who sends a text is known better than who shares a card with whom.
    let by_text = |bundle: &Bundle<'_>| bundle.clusters.first().is_some_and(|tested| is_by_text(tested.cluster));
    bundles.sort_by(|a, b| by_text(b).cmp(&by_text(a)).then(telling(b).total_cmp(&telling(a))));
    // What is left of a phrase without the campaign that uses it must speak for itself.
    let mut explained: BTreeSet<AccountNo> = BTreeSet::new();
    bundles.retain(|bundle| {
        let left =
            bundle.clusters.first().and_then(|tested| view.judge.assessment(view.state, tested.number, &explained));
        let stands = left.is_some_and(|assessment| assessment.cleared.is_none());
        if stands {
            explained.extend(sure(&bundle.members));
        }
        stands
    });
    let strength = |bundle: &Bundle<'_>| bundle.clusters.first().map_or(0.0, |tested| tested.assessment.log10_e);
    bundles.sort_by(|a, b| strength(b).total_cmp(&strength(a)).then(a.since().cmp(&b.since())));
    bundles
}

impl Bundle<'_> {
    /// When it was detected, and when what detected it was frozen.
    fn since(&self) -> (Time, Time) {
        let trials = self.clusters.iter().map(|tested| tested.trial);
        trials.filter_map(|trial| Some((trial.detected_at?, trial.frozen_at))).min().unwrap_or_default()
    }

    fn reported(&self) -> Reported {
        let sure = self.members.iter().filter(|(_, part)| part.probability >= 0.5);
        let strongest = self.clusters.first().map(|tested| tested.assessment);
        Reported {
            trials: self.clusters.iter().map(|tested| tested.trial.id).collect(),
            members: sure.map(|(&number, part)| (number, part.probability)).collect(),
            since: self.since().0,
            log10_e: strongest.map_or(0.0, |assessment| assessment.log10_e),
            log10_threshold: strongest.map_or(0.0, |assessment| assessment.log10_threshold),
            rival: strongest.map_or_else(String::new, |assessment| assessment.rival.0.to_string()),
        }
    }
}

fn overlaps(draft: &[Draft<'_>], members: &BTreeMap<AccountNo, Part>) -> bool {
    in_common(draft, members).any(|(common, smaller)| common * 2 > smaller)
}

/// How many members each cluster of a draft has in common with `members`, and the smaller of the two numbers.
fn in_common<'d>(
    draft: &'d [Draft<'_>],
    members: &BTreeMap<AccountNo, Part>,
) -> impl Iterator<Item = (usize, usize)> + use<'d> {
    let mine = sure(members);
    draft.iter().map(move |(_, members)| {
        let theirs = sure(members);
        (mine.intersection(&theirs).count(), mine.len().min(theirs.len()))
    })
}

/// Joins clusters into one bundle. Who sends the leading one is in. Who sends others alone is not: a campaign's further texts are phrases
/// and items that it has in common with strangers, and with those who work off the same public list.
fn join<'e>(view: View<'_>, mut draft: Vec<Draft<'e>>) -> Bundle<'e> {
    // All of them are reported; the one leads that tells most about who sends it: many send it, strangers hardly.
    let lead = lead(view, &draft);
    draft.swap(0, lead);
    let lead = draft.first().map_or_else(BTreeSet::new, |(_, members)| sure(members));
    let mut members: BTreeMap<AccountNo, Part> = BTreeMap::new();
    for (at, (tested, parts)) in draft.iter().enumerate() {
        for (&number, &part) in parts {
            if at > 0 && !lead.contains(&number) {
                continue;
            }
            let known = members.entry(number).or_insert(part);
            known.probability = known.probability.max(part.probability);
            if at > 0 && tested.cluster.is_of_accounts() {
                // What its accounts send besides the campaign's texts is not the campaign's.
                continue;
            }
            if part.exchanges > known.exchanges {
                // Tokens go with the exchanges they were counted with.
                (known.input_tokens, known.output_tokens) = (part.input_tokens, part.output_tokens);
                known.exchanges = part.exchanges;
            }
            known.first = known.first.min(part.first);
            known.last = known.last.max(part.last);
        }
    }
    Bundle { clusters: draft.into_iter().map(|(tested, _)| tested).collect(), members }
}

/// Which of the clusters leads: of those by text one that tells nearly as much as any, since who sends a text is known better than who
/// shares a card with whom; and of these the one that fills most of its senders' requests. A phrase that the template has in common
/// with others' prompts tells as much of the campaign's accounts as the template does, and of strangers besides.
fn lead(view: View<'_>, draft: &[Draft<'_>]) -> usize {
    let tells = draft.iter().map(|(tested, members)| Tells {
        discovery: tested.cluster.discovery,
        telling: telling(view, *tested),
        filled: filled(view, members),
    });
    leading(&tells.collect::<Vec<_>>())
}

/// What a cluster tells of its senders.
#[derive(Clone, Copy)]
struct Tells {
    discovery: Discovery,
    telling: f64,
    filled: f64,
}

fn leading(clusters: &[Tells]) -> usize {
    let best = |discovery: Discovery| {
        let of = (0..).zip(clusters).filter(|(_, tells)| tells.discovery == discovery);
        let most = of.clone().map(|(_, tells)| tells.telling).fold(0.0, f64::max);
        let near = of.filter(|(_, tells)| tells.telling * LEAD_TELLS >= most);
        let best = near.max_by(|(i, a), (j, b)| {
            a.filled.total_cmp(&b.filled).then(a.telling.total_cmp(&b.telling)).then(j.cmp(i))
        });
        best.map(|(at, _)| at)
    };
    use Discovery::{Infrastructure, Intent, SignUp, Text, Variants};
    [Variants, Text, Intent, Infrastructure, SignUp].into_iter().find_map(best).unwrap_or(0)
}

/// The mean share of their requests that a cluster's sure members send to it, in hundredths.
fn filled(view: View<'_>, members: &BTreeMap<AccountNo, Part>) -> f64 {
    let sure = members.iter().filter(|(_, part)| part.probability >= 0.5);
    let shares = sure.filter_map(|(&number, part)| {
        let account = view.state.accounts.get(number)?;
        Some(part.exchanges as f64 / f64::from(account.exchanges.max(1)))
    });
    let (sum, count) = shares.fold((0.0, 0.0), |(sum, count), share| (sum + share, count + 1.0));
    (100.0 * sum / f64::max(count, 1.0)).round()
}

/// How much a cluster tells about who belongs together: the evidence for all its members, in ln.
fn telling(view: View<'_>, tested: Tested<'_>) -> f64 {
    let p0 = tested.trial.p0;
    let members = group::members(tested.number, tested.cluster, &view.state.accounts, p0);
    members.iter().map(|member| membership::evidence(member.account, member.tally, p0).max(0.0)).sum()
}

fn is_by_text(cluster: &Cluster) -> bool {
    matches!(cluster.discovery, Discovery::Text | Discovery::Variants)
}

/// Those more likely in than not.
fn sure(members: &BTreeMap<AccountNo, Part>) -> BTreeSet<AccountNo> {
    members.iter().filter(|(_, part)| part.probability >= 0.5).map(|(&number, _)| number).collect()
}

fn parts(view: View<'_>, tested: Tested<'_>) -> BTreeMap<AccountNo, Part> {
    let p0 = tested.trial.p0;
    let state = view.state;
    let mut members = group::members(tested.number, tested.cluster, &state.accounts, p0);
    usage::weigh(&mut members, tested.cluster, state);
    let shown = members.into_iter().filter(|member| member.probability >= SHOWN_FROM);
    let part = |member: group::Member<'_>| {
        let (account, tally) = (member.account, member.tally);
        // All that an account sends is of such a group, also before it was known as one of it.
        let (exchanges, first, last) = if tested.cluster.is_of_accounts() {
            (account.exchanges, account.first, account.last)
        } else {
            (tally.exchanges, tally.first, tally.last)
        };
        Part {
            probability: member.probability,
            exchanges: exchanges.into(),
            input_tokens: tally.input_tokens.into(),
            output_tokens: tally.output_tokens.into(),
            first,
            last,
        }
    };
    shown.map(|member| (member.number, part(member))).collect()
}

fn campaign(view: View<'_>, bundle: &Bundle<'_>) -> Campaign {
    let mut members: Vec<(AccountNo, &Account, Part)> = bundle
        .members
        .iter()
        .filter_map(|(&number, &part)| Some((number, view.state.accounts.get(number)?, part)))
        .collect();
    members.sort_by(|a, b| b.2.probability.total_cmp(&a.2.probability).then_with(|| a.1.id.cmp(&b.1.id)));
    let sure: Vec<&(AccountNo, &Account, Part)> =
        members.iter().filter(|(_, _, part)| part.probability >= 0.5).collect();
    let (first, last) = span(&sure);
    // A bundle is never empty; its first cluster has the strongest evidence, its earliest detection is the campaign's.
    let strongest = bundle.clusters.first();
    let (detected_at, frozen_at) = bundle.since();
    let mut evidence = strongest.map_or_else(Vec::new, |tested| evidence(view, *tested));
    evidence.sort_by(|a, b| b.log10_e.total_cmp(&a.log10_e).then(a.family.cmp(&b.family)));
    let subjects: Vec<Subject<'_>> = sure
        .iter()
        .map(|(number, account, part)| Subject { number: *number, account, exchanges: part.exchanges })
        .collect();
    let accounts: Vec<&Account> = sure.iter().map(|(_, account, _)| *account).collect();
    let clusters: Vec<(u32, &Cluster)> = bundle.clusters.iter().map(|tested| (tested.number, tested.cluster)).collect();
    let identity = vouched::identity(view, &clusters, &accounts);
    let timelines: Vec<&Timeline> = strongest.iter().map(|tested| &tested.cluster.timeline).collect();
    let samples = samples(view, bundle);
    let spans: Vec<Span> =
        sure.iter().map(|(_, account, part)| Span { first: part.first, closed: account.closed }).collect();
    let waves = strongest.map_or_else(Vec::new, |tested| closures::waves(&spans, &tested.cluster.timeline));
    let by_text = strongest.is_some_and(|tested| is_by_text(tested.cluster));
    let texts: Vec<&str> = samples.iter().map(|sample| sample.text.as_str()).collect();
    let total =
        |tokens: fn(&Part) -> u64| sure.iter().fold(0_u64, |sum, (_, _, part)| sum.saturating_add(tokens(part)));
    let (input_tokens, output_tokens) = (total(|part| part.input_tokens), total(|part| part.output_tokens));
    let conduct = strongest.map(|tested| &tested.cluster.conduct);
    let exchanges: u64 = sure.iter().map(|(_, _, part)| part.exchanges).sum();
    // Of a group of accounts tokens are counted from when it is known.
    let of_accounts = strongest.is_some_and(|tested| tested.cluster.is_of_accounts());
    let all = |counted: u64| if of_accounts { counted.max(exchanges) } else { counted };
    Campaign {
        id: String::new(),
        operator: String::new(),
        lineage: waves.iter().map(Wave::text).collect(),
        discovery: strongest.map_or(Discovery::Text, |tested| tested.cluster.discovery),
        frozen_at,
        detected_at,
        first_seen: first,
        last_seen: last,
        exchanges,
        input_tokens,
        output_tokens,
        tokens_known: conduct.map_or(0.0, |sent| sent.metered as f64 / all(sent.exchanges.max(1)) as f64),
        models: conduct
            .map_or_else(Vec::new, |sent| spend::by_model(sent, &view.state.values, input_tokens, output_tokens)),
        further_wordings: 0,
        accounts: members
            .iter()
            .map(|(_, account, part)| Member {
                account: account.id.to_string(),
                probability: part.probability,
                exchanges: part.exchanges,
                exchanges_total: account.exchanges.into(),
                first_seen: part.first,
                last_seen: part.last,
                input_tokens: part.tokens().map(|(input, _)| input),
                output_tokens: part.tokens().map(|(_, output)| output),
            })
            .collect(),
        capabilities: strongest.map_or_else(Vec::new, |tested| capabilities(tested.trial)),
        evidence,
        log10_e: strongest.map_or(0.0, |tested| tested.assessment.log10_e),
        log10_threshold: strongest.map_or(0.0, |tested| tested.assessment.log10_threshold),
        skeleton: if by_text { template::draw(&texts) } else { Vec::new() },
        portrait: portrait::draw(view, &subjects, &timelines, marks(frozen_at, detected_at, &waves)),
        not_observed: not_observed(&subjects).into_iter().chain(left_out(bundle)).collect(),
        alternatives: strongest
            .map_or_else(Vec::new, |tested| alternatives(tested.assessment, view.judge.config.alpha)),
        samples,
        judgements: vouched::judgements(
            view,
            bundle.clusters.iter().map(|tested| tested.cluster),
            &identity,
            &accounts,
        ),
        identity,
    }
}

/// The first and the last exchange of members that are as good as certain: one stranger who once used a phrase of the template would
/// move them. Where there are none, of all.
fn span(sure: &[&(AccountNo, &Account, Part)]) -> (Time, Time) {
    let of = |from: f64| {
        let parts = || sure.iter().map(|(_, _, part)| part).filter(move |part| part.probability >= from);
        Some((parts().map(|part| part.first).min()?, parts().map(|part| part.last).max()?))
    };
    of(CERTAIN).or_else(|| of(0.0)).unwrap_or_default()
}

fn evidence(view: View<'_>, tested: Tested<'_>) -> Vec<Evidence> {
    if tested.cluster.is_of_accounts() {
        let members: Vec<&Account> =
            tested.cluster.members.iter().filter_map(|&number| view.state.accounts.get(number)).collect();
        let found_by = match tested.cluster.discovery {
            Discovery::SignUp => sign_up::found_by(&members, view.judge.sign_ups(), tested.trial.p0),
            _ => infrastructure::found_by(&members, &view.state.values),
        };
        return found_by.into_iter().chain(tested.assessment.evidence.iter().cloned()).collect();
    }
    let tallies = tested.cluster.members.iter().filter_map(|&number| {
        let account = view.state.accounts.get(number)?;
        Some((account, account.tally(tested.number)?))
    });
    let templates = view.state.clusters.iter().filter(|cluster| cluster.variant_of == Some(tested.number)).count();
    let everybody = view.state.accounts.iter().filter(|account| account.exchanges > 0).count();
    let template =
        membership::describe(tallies, everybody, tested.cluster, templates, tested.trial.p0, view.judge.config.alpha);
    std::iter::once(template).chain(tested.assessment.evidence.iter().cloned()).collect()
}

fn capabilities(trial: &Trial) -> Vec<Capability> {
    let mut taken: Vec<Capability> =
        intent::taken(&trial.intents, trial.exchanges).into_iter().map(|(capability, _)| capability).collect();
    if trial.echoes * 2 >= trial.exchanges.max(1) && !taken.contains(&Capability::TraceCleaning) {
        taken.push(Capability::TraceCleaning);
    }
    if taken.is_empty() {
        taken.push(Capability::General);
    }
    taken
}

fn samples(view: View<'_>, bundle: &Bundle<'_>) -> Vec<Sample> {
    let exhibits = bundle.clusters.first().map_or([].as_slice(), |tested| &tested.cluster.samples);
    let sure = |number: &AccountNo| bundle.members.get(number).is_some_and(|part| part.probability >= 0.5);
    exhibits
        .iter()
        .filter(|exhibit| sure(&exhibit.account) && !exhibit.excerpt.is_empty())
        .filter_map(|exhibit| {
            Some(Sample {
                exchange: exhibit.exchange.to_string(),
                account: view.state.accounts.get(exhibit.account)?.id.to_string(),
                time: exhibit.time,
                text: exhibit.excerpt.to_string(),
                answer: exhibit.answer.to_string(),
            })
        })
        .collect()
}

fn marks(frozen_at: Time, detected_at: Time, waves: &[Wave]) -> Vec<Mark> {
    let mut marks = vec![
        Mark { time: frozen_at, label: "trial frozen (τ)".into() },
        Mark { time: detected_at, label: "detected".into() },
    ];
    for wave in waves.iter().take(WAVES_MARKED_MAX) {
        let label = if wave.came_back() { "closed, others took over" } else { "closed" };
        marks.push(Mark { time: wave.time, label: format!("{} {label}", counted(wave.closed as u64, "account")) });
    }
    marks.sort_by_key(|mark| mark.time);
    marks
}

fn not_observed(subjects: &[Subject<'_>]) -> Vec<String> {
    let mut missing = Vec::new();
    let without = |kind: Kind| subjects.iter().filter(|subject| !subject.account.holds(kind).known()).count();
    for kind in [Kind::Payment, Kind::EmailDomain, Kind::Block, Kind::Software] {
        match without(kind) {
            0 => {}
            n if n == subjects.len() => missing.push(format!("No {} is known for any account.", kind.name())),
            n => missing.push(format!(
                "The {} of {} of {} is not known.",
                kind.name(),
                many(n),
                counted(subjects.len() as u64, "account")
            )),
        }
    }
    match subjects.iter().filter(|subject| subject.account.created.is_none()).count() {
        0 => {}
        n => missing.push(format!(
            "The sign-up time of {} of {} is not known.",
            many(n),
            counted(subjects.len() as u64, "account")
        )),
    }
    missing.push(
        "What happens to the answers outside this log: whether a model was trained on them cannot be seen here.".into(),
    );
    missing
}

/// What of a campaign limits left out.
fn left_out(bundle: &Bundle<'_>) -> impl Iterator<Item = String> {
    let sessions: u64 = bundle.clusters.iter().map(|tested| u64::from(tested.trial.likeness.left_out())).sum();
    let alike = (sessions > 0).then(|| {
        format!(
            "How alike payers are was followed of the first {} of each group, and of {} in all; {} of later ones {} \
             left out.",
            many(LIKENESS_PAYERS_MAX),
            many(LIKENESS_PAYERS_ALL_MAX),
            counted(sessions, "session"),
            either(sessions, "was", "were")
        )
    });
    let large = bundle.clusters.iter().map(|tested| sample::one_in(tested.cluster.members.len())).max();
    let sampled = large.filter(|&one_in| one_in > 1).map(|one_in| {
        format!("The group is larger than {}: the evidence is of one account in {one_in} of it.", many(LOOKED_AT_MAX))
    });
    let long = bundle.clusters.iter().any(|tested| tested.cluster.is_full()).then(|| {
        format!("The text is longer than {} fingerprints; what lies beyond was not compared.", many(SKELETON_MAX))
    });
    alike.into_iter().chain(sampled).chain(long)
}

/// The honest explanations that fit groups like this, and what speaks against each.
fn alternatives(assessment: &Assessment, alpha: f64) -> Vec<String> {
    let of = |family: SignalFamily| assessment.evidence.iter().find(|e| e.family == family);
    let mut tried = Vec::new();
    if let Some(evidence) = of(SignalFamily::WorkQueue) {
        tried.push(format!("A class, a benchmark or a load test: {}", evidence.text));
    }
    if let Some(evidence) = of(SignalFamily::Evenness) {
        tried.push(format!("A popular tool or prompt that many customers use: {}", evidence.text));
    }
    let (rival, left) = &assessment.rival;
    tried.push(format!(
        "The honest explanation that comes nearest is {rival}: when it has had what it explains, 10^{left:.1} is left against it \
         (10^{:.1} is needed).",
        crate::judge::decision::Bar::at(alpha, assessment.log10_threshold).rival
    ));
    if of(SignalFamily::SignUp).is_none() && of(SignalFamily::Infrastructure).is_none() {
        tried.push(
            "A tool on a timer, with items of its own for each customer, would look much the same: sign-up and infrastructure, \
             which would tell, are not known. Look there before you act."
                .into(),
        );
    }
    tried.push(format!(
        "One product or company would be one payer: accounts of one verified organisation count once, and {} {} part.",
        counted(assessment.payers, "payer"),
        either(assessment.payers, "takes", "take")
    ));
    tried
}

/// Links campaigns that share rare values or skeletons: one operator.
fn name_operators(view: View<'_>, bundles: &[Bundle<'_>], campaigns: &mut [Campaign]) {
    let traits: Vec<BTreeMap<Value, u64>> = bundles.iter().map(|bundle| rare_values(view, bundle)).collect();
    let mut order: Vec<usize> = (0..bundles.len()).collect();
    order.sort_by_key(|&i| campaigns.get(i).map(|campaign| campaign.first_seen));
    let mut operators: Vec<Vec<usize>> = Vec::new();
    for i in order {
        let links = |j: usize| traits.get(i).zip(traits.get(j)).map_or(0, |(a, b)| shared(view, a, b));
        let known = operators.iter().enumerate().flat_map(|(number, known)| known.iter().map(move |&j| (number, j)));
        let linked = known
            .map(|(number, j)| (links(j), number, j))
            .filter(|&(links, ..)| links >= LINKS_MIN)
            .max_by_key(|&(links, number, j)| (links, std::cmp::Reverse((number, j))));
        let number = linked.map_or(operators.len(), |(_, number, _)| number);
        let before = linked.and_then(|(links, _, j)| Some((links, campaigns.get(j)?.last_seen)));
        if let Some(campaign) = campaigns.get_mut(i) {
            campaign.operator = format!("op_{}", number + 1);
            if let Some((links, last_seen)) = before {
                let gap = campaign.first_seen.seconds_since(last_seen) / 3600.0;
                let when = if gap > 0.0 {
                    format!("{gap:.1} hours after the earlier one ended")
                } else {
                    "alongside the earlier one".into()
                };
                campaign.lineage.push(format!(
                    "Shares {} rare payment instruments, mail domains or address blocks, which hardly anybody else has, \
                     with an earlier campaign of the same operator; began {when}.",
                    many(links)
                ));
            }
        }
        match operators.get_mut(number) {
            Some(known) => known.push(i),
            None => operators.push(vec![i]),
        }
    }
}

/// A cluster that at least three in four send of those who send its variants says who is in.
const LEADS: (usize, usize) = (3, 4);

/// Values that the bundle's members hold and few others do.
fn rare_values(view: View<'_>, bundle: &Bundle<'_>) -> BTreeMap<Value, u64> {
    let mut counts: BTreeMap<Value, u64> = BTreeMap::new();
    let sure = bundle.members.iter().filter(|(_, part)| part.probability >= 0.5);
    for account in sure.filter_map(|(&number, _)| view.state.accounts.get(number)) {
        for kind in [Kind::Payment, Kind::EmailDomain, Kind::Block] {
            let value = account.holds(kind);
            if value.known() && view.state.values.holders(value) <= RARE_HOLDERS_MAX {
                *counts.entry(value).or_default() += 1;
            }
        }
    }
    counts
}

/// Of who holds a value at least this share must be in the two campaigns, or it is a public mail service or the like.
const THEIRS: (u64, u64) = (4, 5);

/// How many values two campaigns share that are nearly theirs alone.
fn shared(view: View<'_>, a: &BTreeMap<Value, u64>, b: &BTreeMap<Value, u64>) -> usize {
    let theirs = a.iter().filter_map(|(value, mine)| Some((*value, mine + b.get(value)?)));
    theirs.filter(|&(value, holders)| holders * THEIRS.1 >= view.state.values.holders(value) * THEIRS.0).count()
}

/// Groups that act together and were not reported, strongest first, with the reason; and for each bundle how many groups are
/// further wordings of it, which nobody may take for groups that were spared.
fn cleared(view: View<'_>, bundles: &[Bundle<'_>]) -> (Vec<Cleared>, Vec<u64>) {
    let homes: Vec<Home<'_>> = bundles.iter().map(|bundle| Home::of(view, bundle)).collect();
    let mut wordings = vec![0_u64; bundles.len()];
    let mut groups: Vec<(Tested<'_>, &str)> =
        tested(view).filter_map(|tested| Some((tested, tested.assessment.cleared.as_deref()?))).collect();
    // Of a group that people vouch for, only who is not covered is told here.
    groups.retain(|(tested, _)| tested.cluster.labels.is_empty() || tested.assessment.payers > 0);
    groups.retain(|(tested, _)| {
        let home = home_of(&homes, tested.cluster);
        home.and_then(|home| wordings.get_mut(home)).map(|wordings| *wordings += 1).is_none()
    });
    groups.sort_by(|a, b| b.0.cluster.exchanges.cmp(&a.0.cluster.exchanges).then(a.0.number.cmp(&b.0.number)));
    let mut vetted = vouched::vetted(view);
    // Who takes part in a vetted group without being vouched for is told with it: the same template listed again would look
    // like a group of its own.
    let mut told: BTreeSet<usize> = BTreeSet::new();
    groups.retain(|(tested, reason)| {
        let Some(at) = vetted.iter().position(|group| group.has(tested.cluster)) else { return true };
        if let Some(group) = vetted.get_mut(at).filter(|_| told.insert(at)) {
            let payers = tested.assessment.payers;
            let take = either(payers, "takes", "take");
            let others = format!(". {} {take} part without that, and: {reason}", counted(payers, "payer"));
            group.cleared.reason.push_str(&others);
        }
        false
    });
    groups.truncate(CLEARED_MAX);
    let groups = groups.into_iter().map(|(tested, reason)| {
        let now = view.judge.assessment(view.state, tested.number, &BTreeSet::new());
        let now = now.as_ref().unwrap_or(tested.assessment);
        let part = sure(&parts(view, tested));
        let members: Vec<&Account> = part.iter().filter_map(|&number| view.state.accounts.get(number)).collect();
        let identity = vouched::identity(view, &[(tested.number, tested.cluster)], &members);
        let vouched = |number: &&AccountNo| {
            view.state
                .accounts
                .get(**number)
                .and_then(|account| account.tally(tested.number))
                .is_some_and(|s| s.vouched)
        };
        Cleared {
            id: String::new(),
            accounts: (tested.cluster.members.len() - tested.cluster.members.iter().filter(vouched).count()) as u64,
            exchanges: tested.cluster.exchanges.into(),
            label: template::name(tested.cluster),
            log10_e: now.log10_e,
            evidence: now.evidence.clone(),
            reason: now.cleared.as_deref().unwrap_or(reason).to_owned(),
            judgements: vouched::judgements(view, std::iter::once(tested.cluster), &identity, &members),
            identity,
        }
    });
    let mut cleared: Vec<Cleared> = vetted.into_iter().map(|group| group.cleared).chain(groups).collect();
    for (i, group) in cleared.iter_mut().enumerate() {
        group.id = format!("grp_{}", i + 1);
    }
    (cleared, wordings)
}

/// By what a group is known to be a wording of a campaign.
struct Home<'b> {
    members: &'b BTreeMap<AccountNo, Part>,
    /// The groups of variants that are reported in it.
    variants: BTreeSet<u32>,
    /// What its samples have in common.
    template: BTreeSet<u64>,
}

impl<'b> Home<'b> {
    fn of(view: View<'_>, bundle: &'b Bundle<'_>) -> Home<'b> {
        let clusters = bundle.clusters.iter();
        Home {
            members: &bundle.members,
            variants: clusters
                .clone()
                .filter(|tested| tested.cluster.discovery == Discovery::Variants)
                .map(|t| t.number)
                .collect(),
            template: clusters
                .flat_map(|tested| view.state.texts(tested.number))
                .flat_map(|(_, cluster)| common_prints(cluster))
                .collect(),
        }
    }

    /// How many of a group's accounts are of the campaign.
    fn inside(&self, cluster: &Cluster) -> usize {
        cluster.members.iter().filter(|number| self.members.contains_key(number)).count()
    }
}

/// The campaign that a group is a wording of: at least half of its accounts are of campaigns, or half of its template is that of
/// one. What a person said of a group by itself keeps it apart, unless its accounts are these.
fn home_of(homes: &[Home<'_>], cluster: &Cluster) -> Option<usize> {
    let anywhere = cluster.members.iter().filter(|number| homes.iter().any(|home| home.members.contains_key(number)));
    let inside = anywhere.count();
    if inside > 0 && inside * 2 >= cluster.members.len() {
        return (0..homes.len())
            .max_by_key(|&at| (homes.get(at).map_or(0, |home| home.inside(cluster)), std::cmp::Reverse(at)));
    }
    if let Some(home) =
        homes.iter().position(|home| cluster.variant_of.is_some_and(|group| home.variants.contains(&group)))
    {
        return Some(home);
    }
    let template = if cluster.labels.is_empty() { common_prints(cluster) } else { BTreeSet::new() };
    let same = |home: &Home<'_>| template.iter().filter(|print| home.template.contains(print)).count();
    homes.iter().position(|home| !template.is_empty() && same(home) * 2 >= template.len())
}

/// Fingerprints that at least half of a cluster's samples have, of those that have several: its template as the samples show it.
fn common_prints(cluster: &Cluster) -> BTreeSet<u64> {
    let mut seen: BTreeMap<u64, usize> = BTreeMap::new();
    for sample in &cluster.samples {
        let mut prints = Vec::new();
        sketch::winnow(&sample.excerpt, &mut prints);
        let keys: BTreeSet<u64> = prints.into_iter().map(|print| print.key).collect();
        keys.into_iter().for_each(|key| *seen.entry(key).or_default() += 1);
    }
    let enough = cluster.samples.len().div_ceil(2).max(2);
    seen.into_iter().filter(|&(_, count)| count >= enough).map(|(key, _)| key).collect()
}

fn population(view: View<'_>) -> Population {
    let seen = || view.state.accounts.iter().filter(|account| account.exchanges > 0);
    let payers: BTreeSet<event::Hash> = seen().map(|account| account.payer).collect();
    Population {
        exchanges: view.state.exchanges,
        accounts: seen().count() as u64,
        payers: payers.len() as u64,
        clusters: view
            .state
            .clusters
            .iter()
            .filter(|cluster| !cluster.gone && cluster.discovery == Discovery::Text)
            .count() as u64,
        timeline: portrait::traffic(view),
        first_seen: view.state.first,
        last_seen: view.state.last,
        late: 0,
    }
}

fn blind_spots(view: View<'_>, by_text: bool) -> Vec<String> {
    let seen = view.state.accounts.iter().filter(|account| account.exchanges > 0).count() as u64;
    let mut spots = Vec::new();
    if view.state.exchanges > 0 && view.state.textless * 10 > view.state.exchanges * 9 {
        spots.push("Hardly any record has a prompt; campaigns that share a template could not be seen.".into());
    }
    if view.state.sealed * 2 > view.state.exchanges {
        spots.push("Records hold fingerprints instead of texts; neither a template nor samples can be shown.".into());
    }
    let largest =
        view.state.clusters.iter().filter(|cluster| cluster.discovery == Discovery::Text).map(|f| f.exchanges).max();
    if let Some(largest) = largest.map(u64::from).filter(|&largest| largest * 10 > view.state.exchanges * 9 && !by_text)
    {
        spots.push(format!(
            "One text that accounts share is in {largest} of {} exchanges, so nearly everybody is in one group and no group \
             can be told from the rest by what it sends; leave such a text (a system prompt of your own?) out of the log.",
            view.state.exchanges
        ));
    }
    let missing = |kind: Kind| seen.saturating_sub(view.state.values.known(kind));
    for kind in [Kind::Payment, Kind::EmailDomain, Kind::Block, Kind::Software, Kind::Params] {
        if missing(kind) * 10 > seen * 9 {
            let be = if kind == Kind::Params { "are" } else { "is" };
            spots.push(format!("The {} {be} hardly ever in the records; sharing could not be seen.", kind.name()));
        }
    }
    if view.state.accounts.iter().filter(|account| account.exchanges > 0 && account.created.is_some()).count() as u64
        * 10
        < seen
    {
        spots.push(
            "Sign-up times are hardly ever known (no accounts file?); accounts created together could not be seen."
                .into(),
        );
    }
    spots
}

fn guarantee(view: View<'_>) -> Guarantee {
    let alpha = view.judge.config.alpha;
    Guarantee {
        alpha,
        hypotheses: view.judge.tested,
        text: if view.state.exchanges == 0 {
            String::new()
        } else {
            let were = either(view.judge.tested, "was", "were");
            format!(
                "{} {were} tested on what members sent later, at thresholds (e-BH) meant for at most {} % of false findings. \
                 That is calibrated on {} of this log and not guaranteed: it holds as far as an honest group is no likelier to \
                 look like a campaign than these. Who sends a template is measured; why is not: a ban needs a person or an \
                 explicit policy.",
                counted(view.judge.tested, "group"),
                alpha * 100.0,
                counted(view.judge.calibration.groups() as u64, "group")
            )
        },
    }
}

fn limits_reached(view: View<'_>) -> Vec<String> {
    let mut limits = Vec::new();
    if view.state.accounts.refused > 0 {
        limits.push(format!(
            "{} of accounts beyond the first {} {} counted and not tested.",
            counted(view.state.accounts.refused, "record"),
            many(ACCOUNTS_MAX),
            either(view.state.accounts.refused, "was", "were")
        ));
    }
    if view.state.duplicates > 0 {
        limits.push(format!(
            "{} came a second time and {} counted once.",
            counted(view.state.duplicates, "exchange"),
            either(view.state.duplicates, "was", "were"),
        ));
    }
    if view.state.forgotten_early > 0 {
        limits.push(format!(
            "{} not used for longest {} forgotten before {FORGOTTEN_DAYS} days had passed, to make room for new ones.",
            counted(view.state.forgotten_early, "account"),
            either(view.state.forgotten_early, "was", "were"),
        ));
    }
    if view.state.accounts.forgotten() > 0 {
        limits.push(format!(
            "What the accounts file says of {} was forgotten before they asked anything.",
            counted(view.state.accounts.forgotten(), "account")
        ));
    }
    if view.state.clusters_refused > 0 {
        limits.push(format!(
            "{} beyond the first {} {} not followed.",
            counted(view.state.clusters_refused, "shared text"),
            many(CLUSTERS_MAX),
            either(view.state.clusters_refused, "was", "were")
        ));
    }
    limits
}

/// Waves of closures marked in a picture.
const WAVES_MARKED_MAX: usize = 4;
/// Members from this probability on tell when a campaign began and ended.
const CERTAIN: f64 = 0.99;
/// Accounts are listed from this probability.
const SHOWN_FROM: f64 = 0.2;
/// A cluster that tells this many times less than another of the same campaign does not lead it.
const LEAD_TELLS: f64 = 2.0;
/// Values held by at most this many accounts are rare.
const RARE_HOLDERS_MAX: u64 = 50;
/// Rare values in common that link two campaigns.
const LINKS_MIN: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phrase_that_strangers_use_too_does_not_lead() {
        let tells = |discovery, telling, filled| Tells { discovery, telling, filled };
        let phrase = tells(Discovery::Text, 900.0, 48.0);
        let template = tells(Discovery::Text, 700.0, 97.0);
        assert_eq!(leading(&[phrase, template]), 1);
        assert_eq!(leading(&[phrase, tells(Discovery::Text, 449.0, 99.0)]), 0, "it tells of half of them only");
        assert_eq!(leading(&[phrase, tells(Discovery::Text, 450.0, 99.0)]), 1);
        assert_eq!(leading(&[template, tells(Discovery::Variants, 1.0, 1.0)]), 1, "all of their texts together");
        assert_eq!(leading(&[tells(Discovery::Infrastructure, 900.0, 100.0), template]), 1);
        assert_eq!(leading(&[template, template]), 0);
    }
}
