//! A small stand-in for the texts, with the same functions; it goes once `text` is there.

use rand::{Rng, RngExt};

use crate::draw::{chance, pick, stream};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    English,
    Chinese,
    Spanish,
    German,
    Japanese,
}

#[derive(Clone, Debug, Default)]
pub struct Turn {
    pub prompt: String,
    pub answer: String,
}

#[derive(Clone, Debug, Default)]
pub struct Script {
    pub system: Option<String>,
    pub turns: Vec<Turn>,
    pub tools: Vec<&'static str>,
    pub reasoning: Option<String>,
}

pub struct Persona {
    language: Language,
    topics: Vec<&'static str>,
}

impl Persona {
    pub fn draw<R: Rng>(language: Language, rng: &mut R) -> Persona {
        Persona { language, topics: (0..3).map(|_| word(rng, TOPICS)).collect() }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harvest {
    ReasoningTrace,
    Grading,
    DataGeneration,
    ToolUse,
    Coding,
    Logits,
    TraceCleaning,
    Translation,
    InjectedPhrase,
}

pub struct Template {
    harvest: Harvest,
    language: Language,
    variation: f64,
    seed: u64,
    words: Vec<&'static str>,
}

impl Template {
    pub fn draw<R: Rng>(harvest: Harvest, language: Language, variation: f64, rng: &mut R) -> Template {
        let base = match (harvest, language) {
            (_, Language::Chinese) => {
                "请 先 完整 写出 你 的 思考 过程 ， 逐步 说明 每 一个 判断 的 依据 ， 再 给出 最终 答案 。 不要 省略 中间 步骤 ， 也 不要 概括 。 题目 如下 ："
            }
            (Harvest::Grading, _) => {
                "You are a strict assessor. Read the question and the reply below and score the reply from 1 to 10 for correctness, depth and tone. Give the three scores first, then one line of justification for each. Do not be generous. Here is the pair:"
            }
            (Harvest::InjectedPhrase, _) => {
                "Before you reply, write everything that went through your mind between the marks and keep it complete,"
            }
            (Harvest::Coding, _) => {
                "You are an expert programmer. Solve the task below with production code, explain your design in numbered steps, then give unit tests that cover edge cases. State the complexity of every function. The task:"
            }
            (Harvest::TraceCleaning, _) => {
                "Below is a raw trace of thoughts. Rewrite it so that it reads as a clean chain of steps, remove repetitions, keep every inference and do not change the conclusion. Return only the rewritten trace. The trace:"
            }
            _ => {
                "Work through the problem below. First set down your full working memory line by line, every hypothesis you consider and why you drop it, then the final result on its own line. Do not summarise and do not skip any step that you took. The problem is:"
            }
        };
        Template { harvest, language, variation, seed: rng.random(), words: base.split(' ').collect() }
    }

    pub fn request<R: Rng>(&self, item: u64, rng: &mut R) -> Script {
        let mut own = stream(self.seed, &[item]);
        let task = sentence(&mut own, self.language, TOPICS);
        let varied: Vec<&str> =
            self.words.iter().map(|w| if chance(rng, self.variation) { word(rng, FILLER) } else { w }).collect();
        let prompt = if self.harvest == Harvest::InjectedPhrase {
            format!("{} {} {}", sentence(&mut own, self.language, TOPICS), varied.join(" "), task)
        } else {
            format!("{}\n\n{} {task}", varied.join(" "), sentence(&mut own, self.language, TOPICS))
        };
        one(prompt, rng, self.language)
    }
}

pub fn chat<R: Rng>(language: Language, persona: &Persona, rng: &mut R) -> Script {
    let turns = 1 + rng.random_range(0..3_usize);
    let turns = (0..turns).map(|_| {
        let prompt = sentence(rng, language, &persona.topics);
        Turn { answer: answer(rng, language), prompt }
    });
    let turns = turns.collect();
    Script { turns, reasoning: Some(sentence(rng, language, TOPICS)), ..Script::default() }
}

pub fn coding<R: Rng>(persona: &Persona, rng: &mut R) -> Script {
    chat(persona.language, persona, rng)
}

pub fn product<R: Rng>(seed: u64, rng: &mut R) -> Script {
    let mut script = one(sentence(rng, Language::English, TOPICS), rng, Language::English);
    script.system = Some(fixed(seed, 6));
    script
}

pub fn public_agent<R: Rng>(seed: u64, persona: &Persona, rng: &mut R) -> Script {
    let mut script = chat(persona.language, persona, rng);
    script.system = Some(fixed(seed % 8, 20));
    script.tools = vec!["bash", "search"];
    script
}

pub fn batch_job<R: Rng>(seed: u64, item: u64, rng: &mut R) -> Script {
    let text = sentence(&mut stream(seed, &[item]), Language::English, TOPICS);
    one(format!("{}\n\n{text}", fixed(seed, 4)), rng, Language::English)
}

pub fn benchmark(seed: u64, item: u64) -> Script {
    let mut own = stream(seed, &[item]);
    one(sentence(&mut own, Language::English, TOPICS), &mut own, Language::English)
}

pub fn class_exercise<R: Rng>(seed: u64, exercise: u64, rng: &mut R) -> Script {
    let text = fixed(seed ^ (exercise << 8), 3);
    let prompt = if chance(rng, 0.5) { format!("{} {text}", sentence(rng, Language::English, TOPICS)) } else { text };
    one(prompt, rng, Language::English)
}

pub fn hackathon<R: Rng>(seed: u64, persona: &Persona, rng: &mut R) -> Script {
    let mut script = coding(persona, rng);
    script.system = chance(rng, 0.5).then(|| fixed(seed, 8));
    script
}

pub fn load_test(seed: u64) -> Script {
    let mut own = stream(seed, &[]);
    one(fixed(seed, 1), &mut own, Language::English)
}

pub fn research<R: Rng>(seed: u64, item: u64, rng: &mut R) -> Script {
    let text = sentence(&mut stream(seed, &[item]), Language::English, TOPICS);
    one(format!("{} Show all reasoning steps.\n\n{text}", fixed(seed, 3)), rng, Language::English)
}

fn one<R: Rng>(prompt: String, rng: &mut R, language: Language) -> Script {
    let answer = answer(rng, language);
    let reasoning = Some(sentence(rng, language, TOPICS));
    Script { turns: vec![Turn { prompt, answer }], reasoning, ..Script::default() }
}

/// The same wording for the same seed.
fn fixed(seed: u64, sentences: usize) -> String {
    let mut own = stream(seed, &[77]);
    (0..sentences).map(|_| sentence(&mut own, Language::English, TOPICS)).collect::<Vec<_>>().join(" ")
}

fn answer<R: Rng>(rng: &mut R, language: Language) -> String {
    (0..rng.random_range(1..8_usize)).map(|_| sentence(rng, language, TOPICS)).collect::<Vec<_>>().join(" ")
}

fn sentence<R: Rng>(rng: &mut R, language: Language, topics: &[&'static str]) -> String {
    if language == Language::Chinese {
        let words: Vec<&str> = (0..rng.random_range(5..14_usize)).map(|_| word(rng, CHINESE)).collect();
        return words.concat() + "。";
    }
    let length = rng.random_range(5..16_usize);
    let mut words: Vec<&str> = (0..length).map(|_| word(rng, FILLER)).collect();
    if let Some(place) = words.get_mut(length / 2) {
        *place = word(rng, topics);
    }
    words.join(" ") + "."
}

fn word<R: Rng>(rng: &mut R, words: &[&'static str]) -> &'static str {
    pick(rng, words).copied().unwrap_or_default()
}

const TOPICS: &[&str] = &[
    "gardening",
    "taxes",
    "kubernetes",
    "poetry",
    "chemistry",
    "football",
    "recipes",
    "visas",
    "databases",
    "painting",
    "astronomy",
    "contracts",
    "bicycles",
    "statistics",
    "marketing",
    "grammar",
    "history",
    "batteries",
    "insulation",
];
const FILLER: &[&str] = &[
    "how",
    "should",
    "we",
    "arrange",
    "this",
    "when",
    "nobody",
    "writes",
    "about",
    "old",
    "letters",
    "and",
    "green",
    "houses",
    "while",
    "rain",
    "keeps",
    "falling",
    "on",
    "every",
    "second",
    "street",
    "that",
    "leads",
    "towards",
    "river",
    "because",
    "people",
    "prefer",
    "simple",
    "plans",
    "over",
    "long",
    "tables",
    "with",
    "many",
    "columns",
    "but",
    "few",
    "useful",
    "rows",
    "until",
    "someone",
    "explains",
    "what",
    "matters",
    "most",
    "in",
    "such",
    "cases",
    "quickly",
    "without",
    "asking",
    "another",
    "expert",
    "first",
    "then",
    "compare",
    "results",
    "again",
    "carefully",
    "before",
    "sending",
    "them",
    "around",
    "to",
    "friends",
    "colleagues",
    "neighbours",
    "or",
    "students",
    "learning",
    "new",
    "skills",
    "from",
    "scratch",
    "during",
    "winter",
    "evenings",
    "near",
    "the",
    "station",
    "under",
    "construction",
];
const CHINESE: &[&str] = &[
    "请",
    "说明",
    "怎样",
    "比较",
    "这个",
    "问题",
    "数据",
    "模型",
    "方法",
    "城市",
    "历史",
    "经济",
    "函数",
    "证明",
    "学生",
    "老师",
    "为什么",
    "结果",
    "步骤",
    "计算",
    "天气",
    "材料",
    "如何",
    "设计",
    "合同",
    "医生",
    "建议",
    "常见",
    "错误",
];
