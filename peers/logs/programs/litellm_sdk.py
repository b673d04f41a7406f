"""LiteLLM's SDK: a custom callback writes `standard_logging_object`, a line each. The account is the request's `user`.

With `otel` its OpenTelemetry callback exports to the mock server instead, which writes OTLP/JSON.
"""

import json
import os
import threading
import time

import common

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
if "otel" in common.FLAGS:
    os.environ |= {"OTEL_EXPORTER": "otlp_http", "OTEL_ENDPOINT": f"{common.BASE}/v1/traces"}

import litellm  # noqa: E402
from litellm.integrations.custom_logger import CustomLogger  # noqa: E402


class Lines(CustomLogger):
    def log_success_event(self, kwargs, response_obj, start_time, end_time):
        with lock:
            file.write(json.dumps(kwargs["standard_logging_object"], default=str) + "\n")
            written.append(1)


lock, written, sent = threading.Lock(), [], 0
if "otel" in common.FLAGS:
    litellm.callbacks = ["otel"]
else:
    file = open(common.LOG, "a", encoding="utf-8")
    litellm.callbacks = [Lines()]
for call in common.calls():
    arguments = common.arguments(call) | {"model": f"openai/{call['model']}", "user": call["account"]}
    answer = litellm.completion(**arguments, api_base=f"{common.BASE}/v1", api_key="sk-mock")
    if call["stream"]:
        for _ in answer:
            pass
    sent += 1
    # The callback runs in a thread: the clock must not move before it has written.
    while "otel" not in common.FLAGS and len(written) < sent:
        threading.Event().wait(0.001)
if "otel" in common.FLAGS:
    # Calls are handed over by threads and exported every few seconds; LiteLLM has no way to wait for that.
    time.sleep(7)
else:
    file.close()
