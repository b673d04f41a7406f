"""Stillwatch itself: `stillwatch hunt` with its defaults, read as anybody reads it."""

import json
import subprocess
import tempfile
from pathlib import Path

MEMBER_MIN = 0.5


def hunt(binary, folder):
    """Accounts and exchanges that it reports, and its own score of that, to check ours."""
    with tempfile.TemporaryDirectory() as scratch:
        campaigns, exchanges = Path(scratch) / "campaigns.jsonl", Path(scratch) / "exchanges.jsonl"
        output(binary, "hunt", folder, "--campaigns-out", campaigns, "--exchanges-out", exchanges)
        accounts = {a["account"] for c in lines(campaigns) for a in c["accounts"] if a["probability"] >= MEMBER_MIN}
        own_score = json.loads(output(binary, "evaluate", folder, "--campaigns", campaigns, "--json"))
        return accounts, {record["exchange"] for record in lines(exchanges)}, own_score["accounts"]


def reports(binary, folder):
    """Does a hunt report anything?"""
    return bool(json.loads(output(binary, "hunt", folder, "--json"))["campaigns"])


def output(*command):
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode not in (0, 10):
        raise SystemExit(done.stderr.decode())
    return done.stdout


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
