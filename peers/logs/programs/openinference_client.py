"""OpenInference's instrumentation of the OpenAI client. The account is given with `using_user`."""

import common
from openinference.instrumentation import using_user
from openinference.instrumentation.openai import OpenAIInstrumentor

provider = common.tracer_provider("console" if "console" in common.FLAGS else "file")
OpenAIInstrumentor().instrument(tracer_provider=provider)
openai = common.client()

for call in common.calls():
    with using_user(call["account"]):
        common.ask(openai, call)
