"""A simulated folder as columns: who sent what, when, and from where.

Every peer reads the same columns. `values[kind]` is a pair of arrays: rows (positions of exchanges) and codes (the value
seen there). Kinds:

- `block`, `ja4`, `payment`, `domain`: address block (/24, /48), TLS fingerprint, payment instrument, mail domain;
- `prefix4` … `prefix32`: the first words of the prompt, system prompt first; `suffix4`, `suffix8`: its last words;
- `sketch`: the three smallest hashes of its five-word runs (bottom-k sketch, Broder 1997), so that prompts which share
  most of their text share a value although some words differ.
"""

import ipaddress
import json
import re
import zlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

PREFIX_WORDS = (4, 8, 16, 32)
SUFFIX_WORDS = (4, 8)
SHINGLE_WORDS = 5
SKETCH_SIZE = 3
PROMPT_WORDS_MAX = 256
WORD = re.compile(r"\w+")


@dataclass
class Traffic:
    accounts: list[str]
    account: np.ndarray  # of each exchange, as a position in `accounts`
    second: np.ndarray  # of each exchange, from the first one
    values: dict[str, tuple[np.ndarray, np.ndarray]]
    prompts: list[str]  # the last user turn of each exchange
    exchange_ids: list[str]
    campaign: np.ndarray  # of each account: belongs to one
    campaign_exchange: np.ndarray  # of each exchange: belongs to one
    roles: list[str]  # of each account; empty for those of a campaign

    def pairs(self, kind):
        """Distinct (account, value) of a kind."""
        rows, codes = self.values[kind]
        return np.unique(np.stack([self.account[rows], codes], axis=1), axis=0)


def load(folder):
    folder = Path(folder)
    facts = {}
    for record in read(folder / "accounts.jsonl"):
        facts.setdefault(record["account"], {}).update(record)
    labels, labelled_exchanges = {}, set()
    for record in read(folder / "labels.jsonl"):
        if "account" in record:
            labels[record["account"]] = record
        else:
            labelled_exchanges.add(record["exchange"])

    position = {account: i for i, account in enumerate(sorted(labels))}
    account, second, prompts, ids = [], [], [], []
    columns, codes, seen = {}, {}, {}
    for row, record in enumerate(read(folder / "exchanges.jsonl")):
        account.append(position[record["account"]])
        second.append(datetime.fromisoformat(record["time"]).timestamp())
        ids.append(record["id"])
        system, first, last = turns(record["request"])
        prompts.append(last)
        if (key := hash((system, first, last))) not in seen:
            seen[key] = text_values(system, first, last)
        fact = facts.get(record["account"], {})
        client = record.get("client", {})
        where = [("block", block(client.get("ip"))), ("ja4", client.get("ja4"))]
        where += [("payment", fact.get("payment")), ("domain", fact.get("email_domain"))]
        for kind, value in where + seen[key]:
            if value is not None:
                rows, column = columns.setdefault(kind, ([], []))
                rows.append(row)
                column.append(codes.setdefault(kind, {}).setdefault(value, len(codes[kind])))

    account = np.array(account)
    campaign = np.array([labels[a]["campaign"] is not None for a in position])
    campaign_exchange = campaign[account]
    if labelled_exchanges:
        campaign_exchange = np.array([i in labelled_exchanges for i in ids])
    return Traffic(
        accounts=list(position),
        account=account,
        second=np.array(second) - min(second),
        values={kind: (np.array(rows), np.array(column)) for kind, (rows, column) in columns.items()},
        prompts=prompts,
        exchange_ids=ids,
        campaign=campaign,
        campaign_exchange=campaign_exchange,
        roles=[labels[a].get("role", "") for a in position],
    )


def read(path):
    with open(path, encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def turns(request):
    """System prompt, first and last user turn."""
    user = [m["content"] for m in request["messages"] if m["role"] == "user"] or [""]
    user = [text if isinstance(text, str) else json.dumps(text) for text in user]
    return request.get("system") or "", user[0], user[-1]


def text_values(system, first, last):
    start = WORD.findall(f"{system} {first}".lower())[: max(PREFIX_WORDS)]
    values = [(f"prefix{n}", hash(tuple(start[:n]))) for n in PREFIX_WORDS if start]
    words = WORD.findall(f"{system} {last}".lower())
    values += [(f"suffix{n}", hash(tuple(words[-n:]))) for n in SUFFIX_WORDS if words]
    words = [word.encode() for word in words[:PROMPT_WORDS_MAX]]
    runs = {zlib.crc32(b" ".join(words[i : i + SHINGLE_WORDS])) for i in range(len(words) - SHINGLE_WORDS + 1)}
    return values + [("sketch", value) for value in sorted(runs)[:SKETCH_SIZE]]


def block(ip):
    if ip is None:
        return None
    address = ipaddress.ip_address(ip)
    return int(address) >> (8 if address.version == 4 else 80), address.version
