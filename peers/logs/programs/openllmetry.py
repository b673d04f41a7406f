"""OpenLLMetry: its SDK with the account as association property, or with `user` the account as the request's own `user`."""

import common
from opentelemetry.exporter.otlp.json.file.trace_exporter import FileSpanExporter
from traceloop.sdk import Traceloop
from traceloop.sdk.instruments import Instruments

Traceloop.init(
    app_name="storefront",
    exporter=FileSpanExporter(common.LOG),
    disable_batch=True,
    telemetry_enabled=False,
    instruments={Instruments.OPENAI},
)
openai = common.client()

for call in common.calls():
    if "user" in common.FLAGS:
        common.ask(openai, call, user=call["account"])
    else:
        Traceloop.set_association_properties({"user_id": call["account"]})
        common.ask(openai, call)
