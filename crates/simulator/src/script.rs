//! What is asked: the text of a planned request.
//!
//! The same request has the same text whenever it is made: text depends on the account, the session and the item, never
//! on what was made before it. With corpora, rows stand in for own text where there are any for the role. [`frame`] puts
//! around it what the deployment and the campaign put around everything.

mod frame;

use std::borrow::Cow;

use exchange::Role;
use rand::Rng;

use crate::asked::{Asked, message};
use crate::corpora::Corpora;
use crate::draw::{mix, pick, stream};
use crate::plan::{Account, Arrival, Work, template_seed};
use crate::scenario::{Campaign, Harvest, Language, Scenario, WordedBy};
use crate::text::{self, Persona, Script, Template};

/// Everybody's texts.
pub(crate) struct Scripts<'a> {
    scenario: &'a Scenario,
    corpora: &'a Corpora,
    /// For each campaign its template, in each wording.
    templates: Vec<Vec<Template>>,
}

impl<'a> Scripts<'a> {
    pub(crate) fn new(scenario: &'a Scenario, corpora: &'a Corpora) -> Scripts<'a> {
        let template = |(number, campaign): (u32, &Campaign)| {
            let Some(harvest) = campaign.harvest.template() else { return Vec::new() };
            let seed = template_seed(scenario.seed, Work::Campaign(number));
            let own = campaign.language;
            let other = if own == Language::Chinese { Language::English } else { Language::Chinese };
            let wording = |wording: u32| {
                let mut rng = if wording == 0 { stream(seed, &[]) } else { stream(seed, &[wording.into()]) };
                let language = if wording.is_multiple_of(2) { own } else { other };
                // Techniques are told apart by their number, wordings by their randomness.
                let which = (campaign.harvest == Harvest::Techniques).then_some(wording);
                Template::draw(harvest, language.into(), campaign.variation, which, &mut rng)
            };
            (0..campaign.wordings).map(wording).collect()
        };
        let templates = (0..).zip(&scenario.campaigns).map(template).collect();
        Scripts { scenario, corpora, templates }
    }

    /// The text of one request.
    pub(crate) fn asked(&self, account: &Account, arrival: &Arrival) -> Asked<'a> {
        let asked = self.corpora.asked(self.scenario, account, arrival, &|arrival| self.own(account, arrival));
        frame::framed(self.scenario, account, arrival, asked)
    }

    /// The request in own words.
    fn own(&self, account: &Account, arrival: &Arrival) -> Asked<'a> {
        // A conversation that goes on after its script is through turns to something else.
        let mut turn = usize::from(arrival.turn);
        for part in 0..u64::from(arrival.turn) + 1 {
            let script = self.script(account, arrival, part);
            let length = script.turns.len().max(1);
            if turn < length {
                return Asked::turn(script, turn);
            }
            turn -= length;
        }
        Asked::turn(Script::default(), 0)
    }

    fn script(&self, account: &Account, arrival: &Arrival, part: u64) -> Script {
        let seed = template_seed(self.scenario.seed, arrival.work);
        let mut rng = stream(account.seed, &[seed, arrival.session.into(), arrival.serial.into(), part]);
        let language = account.language.into();
        let persona = || Persona::draw(language, &mut stream(account.seed, &[PERSONA]));
        let item = u64::from(arrival.serial);
        match arrival.work {
            Work::Chat => text::chat(language, &persona(), &mut rng),
            Work::Coding => text::coding(&persona(), &mut rng),
            Work::Product(_) => text::product(seed, &mut rng),
            Work::Agent(_) => text::public_agent(seed, &persona(), &mut rng),
            Work::Batch(_) => text::batch_job(seed, mix(account.seed, &[item]), &mut rng),
            Work::Benchmark(_) => text::benchmark(seed, item),
            Work::Class(_) => text::class_exercise(seed, item, &mut rng),
            Work::Hackathon(_) => text::hackathon(seed, &persona(), &mut rng),
            Work::LoadTest(_) => text::load_test(seed),
            Work::Research(_) => text::research(seed, item, &mut rng),
            Work::Habit(habit, _) => text::habit(habit, seed, &persona(), item, &mut rng),
            Work::Campaign(number) => self.campaign(number, account, arrival, &mut rng),
        }
    }

    fn campaign(&self, number: u32, account: &Account, arrival: &Arrival, rng: &mut impl Rng) -> Script {
        let Some(campaign) = self.scenario.campaigns.get(number as usize) else { return Script::default() };
        let wordings = self.templates.get(number as usize).map_or([].as_slice(), Vec::as_slice);
        let item = u64::from(arrival.serial);
        if let Some(template) = wording(campaign, wordings, account, arrival, rng) {
            return template.request(item, rng);
        }
        let (seed, language) = (template_seed(self.scenario.seed, arrival.work), campaign.language.into());
        match campaign.harvest {
            Harvest::Paraphrases => text::paraphrase(seed, item, rng),
            Harvest::Instructions => text::instruction(language, seed, item, rng),
            Harvest::Relay => {
                // The conversation is that of somebody behind the product, whichever account carries it.
                let mut own = stream(seed, &[PERSONA, item]);
                let persona = Persona::draw(language, &mut own);
                let mut talk = stream(seed, &[PERSONA, item, arrival.session.into()]);
                text::relayed(seed, &persona, language, &mut talk)
            }
            // Without a template every item is a prompt as somebody else would write it.
            _ => {
                let mut own = stream(seed, &[item]);
                let persona = Persona::draw(language, &mut own);
                let mut script = text::chat(language, &persona, &mut own);
                script.turns.truncate(1);
                script
            }
        }
    }
}

/// The wording of the template that a request takes; `None` where there is no template.
fn wording<'t>(
    campaign: &Campaign,
    wordings: &'t [Template],
    account: &Account,
    arrival: &Arrival,
    rng: &mut impl Rng,
) -> Option<&'t Template> {
    let items = f64::from(campaign.accounts) * campaign.requests;
    let decided = campaign.probing > 0.0 && f64::from(arrival.serial) >= campaign.probing * items;
    let open = if decided { wordings.get(..WINNERS).unwrap_or(wordings) } else { wordings };
    match (open, campaign.worded_by) {
        ([only], _) => Some(only),
        (several, WordedBy::Request) => pick(rng, several),
        (several, WordedBy::Account) => pick(&mut stream(account.seed, &[WORDING]), several),
    }
}

impl Asked<'_> {
    /// The request at `turn`, which carries what was said before.
    fn turn(script: Script, turn: usize) -> Self {
        let mut messages = Vec::with_capacity(turn * 2 + 1);
        let mut answer = String::new();
        for (number, said) in script.turns.into_iter().take(turn + 1).enumerate() {
            if number > 0 {
                messages.push(message(Role::Assistant, std::mem::take(&mut answer)));
            }
            messages.push(message(Role::User, said.prompt));
            answer = said.answer;
        }
        Asked {
            system: script.system.map(Cow::Owned),
            messages,
            tools: script.tools,
            answer: answer.into(),
            reasoning: script.reasoning.map(Cow::Owned),
        }
    }
}

impl Harvest {
    /// What texts there are for it; none for prompts without a template.
    fn template(self) -> Option<text::Harvest> {
        Some(match self {
            Harvest::ReasoningTrace => text::Harvest::ReasoningTrace,
            Harvest::Grading => text::Harvest::Grading,
            Harvest::DataGeneration => text::Harvest::DataGeneration,
            Harvest::ToolUse => text::Harvest::ToolUse,
            Harvest::Coding => text::Harvest::Coding,
            Harvest::Logits => text::Harvest::Logits,
            Harvest::TraceCleaning => text::Harvest::TraceCleaning,
            Harvest::Translation => text::Harvest::Translation,
            Harvest::InjectedPhrase => text::Harvest::InjectedPhrase,
            Harvest::Techniques => text::Harvest::Technique,
            Harvest::HumanPrompts | Harvest::Paraphrases | Harvest::Instructions | Harvest::Relay => return None,
        })
    }
}

impl From<Language> for text::Language {
    fn from(language: Language) -> Self {
        match language {
            Language::English => Self::English,
            Language::Chinese => Self::Chinese,
            Language::Spanish => Self::Spanish,
            Language::German => Self::German,
            Language::Japanese => Self::Japanese,
        }
    }
}

const PERSONA: u64 = 0x7065;
const WORDING: u64 = 0x776f;
/// Wordings that are kept after all have been tried.
const WINNERS: usize = 3;
