//! Programs and groups that ask alike without being a campaign.
//!
//! Promises that what is fixed (a product's system prompt, a job's instructions, a benchmark's question, an exercise) is
//! the same text for the same seed, and what is not varies with the generator given.

use rand::{Rng, RngExt};

use super::language::Language;
use super::long::{documents, paste, rules};
use super::script::{Layout, Script};
use crate::draw::{mix, stream};

/// What an end user of the SaaS product `seed` asks: one of [`PRODUCTS`] in a wording of its own.
pub(crate) fn product<R: Rng>(seed: u64, rng: &mut R) -> Script {
    let kind = seed % PRODUCTS;
    let [system, user] = ["system", "user"].map(|part| format!("product{kind}_{part}"));
    let mut scene = Language::English.scene(&system, seed, rng.random());
    let fixed = scene.draw(&system, &mut stream(seed, &[FIXED]));
    let prompt = scene.draw(&user, rng);
    let mut script = Script::ask(&mut scene, prompt, Layout::Prose, rng);
    script.system = Some(format!("{fixed}\n\n{}", rules(seed, PRODUCT_RULES)));
    script
}

/// One item of the nightly job `seed`: the same instructions over another text.
pub(crate) fn batch_job<R: Rng>(seed: u64, item: u64, rng: &mut R) -> Script {
    let kind = seed % JOBS;
    let mut own = stream(seed, &[ITEM, item]);
    let mut scene = Language::English.scene("batch0_item", seed, own.random());
    let mut text = scene.draw(&format!("batch{kind}_item"), &mut own);
    // Rows of a data set are as long as its texts are.
    if mix(seed, &[FIXED]).is_multiple_of(2) {
        text = format!("{text}\n\n{}", paste(&mut scene, "pasted", documents(&mut own), &mut own));
    }
    let instructions = scene.draw(&format!("batch{kind}_instructions"), &mut stream(seed, &[FIXED]));
    // The remainder is below a usize.
    let layout = JOB_ANSWERS.get(kind as usize).map_or(Layout::Prose, |answer| Layout::Exact(answer));
    if seed.is_multiple_of(2) {
        let mut script = Script::ask(&mut scene, text, layout, rng);
        script.system = Some(instructions);
        return script;
    }
    Script::ask(&mut scene, format!("{instructions}\n\n{text}"), layout, rng)
}

/// Question `item` of the public benchmark `seed`.
pub(crate) fn benchmark(seed: u64, item: u64) -> Script {
    let mut own = stream(seed, &[ITEM, item]);
    let mut scene = Language::English.scene("benchmark0", mix(seed, &[item]), own.random());
    let question = scene.draw(&format!("benchmark{}", seed % BENCHMARKS), &mut own);
    let frame = scene.draw("benchmark_frame", &mut stream(seed, &[FIXED]));
    let prompt = if frame == "-" { question } else { format!("{question}\n\n{frame}") };
    let layout = if own.random_bool(0.5) { Layout::Exact("short_answer") } else { Layout::Prose };
    Script::ask(&mut scene, prompt, layout, &mut own)
}

/// What a student of the class `seed` asks about an exercise: in own words, or with the exercise as it was set.
pub(crate) fn class_exercise<R: Rng>(seed: u64, exercise: u64, rng: &mut R) -> Script {
    let kind = mix(seed, &[exercise]) % EXERCISES;
    let mut scene = Language::English.scene("exercise_own", mix(seed, &[ITEM, exercise]), seed);
    let mut fixed = stream(seed, &[FIXED, exercise]);
    let set = scene.draw(&format!("exercise{kind}_set"), &mut fixed);
    let topic = scene.draw(&format!("exercise{kind}_topic"), &mut fixed);
    scene.give("exercise_set", set);
    scene.give("exercise_topic", topic);
    let prompt = scene.draw(if rng.random_bool(0.35) { "exercise_quoted" } else { "exercise_own" }, rng);
    let layout = if rng.random_bool(0.4) { Layout::Code } else { Layout::Prose };
    Script::ask(&mut scene, prompt, layout, rng)
}

/// The prompt of the load test `seed`, over and over.
pub(crate) fn load_test(seed: u64) -> Script {
    let mut fixed = stream(seed, &[FIXED]);
    let mut scene = Language::English.scene("load_test", seed, seed);
    let prompt = scene.draw("load_test", &mut fixed);
    Script::ask(&mut scene, prompt, Layout::Prose, &mut fixed)
}

/// Item `item` of an approved research project: openly asks for worked solutions.
pub(crate) fn research<R: Rng>(seed: u64, item: u64, rng: &mut R) -> Script {
    let mut own = stream(seed, &[ITEM, item]);
    let mut scene = Language::English.scene("research", seed, own.random());
    let question = scene.draw("problem", &mut own);
    scene.give("item", question);
    let prompt = scene.draw("research", &mut stream(seed, &[FIXED]));
    Script::ask(&mut scene, prompt, Layout::Prose, rng)
}

/// How many products there are.
pub(super) const PRODUCTS: u64 = 14;
/// How many nightly jobs there are.
pub(super) const JOBS: u64 = 8;
/// How many styles of benchmark there are.
pub(super) const BENCHMARKS: u64 = 4;
/// How many kinds of exercise there are.
pub(super) const EXERCISES: u64 = 10;
const JOB_ANSWERS: [&str; JOBS as usize] = [
    "batch0_answer",
    "batch1_answer",
    "batch2_answer",
    "batch3_answer",
    "batch4_answer",
    "batch5_answer",
    "batch6_answer",
    "batch7_answer",
];
/// Rules in the system prompt of a product, in the median.
const PRODUCT_RULES: f64 = 10.0;
const FIXED: u64 = 0x6669;
const ITEM: u64 = 0x6974;
