"""LiteLLM's proxy, as a server of its own, with a custom callback or, with `otel`, its OpenTelemetry one (`v2`: the newer).

Each account has a key of its own, which a custom authentication hook turns into the account. The proxy stamps the real time:
afterwards the times of each call are moved in the log, by the number of the call, which stands in the answer's id.
"""

import json
import os
import pathlib
import re
import secrets
import socket
import subprocess
import sys
import time
import urllib.request

import common

import traffic

HOOKS = """
import json
from litellm.integrations.custom_logger import CustomLogger
from litellm.proxy._types import UserAPIKeyAuth

async def authenticate(request, api_key):
    return UserAPIKeyAuth(api_key=api_key, user_id=api_key.removeprefix("sk-"))

class Lines(CustomLogger):
    async def async_log_success_event(self, kwargs, response_obj, start_time, end_time):
        with open({log!r}, "a", encoding="utf-8") as file:
            file.write(json.dumps(kwargs["standard_logging_object"], default=str) + "\\n")

lines = Lines()
"""
CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
OTEL = "otel" in common.FLAGS
HERE = pathlib.Path.cwd()
EXPORTED = pathlib.Path(common.LOG).with_name("exported.jsonl")


def start():
    """The proxy and its port, once it answers."""
    (HERE / "hooks.py").write_text(HOOKS.format(log=common.LOG))
    model = {
        "litellm_params": {"model": "openai/*", "api_base": f"{common.BASE}/v1", "api_key": "sk-mock"},
        "model_name": "*",
    }
    config = {
        "model_list": [model],
        "litellm_settings": {"callbacks": ["otel" if OTEL else "hooks.lines"]},
        "general_settings": {"custom_auth": "hooks.authenticate", "master_key": f"sk-{secrets.token_hex(24)}"},
    }
    (HERE / "config.yaml").write_text(json.dumps(config))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_TELEMETRY": "False",
        "OTEL_EXPORTER": "otlp_http",
        "OTEL_ENDPOINT": f"{common.BASE}/v1/traces",
    }
    if "v2" in common.FLAGS:
        environment |= {"LITELLM_OTEL_V2": "true", "OTEL_ENDPOINT": common.BASE, CAPTURE: "span_only"}
    program = pathlib.Path(sys.executable).parent / "litellm"
    proxy = subprocess.Popen(
        [program, "--config", HERE / "config.yaml", "--host", "127.0.0.1", "--port", str(port)], env=environment, cwd=HERE
    )
    for _ in range(400):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health/liveliness").read()
            return proxy, port
        except OSError:
            if proxy.poll() is not None:
                break
            time.sleep(0.2)
    proxy.kill()
    sys.exit("the proxy did not start")


def ask(port, call):
    body = json.dumps(common.arguments(call)).encode()
    headers = {"content-type": "application/json", "authorization": f"Bearer sk-{call['account']}"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/chat/completions", body, headers)
    with urllib.request.urlopen(request) as answer:
        answer.read()


def call_number(text):
    """The number of the call that a piece of the log is about, from 0."""
    found = re.search(r"chatcmpl-(\d+)", text)
    return int(found[1]) - 1 if found else None


def move_records(times):
    records = [json.loads(line) for line in open(common.LOG, encoding="utf-8")]
    with open(common.LOG, "w", encoding="utf-8") as file:
        for record in records:
            moved = times[call_number(record["id"])] - record["startTime"]
            for name in ("startTime", "endTime", "completionStartTime"):
                record[name] += moved
            file.write(json.dumps(record) + "\n")


def move_spans(times):
    """All spans of a trace by the same amount: it is the one call of that trace that is moved."""
    exports = [json.loads(line) for line in open(EXPORTED, encoding="utf-8")]
    spans = [span for e in exports for r in e.get("resourceSpans", []) for s in r["scopeSpans"] for span in s["spans"]]
    moved = {}
    for span in spans:
        number = call_number(json.dumps(span))
        if number is not None:
            moved.setdefault(span["traceId"], int(times[number] * 1e9) - int(span["startTimeUnixNano"]))
    for span in spans:
        for one in [span, *span.get("events", [])]:
            for name in ("startTimeUnixNano", "endTimeUnixNano", "timeUnixNano"):
                if name in one:
                    one[name] = str(int(one[name]) + moved.get(span["traceId"], 0))
    EXPORTED.write_text("".join(json.dumps(export) + "\n" for export in exports), encoding="utf-8")


calls = traffic.traffic()[0]
proxy, port = start()
try:
    for call in calls:
        ask(port, call)
    time.sleep(7)
finally:
    proxy.terminate()
    proxy.wait(20)
(move_spans if OTEL else move_records)([call["time"] for call in calls])
