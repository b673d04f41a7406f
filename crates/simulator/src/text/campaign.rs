//! Campaigns: one template over a work list.
//!
//! Promises that a template's item is a matter of template and number alone, and that `variation` is the share of the
//! template's words that a request words anew. No more than about two thirds of the words can be, as articles and the
//! like come again in any wording.

use rand::{Rng, RngExt};

use super::grammar::{Part, RuleId, Scene};
use super::language::Language;
use super::people::{self, Persona};
use super::rewording::{lost, reworded};
use super::script::{Layout, Script};
use crate::draw::{chance, shuffle, stream};

/// What a campaign is after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Harvest {
    /// The model's thinking, step by step.
    ReasoningTrace,
    /// Scores and preferences, for a reward model.
    Grading,
    /// Made-up data in bulk.
    DataGeneration,
    /// Calls of tools.
    ToolUse,
    /// Programs with tests.
    Coding,
    /// Short answers with probabilities.
    Logits,
    /// Raw traces made tidy.
    TraceCleaning,
    /// The same in another language.
    Translation,
    /// Whatever others ask, with one phrase put in.
    InjectedPhrase,
    /// The model's thinking, by one technique of many that have no words in common.
    Technique,
}

/// A campaign's template.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    harvest: Harvest,
    language: Language,
    variation: f64,
    seed: u64,
    parts: Vec<Part>,
    /// Part of the wording goes into the system prompt, up to this part.
    system: Option<usize>,
}

impl Harvest {
    /// Every harvest.
    #[cfg(test)]
    pub(super) const ALL: [Harvest; 10] = [
        Harvest::ReasoningTrace,
        Harvest::Grading,
        Harvest::DataGeneration,
        Harvest::ToolUse,
        Harvest::Coding,
        Harvest::Logits,
        Harvest::TraceCleaning,
        Harvest::Translation,
        Harvest::InjectedPhrase,
        Harvest::Technique,
    ];

    /// The rules of its template and of its items, and how it is answered.
    fn rules(self) -> (&'static str, &'static str, Layout) {
        match self {
            Harvest::ReasoningTrace => ("trace", "problem", Layout::Prose),
            Harvest::Grading => ("grading", "graded", Layout::Exact("verdict")),
            Harvest::DataGeneration => ("data", "seed_topic", Layout::Prose),
            Harvest::ToolUse => ("tool_use", "errand", Layout::Prose),
            Harvest::Coding => ("programming", "programming_task", Layout::Code),
            Harvest::Logits => ("logits", "short_question", Layout::Exact("short_answer")),
            Harvest::TraceCleaning => ("cleaning", "raw_notes", Layout::Prose),
            Harvest::Translation => ("translation", "passage", Layout::Prose),
            Harvest::InjectedPhrase => ("phrase", "item", Layout::Prose),
            Harvest::Technique => ("lure", "problem", Layout::Prose),
        }
    }
}

impl Template {
    /// A template in `language`; `variation` from 0, verbatim, to 1. With `which`, the alternative of this number.
    pub(crate) fn draw<R: Rng>(
        harvest: Harvest,
        language: Language,
        variation: f64,
        which: Option<u32>,
        rng: &mut R,
    ) -> Template {
        let (template, ..) = harvest.rules();
        let seed = rng.random();
        let mut scene = language.scene(template, seed, seed);
        let parts = scene.parts(template, which, rng);
        // Long instructions before the item are sometimes sent as a system prompt.
        let item = scene.rule("item");
        let before = parts.iter().position(|part| part.rule == item && item.is_some());
        let system = before.filter(|&before| before > 2 && rng.random_bool(0.25));
        Template { harvest, language, variation: variation.clamp(0.0, 1.0), seed, parts, system }
    }

    /// The request for item `item` of the campaign's work list.
    pub(crate) fn request<R: Rng>(&self, item: u64, rng: &mut R) -> Script {
        let (template, items, layout) = self.harvest.rules();
        let mut own = stream(self.seed, &[item]);
        if self.harvest == Harvest::InjectedPhrase {
            return self.injected(&mut own, rng);
        }
        let mut scene = self.language.scene(template, self.seed, own.random());
        let content = scene.draw(items, &mut own);
        let place = scene.rule("item");
        let worded = self.worded(&mut scene, rng);
        let text = |parts: &[Part]| {
            let text = |part: &Part| if part.rule == place { content.clone() } else { part.text.clone() };
            parts.iter().map(text).collect::<String>().trim().to_owned()
        };
        let (system, prompt) = worded.split_at(self.system.unwrap_or(0).min(worded.len()));
        let prompt = self.framed(&mut scene, text(prompt), rng);
        let mut script = Script::ask(&mut scene, prompt, layout, rng);
        script.system = self.system.map(|_| text(system));
        if self.harvest == Harvest::ToolUse {
            script.tools = people::tools(self.seed);
        }
        script
    }

    /// Somebody's prompt, with the phrase before it, after it or between two of its sentences.
    fn injected<R: Rng>(&self, own: &mut impl Rng, rng: &mut R) -> Script {
        let persona = Persona::draw(self.language, own);
        let mut script = people::chat(self.language, &persona, own);
        script.turns.truncate(1);
        let mut scene = self.language.scene("phrase", self.seed, 0);
        let phrase: String = self.worded(&mut scene, rng).into_iter().map(|part| part.text).collect();
        for turn in &mut script.turns {
            turn.prompt = inserted(&turn.prompt, &phrase, rng);
        }
        script
    }

    /// The template's parts, with the wanted share of words worded anew.
    fn worded<R: Rng>(&self, scene: &mut Scene, rng: &mut R) -> Vec<Part> {
        let mut parts = self.parts.clone();
        let place = scene.rule("item");
        let fixed = |part: &Part| part.rule != place;
        let words = |part: &Part| lost(self.language, &part.text, "");
        let total: usize = parts.iter().filter(|part| fixed(part)).map(words).sum();
        let mut left = self.variation * total as f64;
        if left <= 0.0 {
            return parts;
        }
        // Half of it in other sentences, the rest in other words.
        let mut order: Vec<usize> = (0..parts.len()).collect();
        shuffle(rng, &mut order);
        let sentences = if self.variation > 0.6 { left } else { left / 2.0 };
        let mut spent = 0.0;
        for &at in &order {
            let Some(part) = parts.get_mut(at) else { continue };
            let Some(rule) = part.rule.filter(|rule| Some(*rule) != place) else { continue };
            if spent + words(part) as f64 * 0.7 > sentences {
                continue;
            }
            let other = scene.draw_rule(rule, rng);
            spent += lost(self.language, &part.text, &other) as f64;
            part.text = other;
        }
        left -= spent;
        // Part by part, each its share, so that the words are spread over the whole.
        let mut open: usize = total;
        for &at in &order {
            let Some(part) = parts.get_mut(at).filter(|part| fixed(part)) else { continue };
            let here = words(part);
            let share = left * here as f64 / open.max(1) as f64;
            open -= here.min(open);
            let goal = share.floor() as usize + usize::from(chance(rng, share.fract()));
            let (other, changed) = reworded(self.language, &part.text, goal, rng);
            part.text = other;
            left -= changed as f64;
        }
        self.reorder(&mut parts, rng);
        parts
    }

    /// Lets parts of the same rule change places.
    fn reorder<R: Rng>(&self, parts: &mut [Part], rng: &mut R) {
        if !chance(rng, self.variation) {
            return;
        }
        let rules: Vec<Option<RuleId>> = parts.iter().map(|part| part.rule).collect();
        for (at, rule) in rules.iter().enumerate().filter(|(_, rule)| rule.is_some()) {
            let alike: Vec<usize> = (at..rules.len()).filter(|&other| rules.get(other) == Some(rule)).collect();
            if let Some(&other) = crate::draw::pick(rng, &alike) {
                parts.swap(at, other);
            }
        }
    }

    /// With a word before and after, now and then.
    fn framed<R: Rng>(&self, scene: &mut Scene, prompt: String, rng: &mut R) -> String {
        let mut framed = prompt;
        if chance(rng, self.variation * 0.4) {
            framed = format!("{} {framed}", scene.draw("opening", rng));
        }
        if chance(rng, self.variation * 0.4) {
            framed = format!("{framed}\n\n{}", scene.draw("closing", rng));
        }
        framed
    }
}

/// Item `item` of a work list, with what is wanted of it put in other words each time.
pub(crate) fn paraphrase<R: Rng>(seed: u64, item: u64, rng: &mut R) -> Script {
    let mut own = stream(seed, &[item]);
    let mut scene = Language::English.scene("fresh", rng.random(), own.random());
    let content = scene.draw("problem", &mut own);
    scene.give("item", content);
    let prompt = scene.draw("fresh", rng);
    Script::ask(&mut scene, prompt, Layout::Prose, rng)
}

/// Instruction `item` of a training set: direct, without anything around it.
pub(crate) fn instruction<R: Rng>(language: Language, seed: u64, item: u64, rng: &mut R) -> Script {
    let mut own = stream(seed, &[item]);
    let mut scene = language.scene("direct", seed, own.random());
    let prompt = scene.draw("direct", &mut own);
    Script::ask(&mut scene, prompt, Layout::Prose, rng)
}

/// What somebody asks who uses the product that stands in front, under that product's system prompt.
pub(crate) fn relayed<R: Rng>(seed: u64, persona: &Persona, language: Language, rng: &mut R) -> Script {
    let mut script = people::chat(language, persona, rng);
    let mut scene = Language::English.scene("relay_system", seed, seed);
    script.system = Some(scene.draw("relay_system", &mut stream(seed, &[])));
    script
}

/// `phrase` at a random boundary of `prompt`'s sentences.
pub(super) fn inserted<R: Rng>(prompt: &str, phrase: &str, rng: &mut R) -> String {
    let ends: Vec<usize> =
        prompt.match_indices(['.', '?', '!', '。', '？', '\n']).map(|(at, end)| at + end.len()).collect();
    let inner = |&at: &usize| {
        let after = prompt.get(at..).unwrap_or_default();
        !after.is_empty()
            && (after.starts_with([' ', '\n']) || prompt.get(..at).is_some_and(|s| s.ends_with(['。', '？'])))
    };
    let places: Vec<usize> = [0, prompt.len()].into_iter().chain(ends.into_iter().filter(inner)).collect();
    let place = crate::draw::pick(rng, &places).copied().unwrap_or(0);
    let (before, after) = prompt.split_at_checked(place).unwrap_or(("", prompt));
    let gap = if phrase.is_ascii() { " " } else { "" };
    let parts = [before.trim_end_matches(' '), phrase, after.trim_start_matches(' ')];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(gap)
}
