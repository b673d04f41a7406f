//! What is written reads back as it was.

use exchange::{
    AccountFact, Assurance, Call, Client, Content, Exchange, Format, Message, Network, Notes, Operation, Params, Part,
    ReadOptions, Request, Response, Role, Time, Tool, Usage, read, read_account, read_exchanges, write_account,
    write_native,
};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

/// An id: not empty, and nothing that looks like a secret.
fn id() -> impl Strategy<Value = String> {
    // Blanks around an id are not kept.
    any::<String>().prop_map(|text| format!("_{text}_"))
}

fn named<T: From<String> + std::fmt::Debug>() -> impl Strategy<Value = T> {
    id().prop_map(T::from)
}

fn words() -> impl Strategy<Value = std::borrow::Cow<'static, str>> {
    prop_oneof![any::<String>(), Just("line\n\"quoted\" \\ 日本語 🦀\u{0}".to_owned())].prop_map(Into::into)
}

fn some_words() -> impl Strategy<Value = std::borrow::Cow<'static, str>> {
    id().prop_map(Into::into)
}

fn time() -> impl Strategy<Value = Time> {
    any::<i64>().prop_map(Time::from_nanos)
}

fn part() -> impl Strategy<Value = Part<'static>> {
    prop_oneof![
        words().prop_map(Part::Text),
        some_words().prop_map(Part::Reasoning),
        some_words().prop_map(Part::SealedReasoning),
        (words(), words()).prop_map(|(name, input)| Part::ToolCall { name, input }),
        words().prop_map(Part::ToolResult),
        Just(Part::Media),
    ]
}

fn content() -> impl Strategy<Value = Content<'static>> {
    prop_oneof![words().prop_map(Content::Text), prop::collection::vec(part(), 0..4).prop_map(Content::Parts)]
}

fn role() -> impl Strategy<Value = Role> {
    select(vec![Role::System, Role::User, Role::Assistant, Role::Tool, Role::Other])
}

fn small() -> impl Strategy<Value = f32> {
    (0_u16..4000).prop_map(|n| f32::from(n) / 1000.0)
}

prop_compose! {
    fn params()(
        (temperature, top_p, max_tokens, n) in (of(small()), of(small()), of(any::<u32>()), of(any::<u32>())),
        (logprobs, top_logprobs, logit_bias) in (of(any::<bool>()), of(any::<u32>()), of(any::<bool>())),
        (echo, seed, stream) in (of(any::<bool>()), of(any::<i64>()), of(any::<bool>())),
        reasoning_effort in of(words()),
    ) -> Params<'static> {
        Params {
            temperature, top_p, max_tokens, n, logprobs, top_logprobs, logit_bias, echo, seed, stream, reasoning_effort,
        }
    }
}

prop_compose! {
    fn request()(
        system in of(content()),
        messages in prop::collection::vec((role(), content()), 0..4),
        tools in prop::collection::vec((words(), of(words())), 0..3),
        params in params(),
    ) -> Request<'static> {
        Request {
            system,
            messages: messages.into_iter().map(|(role, content)| Message { role, content }).collect(),
            tools: tools.into_iter().map(|(name, description)| Tool { name, description }).collect(),
            params,
        }
    }
}

prop_compose! {
    fn client()(
        (ip, asn, country) in (of(some_words()), of(any::<u32>()), of(some_words())),
        network in of(select(vec![
            Network::Hosting, Network::Residential, Network::Mobile, Network::Vpn, Network::Tor, Network::Business,
            Network::Other,
        ])),
        (ja4, ja4h, user_agent) in (of(some_words()), of(some_words()), of(words())),
    ) -> Client<'static> {
        Client { ip, asn, country, network, ja4, ja4h, user_agent }
    }
}

prop_compose! {
    fn response()(
        (content, reasoning) in (of(words()), of(words())),
        tool_calls in prop::collection::vec(some_words(), 0..3),
        (finish_reason, refused) in (of(some_words()), of(any::<bool>())),
    ) -> Response<'static> {
        Response { content, reasoning, tool_calls, finish_reason, refused }
    }
}

prop_compose! {
    fn fingerprint()(
        prints in "([0-9a-f]{24}){0,4}",
        output in "([0-9a-f]{16}){0,3}",
        words in "([0-9a-f]{8}){0,3}",
        meaning in "([0-9a-f]{128})?",
        intents in prop::collection::vec(words(), 0..3),
        follow_up in any::<bool>(),
    ) -> exchange::Fingerprint<'static> {
        let (words, meaning) = (words.into(), meaning.into());
        exchange::Fingerprint { prints: prints.into(), output: output.into(), words, meaning, intents, follow_up }
    }
}

prop_compose! {
    fn exchange()(
        (id, time, account) in (named(), time(), named()),
        (org, key, end_user, session) in (of(named()), of(named()), of(named()), of(named())),
        operation in of(select(vec![
            Operation::Chat, Operation::Completion, Operation::Embeddings, Operation::Responses, Operation::Messages,
            Operation::Batch, Operation::Other,
        ])),
        model in of(words()),
        (client, request, response) in (client(), request(), response()),
        (input_tokens, output_tokens) in (of(any::<u64>()), of(any::<u64>())),
        (reasoning_tokens, cached_tokens) in (of(any::<u64>()), of(any::<u64>())),
        status in of(any::<u16>()),
        duration_ms in of((0_u32..10_000_000).prop_map(|quarters| f64::from(quarters) / 4.0)),
        fingerprint in of(fingerprint()),
    ) -> Exchange<'static> {
        let usage = Usage { input_tokens, output_tokens, reasoning_tokens, cached_tokens };
        Exchange {
            id, time, account, org, key, end_user, session, operation, model, client, request, response, usage, status,
            duration_ms, fingerprint,
        }
    }
}

prop_compose! {
    fn fact()(
        (time, account, org) in (time(), named(), of(named())),
        (created, closed) in (of(time()), of(time())),
        (plan, program, payment) in (of(some_words()), of(some_words()), of(some_words())),
        assurance in of(select(vec![
            Assurance::None, Assurance::Email, Assurance::Phone, Assurance::Payment, Assurance::Business,
            Assurance::Contract,
        ])),
        (email_domain, phone_country, status) in (of(some_words()), of(some_words()), of(some_words())),
    ) -> AccountFact<'static> {
        AccountFact {
            time, account, org, created, plan, program, assurance, payment, email_domain, phone_country, status, closed,
            cleared: Some(true),
        }
    }
}

proptest! {
    #[test]
    fn an_exchange(exchange in exchange()) {
        let mut line = Vec::new();
        write_native(&exchange, &mut line).unwrap();
        let text = String::from_utf8(line).unwrap();
        prop_assert_eq!(text.find('\n'), Some(text.len() - 1));
        let mut notes = Notes::default();
        let mut back = Vec::new();
        let mut sink = |call| back.push(call);
        read(&ReadOptions::default(), text.as_bytes(), "test", 1, &mut notes, &mut sink).unwrap();
        prop_assert_eq!(notes, Notes::default());
        let Call { format, is_call, exchange: mut back, .. } = back.pop().unwrap();
        prop_assert_eq!((format, is_call), (Format::Native, true));
        // Addresses and names of models come back in their one form.
        back.client.ip = exchange.client.ip.clone();
        back.model = exchange.model.clone();
        prop_assert_eq!(back, exchange);
    }

    #[test]
    fn an_account_fact(fact in fact()) {
        let mut line = Vec::new();
        write_account(&fact, &mut line).unwrap();
        let text = String::from_utf8(line).unwrap();
        let mut notes = Notes::default();
        prop_assert_eq!(read_account(text.as_bytes(), &mut notes).unwrap(), fact);
        prop_assert_eq!(notes, Notes::default());
    }

    #[test]
    fn a_time(nanos in any::<i64>()) {
        let time = Time::from_nanos(nanos);
        prop_assert_eq!(time.to_string().parse::<Time>(), Ok(time));
    }
}

#[test]
fn an_epoch_number_is_taken_by_its_size() {
    let time = Time::from_nanos(1_784_862_765_123_000_000);
    for text in [
        "1784862765.123",
        "1784862765123",
        "1784862765123000",
        "1784862765123000000",
        "1784862765123.0",
        "1.784862765123e9",
    ] {
        assert_eq!(text.parse::<Time>(), Ok(time), "{text}");
        let record = format!(r#"{{"time":{text},"account":"a","request":{{}}}}"#);
        let mut times = Vec::new();
        read_exchanges(&record, &mut Notes::default(), &mut |exchange| times.push(exchange.time)).unwrap();
        assert_eq!(times, [time], "{text}");
    }
    for text in ["2026-07-24T03:12:45.123Z", "2026-07-24T05:12:45.123+02:00", "2026-07-24 03:12:45.123"] {
        assert_eq!(text.parse::<Time>(), Ok(time), "{text}");
    }
    for text in ["", "0", "-5", "NaN", "inf", "1e300", "2026-07-24", "9999-12-31T00:00:00Z", "soon"] {
        assert!(text.parse::<Time>().is_err(), "{text}");
    }
    for (number, seconds) in [(99_999_999_999, None), (100_000_000_000, Some(100_000_000))] {
        assert_eq!(Time::from_epoch_whole(number).map(Time::seconds), seconds);
    }
}

#[test]
fn an_id_is_made_of_content_and_position() {
    let id = |source: &str, line, text: &str| {
        let mut ids = Vec::new();
        let mut sink = |call: Call| ids.push(call.exchange.id.as_str().to_owned());
        read(&ReadOptions::default(), text.as_bytes(), source, line, &mut Notes::default(), &mut sink).unwrap();
        ids
    };
    let text = r#"{"time":1,"account":"a","request":{}}"#;
    let same = id("x", 1, text);
    assert_eq!(same, id("x", 1, text));
    for other in [id("y", 1, text), id("x", 2, text), id("x", 1, &text.replace("\"a\"", "\"b\""))] {
        assert_ne!(same, other);
    }
}

proptest! {
    #[test]
    fn no_json_makes_a_reader_panic(
        key in select(vec![
            "request", "response", "messages", "metadata", "usage", "client", "account", "time", "input", "output",
            "resourceSpans", "model_parameters", "identity", "tools", "params", "body", "result",
        ]),
        value in json(),
        format in select(Format::all().collect::<Vec<_>>()),
    ) {
        for (head, tail) in [
            ("", ""),
            (r#""time":1,"account":"a","request":{},"#, ""),
            (r#""time":1,"account":"a","request":{"model":"m","#, "}"),
            (r#""time":1,"account":"a","request":{"messages":["#, "]}"),
            (r#""startTime":1,"call_type":"x","end_user":"u","#, ""),
            (r#""schemaType":"x","timestamp":1,"accountId":"1","modelId":"m","output":{"outputBodyJson":{"#, "}}"),
        ] {
            let value = if head.ends_with('[') { value.to_string() } else { format!("{key:?}:{value}") };
            let text = format!("{{{head}{value}{tail}}}");
            for options in [ReadOptions::default(), ReadOptions::of(format)] {
                let _ = read(&options, text.as_bytes(), "test", 1, &mut Notes::default(), &mut |_| ());
            }
            let _ = read_account(text.as_bytes(), &mut Notes::default());
        }
    }
}

/// JSON made of the words that the readers look for.
fn json() -> impl Strategy<Value = serde_json::Value> {
    let word = select(vec![
        "type",
        "role",
        "content",
        "text",
        "input",
        "output",
        "message",
        "choices",
        "delta",
        "parts",
        "tool_calls",
        "function",
        "name",
        "arguments",
        "usage",
        "thinking",
        "summary",
        "toolUse",
        "toolResult",
        "reasoningContent",
        "scopeSpans",
        "spans",
        "attributes",
        "key",
        "value",
        "stringValue",
        "arrayValue",
        "values",
        "events",
        "data",
        "gen_ai.operation.name",
        "gen_ai.input.messages",
        "gen_ai.prompt.0.content",
        "gen_ai.prompt.0.tool_calls.0.name",
    ]);
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        word.clone().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
        Just(r#"{"messages":[{"role":"user","parts":[5]}]}"#.into()),
        Just("data: {}\n".into()),
    ];
    leaf.prop_recursive(6, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(serde_json::Value::Array),
            prop::collection::vec((word.clone(), inner), 0..6)
                .prop_map(|entries| entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()),
        ]
    })
}
