"""What the official Anthropic client does, case by case: each returns plain data that can be compared."""

import json
import re

import anthropic

HELLO = [{"role": "user", "content": "hello"}]
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def tool(name):
    return {"name": name, "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}


def plain(value):
    return value.model_dump(mode="json", exclude_none=True)


def failed(call):
    try:
        call()
    except anthropic.APIStatusError as error:
        return {"error": type(error).__name__, "status": error.status_code, "body": error.body}
    except anthropic.AnthropicError as error:
        return {"error": type(error).__name__}
    return {"error": None}


def message(client):
    return plain(client.messages.create(model="mock-1", max_tokens=99, messages=HELLO))


def message_stream(client):
    """The events, and what the client puts together from them."""
    with client.messages.stream(model="mock-reasoner", max_tokens=99, messages=HELLO) as stream:
        events = [event.type for event in stream]
        return [events, plain(stream.get_final_message())]


def tools_at_once(client):
    with client.messages.stream(
        model="mock-1", max_tokens=99, messages=HELLO, tools=[tool("weather"), tool("tides")]
    ) as stream:
        return plain(stream.get_final_message())


def tool_answered(client):
    call = {"type": "tool_use", "id": "toolu_0", "name": "weather", "input": {"city": "x"}}
    result = {"type": "tool_result", "tool_use_id": "toolu_0", "content": "rain"}
    turns = [*HELLO, {"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]
    return plain(client.messages.create(model="mock-1", max_tokens=99, messages=turns, tools=[tool("weather")]))


def vision(client):
    source = {"type": "base64", "media_type": "image/png", "data": PIXEL}
    content = [{"type": "image", "source": source}, {"type": "text", "text": "what is it?"}]
    return plain(client.messages.create(model="mock-1", max_tokens=99, messages=[{"role": "user", "content": content}]))


def count(client):
    return plain(client.messages.count_tokens(model="mock-1", messages=HELLO))


def server_fails(client):
    return failed(lambda: client.messages.create(model="mock-error", max_tokens=9, messages=HELLO))


def server_is_busy(client):
    return failed(lambda: client.messages.create(model="mock-busy", max_tokens=9, messages=HELLO))


def cancelled(client):
    with client.messages.stream(model="mock-slow", max_tokens=9, messages=HELLO) as stream:
        first = [event.type for _, event in zip(range(3), stream)]
    return [first, message(client)]


def timed_out(client):
    return failed(
        lambda: client.with_options(timeout=0.5).messages.create(model="mock-never", max_tokens=9, messages=HELLO)
    )


def batches(client):
    params = {"model": "mock-reasoner", "max_tokens": 99, "messages": HELLO}
    batch = client.messages.batches.create(requests=[{"custom_id": name, "params": params} for name in ["a", "b"]])
    shown = client.messages.batches.retrieve(batch.id)
    listed = batch.id in [other.id for other in client.messages.batches.list(limit=5)]
    results = [plain(result) for result in client.messages.batches.results(batch.id)]
    gone = plain(client.messages.batches.delete(batch.id))
    told = [plain(batch), plain(shown), results, gone, failed(lambda: client.messages.batches.retrieve(batch.id))["status"]]
    # Ids are new each time.
    return [listed, json.loads(re.sub(r"mock[0-9]+", "mock", json.dumps(told)))]


CASES = [batches, message, message_stream, tools_at_once, tool_answered, vision, count, server_fails, server_is_busy, cancelled, timed_out]


def client(base, key):
    return anthropic.Anthropic(base_url=base, api_key=key, max_retries=0)
