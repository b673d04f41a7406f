"""OpenInference's instrumentation of the OpenAI client. The account is given with `using_user`.

With `metadata` it is given with `using_metadata`, with `user` as the request's own `user`.
"""

import common
from openinference.instrumentation import using_metadata, using_user
from openinference.instrumentation.openai import OpenAIInstrumentor

provider = common.tracer_provider("console" if "console" in common.FLAGS else "file")
OpenAIInstrumentor().instrument(tracer_provider=provider)
openai = common.client()

for call in common.calls():
    if "user" in common.FLAGS:
        common.ask(openai, call, user=call["account"])
    else:
        given = using_metadata({"user_id": call["account"]}) if "metadata" in common.FLAGS else using_user(call["account"])
        with given:
            common.ask(openai, call)
