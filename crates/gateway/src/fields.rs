//! The fields of requests that ask for something a permit may not hold, by the names that APIs and model servers give them.
//!
//! Promises one list for what is decided and for what is taken out: a field that needs an action is known to both. A key
//! that differs from one of these only in the case of its letters is refused ([`crate::ask`]), because servers in some
//! languages read it as the same.

use policy::{Action, Actions};

/// What a field needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Nothing; it is looked at for something else.
    Nothing,
    /// This action, if it asks for something: a field that is null or false does not.
    One(Action),
    /// These actions: to push tokens is to choose them, and what comes of it tells their probabilities.
    LogprobsAndSampling,
    /// It says how many tokens a reply may have.
    OutputTokens,
}

use Needs::{LogprobsAndSampling, Nothing, One, OutputTokens};

/// Every field that is looked at, at the top of a request.
pub(crate) const FIELDS: &[(&str, Needs)] = &[
    ("model", Nothing),
    ("stream", Nothing),
    ("background", Nothing),
    ("include", Nothing),
    ("tools", Nothing),
    ("functions", Nothing),
    ("previous_response_id", Nothing),
    ("conversation", Nothing),
    ("input_file_id", Nothing),
    ("messages", Nothing),
    ("input", Nothing),
    ("prompt", Nothing),
    ("encoding_format", Nothing),
    // Counts of replies: read as numbers, taken out where there may be one only.
    ("n", One(Action::Alternatives)),
    ("best_of", One(Action::Alternatives)),
    ("num_return_sequences", One(Action::Alternatives)),
    ("use_beam_search", One(Action::Alternatives)),
    // Probabilities, and what tells them: OpenAI, vLLM, SGLang, llama.cpp.
    ("logprobs", One(Action::Logprobs)),
    ("top_logprobs", One(Action::Logprobs)),
    ("prompt_logprobs", One(Action::Logprobs)),
    ("n_probs", One(Action::Logprobs)),
    ("post_sampling_probs", One(Action::Logprobs)),
    ("return_logprob", One(Action::Logprobs)),
    ("logprob_start_len", One(Action::Logprobs)),
    ("logprob_token_ids", One(Action::Logprobs)),
    ("top_logprobs_num", One(Action::Logprobs)),
    ("token_ids_logprob", One(Action::Logprobs)),
    ("return_hidden_states", One(Action::Logprobs)),
    ("return_token_ids", One(Action::Logprobs)),
    ("return_tokens_as_token_ids", One(Action::Logprobs)),
    ("return_tokens", One(Action::Logprobs)),
    ("echo", One(Action::Logprobs)),
    ("logit_bias", LogprobsAndSampling),
    // Ways to have reasoning put where answers are.
    ("separate_reasoning", One(Action::ReasoningText)),
    ("reasoning_format", One(Action::ReasoningText)),
    ("include_reasoning", One(Action::ReasoningText)),
    ("stream_reasoning", One(Action::ReasoningText)),
    ("thinking_forced_open", One(Action::ReasoningText)),
    ("chat_template", One(Action::ReasoningText)),
    // How tokens are drawn, and what takes the drawing over.
    ("temperature", One(Action::Sampling)),
    ("dynatemp_range", One(Action::Sampling)),
    ("dynatemp_exponent", One(Action::Sampling)),
    ("top_p", One(Action::Sampling)),
    ("top_k", One(Action::Sampling)),
    ("top_a", One(Action::Sampling)),
    ("min_p", One(Action::Sampling)),
    ("typical_p", One(Action::Sampling)),
    ("top_n_sigma", One(Action::Sampling)),
    ("xtc_probability", One(Action::Sampling)),
    ("xtc_threshold", One(Action::Sampling)),
    ("mirostat", One(Action::Sampling)),
    ("mirostat_tau", One(Action::Sampling)),
    ("mirostat_eta", One(Action::Sampling)),
    ("samplers", One(Action::Sampling)),
    ("seed", One(Action::Sampling)),
    ("random_seed", One(Action::Sampling)),
    ("presence_penalty", One(Action::Sampling)),
    ("frequency_penalty", One(Action::Sampling)),
    ("repetition_penalty", One(Action::Sampling)),
    ("repeat_penalty", One(Action::Sampling)),
    ("allowed_token_ids", One(Action::Sampling)),
    ("bad_words", One(Action::Sampling)),
    ("logits_processors", One(Action::Sampling)),
    ("custom_logit_processor", One(Action::Sampling)),
    ("custom_params", One(Action::Sampling)),
    ("vllm_xargs", One(Action::Sampling)),
    ("options", One(Action::Sampling)),
    ("sampling_params", One(Action::Sampling)),
    ("extra_body", One(Action::Sampling)),
    // How long a reply may be.
    ("max_tokens", OutputTokens),
    ("max_completion_tokens", OutputTokens),
    ("max_output_tokens", OutputTokens),
    ("max_new_tokens", OutputTokens),
    ("n_predict", OutputTokens),
    ("min_tokens", One(Action::LongOutput)),
    ("min_new_tokens", One(Action::LongOutput)),
    ("ignore_eos", One(Action::LongOutput)),
    // How vectors are written.
    ("embed_dtype", One(Action::FullPrecision)),
    ("endianness", One(Action::FullPrecision)),
];

/// A bit for each field is kept while a body is read.
const _: () = assert!(FIELDS.len() <= 128);

impl Needs {
    /// Whether it needs something that is `held` back, so that it has to go.
    pub(crate) fn is_held(self, held: Actions) -> bool {
        match self {
            Nothing | OutputTokens => false,
            One(action) => held.has(action),
            LogprobsAndSampling => held.has(Action::Logprobs) || held.has(Action::Sampling),
        }
    }

    /// What it wants where it asks for something.
    pub(crate) fn wanted(self) -> Actions {
        match self {
            Nothing | OutputTokens => Actions::NONE,
            One(action) => Actions::NONE.with(action),
            LogprobsAndSampling => Actions::NONE.with(Action::Logprobs).with(Action::Sampling),
        }
    }
}

/// What a field needs, and its place in the list.
pub(crate) fn find(key: &str) -> Option<(usize, &'static str, Needs)> {
    let mut fields = FIELDS.iter().enumerate();
    fields.find(|(_, (name, _))| name.eq_ignore_ascii_case(key)).map(|(index, (name, needs))| (index, *name, *needs))
}

/// What a field needs that is spelled as in the list.
pub(crate) fn needs(key: &str) -> Needs {
    find(key).filter(|(_, name, _)| *name == key).map_or(Nothing, |(_, _, needs)| needs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_there_once() {
        for (index, (name, needs)) in FIELDS.iter().enumerate() {
            assert_eq!(find(name), Some((index, *name, *needs)));
            assert_eq!(find(&name.to_uppercase()).map(|(found, ..)| found), Some(index));
        }
    }
}
