//! Tools and occasions that strangers share: a fixed part for all, and what each brings of his own.
//!
//! Promises that the fixed part is the same text for the same seed, and that the rest follows the persona: its subjects,
//! its typing, its length. An occasion (a course, a list) sets the subject for everybody, a tool does not.

use rand::{Rng, RngExt};

use super::campaign;
use super::language::Language;
use super::long::paste;
use super::people::{self, Persona, papers};
use super::script::{Layout, Script};
use crate::draw::{mix, stream};

/// What is shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Habit {
    /// A phrase that many know, somewhere in a prompt of one's own.
    Phrase,
    /// The prompt of a tutorial.
    Tutorial,
    /// A plugin of web sites.
    Plugin,
    /// A digest of feeds.
    Digest,
    /// A product for teams.
    Seat,
    /// A white-label shop assistant.
    Shop,
    /// A course's rubric.
    Rubric,
    /// A labelling exercise.
    Label,
    /// A gallery of prompts.
    Gallery,
    /// A list that everybody runs.
    List,
    /// A bot that reviews changes.
    Review,
}

/// What somebody sends with a habit: `item` is the number of the request or of the list's item.
pub(crate) fn habit<R: Rng>(habit: Habit, seed: u64, persona: &Persona, item: u64, rng: &mut R) -> Script {
    match habit {
        Habit::Phrase => phrase(seed, persona, rng),
        Habit::Tutorial => {
            let text = papers(persona, rng.random_range(1..4), rng);
            ask("tutorial_system", seed, persona, Layout::Prose, |_, _| text, rng)
        }
        Habit::Plugin => {
            let (entry, text) =
                (format!("plugin{}_system", seed % PLUGINS), papers(persona, rng.random_range(2..9), rng));
            ask(&entry, seed, persona, Layout::Prose, |_, _| text, rng)
        }
        Habit::Digest => digest(seed, persona, item, rng),
        Habit::Seat => {
            let mut script = people::chat(Language::English, persona, rng);
            script.system = Some(fixed("seat_system", seed));
            script
        }
        Habit::Shop => shop(seed, persona, rng),
        Habit::Rubric => {
            let text = essay(seed, rng);
            ask("rubric_system", seed, persona, Layout::Exact("verdict"), |_, _| text, rng)
        }
        Habit::Label => {
            let text = essay(seed, rng);
            let mut script = ask("label_prompt", seed, persona, Layout::Exact("short_answer"), |_, _| text, rng);
            let system = script.system.take().unwrap_or_default();
            script.turns.iter_mut().for_each(|turn| turn.prompt = format!("{system}\n\n{}", turn.prompt));
            script
        }
        Habit::Gallery => {
            let mut scene = persona.scene("gallery_prompt", seed, rng);
            let subject = scene.draw("seed_topic", rng);
            let choice = mix(seed, &[rng.random_range(0..GALLERY)]);
            let prompt = format!("{}\n{subject}", scene.draw("gallery_prompt", &mut stream(choice, &[FIXED])));
            Script::ask(&mut scene, prompt, Layout::Prose, rng)
        }
        Habit::List => {
            let mut own = stream(seed, &[ITEM, item]);
            let mut scene = Language::English.scene("list_prompt", seed, own.random());
            scene.give("num3", (item + 1).to_string());
            let frame = scene.draw("list_prompt", &mut stream(seed, &[FIXED]));
            let passage = scene.draw("pasted", &mut own);
            let question = scene.draw("chat_question", &mut own);
            Script::ask(&mut scene, format!("{frame}\n\n{passage}\n\n{question}"), Layout::Exact("short_answer"), rng)
        }
        Habit::Review => {
            let files = persona.files(rng);
            ask("review_system", seed, persona, Layout::Code, |_, _| files, rng)
        }
    }
}

/// A fixed system prompt over something of one's own.
fn ask<R: Rng>(
    entry: &str,
    seed: u64,
    persona: &Persona,
    layout: Layout,
    own: impl FnOnce(&mut super::grammar::Scene<'_>, &mut R) -> String,
    rng: &mut R,
) -> Script {
    let mut scene = persona.scene(entry, seed, rng);
    let prompt = own(&mut scene, rng);
    let mut script = Script::ask(&mut scene, prompt, layout, rng);
    script.system = Some(fixed(entry, seed));
    script
}

/// The part that is the same for all.
fn fixed(entry: &str, seed: u64) -> String {
    Language::English.scene(entry, seed, seed).draw(entry, &mut stream(seed, &[FIXED]))
}

fn phrase<R: Rng>(seed: u64, persona: &Persona, rng: &mut R) -> Script {
    let mut script = people::chat(Language::English, persona, rng);
    let phrase = fixed("habit_phrase", seed);
    for turn in script.turns.iter_mut().take(1) {
        turn.prompt = campaign::inserted(&turn.prompt, &phrase, rng);
    }
    script
}

/// The items of the day: some of feeds that all readers follow, some of one's own.
fn digest<R: Rng>(seed: u64, persona: &Persona, item: u64, rng: &mut R) -> Script {
    let mut items = Vec::new();
    for number in 0..rng.random_range(4..9) {
        let shared = rng.random_bool(0.4);
        let mut news = if shared { stream(seed, &[ITEM, item / 2, number % 3]) } else { stream(rng.random(), &[]) };
        items.push(match shared {
            true => Language::English.scene("pasted", seed, news.random()).draw("paper_article", &mut news),
            false => papers(persona, 1, &mut news),
        });
    }
    ask("digest_system", seed, persona, Layout::Prose, |_, _| items.join("\n\n---\n\n"), rng)
}

/// A customer's question to a shop whose notes the platform puts behind its own rules.
fn shop<R: Rng>(seed: u64, persona: &Persona, rng: &mut R) -> Script {
    let question = persona.scene("shop_user", persona.seed(), rng).draw("shop_user", rng);
    let mut script = ask("shop_system", seed, persona, Layout::Prose, |_, _| question, rng);
    let mut own = stream(persona.seed(), &[ITEM]);
    let mut scene = persona.scene("product0_system", persona.seed(), &mut own);
    let notes = scene.draw("product0_system", &mut own);
    script.system = script.system.map(|system| format!("{system}\n\n{notes}"));
    script
}

/// A text on the course's subject, of somebody's own.
fn essay<R: Rng>(seed: u64, rng: &mut R) -> String {
    let mut scene = Language::English.scene("pasted", rng.random(), seed);
    paste(&mut scene, "paper_article", rng.random_range(1..5), rng)
}

/// How many plugins there are.
pub(super) const PLUGINS: u64 = 4;
const GALLERY: u64 = 6;
const FIXED: u64 = 0x6869;
const ITEM: u64 = 0x686a;
