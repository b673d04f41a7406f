//! Which exchanges belong to a campaign, once it is known: for a second pass over the same records.
//!
//! An account with cover traffic sends a campaign's requests among others. Its exchange belongs to the campaign when it shows
//! as much of one of the campaign's templates as an exchange needs to match it. Of a campaign that was found by
//! infrastructure alone no template is known, and every exchange of its members belongs. Exchanges of accounts that are no
//! members never do, whatever they show.

use std::collections::{BTreeMap, BTreeSet};

use signals::Signals;

/// What is needed to tell.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trace {
    campaigns: Vec<Traced>,
    /// The campaign of each member, by the account's id.
    members: BTreeMap<Box<str>, usize>,
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
    /// Adds a campaign with its members. An account stays with the first campaign that has it, the surest.
    pub(crate) fn add<'a>(&mut self, traced: Traced, members: impl Iterator<Item = &'a str>) {
        let number = self.campaigns.len();
        self.campaigns.push(traced);
        for account in members {
            self.members.entry(account.into()).or_insert(number);
        }
    }

    /// The campaign that an exchange belongs to.
    #[must_use]
    pub fn campaign(&self, signals: &Signals) -> Option<&str> {
        let traced = self.campaigns.get(*self.members.get(&*signals.account)?)?;
        let shows = |template: &Template| {
            let shown: BTreeSet<u64> =
                signals.prints.iter().map(|print| print.key).filter(|key| template.core.contains(key)).collect();
            shown.len() as u64 >= u64::from(template.needed)
        };
        (traced.templates.is_empty() || traced.templates.iter().any(shows)).then_some(traced.campaign.as_str())
    }
}

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
        let mut sink = |exchange: Exchange<'_>| signals = Some(Signals::of(&exchange));
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
    fn without_a_template_all_that_members_send_belongs() {
        let trace = trace(Vec::new());
        assert_eq!(trace.campaign(&signals("b", COVER)), Some("cmp_1"));
        assert_eq!(trace.campaign(&signals("c", COVER)), None);
    }

    #[test]
    fn an_account_stays_with_the_surest_campaign() {
        let mut trace = trace(Vec::new());
        trace.add(Traced { campaign: "cmp_2".into(), templates: Vec::new() }, ["b", "c"].into_iter());
        let campaigns = ["a", "b", "c"].map(|account| trace.campaign(&signals(account, COVER)).unwrap().to_owned());
        assert_eq!(campaigns, ["cmp_1", "cmp_1", "cmp_2"]);
    }
}
