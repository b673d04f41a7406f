//! The fields of requests that ask for something a permit may not hold, by the names that APIs and model servers give them.
//!
//! Promises one list for what is decided and for what is taken out: a field that needs an action is known to both, and one
//! that is not known at all goes where anything is held back, since servers read more than they document. A key
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
    ("container", Nothing),
    ("messages", Nothing),
    ("input", Nothing),
    ("prompt", Nothing),
    ("encoding_format", Nothing),
    // Counts of replies: read as numbers, taken out where there may be one only.
    ("n", One(Action::Alternatives)),
    ("best_of", One(Action::Alternatives)),
    ("num_return_sequences", One(Action::Alternatives)),
    ("n_cmpl", One(Action::Alternatives)),
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
    ("embd_normalize", One(Action::FullPrecision)),
];

/// Fields of which it is known that they ask for nothing that a permit may not hold: OpenAI, Anthropic, vLLM, SGLang,
/// llama.cpp. Any other may ask a server for anything.
const HARMLESS: &[&str] = &[
    "audio",
    "cache_control",
    "context_management",
    "dimensions",
    "documents",
    "ebnf",
    "function_call",
    "grammar",
    "guided_choice",
    "guided_grammar",
    "guided_json",
    "guided_regex",
    "input_type",
    "instructions",
    "json_schema",
    "max_tool_calls",
    "mcp_servers",
    "metadata",
    "modalities",
    "output_config",
    "output_format",
    "parallel_tool_calls",
    "prediction",
    "priority",
    "prompt_cache_key",
    "prompt_cache_retention",
    "reasoning",
    "reasoning_effort",
    "regex",
    "response_format",
    "safety_identifier",
    "service_tier",
    "stop",
    "stop_sequences",
    "stop_token_ids",
    "store",
    "stream_options",
    "structured_outputs",
    "suffix",
    "system",
    "text",
    "thinking",
    "tool_choice",
    "truncation",
    "user",
    "verbosity",
    "web_search_options",
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
pub(crate) fn needs(key: &str) -> Option<Needs> {
    find(key).filter(|(_, name, _)| *name == key).map(|(_, _, needs)| needs)
}

/// Whether a field may stay where something is `held` back.
pub(crate) fn may_stay(key: &str, held: Actions) -> bool {
    needs(key).map_or_else(|| held.is_empty() || HARMLESS.contains(&key), |needs| !needs.is_held(held))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_there_once() {
        for (index, (name, needs)) in FIELDS.iter().enumerate() {
            assert_eq!(find(name), Some((index, *name, *needs)));
            assert_eq!(find(&name.to_uppercase()).map(|(found, ..)| found), Some(index));
            assert!(!HARMLESS.contains(name), "{name}");
        }
    }

    #[test]
    fn what_is_not_known_stays_only_where_nothing_is_held_back() {
        let sampling = Actions::NONE.with(Action::Sampling);
        for unknown in ["verbose", "dry_multiplier", "adaptive_target", "Temperature", "x"] {
            assert!(may_stay(unknown, Actions::NONE) && !may_stay(unknown, sampling), "{unknown}");
        }
        assert!(may_stay("response_format", sampling) && may_stay("logprobs", sampling) && !may_stay("seed", sampling));
    }
}
