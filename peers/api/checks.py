"""Checks of our own for Schemathesis, and requests that get past the first refusal.

Most operations want a plain name as `author` and an id that is there. Made-up ones are refused before anything else is read,
so in half of the requests that are to be valid such fields get values that `fill.py` put there.
"""

import json
import os
import zlib

import jsonschema_rs
import schemathesis
from schemathesis.core.parameters import ParameterLocation

with open(os.environ["KNOWN"]) as file:
    KNOWN = json.load(file)
CAMPAIGNS = KNOWN["campaigns"] or ["cmp_1"]
ACCOUNTS = ["acc_fuzz_1", "acc_fuzz_2", "acc_fuzz_3"]
PLAIN = {
    "account": ACCOUNTS,
    "author": ["ann", "bob"],
    "finding": CAMPAIGNS,
    "organisation": ["org_fuzz"],
    "reason": ["it was so"],
    "title": ["what was seen"],
}
TEXTS = ['@id("every-account") permit (principal, action, resource);', "what is said"]
SEARCHES = {
    "from": ["2026-07-20", "2026-07-20 09:30", "2026-07-20T09:30:00Z"],
    "until": ["2026-07-23", "2100-01-01T00:00:00Z"],
    "network": ["203.0.113.0/24", "203.0.113.7", "2001:db8::/48"],
    "capability": ["coding", "translation", ""],
    "account": ACCOUNTS,
    "campaign": [*CAMPAIGNS, ""],
    "like": [""],
    "behind": ["", "1784600000000000000 acc_fuzz_1 x"],
}


def is_valid(case, where):
    """Whether a part of a request is there and is to be valid."""
    return case.meta is not None and where in case.meta.components and not case.meta.is_negative_at(where)


@schemathesis.hook
def before_call(context, case, kwargs):
    path, body, query, ids = case.operation.path, case.body, case.query, case.path_parameters
    # The same request is always changed in the same way.
    number = zlib.crc32(repr([path, body, query, ids]).encode())
    if number % 2:
        return

    def one(values):
        return values[number // 2 % len(values)]

    if KNOWN.get(path) and is_valid(case, ParameterLocation.PATH):
        for name in ids:
            ids[name] = one(KNOWN[path])
    if isinstance(body, dict) and is_valid(case, ParameterLocation.BODY):
        for name in body.keys() & PLAIN.keys():
            body[name] = one(PLAIN[name])
        if "text" in body:
            body["text"] = TEXTS[0 if path == "/api/v1/policies" else 1]
        if "name" in body and path == "/api/v1/people":
            body["name"] = f"person {number % 50}"
        if path == "/api/v1/responses":
            respond(body, one)
    if isinstance(query, dict) and path == "/api/v1/exchanges" and is_valid(case, ParameterLocation.QUERY):
        for name in query.keys() & SEARCHES.keys():
            query[name] = one(SEARCHES[name])


def respond(body, one):
    """Makes a response one that can be taken."""
    body["target"] = one([{"account": ACCOUNTS[0]}, {"campaign": CAMPAIGNS[0]}])
    body["rung"] = one(["observe", "alert", "verify", "share_budget", "shield", "block"])
    body["assurance"] = "phone" if body["rung"] == "verify" else "none"
    body["budget"] = {"unit": "tokens", "amount": 5, "per": "hour"} if body["rung"] == "share_budget" else None
    body["probability"] = 90
    body["until"] = None


@schemathesis.check
def server_error(ctx, response, case):
    """No 5xx, but for 503 and 507 where the operation tells of them by their number; `default` is not enough."""
    status = response.status_code
    if status >= 500:
        assert status in (503, 507) and str(status) in case.operation.definition.raw["responses"], (
            f"{status} is not told of by the document"
        )


@schemathesis.check
def told_status(ctx, response, case):
    """Success has only the statuses that are told of by their number, and nothing leads elsewhere."""
    status = response.status_code
    if status < 400:
        assert str(status) in case.operation.definition.raw["responses"], f"{status} is not told of by the document"


@schemathesis.check
def problem(ctx, response, case):
    """Whatever is refused below /api/v1 is told why, as JSON that programs can read."""
    if response.status_code < 400 or "/api/v1" not in case.operation.path or response.request.method == "HEAD":
        return
    kind = response.headers.get("content-type", ["none"])[0]
    assert kind == "application/json", f"{response.status_code} has content of type {kind}, and no problem"
    schema = case.operation.schema.raw_schema["components"]["schemas"]["Problem"]
    jsonschema_rs.validate(schema, json.loads(response.content))
