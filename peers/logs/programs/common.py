"""What the drivers of all programs share: the calls, the clock and the OpenAI client.

A driver gets the server's base URL and the log's path as arguments. Where the program runs in the driver's own process,
`calls` moves the clock to the time of each call before it gives it out, so that the program stamps that time itself.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))

import traffic  # noqa: E402

BASE, LOG, *FLAGS = sys.argv[1:]


def calls():
    import time_machine

    with time_machine.travel(traffic.START, tick=True) as clock:
        for call in traffic.traffic()[0]:
            clock.move_to(call["time"])
            yield call


def client(make=None):
    if make is None:
        from openai import OpenAI as make
    return make(base_url=f"{BASE}/v1", api_key="sk-mock", max_retries=0)


def arguments(call):
    """The arguments of a chat completion."""
    streamed = {"stream": True, "stream_options": {"include_usage": True}} if call["stream"] else {}
    return {name: call[name] for name in ("model", "messages", "temperature", "max_tokens")} | streamed


def ask(openai, call, **more):
    answer = openai.chat.completions.create(**arguments(call), **more)
    if call["stream"]:
        for _ in answer:
            pass


def tracer_provider(exporter):
    """A tracer provider that writes to LOG: as OTLP/JSON with `file`, as the console exporter prints with `console`."""
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.json.file.trace_exporter import FileSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": "storefront"}))
    make = ConsoleSpanExporter(out=open(LOG, "w", encoding="utf-8")) if exporter == "console" else FileSpanExporter(LOG)
    provider.add_span_processor(SimpleSpanProcessor(make))
    trace.set_tracer_provider(provider)
    return provider


def carrying(account):
    """A context in which the account is baggage, under OpenTelemetry's name `user.id`."""
    from opentelemetry import baggage

    return baggage.set_baggage("user.id", account)
