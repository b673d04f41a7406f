"""Stillwatch itself: `stillwatch hunt` with its defaults, read as anybody reads it."""

import json
import subprocess
import tempfile
from pathlib import Path

MEMBER_MIN = 0.5


def hunt(binary, folder, *flags):
    """Accounts and exchanges that it reports."""
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "exchanges.jsonl"
        command = [binary, "hunt", folder, "--json", "--exchanges-out", out, *flags]
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode not in (0, 10):
            raise SystemExit(done.stderr.decode())
        found = json.loads(done.stdout)["campaigns"]
        exchanges = {json.loads(line)["exchange"] for line in out.open()} if out.exists() else set()
    accounts = {a["account"] for c in found for a in c["accounts"] if a["probability"] >= MEMBER_MIN}
    return accounts, exchanges


def evaluate(binary, folder):
    """Its own score of the same folder, to check ours."""
    done = subprocess.run([binary, "evaluate", folder, "--json"], capture_output=True, check=True)
    return json.loads(done.stdout)["accounts"]
