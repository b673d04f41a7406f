"""pydantic-ai's own instrumentation. The account is metadata of the agent's run, or with `baggage` on every span."""

import common
from opentelemetry import context
from opentelemetry.processor.baggage import ALLOW_ALL_BAGGAGE_KEYS, BaggageSpanProcessor
from pydantic_ai import Agent, InstrumentationSettings
from pydantic_ai.messages import ModelRequest, ModelResponse, SystemPromptPart, TextPart, UserPromptPart
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

provider = common.tracer_provider("file")
provider.add_span_processor(BaggageSpanProcessor(ALLOW_ALL_BAGGAGE_KEYS))
Agent.instrument_all(InstrumentationSettings(tracer_provider=provider))
source = OpenAIProvider(base_url=f"{common.BASE}/v1", api_key="sk-mock")
agents = {name: Agent(OpenAIChatModel(name, provider=source)) for name in ("m-large", "m-small")}
PARTS = {"system": SystemPromptPart, "user": UserPromptPart}


def history(messages):
    for message in messages:
        text = message["content"]
        yield (
            ModelResponse([TextPart(text)])
            if message["role"] == "assistant"
            else ModelRequest([PARTS[message["role"]](text)])
        )


for call in common.calls():
    *before, last = call["messages"]
    settings = {"temperature": call["temperature"], "max_tokens": call["max_tokens"]}
    baggage = "baggage" in common.FLAGS
    token = context.attach(common.carrying(call["account"])) if baggage else None
    agents[call["model"]].run_sync(
        last["content"],
        message_history=list(history(before)),
        model_settings=settings,
        metadata=None if baggage else {"user_id": call["account"]},
    )
    if token:
        context.detach(token)
