//! What an exchange is after, as a set of capabilities worth harvesting.
//!
//! Promises a weak, cheap hint per exchange, never a verdict: a single request for step-by-step reasoning is what millions
//! of honest people send. Detection compares how often a *group* shows a hint with how often the deployment's own users
//! do. Hints come from the shape of the request and its reply, and from classes of words that meet in one thought, in any
//! order ([`compose`]) and in ten languages ([`lexicon`]), so no single phrase decides. A wording whose words are in no class
//! is missed, as is a language that the lexicon has not. Fields that are missing give no hint. O(bytes).

mod compose;
mod lexicon;

use std::cell::RefCell;

use event::{Capability, Intents};
use exchange::{Exchange, Role};

use crate::memo::{Keys, Memo, Remembered};

/// The intents of one exchange.
#[must_use]
pub fn intents(exchange: &Exchange<'_>) -> Intents {
    intents_with(exchange, &mut Keys::default())
}

/// The same, with the keys of texts that are known already.
pub(crate) fn intents_with<'e>(exchange: &'e Exchange<'_>, keys: &mut Keys<'e>) -> Intents {
    let params = &exchange.request.params;
    let answer = exchange.response.content.as_deref().unwrap_or("");

    let mut intents = asked(exchange, keys);
    intents.add(
        Capability::ToolUse,
        !exchange.request.tools.is_empty()
            || !exchange.response.tool_calls.is_empty()
            || exchange.request.messages.iter().any(|message| message.role == Role::Tool),
    );
    intents.add(Capability::Coding, answer.contains("```"));
    intents.add(
        Capability::Logits,
        params.logprobs == Some(true)
            || params.top_logprobs.is_some_and(|n| n > 0)
            || params.logit_bias == Some(true)
            || params.echo == Some(true)
            || params.n.is_some_and(|n| n > 1),
    );
    intents
}

/// The meanings that a request has: what its system prompt says, and what its user says.
fn asked<'e>(exchange: &'e Exchange<'_>, keys: &mut Keys<'e>) -> Intents {
    let request = &exchange.request;
    let turns = request.messages.iter().filter(|message| matches!(message.role, Role::System | Role::User));
    let contents = request.system.iter().chain(turns.map(|message| &message.content));
    let mut asked = Intents::default();
    for text in contents.flat_map(|content| content.texts()) {
        let text = crate::head(text, crate::ENCODED_BYTES_MAX);
        let read = |text: &str| compose::meanings(crate::head(&crate::decode::decoded(text), CONCEPT_BYTES_MAX));
        asked = MEANINGS.with_borrow_mut(|memo| memo.with(keys.of(text), read, |intents| asked.with(*intents)));
    }
    asked
}

thread_local! {
    /// What texts are after that were read before.
    static MEANINGS: RefCell<Memo<Intents>> = RefCell::default();
}

impl Remembered for Intents {
    fn bytes(&self) -> usize {
        0
    }
}

/// The most bytes of one text that are searched for concepts.
pub const CONCEPT_BYTES_MAX: usize = 8192;

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
