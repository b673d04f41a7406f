//! Conduct: how a cluster's exchanges are sent, apart from what they say.
//!
//! Counted for every cluster and anew for every trial, so that a group under test can be compared with the
//! deployment's own. Fixed size.

use event::{Hash, Signals};
use exchange::Time;
use serde::{Deserialize, Serialize};

/// How exchanges were sent.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Conduct {
    /// How many.
    pub exchanges: u64,
    /// Those that continue a conversation.
    pub follow_ups: u64,
    /// Their decoding settings.
    pub settings: Common,
    /// Those of which tokens were recorded.
    pub metered: u64,
    /// Tokens of requests, as far as they were recorded.
    pub input_tokens: u64,
    /// Tokens of answers, likewise.
    pub output_tokens: u64,
    /// The models asked for, the first few.
    models: Vec<ModelUse>,
    /// Further models, to know how many there are.
    further: Vec<Hash>,
}

impl Conduct {
    /// Counts one exchange.
    pub(crate) fn count(&mut self, signals: &Signals) {
        self.exchanges += 1;
        self.follow_ups += u64::from(signals.follow_up);
        if let Some(settings) = signals.params {
            self.settings.count(settings);
        }
        self.metered += u64::from(signals.input_tokens.is_some() || signals.output_tokens.is_some());
        let (input, output) = (signals.input_tokens.unwrap_or(0), signals.output_tokens.unwrap_or(0));
        self.input_tokens = self.input_tokens.saturating_add(input);
        self.output_tokens = self.output_tokens.saturating_add(output);
        if let Some(model) = signals.model {
            self.count_model(model, signals.time, (input, output));
        }
    }

    /// Lets it weigh half of what it did. Models that were hardly used make room for others.
    pub(crate) fn fade(&mut self) {
        let counts = [&mut self.exchanges, &mut self.follow_ups, &mut self.metered];
        counts.into_iter().for_each(|count| *count /= 2);
        [&mut self.input_tokens, &mut self.output_tokens].into_iter().for_each(|tokens| *tokens /= 2);
        self.settings.fade();
        self.models.iter_mut().for_each(ModelUse::fade);
        self.models.retain(|known| known.exchanges >= 1.0);
        self.further.clear();
    }

    fn count_model(&mut self, model: Hash, time: Time, tokens: (u64, u64)) {
        if let Some(known) = self.models.iter_mut().find(|known| known.model == model) {
            known.count(time, tokens);
        } else if self.models.len() < MODELS_MAX {
            let mut known = ModelUse {
                model,
                exchanges: 0.0,
                input_tokens: 0,
                output_tokens: 0,
                start: time,
                sum: 0.0,
                squares: 0.0,
            };
            known.count(time, tokens);
            // Most groups ask for one model, and there are many groups.
            self.models.reserve_exact(1);
            self.models.push(known);
        } else if self.further.len() < FURTHER_MODELS_MAX && !self.further.contains(&model) {
            self.further.push(model);
        }
    }

    /// How many models were asked for beyond those that are followed, up to [`FURTHER_MODELS_MAX`].
    #[must_use]
    pub(crate) fn further_models(&self) -> u64 {
        self.further.len() as u64
    }

    /// The models asked for, the most used first.
    #[must_use]
    pub(crate) fn models(&self) -> Vec<ModelUse> {
        let mut models = self.models.clone();
        models.sort_by(|a, b| b.exchanges.total_cmp(&a.exchanges).then(a.model.cmp(&b.model)));
        models
    }

    /// The two models that most exchanges asked for.
    #[must_use]
    pub(crate) fn two_models(&self) -> Option<(ModelUse, ModelUse)> {
        let mut models = self.models();
        models.truncate(2);
        models.try_into().ok().map(|[a, b]: [ModelUse; 2]| (a, b))
    }

    /// How a model was used.
    #[must_use]
    pub(crate) fn model(&self, model: Hash) -> Option<ModelUse> {
        self.models.iter().find(|known| known.model == model).copied()
    }
}

/// When a model was asked for.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct ModelUse {
    /// The model.
    pub model: Hash,
    /// Exchanges that asked for it.
    pub exchanges: f64,
    /// Tokens of their requests, as far as they were recorded.
    pub input_tokens: u64,
    /// Tokens of their answers, likewise.
    pub output_tokens: u64,
    start: Time,
    sum: f64,
    squares: f64,
}

impl ModelUse {
    fn count(&mut self, time: Time, (input, output): (u64, u64)) {
        self.input_tokens = self.input_tokens.saturating_add(input);
        self.output_tokens = self.output_tokens.saturating_add(output);
        let days = time.seconds_since(self.start) / 86_400.0;
        self.exchanges += 1.0;
        self.sum += days;
        self.squares += days * days;
    }

    fn fade(&mut self) {
        self.input_tokens /= 2;
        self.output_tokens /= 2;
        [&mut self.exchanges, &mut self.sum, &mut self.squares].into_iter().for_each(|sum| *sum /= 2.0);
    }

    /// The middle of its use in seconds.
    #[must_use]
    pub(crate) fn middle(&self) -> f64 {
        self.start.seconds() as f64 + self.sum / self.exchanges.max(1.0) * 86_400.0
    }

    /// How far its use is spread around that: the standard deviation, in seconds.
    #[must_use]
    pub(crate) fn spread(&self) -> f64 {
        let (mean, count) = (self.sum / self.exchanges.max(1.0), self.exchanges.max(1.0));
        (self.squares / count - mean * mean).max(0.0).sqrt() * 86_400.0
    }
}

/// The commonest of many values, by the counters of Misra and Gries: what more than one in [`COUNTERS`] has is among them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Common {
    counters: [(u64, u64); COUNTERS],
    total: u64,
}

impl Common {
    fn fade(&mut self) {
        self.counters.iter_mut().for_each(|counter| counter.1 /= 2);
        self.total /= 2;
    }

    fn count(&mut self, value: Hash) {
        self.total += 1;
        if let Some(counter) = self.counters.iter_mut().find(|counter| counter.1 > 0 && counter.0 == value.0) {
            counter.1 += 1;
        } else if let Some(free) = self.counters.iter_mut().find(|counter| counter.1 == 0) {
            *free = (value.0, 1);
        } else {
            self.counters.iter_mut().for_each(|counter| counter.1 -= 1);
        }
    }

    /// At least this share of the values is the commonest one; none when there are too few.
    #[must_use]
    pub(crate) fn share(&self) -> Option<f64> {
        let most = self.counters.iter().map(|counter| counter.1).max()?;
        (self.total >= VALUES_MIN).then(|| most as f64 / self.total as f64)
    }
}

/// Models followed: more than a provider usually has on offer, so that what was taken stands by its name.
pub(crate) const MODELS_MAX: usize = 32;
/// Further models that are told apart, only to say how many there are.
pub(crate) const FURTHER_MODELS_MAX: usize = 64;
/// Counters of the commonest value.
const COUNTERS: usize = 4;
/// Fewer values say nothing about the commonest.
const VALUES_MIN: u64 = 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commonest_value_is_found_among_many() {
        let mut common = Common::default();
        (0..90).for_each(|i| common.count(Hash(if i % 3 == 0 { i } else { 7 })));
        let share = common.share().unwrap();
        assert!((0.5..=0.68).contains(&share), "{share}");
        assert_eq!(Common::default().share(), None);
    }

    #[test]
    fn models_beyond_the_limit_are_not_followed() {
        let mut conduct = Conduct::default();
        for model in (0..=MODELS_MAX as u64).chain([MODELS_MAX as u64]) {
            conduct.count_model(Hash(model), Time::from_seconds(0), (1, 2));
        }
        assert_eq!((conduct.models.len(), conduct.further_models()), (MODELS_MAX, 1));
        let all = (MODELS_MAX + FURTHER_MODELS_MAX) as u64;
        for models in [all, all + 1] {
            let mut conduct = Conduct::default();
            (0..models).for_each(|model| conduct.count_model(Hash(model), Time::from_seconds(0), (0, 0)));
            assert_eq!(conduct.further_models(), FURTHER_MODELS_MAX as u64);
        }
        assert!(conduct.model(Hash(MODELS_MAX as u64)).is_none());
        assert!(
            conduct
                .models
                .iter()
                .all(|known| known.exchanges == 1.0 && (known.input_tokens, known.output_tokens) == (1, 2))
        );
    }

    #[test]
    fn the_use_of_a_model_has_a_middle_and_a_spread() {
        let mut conduct = Conduct::default();
        for (model, day) in [(1, 0), (1, 2), (2, 10), (2, 10), (2, 10)] {
            conduct.count_model(Hash(model), Time::from_seconds(day * 86_400), (0, 0));
        }
        let (most, second) = conduct.two_models().unwrap();
        assert_eq!((most.model, second.model), (Hash(2), Hash(1)));
        assert_eq!((second.middle(), second.spread()), (86_400.0, 86_400.0));
        assert_eq!((most.middle(), most.spread()), (864_000.0, 0.0));
    }
}
