//! What an exchange is after, as a set of capabilities worth harvesting.
//!
//! Promises a weak, cheap hint per exchange, never a verdict: a single request for step-by-step reasoning is what millions
//! of honest people send. Detection compares how often a *group* shows a hint with how often the deployment's own users
//! do. Hints come from concepts that occur together (in several languages) and from the shape of the request and its
//! reply, so no single phrase decides. Fields that are missing give no hint. O(bytes).

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, AhoCorasickKind, MatchKind};
use exchange::{Exchange, Role};
use serde::Serialize;

/// What a campaign takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// The model's hidden or step-by-step reasoning.
    ReasoningTrace,
    /// Grades, comparisons, rewards.
    Grading,
    /// New training instructions and data.
    DataGeneration,
    /// Tool use and agent behaviour.
    ToolUse,
    /// Program code.
    Coding,
    /// Log-probabilities and other outputs that expose parameters.
    Logits,
    /// Cleaning of outputs captured before.
    TraceCleaning,
    /// Translations in bulk.
    Translation,
    /// Answers in general; nothing narrower could be told.
    General,
}

impl Capability {
    /// Every capability, in a fixed order; [`Capability::index`] is the place in it.
    pub const ALL: [Capability; 9] = [
        Capability::ReasoningTrace,
        Capability::Grading,
        Capability::DataGeneration,
        Capability::ToolUse,
        Capability::Coding,
        Capability::Logits,
        Capability::TraceCleaning,
        Capability::Translation,
        Capability::General,
    ];

    /// Its place in [`Capability::ALL`].
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }

    /// Its name in files.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Capability::ReasoningTrace => "reasoning_trace",
            Capability::Grading => "grading",
            Capability::DataGeneration => "data_generation",
            Capability::ToolUse => "tool_use",
            Capability::Coding => "coding",
            Capability::Logits => "logits",
            Capability::TraceCleaning => "trace_cleaning",
            Capability::Translation => "translation",
            Capability::General => "general",
        }
    }

    /// Its name for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Capability::ReasoningTrace => "reasoning traces",
            Capability::Grading => "grading",
            Capability::DataGeneration => "data generation",
            Capability::ToolUse => "tool use",
            Capability::Coding => "coding",
            Capability::Logits => "log-probabilities",
            Capability::TraceCleaning => "trace cleaning",
            Capability::Translation => "translation",
            Capability::General => "general answers",
        }
    }
}

/// A set of capabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Intents(u16);

impl Intents {
    /// Adds `capability` when `yes` holds.
    fn add(&mut self, capability: Capability, yes: bool) {
        self.0 |= u16::from(yes) << capability.index();
    }

    /// Whether `capability` is in the set.
    #[must_use]
    pub fn has(self, capability: Capability) -> bool {
        self.0 >> capability.index() & 1 == 1
    }

    /// The capabilities in the set.
    pub fn iter(self) -> impl Iterator<Item = Capability> {
        Capability::ALL.into_iter().filter(move |&capability| self.has(capability))
    }
}

impl FromIterator<Capability> for Intents {
    fn from_iter<T: IntoIterator<Item = Capability>>(capabilities: T) -> Intents {
        let mut intents = Intents::default();
        capabilities.into_iter().for_each(|capability| intents.add(capability, true));
        intents
    }
}

/// The intents of one exchange.
#[must_use]
pub fn intents(exchange: &Exchange<'_>) -> Intents {
    let asked = Asked::of(exchange);
    let params = &exchange.request.params;
    let answer = exchange.response.content.as_deref().unwrap_or("");

    let mut intents = Intents::default();
    intents.add(
        Capability::ToolUse,
        !exchange.request.tools.is_empty()
            || !exchange.response.tool_calls.is_empty()
            || exchange.request.messages.iter().any(|message| message.role == Role::Tool)
            || asked.means(Capability::ToolUse),
    );
    intents.add(Capability::Coding, asked.means(Capability::Coding) || answer.contains("```"));
    intents.add(
        Capability::Logits,
        params.logprobs == Some(true)
            || params.top_logprobs.is_some_and(|n| n > 0)
            || params.logit_bias == Some(true)
            || params.echo == Some(true)
            || params.n.is_some_and(|n| n > 1),
    );
    for capability in [
        Capability::ReasoningTrace,
        Capability::Grading,
        Capability::DataGeneration,
        Capability::TraceCleaning,
        Capability::Translation,
    ] {
        intents.add(capability, asked.means(capability));
    }
    intents
}

/// Meanings that may occur in a request, each under many wordings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Concept {
    Reasoning,
    Stepwise,
    Hidden,
    Repeat,
    Grade,
    Criteria,
    Candidates,
    Create,
    TrainingItem,
    Variety,
    Tool,
    Call,
    Code,
    Clean,
    Translate,
}

/// What it means when concepts are mentioned close to each other: in a long system prompt nearly every concept comes up
/// somewhere.
const MEANINGS: &[(&[Concept], Capability)] = &[
    (&[Concept::Reasoning, Concept::Hidden], Capability::ReasoningTrace),
    (&[Concept::Reasoning, Concept::Stepwise], Capability::ReasoningTrace),
    (&[Concept::Hidden, Concept::Repeat], Capability::ReasoningTrace),
    (&[Concept::Grade, Concept::Criteria], Capability::Grading),
    (&[Concept::Grade, Concept::Candidates], Capability::Grading),
    (&[Concept::Create, Concept::TrainingItem, Concept::Variety], Capability::DataGeneration),
    (&[Concept::Tool, Concept::Call], Capability::ToolUse),
    (&[Concept::Code], Capability::Coding),
    (&[Concept::Clean, Concept::Reasoning], Capability::TraceCleaning),
    (&[Concept::Translate], Capability::Translation),
];

/// The meanings that a request has.
#[derive(Clone, Copy, Default)]
struct Asked(u16);

impl Asked {
    fn of(exchange: &Exchange<'_>) -> Asked {
        let mut asked = Asked::default();
        let request = &exchange.request;
        let turns = request.messages.iter().filter(|message| matches!(message.role, Role::System | Role::User));
        for text in
            request.system.iter().chain(turns.map(|message| &message.content)).flat_map(|content| content.texts())
        {
            asked.read(head(&crate::decode::decoded(text)));
        }
        asked
    }

    fn read(&mut self, text: &str) {
        // Where each concept was last mentioned, one past its end; 0 for not yet.
        let mut last = [0_usize; CONCEPTS];
        for hit in LEXICON.automaton.find_overlapping_iter(text) {
            let Some(&concept) = LEXICON.concepts.get(hit.pattern().as_usize()) else { continue };
            if let Some(place) = last.get_mut(concept as usize) {
                *place = hit.end();
            }
            for (concepts, capability) in MEANINGS.iter().filter(|(concepts, _)| concepts.contains(&concept)) {
                let near = |concept: &Concept| {
                    last.get(*concept as usize).is_some_and(|&end| end > 0 && hit.end() - end <= NEAR_BYTES)
                };
                if concepts.iter().all(near) {
                    self.0 |= 1 << capability.index();
                }
            }
        }
    }

    fn means(self, capability: Capability) -> bool {
        self.0 >> capability.index() & 1 == 1
    }
}

/// The part of a text that is looked at for concepts.
fn head(text: &str) -> &str {
    let mut end = text.len().min(CONCEPT_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or(text)
}

/// How many concepts there are.
const CONCEPTS: usize = Concept::Translate as usize + 1;
/// Concepts at most this far apart belong to one thought.
const NEAR_BYTES: usize = 400;
/// The most bytes of one text that are searched for concepts.
pub const CONCEPT_BYTES_MAX: usize = 8192;

struct Lexicon {
    automaton: AhoCorasick,
    concepts: Vec<Concept>,
}

static LEXICON: LazyLock<Lexicon> = LazyLock::new(|| {
    let patterns =
        WORDINGS.iter().flat_map(|(concept, wordings)| wordings.iter().map(move |wording| (*concept, *wording)));
    let (concepts, wordings): (Vec<Concept>, Vec<&str>) = patterns.unzip();
    let built = AhoCorasickBuilder::new()
        .kind(Some(AhoCorasickKind::DFA))
        .ascii_case_insensitive(true)
        .match_kind(MatchKind::Standard)
        .build(wordings);
    #[expect(clippy::expect_used, reason = "the patterns are constants, and a test builds them")]
    let automaton = built.expect("the lexicon builds");
    Lexicon { automaton, concepts }
});

/// Wordings of each concept: stems in English, Chinese, Spanish, German, French, Japanese, Russian, Portuguese.
const WORDINGS: &[(Concept, &[&str])] = &[
    (
        Concept::Reasoning,
        &[
            "reason",
            "think",
            "thought",
            "deduc",
            "rationale",
            "working out",
            "derivation",
            "推理",
            "思考",
            "思维",
            "推导",
            "razona",
            "pensamiento",
            "piensa",
            "denk",
            "gedanken",
            "begründ",
            "raisonn",
            "réfléchi",
            "pensée",
            "考え",
            "推論",
            "рассужд",
            "мысл",
            "raciocín",
            "pense",
            "reflexi",
            "cadena de",
            "überleg",
        ],
    ),
    (
        Concept::Stepwise,
        &[
            "step by step",
            "step-by-step",
            "each step",
            "every step",
            "intermediate",
            "stage by stage",
            "one step",
            "in full",
            "逐步",
            "一步一步",
            "每一步",
            "步骤",
            "中间",
            "paso a paso",
            "cada paso",
            "schritt",
            "étape",
            "段階",
            "ステップ",
            "一歩",
            "пошагов",
            "шаг",
            "passo a passo",
            "steps",
            "从头到尾",
            "完整",
        ],
    ),
    (
        Concept::Hidden,
        &[
            "hidden",
            "internal",
            "scratchpad",
            "scratch pad",
            "<think",
            "private",
            "working memory",
            "monologue",
            "chain of thought",
            "chain-of-thought",
            "before answer",
            "before you answer",
            "before the answer",
            "before the final",
            "隐藏",
            "内部",
            "内心",
            "草稿",
            "思维链",
            "思考过程",
            "推理过程",
            "oculto",
            "interno",
            "versteckt",
            "intern",
            "caché",
            "interne",
            "内なる",
            "思考過程",
            "скрыт",
            "внутренн",
            "unfiltered",
            "raw ",
        ],
    ),
    (
        Concept::Repeat,
        &[
            "verbatim",
            "repeat",
            "word for word",
            "exactly as",
            "transcri",
            "reproduce",
            "逐字",
            "原样",
            "重复",
            "复述",
            "一字不",
            "literal",
            "repite",
            "wörtlich",
            "wiederhol",
            "mot pour mot",
            "répète",
            "そのまま",
            "繰り返",
            "дословно",
            "повтори",
        ],
    ),
    (
        Concept::Grade,
        &[
            "rate ",
            "rating",
            "score",
            "grade",
            "grading",
            "judge",
            "evaluat",
            "assess",
            "compare the",
            "which of the two",
            "评分",
            "打分",
            "评估",
            "评价",
            "评判",
            "评审",
            "califica",
            "evalúa",
            "puntúa",
            "bewert",
            "benot",
            "évalu",
            "notez",
            "採点",
            "評価",
            "оцени",
            "avali",
            "rank ",
            "verdict",
            "prefer",
        ],
    ),
    (
        Concept::Criteria,
        &[
            "rubric",
            "criteri",
            "scale",
            "from 1 to",
            "1-5",
            "1 to 10",
            "out of 10",
            "out of ten",
            "points",
            "标准",
            "准则",
            "维度",
            "满分",
            "分制",
            "escala",
            "puntos",
            "kriteri",
            "skala",
            "punkte",
            "critère",
            "échelle",
            "基準",
            "点満点",
            "критери",
            "шкал",
            "pontos",
            "helpful",
            "correctness",
        ],
    ),
    (
        Concept::Candidates,
        &[
            "response a",
            "response b",
            "answer a",
            "answer b",
            "assistant a",
            "assistant b",
            "response 1",
            "response 2",
            "candidate",
            "submitted",
            "reference answer",
            "two responses",
            "two answers",
            "model answer",
            "回答a",
            "回答b",
            "回答1",
            "答案a",
            "两个回答",
            "候选",
            "参考答案",
            "respuesta a",
            "antwort a",
            "réponse a",
            "回答 a",
            "ответ a",
        ],
    ),
    (
        Concept::Create,
        &[
            "generat",
            "come up with",
            "create",
            "write",
            "produce",
            "compose",
            "invent",
            "rewrite",
            "rephrase",
            "draft",
            "生成",
            "编写",
            "创建",
            "写出",
            "设计",
            "改写",
            "genera",
            "crea",
            "redact",
            "erstell",
            "schreib",
            "erzeug",
            "génère",
            "crée",
            "作成",
            "生成し",
            "書い",
            "создай",
            "напиши",
            "придумай",
            "gere ",
            "crie ",
        ],
    ),
    (
        Concept::TrainingItem,
        &[
            "instruction",
            "training",
            "dataset",
            "data set",
            "question-answer",
            "question and answer",
            "q&a",
            "prompt",
            "examples",
            "exercise",
            "task",
            "conversation",
            "dialogue",
            "指令",
            "训练",
            "数据",
            "样本",
            "问答",
            "任务",
            "对话",
            "题目",
            "instruccion",
            "tarea",
            "ejemplo",
            "anweisung",
            "aufgabe",
            "beispiel",
            "tâche",
            "exemple",
            "指示",
            "タスク",
            "例題",
            "задани",
            "пример",
            "tarefa",
            "instruç",
        ],
    ),
    (
        Concept::Variety,
        &[
            "divers",
            "varied",
            "different",
            "distinct",
            "unique",
            "variety",
            "more complex",
            "harder",
            "set of",
            "list of",
            "json",
            "avoid repeat",
            "not repeat",
            "多样",
            "不同",
            "各种",
            "更复杂",
            "不重复",
            "列表",
            "vari",
            "diferente",
            "verschieden",
            "vielfält",
            "liste",
            "différent",
            "多様",
            "異なる",
            "разнообраз",
            "различн",
            "difícil",
        ],
    ),
    (
        Concept::Tool,
        &[
            "tool",
            "function",
            "api",
            "action:",
            "observation",
            "plugin",
            "工具",
            "函数",
            "接口",
            "herramienta",
            "werkzeug",
            "outil",
            "ツール",
            "инструмент",
            "ferramenta",
            "search[",
            "endpoint",
        ],
    ),
    (
        Concept::Call,
        &[
            "call",
            "invoke",
            "use the",
            "arguments",
            "action:",
            "access:",
            "execute",
            "调用",
            "使用",
            "参数",
            "执行",
            "llama",
            "invoca",
            "aufruf",
            "appel",
            "呼び出",
            "вызов",
            "chame ",
            "trajectory",
            "agent",
        ],
    ),
    (
        Concept::Code,
        &[
            "python",
            "javascript",
            "typescript",
            "rust ",
            "c++",
            "java ",
            "golang",
            "sql",
            "code",
            "function that",
            "algorithm",
            "unit test",
            "compile",
            "refactor",
            "bash",
            "代码",
            "编程",
            "函数",
            "程序",
            "algoritmo",
            "código",
            "programm",
            "programa",
            "コード",
            "プログラム",
            "программ",
            "```",
        ],
    ),
    (
        Concept::Clean,
        &[
            "clean",
            "tidy",
            "reformat",
            "polish",
            "remove filler",
            "condense",
            "normalis",
            "normaliz",
            "整理",
            "清理",
            "润色",
            "精简",
            "limpia",
            "bereinig",
            "nettoie",
            "整え",
            "очист",
            "limpe",
            "restructure",
        ],
    ),
    (
        Concept::Translate,
        &["translat", "翻译", "译成", "译为", "traduc", "traduz", "übersetz", "tradui", "翻訳", "перевед", "перевод"],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use exchange::{Content, Message, Request, Response, Time};

    fn of(prompt: &str) -> Vec<Capability> {
        intents(&ask(prompt)).iter().collect()
    }

    fn ask(prompt: &str) -> Exchange<'_> {
        let content = Content::Text(prompt.into());
        Exchange {
            fingerprint: None,
            id: "ex".into(),
            time: Time::from_seconds(0),
            account: "acc".into(),
            org: None,
            key: None,
            end_user: None,
            session: None,
            operation: None,
            model: None,
            client: exchange::Client::default(),
            request: Request { messages: vec![Message { role: Role::User, content }], ..Request::default() },
            response: Response::default(),
            usage: exchange::Usage::default(),
            status: None,
            duration_ms: None,
        }
    }

    #[test]
    fn concepts_that_occur_together_give_a_hint() {
        for (prompt, expected) in [
            ("Solve it and write out your internal reasoning before the final answer.", Capability::ReasoningTrace),
            ("请逐步推理，写出完整的思考过程。", Capability::ReasoningTrace),
            ("Escribe tu razonamiento paso a paso.", Capability::ReasoningTrace),
            ("Grade the essay from 1 to 10 by this rubric.", Capability::Grading),
            ("请按照以下标准给回答打分。", Capability::Grading),
            ("Come up with 20 diverse instructions for a student.", Capability::DataGeneration),
            ("Translate the sentence into Dutch.", Capability::Translation),
        ] {
            assert!(of(prompt).contains(&expected), "{prompt}: {:?}", of(prompt));
        }
    }

    #[test]
    fn everyday_requests_give_no_reasoning_grading_or_data_hint() {
        for prompt in ["What is the capital of Peru?", "明天北京天气怎么样？", "Write a birthday poem for my aunt."]
        {
            let hints = of(prompt);
            for capability in [Capability::ReasoningTrace, Capability::Grading, Capability::DataGeneration] {
                assert!(!hints.contains(&capability), "{prompt}: {hints:?}");
            }
        }
    }

    #[test]
    fn missing_fields_give_no_hint() {
        let mut exchange = ask("hello");
        assert!(!intents(&exchange).has(Capability::Logits));
        exchange.request.params.logprobs = Some(true);
        assert!(intents(&exchange).has(Capability::Logits));
    }

    #[test]
    fn concepts_are_searched_up_to_their_limit() {
        for (pad, expected) in [(CONCEPT_BYTES_MAX - 8, true), (CONCEPT_BYTES_MAX - 7, false)] {
            let prompt = format!("{}translate", " ".repeat(pad));
            assert_eq!(of(&prompt).contains(&Capability::Translation), expected, "{pad}");
        }
    }
}
