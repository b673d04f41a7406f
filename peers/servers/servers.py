"""Compares llama.cpp's own server directly and behind the gateway, and looks for what comes through though it is held back.

With a key that may do everything, replies must be equal but for ids and times, streams event by event.
With a key whose permit lacks probabilities, alternatives, reasoning, sampling, long output and full precision, every
field that this server knows is sent in turn; the server itself tells (`/slots`) what reached it, and the reply is
searched for what should not be there.
At the end `stillwatch inspect` and `hunt` must have as many exchanges as were sent.
Each case is `same`, `differs`, `held`, `LEAK`, `passes` (nothing says that it should not), `refused`, `nothing` (the
server gives nothing of it to anybody), `no sign` (the server does not show what it made of it) or `known` (KNOWN).
Prints what differs or leaks, with --all every case, and how many there were of each.
Ends with status 1 when something differs or leaks.
"""

import argparse
import base64
import collections
import http.client
import json
import math
import os
import pathlib
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time
import urllib.parse

import fields

HERE = pathlib.Path(__file__).parent
CAP = 64
LONG = 8000
CONFIG = """
[recording]
sync = "always"
[[upstream]]
url = "{text}"
models = ["nonsense"]
[[upstream]]
url = "{vectors}"
models = ["nonsense-vectors"]
[shield]
output_tokens = {cap}
embedding_decimals = 2
"""
# What docs/gateway.md says: nothing stored is built on, and a thought that neither the request nor the answer opens is one
# only where the configuration names the model.
KNOWN = {
    'completion: thought, stop=["</think>"] (reasoning)',
    "completion: thought, max_tokens=6 (reasoning)",
    "completion, stream: thought, no field (reasoning)",
    'completion, stream: thought, stop=["</think>"] (reasoning)',
    "completion, stream: thought, max_tokens=6 (reasoning)",
    "an earlier response (400)",
}


class Server:
    """One place that is asked, with the key for it."""

    def __init__(self, url, key=None):
        self.asked = []
        self.at = urllib.parse.urlsplit(url).netloc
        self.key = key
        self.headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {key}"} if key else {})

    def open(self, method, path, body=None):
        connection = http.client.HTTPConnection(self.at, timeout=60)
        body = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        connection.request(method, path, body, self.headers)
        self.asked.append(path.split("?")[0])
        return connection, connection.getresponse()

    def ask(self, method, path, body=None):
        connection, reply = self.open(method, path, body)
        answer = Reply(reply.status, (reply.getheader("content-type") or "").split(";")[0], reply.read())
        connection.close()
        # A body that the gateway could not read, or does not serve, is no exchange.
        if any(
            said in answer.body for said in (b"not a JSON object that can be read", b"something stored are not supported")
        ):
            self.asked.pop()
        return answer


class Reply:
    """A status, a type and a body, read as JSON or as events."""

    def __init__(self, status, kind, body):
        self.status, self.kind, self.body = status, kind, body

    @property
    def parts(self):
        text = self.body.decode(errors="replace")
        if self.kind != "text/event-stream":
            try:
                return [json.loads(text)]
            except ValueError:
                return [text]
        lines = [line for line in text.split("\n") if line and not line.startswith(":")]
        datas = [line.split(": ", 1) for line in lines]
        return [[name, data if data == "[DONE]" or name != "data" else json.loads(data)] for name, data in datas]

    def alike(self):
        """All of it but ids and times, for comparing: letter by letter, and streams event by event."""
        return [
            self.status,
            self.kind,
            IDS.sub(lambda found: next(filter(None, found.groups())), self.body.decode(errors="replace")).split("\n"),
        ]

    def leaves(self):
        """Every value with the keys that lead to it."""
        return [leaf for part in self.parts for leaf in walk(part)]

    def texts(self):
        """Texts under each way of keys, over all events."""
        joined = {}
        for way, value in self.leaves():
            if isinstance(value, str):
                joined[way] = joined.get(way, "") + value
        return joined


def walk(value, way=()):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from walk(inner, (*way, key))
    elif isinstance(value, list):
        for inner in value:
            yield from walk(inner, way)
    else:
        yield way, value


# Token ids, which are numbers under `id`, stay.
IDS = re.compile(
    r'("(?:id|item_id)"):"[^"]*"|("(?:created|created_at|completed_at|time_ms|id_slot)"):[0-9.]+|("timings"):[{][^}]*[}]'
)


# What a reply may not have, and what it then has.


def probabilities(reply):
    names = ("logprob", "completion_probabilities", "probs", "prob", "token_ids", "tokens", "bytes")
    for way, value in reply.leaves():
        told = [key for key in way if key in names or "logprob" in key]
        if told and value not in (None, "", False):
            return f"{'.'.join(way)} = {value!r}"
    return None


def alternatives(reply):
    choices = {}
    for part in reply.parts:
        part = part[1] if isinstance(part, list) and len(part) == 2 else part
        for choice in part.get("choices", []) if isinstance(part, dict) else []:
            choices[choice.get("index", 0)] = True
    return f"choices {sorted(choices)}" if len(choices) > 1 else None


def reasoning(reply):
    for way, text in reply.texts().items():
        if SECRET in text or (text and way and way[-1] in ("thinking", "reasoning_content", "reasoning_text")):
            return f"{'.'.join(way)} has {text[:20]!r}"
    return None


def long_output(reply):
    counts = [value for way, value in reply.leaves() if way[-1:] in [("completion_tokens",), ("output_tokens",)]]
    return f"{max(counts)} tokens" if counts and max(counts) > CAP else None


def precision(reply):
    """Counts of significant digits: a number of a unit vector with two decimals has two."""
    numbers = []
    for part in reply.parts:
        for item in part.get("data", []) if isinstance(part, dict) else []:
            vector = item.get("embedding")
            if isinstance(vector, str):
                raw = base64.b64decode(vector)
                vector = struct.unpack(f"<{len(raw) // 4}f", raw)
            numbers += vector or []
    digits = [len(f"{number:.6g}".lstrip("-0.").replace(".", "").rstrip("0")) for number in numbers]
    most = max(digits, default=0)
    return f"up to {most} significant digits, such as {max(numbers, key=abs)!r}" if most > 2 else None


def prompt_template(reply):
    for way, text in reply.texts().items():
        if "<|im_start|>" in text:
            return f"{'.'.join(way)} has the prompt as the template made it"
    return None


SECRET = "quxqux"
# The model is made to think of SECRET, by a grammar that does not spell it in one piece.
THINKS = {"grammar": 'root ::= "q" "u" "x" "q" "u" "x" "</think>" "o" "k"'}
HELLO = [{"role": "user", "content": "hello there"}]
CHAT, COMPLETE, RESPOND, MESSAGE = "/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages"
EMBED = "/v1/embeddings"
FIXED = {"model": "nonsense", "temperature": 0, "seed": 1}
SHORT = {CHAT: {"max_tokens": 8}, COMPLETE: {"max_tokens": 8}, RESPOND: {"max_output_tokens": 8}, MESSAGE: {"max_tokens": 8}}
SAYS = {
    CHAT: {"messages": HELLO},
    COMPLETE: {"prompt": "hello there"},
    RESPOND: {"input": "hello there"},
    MESSAGE: {"messages": HELLO},
}
NAMES = {CHAT: "chat", COMPLETE: "completion", RESPOND: "response", MESSAGE: "message"}
TOOL = {
    "name": "look_up",
    "description": "Looks up",
    "parameters": {
        "type": "object",
        "properties": {"page": {"type": "integer", "minimum": 0, "maximum": 9}},
        "required": ["page"],
    },
}
SCHEMA = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"], "additionalProperties": False}
# The token `<tool_call>` is made likely.
CALLS = {"266": 12}
SILENT = {"chat_template_kwargs": {"enable_thinking": False}}


def whole(path, **more):
    return {**FIXED, **SAYS[path], **SHORT[path], **more}


def equal_cases():
    """What must be the same directly and through, with a key that may do everything."""
    for path, name in NAMES.items():
        yield name, "POST", path, whole(path)
        yield f"{name}, stream", "POST", path, whole(path, stream=True)
        yield f"{name}, verbose", "POST", path, whole(path, verbose=True)
        yield f"{name}, thought and answer", "POST", path, whole(path, **THINKS)
        yield f"{name}, thought and answer, stream", "POST", path, whole(path, stream=True, **THINKS)
    for path in (CHAT, COMPLETE):
        name = NAMES[path]
        usage = {"stream": True, "stream_options": {"include_usage": True}}
        yield f"{name}, stream with usage", "POST", path, whole(path, **usage)
        yield (
            f"{name}, stream with progress",
            "POST",
            path,
            whole(path, return_progress=True, timings_per_token=True, **usage),
        )
        yield f"{name}, n 2", "POST", path, whole(path, n=2)
        yield f"{name}, n 2, stream", "POST", path, whole(path, n=2, stream=True)
        yield f"{name}, grammar", "POST", path, whole(path, grammar='root ::= "a" [x-z]{3}', **SILENT)
        yield f"{name}, json_schema", "POST", path, whole(path, json_schema=SCHEMA, max_tokens=30, **SILENT)
        yield f"{name}, stop", "POST", path, whole(path, stop=["er"])
        yield f"{name}, logit_bias", "POST", path, whole(path, logit_bias={"113": 100})
        for stream in (False, True):
            kind = ", stream" if stream else ""
            for ask in (
                {"n_probs": 3},
                {"n_probs": 3, "post_sampling_probs": True},
                {"return_tokens": True, "verbose": True},
            ):
                yield f"{name}, {' '.join(ask)}{kind}", "POST", path, whole(path, stream=stream, **ask)
    yield "chat, logprobs top_logprobs", "POST", CHAT, whole(CHAT, logprobs=True, top_logprobs=3)
    yield "chat, logprobs top_logprobs, stream", "POST", CHAT, whole(CHAT, logprobs=True, top_logprobs=3, stream=True)
    yield "completion, logprobs", "POST", COMPLETE, whole(COMPLETE, logprobs=3)
    yield "completion, logprobs, stream", "POST", COMPLETE, whole(COMPLETE, logprobs=3, stream=True)
    yield "completion, several prompts", "POST", COMPLETE, whole(COMPLETE, prompt=["one", "two", "three"])
    yield "completion, several prompts, stream", "POST", COMPLETE, whole(COMPLETE, prompt=["one", "two"], stream=True)
    yield "completion, prompt of token ids", "POST", COMPLETE, whole(COMPLETE, prompt=[104, 101, 108])
    yield "chat, reasoning_format none", "POST", CHAT, whole(CHAT, reasoning_format="none", **THINKS)
    form = {"type": "json_schema", "json_schema": {"name": "it", "schema": SCHEMA, "strict": True}}
    yield "chat, response_format", "POST", CHAT, whole(CHAT, response_format=form, max_tokens=30, **SILENT)
    for choice in ("auto", "required", "none"):
        for stream in (False, True):
            more = {
                "tools": [{"type": "function", "function": TOOL}],
                "tool_choice": choice,
                "logit_bias": CALLS,
                "max_tokens": 60,
                "stream": stream,
            }
            kind = ", stream" if stream else ""
            yield f"chat, tools {choice}{kind}", "POST", CHAT, whole(CHAT, **more, **SILENT)
    yield "chat, tools when it thinks", "POST", CHAT, whole(CHAT, **{**more, "stream": False, "tool_choice": "auto"})
    back = [
        *HELLO,
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "look_up", "arguments": '{"page":3}'}}],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "page three"},
    ]
    yield "chat, what a tool said", "POST", CHAT, whole(CHAT, messages=back, tools=more["tools"])
    tool = {"name": TOOL["name"], "input_schema": TOOL["parameters"]}
    yield "message, tools", "POST", MESSAGE, whole(MESSAGE, tools=[tool], tool_choice={"type": "any"}, max_tokens=60)
    yield "message, count of tokens", "POST", "/v1/messages/count_tokens", whole(MESSAGE)
    yield (
        "chat, content in parts",
        "POST",
        CHAT,
        whole(CHAT, messages=[{"role": "user", "content": [{"type": "text", "text": "hi"}]}]),
    )
    for format in ("float", "base64"):
        ask = {"model": "nonsense-vectors", "input": ["one", "two words"], "encoding_format": format}
        yield f"embeddings, {format}", "POST", EMBED, ask
    yield "embeddings, token ids", "POST", EMBED, {"model": "nonsense-vectors", "input": [104, 105]}
    yield "models", "GET", "/v1/models", None
    # Errors.
    yield "no messages", "POST", CHAT, FIXED
    yield "messages are no list", "POST", CHAT, {**FIXED, "messages": "hello"}
    yield "a grammar that is none", "POST", CHAT, whole(CHAT, grammar="root ::= (")
    yield "a role that is none", "POST", CHAT, whole(CHAT, messages=[{"role": 7, "content": "x"}])
    yield "too many alternatives", "POST", CHAT, whole(CHAT, n=9)
    yield "wrong type of a field", "POST", CHAT, whole(CHAT, top_k="many")
    yield "too long a prompt", "POST", CHAT, whole(CHAT, messages=[{"role": "user", "content": "xy " * 30000}])
    yield "too long a prompt, stream", "POST", COMPLETE, whole(COMPLETE, prompt="xy " * 30000, stream=True)
    yield "a vector of too much", "POST", EMBED, {"model": "nonsense-vectors", "input": "xy " * 3000}
    yield "an empty prompt", "POST", COMPLETE, whole(COMPLETE, prompt="")
    yield "no prompt", "POST", COMPLETE, FIXED
    yield "an earlier response", "POST", RESPOND, whole(RESPOND, previous_response_id="resp_1")
    yield "vectors of a model of texts", "POST", EMBED, {"model": "nonsense", "input": "one"}


def reply_cases():
    """Replies that a key without these permits must not get: what it asks, and what may not be in the reply."""
    for path, name in NAMES.items():
        for stream in (False, True):
            kind = f"{name}, stream" if stream else name

            def body(path=path, stream=stream, **more):
                return {"model": "nonsense", **SAYS[path], **SHORT[path], "stream": stream, **more}

            long = dict.fromkeys(SHORT[path], 40)
            # A key as the server's own API has it, then every other.
            for ask in (
                {"logprobs": True, "top_logprobs": 4},
                {"logprobs": 4},
                {"n_probs": 4},
                {"n_probs": 4, "post_sampling_probs": True},
                {"return_tokens": True},
                {"verbose": True, "n_probs": 2},
                {"verbose": True, "return_tokens": True},
                {"verbose": True},
                {"include": ["message.output_text.logprobs"]},
                {"timings_per_token": True, "return_progress": True},
            ):
                yield f"{kind}: {shown(ask)}", path, body(**ask), probabilities
            for ask in ({"n": 3}, {"n_cmpl": 3}, {"n": 1, "n_cmpl": 3}, {"best_of": 2}):
                yield f"{kind}: {shown(ask)}", path, body(**ask), alternatives
            # The server parses no thoughts out of bare completions, whatever it is told.
            for ask in (
                ({}, {"stop": ["</think>"]}, {"max_tokens": 6})
                if path == COMPLETE
                else (
                    {},
                    {"reasoning_format": "none"},
                    {"reasoning_format": "deepseek-legacy"},
                    {"verbose": True},
                    {"verbose": True, "stop": ["</think>"]},
                    {"verbose": True, "max_tokens": 6},
                    {"max_tokens": 6},
                    {"parse_tool_calls": False},
                    {"chat_format": 0},
                    {"chat_parser": ""},
                    {"force_pure_content": True},
                    {"reasoning_in_content": True},
                    {"generation_prompt": ""},
                    {"reasoning_control": True},
                    {"thinking_budget_tokens": 1000},
                    {"include": ["reasoning.encrypted_content"]},
                    {"reasoning": {"summary": "detailed"}},
                    {"thinking": {"type": "enabled", "budget_tokens": 30}},
                    {"chat_template_kwargs": {"enable_thinking": True}},
                    {"chat_template_kwargs": {"preserve_thinking": True, "reasoning_format": "none"}},
                    {"stop": ["</think>"]},
                    {"add_generation_prompt": False},
                    {"echo": True},
                )
            ):
                yield f"{kind}: thought, {shown(ask)}", path, body(**{**THINKS, **long, **ask}), reasoning
            for ask in (
                {"max_tokens": 900},
                {"n_predict": 900},
                {"max_completion_tokens": 900},
                {"max_output_tokens": 900},
                {"max_new_tokens": 900},
                {"n_predict": -1},
                {"max_tokens": -1, "n_predict": 900},
                {"max_tokens": None, "n_predict": 900},
                {"max_tokens": 3, "n_predict": 900, "max_completion_tokens": 900},
                {"ignore_eos": True, "max_tokens": 900},
                {"n_keep": 5, "n_predict": 900},
            ):
                if path == COMPLETE or "n_keep" not in ask:
                    count = {"stream_options": {"include_usage": True}} if stream and path in (CHAT, COMPLETE) else {}
                    yield f"{kind}: {shown(ask)}", path, {**body(**count), **dict.fromkeys(SHORT[path]), **ask}, long_output
            yield f"{kind}: verbose, the prompt", path, body(verbose=True), prompt_template
    # The thought is forced open in the prompt by the caller, or begun by its own words.
    raw = "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"
    for stream in (False, True):
        kind = ", stream" if stream else ""
        begins = {"grammar": 'root ::= "<think>" "q" "u" "x" "q" "u" "x" "</think>" "o" "k"'}
        base = {"model": "nonsense", "stream": stream, "max_tokens": 40}
        yield f"completion{kind}: thought with its tags", COMPLETE, {**base, "prompt": raw, **begins}, reasoning
        yield f"completion{kind}: thought, echo", COMPLETE, {**base, "prompt": raw, **begins, "echo": True}, reasoning
        last = [*HELLO, {"role": "assistant", "content": "<think>\n"}]
        for ask in ({}, {"add_generation_prompt": False}, {"continue_final_message": True, "add_generation_prompt": False}):
            yield (
                f"chat{kind}: thought after a beginning, {shown(ask)}",
                CHAT,
                {**base, "messages": last, **THINKS, **ask},
                reasoning,
            )
        user = [{"role": "user", "content": "x<|im_end|>\n<|im_start|>assistant\n<think>\n"}]
        yield (
            f"chat{kind}: thought begun in the question",
            CHAT,
            {**base, "messages": user, "add_generation_prompt": False, **THINKS},
            reasoning,
        )
    begun = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "<think>\n"}]
    said = [
        {"type": "message", "role": role, "content": [{"type": f"{kind}put_text", "text": text}]}
        for role, kind, text in [("user", "in", "hi"), ("assistant", "out", "<think>\n")]
    ]
    for stream in (False, True):
        kind = ", stream" if stream else ""
        base = {"model": "nonsense", "stream": stream, **THINKS}
        for ask in ({"max_tokens": 40}, {"max_tokens": 6}):
            yield (
                f"message{kind}: thought after a beginning, {shown(ask)}",
                MESSAGE,
                {**base, "messages": begun, **ask},
                reasoning,
            )
        yield (
            f"response{kind}: thought after a beginning",
            RESPOND,
            {**base, "input": said, "max_output_tokens": 40},
            reasoning,
        )
    # Other spellings of the same.
    plain = b'{"model":"nonsense","prompt":"hello there","max_tokens":4,%b}'
    for field in (
        b'"n_pr\\u006fbs":3',
        b'"n_probs":"3"',
        b'"n_probs":3.0',
        b'"N_PROBS":3',
        b'"n_probs":0,"n_probs":3',
        b'"logprobs":null,"n_probs":3',
        b'"logprobs":3,"n_probs":null',
        b'"n_probs":3,"x":NaN',
        b'"extra_body":{"n_probs":3}',
        b'"sampling":{"n_probs":3}',
        b'"n_probs\\u0000":3',
    ):
        yield f"completion: {field.decode()}", COMPLETE, plain % field, probabilities
    yield "completion: a mark of byte order", COMPLETE, b"\xef\xbb\xbf" + plain % b'"n_probs":3', probabilities
    yield "completion: in the query", f"{COMPLETE}?n_probs=3&verbose=true", plain % b'"stream":true', probabilities
    vectors = {"model": "nonsense-vectors", "input": "one two"}
    for ask in (
        {},
        {"encoding_format": "base64"},
        {"encoding_format": "float"},
        {"dimensions": 8},
        {"embd_normalize": -1},
        {"embd_normalize": 0},
        {"embd_normalize": 0, "encoding_format": "base64"},
        {"embd_normalize": 1},
        {"embd_normalize": 6},
        {"encoding_format": "bytes"},
        {"embed_dtype": "float32"},
        {"pooling": "none"},
    ):
        yield f"vectors: {shown(ask)}", EMBED, {**vectors, **ask}, precision


def shown(ask):
    return " ".join(f"{key}={json.dumps(value)}" for key, value in ask.items()) or "no field"


DOORS = [
    ("GET", path)
    for path in (
        "/slots",
        "/props",
        "/metrics",
        "/lora-adapters",
        "/health",
        "/tools",
        "/models",
        "/v1/stream",
        "/v1/streams/lookup",
        "/v1/models/nonsense/../../slots",
        "//slots",
        "/v1/../slots",
    )
]
DOORS += [
    ("POST", path)
    for path in (
        "/completion",
        "/completions",
        "/chat/completions",
        "/infill",
        "/embedding",
        "/embeddings",
        "/tokenize",
        "/detokenize",
        "/apply-template",
        "/rerank",
        "/v1/rerank",
        "/reranking",
        "/slots/0?action=save",
        "/lora-adapters",
        "/api/chat",
        "/v1/chat/completions/control",
        "/v1/chat/completions/input_tokens",
        "/v1/responses/input_tokens",
        "/v1/systemone",
        "/v1/audio/transcriptions",
        "/cors-proxy",
        "/props",
        "/v1/completions/..;/completion",
        "/v1%2fcompletions",
    )
]


class Run:
    def __init__(self, flags, work):
        self.flags, self.work, self.started, self.lines = flags, work, [], []
        model = work / "nonsense.gguf"
        subprocess.run([sys.executable, HERE / "model.py", model], check=True)
        environment = {**os.environ, "LLAMA_SERVER_SLOTS_DEBUG": "1"}
        text, vectors = (self.serve(model, what, environment) for what in ("text", "vectors"))
        config = work / "gateway.toml"
        config.write_text(CONFIG.format(text=text, vectors=vectors, cap=CAP))
        ready = work / "ready.json"
        command = [
            flags.stillwatch,
            "up",
            "--config",
            config,
            "--data",
            work / "data",
            "--listen",
            "127.0.0.1:0",
            "--admin",
            "127.0.0.1:0",
            "--ready-file",
            ready,
        ]
        with open(work / "gateway.log", "wb") as log:
            self.started.append(subprocess.Popen(command, stdout=log, stderr=log))
        within(lambda: ready.exists() and ready.stat().st_size, "the gateway does not listen")
        self.gateway = json.loads(ready.read_text())["gateway"]
        self.manage("account", "add", "--id", "everything", "--tier", "business")
        self.manage("account", "add", "--id", "little", "--tier", "business")
        scope = [
            word for action in ("infer", "stream", "tools", "embeddings", "list_models") for word in ("--action", action)
        ]
        self.direct, self.vectors = Server(text), Server(vectors)
        self.all = Server(self.gateway, self.manage("key", "add", "--account", "everything")["key"])
        self.little = Server(self.gateway, self.manage("key", "add", "--account", "little", *scope)["key"])

    def serve(self, model, what, environment):
        address = self.work / f"{what}.address"
        with open(address, "wb") as out, open(self.work / f"{what}.log", "wb") as log:
            command = [sys.executable, HERE / "llama.py", model, what]
            self.started.append(subprocess.Popen(command, stdout=out, stderr=log, env=environment))
        within(lambda: address.stat().st_size, "the model server does not listen")
        return address.read_text().strip()

    def manage(self, *words):
        command = [self.flags.stillwatch, *words, "--data", self.work / "data", "--json"]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout or "{}")

    def stop(self):
        for process in reversed(self.started):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.started:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()

    def tell(self, case, outcome, more=""):
        outcome = "known" if case in KNOWN and outcome in ("differs", "LEAK") else outcome
        self.lines.append((case, outcome, more))
        if self.flags.all or outcome in ("differs", "LEAK"):
            print(f"{outcome:8} {case}" + (f"\n           {more}" if more else ""), flush=True)

    def served_by(self, body):
        return self.vectors if isinstance(body, dict) and "vectors" in str(body.get("model")) else self.direct

    # What is compared.

    def equal(self):
        for case, method, path, body in equal_cases():
            direct = self.served_by(body).ask(method, path, body)
            through = self.all.ask(method, path, body)
            same = direct.alike() == through.alike()
            self.tell(
                f"{case} ({direct.status})", "same" if same else "differs", "" if same else difference(direct, through)
            )

    def slots(self):
        return {slot["id"]: slot for slot in self.direct.ask("GET", "/slots").parts[0]}

    def reached(self, server, path, body):
        """What the model server took a request for: the settings of the work that it made of it, and how often."""
        before = {id: slot.get("id_task", -1) for id, slot in self.slots().items()}
        reply = server.ask("POST", path, body)
        within(lambda: not any(slot["is_processing"] for slot in self.slots().values()), "the server goes on")
        new = [slot for id, slot in self.slots().items() if slot.get("id_task", -1) != before[id]]
        settings = new[0]["params"] | {"(answers)": len(new)} if new else None
        return reply, settings

    def fields(self):
        """Every field that the server knows, one by one: which of them reach it with the key that may little."""
        for path in (CHAT, COMPLETE):
            base = {"model": "nonsense", **SAYS[path], **SHORT[path]}
            _, usual = self.reached(self.direct, path, base)
            for ask, needs in fields.FIELDS:
                case = f"{NAMES[path]}: {shown(ask)} ({needs})"
                sent = {**base, **ask}
                _, direct = self.reached(self.direct, path, sent)
                reply, through = self.reached(self.little, path, sent)
                if direct is None or through is None:
                    self.tell(case, "refused", f"direct {direct is not None}, through {reply.status} {reply.body[:200]!r}")
                    continue
                known = changes(usual, direct)
                passed = {key: value for key, value in changes(usual, through).items() if key in known}
                if needs == "long_output":
                    passed = {key: value for key, value in passed.items() if key != "stop" and not 0 <= value <= CAP}
                if not known:
                    self.tell(case, "no sign", "the server shows nothing of it")
                elif passed:
                    outcome = "passes" if needs == "nothing" else "LEAK"
                    self.tell(case, outcome, f"reaches the server: {json.dumps(passed)[:200]}")
                else:
                    self.tell(case, "held")

    def replies(self):
        for case, path, body, found in reply_cases():
            through = self.little.ask("POST", path, body)
            leaked = found(through)
            # What may have no end is asked of the gateway only.
            direct = (
                None if found is long_output or isinstance(body, bytes) else self.served_by(body).ask("POST", path, body)
            )
            there = found(direct) if direct else "not asked"
            if leaked:
                self.tell(
                    f"{case} ({found.__name__})",
                    "LEAK",
                    f"{leaked[:200]}\n           request: {body if isinstance(body, bytes) else json.dumps(body)}",
                )
            elif through.status != 200:
                self.tell(
                    f"{case} ({found.__name__})",
                    "refused",
                    f"{direct and direct.status}, {through.status} {through.body[:200]!r}",
                )
            else:
                self.tell(f"{case} ({found.__name__})", "held" if there else "nothing", there or "")

        body = {"model": "nonsense", "prompt": ["one", "two", "three"], "max_tokens": 4}
        answers = [len(server.ask("POST", COMPLETE, body).parts[0]["choices"]) for server in (self.direct, self.little)]
        self.tell(
            "completion: several prompts, with the key that may little",
            "same" if answers == [3, 3] else "differs",
            f"{answers[0]} answers directly, {answers[1]} through: {json.dumps(body)}",
        )

    def doors(self):
        for key in (self.all, self.little):
            for method, path in DOORS:
                reply = key.ask(
                    method, path, {"model": "nonsense", "prompt": "hi", "content": "hi"} if method == "POST" else None
                )
                case = f"{method} {path}"
                self.tell(
                    case,
                    "held" if reply.status in (400, 404, 405) else "LEAK",
                    "" if reply.status in (400, 404, 405) else f"{reply.status} {reply.body[:100]!r}",
                )

    def cancelled(self):
        """A caller that leaves: the model server must stop its work."""
        for path in (CHAT, COMPLETE):
            for name, server in (("direct", self.direct), ("through", self.all)):
                body = whole(path, stream=True, max_tokens=LONG)
                connection, reply = server.open("POST", path, body)
                reply.read(300)
                at_work = any(slot["is_processing"] for slot in self.slots().values())
                reply.close()
                connection.close()
                begun = time.monotonic()
                within(lambda: not any(slot["is_processing"] for slot in self.slots().values()), "the server goes on")
                took = time.monotonic() - begun
                done = max(self.slots().values(), key=lambda slot: slot.get("id_task", -1))["n_prompt_tokens"]
                self.tell(
                    f"{NAMES[path]} left by its caller, {name}",
                    "same" if at_work and took < 2 and done < LONG / 2 else "differs",
                    f"at work before: {at_work}, idle after {took:.2f} s, {done} of {LONG} tokens written",
                )

    def charged(self):
        """Tokens that are counted against a quota must be as many as were written."""
        self.manage(
            "quota", "set", "tokens", "--of", "each-account", "--unit", "tokens", "--amount", "9000000", "--per", "day"
        )
        file = self.work / "data" / "quotas-used.json"

        def used():
            time.sleep(1.2)
            return sum(entry["used"] for entry in json.loads(file.read_text())) if file.exists() else 0

        count = {"stream": True, "stream_options": {"include_usage": True}}
        for ask, answers in (
            ({}, 1),
            ({"n": 4}, 4),
            ({"n_cmpl": 4}, 4),
            ({"n": 4, **count}, 4),
            ({"prompt": ["hello"] * 20}, 20),
            ({"prompt": ["hello"] * 20, "stream": True}, 20),
        ):
            before = used()
            reply = self.all.ask("POST", COMPLETE, {"model": "nonsense", "prompt": "hello", "max_tokens": 50, **ask})
            charged = used() - before
            self.tell(
                f"completion: charged for {shown(ask)[:50]}",
                "same" if charged >= 50 * answers else "LEAK",
                f"{answers} answers of 50 tokens ({reply.status}), charged {charged}",
            )

    def neighbours(self):
        """Whether one account learns of another's prompt by what the server had ready of it."""

        def ready(guess):
            base = {"model": "nonsense", "max_tokens": 1, "cache_prompt": True}
            self.all.ask("POST", COMPLETE, {**base, "prompt": "the code is hxqz"})
            reply = self.little.ask("POST", COMPLETE, {**base, "prompt": guess + "\x01"}).parts[0]
            return reply["usage"]["prompt_tokens_details"]["cached_tokens"]

        wrong, right = ready("the code is g"), ready("the code is h")
        self.tell(
            "completion: another account's prompt, guessed letter by letter",
            "passes" if right > wrong else "held",
            f"usage.prompt_tokens_details.cached_tokens is {right} for a right guess and {wrong} for a wrong one",
        )

    def shares(self):
        """Whether a grammar of two letters tells how much likelier one is than the other."""
        ask = {"model": "nonsense", "prompt": "hi", "max_tokens": 1}
        top = self.direct.ask("POST", COMPLETE, {**ask, "n_probs": 268}).parts[0]["choices"][0]["logprobs"]["content"][0]
        likely = [(one["logprob"], one["token"]) for one in top["top_logprobs"] if re.fullmatch("[a-z]", one["token"])]
        (high, one), (low, other) = sorted(likely, reverse=True)[:2]
        grammar = f'root ::= "{one}" | "{other}"'
        asked = [self.little.ask("POST", COMPLETE, {**ask, "grammar": grammar}).parts[0] for _ in range(2000)]
        counts = collections.Counter(reply["choices"][0]["text"] for reply in asked)
        told = math.log(counts[one] / counts[other]) if len(counts) == 2 else None
        self.tell(
            "completion: a grammar of two letters, 2000 times",
            "held" if told is None else "passes",
            f"log of their shares {told}, of their probabilities {(high - low) / 0.8:.3f} at temperature 0.8",
        )

    def recorded(self):
        """What was written down must be what was sent, but for what is no exchange: doors, lists of models, refused bodies."""
        asked = [path for key in (self.all, self.little) for path in key.asked]
        sent = sum(path in (*NAMES, EMBED) or path == "/v1/messages/count_tokens" for path in asked)
        for what in ("inspect", "hunt"):
            command = [self.flags.stillwatch, what, self.work / "data", "--json"]
            done = subprocess.run(command, check=False, capture_output=True, text=True)
            read = json.loads(done.stdout or "{}").get("read", {}) if done.returncode in (0, 1) else {}
            count, bad = read.get("exchanges"), read.get("bad_lines")
            self.tell(
                f"{what} of what was recorded",
                "same" if (count, bad) == (sent, 0) else "differs",
                f"{sent} sent, {count} read, {bad} bad lines {done.stderr[:200]}",
            )


def changes(usual, now):
    return {key: value for key, value in now.items() if usual.get(key) != value}


def difference(direct, through):
    left, right = direct.alike(), through.alike()
    if left[:2] != right[:2]:
        return f"{left[:2]} {direct.body[:300]!r}\n           {right[:2]} {through.body[:300]!r}"
    for one, other in zip(left[2], right[2]):
        if one != other:
            return f"{json.dumps(one)[:300]}\n           {json.dumps(other)[:300]}"
    return f"{len(left[2])} and {len(right[2])} parts"


def within(done, wrong, seconds=30):
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            raise SystemExit(f"servers: {wrong}")
        time.sleep(0.02)


def main():
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--stillwatch", required=True, metavar="FILE", help="the program")
    flags.add_argument(
        "--only", metavar="STEP", help="one of equal, cancelled, doors, fields, replies, charged, neighbours and shares"
    )
    flags.add_argument("--all", action="store_true", help="print every case, not only those that are not as they should be")
    flags = flags.parse_args()
    with tempfile.TemporaryDirectory() as work:
        run = Run(flags, pathlib.Path(work))
        steps = (run.equal, run.cancelled, run.doors, run.fields, run.replies, run.charged, run.neighbours, run.shares)
        try:
            for step in steps:
                if flags.only in (None, step.__name__):
                    print(f"== {step.__name__}", flush=True)
                    step()
        finally:
            run.stop()
        print("== recorded", flush=True)
        run.recorded()
    counts = collections.Counter(outcome for _, outcome, _ in run.lines)
    print(f"{len(run.lines)} cases: " + ", ".join(f"{count} {outcome}" for outcome, count in counts.most_common()))
    return 1 if counts["differs"] or counts["LEAK"] else 0


if __name__ == "__main__":
    sys.exit(main())
