//! People: who has habits, and what they ask.
//!
//! Promises that a [`Persona`] keeps its interests, its project and its way of typing over all its conversations. A
//! conversation has at most [`TURNS_MAX`] turns.

use rand::{Rng, RngExt};

use super::grammar::Scene;
use super::language::Language;
use super::long::{documents, paste, rules};
use super::script::{Layout, Script, Turn, answer, thought};
use crate::draw::{mix, pick, stream};

/// Somebody's habits.
#[derive(Clone, Debug)]
pub(crate) struct Persona {
    language: Language,
    /// Names what is the person's own: project, files, phrases.
    seed: u64,
    domains: Vec<u64>,
    typing: Typing,
    /// How likely a conversation goes on after a turn.
    turns_mean: f64,
    /// The share of conversations that begin with something pasted.
    pastes: f64,
}

/// How somebody types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Typing {
    Careful,
    /// Sometimes two letters change places.
    Hasty,
    /// No capitals, no full stop at the end.
    Lower,
}

impl Persona {
    /// Somebody who writes in `language`.
    pub(crate) fn draw<R: Rng>(language: Language, rng: &mut R) -> Persona {
        let interests = rng.random_range(2..5);
        Persona {
            language,
            seed: rng.random(),
            domains: (0..interests).map(|_| rng.random()).collect(),
            typing: *pick(rng, TYPING).unwrap_or(&Typing::Careful),
            turns_mean: rng.random_range(0.0..0.9),
            pastes: rng.random_range(0.0..0.45),
        }
    }

    /// Names what is the person's own.
    pub(super) fn seed(&self) -> u64 {
        self.seed
    }

    /// A scene of `owner` in one of the person's subjects.
    pub(super) fn scene<R: Rng>(&self, entry: &str, owner: u64, rng: &mut R) -> Scene<'static> {
        let domain = pick(rng, &self.domains).copied().unwrap_or(0);
        self.language.scene(entry, owner, domain)
    }

    fn turns<R: Rng>(&self, rng: &mut R) -> usize {
        1 + (1..TURNS_MAX).take_while(|_| rng.random_bool(self.turns_mean)).count()
    }

    fn typed<R: Rng>(&self, text: String, rng: &mut R) -> String {
        match self.typing {
            Typing::Careful => text,
            // Pasted blocks stay as they are.
            _ if text.contains("```") => text,
            Typing::Lower => text.trim_end_matches('.').to_lowercase(),
            Typing::Hasty => text.split(' ').map(|word| hasty(word, rng)).collect::<Vec<_>>().join(" "),
        }
    }

    /// Files of the person's project.
    pub(super) fn files<R: Rng>(&self, rng: &mut R) -> String {
        let mut scene = self.scene("code_answer", self.seed, rng);
        (0..documents(rng)).map(|_| scene.draw("code_answer", rng)).collect::<Vec<_>>().join("\n\n")
    }

    /// A conversation from the rules `open`, then `follow`.
    fn talk<R: Rng>(&self, open: &str, follow: &str, layout: Layout, rng: &mut R) -> Script {
        let domain = pick(rng, &self.domains).copied().unwrap_or(0);
        let mut scene = self.language.scene(open, self.seed, domain);
        let mut turns = Vec::new();
        for turn in 0..self.turns(rng) {
            let prompt = scene.draw(if turn == 0 { open } else { follow }, rng);
            let mut prompt = self.typed(prompt, rng);
            if turn == 0 && rng.random_bool(self.pastes) {
                let text = match layout {
                    Layout::Code => self.files(rng),
                    _ => papers(self, documents(rng), rng),
                };
                let lead = if rng.random_bool(0.5) { scene.draw("pasted_lead", rng) } else { String::new() };
                prompt =
                    [prompt, lead, text].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n");
            }
            // Somebody who codes gets words now and then, somebody who chats hears little code.
            let layout = if layout == Layout::Code && rng.random_bool(0.3) { Layout::Prose } else { layout };
            turns.push(Turn { prompt, answer: answer(&mut scene, layout, rng) });
        }
        Script { turns, reasoning: Some(thought(&mut scene, rng)), ..Script::default() }
    }
}

/// Documents from the persona's own subjects.
pub(super) fn papers<R: Rng>(persona: &Persona, count: u32, rng: &mut R) -> String {
    let mut scene = persona.scene("pasted", persona.seed(), rng);
    paste(&mut scene, "pasted", count, rng)
}

/// A chat about one of the persona's interests.
pub(crate) fn chat<R: Rng>(language: Language, persona: &Persona, rng: &mut R) -> Script {
    let persona = Persona { language, ..persona.clone() };
    persona.talk("chat", "follow", Layout::Prose, rng)
}

/// A developer's questions about his own project.
pub(crate) fn coding<R: Rng>(persona: &Persona, rng: &mut R) -> Script {
    let mut script = persona.talk("code", "code_follow", Layout::Code, rng);
    // Whether the editor sends tools along is a habit too.
    if persona.seed.is_multiple_of(3) {
        script.tools = tools(persona.seed);
    }
    script
}

/// A person's own task under the system prompt of a public agent: one of [`AGENTS`], worded by `seed`.
pub(crate) fn public_agent<R: Rng>(seed: u64, persona: &Persona, rng: &mut R) -> Script {
    let agent = seed % AGENTS;
    let entry = format!("agent{agent}_system");
    let mut script = match agent {
        0..4 => persona.talk("code", "code_follow", Layout::Code, rng),
        _ => persona.talk("chat", "follow", Layout::Prose, rng),
    };
    let mut scene = Language::English.scene(&entry, seed, seed);
    let system = scene.draw(&entry, &mut stream(seed, &[SYSTEM]));
    script.system = Some(format!("{system}\n\n{}", rules(seed, AGENT_RULES)));
    script.tools = tools(mix(seed, &[SYSTEM]));
    script
}

/// A hackathon's project: half of them begin with the starter kit's system prompt.
pub(crate) fn hackathon<R: Rng>(seed: u64, persona: &Persona, rng: &mut R) -> Script {
    let starter = persona.seed.is_multiple_of(2);
    let mut scene = Language::English.scene("hackathon_ask", persona.seed, seed);
    let mut script = if rng.random_bool(0.5) {
        persona.talk("code", "code_follow", Layout::Code, rng)
    } else {
        let prompt = scene.draw("hackathon_ask", rng);
        Script::ask(&mut scene, persona.typed(prompt, rng), Layout::Code, rng)
    };
    let mut event = Language::English.scene("hackathon_system", seed, seed);
    script.system = starter.then(|| event.draw("hackathon_system", &mut stream(seed, &[SYSTEM])));
    script
}

/// The tools that whoever `seed` names has set up.
pub(super) fn tools(seed: u64) -> Vec<&'static str> {
    let mut rng = stream(seed, &[TOOLS_OF]);
    pick(&mut rng, TOOLS).map_or(vec![], |tools| tools.to_vec())
}

fn hasty<R: Rng>(word: &str, rng: &mut R) -> String {
    let mut letters: Vec<char> = word.chars().collect();
    if letters.len() > 4 && letters.iter().all(char::is_ascii_lowercase) && rng.random_bool(0.03) {
        let at = rng.random_range(1..letters.len() - 1);
        letters.swap(at, at + 1);
    }
    letters.into_iter().collect()
}

/// The most turns of a conversation.
pub(super) const TURNS_MAX: usize = 30;
/// Rules in the system prompt of a public agent, in the median.
const AGENT_RULES: f64 = 14.0;
/// How many public agents there are.
pub(super) const AGENTS: u64 = 8;
const TYPING: &[Typing] = &[Typing::Careful, Typing::Careful, Typing::Careful, Typing::Hasty, Typing::Lower];
const TOOLS: &[&[&str]] = &[
    &["read_file", "write_file", "run_command"],
    &["bash", "edit", "search"],
    &["web_search", "open_page"],
    &["search_documents", "create_ticket", "send_message"],
    &["sql_query", "plot_chart"],
    &["list_directory", "read_file", "apply_patch", "run_tests"],
    &["calendar_lookup", "calendar_create", "send_email"],
    &["browser_click", "browser_type", "browser_screenshot"],
    &["calculator"],
    &["get_weather", "get_route", "book_table"],
];
const SYSTEM: u64 = 0x7379;
const TOOLS_OF: u64 = 0x746f;
