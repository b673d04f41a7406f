//! What a request asks, and its answer.

use std::borrow::Cow;

use exchange::{Content, Message, Role};

/// A request's text and its answer.
pub(crate) struct Asked<'a> {
    pub system: Option<Cow<'a, str>>,
    pub messages: Vec<Message<'a>>,
    pub tools: Vec<&'static str>,
    pub answer: Cow<'a, str>,
    pub reasoning: Option<Cow<'a, str>>,
}

/// What somebody says.
pub(crate) fn message(role: Role, text: String) -> Message<'static> {
    Message { role, content: Content::Text(text.into()) }
}
