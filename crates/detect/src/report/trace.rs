//! Which exchanges belong to a campaign, once it is known: for a second pass over the same records.
//!
//! An account with cover traffic sends a campaign's requests among others. Its exchange belongs to the campaign when it shows
//! as much of one of the campaign's templates as an exchange needs to match it. Of a campaign that was found by
//! infrastructure alone no template is known, and every exchange of its members belongs. Exchanges of accounts that are no
//! members never do, whatever they show.

use std::collections::{BTreeMap, BTreeSet};

use event::{Hash, Signals};
use exchange::Time;

use crate::state::conduct::MODELS_MAX;
use findings::{Campaign, Findings, ModelTokens};

/// What is needed to tell.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trace {
    campaigns: Vec<Traced>,
    /// The campaigns of each member, the surest first, by the account's id.
    members: BTreeMap<Box<str>, Vec<usize>>,
}

/// One campaign.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Traced {
    /// Its name.
    pub campaign: String,
    /// Its templates; none when it was found by infrastructure alone.
    pub templates: Vec<Template>,
}

/// A template: its core, and how much of it an exchange needs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Template {
    /// Shingles of the core.
    pub core: BTreeSet<u64>,
    /// How many of them make a match.
    pub needed: u32,
}

impl Trace {
    /// Adds a campaign with its members, after all surer ones.
    pub(crate) fn add<'a>(&mut self, traced: Traced, members: impl Iterator<Item = &'a str>) {
        let number = self.campaigns.len();
        self.campaigns.push(traced);
        for account in members {
            self.members.entry(account.into()).or_default().push(number);
        }
    }

    /// The campaign that an exchange belongs to: the surest of those that have its account and whose template it shows.
    #[must_use]
    pub fn campaign(&self, signals: &Signals) -> Option<&str> {
        let mut campaigns = self.members.get(&*signals.account)?.iter().filter_map(|&at| self.campaigns.get(at));
        let shows = |template: &Template| {
            let shown: BTreeSet<u64> =
                signals.prints.iter().map(|print| print.key).filter(|key| template.core.contains(key)).collect();
            shown.len() as u64 >= u64::from(template.needed)
        };
        let has = |traced: &&Traced| traced.templates.is_empty() || traced.templates.iter().any(shows);
        campaigns.find(has).map(|traced| traced.campaign.as_str())
    }
}

/// The numbers of each campaign, counted anew on a second pass.
///
/// The first pass counts a template while it is still being learnt: what its accounts sent before it was noticed is missing, and
/// what matched an early, wider form of it is in. The second counts exactly the exchanges that [`Trace::campaign`] names, each
/// for one campaign. Bounded by the members of the campaigns and by [`MODELS_COUNTED_MAX`] models of each.
#[derive(Debug)]
pub struct Recount<'t> {
    trace: &'t Trace,
    campaigns: BTreeMap<&'t str, Again>,
}

/// What was counted of one campaign.
#[derive(Debug)]
struct Again {
    members: BTreeMap<Box<str>, Taken>,
    models: BTreeMap<Hash, (Box<str>, Taken)>,
    /// What named no model, or one beyond [`MODELS_COUNTED_MAX`].
    unnamed: Taken,
    /// When the first bin of the timeline begins, in seconds, how long each is, and how many exchanges are in it.
    start: i64,
    seconds: i64,
    bins: Vec<u64>,
}

/// Exchanges and what they took.
#[derive(Clone, Copy, Debug, Default)]
struct Taken {
    exchanges: u64,
    /// Those of which tokens were recorded.
    metered: u64,
    input_tokens: u64,
    output_tokens: u64,
    /// The first and the last of them.
    span: Option<(Time, Time)>,
}

impl Taken {
    fn count(&mut self, signals: &Signals) {
        self.exchanges += 1;
        self.metered += u64::from(signals.input_tokens.is_some() || signals.output_tokens.is_some());
        self.input_tokens = self.input_tokens.saturating_add(signals.input_tokens.unwrap_or(0));
        self.output_tokens = self.output_tokens.saturating_add(signals.output_tokens.unwrap_or(0));
        self.saw(signals.time, signals.time);
    }

    fn saw(&mut self, first: Time, last: Time) {
        self.span = Some(self.span.map_or((first, last), |(earliest, latest)| (earliest.min(first), latest.max(last))));
    }

    fn and(mut self, other: Taken) -> Taken {
        self.exchanges += other.exchanges;
        self.metered += other.metered;
        self.input_tokens = self.input_tokens.saturating_add(other.input_tokens);
        self.output_tokens = self.output_tokens.saturating_add(other.output_tokens);
        if let Some((first, last)) = other.span {
            self.saw(first, last);
        }
        self
    }
}

impl<'t> Recount<'t> {
    /// Begins to count for `findings`.
    #[must_use]
    pub fn new(trace: &'t Trace, findings: &Findings) -> Recount<'t> {
        let of = |traced: &'t Traced| {
            let campaign = findings.campaigns.iter().find(|campaign| campaign.id == traced.campaign);
            let bins = campaign.map_or([].as_slice(), |campaign| &campaign.portrait.timeline);
            let again = Again {
                members: BTreeMap::new(),
                models: BTreeMap::new(),
                unnamed: Taken::default(),
                start: bins.first().map_or(0, |bin| bin.start.seconds()),
                seconds: bins.first().map_or(1, |bin| i64::from(bin.seconds).max(1)),
                bins: vec![0; bins.len()],
            };
            (traced.campaign.as_str(), again)
        };
        Recount { trace, campaigns: trace.campaigns.iter().map(of).collect() }
    }

    /// Counts one exchange; the campaign that it belongs to, none where it belongs to none.
    pub fn count(&mut self, signals: &Signals) -> Option<&'t str> {
        let campaign = self.trace.campaign(signals)?;
        let again = self.campaigns.get_mut(campaign)?;
        again.members.entry(signals.account.clone()).or_default().count(signals);
        let room = again.models.len() < MODELS_COUNTED_MAX;
        match signals.model.filter(|model| room || again.models.contains_key(model)) {
            Some(model) => {
                let named = || (signals.model_name.clone(), Taken::default());
                again.models.entry(model).or_insert_with(named).1.count(signals);
            }
            None => again.unnamed.count(signals),
        }
        // An exchange before the first bin counts in it, as in the first pass.
        let bin = (signals.time.seconds() - again.start).div_euclid(again.seconds).max(0);
        if let Some(count) = usize::try_from(bin).ok().and_then(|bin| again.bins.get_mut(bin)) {
            *count += 1;
        }
        Some(campaign)
    }

    /// Puts what was counted in place of what the first pass had counted. Accounts that are no members stay as they were.
    pub fn put_into(&self, findings: &mut Findings) {
        for campaign in &mut findings.campaigns {
            if let Some(again) = self.campaigns.get(campaign.id.as_str()) {
                again.put_into(campaign);
            }
        }
    }
}

impl Again {
    fn put_into(&self, campaign: &mut Campaign) {
        let all = self.members.values().fold(Taken::default(), |all, taken| all.and(*taken));
        let Some(span) = all.span else { return };
        for member in campaign.accounts.iter_mut().filter(|member| member.probability >= MEMBER_MIN) {
            let taken = self.members.get(member.account.as_str()).copied().unwrap_or_default();
            member.exchanges = taken.exchanges;
            (member.first_seen, member.last_seen) = taken.span.unwrap_or((member.first_seen, member.last_seen));
            let metered = taken.metered > 0;
            member.input_tokens = metered.then_some(taken.input_tokens);
            member.output_tokens = metered.then_some(taken.output_tokens);
        }
        campaign.exchanges = all.exchanges;
        (campaign.first_seen, campaign.last_seen) = span;
        (campaign.input_tokens, campaign.output_tokens) = (all.input_tokens, all.output_tokens);
        campaign.tokens_known = all.metered as f64 / all.exchanges as f64;
        campaign.models = self.models(all.exchanges);
        for (bin, &group) in campaign.portrait.timeline.iter_mut().zip(&self.bins) {
            let everybody = bin.group + bin.population;
            bin.group = group.min(everybody);
            bin.population = everybody - bin.group;
        }
    }

    /// What was taken by model, the most used first, and last what has no name.
    fn models(&self, exchanges: u64) -> Vec<ModelTokens> {
        let tokens = |model: &str, taken: Taken, others: u64| ModelTokens {
            model: model.to_owned(),
            share: taken.exchanges as f64 / exchanges.max(1) as f64,
            input_tokens: taken.input_tokens,
            output_tokens: taken.output_tokens,
            others,
        };
        let mut models: Vec<&(Box<str>, Taken)> = self.models.values().collect();
        models.sort_by(|a, b| b.1.exchanges.cmp(&a.1.exchanges).then_with(|| a.0.cmp(&b.0)));
        let (named, others) = models.split_at(models.len().min(MODELS_MAX));
        let rest = others.iter().fold(self.unnamed, |sum, (_, taken)| sum.and(*taken));
        let rest = (rest.exchanges > 0).then(|| tokens("", rest, others.len() as u64));
        named.iter().map(|(name, taken)| tokens(name, *taken, 0)).chain(rest).collect()
    }
}

/// Models of a campaign that are counted apart: callers choose what stands there, so there may be any number.
const MODELS_COUNTED_MAX: usize = 1024;
/// Accounts from this probability on are members.
const MEMBER_MIN: f64 = 0.5;

#[cfg(test)]
mod tests {
    use super::*;
    use exchange::{Exchange, Notes};

    /// The signals of one request of `account`.
    fn signals(account: &str, text: &str) -> Signals {
        let record = format!(
            r#"{{"time":"2026-07-20T12:00:00Z","account":"{account}","request":{{"messages":[{{"role":"user","content":"{text}"}}]}}}}"#
        );
        let mut signals = None;
        let mut sink = |exchange: Exchange<'_>| signals = Some(signals::of(&exchange));
        exchange::read_exchanges(&record, &mut Notes::default(), &mut sink).unwrap();
        signals.unwrap()
    }

    const WORK: &str = "Write down every step of the way before you give the answer to this: what is a hydra";
    const COVER: &str = "My neighbour wants to know how long a pot of soup may stand on the stove";

    fn trace(templates: Vec<Template>) -> Trace {
        let mut trace = Trace::default();
        trace.add(Traced { campaign: "cmp_1".into(), templates }, ["a", "b"].into_iter());
        trace
    }

    #[test]
    fn work_is_told_from_cover_and_members_from_others() {
        let core = signals("a", WORK).prints.iter().map(|print| print.key).collect();
        let trace = trace(vec![Template { core, needed: 3 }]);
        assert_eq!(trace.campaign(&signals("a", WORK)), Some("cmp_1"));
        assert_eq!(trace.campaign(&signals("a", COVER)), None);
        assert_eq!(trace.campaign(&signals("c", WORK)), None);
    }

    #[test]
    fn models_are_counted_up_to_their_limit_and_the_rest_together() {
        let trace = trace(Vec::new());
        let mut recount = Recount::new(&trace, &Findings::default());
        for model in 0..=MODELS_COUNTED_MAX as u64 {
            let mut signals = signals("a", COVER);
            (signals.model, signals.model_name) = (Some(Hash(model)), format!("m{model}").into());
            assert_eq!(recount.count(&signals), Some("cmp_1"));
        }
        let again = &recount.campaigns["cmp_1"];
        assert_eq!((again.models.len(), again.unnamed.exchanges), (MODELS_COUNTED_MAX, 1));
        let models = again.models(MODELS_COUNTED_MAX as u64 + 1);
        assert_eq!(models.len(), MODELS_MAX + 1);
        let rest = models.last().unwrap();
        assert_eq!((rest.model.as_str(), rest.others), ("", (MODELS_COUNTED_MAX - MODELS_MAX) as u64));
        assert!((models.iter().map(|model| model.share).sum::<f64>() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn without_a_template_all_that_members_send_belongs() {
        let trace = trace(Vec::new());
        assert_eq!(trace.campaign(&signals("b", COVER)), Some("cmp_1"));
        assert_eq!(trace.campaign(&signals("c", COVER)), None);
    }

    #[test]
    fn an_exchange_belongs_to_the_surest_campaign_that_it_fits() {
        let core = signals("a", WORK).prints.iter().map(|print| print.key).collect();
        let mut templates = trace(vec![Template { core, needed: 3 }]);
        let everything = || Traced { campaign: "cmp_2".into(), templates: Vec::new() };
        templates.add(everything(), ["b", "c"].into_iter());
        for (account, text, expected) in
            [("b", WORK, Some("cmp_1")), ("b", COVER, Some("cmp_2")), ("a", COVER, None), ("c", WORK, Some("cmp_2"))]
        {
            assert_eq!(templates.campaign(&signals(account, text)), expected, "{account}: {text}");
        }
        let mut trace = trace(Vec::new());
        trace.add(everything(), ["b", "c"].into_iter());
        let campaigns = ["a", "b", "c"].map(|account| trace.campaign(&signals(account, COVER)).unwrap().to_owned());
        assert_eq!(campaigns, ["cmp_1", "cmp_1", "cmp_2"]);
    }
}
