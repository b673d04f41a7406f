"""Runs Stillwatch over a log that a program wrote, and counts."""

import json
import os
import subprocess

STILLWATCH = os.environ.get("STILLWATCH", "target/release/stillwatch")


def stillwatch(*arguments):
    done = subprocess.run([STILLWATCH, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode not in (0, 10):
        raise RuntimeError(f"stillwatch {arguments[0]} ended with {done.returncode}: {done.stderr.strip()[-400:]}")
    return json.loads(done.stdout)


def judge(log, facts, accounts, flags=()):
    """How many calls were read, and who was found: a dict of counts, and what `inspect` said."""
    seen = stillwatch("inspect", log, "--accounts", facts, "--json", *flags)
    found = stillwatch("hunt", log, "--accounts", facts, "--json", *flags)
    named = {
        one["account"] for campaign in found["campaigns"] for one in campaign["accounts"] if one["probability"] >= 0.5
    }
    planted = {one["account"] for one in accounts if one["planted"]}
    shares = {one["field"]: one["share"] for one in seen["fields"]}
    return {"shares": shares, "found": len(named & planted), "wrong": len(named - planted), "inspect": seen}
