//! Records of each source, and logged bodies.

use serde_json::{Value, json};

use super::traffic::Call;

pub(super) fn litellm(call: &Call) -> Value {
    json!({
        "id": call.id(), "call_type": "acompletion", "status": "success",
        "startTime": call.time.nanos() as f64 / 1e9, "endTime": call.end().nanos() as f64 / 1e9, "model": call.model,
        "model_parameters": {}, "metadata": {"user_api_key_user_id": call.account},
        "requester_ip_address": call.address, "request_tags": [format!("User-Agent: {}", call.agent)],
        "messages": call.chat(), "response": call.chat_response(),
        "prompt_tokens": call.tokens.0, "completion_tokens": call.tokens.1,
    })
}

pub(super) fn litellm_spend(call: &Call) -> Value {
    json!({
        "request_id": call.id(), "call_type": "acompletion", "api_key": "", "spend": 0.01, "user": call.account,
        "startTime": call.database_time(), "endTime": call.end().to_string(), "model": call.model, "status": "success",
        "metadata": json!({"user_agent": call.agent}).to_string(), "requester_ip_address": call.address,
        "messages": Value::from(call.chat()).to_string(), "response": call.chat_response().to_string(),
        "prompt_tokens": call.tokens.0, "completion_tokens": call.tokens.1,
    })
}

pub(super) fn litellm_callback(call: &Call) -> Value {
    json!({"litellm_call_id": call.id(), "standard_logging_object": litellm(call)})
}

/// A call through a route that passes bodies on.
pub(super) fn litellm_pass_through(call: &Call) -> Value {
    let mut record = litellm(call);
    record["call_type"] = json!("pass_through_endpoint");
    record["messages"] = json!([{"role": "user", "content": call.messages_request().to_string()}]);
    record["response"] = call.messages_response();
    record
}

fn bedrock(call: &Call, operation: &str, input: Value, output: Value) -> Value {
    json!({
        "schemaType": "ModelInvocationLog", "schemaVersion": "1.0", "timestamp": call.rfc3339(),
        "accountId": call.aws(), "identity": {"arn": call.arn()}, "requestId": call.id(), "operation": operation,
        "modelId": call.model, "requestMetadata": {"client_ip": call.address},
        "input": {"inputContentType": "application/json", "inputBodyJson": input, "inputTokenCount": call.tokens.0},
        "output": {"outputContentType": "application/json", "outputBodyJson": output, "outputTokenCount": call.tokens.1},
    })
}

pub(super) fn bedrock_converse(call: &Call) -> Value {
    let turns: Vec<Value> =
        call.turns.iter().map(|(role, text)| json!({"role": role, "content": [{"text": text}]})).collect();
    let mut input = json!({"messages": turns});
    if let Some(system) = &call.system {
        input["system"] = json!([{"text": system}]);
    }
    let said = json!({"role": "assistant", "content": [{"text": call.answer}]});
    let usage = json!({"inputTokens": call.tokens.0, "outputTokens": call.tokens.1});
    let output = json!({"output": {"message": said}, "stopReason": "end_turn", "usage": usage});
    bedrock(call, "Converse", input, output)
}

pub(super) fn bedrock_anthropic(call: &Call) -> Value {
    bedrock(call, "InvokeModel", call.messages_request(), call.messages_response())
}

pub(super) fn langfuse(call: &Call) -> Value {
    json!({
        "id": call.id(), "trace_id": call.trace, "project_id": "shop", "type": "GENERATION",
        "start_time": call.database_time(), "end_time": call.end().to_string(), "user_id": call.account,
        "provided_model_name": call.model,
        "usage_details": json!({"input": call.tokens.0, "output": call.tokens.1}).to_string(),
        "input": Value::from(call.chat()).to_string(), "output": call.reply().to_string(),
        "metadata": json!({"client_ip": call.address, "user_agent": call.agent}).to_string(),
    })
}

pub(super) fn langfuse_api(call: &Call) -> Value {
    json!({
        "id": call.id(), "traceId": call.trace, "type": "GENERATION", "startTime": call.rfc3339(),
        "endTime": call.end().to_string(), "userId": call.account, "model": call.model,
        "usageDetails": {"input": call.tokens.0, "output": call.tokens.1}, "parentObservationId": null,
        "input": {"messages": call.chat()}, "output": call.answer,
        "metadata": {"client_ip": call.address, "user_agent": call.agent},
    })
}

/// A trace, which names the user of the observation in it.
fn langfuse_trace(call: &Call) -> Value {
    json!({"id": format!("t-{}", call.id()), "timestamp": call.rfc3339(), "name": "t", "userId": call.account})
}

fn langfuse_observation(call: &Call) -> Value {
    let mut record = langfuse_api(call);
    record["traceId"] = json!(format!("t-{}", call.id()));
    record["userId"] = Value::Null;
    record["projectId"] = json!("shop");
    record
}

/// Traces beside their observations, in either order.
pub(super) fn langfuse_apart(calls: &[Call], traces_first: bool) -> Vec<Value> {
    let trace = |call| {
        let mut trace = langfuse_trace(call);
        trace["input"] = Value::Null;
        trace
    };
    let pair = |call| {
        if traces_first { [trace(call), langfuse_observation(call)] } else { [langfuse_observation(call), trace(call)] }
    };
    calls.iter().flat_map(pair).collect()
}

/// What is sent to Langfuse: a generation when it begins, and again when it ends.
pub(super) fn langfuse_ingestion(calls: &[Call]) -> Vec<Value> {
    let event = |kind: &str, call: &Call, body: Value| json!({"id": format!("{kind}-{}", call.id()), "type": kind, "timestamp": call.rfc3339(), "body": body});
    let batches = |call| {
        let mut begun = langfuse_observation(call);
        for key in ["output", "usageDetails", "endTime", "type"] {
            begun[key] = Value::Null;
        }
        let ended = json!({
            "id": call.id(), "traceId": begun["traceId"], "output": call.answer, "endTime": call.end().to_string(),
            "usageDetails": {"input": call.tokens.0, "output": call.tokens.1},
        });
        let begun = [event("trace-create", call, langfuse_trace(call)), event("generation-create", call, begun)];
        [json!({"batch": begun, "metadata": {}}), json!({"batch": [event("generation-update", call, ended)]})]
    };
    calls.iter().flat_map(batches).collect()
}

pub(super) fn helicone(call: &Call) -> Value {
    json!({
        "request_id": call.id(), "request_created_at": call.rfc3339(), "response_created_at": call.end().to_string(),
        "request_user_id": call.account, "request_path": "https://api.example/v1/chat/completions",
        "request_model": call.model, "request_ip": call.address, "request_body": call.chat_request(),
        "response_body": call.chat_response(), "response_status": 200, "delay_ms": 1500,
        "prompt_tokens": call.tokens.0, "completion_tokens": call.tokens.1,
    })
}

pub(super) fn portkey(call: &Call) -> Value {
    json!({
        "id": call.id(), "created_at": call.rfc3339(), "ai_org": "openai", "ai_model": call.model,
        "trace_id": call.trace, "metadata": {"_user": call.account}, "ip": call.address,
        "request": {"url": "https://up.example/v1/chat/completions", "body": call.chat_request()},
        "response": {"status": 200, "body": call.chat_response()}, "response_status_code": 200,
        "response_time": 1500, "req_units": call.tokens.0, "res_units": call.tokens.1,
    })
}

pub(super) fn kong(call: &Call) -> Value {
    json!({
        "started_at": call.millis(), "client_ip": call.address, "latencies": {"request": 1500},
        "request": {"id": call.id(), "uri": "/ai/v1/chat/completions", "headers": {"user-agent": call.agent}},
        "response": {"status": 200}, "consumer": {"username": call.account},
        "ai": {"proxy": {
            "meta": {"request_model": call.model},
            "usage": {"prompt_tokens": call.tokens.0, "completion_tokens": call.tokens.1},
            "payload": {"request": call.chat_request().to_string(), "response": call.chat_response().to_string()},
        }},
    })
}

pub(super) fn azure_apim(call: &Call) -> Value {
    json!({
        "TimeGenerated": call.rfc3339(), "CorrelationId": call.id(), "ApimSubscriptionId": call.account,
        "ModelName": call.model, "PromptTokens": call.tokens.0, "CompletionTokens": call.tokens.1,
        "RequestMessages": Value::from(call.chat()).to_string(), "ResponseMessages": json!([call.reply()]).to_string(),
        "CallerIpAddress": call.address,
    })
}

pub(super) fn azure_apim_diagnostics(call: &Call) -> Value {
    json!({
        "time": call.rfc3339(), "category": "GatewayLogs", "operationName": "chat", "correlationId": call.id(),
        "callerIpAddress": call.address, "durationMs": 1500, "properties": {
            "apimSubscriptionId": call.account, "responseCode": 200,
            "backendRequestBody": call.chat_request().to_string(),
            "backendResponseBody": call.chat_response().to_string(),
        },
    })
}

pub(super) fn azure_openai(call: &Call) -> Value {
    json!({
        "time": call.rfc3339(), "resourceId": "/SUBSCRIPTIONS/1/SHOP", "category": "RequestResponse",
        "operationName": "ChatCompletions_Create", "durationMs": 1500, "callerIPAddress": "192.0.2.***",
        "correlationId": call.id(), "resultSignature": "200",
        "properties": json!({"modelName": call.model, "objectId": call.account}).to_string(),
    })
}

pub(super) fn vertex(call: &Call) -> Value {
    let mut request = call.gemini_request();
    request["labels"] = json!({"user_id": call.account});
    json!({
        "logging_time": format!("{} UTC", call.database_time()), "request_id": call.id(), "endpoint": "e-1",
        "model": call.model, "api_method": "generateContent", "full_request": request.to_string(),
        "full_response": call.gemini_response().to_string(),
        "metadata": json!({"request_latency": 1500.0, "client_ip": call.address}).to_string(),
    })
}

pub(super) fn vertex_anthropic(call: &Call) -> Value {
    json!({
        "logging_time": format!("{} UTC", call.database_time()), "request_id": call.id(), "endpoint": "e-1",
        "model": call.model, "api_method": "rawPredict", "request_payload": [call.messages_request().to_string()],
        "response_payload": [call.messages_response().to_string()],
        "metadata": {"user": call.account, "client_ip": call.address},
    })
}

pub(super) fn langsmith(call: &Call) -> Value {
    let kind = |role: &str| match role {
        "system" => ("system", "SystemMessage"),
        "assistant" => ("ai", "AIMessage"),
        _ => ("human", "HumanMessage"),
    };
    let said = |role: &str, text: &str| {
        let (kind, class) = kind(role);
        json!({
            "lc": 1, "type": "constructor", "id": ["langchain", "schema", "messages", class],
            "kwargs": {"type": kind, "content": text},
        })
    };
    let system = call.system.iter().map(|text| said("system", text));
    let turns: Vec<Value> = system.chain(call.turns.iter().map(|(role, text)| said(role, text))).collect();
    let answer = json!({"text": call.answer, "message": said("assistant", &call.answer)});
    json!({
        "id": call.id(), "name": "ChatOpenAI", "run_type": "llm", "start_time": call.rfc3339(),
        "end_time": call.end().to_string(), "session_id": "project-1", "trace_id": call.trace,
        "inputs": {"messages": [turns]}, "outputs": {"generations": [[answer]]},
        "extra": {
            "metadata": {"user_id": call.account, "client_ip": call.address, "user_agent": call.agent},
            "invocation_params": {"model": call.model},
        },
        "prompt_tokens": call.tokens.0, "completion_tokens": call.tokens.1,
    })
}

// Logged bodies.

fn logged(call: &Call, request: Value, response: Value) -> Value {
    json!({
        "id": call.id(), "timestamp": call.rfc3339(), "account": call.account, "ip": call.address,
        "user_agent": call.agent, "status": 200, "request": request, "response": response,
    })
}

pub(super) fn openai_chat(call: &Call) -> Value {
    logged(call, call.chat_request(), call.chat_response())
}

/// The caller is who the user is, and no account is named.
pub(super) fn openai_by_user(call: &Call) -> Value {
    let mut record = openai_chat(call);
    record["user"] = record["account"].take();
    record.as_object_mut().expect("an object").remove("account");
    record
}

pub(super) fn openai_texts(call: &Call) -> Value {
    logged(call, json!(call.chat_request().to_string()), json!(call.chat_response().to_string()))
}

pub(super) fn openai_responses(call: &Call) -> Value {
    let mut request = json!({"model": call.model, "input": call.turns()});
    if let Some(system) = &call.system {
        request["instructions"] = json!(system);
    }
    let said =
        json!({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": call.answer}]});
    let usage = json!({"input_tokens": call.tokens.0, "output_tokens": call.tokens.1});
    logged(call, request, json!({"object": "response", "status": "completed", "output": [said], "usage": usage}))
}

/// The answer in two chunks, as a list or as the text of an event stream.
fn chunks(call: &Call) -> Vec<Value> {
    let middle = call.answer.char_indices().nth(call.answer.chars().count() / 2).map_or(0, |(at, _)| at);
    let (first, second) = call.answer.split_at(middle);
    let chunk =
        |text: &str| json!({"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": text}}]});
    let usage = json!({"prompt_tokens": call.tokens.0, "completion_tokens": call.tokens.1});
    vec![chunk(first), chunk(second), json!({"object": "chat.completion.chunk", "choices": [], "usage": usage})]
}

pub(super) fn openai_chunks(call: &Call) -> Value {
    logged(call, call.chat_request(), json!(chunks(call)))
}

pub(super) fn openai_events(call: &Call) -> Value {
    let events: String = chunks(call).iter().map(|chunk| format!("data: {chunk}\n\n")).collect();
    logged(call, call.chat_request(), json!(format!("{events}data: [DONE]\n\n")))
}

/// The request body is the line, and what is known beside it stands among its keys.
pub(super) fn openai_flat(call: &Call) -> Value {
    json!({
        "id": call.id(), "time": call.rfc3339(), "account": call.account, "model": call.model, "ip": call.address,
        "user_agent": call.agent, "messages": call.chat(), "response": call.chat_response(),
    })
}

/// A whole HTTP exchange.
pub(super) fn openai_http(call: &Call) -> Value {
    json!({
        "id": call.id(), "timestamp": call.rfc3339(), "account": call.account, "remote_addr": call.address,
        "request": {
            "method": "POST", "path": "/v1/chat/completions", "headers": {"User-Agent": call.agent},
            "body": call.chat_request(),
        },
        "response": {"status_code": 200, "body": call.chat_response()},
    })
}

pub(super) fn anthropic(call: &Call) -> Value {
    logged(call, call.messages_request(), call.messages_response())
}

pub(super) fn gemini(call: &Call) -> Value {
    let mut record = logged(call, call.gemini_request(), call.gemini_response());
    record["model"] = json!(call.model);
    record
}

/// A native record under other names for the same.
pub(super) fn native_synonyms(call: &Call) -> Value {
    let mut record = call.native(super::traffic::ALL);
    for (name, other) in [("id", "request_id"), ("time", "timestamp"), ("account", "account_id")] {
        record[other] = record[name].take();
        record.as_object_mut().expect("an object").remove(name);
    }
    record
}

/// An item of DynamoDB: every value in an object that names its type.
pub(super) fn dynamodb(call: &Call) -> Value {
    fn typed(value: &Value) -> Value {
        match value {
            Value::Null => json!({"NULL": true}),
            Value::Bool(truth) => json!({"BOOL": truth}),
            Value::Number(number) => json!({"N": number.to_string()}),
            Value::String(text) => json!({"S": text}),
            Value::Array(list) => json!({"L": list.iter().map(typed).collect::<Vec<_>>()}),
            Value::Object(object) => {
                json!({"M": object.iter().map(|(key, value)| (key.clone(), typed(value))).collect::<serde_json::Map<_, _>>()})
            }
        }
    }
    let record = call.native(super::traffic::ALL);
    let fields = record.as_object().expect("an object").iter();
    Value::Object(fields.map(|(key, value)| (key.clone(), typed(value))).collect())
}
