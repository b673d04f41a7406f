"""Langfuse's SDK with its OpenAI client. Its export goes to the mock server, which writes it down as OTLP/JSON."""

import common
from langfuse import Langfuse, propagate_attributes
from langfuse.openai import OpenAI

langfuse = Langfuse(public_key="pk-lf-mock", secret_key="sk-lf-mock", base_url=common.BASE, flush_at=200)
openai = common.client(OpenAI)

for call in common.calls():
    with propagate_attributes(user_id=call["account"]):
        common.ask(openai, call)
langfuse.flush()
