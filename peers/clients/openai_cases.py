"""What the official OpenAI client does, case by case: each returns plain data that can be compared."""

import json
import re

import openai
from pydantic import BaseModel

HELLO = [{"role": "user", "content": "hello"}]
PICTURE = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def tool(name):
    schema = {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}}
    return {"type": "function", "function": {"name": name, "description": f"The {name}.", "parameters": schema}}


class River(BaseModel):
    name: str
    length_km: int
    tidal: bool


def plain(value):
    return value.model_dump(mode="json", exclude_none=True)


def failed(call):
    try:
        call()
    except openai.APIStatusError as error:
        return {"error": type(error).__name__, "status": error.status_code, "body": error.body}
    except openai.OpenAIError as error:
        return {"error": type(error).__name__}
    return {"error": None}


def chat(client):
    return plain(client.chat.completions.create(model="mock-1", messages=HELLO))


def chat_stream(client):
    options = {"include_usage": True}
    stream = client.chat.completions.create(model="mock-1", messages=HELLO, stream=True, stream_options=options)
    return [plain(chunk) for chunk in stream]


def chat_several(client):
    return plain(client.chat.completions.create(model="mock-1", messages=HELLO, n=3, logprobs=True, top_logprobs=2))


def chat_reasoning(client):
    return [plain(chunk) for chunk in client.chat.completions.create(model="mock-reasoner", messages=HELLO, stream=True)]


def chat_tool(client):
    return plain(client.chat.completions.create(model="mock-1", messages=HELLO, tools=[tool("weather")]))


def chat_tools_at_once(client):
    stream = client.chat.completions.create(
        model="mock-1", messages=HELLO, tools=[tool("weather"), tool("tides")], stream=True
    )
    return [plain(chunk) for chunk in stream]


def chat_tool_answered(client):
    call = {"id": "call_0", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    turns = [*HELLO, {"role": "assistant", "tool_calls": [call]}, {"role": "tool", "tool_call_id": "call_0", "content": "rain"}]
    return plain(client.chat.completions.create(model="mock-1", messages=turns, tools=[tool("weather")]))


def structured(client):
    reply = client.chat.completions.parse(model="mock-1", messages=HELLO, response_format=River)
    return reply.choices[0].message.parsed.model_dump()


def vision(client):
    content = [{"type": "text", "text": "what is it?"}, {"type": "image_url", "image_url": {"url": PICTURE}}]
    return plain(client.chat.completions.create(model="mock-1", messages=[{"role": "user", "content": content}]))


def completion(client):
    return plain(client.completions.create(model="mock-1", prompt="hello"))


def responses(client):
    return plain(client.responses.create(model="mock-1", input="hello"))


def responses_stream(client):
    return [plain(event) for event in client.responses.create(model="mock-reasoner", input="hello", stream=True)]


def responses_tool(client):
    tools = [{"type": "function", "name": "weather", "parameters": tool("weather")["function"]["parameters"]}]
    return [plain(event) for event in client.responses.create(model="mock-1", input="hello", tools=tools, stream=True)]


def embeddings(client):
    return plain(client.embeddings.create(model="mock-1", input=["a", "b"]))


def models(client):
    return [plain(model) for model in client.models.list()]


def model(client):
    return plain(client.models.retrieve("mock-1"))


def no_such_model(client):
    return failed(lambda: client.models.retrieve("none"))


def server_fails(client):
    return failed(lambda: client.chat.completions.create(model="mock-error", messages=HELLO))


def server_is_busy(client):
    return failed(lambda: client.chat.completions.create(model="mock-busy", messages=HELLO))


def cancelled(client):
    """Leaves after two events, and asks for something else on the same client."""
    with client.chat.completions.create(model="mock-slow", messages=HELLO, stream=True) as stream:
        first = [plain(chunk) for _, chunk in zip(range(2), stream)]
    return [first, chat(client)]


def timed_out(client):
    return failed(lambda: client.with_options(timeout=0.5).chat.completions.create(model="mock-never", messages=HELLO))


def unnamed(value):
    """Ids are new each time."""
    return json.loads(re.sub(r"mock[0-9]+", "mock", json.dumps(value)))


def files_and_batches(client):
    requests = [{"model": "mock-1", "messages": HELLO}, {"model": "mock-reasoner", "messages": HELLO}]
    lines = [
        json.dumps({"custom_id": str(n), "method": "POST", "url": "/v1/chat/completions", "body": body})
        for n, body in enumerate(requests)
    ]
    file = client.files.create(file=("requests.jsonl", "\n".join(lines).encode()), purpose="batch")
    batch = client.batches.create(
        input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h", metadata={"kind": "test"}
    )
    shown = client.batches.retrieve(batch.id)
    results = [json.loads(line) for line in client.files.content(shown.output_file_id).text.splitlines()]
    told = [plain(file), plain(batch), plain(shown), results, plain(client.files.retrieve(file.id))]
    listed = [
        file.id in [other.id for other in client.files.list(limit=5)],
        batch.id in [other.id for other in client.batches.list(limit=5)],
    ]
    gone = [plain(client.files.delete(file.id)), failed(lambda: client.files.retrieve(file.id))["status"]]
    return unnamed([told, listed, gone])


CASES = [
    files_and_batches, chat, chat_stream, chat_several, chat_reasoning, chat_tool, chat_tools_at_once, chat_tool_answered, structured, vision,
    completion, responses, responses_stream, responses_tool, embeddings, models, model, no_such_model, server_fails,
    server_is_busy, cancelled, timed_out,
]


def client(base, key):
    return openai.OpenAI(base_url=f"{base}/v1", api_key=key, max_retries=0)
