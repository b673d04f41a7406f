"""Runs Stillwatch over a log that a program wrote, and counts."""

import json
import os
import subprocess

STILLWATCH = os.environ.get("STILLWATCH", "target/release/stillwatch")


def stillwatch(*arguments):
    """What Stillwatch prints as JSON, and what it complained of where it could not use the log or a part of it."""
    done = subprocess.run([STILLWATCH, *map(str, arguments)], capture_output=True, text=True)
    said = json.loads(done.stdout) if done.stdout.startswith("{") else {}
    lines = done.stderr.strip().splitlines() if done.returncode not in (0, 10) else []
    return said, [f"{arguments[0]} ended with {done.returncode}: {line[:300]}" for line in lines[:1]]


def judge(log, facts, accounts):
    """How many calls were read, who was found, and what was said about the log."""
    seen, complaints = stillwatch("inspect", log, "--accounts", facts, "--json")
    if not seen:
        raise RuntimeError(" ".join(complaints))
    found, more = stillwatch("hunt", log, "--accounts", facts, "--json")
    named = {
        one["account"]
        for campaign in found.get("campaigns", [])
        for one in campaign["accounts"]
        if one["probability"] >= 0.5
    }
    planted = {one["account"] for one in accounts if one["planted"]}
    read = seen["read"]
    return {
        "read": read["exchanges"],
        "formats": sorted(read["formats"]),
        "shares": {one["field"]: one["share"] for one in seen["fields"]},
        "found": len(named & planted),
        "wrong": len(named - planted),
        "said": complaints
        + more
        + [f"{seen['accounts']} accounts, {read['bad_lines']} bad lines"]
        + read["warnings"]
        + [f"{one['count']} times {one['what']}" for one in read["treated"]]
        + seen["blind"],
    }
