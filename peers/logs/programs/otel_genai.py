"""OpenTelemetry's own instrumentation of the OpenAI client.

The account is baggage, which the baggage processors copy to spans and log records. With the flag `parent` it stands on the
span of the web request around the call and nowhere else. With `events` the texts go to log records, in a second file.
"""

import common
from opentelemetry import context, trace
from opentelemetry._logs import set_logger_provider
from opentelemetry.exporter.otlp.json.file._log_exporter import FileLogExporter
from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor
from opentelemetry.processor.baggage import ALLOW_ALL_BAGGAGE_KEYS, BaggageLogProcessor, BaggageSpanProcessor
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor

provider = common.tracer_provider("console" if "console" in common.FLAGS else "file")
provider.add_span_processor(BaggageSpanProcessor(ALLOW_ALL_BAGGAGE_KEYS))
if "events" in common.FLAGS:
    logs = LoggerProvider()
    logs.add_log_record_processor(BaggageLogProcessor(ALLOW_ALL_BAGGAGE_KEYS))
    logs.add_log_record_processor(SimpleLogRecordProcessor(FileLogExporter(common.LOG.replace(".jsonl", "-events.jsonl"))))
    set_logger_provider(logs)
OpenAIInstrumentor().instrument()
openai, tracer = common.client(), trace.get_tracer("storefront")

for call in common.calls():
    if "parent" in common.FLAGS:
        with tracer.start_as_current_span("POST /ask", kind=trace.SpanKind.SERVER, attributes={"user.id": call["account"]}):
            common.ask(openai, call)
    else:
        token = context.attach(common.carrying(call["account"]))
        common.ask(openai, call)
        context.detach(token)
