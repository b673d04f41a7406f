//! One log hunted with every field and without each family of fields, of one reading: what its texts show is worked out once.
//!
//! Promises what hunting the log without the family would find, for logs as the simulator writes them: no record there is a part of
//! another. Without times of day records that say the same on one day would be copies, so that family has to be hunted by itself.

use detect::{Config, Engine, Findings, Order};
use event::{Hash, Signals};
use exchange::{AccountFact, Exchange, Notes, read_account};
use simulator::fields::Fields;

use crate::cli::{Records, Run};
use crate::command::hunt;
use crate::failure::Failure;
use crate::inputs::Inputs;
use crate::{calls, pipeline};

/// The family whose log has to be read by itself.
pub(super) const APART: Fields = Fields::TimeOfDay;

/// The others, for which one reading does.
pub(super) fn together() -> impl Iterator<Item = Fields> {
    Fields::ALL.into_iter().filter(|family| *family != APART)
}

/// What is found without each of `families`. `see` is handed each exchange, with the place of the family that it lacks.
pub(super) fn hunts(
    inputs: &Inputs,
    run: Run,
    families: &[Option<Fields>],
    see: &mut dyn FnMut(usize, &Signals),
) -> Result<Vec<Findings>, Failure> {
    let texts = inputs.accounts.iter().map(|path| std::fs::read_to_string(path).map_err(Failure::unreadable));
    let texts = texts.collect::<Result<Vec<String>, Failure>>()?;
    let lines = texts.iter().flat_map(|text| text.lines());
    let facts = lines
        .map(|line| read_account(line.as_bytes(), &mut Notes::default()).map_err(Failure::unreadable))
        .collect::<Result<Vec<AccountFact<'_>>, Failure>>()?;
    let mut hunts: Vec<Hunt> = families.iter().map(|&family| Hunt::new(run, family, &facts)).collect();
    let mut options = hunt::read_options(&Records::default());
    pipeline::know(inputs, &mut options, facts.iter().map(|fact| fact.account.as_str().into()).collect());
    let make = || |exchange: &Exchange<'_>| each(exchange, families);
    let mut sink = |signals: Vec<Signals>, _| {
        for (place, (hunt, signals)) in hunts.iter_mut().zip(signals).enumerate() {
            see(place, &signals);
            hunt.push(signals);
        }
    };
    calls::each(inputs, &options, hunt::threads(run.threads), &make, &mut |_| {}, &mut sink)
        .map_err(Failure::unreadable)?;
    Ok(hunts.into_iter().map(Hunt::finish).collect())
}

/// One of the hunts.
struct Hunt {
    engine: Engine,
    order: Order<Signals>,
}

impl Hunt {
    fn new(run: Run, family: Option<Fields>, facts: &[AccountFact<'_>]) -> Hunt {
        let mut engine = Engine::new(Config { alpha: run.alpha });
        let facts = facts.iter().cloned();
        let mut facts: Vec<AccountFact<'_>> = match family {
            Some(family) => facts.filter_map(|fact| family.leave_fact(fact)).collect(),
            None => facts.collect(),
        };
        // As they are written: what is left of their times may put them in another order.
        facts.sort_by(|a, b| (a.time, &a.account).cmp(&(b.time, &b.account)));
        facts.iter().for_each(|fact| engine.learn(fact));
        Hunt { engine, order: Order::new(None) }
    }

    fn push(&mut self, signals: Signals) {
        self.order.push(signals.time, signals);
        while let Some(signals) = self.order.ready() {
            self.engine.hunt(&signals);
        }
    }

    fn finish(mut self) -> Findings {
        while let Some(signals) = self.order.next() {
            self.engine.hunt(&signals);
        }
        self.engine.finish()
    }
}

/// What an exchange shows without each of `families`.
fn each(exchange: &Exchange<'_>, families: &[Option<Fields>]) -> Vec<Signals> {
    let whole = signals::of(exchange);
    families
        .iter()
        .map(|family| match family {
            Some(family) => shown_without(*family, exchange, &whole),
            None => whole.clone(),
        })
        .collect()
}

/// What an exchange shows without `family`, which shows `whole` with it.
fn shown_without(family: Fields, exchange: &Exchange<'_>, whole: &Signals) -> Signals {
    let mut exchange = exchange.clone();
    family.leave(&mut exchange);
    match family {
        // Of these the texts tell something.
        Fields::Settings | Fields::Answers => signals::of(&exchange),
        Fields::Network
        | Fields::Client
        | Fields::Sessions
        | Fields::Usage
        | Fields::Payment
        | Fields::Mail
        | Fields::SignUp
        | Fields::Facts
        | Fields::TimeOfDay => Signals {
            time: exchange.time,
            org: exchange.org.as_ref().map(|org| Hash::of(org.as_str())),
            client: signals::client::profile(&exchange.client),
            input_tokens: exchange.usage.input_tokens,
            output_tokens: exchange.usage.output_tokens,
            ..whole.clone()
        },
    }
}

#[cfg(test)]
mod tests {
    use exchange::{Call, ReadOptions, ReadReport, Source, parse_chunk};
    use simulator::{Output, Scenario, simulate};

    use super::*;

    #[test]
    fn every_family_is_hunted_without_in_the_order_in_which_they_are_told() {
        assert!(together().chain([APART]).eq(Fields::ALL));
    }

    #[test]
    fn what_is_shown_without_a_family_is_what_the_record_without_it_shows() {
        let mut scenario = Scenario::by_name("mixed").unwrap();
        scenario.set("honest", "60").unwrap();
        scenario.days = 0.2;
        let (mut records, mut facts, mut labels) = (Vec::new(), Vec::new(), Vec::new());
        let mut output = Output { exchanges: &mut records, accounts: &mut facts, labels: &mut labels };
        simulate(&scenario, None, &mut output).unwrap();
        let mut compared = [0; Fields::ALL.len()];
        let mut compare = |call: Call<'_>, _| {
            let whole = signals::of(&call.exchange);
            for (family, differ) in Fields::ALL.into_iter().zip(&mut compared) {
                let shown = shown_without(family, &call.exchange, &whole);
                let mut left = call.exchange.clone();
                family.leave(&mut left);
                assert_eq!(shown, signals::of(&left), "{family:?}");
                *differ += u32::from(shown != whole);
            }
        };
        for chunk in Source::new("records", records.as_slice()) {
            parse_chunk(&chunk.unwrap(), &ReadOptions::default(), &mut compare, &mut ReadReport::default());
        }
        let differ = |family: Fields| compared[Fields::ALL.iter().position(|other| *other == family).unwrap()] > 100;
        let of_accounts = [Fields::Sessions, Fields::Payment, Fields::Mail, Fields::SignUp];
        for family in Fields::ALL {
            assert_eq!(differ(family), !of_accounts.contains(&family), "{family:?}");
        }
    }
}
