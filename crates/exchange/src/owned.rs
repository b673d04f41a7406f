//! Exchanges that outlive the text they were read from, for those that wait for another record.

use std::borrow::Cow;

use crate::record::{Client, Content, Exchange, Fingerprint, Message, Params, Part, Request, Response, Tool};

type Text<'a> = Cow<'a, str>;

fn own(text: Text<'_>) -> Text<'static> {
    Cow::Owned(text.into_owned())
}

fn own_some(text: Option<Text<'_>>) -> Option<Text<'static>> {
    text.map(own)
}

impl Exchange<'_> {
    /// The same, independent of the text it was read from.
    #[must_use]
    pub fn into_owned(self) -> Exchange<'static> {
        Exchange {
            id: self.id.into_owned(),
            time: self.time,
            account: self.account.into_owned(),
            org: self.org.map(|id| id.into_owned()),
            key: self.key.map(|id| id.into_owned()),
            end_user: self.end_user.map(|id| id.into_owned()),
            session: self.session.map(|id| id.into_owned()),
            operation: self.operation,
            model: own_some(self.model),
            client: client(self.client),
            request: request(self.request),
            response: response(self.response),
            usage: self.usage,
            status: self.status,
            duration_ms: self.duration_ms,
            fingerprint: self.fingerprint.map(|fingerprint| Fingerprint {
                prints: own(fingerprint.prints),
                output: own(fingerprint.output),
                words: own(fingerprint.words),
                meaning: own(fingerprint.meaning),
                intents: fingerprint.intents.into_iter().map(own).collect(),
                follow_up: fingerprint.follow_up,
            }),
        }
    }
}

fn client(client: Client<'_>) -> Client<'static> {
    Client {
        ip: own_some(client.ip),
        asn: client.asn,
        country: own_some(client.country),
        network: client.network,
        ja4: own_some(client.ja4),
        ja4h: own_some(client.ja4h),
        user_agent: own_some(client.user_agent),
    }
}

fn request(request: Request<'_>) -> Request<'static> {
    let message = |message: Message<'_>| Message { role: message.role, content: content(message.content) };
    let tool = |tool: Tool<'_>| Tool { name: own(tool.name), description: own_some(tool.description) };
    Request {
        system: request.system.map(content),
        messages: request.messages.into_iter().map(message).collect(),
        tools: request.tools.into_iter().map(tool).collect(),
        params: params(request.params),
    }
}

fn params(params: Params<'_>) -> Params<'static> {
    Params {
        temperature: params.temperature,
        top_p: params.top_p,
        max_tokens: params.max_tokens,
        n: params.n,
        logprobs: params.logprobs,
        top_logprobs: params.top_logprobs,
        logit_bias: params.logit_bias,
        echo: params.echo,
        seed: params.seed,
        stream: params.stream,
        reasoning_effort: own_some(params.reasoning_effort),
    }
}

fn content(content: Content<'_>) -> Content<'static> {
    match content {
        Content::Text(text) => Content::Text(own(text)),
        Content::Parts(parts) => Content::Parts(parts.into_iter().map(part).collect()),
    }
}

fn part(part: Part<'_>) -> Part<'static> {
    match part {
        Part::Text(text) => Part::Text(own(text)),
        Part::Reasoning(text) => Part::Reasoning(own(text)),
        Part::SealedReasoning(blob) => Part::SealedReasoning(own(blob)),
        Part::ToolCall { name, input } => Part::ToolCall { name: own(name), input: own(input) },
        Part::ToolResult(text) => Part::ToolResult(own(text)),
        Part::Media => Part::Media,
    }
}

fn response(response: Response<'_>) -> Response<'static> {
    Response {
        content: own_some(response.content),
        reasoning: own_some(response.reasoning),
        tool_calls: response.tool_calls.into_iter().map(own).collect(),
        finish_reason: own_some(response.finish_reason),
        refused: response.refused,
    }
}
